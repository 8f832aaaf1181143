"""Levers as a table, for the scorecard and for their own page, and the link to the orders of a lever."""

from collections.abc import Sequence
from decimal import Decimal

from dashboard import queries
from dashboard.components import cards, formatting, tables
from dashboard.components.formatting import Shown
from dashboard.components.reasons import REASONS, reason
from dashboard.components.tables import Cell
from dashboard.frame import links
from dashboard.frame.filters import Filters
from metrics.measures.catalog import MEASURES
from metrics.model.point import range_of
from metrics.model.question import Answer, Question
from metrics.queries.levers import ALL, Lever, Levers, levers

PLACES = {
    ALL: "All orders",
    "carrier": "Carrier",
    "product_category": "Product category",
    "place": "Place of delivery",
    "customer": "Customer",
    "segment": "Segment",
}


def view_of(filters: Filters) -> Question:
    """Return the question about the orders in view."""
    return Question((), start=filters.start, end=filters.end, where=filters.where)


def levers_in_view(generation: int, filters: Filters) -> Levers:
    """Return the levers of the orders in view."""
    return queries.shared(levers, generation, view_of(filters))


def parse_lever(text: str | None) -> tuple[str, str, str] | None:
    """Read the parameter `lever` of an address: reason, dimension and value; None if it is not a lever."""
    parts = (text or "").split(":", 2)
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 and parts[0] in REASONS and parts[1] in PLACES else None


def orders_url(lever: Lever) -> str:
    """Return the address of the failed orders of a lever."""
    return links.page_url("failed-orders", {"lever": f"{lever.reason}:{lever.dimension}:{lever.of}"})


def name_of(code: str, dimension: str, of: str) -> str:
    """Return a lever in words: "Late, carrier Polarbeam"."""
    return reason(code) + ("" if dimension == ALL else f", {place_of(dimension, of)}")


def place_of(dimension: str, of: str) -> str:
    """Return the dimension and the value of a lever in words; "all orders" for a reason at all values."""
    name = PLACES[dimension].lower()
    return name if dimension == ALL else f"{name} {of}"


def levers_table(
    found: Levers, shown: Sequence[Lever], *, caption: str, is_whole: bool = False, is_page: bool = False
) -> str:
    """Return levers as a table with links to their orders.

    is_whole: the levers hold each failed order with one reason once. The last row is then the total of failed orders.
    is_page: the levers are only a part of the list.
    """
    money = f" ({found.currency})" if found.currency else ""
    heads = ["Lever", "Orders", "Perfect orders without it", f"Value{money}", f"Cost so far{money}"]
    heads.append(f"Lost margin{money}")
    rows: list[Sequence[Cell]] = [_row(found, lever) for lever in shown]
    if is_whole:
        blank = [Cell()] * (len(heads) - 2)
        rows += [[Cell("Several reasons"), Cell(formatting.integer(found.several)), *blank]] if found.several else []
        rows.append([Cell("All failed orders"), Cell(formatting.integer(found.failed)), *blank])
    return tables.table(heads, rows, caption=caption, numeric=range(1, len(heads)), total=is_whole, is_page=is_page)


def _row(found: Levers, lever: Lever) -> list[Cell]:
    name = formatting.html(name_of(lever.reason, lever.dimension, lever.of))
    hidden = f"<span class='bv-said'> orders that failed only because: {name}</span>"
    words = f"{formatting.integer(lever.orders)}{hidden}"
    undecided = lever.orders - lever.perfect
    return [
        Cell(Shown(reason(lever.reason), lever.reason), small=place_of(lever.dimension, lever.of)),
        Cell(
            formatting.integer(lever.orders),
            markup=f'<a href="{formatting.html(orders_url(lever))}" target="_self">{words}</a>',
            small=f"{formatting.integer(undecided)} unknown without it" if undecided else "",
        ),
        rate_cell(found.whole, lever.without),
        *[Cell(_amount(value)) for value in (lever.value, lever.cost, lever.lost_margin)],
    ]


def rate_cell(whole: Answer, without: Answer) -> Cell:
    """Return the share of perfect orders without some levers, and the gain against the share now."""
    measure = MEASURES["perfect_order"]
    shown = cards.value(without, measure)
    if whole.value is None or without.value is None or range_of(without):
        return Cell(shown)
    gain = float(without.value) - float(whole.value)
    return Cell(shown, small=f"+{formatting.difference(gain, measure.unit)}")


def _amount(value: Decimal | None) -> str:
    return formatting.DASH if value is None else Shown(formatting.compact(float(value)), value)
