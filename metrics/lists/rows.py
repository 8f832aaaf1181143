"""Rows, filters and pages that all lists share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, Executable, FromClause, Select, and_, false, func, or_, select

from metrics.facts.orders import order_facts_table
from metrics.facts.orders.conditions import FAILED
from metrics.facts.orders.conditions import SHOWN as SHOWN
from metrics.facts.orders.conditions import VERDICTS as VERDICTS
from metrics.facts.recoveries import recovery_facts_table
from metrics.measures.catalog import dimension_column
from metrics.schema import Row as Row
from metrics.sql.dialects import Expression, count_if
from metrics.sql.exchange_rates import converted

Where = Sequence[tuple[str, Sequence[str]]]
"""Filters as in `Question.where`: a dimension and its values."""

SEPARATOR = "\x1f"
"""Never part of an order number: ingest rejects control characters."""


@dataclass(frozen=True)
class Listing:
    """One page of a list, with the total and the sums of the whole list.

    Sums by currency have their amounts in the reporting currency too (`value`, `short_value`), and the number of orders
    whose amount has no exchange rate (`without_rate`).
    """

    rows: list[Row]
    total: int
    sums: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """Place of an order in a list: its position from 1, and the orders before and after it (None: at an end)."""

    position: int
    previous: str | None
    following: str | None


def rows_of(connection: Connection, statement: Executable) -> list[Row]:
    """Return the rows of a statement as dictionaries."""
    return [dict(row) for row in connection.execute(statement).mappings()]


def in_reporting_currency(amount: Expression, rate: Expression) -> list[Expression]:
    """Return the columns `value` and `without_rate` of the sums of a list."""
    return [
        func.sum(converted(amount, rate)).label("value"),
        count_if(and_(amount.is_not(None), rate.is_(None))).label("without_rate"),
    ]


def _dimension(name: str) -> ColumnElement[str]:
    return order_facts_table.c[dimension_column(name)]


def place_of(
    connection: Connection,
    order_id: str,
    *,
    column: ColumnElement[str],
    tables: FromClause,
    view: Sequence[ColumnElement[bool]],
    order_by: Sequence[Expression],
) -> Place | None:
    """Return the place of an order in the list of `tables` under the conditions `view`; None if it is not in it.

    column: the column of order numbers. It breaks ties of `order_by`.
    """
    order = [*order_by, column]
    numbered = (
        select(
            column.label("order_id"),
            func.row_number().over(order_by=order).label("position"),
            func.lag(column).over(order_by=order).label("previous"),
            func.lead(column).over(order_by=order).label("following"),
        )
        .select_from(tables)
        .where(*view)
        .subquery("numbered")
    )
    found = connection.execute(select(numbered).where(numbered.c.order_id == order_id)).mappings().first()
    return None if found is None else Place(int(found["position"]), found["previous"], found["following"])


def or_order(
    order_id: str, column: ColumnElement[str], conditions: Sequence[ColumnElement[bool]]
) -> list[ColumnElement[bool]]:
    """Return the condition that the row is this order or meets the conditions.

    A list then keeps an order whose owner or status has changed.
    """
    return [or_(column == order_id, and_(*conditions))] if conditions else []


# --- failed orders ----------------------------------------------------------------------------------------------------
def is_failed() -> ColumnElement[bool]:
    """Return the condition on `order_facts` for orders that the measure `failed_orders` counts."""
    return FAILED


FAILED_ORDERS = order_facts_table.outerjoin(
    recovery_facts_table, recovery_facts_table.c.order_id == order_facts_table.c.order_id
)
"""Orders with their recovery, if a feed shows one."""


def resolution_starts_at() -> ColumnElement[datetime]:
    """Return the moment in FAILED_ORDERS from which the days to resolve an order count; null: not known.

    It is the detection, else the failure. Without a feed about recoveries it is the missed deadline.
    """
    recovery, facts = recovery_facts_table.c, order_facts_table.c
    return func.coalesce(recovery.detected_at, recovery.failed_at, facts.missed_deadline_at, facts.deadline_at)


def is_shown(name: str) -> ColumnElement[bool]:
    """Return the condition on `order_facts` for one of SHOWN to have failed. Every failed order meets one of them."""
    facts = order_facts_table.c
    if name != "otif":
        return facts[name].is_(False)
    return and_(facts.otif.is_(False), facts.on_time.is_not(False), facts.complete.is_not(False))


def in_period(start: date | None, end: date | None, where: Where) -> list[ColumnElement[bool]]:
    """Return the conditions for orders due in a period, with the filters.

    Source: R6 (period of a number).
    """
    due = order_facts_table.c.due_day
    view: list[ColumnElement[bool]] = []
    if start is not None:
        view.append(due >= start)
    if end is not None:
        view.append(due <= end)
    view.extend(_dimension(name).in_(list(values)) for name, values in where if values)
    return view


def with_names(
    order_id: ColumnElement[str], among: Sequence[str] | None, but: Sequence[str]
) -> list[ColumnElement[bool]]:
    """Return the conditions that keep these orders (None: all) and exclude others.

    The numbers are passed as one text that SQL splits into a table. There may be more of them than an engine takes as
    parameters, and DuckDB compares each row with each item of a list.
    """
    conditions: list[ColumnElement[bool]] = []
    if among is not None:
        conditions.append(order_id.in_(_listed(among)) if among else false())
    if but:
        conditions.append(order_id.not_in(_listed(but)))
    return conditions


def _listed(order_ids: Sequence[str]) -> Select[tuple[str]]:
    return select(func.unnest(func.string_to_array(SEPARATOR.join(order_ids), SEPARATOR)))
