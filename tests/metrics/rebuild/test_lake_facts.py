"""Facts in a lake: the same numbers as in a DuckDB file, written by month, published completely or not at all."""

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from sqlalchemy import func, make_url, select, update
from sqlalchemy.exc import DBAPIError

from benchmarks.compare_warehouses import differences
from metrics import warehouse
from metrics.errors import SettingRefused, WarehouseUnreachable
from metrics.facts.orders import facts_state, order_facts_table
from metrics.rebuild import lake_facts
from metrics.rebuild.lake_facts import IN_LAKE, update_facts
from metrics.schema import local_days, metadata, orders
from metrics.sql.temporary_tables import temporary_table
from metrics.warehouse import Lake, Location, lake, locate, reading, writing
from tests.support import failpoints

REFUSED = "disabled by configuration|is not an table"
STEPS = [step for step in failpoints.names(["metrics"]) if step.startswith("lake.")]
COMMITTED = {"lake.current", "lake.collect"}
"""Steps after the publish of the generation."""


class Killed(BaseException):
    """The end of the process in the middle of a run."""


def facts_as_of(place: Location) -> datetime:
    with reading(place) as connection:
        return connection.execute(select(facts_state.c.as_of)).scalar_one()


def publish_facts(place: Location, touched: list[str] | None = None) -> None:
    """Publish a generation whose facts are built for these orders, or for all."""
    as_of = facts_as_of(place)
    with writing(place) as build:
        name = None
        if touched is not None:
            table = temporary_table("touched_orders", {"order_id": orders.c.order_id.type})
            table.create(build.connection)
            build.connection.execute(table.insert(), [{"order_id": one} for one in touched])
            build.connection.execute(update(orders).where(orders.c.order_id.in_(touched)).values(channel="fair"))
            name = table.name
        update_facts(build, as_of=as_of, touched=name)
        if touched is not None:
            table.drop(build.connection)
        build.publish()


@pytest.fixture(scope="module")
def in_lake(sample: Location, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Location]:
    """The sample with its facts in a lake."""
    folder = tmp_path_factory.mktemp("lake")
    assert sample.folder is not None
    shutil.copytree(sample.folder, folder / "home")
    place = Location(folder=folder / "home", lake=Lake(folder / "lake"))
    publish_facts(place)
    yield place
    warehouse.close(place)


@pytest.fixture
def own(in_lake: Location, tmp_path: Path) -> Iterator[Location]:
    """A copy of the lake. Its generations still read the files of the original."""
    assert in_lake.folder is not None
    assert in_lake.lake is not None
    shutil.copytree(in_lake.folder, tmp_path / "home")
    shutil.copytree(in_lake.lake.folder, tmp_path / "lake")
    (tmp_path / "lake" / "WAREHOUSE").write_text(str(tmp_path / "home"))
    place = Location(folder=tmp_path / "home", lake=Lake(tmp_path / "lake"))
    yield place
    warehouse.close(place)


def manifest(place: Location) -> lake.Manifest:
    """The manifest that the lake's CURRENT names."""
    assert place.lake is not None
    folder = place.lake.folder
    return lake.parsed((folder / (folder / "CURRENT").read_text().strip()).read_text())


def test_facts_of_a_lake_equal_stored_facts_and_lie_by_month(sample: Location, in_lake: Location) -> None:
    assert in_lake.lake is not None
    folder = in_lake.lake.folder
    with reading(sample) as stored, reading(in_lake) as viewed:
        found = differences(stored, viewed)
        months = set(viewed.execute(select(orders.c.ordered_at)).scalars())
    assert len(found) > 40
    assert {name: counts for name, counts in found.items() if any(counts)} == {}
    published = manifest(in_lake)
    assert set(published.canonical) == set(metadata.tables) - {local_days.name}
    assert set(published.derived) == {table.name for table in IN_LAKE}
    assert set(published.canonical["order_lines"]) == {f"{month:%Y-%m}" for month in months}
    assert set(published.canonical["shipments"]) == {"all"}
    files = list(published.files())
    assert all((folder / name).stat().st_size for name in files)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.parquet")) == sorted(files)
    counted = duckdb.sql(f"SELECT count(*) FROM read_parquet('{folder}/canonical/orders/*/*/*.parquet')").fetchall()
    assert counted == [(sum(one.rows for one in published.canonical["orders"].values()),)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_parquet('{lake}/../secret.parquet')",
        "COPY (SELECT 1) TO '{lake}/written'",
        "SELECT 1; COPY (SELECT 1) TO '{lake}/written'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/written'",
        "PREPARE copy AS COPY (SELECT 1) TO '{lake}/written'",
        "EXPORT DATABASE '{lake}/written'",
        "ATTACH '{lake}/written'",
        "INSERT INTO order_facts (order_id) VALUES ('forged')",
        "SET lock_configuration = false",
    ],
)
def test_a_reader_cannot_write_into_the_lake_or_read_outside_of_it(in_lake: Location, statement: str) -> None:
    assert in_lake.lake is not None
    folder = in_lake.lake.folder
    duckdb.sql("SELECT 1 AS secret").write_parquet(f"{folder}/../secret.parquet")
    text = statement.format(lake=folder)
    for open_reader in (warehouse.reading, warehouse.preview):
        with open_reader(in_lake) as connection, pytest.raises(DBAPIError, match=REFUSED):
            connection.exec_driver_sql(text)
    assert not (folder / "written").exists()


@pytest.mark.long
def test_a_run_writes_only_the_months_whose_rows_changed(own: Location) -> None:
    before = manifest(own)
    with reading(own) as connection:
        order, month = connection.execute(select(orders.c.order_id, orders.c.ordered_at).limit(1)).one()
    publish_facts(own, [order])
    after = manifest(own)
    changed = {
        (name, part)
        for name, months in after.canonical.items()
        for part, partition in months.items()
        if partition != before.canonical[name].get(part)
    }
    assert changed == {("orders", f"{month:%Y-%m}")}
    without = Location(folder=own.folder)
    publish_facts(without)
    with reading(without) as connection:
        assert lake.manifest_of(connection) is None
        assert connection.execute(select(func.count()).select_from(order_facts_table)).scalar_one() > 0


@pytest.mark.long
def test_spark_starts_from_the_facts_of_the_last_run_unless_their_columns_have_changed(
    own: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert own.lake is not None
    folder, before, given = own.lake.folder, manifest(own), []
    built = {name: [folder / file for file in files] for name, files in before.derived.items()}

    def build(_: Lake, __: str, sources: lake.Manifest, **more: object) -> dict[str, list[Path]]:
        given.append((bool(sources.derived), bool(more["months"])))
        return built

    monkeypatch.setitem(sys.modules, "metrics.rebuild.spark_facts", SimpleNamespace(build_facts=build))
    monkeypatch.setattr(lake_facts, "STORED", ())  # Spark's rollups
    monkeypatch.setattr(lake, "_refuse_silent_server", lambda _: None)
    on_spark = Location(folder=own.folder, lake=Lake(folder, make_url("spark://localhost:1")))
    with reading(own) as connection:
        order = connection.execute(select(orders.c.order_id).limit(1)).scalar_one()
    publish_facts(on_spark, [order])
    publish_facts(on_spark)
    with writing(on_spark) as build_of_later_version:
        build_of_later_version.connection.exec_driver_sql("ALTER TABLE facts_state ADD COLUMN more INTEGER")
        build_of_later_version.publish()
    publish_facts(on_spark, [order])
    assert given == [(True, True), (False, False), (False, False)]
    warehouse.close(on_spark)


@pytest.mark.long
@pytest.mark.parametrize("step", STEPS)
def test_a_run_killed_at_any_step_leaves_a_complete_lake(
    own: Location, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(name: str) -> None:
        if name == step:
            raise Killed

    before, generation = manifest(own), warehouse.current(own)
    assert generation is not None
    assert own.lake is not None
    folder = own.lake.folder
    built = {name: [folder / file for file in files] for name, files in before.derived.items()}
    monkeypatch.setattr(lake_facts, "_built_here", lambda *_: built)  # the facts do not change
    with monkeypatch.context() as patched:
        for module in (lake, lake_facts):
            patched.setattr(module, "failpoint", kill)
        with pytest.raises(Killed):
            publish_facts(own)
    found = warehouse.current(own)
    assert found is not None
    assert found.number == generation.number + (step in COMMITTED)
    assert all((folder / name).exists() for name in manifest(own).files())
    publish_facts(own)
    assert manifest(own) == before


def test_files_of_deleted_generations_stay_for_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Lake(tmp_path / "lake")
    lake.prepare(place, tmp_path / "home")
    for number in (1, 2):
        file = place.folder / "canonical" / "orders" / f"run-{number:08d}-0" / "month=2026-05" / "data.parquet"
        file.parent.mkdir(parents=True)
        file.touch()
        part = lake.Partition([str(file.relative_to(place.folder))], 1, "1")
        lake.write_manifest(place.folder, number, lake.Manifest({"orders": {"2026-05": part}}))
    other = place.folder / "canonical" / "orders" / "delivered.parquet"
    other.touch()
    left = [[2, 1], [2, 1], [2]]
    for numbers, later in zip(left, (0, 0, 3700), strict=True):
        monkeypatch.setattr(lake, "SECONDS_KEPT", lake.SECONDS_KEPT - later)
        lake.collect(place.folder, [2])
        found = [int(path.parts[-3][4:12]) for path in place.folder.rglob("data.parquet")]
        assert sorted(found, reverse=True) == numbers
    assert other.exists()


def test_settings_that_cannot_work_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUYERVIEW_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BUYERVIEW_LAKE", raising=False)
    monkeypatch.setenv("BUYERVIEW_WAREHOUSE", "spark://127.0.0.1:1")
    for found, refused in ((None, r'pip install "buyerview\[spark\]"'), (object(), "BUYERVIEW_LAKE: Spark needs it")):
        monkeypatch.setattr(importlib.util, "find_spec", lambda _, found=found: found)
        with pytest.raises(SettingRefused, match=refused):
            locate()
    monkeypatch.setenv("BUYERVIEW_LAKE", str(tmp_path / "lake"))
    with pytest.raises(WarehouseUnreachable, match=r"spark://127.0.0.1:1.*does not respond"), writing(locate()):
        pass
    monkeypatch.setenv("BUYERVIEW_WAREHOUSE", "postgresql://host/database")
    with pytest.raises(SettingRefused, match="PostgreSQL has no lake"):
        locate()
    monkeypatch.delenv("BUYERVIEW_WAREHOUSE")
    monkeypatch.setenv("BUYERVIEW_HOME", str(tmp_path / "other"))
    with pytest.raises(SettingRefused, match=f"belongs to the warehouse {tmp_path}/home"), writing(locate()):
        pass
