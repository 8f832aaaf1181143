"""Rows, filters and pages: what all lists share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, Select, and_, false, func, select

from metrics.facts.orders import order_facts_table
from metrics.facts.orders.conditions import FAILED
from metrics.measures.catalog import dimension_column

Row = dict[str, Any]
"""One row of a list, by column name."""

Where = Sequence[tuple[str, Sequence[str]]]
"""Filters as in `query.Question.where`: dimension and the values wanted."""

VERDICTS = ("on_time", "complete", "damage_free", "filled_accurately", "billed_accurately")
"""The five tests of an order, in the order they are told."""

SEPARATOR = "\x1f"
"""Stands in no order's number: control characters are refused at ingest."""


@dataclass(frozen=True)
class Listing:
    """One page of a list and what the whole list adds up to."""

    rows: list[Row]
    total: int
    sums: list[Row] = field(default_factory=list)


def rows_of(connection: Connection, statement: Executable) -> list[Row]:
    """What a statement finds, as plain dictionaries."""
    return [dict(row) for row in connection.execute(statement).mappings()]


def _dimension(name: str) -> ColumnElement[str]:
    return order_facts_table.c[dimension_column(name)]


# ---------------------------------------------------------------------------------------------------------- failed orders
def is_failed() -> ColumnElement[bool]:
    """Claim about a row of `order_facts`: the order is one of those that the measure `failed_orders` counts."""
    return and_(order_facts_table.c.state == "judged", FAILED)


def in_period(start: date | None, end: date | None, where: Where) -> list[ColumnElement[bool]]:
    """Conditions for the orders due in a period, as chosen in the filters (rules R6: service stands in the period it
    was due).
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
    """Conditions that keep to some orders (None: to none in particular) and leave others out.

    The numbers go as one text and come out as a table: there may be more of them than an engine takes parameters, and
    DuckDB compares each row with each of a list.
    """
    conditions: list[ColumnElement[bool]] = []
    if among is not None:
        conditions.append(order_id.in_(_listed(among)) if among else false())
    if but:
        conditions.append(order_id.not_in(_listed(but)))
    return conditions


def _listed(order_ids: Sequence[str]) -> Select[tuple[str]]:
    return select(func.unnest(func.string_to_array(SEPARATOR.join(order_ids), SEPARATOR)))
