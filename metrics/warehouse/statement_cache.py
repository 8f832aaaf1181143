"""Cache of compiled SQL, shared by all engines of a process.

Each generation has its own engine. Compiling the SELECTs of the order facts takes longer than running them on a day's
records.
"""

from collections.abc import MutableMapping

from sqlalchemy import Dialect

MOST_STATEMENTS = 2_000
"""Highest number of cached statements. A further statement clears the cache."""

Key = tuple[object, ...]
"""SQLAlchemy's key of a statement: the dialect, and parts that identify the statement."""


class _Compiled(dict[Key, object]):
    """SQLAlchemy's cache with the dialect's name as key instead of the dialect. Our dialects differ only in name."""

    def get(self, key: Key, default: object = None) -> object:
        """Return the compiled statement."""
        return super().get(_shared(key), default)

    def __setitem__(self, key: Key, compiled: object) -> None:
        if len(self) >= MOST_STATEMENTS:
            self.clear()
        super().__setitem__(_shared(key), compiled)


def _shared(key: Key) -> Key:
    dialect, *statement = key
    assert isinstance(dialect, Dialect)
    return (dialect.name, *statement)


_CACHES: dict[str, _Compiled] = {}


def compiled_cache(dialect: str) -> MutableMapping[Key, object]:
    """Return the cache for every engine of a dialect.

    Pass it as `create_engine(..., execution_options={"compiled_cache": ...})`.
    """
    return _CACHES.setdefault(dialect, _Compiled())
