"""Rows, filters and pages that all lists share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import ColumnElement, Connection, Executable, Select, and_, false, func, select

from metrics.facts.orders import order_facts_table
from metrics.facts.orders.conditions import FAILED
from metrics.measures.catalog import dimension_column
from metrics.schema import Row as Row

Where = Sequence[tuple[str, Sequence[str]]]
"""Filters as in `Question.where`: a dimension and its values."""

VERDICTS = ("on_time", "complete", "damage_free", "filled_accurately", "billed_accurately")
"""The five tests of an order, in the order they are shown."""

SHOWN = (*VERDICTS, "otif")
"""The failures that lists show. `otif` is shown only if it is known to be false and neither of its parts is."""

SEPARATOR = "\x1f"
"""Never part of an order number: ingest rejects control characters."""


@dataclass(frozen=True)
class Listing:
    """One page of a list, with the total and the sums of the whole list."""

    rows: list[Row]
    total: int
    sums: list[Row] = field(default_factory=list)


def rows_of(connection: Connection, statement: Executable) -> list[Row]:
    """Return the rows of a statement as dictionaries."""
    return [dict(row) for row in connection.execute(statement).mappings()]


def _dimension(name: str) -> ColumnElement[str]:
    return order_facts_table.c[dimension_column(name)]


# --- failed orders ----------------------------------------------------------------------------------------------------
def is_failed() -> ColumnElement[bool]:
    """Return the condition on `order_facts` for orders that the measure `failed_orders` counts."""
    return FAILED


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
