"""The store: created on first use on both kinds of warehouse, adopted from earlier versions, and transactional."""

import sqlite3
import threading
from datetime import datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, func, insert, select

from metrics.errors import StoreUnusable
from metrics.store import audit, migrate
from metrics.store.connection import open_store, store_url
from metrics.store.tables import audit_trail, metadata, run_history, work_items
from metrics.warehouse import Location

A_RUN = {
    "source": "erp",
    "started_at": datetime(2026, 3, 1),
    "finished_at": datetime(2026, 3, 1),
    "outcome": "published",
    "report": "{}",
}


def is_as_described(connection: Connection) -> bool:
    return compare_metadata(MigrationContext.configure(connection), metadata) == []


def a_block_is_kept_whole_or_not_at_all(location: Location) -> None:
    with open_store(location) as connection:
        audit.record(connection, "Ada", "target changed", "otif", {"value": "0.95"}, {"value": "0.97"})
    with pytest.raises(StoreUnusable), open_store(location) as connection:  # noqa: PT012
        audit.record(connection, "Ada", "target changed", "otif", None, None)
        raise OSError("no space left")
    with open_store(location, write=False) as connection:
        (entry,) = audit.entries_of(connection, "otif")
        assert (entry["who"], entry["before"], entry["after"]) == ("Ada", {"value": "0.95"}, {"value": "0.97"})


def test_new_store_has_the_declared_tables_at_the_newest_revision(location: Location) -> None:
    with open_store(location) as connection:
        assert is_as_described(connection)
        assert MigrationContext.configure(connection).get_current_heads() == (migrate.newest(),)
    a_block_is_kept_whole_or_not_at_all(location)


@pytest.mark.postgres
def test_store_on_a_server_has_its_own_schema_and_adopts_the_run_history(server_location: Location) -> None:
    assert server_location.url is not None
    engine = create_engine(server_location.url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA buyerview")
        run_history.to_metadata(metadata.__class__(), schema="buyerview").create(connection)
        connection.execute(insert(run_history.to_metadata(metadata.__class__(), schema="buyerview")).values(A_RUN))
    engine.dispose()
    with open_store(server_location) as connection:
        assert is_as_described(connection)
        assert connection.scalar(select(run_history.c.source)) == "erp"
    a_block_is_kept_whole_or_not_at_all(server_location)


def test_a_file_of_an_earlier_version_is_adopted(location: Location) -> None:
    assert location.folder is not None
    location.folder.mkdir()
    engine = create_engine(store_url(location))
    with engine.begin() as connection:
        run_history.create(connection)
        connection.execute(insert(run_history).values(A_RUN))
    engine.dispose()
    with open_store(location) as connection:
        assert connection.scalar(select(run_history.c.source)) == "erp"
        assert is_as_described(connection)


def former_store(location: Location, revision: str) -> None:
    """Create the store as the former migrations left it at a revision, with one run in its history."""
    assert location.folder is not None
    location.folder.mkdir()
    text = (Path(__file__).parent / "former_revisions.sql").read_text("utf-8")
    sections = text.split("-- revision ")[1:]
    with sqlite3.connect(location.folder / "store.sqlite") as database:
        for section in sections:
            number, statements = section.split("\n", 1)
            if number <= revision:
                database.executescript(statements)
        database.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        database.execute("INSERT INTO run_history VALUES ('erp', '2026-03-01', '2026-03-01', 'published', 1, '{}')")
        database.execute(
            "INSERT INTO work_items VALUES ('O1', NULL, 'open', 'Ada', NULL, NULL, NULL, NULL, NULL, NULL, "
            "'2026-03-01', 1)"
        )
    database.close()


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_stores_of_the_former_migrations_are_adopted_without_loss(location: Location, revision: str) -> None:
    former_store(location, revision)
    with open_store(location) as connection:
        assert is_as_described(connection)
        assert connection.scalars(select(run_history.c.source)).all() == ["erp"]
        assert connection.scalars(select(work_items.c.owner)).all() == ["Ada"]
        assert MigrationContext.configure(connection).get_current_heads() == (migrate.newest(),)
    a_block_is_kept_whole_or_not_at_all(location)


def test_a_migrated_store_is_not_migrated_again(location: Location) -> None:
    former_store(location, "0003")
    with open_store(location):
        pass
    engine = create_engine(store_url(location))
    with engine.connect() as connection:
        assert not migrate.needs_migration(connection)
    engine.dispose()


def test_ten_concurrent_users_can_all_write_to_a_new_store(location: Location) -> None:
    def write(number: int) -> None:
        with open_store(location) as connection:
            audit.record(connection, f"person {number}", "wrote", "k", None, None)

    people = [threading.Thread(target=write, args=(number,)) for number in range(10)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    with open_store(location) as connection:
        assert connection.scalar(select(func.count()).select_from(audit_trail)) == 10


def test_store_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_text("not a database, but a text long enough to be looked at as one" * 10)
    with pytest.raises(StoreUnusable, match=r"store\.sqlite"), open_store(Location(folder=tmp_path)):
        pass


def test_store_of_a_newer_version_is_refused(location: Location) -> None:
    with open_store(location) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreUnusable, match="newer version"), open_store(location):
        pass
