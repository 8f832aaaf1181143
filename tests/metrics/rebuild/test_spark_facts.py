"""Spark builds the same facts, rollups and answers as DuckDB, with the same statements.

The records are those of the sample and of drawn histories, in one warehouse, because a build takes Spark minutes.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, make_url, select, update

from benchmarks.cluster import Cluster
from metrics import warehouse
from metrics.facts.orders import facts_metadata, facts_state, order_facts_table
from metrics.measures.catalog import MEASURES
from metrics.queries.answer import Question, answer
from metrics.queries.rollups import rollup_metadata
from metrics.rebuild.lake_facts import update_facts
from metrics.schema import FEEDS, orders, run_files
from metrics.sql.temporary_tables import temporary_table
from metrics.warehouse import Lake, Location, lake, reading, writing
from tests.metrics.facts.orders.worlds import drawn_worlds
from tests.metrics.queries.test_engines_agree import ALL_PAIRS, OFTEN, assert_same
from tests.support.every_case import EVERY_CASE
from tests.support.failpoints import ROOT

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.timeout(1800)]

HISTORIES = 220  # more than 200 of them have an order
DRAWN = -1
"""File of the drawn histories in the ledger, so that the ledger adds up."""


def test_spark_builds_and_updates_the_same_numbers_as_duckdb(
    sample: Location, spark_cluster: Cluster, tmp_path: Path
) -> None:
    assert sample.folder is not None
    mapping = shutil.copytree(sample.folder.parent / "sample", tmp_path / "sample") / "mapping.toml"
    embedded = Location(folder=shutil.copytree(sample.folder, tmp_path / "duckdb"))
    with writing(embedded) as build:
        add_histories(build.connection)
        build.connection.execute(delete(facts_state))  # so that the next run builds all facts
        build.publish()
    lake_folder = tmp_path / "lake"
    on_spark = Location(
        folder=shutil.copytree(tmp_path / "duckdb", tmp_path / "spark"),
        lake=Lake(lake_folder, make_url(spark_cluster.url)),
    )
    shorten(mapping.with_name("messages.csv"))
    ingest(mapping, BUYERVIEW_HOME=embedded.folder)
    ingest(mapping, BUYERVIEW_HOME=on_spark.folder, BUYERVIEW_LAKE=lake_folder, BUYERVIEW_WAREHOUSE=spark_cluster.url)
    assert_equal_facts(embedded, on_spark)
    if EVERY_CASE:
        before, month = manifest(lake_folder), ""
        for place in (embedded, on_spark):
            month = change_an_order(place)
        assert_equal_facts(embedded, on_spark)
        assert rewritten_months(before, manifest(lake_folder)) == {f"month={month}-01"}
    assert_equal_answers(embedded, on_spark)
    for place in (embedded, on_spark):
        warehouse.close(place)


def shorten(file: Path) -> None:
    """Remove the last record of a file, so that the next run reads the file again."""
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))


def ingest(mapping: Path, **settings: object) -> None:
    """Run `buyerview ingest` with these settings."""
    environment = {**os.environ, **{name: str(value) for name, value in settings.items()}}
    subprocess.run([sys.executable, "-m", "buyerview", "ingest", mapping], cwd=ROOT, env=environment, check=True)


def add_histories(connection: Connection) -> None:
    """Add drawn orders with all of their records."""
    (world,) = drawn_worlds(1, HISTORIES)
    total = 0
    for name, feed in FEEDS.items():
        stored = {tuple(row) for row in connection.execute(select(*[feed.table.c[key] for key in feed.key]))}
        rows = [row for row in world.records.get(name, []) if tuple(row[key] for key in feed.key) not in stored]
        total += len(rows)
        if rows:
            connection.execute(insert(feed.table), [{**row, "file_id": DRAWN} for row in rows])
    counted = {
        "rows_staged": total,
        "rows_in": total,
        "rows_loaded": total,
        "rows_quarantined": 0,
        "rows_superseded": 0,
    }
    drawn = {"source": "drawn", "feed": "orders", "name": "drawn histories", "sha256": ""}
    connection.execute(insert(run_files).values(file_id=DRAWN, run_id=1, **drawn, **counted))
    assert len(world.records["orders"]) >= 200


def change_an_order(place: Location) -> str:
    """Move an order of the newest month to another channel, and publish. Return the month."""
    with writing(place) as build:
        as_of = build.connection.execute(select(facts_state.c.as_of)).scalar_one()
        newest = select(orders.c.order_id, orders.c.ordered_at).order_by(orders.c.ordered_at.desc()).limit(1)
        order, ordered_at = build.connection.execute(newest).one()
        touched = temporary_table("touched_orders", {"order_id": orders.c.order_id.type})
        touched.create(build.connection)
        build.connection.execute(insert(touched).values(order_id=order))
        build.connection.execute(update(orders).where(orders.c.order_id == order).values(channel="fair"))
        update_facts(build, as_of=as_of, touched=touched.name)
        touched.drop(build.connection)
        build.publish()
    return f"{ordered_at:%Y-%m}"


def assert_equal_facts(embedded: Location, on_spark: Location) -> None:
    """Compare every cell of facts and rollups."""
    with reading(embedded) as one, reading(on_spark) as other:
        for table in [*facts_metadata.sorted_tables, *rollup_metadata.sorted_tables]:
            ours, theirs = (sorted(map(repr, connection.execute(select(*table.c)))) for connection in (one, other))
            assert ours == theirs, table.name


def assert_equal_answers(embedded: Location, on_spark: Location) -> None:
    """Compare every measure by dimension and by grain."""
    with reading(embedded) as one, reading(on_spark) as other:
        for by, grain in ALL_PAIRS if EVERY_CASE else OFTEN:
            question = Question(tuple(MEASURES), by=by, grain=grain)
            assert_same(answer(one, question), answer(other, question))


def manifest(folder: Path) -> lake.Manifest:
    return lake.parsed((folder / (folder / "CURRENT").read_text().strip()).read_text())


def rewritten_months(before: lake.Manifest, after: lake.Manifest) -> set[str]:
    """Return the months of the order facts whose files differ."""
    name = order_facts_table.name
    return {Path(file).parent.name for file in {*before.derived[name]} ^ {*after.derived[name]}}
