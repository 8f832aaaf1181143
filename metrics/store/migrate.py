"""Bringing a store up to date: Alembic runs the files of `migrations/versions` that the database has not seen, in the
caller's transaction.

A new migration names the last one there as its `down_revision`.
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

_one_at_a_time = threading.Lock()  # Alembic hands migrations their connection through a global


def needs_migration(connection: Connection) -> bool:
    """Whether the database lacks a migration this program has."""
    return not _heads() <= set(MigrationContext.configure(connection).get_current_heads())


def migrate(connection: Connection) -> None:
    """Run what is missing; nothing where another process was faster."""
    config = _config()
    config.attributes["connection"] = connection
    with _one_at_a_time:
        command.upgrade(config, "heads")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@lru_cache(maxsize=1)
def _heads() -> frozenset[str]:
    return frozenset(ScriptDirectory.from_config(_config()).get_heads())
