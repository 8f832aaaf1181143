"""Update the facts and rollups of a build, on this machine or in a lake.

With a lake, the canonical tables are written to it, and Spark builds the facts from them. Without a cluster, DuckDB
builds them. Fact tables stay in the lake as Parquet files, and the build shows them as views. Rollups and small tables
are stored in the build.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import Connection, String, Table, select, table
from sqlalchemy import column as sql_column

from metrics import schema
from metrics.facts.orders import facts_metadata, order_facts_table, order_line_facts_table
from metrics.facts.registry import FACT_TABLES
from metrics.queries.rollups import rollup_metadata
from metrics.rebuild.rebuild import rebuild, reshaped_tables
from metrics.schema import local_days, orders
from metrics.warehouse import Build
from metrics.warehouse.failpoint import failpoint
from metrics.warehouse.lake import FACTS, RUN, Canonical, Manifest, Partition, lake, manifest_of, note_manifest
from metrics.warehouse.lake_tables import (
    UNKNOWN,
    WHOLE,
    copy_out,
    create_view,
    drop_all,
    load_rows,
    month_of_order,
    store_by_month,
)

IN_LAKE: tuple[Table, ...] = (order_line_facts_table, order_facts_table, *[one.table for one in FACT_TABLES])
"""Fact tables, which grow with the orders. A generation shows them as views."""
STORED: tuple[Table, ...] = (
    local_days,
    *[one for one in facts_metadata.sorted_tables if one not in IN_LAKE],
    *rollup_metadata.sorted_tables,
)
"""Rollups and small tables, which a generation stores."""


def update_facts(
    build: Build,
    *,
    as_of: datetime,
    touched: str | None,
    feeds: frozenset[str] | None = None,
    filled: Mapping[str, Sequence[Path]] | None = None,
) -> None:
    """Update facts and rollups to `as_of` where the warehouse keeps them. See `rebuild` for the arguments.

    filled: the Parquet files of each feed of a lake that another tool fills.
    """
    connection, place = build.connection, build.lake
    before = manifest_of(connection) if build.dialect == "duckdb" else None
    if place is None:
        if before is not None:  # a dry run, or BUYERVIEW_LAKE is gone
            drop_all(connection, (*IN_LAKE, lake))
            touched = feeds = None
        rebuild(connection, as_of=as_of, touched=touched, feeds=feeds)
        return
    folder, known = place.folder, before.canonical if before is not None else {}
    run = f"{RUN}{build.number:08d}-{uuid.uuid4().hex[:8]}"  # a killed run may have used the number before
    canonical = {
        one.name: {WHOLE: Partition([str(file.relative_to(folder)) for file in filled[one.name]], 0, "")}
        if filled is not None and one.name in filled
        else store_by_month(connection, folder, run, one, known.get(one.name, {}))
        for one in schema.metadata.sorted_tables
        if one is not local_days
    }
    failpoint("lake.canonical")
    if place.spark is None:
        built = _built_here(connection, folder / FACTS / run, as_of)
    else:
        from metrics.rebuild.spark_facts import build_facts  # the client is an optional dependency

        former = before.derived if before is not None and not reshaped_tables(connection) else {}
        months = _changed_months(connection, known, canonical, touched) if former and touched else None
        sources = Manifest(canonical, former if months is not None or feeds is not None else {})
        built = build_facts(place, run, sources, as_of=as_of, months=months, feeds=feeds)
    failpoint("lake.facts")
    drop_all(connection, IN_LAKE)
    for one in IN_LAKE:
        create_view(connection, one, built[one.name])
    for one in STORED if place.spark is not None else ():
        load_rows(connection, one, built[one.name])
    derived = {name: [str(file.relative_to(folder)) for file in files] for name, files in built.items()}
    note_manifest(connection, folder, Manifest(canonical, derived))


def _built_here(connection: Connection, target: Path, as_of: datetime) -> dict[str, list[Path]]:
    """Build all facts with DuckDB. Return the Parquet files of the fact tables."""
    drop_all(connection, IN_LAKE)
    rebuild(connection, as_of=as_of, touched=None)
    derived = {}
    for one in IN_LAKE:
        rows = select(*one.c).order_by(*[one.c[name] for name in ("order_id", "line_no") if name in one.c])
        derived[one.name] = copy_out(connection, rows, target / one.name)
    return derived


def _changed_months(
    connection: Connection, before: Canonical, after: Canonical, touched: str
) -> frozenset[date] | None:
    """Return the first days of the months whose orders or records changed; None if an order has no month."""
    stored, changed = (
        {(name, month, *part.files) for name, parts in tables.items() for month, part in parts.items()}
        for tables in (before, after)
    )
    months = {month for _, month, *_ in stored ^ changed}
    loaded = table(touched, sql_column("order_id", String))
    placed = select(month_of_order()).join(loaded, loaded.c.order_id == orders.c.order_id).distinct()
    months.update(connection.execute(placed).scalars())
    return None if UNKNOWN in months else frozenset(date.fromisoformat(f"{month}-01") for month in months - {WHOLE})
