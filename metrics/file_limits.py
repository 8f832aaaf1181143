"""Limits of files that unpack to much more than their size: zip archives, workbooks, Parquet.

A file of a few kilobytes can unpack to gigabytes, or make a reader allocate a cell for every place between two cells.
The limits are far above what honest files need.
"""

import re
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

RATIO = 200
"""Largest ratio of unpacked to packed bytes. Records unpack to 5 to 50 times, a bomb to 1,000 times."""
FLOOR = 1 << 26
"""Up to this many unpacked bytes the ratio is not checked."""
UNPACKED = 4 << 30
"""Unpacked bytes of a whole archive."""
CELLS = 60_000_000
"""Cells of the rectangle that contains all cells of a sheet: a reader allocates each of them."""
SPARSE_CELLS = 5_000_000
SPARSE = 50
"""A rectangle above SPARSE_CELLS may have this many places for each of its cells."""
SHARED_TEXTS = 20_000_000
SHARED_TEXT_BYTES = 200_000
"""Bytes of a text that several cells share. Excel allows 32,767 characters."""
PARQUET_VALUES = 50_000_000
PARQUET_VALUES_PER_BYTE = 50
"""Values of a Parquet file, and values per byte of it above that."""

_CELL = re.compile(rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3})(\d{1,7})"')
_TEXT_END = re.compile(rb"</(?:\w+:)?si>|<(?:\w+:)?si/>")
_CHUNK = 1 << 20


class TooLargeError(ValueError):
    """A file unpacks to more than the limits. The message says what is too large."""


def check_zip(file: Path | BinaryIO) -> None:
    """Check the sizes of an archive's members. Raises TooLargeError, and BadZipFile or OSError if it cannot be read."""
    with zipfile.ZipFile(file) as archive:
        _check_sizes(archive)


def check_workbook(file: Path | BinaryIO) -> None:
    """Check a workbook before a reader opens it. Raises as `check_zip`."""
    with zipfile.ZipFile(file) as archive:
        _check_sizes(archive)
        for member in archive.infolist():
            if member.filename.endswith("sharedStrings.xml"):
                _check_shared_texts(archive, member)
            elif "/worksheets/" in f"/{member.filename}" and member.filename.endswith(".xml"):
                _check_sheet(archive, member)


def check_parquet(rows: int, columns: int, size: int) -> None:
    """Check the number of values of a Parquet file of `size` bytes. Raises TooLargeError."""
    values = rows * max(columns, 1)
    if values > PARQUET_VALUES and values > size * PARQUET_VALUES_PER_BYTE:
        raise TooLargeError(f"it has {values:,} values in {size:,} bytes")


def _check_sizes(archive: zipfile.ZipFile) -> None:
    total = 0
    for member in archive.infolist():
        total += member.file_size  # reading stops there, so a wrong size cannot exceed the limits
        if member.file_size > max(FLOOR, member.compress_size * RATIO):
            raise TooLargeError(f"{member.filename} unpacks to more than {RATIO} times its size")
    if total > UNPACKED:
        raise TooLargeError(f"it unpacks to {total / 1e9:.1f} GB, and the limit is {UNPACKED / 1e9:.1f} GB")


def _check_shared_texts(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    texts = 0
    with archive.open(member) as stream:
        rest = b""
        while piece := stream.read(_CHUNK):
            content = rest + piece
            ends = [found.end() for found in _TEXT_END.finditer(content)]
            texts += len(ends)
            longest = max((end - start for start, end in pairwise([0, *ends])), default=0)
            rest = content[ends[-1] :] if ends else content
            if max(longest, len(rest)) > SHARED_TEXT_BYTES:
                raise TooLargeError("a text is longer than a cell can be")
            if texts > SHARED_TEXTS:
                raise TooLargeError(f"it has more than {SHARED_TEXTS:,} shared texts")


def _check_sheet(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    cells = 0
    rows: set[int] = set()
    columns: set[bytes] = set()
    last = (b"", b"")
    with archive.open(member) as stream:
        rest = b""
        while piece := stream.read(_CHUNK):
            content = rest + piece
            found = _CELL.findall(content)
            rest = content[content.rfind(b"<") :][:1_000]
            if found:
                cells += len(found)
                columns.update({column for column, _ in found})
                rows.update((int(found[0][1]), max(int(row) for row in {row for _, row in found})))
                last = max(found, key=lambda cell: (len(cell[1]), cell[1], len(cell[0]), cell[0]))
    if not cells:
        return
    area = (max(rows) - min(rows) + 1) * (max(map(_column_number, columns)))
    place = b"".join(last).decode()
    if area > CELLS:
        raise TooLargeError(f"the sheet {member.filename} reaches over {area:,} cells, up to {place}")
    if area > SPARSE_CELLS and area > cells * SPARSE:
        raise TooLargeError(
            f"the sheet {member.filename} has {cells:,} cells, but reaches over {area:,}, up to {place}"
        )


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
