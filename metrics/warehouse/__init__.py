"""The warehouse: locate it, read a generation, write the next generation and publish it.

    location = locate()
    with reading(location) as connection:        # one generation for the whole block
        connection.execute(select(runs))
    with writing(location) as build:             # one writer at a time; the others get WarehouseBusy
        create_tables(build.connection)
        build.connection.execute(insert(orders), rows)
        build.publish()                          # without it the build is deleted

`duckdb_reader.py` and `duckdb_writer.py` store generations in a folder of DuckDB files, `postgres.py` on a server.
Queries are not here.
"""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError

from metrics import schema
from metrics.errors import SettingRefused, driver_text
from metrics.redaction import url_text
from metrics.warehouse import duckdb_reader, duckdb_writer, instances, lake, missing_columns, postgres
from metrics.warehouse.generation import Build, Generation, Lake, Views
from metrics.warehouse.pointer import read_pointer

__all__ = [
    "Build",
    "Generation",
    "Lake",
    "Location",
    "Views",
    "close",
    "copy_for_dry_run",
    "create_tables",
    "current",
    "locate",
    "preview",
    "reading",
    "writing",
]

DEFAULT_HOME = Path("~/.local/share/buyerview")


@dataclass(frozen=True)
class Location:
    """A warehouse: either a folder of DuckDB files or the URL of a PostgreSQL database.

    lake: where a folder's fact tables are stored; None: in its DuckDB files.
    """

    folder: Path | None = None
    url: URL | None = field(default=None, repr=False)
    lake: Lake | None = None

    def __post_init__(self) -> None:
        if (self.folder is None) == (self.url is None):
            raise ValueError("a Location is a folder or a URL: give exactly one of them")
        if self.lake is not None and self.folder is None:
            raise ValueError("only a folder has a lake")

    def __str__(self) -> str:
        """Return the folder or the URL for messages and logs, without the password."""
        return str(self.folder) if self.url is None else url_text(self.url)


def locate() -> Location:
    """Return the warehouse that the environment names.

    BUYERVIEW_WAREHOUSE is the URL of a server, BUYERVIEW_HOME a folder. Without both it is the default folder. The URL
    of a Spark server, and BUYERVIEW_LAKE, are used in addition to the folder.
    Raises SettingRefused if the URL or a folder cannot be used.
    """
    address = os.environ.get("BUYERVIEW_WAREHOUSE")
    url = _server_url(address) if address else None
    place = _folder("BUYERVIEW_LAKE") if os.environ.get("BUYERVIEW_LAKE") else None
    spark = url if url is not None and url.get_backend_name() == "spark" else None
    if spark is not None and place is None:
        raise SettingRefused(
            "BUYERVIEW_LAKE", "Spark needs it. Write the path of a folder that every worker can write."
        )
    if url is not None and spark is None:
        if place is not None:
            raise SettingRefused("BUYERVIEW_LAKE", "PostgreSQL has no lake. Unset it, or unset BUYERVIEW_WAREHOUSE.")
        return Location(url=url)
    return Location(folder=_folder("BUYERVIEW_HOME"), lake=Lake(place, spark) if place is not None else None)


def _folder(name: str) -> Path:
    """Return the folder that an environment variable names. Raises SettingRefused."""
    value = os.environ.get(name)
    try:
        return Path(value or DEFAULT_HOME).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingRefused(name, f"{value!r} is no folder ({driver_text(error)}). Write its path.") from None


def current(location: Location) -> Generation | None:
    """Return the generation that readers get now; None if nothing is published yet.

    It is the newest published generation. If that file is damaged, it is the newest that opens, and `fallback` has the
    reason. Raises GenerationDamaged if none opens, WarehouseUnreachable if the server does not respond.
    """
    if location.folder is not None:
        return duckdb_reader.current(location.folder)
    return postgres.current(_url(location))


def reading(
    location: Location, generation: int | None = None, views: Views | None = None
) -> AbstractContextManager[Connection]:
    """Open a read-only connection to one generation: the given number, or the current generation.

    views: temporary views that hide the stored tables.

    `connection.info` has "generation" (its number) and "fallback" (why it is not the newest, or None).
    Raises NothingPublished, GenerationDamaged, and GenerationGone if the generation was deleted. A server stores only
    the newest generation. GenerationDamaged can also occur inside the block; the next `reading` then opens the
    generation before it.
    """
    if location.folder is not None:
        return duckdb_reader.reading(location.folder, generation, views)
    return postgres.reading(_url(location), generation, views)


def preview(location: Location, generation: int | None = None) -> AbstractContextManager[Connection]:
    """Open a connection as `reading` does, in which temporary tables can replace the stored ones.

    The temporary tables are dropped at the end of the block.
    """
    if location.folder is not None:
        return duckdb_reader.preview(location.folder, generation)
    return postgres.preview(_url(location), generation)


def writing(location: Location) -> AbstractContextManager[Build]:
    """Open the next generation for changes: a copy of the newest, published by `publish()`.

    Only one writer is active at a time; a second raises WarehouseBusy immediately. Leaving the block without
    `publish()` deletes the build.
    """
    if location.lake is not None and location.folder is not None:
        return _writing_lake(location.lake, location.folder)
    if location.folder is not None:
        return duckdb_writer.writing(location.folder)
    return postgres.writing(_url(location))


@contextmanager
def _writing_lake(place: Lake, home: Path) -> Iterator[Build]:
    """Open the next generation of a folder whose facts are in a lake."""
    lake.prepare(place, home)
    with duckdb_writer.writing(home) as build:

        def publish() -> Generation:
            manifest = lake.manifest_of(build.connection) or lake.Manifest()
            lake.write_manifest(place.folder, build.number, manifest)
            generation = build.publish()
            lake.point_to(place.folder, build.number)
            lake.collect(place.folder, [entry.number for entry in read_pointer(home)])
            return generation

        yield replace(build, publish=publish, lake=place)


@contextmanager
def copy_for_dry_run(location: Location) -> Iterator[Build]:
    """Open a build as `writing` does, which cannot be published. The warehouse does not change.

    A folder of DuckDB files is copied to the system's temporary folder, so another run can write at the same time. On a
    server the build is a transaction that is rolled back. It raises WarehouseBusy if another run is writing.
    """

    def publish() -> Generation:
        raise RuntimeError("a dry run cannot be published")

    with (
        duckdb_writer.copy_for_dry_run(location.folder)
        if location.folder is not None
        else postgres.writing(_url(location)) as build
    ):
        yield replace(build, publish=publish)


def create_tables(connection: Connection) -> None:
    """Create every missing table and column of the schema."""
    missing_columns.create_tables(connection, schema.metadata)


def close(location: Location) -> None:
    """Close the files or connections that this process keeps open for readers. The next reader opens them again."""
    if location.folder is not None:
        instances.close(location.folder)
    else:
        postgres.close(_url(location))


def _url(location: Location) -> URL:
    assert location.url is not None
    return location.url


def _server_url(address: str) -> URL:
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        # Neither chained nor quoted, because an invalid URL may still contain a password.
        raise SettingRefused(
            "BUYERVIEW_WAREHOUSE", "the value is not a URL. Write postgresql+psycopg://USER:PASSWORD@HOST/DATABASE."
        ) from None
    if url.drivername == "spark":
        if importlib.util.find_spec("pyspark") is None:
            why = 'the client of Spark is missing. Install it: pip install "buyerview[spark]"'
            raise SettingRefused("BUYERVIEW_WAREHOUSE", why)
        return url
    if url.get_backend_name() != "postgresql":
        raise SettingRefused(
            "BUYERVIEW_WAREHOUSE",
            f"Buyerview does not support {url.drivername}. Write postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, or "
            "spark://HOST:15002.",
        )
    if "@" in (url.host or ""):
        raise SettingRefused("BUYERVIEW_WAREHOUSE", "the password contains @. Write %40 in its place.")
    return url.set(drivername="postgresql+psycopg")
