"""Migrate a store with Alembic, in the caller's transaction.

A new migration goes into `migrations/versions` and names the last one as its `down_revision`.
"""

import threading
from pathlib import Path

from sqlalchemy import Connection, String, column, inspect, select, table

MIGRATIONS = Path(__file__).parent / "migrations"
MERGED = frozenset({"0001", "0002"})
"""Former revisions that are now part of migration 0003."""

_one_at_a_time = threading.Lock()  # Alembic passes the connection to migrations through a global


def needs_migration(connection: Connection) -> bool:
    """Return true if the database has not run every migration of this program."""
    return newest() not in _revisions(connection)


def newest() -> str:
    """Return the last revision: the highest number of a file in `migrations/versions`."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revisions(connection: Connection) -> set[str]:
    """Return the revisions that Alembic has recorded. Importing Alembic for this would take a tenth of a second."""
    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.execute(select(table("alembic_version", column("version_num", String)))).scalars())


def migrate(connection: Connection) -> None:
    """Run the missing migrations. Do nothing if another process has already run them.

    The revisions of MERGED add only tables. A store at such a revision therefore runs the merged migration, which
    creates the tables that are missing and leaves the others as they are.
    """
    from alembic import command  # slow to import, and only a new or older store needs it
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _one_at_a_time:
        if MERGED & _revisions(connection):
            command.stamp(config, "base", purge=True)
        command.upgrade(config, "heads")
