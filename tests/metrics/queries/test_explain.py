"""Explain a change by parts that add up to it exactly: worked by hand, then on random halves."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from metrics.errors import UnknownName
from metrics.model.question import Answer
from metrics.queries.explain import Explanation, _of_ratio, explain
from tests.metrics.queries.test_answer import history, publish, together
from tests.support.builders import customer
from tests.support.engines import memory

MARCH, APRIL = (date(2026, 3, 1), date(2026, 3, 31)), (date(2026, 4, 1), date(2026, 4, 30))


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """March: North 3 of 4 in time, South 1 of 2. April: North 1 of 2, South 3 of 4, and East, new, 1 of 1."""
    plan = {
        ("03", "North"): (3, 4),
        ("03", "South"): (1, 2),
        ("04", "North"): (1, 2),
        ("04", "South"): (3, 4),
        ("04", "East"): (1, 1),
    }
    made, number = [], 0
    for (month, region), (good, all_) in plan.items():
        for at in range(all_):
            number += 1
            came = f"2026-{month}-{9 if at < good else 14 + at:02d}"
            made.append(
                history(number, came=came, left=f"2026-{month}-02", customer_id=region, ordered_at=f"2026-{month}-01")
            )
            made[-1]["orders"][0]["promised_by"] = made[-1]["orders"][0]["promised_by"].replace(month=int(month))
    loaded = together(*made)
    loaded["customers"] = [customer(customer_id=region, region=region) for region in ("North", "South", "East")]
    engine = memory()
    with engine.connect() as opened:
        publish(opened, loaded)
        yield opened
    engine.dispose()


def test_change_of_a_ratio_is_the_sum_of_mix_and_rate_effects(connection: Connection) -> None:
    """On time 4/6 → 5/7, R = 29/42 in the middle. North: w 4/6 → 2/7, r 3/4 → 1/2; South: w 2/6 → 4/7, r 1/2 → 3/4;
    East: w 0 → 1/7, r 1.
    """
    found = explain(connection, "on_time", by="region", before=MARCH, after=APRIL)
    assert found.change == Fraction(5, 7) - Fraction(4, 6) == Fraction(1, 21)
    parts = {part.value: (part.mix, part.rate) for part in found.parts}
    assert parts == {
        "North": (Fraction(-8, 21) * (Fraction(5, 8) - Fraction(29, 42)), Fraction(-1, 4) * Fraction(10, 21)),
        "South": (Fraction(5, 21) * (Fraction(5, 8) - Fraction(29, 42)), Fraction(1, 4) * Fraction(19, 42)),
        "East": (Fraction(1, 7) * (1 - Fraction(29, 42)), Fraction(0)),
    }
    assert sum(part.effect or 0 for part in found.parts) == found.change
    assert found.adds_up
    assert found.parts[0].value == max(found.parts, key=lambda part: abs(part.effect or 0)).value


def test_change_of_a_total_is_the_sum_of_its_parts(connection: Connection) -> None:
    found = explain(connection, "ordered_value", by="region", before=MARCH, after=APRIL)
    assert found.change == 500
    assert {part.value: part.effect for part in found.parts} == {"North": -1000, "South": 1000, "East": 500}


def test_change_of_a_percentile_shows_the_shift_caused_by_each_part(connection: Connection) -> None:
    """Days to arrive, March: 8 8 8 16 (North), 8 14 (South); April: 8 14 (North), 8 8 8 16 (South), 8 (East): P90 16
    and 16.
    """
    found = explain(connection, "cycle_p90", by="region", before=MARCH, after=APRIL)
    assert (found.before.value, found.after.value, found.change, found.adds_up) == (16, 16, 0, False)
    # With March's orders of South (8, 14), April's maximum would be 14. The other segments leave it at 16.
    assert {part.value: part.shift for part in found.parts} == {"North": 0.0, "South": 2.0, "East": 0.0}


def test_no_change_is_explained_if_the_period_before_has_no_value(connection: Connection) -> None:
    found = explain(connection, "on_time", by="region", before=(date(2025, 1, 1), date(2025, 1, 31)), after=APRIL)
    assert found.change is None
    assert found.why_not == "the period before has no value: no data: nothing in this period and selection"
    assert found.parts == ()


def test_a_dimension_the_measure_lacks_is_refused(connection: Connection) -> None:
    with pytest.raises(UnknownName):
        explain(connection, "on_time", by="colour", before=MARCH, after=APRIL)


HALVES = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda pair: (min(pair), max(pair)))


@given(st.dictionaries(st.sampled_from("ABCDE"), HALVES), st.dictionaries(st.sampled_from("ABCDE"), HALVES))
def test_mix_and_rate_effects_add_up_to_the_change_for_any_counts(
    then: dict[str, tuple[int, int]], now: dict[str, tuple[int, int]]
) -> None:
    def one(n: int, d: int) -> Answer:
        return Answer(
            {},
            None,
            "on_time",
            n / d if d else None,
            numerator=n,
            denominator=Decimal(d),
            no_data=None if d else "no data",
        )

    whole_then, whole_now = (
        one(sum(n for n, _ in side.values()), sum(d for _, d in side.values())) for side in (then, now)
    )
    blank = Explanation("on_time", "region", whole_then, whole_now, None, (), adds_up=False)
    found = _of_ratio(blank, *({name: one(*pair) for name, pair in side.items()} for side in (then, now)))
    if whole_then.denominator and whole_now.denominator:
        assert sum((part.effect or Fraction(0) for part in found.parts), Fraction(0)) == found.change
        assert all(
            part.mix is not None and part.rate is not None and part.mix + part.rate == part.effect
            for part in found.parts
        )
        assert found.change == Fraction(whole_now.numerator or 0) / int(whole_now.denominator) - Fraction(
            whole_then.numerator or 0
        ) / int(whole_then.denominator)
    else:
        assert found.change is None
        assert found.why_not
