"""What several measures of one page rest on, worked out once while a generation is read.

A reading connection of `warehouse.reading` sees one generation and nobody writes through it, so that the same question
has the same answer until it closes. Elsewhere (a run, a preview that lays tables of its own over the generation)
everything is worked out each time.
"""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

P = ParamSpec("P")
T = TypeVar("T")
KEPT = "once"
"""Where a connection keeps what was worked out: a dictionary in its `info`, or nothing where it may not."""


def cached_per_generation(work: Callable[Concatenate[Connection, P], T]) -> Callable[Concatenate[Connection, P], T]:
    """Keep what a function of a connection and of plain values finds, for as long as the connection is read from.
    Nobody may change it.
    """

    @wraps(work)
    def kept(connection: Connection, /, *args: P.args, **named: P.kwargs) -> T:
        found: dict[Hashable, T] | None = connection.info.get(KEPT)
        if found is None:
            return work(connection, *args, **named)
        key = (work, args, tuple(sorted(named.items())))
        if key not in found:
            found[key] = work(connection, *args, **named)
        return found[key]

    return kept
