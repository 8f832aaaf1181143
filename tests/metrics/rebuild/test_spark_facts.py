"""Spark builds the same facts and rollups as DuckDB, cell by cell, with the same statements."""

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Connection, Table, make_url, select

from benchmarks.cluster import Cluster
from metrics import schema
from metrics.facts.arrow_batches import batches
from metrics.facts.orders import facts_state, order_facts_table
from metrics.rebuild.spark_facts import DERIVED, build_facts
from metrics.warehouse import Location, reading
from tests.metrics.facts.orders.worlds import drawn_worlds
from tests.support.engines import memory
from tests.support.every_case import EVERY_CASE
from tests.support.sql_facts import build

pytestmark = [
    pytest.mark.long,
    pytest.mark.spark,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not EVERY_CASE, reason="takes ten minutes; EVERY_CASE=1 runs it"),
]

HISTORIES = 200
Files = dict[str, list[str]]


def test_spark_builds_the_sample_as_duckdb_does(sample: Location, spark_cluster: Cluster, tmp_path: Path) -> None:
    url = make_url(spark_cluster.url)
    with reading(sample) as connection:
        sources = exported(connection, schema.metadata.sorted_tables, tmp_path / "canonical")
        as_of = connection.execute(select(facts_state.c.as_of)).scalar_one()
        whole = build_facts(url, sources, tmp_path / "whole", as_of=as_of)
        assert differences(connection, whole) == []
        months = {day.replace(day=1) for day in connection.scalars(select(order_facts_table.c.ordered_day)) if day}
        changed = frozenset({max(months)})
        partly = build_facts(url, {**sources, **whole}, tmp_path / "partly", as_of=as_of, months=changed)
        assert differences(connection, partly) == []
    assert changed <= rewritten_months(whole, partly) < months


def test_spark_builds_random_histories_as_duckdb_does(spark_cluster: Cluster, tmp_path: Path) -> None:
    (world,) = drawn_worlds(1, HISTORIES)
    with memory().connect() as connection:
        build(connection, world.records, world.as_of, world.mapped)
        sources = exported(connection, schema.metadata.sorted_tables, tmp_path / "canonical")
        found = build_facts(make_url(spark_cluster.url), sources, tmp_path / "facts", as_of=world.as_of)
        assert differences(connection, found) == []


def exported(connection: Connection, tables: Iterable[Table], folder: Path) -> Files:
    """Write tables of DuckDB as Parquet files."""
    folder.mkdir()
    for table in tables:
        first, *others = batches(connection, table)
        pq.write_table(pa.Table.from_batches([first, *others]), folder / f"{table.name}.parquet")
    return {file.stem: [str(file)] for file in folder.iterdir()}


def differences(connection: Connection, files: Files) -> list[str]:
    """Return what differs between DuckDB's tables and Spark's files: the table, and a cell of the first other row."""
    found = []
    for table in [table for metadata in DERIVED for table in metadata.sorted_tables]:
        ours = sorted((tuple(row) for row in connection.execute(select(*table.c))), key=repr)
        theirs = sorted(rows_of(table, files[table.name]), key=repr)
        if len(ours) != len(theirs):
            found.append(f"{table.name}: {len(ours)} rows on DuckDB, {len(theirs)} on Spark")
        for one, other in zip(ours, theirs, strict=False):
            if repr(one) != repr(other):
                cells = zip(table.c.keys(), one, other, strict=True)
                found.append(f"{table.name}: {[cell for cell in cells if repr(cell[1]) != repr(cell[2])]}")
                break
    return found


def rows_of(table: Table, files: list[str]) -> list[tuple[Any, ...]]:
    names = table.c.keys()
    return [
        tuple(row[name] for name in names)
        for file in files
        for row in pq.ParquetFile(file).read(columns=names).to_pylist()
    ]


def rewritten_months(before: Files, after: Files) -> set[date]:
    """Return the months of the order facts whose files differ."""
    name = order_facts_table.name
    folders = [Path(file).parent.name for file in {*before[name]} ^ {*after[name]}]
    return {datetime.strptime(folder, "month=%Y-%m-%d").date() for folder in folders}
