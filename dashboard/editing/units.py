"""Values of edits as people read and type them: shares as percentages, yes and no as words. The store keeps numbers."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from enum import Enum

from metrics.facts.assumptions import ASSUMPTIONS
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Unit


class Kind(Enum):
    """How a value is typed."""

    NUMBER = "number"
    PERCENT = "percent"
    YES_NO = "yes or no"


YES_NO = {"1": "Yes", "0": "No"}
"""Stored values of a yes-or-no number, in words."""
SHARES_OF_PACKAGES = ("defect_share_max", "order_fill_min")


def kind(feed: str, key: Sequence[str], name: str) -> Kind:
    """Return how a column of an edit is typed. key: the key of the edit, such as a measure and a scope."""
    if feed == "assumptions" and key[0] in ASSUMPTIONS:
        unit = ASSUMPTIONS[key[0]].unit
        return Kind.PERCENT if unit.startswith("share") else Kind.YES_NO if unit == "1 or 0" else Kind.NUMBER
    if feed == "targets" and key[0] in MEASURES:
        return Kind.PERCENT if MEASURES[key[0]].unit is Unit.SHARE else Kind.NUMBER
    return Kind.PERCENT if name in SHARES_OF_PACKAGES else Kind.NUMBER


def shown(feed: str, key: Sequence[str], name: str, value: str | None) -> str | None:
    """Return a stored value as text: "0.9" as "90%", "1" as "Yes"."""
    found = kind(feed, key, name)
    if value is None or found is Kind.NUMBER:
        return value
    if found is Kind.YES_NO:
        return YES_NO.get(value, value)
    return value if (percent := typed_percent(value)) is None else f"{percent}%"


def typed_percent(value: str | None) -> str | None:
    """Return a stored share as the number of a percentage, exactly: "0.985" as "98.5"; None if it is no number."""
    return None if value is None else _times(value, Decimal(100))


def stored_share(text: str, title: str) -> str:
    """Return a typed percentage as a share: "98.5%" as "0.985". Raises ValueError if it is out of range.

    Text that is no number is returned unchanged, for the message of the validation.
    """
    number = text.strip().removesuffix("%").strip()
    share = _times(number, Decimal("0.01"))
    if share is None:
        return text
    if not 0 <= Decimal(share) <= 1:
        raise ValueError(f"{title}: {number}% is out of range: enter a percentage from 0 to 100")
    return share


def _times(text: str, factor: Decimal) -> str | None:
    try:
        number = Decimal(text) * factor
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    return format(number.normalize(), "f") if number else "0"
