"""Generations of the warehouse.

`Generation` is a published and complete state, `Published` its entry in the file CURRENT, and `Build` the generation
that a run prepares. Storage is not here: `duckdb_reader.py`, `duckdb_writer.py` and `postgres.py` create them.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from sqlalchemy import URL, Connection, Engine


@dataclass(frozen=True)
class Generation:
    """A published state of the warehouse. A page reads the same generation from its first query to its last."""

    number: int
    """1, 2, 3 ...: rises with every publish. A number can be skipped, but is never used twice."""
    file: Path | None
    """The generation's file; None on a server."""
    published_at: datetime
    """UTC, with its zone."""
    previous: int | None
    """The generation published before, if it is still stored."""
    fallback: str | None = None
    """Reason why readers get an older generation, as text for a banner; None if it is the newest."""


@dataclass(frozen=True)
class Published:
    """One entry of CURRENT."""

    number: int
    file: str
    size: int
    sha256: str
    published_at: str


@dataclass(frozen=True)
class Lake:
    """A folder of Parquet files that every worker of a Spark cluster can read and write."""

    folder: Path
    spark: URL | None = field(default=None, repr=False)
    """The Spark Connect server that builds the facts; None: DuckDB builds them on this machine."""


@dataclass(frozen=True)
class Build:
    """The generation that a run prepares. Nobody reads it before `publish()`. Leaving `writing` without it deletes it.

    Write through `connection` only. Never call its `commit()`: call `save()` after a long step and `publish()` at the
    end. A run on a server is one transaction, and its connection refuses an early commit.
    """

    number: int
    """The number of the generation."""
    dialect: Literal["duckdb", "postgresql"]
    connection: Connection
    engine: Engine
    """Engine of the build, for tools that need one.

    On DuckDB its connections see saved changes; close them before `publish()`. On a server they are other sessions,
    which do not see the run.
    """
    base: Generation | None
    """The generation it was copied from. Its `fallback` is set if the newest generation is damaged."""
    save: Callable[[], None]
    """Store the changes so far: commits inside the build's file, does nothing on a server."""
    publish: Callable[[], Generation]
    """Make the build the current generation, completely or not at all, and end the build."""
    lake: Lake | None = None
    """Where the facts are stored; None: in the build itself."""


@dataclass(frozen=True)
class Views:
    """Temporary views that limit what a reading connection sees. A reader may get them from an earlier reader."""

    key: Hashable
    """Equal for equal views."""
    create: Callable[[Connection], None] = field(compare=False)
    """Creates the views on a new connection."""
