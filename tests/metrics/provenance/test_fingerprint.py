"""A fingerprint does not depend on the order of its input, and changes with any value. Source: P11 (fingerprint)."""

from dataclasses import fields, replace
from datetime import date, datetime
from decimal import Decimal

import pytest

from metrics.measures.catalog import MEASURES
from metrics.model.question import Question
from metrics.policy import STRICT, Policy
from metrics.provenance.fingerprint import canonical_text, fingerprint

QUESTION = Question(
    ("otif",),
    by=("segment",),
    grain="month",
    start=date(2026, 1, 1),
    end=date(2026, 3, 31),
    where=(("region", ("North", "South")),),
)
AS_OF = datetime(2026, 4, 30)


def of(question: Question = QUESTION, measure: str = "otif", policy: Policy = STRICT, **rest: object) -> str:
    return fingerprint(
        MEASURES[measure],
        question,
        policy=policy,
        **{"as_of": AS_OF, "generation": 42, "bucket": date(2026, 1, 1)} | rest,
    )  # type: ignore[arg-type]


def test_fingerprint_has_twelve_hex_digits_and_is_reproducible() -> None:
    assert of() == of()
    assert len(of()) == 12
    assert int(of(), 16) >= 0


def test_fingerprint_does_not_depend_on_the_order_of_filters_and_values() -> None:
    two = replace(QUESTION, where=(("region", ("North",)), ("channel", ("edi", "web"))))
    assert of(two) == of(replace(two, where=(("channel", ("web", "edi")), ("region", ("North",)))))
    assert (
        canonical_text({"b": Decimal("1.50"), "a": 1})
        == canonical_text({"a": 1, "b": Decimal("1.5")})
        == '{"a":1,"b":"1.5"}'
    )


@pytest.mark.parametrize(
    "other",
    [
        of(measure="on_time"),
        of(replace(QUESTION, by=("region",))),
        of(replace(QUESTION, grain="week")),
        of(replace(QUESTION, start=date(2026, 1, 2))),
        of(replace(QUESTION, end=date(2026, 3, 30))),
        of(replace(QUESTION, where=(("region", ("North",)),))),
        of(as_of=datetime(2026, 5, 1)),
        of(generation=43),
        of(bucket=date(2026, 2, 1)),
    ],
)
def test_every_value_changes_the_fingerprint(other: str) -> None:
    assert other != of()


def test_every_policy_key_changes_the_fingerprint() -> None:
    changed = {
        "timing": "WINDOW",
        "anchor": "requested",
        "allow_substitution": False,
        "receipt_event": "shipped_at",
        "open_balance": "late",
        "fault_reasons": ("late",),
        "under_tolerance_share": Decimal("0.01"),
        "over_tolerance_share": Decimal("0.01"),
        "rebase": "none",
    }
    prints = {
        field.name: of(
            policy=replace(
                STRICT,
                **{field.name: changed.get(field.name, getattr(STRICT, field.name) if field.name in changed else 5)},
            )
        )
        for field in fields(Policy)
    }
    assert len({*prints.values(), of()}) == len(prints) + 1


def test_new_version_of_a_measure_changes_the_fingerprint() -> None:
    measure = MEASURES["otif"]
    again = fingerprint(
        replace(measure, version=2), QUESTION, policy=STRICT, as_of=AS_OF, generation=42, bucket=date(2026, 1, 1)
    )
    assert again != of()
