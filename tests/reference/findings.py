"""Verdicts with three values, their reasons, and the rules that combine them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Verdict = bool | None

VERDICTS = ("on_time", "complete", "otif", "damage_free", "filled_accurately", "billed_accurately")

FALSE_REASONS = (
    "late",
    "never_received",
    "too_early",
    "short",
    "damaged",
    "damage_credit",
    "returned_damaged",
    "wrong_item",
    "wrong_place",
    "over_shipped",
    "returned_wrong",
    "billed_quantity",
    "billed_price",
    "billed_amount",
    "billed_tax",
    "billed_terms",
    "billed_party",
    "billed_currency",
    "billed_late",
    "not_billed",
    "reversed",
    "billing_credit",
)
UNKNOWN_REASONS = ("no_feed", "quarantined", "no_anchor", "no_evidence", "not_yet_due", "nothing_received")
"""Reasons of a false and of an unknown verdict. If several apply, the first in this order is the reason."""


@dataclass(frozen=True)
class Finding:
    """A verdict, and the reason if it is false or unknown.

    A verdict that does not apply is None without a reason.
    """

    verdict: Verdict
    reason: str | None = None


TRUE = Finding(True)
NOT_ASKED = Finding(None)


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Return false if any verdict is false, else unknown if any is unknown, else true."""
    seen = list(verdicts)
    if False in seen:
        return False
    return None if None in seen else True


def together(findings: Iterable[Finding]) -> Finding:
    """Return the AND of findings, with the first reason in the fixed order."""
    seen = list(findings)
    verdict = all_of(finding.verdict for finding in seen)
    if verdict is True:
        return TRUE
    order = FALSE_REASONS if verdict is False else UNKNOWN_REASONS
    reasons = {finding.reason for finding in seen if finding.verdict is verdict and finding.reason}
    return Finding(verdict, min(reasons, key=order.index))


def part(verdict: Verdict, reason: str) -> Finding:
    """Return the finding of a part: true, false with the reason, or unknown without evidence."""
    if verdict is True:
        return TRUE
    return Finding(False, reason) if verdict is False else Finding(None, "no_evidence")


def same(left: Any, right: Any, *, tested: bool) -> Verdict:
    """Compare two values.

    Return true if the comparison is not tested, and unknown if a value is empty.
    """
    if not tested:
        return True
    return None if left is None or right is None else left == right


def without_neutral(findings: list[Finding]) -> list[Finding]:
    """Leave out the findings of lines without receipts, if another line has receipts."""
    telling = [finding for finding in findings if finding.reason != "nothing_received"]
    return telling or findings
