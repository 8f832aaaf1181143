"""Files of an older and of a newer DuckDB (A30): an upgrade reads and copies them, a downgrade says what to install.

The file in `engines/` has the two paired tables, with one run. A changed header makes it a file of a newer DuckDB.
"""

import gzip
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from metrics import warehouse
from metrics.errors import WarehouseError
from metrics.warehouse import Location, current, reading
from metrics.warehouse.generation import Published
from metrics.warehouse.pointer import read_pointer, replace_pointer, sha256
from tests.fault import paired_tables

ENGINES = Path(__file__).parent / "engines"


def publish_file(location: Location, number: int, change: Callable[[bytes], bytes] = bytes) -> Path:
    """Publish a file of another engine as the newest generation."""
    assert location.folder is not None
    location.folder.mkdir(exist_ok=True)
    path = location.folder / f"gen-{number:08}.duckdb"
    path.write_bytes(change(gzip.decompress((ENGINES / "duckdb-1.4.4.gz").read_bytes())))
    entry = Published(number, path.name, path.stat().st_size, sha256(path), datetime.now(UTC).isoformat())
    replace_pointer(location.folder, [entry, *(read_pointer(location.folder) if number > 1 else [])])
    return path


def from_the_future(file: bytes) -> bytes:
    """Give a file a storage version that no DuckDB has, and the checksum of its first block."""
    block = file[8:12] + struct.pack("<Q", 1_000_000) + file[20:4096]
    checksum = 5381
    for (word,) in struct.iter_unpack("<Q", block):
        checksum ^= word * 0xBF58476D1CE4E5B9 % 2**64
    return struct.pack("<Q", checksum) + block + file[4096:]


def test_file_of_an_older_engine_is_read_and_the_next_run_leaves_it_as_it_was(location: Location) -> None:
    path = publish_file(location, 1)
    before = sha256(path)
    for runs in (1, 2):
        with reading(location) as connection:
            assert connection.info["fallback"] is None
            assert paired_tables.runs_seen(connection) == runs
        warehouse.close(location)
        paired_tables.publish(location)
    assert sha256(path) == before


def test_file_of_a_newer_engine_is_named_and_never_rewritten(location: Location) -> None:
    paired_tables.publish(location)
    path = publish_file(location, 2, from_the_future)
    before = sha256(path)
    generation = current(location)
    assert generation is not None
    assert generation.number == 1
    assert "was written by a newer version of DuckDB. Install the newer version of Buyerview" in generation.fallback
    with pytest.raises(WarehouseError, match="newer version of DuckDB"):
        paired_tables.publish(location)
    assert sha256(path) == before
    assert location.folder is not None
    assert read_pointer(location.folder)[0].file == path.name
    assert not list(location.folder.glob("build-*"))
