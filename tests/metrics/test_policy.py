"""The strict policy equals the table of defaults in docs/rules.md, value by value. Impossible policies are refused."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pytest

from metrics.policy import CODES, FALSE_CODES, FIRST_UNKNOWN, MIN_COVERAGE, MIN_N, STRICT, UNKNOWN_CODES, Policy


def test_strict_policy_equals_the_rule_book_table() -> None:
    assert asdict(STRICT) == {
        "timing": "DEADLINE",
        "early_tolerance_days": 0,
        "early_tolerance_hours": 0,
        "late_tolerance_days": 0,
        "late_tolerance_hours": 0,
        "under_tolerance_share": 0,
        "over_tolerance_share": 0,
        "claims_days": 30,
        "invoice_days": 7,
        "anchor": "first_promise",
        "rebase": "buyer",
        "allow_substitution": True,
        "receipt_event": "received_at",
        "open_balance": "by_receipt",
        "fault_reasons": ("late", "out_of_stock"),
        "undated_days": 30,
    }
    assert (MIN_N, MIN_COVERAGE) == (20, 0.90)


def test_reasons_are_ordered_by_code_with_unknown_reasons_last() -> None:
    assert max(FALSE_CODES) < FIRST_UNKNOWN <= min(UNKNOWN_CODES)
    assert len(set(CODES.values())) == len(CODES) == len(FALSE_CODES) + len(UNKNOWN_CODES)
    assert list(CODES) == sorted(CODES)
    assert list(UNKNOWN_CODES.values()) == [
        "no_feed",
        "quarantined",
        "no_anchor",
        "no_evidence",
        "not_yet_due",
        "nothing_received",
    ]


@pytest.mark.parametrize(
    "policy",
    [
        {
            "timing": "WINDOW",
            "anchor": "current_promise",
            "rebase": "none",
            "receipt_event": "shipped_at",
            "open_balance": "late",
        },
        {"early_tolerance_days": 30, "late_tolerance_days": 30, "claims_days": 3650, "invoice_days": 90},
        {"claims_days": 0, "invoice_days": 0},
        {"late_tolerance_hours": Decimal("0.5")},
    ],
)
def test_policy_accepts_the_text_values_of_a_settings_file(policy: dict[str, Any]) -> None:
    taken = asdict(Policy(**policy))
    assert {key: taken[key] for key in policy} == policy


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"timing": "SOON"}, "policy key timing: 'SOON'; write one of DEADLINE, WINDOW"),
        ({"rebase": "seller"}, "policy key rebase: 'seller'; write one of buyer, none"),
        ({"late_tolerance_days": 31}, "policy key late_tolerance_days: 31; write a number of days from 0 to 30"),
        ({"early_tolerance_days": -1}, "policy key early_tolerance_days: -1"),
        ({"claims_days": 3651}, "write a number of days from 0 to 3650"),
        ({"invoice_days": 91}, "write a number of days from 0 to 90"),
    ],
)
def test_invalid_policy_is_refused(policy: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        Policy(**policy)
