"""Create a store, or migrate it with Alembic, in the caller's transaction.

A new migration goes into `migrations/versions` and names the last one as its `down_revision`.
"""

import threading
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from metrics.store.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
MERGED = frozenset({"0001", "0002"})
"""Former revisions that are now part of migration 0003."""

_versions = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Alembic's table of revisions."""
_one_at_a_time = threading.Lock()  # Alembic passes the connection to migrations through a global


def needs_migration(connection: Connection) -> bool:
    """Return true if the database has not run every migration of this program."""
    return newest() not in _revisions(connection)


def newest() -> str:
    """Return the last revision: the highest number of a file in `migrations/versions`."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revisions(connection: Connection) -> set[str]:
    """Return the revisions that Alembic has recorded. Importing Alembic for this would take a tenth of a second."""
    if not inspect(connection).has_table(_versions.name):
        return set()
    return set(connection.execute(select(_versions)).scalars())


class NewerStoreError(Exception):
    """A newer version of this program has migrated the store."""


def migrate(connection: Connection) -> None:
    """Run the missing migrations. Do nothing if another process has already run them.

    An empty file gets all tables at once, without Alembic, which takes half a second to import. The revisions of MERGED
    add only tables. A store at such a revision therefore runs the merged migration, which creates the tables that are
    missing and leaves the others as they are. Raises NewerStoreError.
    """
    if connection.dialect.name == "sqlite" and not inspect(connection).get_table_names():
        for tables in (metadata, _versions.metadata):
            tables.create_all(connection, checkfirst=False)
        connection.execute(insert(_versions).values(version_num=newest()))
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        with _one_at_a_time:
            if MERGED & _revisions(connection):
                command.stamp(config, "base", purge=True)
            command.upgrade(config, "heads")
    except CommandError as error:
        raise NewerStoreError(str(error)) from error
