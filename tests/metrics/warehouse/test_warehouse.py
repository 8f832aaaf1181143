"""The warehouse through its public functions, on a folder of DuckDB files and on PostgreSQL."""

import contextlib
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import DBAPIError

from metrics import warehouse
from metrics.errors import (
    BuildFailed,
    GenerationGone,
    NothingPublished,
    SettingRefused,
    WarehouseBusy,
    WarehouseUnreachable,
)
from metrics.schema import metadata, targets
from metrics.warehouse import Location, create_tables, current, locate, reading, writing
from metrics.warehouse.query_cache import cached_per_generation

pytestmark = pytest.mark.both_engines


def target(measure: str, **columns: Any) -> dict[str, Any]:
    defaults = {"scope": "all", "valid_from": date(2026, 1, 1), "target_value": Decimal("0.95"), "tolerance": None}
    provenance = {"source": "test", "file_id": 1, "row_no": 1, "source_updated_at": None, "deleted": False}
    return {"measure": measure, **defaults, **provenance, **columns}


def publish(location: Location, *measures: str) -> int:
    """Publish a generation with these targets added, and return its number."""
    with writing(location) as build:
        create_tables(build.connection)
        if measures:
            build.connection.execute(insert(targets), [target(measure) for measure in measures])
        return build.publish().number


def measures(connection: Connection) -> list[str]:
    return list(connection.scalars(select(targets.c.measure).order_by(targets.c.measure.nulls_last())))


def read(location: Location) -> list[str]:
    with reading(location) as connection:
        return measures(connection)


def test_a_new_warehouse_has_nothing_published(any_location: Location) -> None:
    assert current(any_location) is None
    with pytest.raises(NothingPublished, match="buyerview ingest"), reading(any_location):
        pass


def test_published_data_can_be_read(any_location: Location) -> None:
    before = datetime.now(UTC)
    number = publish(any_location, "otif")
    generation = current(any_location)
    assert generation is not None
    assert (generation.number, generation.previous, generation.fallback) == (number, None, None)
    assert before <= generation.published_at <= datetime.now(UTC)
    with reading(any_location) as connection:
        assert connection.info["generation"] == number
        assert connection.info["fallback"] is None
        assert measures(connection) == ["otif"]


def test_create_tables_can_run_twice_and_creates_every_table(any_location: Location) -> None:
    with writing(any_location) as build:
        create_tables(build.connection)
        create_tables(build.connection)
        build.publish()
    with reading(any_location) as connection:
        assert [connection.scalar(select(func.count()).select_from(table)) for table in metadata.sorted_tables] == [
            0
        ] * len(metadata.tables)


def test_the_next_generation_starts_from_the_last(any_location: Location) -> None:
    first = publish(any_location, "otif")
    second = publish(any_location, "on_time")
    generation = current(any_location)
    assert generation is not None
    assert (generation.number, generation.previous) == (second, first)
    assert second > first
    assert read(any_location) == ["on_time", "otif"]


def test_build_that_is_not_published_changes_nothing(any_location: Location) -> None:
    publish(any_location, "otif")
    before = current(any_location)
    with writing(any_location) as build:
        build.connection.execute(insert(targets), [target("on_time")])
        build.save()
    assert current(any_location) == before
    assert read(any_location) == ["otif"]


def test_a_build_that_fails_changes_nothing_and_the_next_one_works(any_location: Location) -> None:
    publish(any_location, "otif")
    with contextlib.suppress(ZeroDivisionError), writing(any_location) as build:
        build.connection.execute(insert(targets), [target("on_time")])
        raise ZeroDivisionError
    publish(any_location, "complete")
    assert read(any_location) == ["complete", "otif"]


def test_saved_changes_are_not_visible_before_the_publish(any_location: Location) -> None:
    publish(any_location, "otif")
    with writing(any_location) as build:
        build.connection.execute(insert(targets), [target("on_time")])
        build.save()
        assert read(any_location) == ["otif"]
        assert measures(build.connection) == ["on_time", "otif"]
        build.publish()
        assert read(any_location) == ["on_time", "otif"]


def test_reading_block_keeps_its_generation_while_the_next_is_published(any_location: Location) -> None:
    first = publish(any_location, "otif")
    with reading(any_location) as connection:
        publish(any_location, "on_time")
        assert measures(connection) == ["otif"]
        assert connection.info["generation"] == first
    assert read(any_location) == ["on_time", "otif"]


def test_second_concurrent_writer_is_refused_as_busy(any_location: Location) -> None:
    with writing(any_location), pytest.raises(WarehouseBusy) as caught, writing(any_location):
        pass
    assert caught.value.exit_code == 75
    publish(any_location, "otif")


def test_readers_cannot_write(any_location: Location) -> None:
    publish(any_location, "otif")
    with reading(any_location) as connection, pytest.raises(Exception, match=r"read-only"):
        connection.execute(insert(targets), [target("on_time")])
    assert read(any_location) == ["otif"]


def test_results_are_cached_while_reading_and_not_while_previewing(
    any_location: Location,
) -> None:
    publish(any_location, "otif")
    worked: list[tuple[int, str]] = []

    @cached_per_generation
    def work(_: Connection, number: int, *, word: str = "") -> str:
        worked.append((number, word))
        return f"{number}{word}"

    for opened, expected in (
        (warehouse.reading, [(1, "a"), (1, "b"), (2, "")]),
        (warehouse.preview, [(1, "a"), (1, "a"), (1, "b"), (2, "")]),
        (warehouse.reading, [(1, "a"), (1, "b"), (2, "")]),
    ):
        worked.clear()
        with opened(any_location) as connection:
            notes = [
                work(connection, 1, word="a"),
                work(connection, 1, word="a"),
                work(connection, 1, word="b"),
                work(connection, 2),
            ]
        assert notes == ["1a", "1a", "1b", "2"]
        assert worked == expected


def test_error_for_a_missing_generation_lists_the_available_generations(any_location: Location) -> None:
    number = publish(any_location, "otif")
    expected = rf"generation {number + 7} cannot be read. Available: {number}\."
    with pytest.raises(GenerationGone, match=expected) as caught, reading(any_location, number + 7):
        pass
    assert caught.value.kept == (number,)


def test_the_current_generation_can_be_asked_for_by_number(any_location: Location) -> None:
    number = publish(any_location, "otif")
    with reading(any_location, number) as connection:
        assert connection.info["generation"] == number


def test_text_sorts_by_code_point_on_both_engines(any_location: Location) -> None:
    names = ["b", "B", "a", "Ä", "ä", "_", "1", "Z"]
    publish(any_location, *names)
    assert read(any_location) == sorted(names)


def test_timestamps_are_returned_unchanged_in_any_machine_time_zone(
    any_location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/St_Johns")
    moment = datetime(2026, 3, 29, 1, 30, 0, 123456)
    with writing(any_location) as build:
        create_tables(build.connection)
        build.connection.execute(insert(targets), [target("otif", source_updated_at=moment)])
        build.publish()
    with reading(any_location) as connection:
        assert connection.scalar(select(targets.c.source_updated_at)) == moment
        zone = "TimeZone" if connection.dialect.name == "postgresql" else "timezone"
        assert connection.scalar(select(func.current_setting(zone))) == "UTC"


def test_publishing_twice_is_refused(any_location: Location) -> None:
    with writing(any_location) as build:
        create_tables(build.connection)
        build.publish()
        with pytest.raises(RuntimeError, match="twice"):
            build.publish()


def test_a_run_reads_a_scratch_file_attached_to_its_build(location: Location, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch.duckdb"
    with duckdb.connect(str(scratch)) as connection:
        connection.execute("create table staged as select 'otif' as measure")
    with writing(location) as build:
        create_tables(build.connection)
        build.save()
        build.connection.exec_driver_sql(f"attach '{scratch}' as scratch (read_only)")
        build.connection.execute(insert(targets), [target("on_time")])
        staged = build.connection.exec_driver_sql("select measure from scratch.staged").scalars().all()
        build.connection.execute(insert(targets), [target(measure) for measure in staged])
        build.publish()
    assert read(location) == ["on_time", "otif"]


@pytest.mark.parametrize("statement", ["install httpfs", "load httpfs"])
def test_run_cannot_load_external_code(statement: str, location: Location) -> None:
    with writing(location) as build, pytest.raises(DBAPIError):
        build.connection.exec_driver_sql(statement)


def test_reader_with_little_memory_spills_to_disk(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUYERVIEW_READ_MEMORY", "40MB")
    monkeypatch.setenv("BUYERVIEW_THREADS", "1")
    publish(location)
    sorted_by_nothing = (
        "select max(place) from (select row_number() over (order by hash(range), repeat('x', 20)) as "
        "place from range(1000000))"
    )
    with reading(location) as connection:
        assert connection.exec_driver_sql(sorted_by_nothing).scalar() == 1_000_000


def test_open_connection_to_a_build_prevents_its_publish(location: Location) -> None:
    with writing(location) as build, build.engine.connect(), pytest.raises(BuildFailed, match="still open"):
        build.publish()
    assert current(location) is None


@pytest.mark.postgres
def test_a_run_on_a_server_cannot_commit_before_it_is_published(server_location: Location) -> None:
    publish(server_location, "otif")
    with writing(server_location) as build:
        build.connection.execute(insert(targets), [target("on_time")])
        with pytest.raises(RuntimeError, match=r"build.save\(\)"):
            build.connection.commit()
    assert read(server_location) == ["otif"]


def test_older_generations_stay_readable_until_three_newer_ones_are_published(location: Location) -> None:
    numbers = [publish(location, name) for name in ("a", "b", "c", "d")]
    for number, expected in zip(numbers[1:], (["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]), strict=True):
        with reading(location, number) as connection:
            assert measures(connection) == expected
    with pytest.raises(GenerationGone), reading(location, numbers[0]):
        pass


def test_environment_variables_set_the_warehouse_location(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate() == Location(folder=home)
    monkeypatch.setenv("BUYERVIEW_WAREHOUSE", "postgresql://someone:canary@somewhere/db")
    place = locate()
    assert place.url is not None
    assert place.url.drivername == "postgresql+psycopg"
    assert "canary" not in str(place) + repr(place)


@pytest.mark.parametrize(
    "address", ["mysql://root:canary@host/db", "canary", "postgresql+psycopg://user:canary@host:port/db"]
)
def test_invalid_warehouse_url_is_refused_and_not_repeated_in_the_error(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUYERVIEW_WAREHOUSE", address)
    with pytest.raises(SettingRefused, match="BUYERVIEW_WAREHOUSE") as caught:
        locate()
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BUYERVIEW_THREADS", "many"),
        ("BUYERVIEW_THREADS", "0"),
        ("BUYERVIEW_WRITE_MEMORY", "lots"),
        ("BUYERVIEW_READ_MEMORY", "-1GB"),
        ("BUYERVIEW_HOME", "~nosuchuser/x"),
        ("BUYERVIEW_HOME", "/proc/self/cmdline/x"),
    ],
)
def test_invalid_setting_is_named_in_the_error(
    name: str, value: str, location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(location, "otif")
    monkeypatch.setenv(name, value)
    reads = name == "BUYERVIEW_READ_MEMORY"
    with pytest.raises(SettingRefused, match=name), reading(locate()) if reads else writing(locate()):
        pass


def test_a_server_that_does_not_answer_is_reported_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg", reason="pip install 'buyerview[postgres]'")
    monkeypatch.setenv("BUYERVIEW_WAREHOUSE", "postgresql://someone:canary@127.0.0.1:1/db")
    place = locate()
    with pytest.raises(WarehouseUnreachable, match="BUYERVIEW_WAREHOUSE") as caught:
        current(place)
    assert "canary" not in str(caught.value)
    warehouse.close(place)
