"""Withhold a share below the minimum coverage if most orders have no date to judge it by, because nobody mapped it.

Another column has the date of a few orders only, and these few would decide the value. The range replaces the value,
and the reason names the column. A count or a time of these few orders has a remark that names the column.

Source: P3 (three values), P7 (point, coverage and range), R1 (anchor date).
"""

from dataclasses import replace

from sqlalchemy import Connection, func, literal, select

from metrics.facts.anchor_dates import anchor_facts_table
from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import order_facts_table
from metrics.measures.catalog import find
from metrics.measures.needs import NEEDS_PROMISE, NEEDS_PROMISE_HISTORY, NEEDS_REQUEST
from metrics.model.measure import Alternative, Unit
from metrics.model.point import inconclusive
from metrics.model.question import Answer
from metrics.policy import MIN_COVERAGE
from metrics.schema import FEEDS
from metrics.sql.dialects import count_if
from metrics.warehouse.query_cache import cached_per_generation

_o, _a = order_facts_table.c, anchor_facts_table.c
JUDGED_BY = {
    (NEEDS_PROMISE.any_of, False): (_o.state, _o.on_time_reason),
    (NEEDS_PROMISE.any_of, True): (_a.state_current, _a.on_time_current_reason),
    (NEEDS_REQUEST.any_of, False): (_a.state_requested, _a.on_time_requested_reason),
}
"""The columns of a date, and whether the history of promises replaces it, each with two columns of facts.

They are the state of an order judged by that date, and the reason why its verdict is unknown.
"""


def without_undated(connection: Connection, answer: Answer) -> Answer:
    """Return the answer, without its value or with a remark if most orders lack its date, as a column is empty."""
    measure = find(answer.measure)
    if answer.value is None or (measure.unit is Unit.SHARE and (answer.coverage or 0) >= MIN_COVERAGE):
        return answer
    history = NEEDS_PROMISE_HISTORY in measure.needs
    empty = [name for need in measure.needs for name in _empty_dates(connection, need.any_of, history)]
    if not empty:
        return answer
    why = f"most orders have no date, because {' and '.join(empty)} is empty or not mapped"
    if measure.unit is Unit.SHARE and answer.coverage is not None:
        return replace(answer, value=None, low=None, high=None, no_data=f"{inconclusive(answer.coverage)}; {why}")
    return replace(answer, remark="; ".join(filter(None, (answer.remark, f"orders with a date only: {why}"))))


@cached_per_generation
def _empty_dates(connection: Connection, columns: tuple[Alternative, ...], history: bool) -> tuple[str, ...]:
    """Return the columns of a date without any value, if most judged orders lack the date. Else return none."""
    if (columns, history) not in JUDGED_BY:
        return ()
    state, reason = JUDGED_BY[columns, history]
    counts = select(func.count(), count_if(reason == "no_anchor")).select_from(state.table).where(state == "judged")
    orders, undated = connection.execute(counts).one()
    return tuple(str(name) for name in columns if _is_empty(connection, str(name))) if 2 * undated > orders else ()


def _is_empty(connection: Connection, name: str) -> bool:
    if name not in mapped(connection):
        return True
    feed, _, column = name.partition(".")
    table = FEEDS[feed].table
    return connection.execute(select(literal(1)).where(table.c[column].is_not(None)).limit(1)).first() is None
