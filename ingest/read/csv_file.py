"""Read CSV files: the header and its place, the SQL of DuckDB's reader, and a strict reader in Python.

DuckDB reads regular files (csv_scan.py), and its rows are counted against the scan. Python's strict `csv` reads all
others: quotes inside fields, mixed line ends, blank lines, title and totals rows, encodings other than UTF-8.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import duckdb

from ingest.errors import SourceRefused
from ingest.mapping.file_kinds import default_delimiter
from ingest.mapping.mapping_file import Origin
from ingest.read import layout
from ingest.read.csv_scan import MOST_BYTES, open_bytes
from ingest.storage.scratch_database import Connection, quoted, sql_literal

LONGEST_FIELD = 1 << 26
"""Longest field that is read at all, in characters. A longer one comes from a quote that is never closed."""
SHOWN = 2000
"""Characters of a too long record that quarantine keeps."""
SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""First line that tells a spreadsheet the delimiter."""


@dataclass(frozen=True)
class BrokenRecord:
    """A record that cannot be read: its number, its text and its problem."""

    row_no: int
    raw: str
    problem: str


@dataclass(frozen=True)
class CsvLayout:
    """Where the records of a CSV start, and its columns."""

    header: tuple[str, ...]
    """All columns in order. An unnamed column has a blank name."""
    delimiter: str
    skip: int = 0
    """Lines above the header."""

    @property
    def columns(self) -> list[str]:
        """Columns that have a name."""
        return layout.named(self.header)

    def fit(self, record: list[str]) -> str | None:
        """Give a record the fields of the header. Returns the problem if it has others.

        Unnamed columns at the end may be missing, and empty fields may follow the last column.
        """
        fields, width = len(record), len(self.header)
        least = max(at for at, name in enumerate(self.header) if name.strip()) + 1
        if least <= fields < width:
            record += [""] * (width - fields)
        elif fields > width and not any(record[width:]):
            del record[width:]
        elif fields != width:
            return f"has {fields} fields, but the header has {width}"
        return None


class Parsed(NamedTuple):
    """A record as the strict reader sees it. Without cells it is broken."""

    row_no: int
    cells: list[str] | None
    raw: str = ""
    problem: str = ""


def delimiter_of(origin: Origin, name: str) -> str:
    """Return the delimiter of a file: as declared, or by its ending."""
    return origin.delimiter if "delimiter" in origin.model_fields_set else default_delimiter(name)


def find_layout(path: Path, origin: Origin, object_name: str, wanted: list[str]) -> CsvLayout:
    """Find the header. wanted: the columns that the mapping reads; the header is the first line that has them all.

    Raises SourceRefused for an unusable header.
    """
    delimiter, above = delimiter_of(origin, path.name), 0
    with open_text(path, origin) as text:
        lines = list(islice(text, layout.MOST_TITLE_ROWS * 4))
    separator = SEPARATOR.fullmatch(lines[0]) if lines else None
    if separator is not None:
        above = 1
        if "delimiter" in origin.model_fields_set and separator[1] != origin.delimiter:
            do = "Correct `delimiter` in the mapping, or remove the line."
            raise SourceRefused(object_name, "line 1", f"it says sep={separator[1]}, the mapping says otherwise", do)
        delimiter = separator[1]
    declared = layout.declared_header(origin)
    if declared is not None:
        above = declared
        if above >= len(lines):
            do = "Correct skip_rows or header_row in the mapping."
            raise SourceRefused(object_name, "", f"it has only {len(lines)} lines, so no header below line {above}", do)
    else:
        while above < len(lines) - 1 and not lines[above].strip("\r\n"):
            above += 1
        titles = (_one_record(lines[at:], origin, delimiter) for at in range(above, above + layout.MOST_TITLE_ROWS))
        above += layout.find_header(titles, wanted) or 0
    place = f"line {above + 1}"
    try:
        header = next(csv_reader(iter(lines[above:]), origin, delimiter), [])
    except csv.Error as error:
        raise SourceRefused(object_name, place, f"the header cannot be read ({error})", "Correct the header.") from None
    layout.check_header(header, object_name, place)
    layout.check_columns(layout.named(header), wanted, object_name, place)
    return CsvLayout(tuple(header), delimiter, above)


def _one_record(lines: list[str], origin: Origin, delimiter: str) -> list[str] | None:
    try:
        return next(csv_reader(iter(lines), origin, delimiter), None)
    except csv.Error:
        return None


@contextmanager
def open_text(path: Path, origin: Origin) -> Iterator[Iterator[str]]:
    """Open the lines of a file, decoded, with their line ends and without a byte order mark."""
    encoding = "utf-8-sig" if codecs.lookup(origin.encoding).name == "utf-8" else origin.encoding
    with open_bytes(path) as stream, io.TextIOWrapper(stream, encoding=encoding, newline="", errors="strict") as text:
        yield (line.removeprefix("\ufeff") if first else line for first, line in zip(_first(), text, strict=False))


def _first() -> Iterator[bool]:
    yield True
    while True:
        yield False


def csv_reader(text: Iterator[str], origin: Origin, delimiter: str) -> Iterator[list[str]]:
    """Return Python's strict CSV reader with the declared options."""
    csv.field_size_limit(LONGEST_FIELD)
    return csv.reader(
        text,
        delimiter=delimiter,
        quotechar=origin.quote or None,
        quoting=csv.QUOTE_MINIMAL if origin.quote else csv.QUOTE_NONE,
        escapechar=None if origin.escape in ("", origin.quote) else origin.escape,
        doublequote=origin.escape in ("", origin.quote),
        strict=True,
    )


def read_csv_sql(path: Path, found: CsvLayout, origin: Origin, names: dict[str, str]) -> str:
    """Return the SQL of a relation that reads a regular UTF-8 file, with every option declared.

    names: the name that each column of the file has in the relation. Broken records go to the table `rejects`.
    """
    types = ", ".join(f"'{position}': 'VARCHAR'" for position in range(len(found.header)))
    columns = ", ".join(
        f"{quoted(str(position))} AS {quoted(names[name])}"
        for position, name in enumerate(found.header)
        if name in names
    )
    compression = "gzip" if path.name.lower().endswith(".gz") else "none"
    return (
        f"(SELECT {columns} FROM read_csv({sql_literal(str(path))}, delim={sql_literal(found.delimiter)}, "
        f"quote={sql_literal(origin.quote)}, escape={sql_literal(origin.quote)}, header=true, auto_detect=false, "
        f"strict_mode=true, columns={{{types}}}, nullstr='', encoding='utf-8', "
        f"compression={sql_literal(compression)}, "
        "store_rejects=true, rejects_table='rejects', rejects_scan='reject_scans', rejects_limit=0))"
    )


def read_rejects(connection: Connection) -> list[tuple[int, str]]:
    """Return and delete the records that the last read rejected, as (line, text), one per line."""
    try:
        found = connection.execute("SELECT line, any_value(csv_line) FROM rejects GROUP BY line ORDER BY line")
    except duckdb.CatalogException:  # DuckDB creates the table with the first file
        return []
    rejects = found.fetchall()
    if rejects:
        connection.execute("DELETE FROM rejects; DELETE FROM reject_scans")
    return [(int(line), str(text)) for line, text in rejects]


def as_broken(line: int, text: str, found: CsvLayout, origin: Origin) -> BrokenRecord | None:
    """Return a rejected line as a broken record. None: the strict reader may read it."""
    raw = text.rstrip("\r\n")
    try:
        record = next(csv_reader(iter([raw]), origin, found.delimiter), [])
    except csv.Error:
        return None
    problem = found.fit(record)
    return None if problem is None else BrokenRecord(line - 1, raw, problem)


def strict_records(path: Path, origin: Origin, found: CsvLayout, object_name: str) -> Iterator[Parsed]:
    """Yield every record below the header, numbered from 1, as Python's strict `csv` reads it.

    Raises SourceRefused for a quote that is never closed.
    """
    width = len(found.header)
    row_no = 0
    with open_text(path, origin) as text:
        lines = _LineRecorder(text, found.skip)
        reader = csv_reader(lines, origin, found.delimiter)
        next(reader)
        while True:
            lines.forget()
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                row_no += 1
                _refuse_open_quote(error, object_name, lines.first)
                yield Parsed(row_no, None, lines.text(), f"cannot be read: {error}")
                continue
            if not record:
                continue
            row_no += 1
            if len(record) != width and (problem := found.fit(record)):
                yield Parsed(row_no, None, lines.text(), problem)
                continue
            if lines.size > MOST_BYTES and max(map(len, record)) > MOST_BYTES:
                if any(len(cell) > MOST_BYTES and "\n" in cell for cell in record):
                    _refuse_long_cell(object_name, lines.first)
                raw = f"{lines.text()[:SHOWN]} … ({lines.size:,} characters)"
                yield Parsed(row_no, None, raw, "has a cell larger than 64 KB")
                continue
            yield Parsed(row_no, record)


def _refuse_open_quote(error: csv.Error, object_name: str, line: int) -> None:
    if "unexpected end of data" in str(error):
        reason, do = "a quote opened here is never closed", "Close the quote, or send the complete file again."
        raise SourceRefused(object_name, f"line {line}", reason, do) from None
    if "field larger" in str(error):
        _refuse_long_cell(object_name, line)


def _refuse_long_cell(object_name: str, line: int) -> None:
    raise SourceRefused(
        object_name,
        f"line {line}",
        "a cell is larger than 64 KB",
        "Check the quotes in this line. One is probably missing.",
    ) from None


class _LineRecorder:
    """Iterate over the lines of a text below the first `skip`, and record the lines of the current CSV record."""

    def __init__(self, text: Iterator[str], skip: int) -> None:
        self._lines = islice(text, skip, None)
        self._held: list[str] = []
        self._number = skip

    def __iter__(self) -> "_LineRecorder":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._number += 1
        self._held.append(line)
        return line

    def forget(self) -> None:
        self._held.clear()

    def text(self) -> str:
        return "".join(self._held).rstrip("\r\n")

    @property
    def size(self) -> int:
        """Characters of the current record."""
        return sum(map(len, self._held))

    @property
    def first(self) -> int:
        """Number of the first line of the current record."""
        return self._number - len(self._held) + 1
