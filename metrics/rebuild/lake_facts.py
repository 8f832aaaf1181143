"""Update the facts and rollups of a build, on this machine or in a lake.

With a lake, the canonical tables are written to it, and Spark builds the facts from them. Without a cluster, DuckDB
builds them. Fact tables stay in the lake as Parquet files, and the build shows them as views. Rollups and small tables
are stored in the build.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import URL, Connection, String, Table, select, table
from sqlalchemy import column as sql_column
from sqlalchemy.exc import DBAPIError

from metrics import schema
from metrics.errors import BuildFailed, driver_text
from metrics.facts.orders import facts_metadata, order_facts_table, order_line_facts_table
from metrics.facts.registry import FACT_TABLES
from metrics.queries.rollups import rollup_metadata
from metrics.rebuild.rebuild import rebuild, reshaped_tables
from metrics.redaction import url_text
from metrics.schema import local_days, orders
from metrics.warehouse import Build
from metrics.warehouse.failpoint import failpoint
from metrics.warehouse.generation import Lake
from metrics.warehouse.lake import FACTS, Manifest, Partition, lake, manifest_of, note_manifest, run_name, share
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
    connection = build.connection
    if build.lake is not None:
        _update_lake(build, build.lake, as_of, touched, feeds, filled or {})
        return
    if build.dialect == "duckdb" and manifest_of(connection) is not None:  # a dry run, or BUYERVIEW_LAKE is gone
        drop_all(connection, (*IN_LAKE, lake))
        touched = feeds = None
    rebuild(connection, as_of=as_of, touched=touched, feeds=feeds)


def _update_lake(
    build: Build,
    place: Lake,
    as_of: datetime,
    touched: str | None,
    feeds: frozenset[str] | None,
    filled: Mapping[str, Sequence[Path]],
) -> None:
    connection, folder, run = build.connection, place.folder, run_name(build.number)
    before = manifest_of(connection)
    known = before.canonical if before is not None else {}
    canonical = {
        one.name: store_by_month(connection, folder, run, one, known.get(one.name, {}))
        for one in schema.metadata.sorted_tables
        if one is not local_days and one.name not in filled
    }
    canonical |= {
        name: {WHOLE: Partition([str(file.relative_to(folder)) for file in files], 0, "")}
        for name, files in filled.items()
    }
    failpoint("lake.canonical")
    after = Manifest(canonical)
    if place.spark is None:
        derived = _built_here(connection, folder / FACTS / run, as_of)
    else:
        former = before if before is not None and not reshaped_tables(connection) else None
        months = _changed_months(connection, former, after, touched) if former is not None and touched else None
        partial = months is not None or feeds is not None
        sources = Manifest(canonical, former.derived if former is not None and partial else {})
        derived = _built_on_spark(place, place.spark, run, sources, as_of=as_of, months=months, feeds=feeds)
    failpoint("lake.facts")
    names = {name: [str(Path(file).relative_to(folder)) for file in files] for name, files in derived.items()}
    after = Manifest(canonical, names)
    drop_all(connection, IN_LAKE)
    for one in IN_LAKE:
        create_view(connection, one, [folder / file for file in after.derived[one.name]])
    if place.spark is not None:
        for one in STORED:
            load_rows(connection, one, [folder / file for file in after.derived[one.name]])
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


def _built_on_spark(
    place: Lake,
    url: URL,
    run: str,
    sources: Manifest,
    *,
    as_of: datetime,
    months: frozenset[date] | None,
    feeds: frozenset[str] | None,
) -> dict[str, list[str]]:
    """Build facts and rollups on the cluster. Return the Parquet files of each table."""
    from metrics.rebuild.spark_facts import build_facts  # the client is an optional dependency

    target = place.folder / FACTS / run
    target.mkdir(parents=True)
    share(target, place.folder)
    names = {name: [one for part in parts.values() for one in part.files] for name, parts in sources.canonical.items()}
    files = {name: [str(place.folder / one) for one in listed] for name, listed in {**names, **sources.derived}.items()}
    try:
        return build_facts(url, files, target, as_of=as_of, months=months, feeds=feeds)
    except DBAPIError as error:
        raise BuildFailed(
            url_text(url),
            f"Spark could not build the facts ({driver_text(error)}). Check the cluster and its logs, then start the "
            "run again",
        ) from error


def _changed_months(connection: Connection, before: Manifest, after: Manifest, touched: str) -> frozenset[date] | None:
    """Return the first days of the months whose orders or records changed; None if an order has no month."""
    months = {
        month
        for name in {*before.canonical, *after.canonical}
        for month, partition in {**before.canonical.get(name, {}), **after.canonical.get(name, {})}.items()
        if before.canonical.get(name, {}).get(month) != after.canonical.get(name, {}).get(month)
    }
    changed = table(touched, sql_column("order_id", String))
    placed = select(month_of_order()).join(changed, changed.c.order_id == orders.c.order_id).distinct()
    months.update(connection.execute(placed).scalars())
    if UNKNOWN in months:
        return None
    return frozenset(date.fromisoformat(f"{month}-01") for month in months - {WHOLE})
