"""What a ledger is: a fact table beside orders and lines, and the SELECTs that fill it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, FromClause, Select, String, Table, func, literal

from metrics.facts import DIMENSION_COLUMNS, NONE, facts_metadata, order_facts_table
from metrics.sqltools import Expression


@dataclass(frozen=True)
class Setting:
    """What the facts a ledger stands on were judged with."""

    as_of: datetime
    mapped: frozenset[str]
    only: FromClause | None = None
    """A table of order_id to keep to (an incremental rebuild of a ledger that goes by order); None: everything."""


@dataclass(frozen=True)
class Ledger:
    """A fact table and the SELECTs (with the table's columns, in its order) that fill it from feeds and judged facts.

    by_order: each row belongs to one order (column order_id) and changes only when that order is judged again, so that a run rebuilds the rows
    of those orders alone; else the whole ledger is rebuilt by every run. A column `next_change_at` has its order judged again at that instant.
    """

    table: Table
    rows: Callable[[Connection, Setting], Iterable[Select[Any]]]
    by_order: bool = False


def ledger_table(name: str, grain: str, comment: str, *columns: Column[Any]) -> Table:
    """A ledger's table: its own columns, then the dimensions that every fact table has."""
    own = {column.name for column in columns}
    shared = [Column(dimension, String) for dimension in DIMENSION_COLUMNS if dimension not in own]
    return Table(name, facts_metadata, *columns, *shared, comment=comment, info={"grain": grain})


def order_dimensions(facts: FromClause = order_facts_table, *, but: Sequence[str] = ()) -> list[Expression]:
    """The dimension columns of order (or line) facts joined to a ledger's rows; `(none)` where no order was joined."""
    return [func.coalesce(facts.c[name], literal(NONE, String)).label(name) for name in DIMENSION_COLUMNS if name not in but]
