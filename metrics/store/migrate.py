"""Migrate a store with Alembic, in the caller's transaction.

A new migration goes into `migrations/versions` and names the last one as its `down_revision`.
"""

import threading
from functools import lru_cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
MERGED = frozenset({"0001", "0002"})
"""Former revisions that are now part of migration 0003."""

_one_at_a_time = threading.Lock()  # Alembic passes the connection to migrations through a global


def needs_migration(connection: Connection) -> bool:
    """Return true if the database has not run every migration of this program."""
    return not _heads() <= set(MigrationContext.configure(connection).get_current_heads())


def migrate(connection: Connection) -> None:
    """Run the missing migrations. Do nothing if another process has already run them.

    The revisions of MERGED add only tables. A store at such a revision therefore runs the merged migration, which
    creates the tables that are missing and leaves the others as they are.
    """
    config = _config()
    config.attributes["connection"] = connection
    with _one_at_a_time:
        if MERGED & set(MigrationContext.configure(connection).get_current_heads()):
            command.stamp(config, "base", purge=True)
        command.upgrade(config, "heads")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@lru_cache(maxsize=1)
def _heads() -> frozenset[str]:
    return frozenset(ScriptDirectory.from_config(_config()).get_heads())
