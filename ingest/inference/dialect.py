"""Dialect of a text file: encoding, delimiter, the row of its header, its last line end. Nothing of its meaning."""

import codecs
import csv
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ingest.errors import SourceRefused
from ingest.mapping.file_kinds import default_delimiter, is_gzip
from ingest.read.csv_file import SEPARATOR
from ingest.read.csv_scan import open_bytes
from ingest.read.layout import MOST_TITLE_ROWS

SIGNS = ",;\t|"
LOOKED_AT = 1 << 18
"""Bytes of a file that decide its dialect."""
ROWS = 200
BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
VALUE = re.compile(r"[-+]?[\d.,:/ '%€$£-]*\d[\d.,:/ '%€$£TZ+-]*")
"""A cell that is a number or a date, and so no name of a column."""


@dataclass(frozen=True)
class Dialect:
    """Keys of the mapping that a file needs, the number of its header row, and notes for people."""

    keys: dict[str, object]
    header_row: int
    notes: tuple[str, ...]


def find_dialect(path: Path, name: str) -> Dialect:
    """Return the dialect of a text file. Raises SourceRefused if no row can be a header."""
    with open_bytes(path) as stream:
        start = stream.read(LOOKED_AT)
    if not start.strip():
        raise SourceRefused(name, "", "the file is empty", "Send the file again.")
    if start.startswith(b"%PDF") or (b"\0" in start and not start.startswith(BYTE_ORDER_MARKS)):
        do = "Export the records as CSV, Excel, Parquet or JSON."
        raise SourceRefused(name, "", "it is no text, whatever its name says (perhaps a picture or a PDF)", do)
    encoding, text, notes = _decoded(start)
    keys: dict[str, object] = {} if encoding == "utf-8" else {"encoding": encoding}
    lines = text.splitlines(keepends=True)
    if len(start) == LOOKED_AT:
        lines = lines[:-1]
    separator = SEPARATOR.fullmatch(lines[0]) if lines else None
    sign = separator[1] if separator else _delimiter(lines)
    rows: list[list[str | None]] = [
        [cell.strip() or None for cell in next(csv.reader([line], delimiter=sign), [])] for line in lines[:ROWS]
    ]
    above = header_row(rows)
    if above is None:
        do = "A table needs a row with the names of its columns."
        raise SourceRefused(name, "", "no row can be a header", do)
    if sign != default_delimiter(path.name) and not separator:
        keys["delimiter"] = sign
    if not is_gzip(path.name) and not path.read_bytes()[-2:].replace(b"\0", b"").endswith((b"\n", b"\r")):
        keys["final_newline"] = "optional"
        notes.append(f"{name}: its last line has no line end; check that the file is complete")
    return Dialect(keys, above + 1, tuple(notes))


def _decoded(start: bytes) -> tuple[str, str, list[str]]:
    if start.startswith(BYTE_ORDER_MARKS):
        return "utf-16", start.decode("utf-16", errors="ignore"), []
    try:
        return "utf-8", codecs.getincrementaldecoder("utf-8-sig")().decode(start), []
    except UnicodeDecodeError:
        return "cp1252", start.decode("cp1252", errors="replace"), ["not UTF-8, so it is read as Windows text (cp1252)"]


def _delimiter(lines: Sequence[str]) -> str:
    """Return the sign that gives most lines the same number of fields, above one."""
    best, found = 0.0, ","
    for sign in SIGNS:
        counts = Counter(
            fields for line in lines[:ROWS] if (fields := len(next(csv.reader([line], delimiter=sign), []))) > 1
        )
        if counts:
            fields, times = max(counts.items(), key=lambda item: item[0] * item[1])
            if times * fields > best:
                best, found = times * fields, sign
    return found


def header_row(rows: Sequence[Sequence[str | None]]) -> int | None:
    """Return the position of the header: the first row of different names that is as wide as the rows below it."""
    widths = [sum(1 for cell in row if cell) for row in rows]
    for at, row in enumerate(rows[:MOST_TITLE_ROWS]):
        cells = [cell for cell in row if cell]
        below = sorted(widths[at + 1 : at + 40])
        usual = below[len(below) // 2] if below else 0
        names = {cell.strip().casefold() for cell in cells}
        if len(cells) >= max(2, usual) and len(names) == len(cells) and not any(map(VALUE.fullmatch, cells)):
            return at
    return None


def first_part(path: Path, most: int) -> Path:
    """Return the file, or a copy of its first part up to a line end if it is larger than `most` bytes."""
    if is_gzip(path.name) or path.stat().st_size <= most:
        return path
    with path.open("rb") as stream:
        content = stream.read(most)
    handle, name = tempfile.mkstemp(suffix=path.suffix)
    with open(handle, "wb") as copy:
        copy.write(content[: content.rfind(b"\n") + 1])
    return Path(name)


def stem(name: str) -> str:
    """Return a file name without the part that counts or dates it: `orders_2024-03.csv` is `orders.csv`."""
    path = PurePath(name)
    plain = re.sub(r"[\W_]*\d[\d\W_]*$", "", path.name.removesuffix("".join(path.suffixes)))
    return f"{path.parent}/{plain or path.name}{path.suffix}".casefold()
