"""How many orders took how many days from order to arrival: the distribution behind the mean and the percentiles of `cycle_days`."""

from sqlalchemy import Connection, func, select

from metrics.catalog import MEASURES
from metrics.facts import order_facts_table
from metrics.measure import Ratio
from metrics.query import in_view
from metrics.question import Question

LONGEST = 60
"""More days than this are counted together."""


def cycle_day_counts(connection: Connection, question: Question) -> list[tuple[int, int]]:
    """Days and orders, by days, of sale orders that arrived in the period; together as many as `cycle_days` rests on."""
    o = order_facts_table.c
    measure = MEASURES["cycle_days"]
    assert isinstance(measure.formula, Ratio)
    view = [*in_view(order_facts_table, o[measure.date], question), measure.formula.denominator.condition]
    inner = select(func.least(o.cycle_days, LONGEST).label("days")).where(*view).subquery()
    found = connection.execute(select(inner.c.days, func.count()).group_by(inner.c.days))
    return sorted((int(days), int(orders)) for days, orders in found)
