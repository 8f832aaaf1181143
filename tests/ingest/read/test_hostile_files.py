"""Random bytes, JSON and Parquet of odd shapes, two tables in one file, millions of rows (B24, B42, B44, B45)."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from ingest.errors import SourceRefused
from metrics.warehouse import reading
from tests.ingest.files import Source, ledger
from tests.ingest.read.reading import Reader, Staged, reader
from tests.ingest.read.test_layouts import HEADER, RIGHT, ROWS, found, staged
from tests.support import tries as counts
from tests.support.failpoints import ROOT
from tests.support.tries import Tries

RANDOM_FILES = counts.number(goal=2_000, usual=40)
MANY_LINES = counts.number(goal=5_000_000, usual=60_000)
SIGNS = [b"\n", b"\r\n", b",", b'"', b"\x00", b"\xef\xbb\xbf", b"NO,BY,COST\n", b"S1,DHL,5\n", b"[{", b"PAR1", b"\xff"]
"""Pieces of files, among random bytes, so that files get beyond the first checks."""


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reader(tmp_path_factory.mktemp("scratch")) as one:
        yield one


def attempt(read: Reader, folder: Path, name: str, content: bytes) -> tuple[Staged | None, SourceRefused | None]:
    """Read a file. Return its rows or the refusal."""
    try:
        return staged(read, folder, name, content), None
    except SourceRefused as refused:
        return None, refused


@pytest.mark.timeout(1_800)
def test_file_of_random_bytes_is_refused_with_a_reason_or_read(read: Reader, tmp_path: Path, tries: Tries) -> None:
    """B42: an error of ours within two seconds, or rows; a row is read or rejected."""
    dice = random.Random(int(os.environ.get("SEED", "5")))
    for _ in range(RANDOM_FILES):
        pieces = (dice.choice([*SIGNS, dice.randbytes(dice.randrange(12))]) for _ in range(dice.randrange(30)))
        content = b"".join(pieces)
        name = dice.choice(["f.csv", "f.csv", "f.json", "f.csv.gz", "f.parquet", "f.xlsx"])
        tries.add()
        began = time.process_time()
        rows, refused = attempt(read, tmp_path, name, content)
        assert refused is None or (refused.reason and refused.do), content
        most = content.count(b"\n") + content.count(b"\r") + content.count(b"{") + 1
        assert rows is None or len(rows.rows) <= most, content
        assert time.process_time() - began < 2, content


RECORD = '{"NO": "S1", "BY": "DHL", "COST": 5}\n'
JSON_RECORDS = {
    "a key twice": '{"NO": "S2", "NO": "S3", "BY": "x", "COST": 1}',
    "depth 10,000": '{"NO": ' + "[" * 10_000 + "]" * 10_000 + "}",
    "NaN": '{"NO": "S2", "BY": "x", "COST": NaN}',
    "Infinity": '{"NO": "S2", "BY": "x", "COST": -Infinity}',
    "half a surrogate pair": '{"NO": "\\ud800", "BY": "x", "COST": 1}',
    "no object": '["S2", "x", 1]',
    "cut": '{"NO": "S2", "BY"',
}


@pytest.mark.parametrize("shape", JSON_RECORDS)
def test_json_record_of_an_odd_shape_is_rejected_and_the_others_are_read(
    shape: str, read: Reader, tmp_path: Path
) -> None:
    """B44: in a file of lines the record is rejected; an array with it is refused, or its other records are read."""
    rows = staged(read, tmp_path, "f.json", RECORD + JSON_RECORDS[shape] + "\n")
    assert found(rows) == RIGHT[:1]
    assert [one.row_no for source in rows.objects for one in source.broken] == [2]
    try:
        rows = staged(read, tmp_path, "f.json", f"[{RECORD.strip()}, {JSON_RECORDS[shape]}]")
    except SourceRefused:
        return
    assert found(rows) == RIGHT[:1]


def test_json_number_beyond_every_type_is_no_amount(read: Reader, tmp_path: Path) -> None:
    rows = staged(read, tmp_path, "f.json", RECORD + '{"NO": "S2", "BY": "x", "COST": 1e400}\n').rows
    assert [(row["shipment_id"], row["ok_freight_amount"]) for row in rows] == [("S1", True), ("S2", False)]


def test_parquet_file_damaged_at_any_place_is_refused_or_read_exactly(
    read: Reader, tmp_path: Path, tries: Tries
) -> None:
    """B44: the footer, the length of the footer and the magic word are cut, flipped or deleted."""
    path = tmp_path / "whole.parquet"
    names = {"NO": ["S1", "S2"], "BY": ["DHL", "UPS"], "COST": [5.0, 7.5]}
    pyarrow.parquet.write_table(pyarrow.table(names), path, write_page_checksum=True)
    whole = path.read_bytes()
    refused = 0
    for at in (*range(1, 12), 60, 200, 400):
        for damaged in (whole[:-at], whole[:-at] + bytes([whole[-at] ^ 0x55]) + whole[len(whole) - at + 1 :]):
            tries.add()
            rows, error = attempt(read, tmp_path, "f.parquet", damaged)
            refused += error is not None and bool(error.reason)
            assert rows is None or len(rows.rows) + sum(len(one.broken) for one in rows.objects) == 2
    assert refused > 20


def test_second_table_in_a_file_never_becomes_records(read: Reader, tmp_path: Path) -> None:
    """B24: its header, and its rows of another width, are rejected; the rows of the first table are read."""
    for second in ("\nREGION,TARGET\nNorth,95\nSouth,96\n", "\nREGION,TARGET,FROM,TO\nNorth,95,a,b\n"):
        try:
            rows = staged(read, tmp_path, "f.csv", HEADER + ROWS + second)
        except SourceRefused:
            continue
        assert found(rows) == RIGHT, second
        broken = [one.row_no for source in rows.objects for one in source.broken]
        assert len(broken) == second.count("\n") - 1, second


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_file_of_millions_of_rows_is_loaded_within_the_memory_limit(source: Source, tries: Tries) -> None:
    """B45: the run streams; its memory does not follow the file."""
    with (source.folder / "orders.csv").open("w") as file:
        file.write("no,customer,placed,promised\n")
        file.writelines(f"O{n},C{n % 999},2026-03-02,2026-03-10\n" for n in range(1, MANY_LINES // 5 + 1))
    with (source.folder / "order_lines.csv").open("w") as file:
        file.write("no,pos,item,qty\n")
        file.writelines(f"O{n // 5 + 1},{n % 5},P{n % 97},{n % 9 + 1}\n" for n in range(MANY_LINES))
    command = [sys.executable, str(ROOT / "buyerview.py"), "ingest", str(source.mapping())]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 4_000_000  # kilobytes
    with reading(source.location) as connection:
        assert ledger(connection)["order_lines.csv"] == (MANY_LINES, MANY_LINES, 0, 0)
    tries.add(MANY_LINES)
