"""Read single records of a CSV file again, as they were sent, for the quarantine."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ingest.mapping.mapping_file import Origin
from ingest.read.csv_file import CHUNK, csv_reader, open_bytes, text_encoding


def records_by_number(
    path: Path, origin: Origin, wanted: set[int], *, by_line: bool
) -> dict[int, dict[str, str | None]]:
    """Return the original records with these numbers: column to text.

    by_line: record n is line n + 1, so the other lines need no parsing.
    """
    with open_bytes(path) as stream, io.TextIOWrapper(stream, encoding=text_encoding(origin), newline="") as text:
        names = next(csv_reader(text, origin))
    if by_line:
        texts = _lines(path, {row_no + 1 for row_no in wanted})
        rows = ((line - 1, next(csv_reader(iter([text]), origin), [])) for line, text in texts)
        return {row_no: dict(zip(names, row, strict=False)) for row_no, row in rows}
    return _numbered(path, origin, names, wanted)


def _lines(path: Path, wanted: set[int]) -> Iterator[tuple[int, str]]:
    """Yield the lines with these numbers (from 1) of a UTF-8 file."""
    queue = sorted(wanted)
    number, rest, position = 1, b"", 0
    with open_bytes(path) as stream:
        while position < len(queue) and (piece := rest + stream.read(CHUNK)):
            ends = np.flatnonzero(np.frombuffer(piece, np.uint8) == 0x0A)
            while position < len(queue) and queue[position] - number < len(ends):
                at = queue[position] - number
                start = int(ends[at - 1]) + 1 if at else 0
                yield queue[position], piece[start : int(ends[at])].rstrip(b"\r").decode("utf-8")
                position += 1
            if not len(ends):
                if len(piece) == len(rest):
                    break
                rest = piece
                continue
            number += len(ends)
            rest = piece[int(ends[-1]) + 1 :]


def _numbered(path: Path, origin: Origin, names: list[str], wanted: set[int]) -> dict[int, dict[str, str | None]]:
    records: dict[int, dict[str, str | None]] = {}
    row_no, last = 0, max(wanted, default=0)
    with open_bytes(path) as stream, io.TextIOWrapper(stream, encoding=text_encoding(origin), newline="") as text:
        reader = csv_reader(text, origin)
        next(reader)
        while row_no < last:
            try:
                record = next(reader)
            except StopIteration:
                break
            except csv.Error:
                row_no += 1
                continue
            if not record:
                continue
            row_no += 1
            if row_no in wanted:
                records[row_no] = dict(zip(names, record, strict=False))
    return records
