"""Spark builds the same facts, rollups and answers as DuckDB, with the same statements.

The records are those of the sample and of drawn histories, in one warehouse, because a build takes Spark minutes.
"""

import shutil
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, make_url, select, update

from benchmarks.cluster import Cluster
from metrics import warehouse
from metrics.facts.orders import facts_metadata, facts_state, order_facts_table
from metrics.measures.catalog import MEASURES
from metrics.queries.answer import Question, answer
from metrics.queries.rollups import rollup_metadata
from metrics.rebuild.lake_facts import update_facts
from metrics.schema import FEEDS, orders
from metrics.sql.temporary_tables import temporary_table
from metrics.warehouse import Lake, Location, lake, reading, writing
from tests.metrics.facts.orders.worlds import drawn_worlds
from tests.metrics.queries.test_engines_agree import ALL_PAIRS, OFTEN, assert_same
from tests.support.every_case import EVERY_CASE

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.timeout(1800)]

HISTORIES = 220  # more than 200 of them have an order


def test_spark_builds_and_updates_the_same_numbers_as_duckdb(
    sample: Location, spark_cluster: Cluster, tmp_path: Path
) -> None:
    assert sample.folder is not None
    shutil.copytree(sample.folder, tmp_path / "duckdb")
    embedded = Location(folder=tmp_path / "duckdb")
    with writing(embedded) as build:
        add_histories(build.connection)
        as_of = build.connection.execute(select(facts_state.c.as_of)).scalar_one()
        update_facts(build, as_of=as_of, touched=None)
        build.publish()
    shutil.copytree(tmp_path / "duckdb", tmp_path / "spark")
    on_spark = Location(folder=tmp_path / "spark", lake=Lake(tmp_path / "lake", make_url(spark_cluster.url)))
    with writing(on_spark) as build:
        update_facts(build, as_of=as_of, touched=None)
        build.publish()
    assert_equal_facts(embedded, on_spark)
    if EVERY_CASE:
        before, month = manifest(tmp_path / "lake"), ""
        for place in (embedded, on_spark):
            month = change_an_order(place, as_of)
        assert_equal_facts(embedded, on_spark)
        assert rewritten_months(before, manifest(tmp_path / "lake")) == {f"month={month}-01"}
    assert_equal_answers(embedded, on_spark)
    for place in (embedded, on_spark):
        warehouse.close(place)


def add_histories(connection: Connection) -> None:
    """Add drawn orders with all of their records."""
    (world,) = drawn_worlds(1, HISTORIES)
    for name, feed in FEEDS.items():
        stored = {tuple(row) for row in connection.execute(select(*[feed.table.c[key] for key in feed.key]))}
        rows = [row for row in world.records.get(name, []) if tuple(row[key] for key in feed.key) not in stored]
        if rows:
            connection.execute(insert(feed.table), rows)
    assert len(world.records["orders"]) >= 200


def change_an_order(place: Location, as_of: datetime) -> str:
    """Move an order of the newest month to another channel, and publish. Return the month."""
    with writing(place) as build:
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
