"""Read single records of a regular CSV file again, as they were sent, for the quarantine."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ingest.mapping.mapping_file import Origin
from ingest.read.csv_file import CsvLayout, csv_reader, strict_records
from ingest.read.csv_scan import CHUNK, open_bytes


def records_by_number(
    path: Path, origin: Origin, found: CsvLayout, wanted: set[int], *, by_line: bool
) -> dict[int, dict[str, str | None]]:
    """Return the original records with these numbers: column to text.

    by_line: record n is line n + 1, so the other lines need no parsing.
    """
    rows: Iterator[tuple[int, list[str]]]
    if by_line:
        texts = _lines(path, {row_no + 1 for row_no in wanted})
        rows = ((line - 1, next(csv_reader(iter([text]), origin, found.delimiter), [])) for line, text in texts)
    else:
        rows = _numbered(path, origin, found, wanted)
    return {
        row_no: {name: cell for name, cell in zip(found.header, row, strict=False) if name.strip()}
        for row_no, row in rows
    }


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
                    if position < len(queue) and queue[position] == number:
                        yield number, piece.decode("utf-8")  # the last line has no line end
                    break
                rest = piece
                continue
            number += len(ends)
            rest = piece[int(ends[-1]) + 1 :]


def _numbered(path: Path, origin: Origin, found: CsvLayout, wanted: set[int]) -> Iterator[tuple[int, list[str]]]:
    last = max(wanted, default=0)
    for parsed in strict_records(path, origin, found, path.name):
        if parsed.row_no in wanted and parsed.cells is not None:
            yield parsed.row_no, parsed.cells
        if parsed.row_no >= last:
            return
