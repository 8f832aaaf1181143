"""Compiled statements shared by every engine of a process: each generation has an engine of its own, and compiling the
judging of orders takes longer than running it on a day's records.
"""

from collections.abc import MutableMapping
from typing import Any

MOST = 2_000
"""Statements kept; all are dropped together when there are more."""

Key = tuple[Any, ...]


class _Compiled(dict[Key, Any]):
    """SQLAlchemy's compiled cache, its key led by the dialect's name instead of the dialect: ours differ in nothing
    else.
    """

    def get(self, key: Key, default: Any = None) -> Any:
        """The compiled statement."""
        return super().get(_shared(key), default)

    def __setitem__(self, key: Key, compiled: Any) -> None:
        if len(self) >= MOST:
            self.clear()
        super().__setitem__(_shared(key), compiled)


def _shared(key: Key) -> Key:
    return (key[0].name, *key[1:])


_CACHES: dict[str, _Compiled] = {}


def compiled_cache(dialect: str) -> MutableMapping[Key, Any]:
    """The cache to give every engine of a dialect: `create_engine(..., execution_options={"compiled_cache": ...})`."""
    return _CACHES.setdefault(dialect, _Compiled())
