"""Update the facts and rollups of a build, on this machine or in a lake.

With a lake, the canonical tables are written to it, and DuckDB builds the facts. Fact tables stay in the lake as
Parquet files, and the build shows them as views. Rollups and small tables are stored in the build.
"""

from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Table, select

from metrics import schema
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.registry import FACT_TABLES
from metrics.rebuild.rebuild import rebuild
from metrics.schema import local_days
from metrics.warehouse import Build
from metrics.warehouse.failpoint import failpoint
from metrics.warehouse.generation import Lake
from metrics.warehouse.lake import FACTS, Manifest, lake, manifest_of, note_manifest, run_name
from metrics.warehouse.lake_tables import (
    copy_out,
    create_view,
    drop_all,
    store_by_month,
)

IN_LAKE: tuple[Table, ...] = (order_line_facts_table, order_facts_table, *[one.table for one in FACT_TABLES])
"""Fact tables, which grow with the orders. A generation shows them as views."""


def update_facts(build: Build, *, as_of: datetime, touched: str | None, feeds: frozenset[str] | None = None) -> None:
    """Update facts and rollups to `as_of` where the warehouse keeps them. See `rebuild` for the arguments."""
    connection = build.connection
    if build.lake is not None:
        _update_lake(build, build.lake, as_of)
        return
    if build.dialect == "duckdb" and manifest_of(connection) is not None:  # a dry run, or BUYERVIEW_LAKE is gone
        drop_all(connection, (*IN_LAKE, lake))
        touched = feeds = None
    rebuild(connection, as_of=as_of, touched=touched, feeds=feeds)


def _update_lake(build: Build, place: Lake, as_of: datetime) -> None:
    connection, folder, run = build.connection, place.folder, run_name(build.number)
    before = manifest_of(connection)
    known = before.canonical if before is not None else {}
    canonical = {
        one.name: store_by_month(connection, folder, run, one, known.get(one.name, {}))
        for one in schema.metadata.sorted_tables
        if one is not local_days
    }
    failpoint("lake.canonical")
    derived = _built_here(connection, folder / FACTS / run, as_of)
    failpoint("lake.facts")
    names = {name: [str(Path(file).relative_to(folder)) for file in files] for name, files in derived.items()}
    after = Manifest(canonical, names)
    drop_all(connection, IN_LAKE)
    for one in IN_LAKE:
        create_view(connection, one, [folder / file for file in after.derived[one.name]])
    note_manifest(connection, folder, after)


def _built_here(connection: Connection, target: Path, as_of: datetime) -> dict[str, list[str]]:
    """Build all facts with DuckDB. Return the Parquet files of the fact tables."""
    drop_all(connection, IN_LAKE)
    rebuild(connection, as_of=as_of, touched=None)
    derived = {}
    for one in IN_LAKE:
        rows = select(*one.c).order_by(*[one.c[name] for name in ("order_id", "line_no") if name in one.c])
        derived[one.name] = [str(file) for file in copy_out(connection, rows, target / one.name)]
    return derived
