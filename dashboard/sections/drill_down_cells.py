"""Column titles and cells of the rows behind a number."""

from datetime import date, datetime

from dashboard.components import formatting, reasons
from dashboard.components.formatting import Shown
from dashboard.components.tables import Cell
from dashboard.frame import links
from metrics.lists.drill_down import ADDED
from metrics.lists.rows import Row
from metrics.model.measure import Measure, Unit
from metrics.model.statistics import divide


def column_title(name: str, measure: Measure) -> str:
    """Return the title of a column of the list."""
    if name == "currency":
        return Shown("Original currency", name)  # amounts are converted if rates exist
    if name == ADDED:
        return {Unit.HOURS: "Hours", Unit.DAYS: "Days", Unit.MONEY: "Amount"}.get(measure.unit, "Adds")
    if name == f"{measure.name}_reason":
        return Shown("Reason", name)
    words = name.removesuffix("_id").removesuffix("_amount").removesuffix("_reason")  # a cell has the reason in words
    return Shown(formatting.in_words(words), name)


def row_cell(name: str, row: Row, measure: Measure) -> Cell | str:
    """Return a value of the list as a cell; an order number links to its timeline."""
    value = row[name]
    if name == "order_id" and value is not None:
        return Cell(
            value,
            markup=f'<a class="bv-nowrap" href="{formatting.html(links.order_story_url(value))}" '
            f'target="_self">{formatting.html(value)}</a>',
        )
    if name == ADDED:
        ticks = getattr(measure.formula, "ticks", 1)
        return formatting.quantity(value) if ticks == 1 else formatting.number(divide(value, ticks), Unit.RATIO)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_reason") and value is not None:
        return Shown(reasons.reason(value), value)
    if name.endswith("_seconds") and value is not None:
        return formatting.number(divide(value, 3600), Unit.HOURS)
    if isinstance(value, date):
        shown = formatting.moment(value) if isinstance(value, datetime) else formatting.day(value)
        return Cell(shown, markup=f'<span class="bv-nowrap">{formatting.html(shown)}</span>')
    return formatting.plain(value)
