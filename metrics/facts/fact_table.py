"""Definition of a fact table, and the helpers that all fact tables share. It contains no table itself.

A fact table stores derived data: one file of this folder declares its columns and the SELECTs that fill it.
The tables of judged orders and order lines come first (`metrics.facts.orders`). All other fact tables read those two,
the feeds, and fact tables that come earlier in `registry.py`. Measures and lists read fact tables only.

How to add a fact table:

1. Create a file named after the feature. Declare the table with `fact_table(name, grain, comment, *columns)`.
2. Write `select_rows(connection, context)`. It returns SELECTs whose columns have the table's names and order. It
   returns nothing if the sources do not map the columns that it needs (`context.mapped`).
3. Export `FACT_TABLES = (FactTable(table, select_rows),)` and add the module to `registry.py`, after the modules
   that it reads.

This is enough: every run then rebuilds the whole table. Large tables also state which rows a run must rebuild:

4. Set `key` to a column, for example "order_id". A run deletes and refills all rows with a stale key. `select_rows`
   must honour `context.only`, usually through `only_stale`.
5. With the key "order_id", the stale orders are those that the run judges again. If the rows depend on time alone,
   add a column `next_change_at`: the run then also judges an order again once that instant has passed.
6. With another key, or if rows become stale for other reasons, write `stale_keys(changes, context)`. It selects the
   keys of the stale rows.

A partial rebuild must give the same rows as a full rebuild. `tests/metrics/rebuild/test_rebuild_fact_tables.py`
compares the two.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, FromClause, SelectBase, String, Table, func, literal, select

from metrics.facts.orders import DIMENSION_COLUMNS, NONE, facts_metadata, order_facts_table
from metrics.facts.orders.column_comments import COMMENTS
from metrics.schema import AnyColumn, run_files
from metrics.sql.dialects import Expression, Rows

ENDS_WITHIN = timedelta(days=2)
"""A bare date ends at most this long after its midnight in UTC, in every time zone."""


@dataclass(frozen=True)
class BuildContext:
    """The inputs of one build of a fact table."""

    as_of: datetime
    """The instant up to which records count (naive UTC)."""
    mapped: frozenset[str]
    """Every "feed.column" that some source maps."""
    only: FromClause | None = None
    """A table with one column, the stale keys. The build is limited to them. None: build all rows."""


@dataclass(frozen=True)
class Changes:
    """The orders and customers that a run has changed."""

    orders: FromClause
    """Temporary table with the order_id of every order judged again."""
    customers: FromClause
    """Temporary table with the customer_id of those orders, before and after the run."""
    since: datetime
    """The `as_of` of the previous run."""


@dataclass(frozen=True)
class FactTable:
    """A table, the SELECTs that fill it, and the rows that a run must rebuild."""

    table: Table
    select_rows: Callable[[Connection, BuildContext], Iterable[Rows]]
    """Returns SELECTs with the columns of the table, in the same order."""
    key: str | None = None
    """The column by which a run deletes and refills stale rows. None: every run rebuilds the whole table."""
    stale_keys: Callable[[Changes, BuildContext], SelectBase] | None = None
    """Returns a SELECT of the stale keys. None: the keys are the orders that were judged again."""


def fact_table(name: str, grain: str, comment: str, *columns: AnyColumn) -> Table:
    """Declare a fact table: its own columns, then the dimensions that every fact table has.

    A column without a comment has the shared meaning of its name (`column_comments.py`).
    grain: the word for one row, for example "order". comment: one sentence that says what one row is.
    """
    own = {column.name for column in columns}
    shared = [Column(dimension, String) for dimension in DIMENSION_COLUMNS if dimension not in own]
    for column in (*columns, *shared):
        column.comment = column.comment or COMMENTS.get(column.name)
    return Table(name, facts_metadata, *columns, *shared, comment=comment, info={"grain": grain})


def order_dimensions(facts: FromClause = order_facts_table, *, but: Sequence[str] = ()) -> list[Expression]:
    """Return the dimension columns of joined order (or line) facts; `(none)` if no order was joined.

    but: dimensions to leave out.
    """
    return [
        func.coalesce(facts.c[name], literal(NONE, String)).label(name) for name in DIMENSION_COLUMNS if name not in but
    ]


def only_stale(tables: FromClause, key: Expression, context: BuildContext) -> FromClause:
    """Limit a FROM clause to the stale keys of a partial rebuild. A full rebuild returns it unchanged.

    key: the column of `tables` that corresponds to `FactTable.key`.
    """
    if context.only is None:
        return tables
    (stale_key,) = context.only.c
    return tables.join(context.only, stale_key == key)


def is_new(feed: Table) -> Expression:
    """Return the condition that a record of the feed was loaded by the latest run."""
    latest = select(func.max(run_files.c.run_id)).scalar_subquery()
    return feed.c.file_id.in_(select(run_files.c.file_id).where(run_files.c.run_id == latest))
