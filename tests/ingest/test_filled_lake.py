"""A lake whose canonical tables another tool fills: its rows are used as they are, or refused."""

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import insert, select

from benchmarks.compare_warehouses import differences
from ingest.errors import SourceRefused
from ingest.filled_lake import publish_filled_lake
from ingest.pipeline import run
from metrics import warehouse
from metrics.errors import SettingRefused
from metrics.facts.orders import facts_state
from metrics.rebuild.lake_facts import update_facts
from metrics.schema import FEEDS, mapped_columns
from metrics.warehouse import Lake, Location, reading, writing

NOW = datetime(2026, 7, 1, 6)
GENERATION = "gen-*.duckdb"


@pytest.fixture
def filled(sample: Location, tmp_path: Path) -> Iterator[Location]:
    """A lake with the feeds of the sample, one Parquet file each, and an empty home."""
    assert sample.folder is not None
    (stored,) = sample.folder.glob(GENERATION)
    copy = shutil.copy(stored, tmp_path / "copy.duckdb")  # another test may have opened the sample's own file
    with duckdb.connect(copy, read_only=True) as database:
        for feed in FEEDS:
            file = tmp_path / "lake" / "canonical" / feed / "part.parquet"
            file.parent.mkdir(parents=True)
            database.table(feed).write_parquet(str(file))
    place = Location(folder=tmp_path / "home", lake=Lake(tmp_path / "lake"))
    yield place
    warehouse.close(place)


@pytest.mark.parametrize(
    ("feed", "rows", "refused"),
    [
        ("orders", "SELECT * EXCLUDE (deleted) FROM old", "orders, column deleted: the column is missing"),
        ("orders", "SELECT * REPLACE (current_date AS ordered_at) FROM old", "ordered_at: the type is DATE.*TIMESTAMP"),
        ("orders", "FROM old UNION ALL FROM old", "orders, order_id .*: the key occurs twice"),
        ("order_lines", "SELECT * REPLACE (NULL::VARCHAR AS order_id) FROM old", "a required value is empty"),
        ("orders", "SELECT * REPLACE (NULL::BOOLEAN AS ordered_at_is_date) FROM old", "a required value is empty"),
        ("orders", "SELECT * REPLACE ('loan' AS order_type) FROM old", "order_id .*break the rule order_type_in_set"),
        ("orders", "SELECT * REPLACE (promised_by - INTERVAL 99 YEAR AS promised_by) FROM old", "promised_by_is_pl"),
    ],
)
def test_a_file_that_breaks_the_data_model_is_refused(filled: Location, feed: str, rows: str, refused: str) -> None:
    assert filled.lake is not None
    file = filled.lake.folder / "canonical" / feed / "part.parquet"
    duckdb.sql(rows.replace("old", f"'{file}'")).write_parquet(str(file.with_suffix(".new")))
    file.with_suffix(".new").rename(file)
    with pytest.raises(SourceRefused, match=refused):
        publish_filled_lake(filled, time_zone="UTC", now=NOW)
    assert warehouse.current(filled) is None


def test_a_lake_without_orders_is_refused(filled: Location, home: Path) -> None:
    assert filled.lake is not None
    (filled.lake.folder / "canonical" / "orders" / "part.parquet").unlink()
    with pytest.raises(SourceRefused, match="canonical/orders: there is no Parquet file"):
        publish_filled_lake(filled, time_zone="UTC")
    with pytest.raises(SettingRefused, match="BUYERVIEW_LAKE: it is not set"):
        publish_filled_lake(Location(folder=home), time_zone="UTC")


@pytest.mark.long
def test_facts_of_a_filled_lake_are_those_of_its_rows(filled: Location, sample: Location, tmp_path: Path) -> None:
    assert publish_filled_lake(filled, time_zone="UTC", now=NOW).number == 1
    with reading(filled) as connection:
        as_of = connection.execute(select(facts_state.c.as_of)).scalar_one()
        mapped = [dict(row) for row in connection.execute(select(mapped_columns)).mappings()]
    stored = Location(folder=tmp_path / "stored")
    with reading(sample) as source, writing(stored) as build:
        warehouse.create_tables(build.connection)
        for feed in FEEDS.values():
            rows = [dict(row) for row in source.execute(select(feed.table)).mappings()]
            if rows:
                build.connection.execute(insert(feed.table), rows)
        build.connection.execute(insert(mapped_columns), mapped)
        update_facts(build, as_of=as_of, touched=None)
        build.publish()
    with reading(stored) as one, reading(filled) as other:
        assert {name: counts for name, counts in differences(one, other).items() if any(counts)} == {}
    assert sample.folder is not None
    with pytest.raises(SettingRefused, match="another tool fills its lake"):
        run(sample.folder.parent / "sample" / "mapping.toml", location=filled, now=NOW)
    warehouse.close(stored)
