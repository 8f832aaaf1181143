"""Cache a function's result while a reading connection is open, so that measures on one page share it.

A connection of `warehouse.reading` sees one generation and never writes, so results cannot change while it is open.
Other connections (a run, a preview with temporary tables) have no cache.
"""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

P = ParamSpec("P")
T = TypeVar("T")
CACHE_KEY = "query_cache"
"""Key of the cache in a connection's `info`. Connections without this key do not cache."""


def cached_per_generation(work: Callable[Concatenate[Connection, P], T]) -> Callable[Concatenate[Connection, P], T]:
    """Cache the result of a function of a connection and hashable values while the connection is open.

    Callers must not change the result.
    """

    @wraps(work)
    def cached(connection: Connection, /, *args: P.args, **named: P.kwargs) -> T:
        results: dict[Hashable, T] | None = connection.info.get(CACHE_KEY)
        if results is None:
            return work(connection, *args, **named)
        key = (work, args, tuple(sorted(named.items())))
        if key not in results:
            results[key] = work(connection, *args, **named)
        return results[key]

    return cached
