"""Where the tables live: find the warehouse, read one generation of it, write the next one and publish it.

    location = locate()
    with reading(location) as connection:        # one generation for the whole block
        connection.execute(select(runs))
    with writing(location) as build:             # one writer at a time; the others get WarehouseBusy
        create_tables(build.connection)
        build.connection.execute(insert(orders), rows)
        build.publish()                          # without it the build is dropped

How generations are kept is in `embedded.py` and `build.py` (a folder of DuckDB files) and `server.py` (PostgreSQL). No
question is answered here.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError

from metrics import schema
from metrics.errors import SettingRefused
from metrics.warehouse import duckdb_reader, duckdb_writer, postgres
from metrics.warehouse.generation import Build, Generation

__all__ = [
    "Build",
    "Generation",
    "Location",
    "close",
    "create_tables",
    "current",
    "locate",
    "reading",
    "rehearsing",
    "trying",
    "writing",
]

DEFAULT_HOME = Path("~/.local/share/buyerview")


@dataclass(frozen=True)
class Location:
    """A warehouse: a folder of its own (embedded) or the URL of a PostgreSQL database (server); exactly one of the two."""

    folder: Path | None = None
    url: URL | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.folder is None) == (self.url is None):
            raise ValueError("a Location is a folder or a URL: give exactly one of them")

    def __str__(self) -> str:
        """Its name for messages and logs: never with a password."""
        return str(self.folder) if self.url is None else self.url.render_as_string(hide_password=True)


def locate() -> Location:
    """The warehouse the environment names: BUYERVIEW_WAREHOUSE (a server's URL), else BUYERVIEW_HOME (a folder), else
    the default folder.

    Raises SettingRefused if the URL cannot be used.
    """
    address = os.environ.get("BUYERVIEW_WAREHOUSE")
    if address:
        return Location(url=_server_url(address))
    return Location(folder=Path(os.environ.get("BUYERVIEW_HOME") or DEFAULT_HOME).expanduser().resolve())


def current(location: Location) -> Generation | None:
    """The generation readers are served now; None: nothing is published yet.

    That is the newest one published. If its file is damaged it is the newest one that opens, and `fallback` says why.
    Raises GenerationDamaged if none opens, WarehouseUnreachable if the server does not answer.
    """
    if location.folder is not None:
        return duckdb_reader.current(location.folder)
    return postgres.current(_url(location))


def reading(location: Location, generation: int | None = None) -> AbstractContextManager[Connection]:
    """A read-only connection that sees one generation for the whole block: the one `current` names, or the one given.

    `connection.info` has "generation" (its number) and "fallback" (why it is not the newest, or None). Raises
    NothingPublished, GenerationGone (not kept any more; a server keeps the newest only) and GenerationDamaged, the last
    also in the middle of the block: a second `reading` is then served the generation before it.
    """
    if location.folder is not None:
        return duckdb_reader.reading(location.folder, generation)
    return postgres.reading(_url(location), generation)


def preview(location: Location, generation: int | None = None) -> AbstractContextManager[Connection]:
    """As `reading`, in which temporary tables may be made that hide the generation's own; nothing of it is left at the
    end.
    """
    if location.folder is not None:
        return duckdb_reader.preview(location.folder, generation)
    return postgres.preview(_url(location), generation)


def writing(location: Location) -> AbstractContextManager[Build]:
    """The next generation, as a copy of the newest, to be changed and published. One at a time: Raises WarehouseBusy at
    once otherwise.

    Leaving the block without `publish()` drops the build and changes nothing.
    """
    if location.folder is not None:
        return duckdb_writer.writing(location.folder)
    return postgres.writing(_url(location))


@contextmanager
def copy_for_dry_run(location: Location) -> Iterator[Build]:
    """As `writing`, of which nothing can come: what is published, and what the folder or the database holds, stays as
    it is.

    An embedded warehouse is copied aside (to the system's folder for temporary files), and another run may be writing
    meanwhile; on a server it is a transaction that is rolled back, and a run that is writing there raises
    WarehouseBusy.
    """

    def publish() -> Generation:
        raise RuntimeError("a rehearsal publishes nothing")

    with (
        duckdb_writer.copy_for_dry_run(location.folder)
        if location.folder is not None
        else postgres.writing(_url(location)) as one
    ):
        yield replace(one, publish=publish)


def create_tables(connection: Connection) -> None:
    """Create every table of the contract that is not there yet."""
    schema.metadata.create_all(connection)


def close(location: Location) -> None:
    """Close what this process keeps open of a warehouse for its next reader. It is opened again when next asked for."""
    if location.folder is not None:
        duckdb_reader.close(location.folder)
    else:
        postgres.close(_url(location))


def _url(location: Location) -> URL:
    assert location.url is not None
    return location.url


def _server_url(address: str) -> URL:
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        # Not chained and not quoted: what does not parse may still hold a password.
        raise SettingRefused(
            "BUYERVIEW_WAREHOUSE", "is not a URL. Write postgresql+psycopg://USER:PASSWORD@HOST/DATABASE."
        ) from None
    if url.get_backend_name() != "postgresql":
        raise SettingRefused(
            "BUYERVIEW_WAREHOUSE",
            f"{url.drivername} is not a server Buyerview can use. Write postgresql+psycopg://USER:PASSWORD@HOST/DATABASE.",
        )
    return url.set(drivername="postgresql+psycopg")
