"""What a ledger is: a fact table beside orders and lines, and the SELECTs that fill it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, FromClause, SelectBase, String, Table, func, literal, select

from metrics.facts.orders import DIMENSION_COLUMNS, NONE, facts_metadata, order_facts_table
from metrics.schema import run_files
from metrics.sql.dialects import Expression, Rows

ENDS_WITHIN = timedelta(days=2)
"""A bare date ends within so long after its midnight in UTC, wherever the order is."""


@dataclass(frozen=True)
class BuildContext:
    """What the facts a ledger stands on were judged with."""

    as_of: datetime
    mapped: frozenset[str]
    only: FromClause | None = None
    """A table of the key that the ledger's rows are made again by, to keep to (an incremental rebuild); None:
    everything.
    """


@dataclass(frozen=True)
class Changes:
    """What a run has changed: temporary tables of the orders judged again (order_id) and of their customers as they
    were and are (customer_id).
    """

    orders: FromClause
    customers: FromClause
    since: datetime
    """The `as_of` before."""


@dataclass(frozen=True)
class FactTable:
    """A fact table and the SELECTs (with the table's columns, in its order) that fill it from feeds and judged facts.

    key: the column that names what a row belongs to, whose rows are made again together; None: every run makes the
    whole ledger anew. An order's rows change only when it is judged again (a column `next_change_at` has it judged
    again at that instant); of any other key, `again` is the SELECT of those whose rows may be others now.
    """

    table: Table
    select_rows: Callable[[Connection, BuildContext], Iterable[Rows]]
    key: str | None = None
    stale_keys: Callable[[Changes, BuildContext], SelectBase] | None = None


def only_stale(tables: FromClause, key: Expression, context: BuildContext) -> FromClause:
    """The FROM clause with only the rows wanted of a ledger; `key`: what it is made again by."""
    if context.only is None:
        return tables
    (wanted,) = context.only.c
    return tables.join(context.only, wanted == key)


def is_new(feed: Table) -> Expression:
    """Whether a record of the feed came with the latest run."""
    latest = select(func.max(run_files.c.run_id)).scalar_subquery()
    return feed.c.file_id.in_(select(run_files.c.file_id).where(run_files.c.run_id == latest))


def fact_table(name: str, grain: str, comment: str, *columns: Column[Any]) -> Table:  # Any: columns of several types
    """A ledger's table: its own columns, then the dimensions that every fact table has."""
    own = {column.name for column in columns}
    shared = [Column(dimension, String) for dimension in DIMENSION_COLUMNS if dimension not in own]
    return Table(name, facts_metadata, *columns, *shared, comment=comment, info={"grain": grain})


def order_dimensions(facts: FromClause = order_facts_table, *, but: Sequence[str] = ()) -> list[Expression]:
    """The dimension columns of order (or line) facts joined to a ledger's rows; `(none)` where no order was joined."""
    return [
        func.coalesce(facts.c[name], literal(NONE, String)).label(name) for name in DIMENSION_COLUMNS if name not in but
    ]
