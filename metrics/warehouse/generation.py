"""One generation: one published, complete state of the warehouse; and one build: the generation a run is making.

Where they are kept is no matter here: `embedded.py` and `server.py` make both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine


@dataclass(frozen=True)
class Generation:
    """What one page run reads, from its first query to its last."""

    number: int
    """1, 2, 3 ...: rises with every publish; a number may be skipped, never used twice."""
    file: Path | None
    """The generation's file; None on a server."""
    published_at: datetime
    """UTC, with its zone."""
    previous: int | None
    """The generation published before it, if it is still kept."""
    fallback: str | None = None
    """Why an older generation than the newest published is served, in words for a banner; None: it is the newest."""


@dataclass(frozen=True)
class Build:
    """The generation a run is making. Nobody reads it before `publish()`; leaving `writing` without that drops it.

    Write through `connection` only. Never call its `commit()`: call `save()` after a long step and `publish()` at the
    end, which mean the right thing on both kinds of warehouse (a server's run is one transaction, and its connection
    refuses an early commit).
    """

    number: int
    """The generation number it will get."""
    dialect: Literal["duckdb", "postgresql"]
    connection: Connection
    engine: Engine
    """For tools that want an engine. On DuckDB its connections see what was saved: close them before `publish()`. On a
    server they are other sessions, which do not see the run.
    """
    base: Generation | None
    """The generation it started as a copy of; its `fallback` tells when that is not the newest because the newest is
    damaged.
    """
    save: Callable[[], None]
    """Keeps what was done so far: commits inside the build's file, does nothing on a server."""
    publish: Callable[[], Generation]
    """Makes the build the current generation, whole or not at all, and ends the build."""
