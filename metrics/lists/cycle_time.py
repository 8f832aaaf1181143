"""Orders by days from order to arrival, and by days promised: the distributions on the cycle-time page."""

from sqlalchemy import Connection, func, select

from metrics.facts.orders import order_facts_table
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Ratio
from metrics.model.question import Question
from metrics.queries.statements import view_conditions
from metrics.sql.dialects import Expression, days_between

LONGEST = 60
"""More days than this are counted together."""

o = order_facts_table.c


def cycle_day_counts(connection: Connection, question: Question) -> list[tuple[int, int]]:
    """Return days and orders for sale orders that arrived in the period; the orders of `cycle_days`."""
    return _counts(connection, question, o.cycle_days)


def promised_day_counts(connection: Connection, question: Question) -> list[tuple[int, int]]:
    """Return the same orders by promised days, from the order to the promise as first made.

    Orders without a promise are left out.
    """
    return _counts(connection, question, days_between(o.ordered_day, o.first_promised_day))


def _counts(connection: Connection, question: Question, days: Expression) -> list[tuple[int, int]]:
    measure = MEASURES["cycle_days"]
    assert isinstance(measure.formula, Ratio)
    view = [
        *view_conditions(order_facts_table, o[measure.date], question),
        measure.formula.denominator.condition,
        days.is_not(None),
    ]
    inner = select(func.least(days, LONGEST).label("days")).where(*view).subquery()
    found = connection.execute(select(inner.c.days, func.count()).group_by(inner.c.days))
    return sorted((int(days), int(orders)) for days, orders in found)
