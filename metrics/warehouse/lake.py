"""The lake: a folder of Parquet files that this machine and every worker of a Spark cluster read.

    canonical/orders/run-.../month=2026-05/*.parquet    feeds and other canonical tables, by month of the order
    facts/run-.../                                      fact tables and rollups
    generations/gen-00000042.json                       manifest: the files of each table in generation 42
    CURRENT                                             name of the newest manifest

Files never change: a run writes new ones and refers to the others. A publish writes the manifest, then publishes the
generation of BUYERVIEW_HOME (`duckdb_writer.py`), then replaces the lake's CURRENT. Each generation also has its
manifest in its table `lake`, so that pages need no other file. `lake_tables.py` reads and writes the Parquet files.
"""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any  # values of JSON

from sqlalchemy import URL, Column, Connection, MetaData, String, Table, Text, delete, insert, inspect, select

from metrics.errors import SettingRefused, WarehouseUnreachable, storage_text
from metrics.warehouse.failpoint import failpoint
from metrics.warehouse.generation import Lake
from metrics.warehouse.pointer import sync, write_temporary

CANONICAL, FACTS, GENERATIONS = "canonical", "facts", "generations"
RUN = "run-"
"""Beginning of the names of folders that a run writes. Other folders belong to other tools and are never deleted."""
OWNER = "WAREHOUSE"
"""File with the BUYERVIEW_HOME that writes to the lake."""
SECONDS_KEPT = 3600
"""Files of a deleted generation stay for an hour, because a slow reader may still open them."""
CONNECT_PORT, CONNECT_SECONDS = 15002, 5.0

lake = Table(
    "lake",
    MetaData(),
    Column("folder", String, nullable=False, comment="the folder of the lake"),
    Column("manifest", Text, nullable=False, comment="JSON: the files of each table"),
    comment="one row: the lake whose Parquet files this generation reads",
)


@dataclass(frozen=True)
class Partition:
    """The rows of a canonical table whose orders were placed in one month."""

    files: list[str]
    """Relative to the folder of the lake."""
    rows: int
    checksum: str


Canonical = Mapping[str, Mapping[str, Partition]]
"""Canonical tables by month ("2026-05")."""


@dataclass(frozen=True)
class Manifest:
    """The files of a generation. Names of files are relative to the folder of the lake."""

    canonical: Canonical = field(default_factory=dict)
    derived: Mapping[str, list[str]] = field(default_factory=dict)
    """Fact tables and rollups."""

    def files(self) -> Iterator[str]:
        """Yield every file."""
        for months in self.canonical.values():
            for partition in months.values():
                yield from partition.files
        for files in self.derived.values():
            yield from files


def parsed(text: str) -> Manifest:
    """Return the manifest of a JSON text."""
    values: dict[str, Any] = json.loads(text)
    canonical = {
        name: {month: Partition(**partition) for month, partition in months.items()}
        for name, months in values["canonical"].items()
    }
    return Manifest(canonical, values["derived"])


def manifest_of(connection: Connection) -> Manifest | None:
    """Return the manifest of a generation; None if it reads no lake."""
    if not inspect(connection).has_table(lake.name):
        return None
    return parsed(connection.execute(select(lake.c.manifest)).scalar_one())


def note_manifest(connection: Connection, folder: Path, manifest: Manifest) -> None:
    """Store the manifest in the build."""
    lake.create(connection, checkfirst=True)
    connection.execute(delete(lake))
    connection.execute(insert(lake).values(folder=str(folder), manifest=json.dumps(asdict(manifest))))


def prepare(place: Lake, home: Path) -> None:
    """Create the folders of a lake before a run, and refuse a lake of another warehouse.

    Raises SettingRefused, and WarehouseUnreachable if the Spark Connect server does not respond.
    """
    owner = place.folder / OWNER
    try:
        for name in (CANONICAL, FACTS, GENERATIONS):
            (place.folder / name).mkdir(parents=True, exist_ok=True)
            share(place.folder / name)
        if not owner.exists():
            _write(owner, str(home))
        found = owner.read_text(encoding="utf-8").strip()
    except OSError as error:
        why = f"{place.folder} cannot be used ({storage_text(error)}). Choose a folder that you may write to."
        raise SettingRefused("BUYERVIEW_LAKE", why) from error
    if found != str(home):
        raise SettingRefused(
            "BUYERVIEW_LAKE",
            f"{place.folder} belongs to the warehouse {found}. Choose another folder. If {home} is the same warehouse "
            f"under another path, delete {owner}.",
        )
    if place.spark is not None:
        _refuse_silent_server(place.spark)


def _refuse_silent_server(url: URL) -> None:
    try:
        socket.create_connection((url.host or "localhost", url.port or CONNECT_PORT), CONNECT_SECONDS).close()
    except OSError as error:
        raise WarehouseUnreachable(
            f"spark://{url.host}:{url.port or CONNECT_PORT}", f"Spark Connect does not respond: {storage_text(error)}"
        ) from error


def write_manifest(folder: Path, number: int, manifest: Manifest) -> None:
    """Write the files of a build, and the folders above them, to the disk. Then write its manifest."""
    for name in sorted(manifest.files()):
        if f"{RUN}{number:08d}-" in name:
            for path in (Path(name), *Path(name).parents):
                sync(folder / path)
    failpoint("lake.files")
    _write(_manifest_file(folder, number), json.dumps(asdict(manifest)))
    failpoint("lake.manifest")


def point_to(folder: Path, number: int) -> None:
    """Name the manifest of a published generation in CURRENT."""
    _write(folder / "CURRENT", f"{GENERATIONS}/{_manifest_file(folder, number).name}\n")
    failpoint("lake.current")


def collect(folder: Path, published: Iterable[int]) -> None:
    """Delete files that no stored generation names, an hour after the last generation that named them."""
    kept = {_manifest_file(folder, number) for number in published}
    used: set[str] = set()
    for file in (folder / GENERATIONS).glob("*.json"):
        if file not in kept:
            os.utime(file)  # the hour begins now
            file.rename(file.with_suffix(".expired"))
    for file in (*kept, *(folder / GENERATIONS).glob("*.expired")):
        if file not in kept and time.time() - file.stat().st_mtime > SECONDS_KEPT:
            file.unlink()
        elif file.exists():  # a generation of the time before the lake has no manifest
            used.update(parsed(file.read_text(encoding="utf-8")).files())
    for run in (*folder.glob(f"{CANONICAL}/*/{RUN}*"), *folder.glob(f"{FACTS}/{RUN}*")):
        for path in (*sorted(run.rglob("*"), reverse=True), run):  # files before their folder
            if path.is_dir():
                with contextlib.suppress(OSError):  # a folder with files stays
                    path.rmdir()
            elif str(path.relative_to(folder)) not in used:
                path.unlink(missing_ok=True)
    failpoint("lake.collect")


def share(path: Path) -> None:
    """Give a file or folder the rights of its folder: workers can run as another user."""
    mode = path.parent.stat().st_mode & 0o777
    with contextlib.suppress(PermissionError):  # another user's file
        path.chmod(mode if path.is_dir() else mode & 0o666)


def _manifest_file(folder: Path, number: int) -> Path:
    return folder / GENERATIONS / f"gen-{number:08d}.json"


def _write(path: Path, text: str) -> None:
    """Write a small file completely or not at all."""
    temporary = write_temporary(path, text)
    share(temporary)
    os.replace(temporary, path)
    sync(path.parent)
