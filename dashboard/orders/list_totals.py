"""Totals of a list of orders in money: in the reporting currency, or without exchange rates by currency."""

from collections.abc import Sequence

from dashboard.components import formatting
from dashboard.frame import page
from metrics.lists.rows import Row


def totals(sums: Sequence[Row], *, amount: str = "ordered_amount", value: str = "value") -> list[str]:
    """Return the total of an amount as markup: one text, or one per currency.

    sums: sums by currency. amount, value: their columns in the order's currency and in the reporting currency.
    """
    currency = page.data_status().currency
    if currency is None:
        return [_money(row[amount], row["currency"]) for row in sums if row[amount]]
    known = [row[value] for row in sums if row[value] is not None]
    return [_money(sum(known), currency)] if known and any(known) else []


def left_out(sums: Sequence[Row]) -> str:
    """Return the number of orders that the total leaves out, in words; "" if there are none."""
    count = sum(int(row["without_rate"] or 0) for row in sums)
    return f"without {formatting.count(count, 'order')} (no exchange rate)" if count else ""


def _money(amount: object, currency: str | None) -> str:
    name = "" if currency in (None, "(none)") else f" {formatting.html(currency)}"
    return f"{formatting.compact(float(str(amount)))}{name}"
