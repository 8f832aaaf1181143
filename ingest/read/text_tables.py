"""Text tables: records as text, with a mark at the values that arrived typed.

A text table has text columns and `_row_no`, the number of the record in its object. An empty text becomes null, as in
CSV. `typed:NAME` marks the values of column NAME that arrived as numbers, dates or truth values, so that formats of the
mapping do not touch them. CSV files skip text tables if DuckDB can read them (staging.py).
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pyarrow

from ingest.errors import SourceRefused
from ingest.mapping.columns import text_column, typed_column
from ingest.mapping.mapping_file import FeedMap, Origin
from ingest.read.csv_file import BrokenRecord
from ingest.read.csv_scan import CHUNK
from ingest.read.cursors import Tail
from ingest.storage.scratch_database import Connection, quoted

BATCH = 50_000
Record = Sequence[object]
TEXT, EXACT, FLOAT = None, 1, 2
"""Marks: a text; a typed value; a binary float, which is rounded to the decimals of its column."""


@dataclass(frozen=True)
class TextTable:
    """A filled text table, and the records that could not be read."""

    columns: list[str]
    rows: int
    sha256: str
    broken: tuple[BrokenRecord, ...] = ()
    cursor: object = None
    """The highest value of the cursor column, as returned by the database."""
    tail: Tail | None = None
    """The rows at the highest cursor of a pull; None if it is no pull."""
    marked: frozenset[str] = frozenset()
    """Columns that have marks."""
    typed: dict[str, str] = field(default_factory=dict)
    """A column with typed fractions ("number") and one with typed dates ("date"), if there are such."""
    notes: tuple[str, ...] = ()
    """Notes for the report about what was skipped."""
    footer: str = ""
    """First text of the rows below the records that were skipped, for example Total."""


def as_text(value: object) -> str | None:
    """Return a value as text, as in a CSV file. Null, empty text and "not a number" give None.

    A float is the shortest decimal that gives it. Whole numbers have no decimals, so a key reads 1001 and not 1001.0.
    """
    if isinstance(value, str):
        return value or None
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        return _number_text(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _number_text(value: float | Decimal) -> str | None:
    if value != value:
        return None
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not exact.is_finite():
        return str(value)
    return format(int(exact) if exact == exact.to_integral_value() else exact, "f" if exact % 1 else "d")


def mark(value: object) -> int | None:
    """Return the mark of a value."""
    if value is None or isinstance(value, str):
        return TEXT
    return FLOAT if isinstance(value, float) else EXACT


def marked_columns(origin: Origin) -> frozenset[str]:
    """Return the source columns whose values need marks: those that the mapping converts."""
    if not isinstance(origin, FeedMap):
        return frozenset()
    return frozenset(column.column for column in origin.columns.values() if column.column is not None)


def fill_table(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    records: Iterable[tuple[int, Record]],
    *,
    marked: Collection[str] = (),
    typed: dict[str, str] | None = None,
) -> int:
    """Create a text table and fill it with (row number, values), in pieces. Returns the number of rows.

    marked: the columns that get marks. typed: receives names of columns with typed fractions and dates.
    """
    names = [text_column(column) for column in columns]
    marks = [position for position, one in enumerate(columns) if one in marked]
    listed = "".join(f", {quoted(one)} VARCHAR" for one in names)
    listed += "".join(f", {quoted(typed_column(columns[position]))} TINYINT" for position in marks)
    connection.execute(f"CREATE TABLE {quoted(table)} (_row_no BIGINT{listed})")
    count = 0
    rows = iter(records)
    while piece := list(islice(rows, BATCH)):
        values = [[record[position] for _, record in piece] for position in range(len(columns))]
        arrays = [pyarrow.array([row_no for row_no, _ in piece], pyarrow.int64())]
        arrays += [_text_array(one, name) for one, name in zip(values, columns, strict=True)]
        arrays += [pyarrow.array(list(map(mark, values[position])), pyarrow.int8()) for position in marks]
        if typed is not None:
            for one, name in zip(values, columns, strict=True):
                note_typed(one, name, typed)
        connection.register(
            "piece", pyarrow.Table.from_arrays(arrays, names=[str(position) for position in range(len(arrays))])
        )
        connection.execute(f"INSERT INTO {quoted(table)} SELECT * FROM piece")
        connection.unregister("piece")
        count += len(piece)
    return count


def note_typed(values: Iterable[object], column: str, typed: dict[str, str]) -> None:
    """Note the column if it has typed fractions or dates. Formats of a mapping's SQL would misread these."""
    for value in values:
        if isinstance(value, float | Decimal) and value % 1:
            typed.setdefault("number", column)
        elif isinstance(value, date):
            typed.setdefault("date", column)


# Any: pyarrow ships no types
def _text_array(values: list[object], column: str) -> "pyarrow.Array":
    texts = [as_text(value) for value in values]
    try:
        return pyarrow.array(texts, pyarrow.string())
    except UnicodeEncodeError:
        wrong = next(text for text in texts if text and not is_unicode(text))
        raise SourceRefused(
            "A record", f"column {column!r}", f"the text {wrong!r:.60} is not valid Unicode", "Correct the text."
        ) from None


def is_unicode(text: str) -> bool:
    """Return False for a text with half of a surrogate pair. It has no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def refuse_repeated(columns: Sequence[str], object_name: str) -> None:
    """Raise SourceRefused if two columns have the same name."""
    seen: set[str] = set()
    for column in columns:
        folded = column.strip().casefold()
        if folded and folded in seen:
            raise SourceRefused(
                object_name, "header", f"the column {column!r} occurs twice", "Give every column a unique name."
            )
        seen.add(folded)


def first_line(error: object) -> str:
    """Return the first line of an error's message, shortened."""
    return str(error).strip().partition("\n")[0][:200]
