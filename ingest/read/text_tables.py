"""Read Excel, JSON Lines and Parquet into text tables. Databases have their own module (database.py).

A text table has text columns and `_row_no`, the number of the record in its object. An empty text becomes null, as in
CSV. CSV files skip text tables unless a mapping's SQL needs their text (staging.py).
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow
from python_calamine import CalamineError, CalamineWorkbook

from ingest.errors import SourceRefused
from ingest.mapping.mapping_file import Origin
from ingest.read.csv_file import CHUNK, BrokenRecord
from ingest.storage.scratch_database import Connection, quoted, sql_literal

BATCH = 50_000
Record = Sequence[str | None]


@dataclass(frozen=True)
class TextTable:
    """A filled text table, and the records that could not be read."""

    columns: list[str]
    rows: int
    sha256: str
    broken: tuple[BrokenRecord, ...] = ()
    cursor: object = None
    """The highest value of the cursor column, as returned by the database."""


def as_text(value: object) -> str | None:
    """Return a value as text, as in a CSV file. Null and empty text give None."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def from_excel(connection: Connection, table: str, path: Path, origin: Origin, object_name: str) -> TextTable:
    """Read one sheet. Its first row is the header.

    Raises SourceRefused if the workbook cannot be read or the sheet does not exist.
    """
    try:
        book = CalamineWorkbook.from_path(path)
        if origin.sheet is None and len(book.sheet_names) > 1:
            raise SourceRefused(
                object_name,
                "",
                f"it has several sheets: {', '.join(book.sheet_names)}",
                f'Write sheet = "{book.sheet_names[0]}" in the mapping.',
            )
        sheet = origin.sheet or book.sheet_names[0]
        if sheet not in book.sheet_names:
            raise SourceRefused(
                object_name,
                "",
                f"no sheet {sheet!r}; it has {', '.join(book.sheet_names)}",
                "Correct `sheet` in the mapping.",
            )
        rows = book.get_sheet_by_name(sheet).iter_rows()
        header = [as_text(cell) or "" for cell in next(rows, [])]
    except CalamineError as error:
        raise SourceRefused(
            object_name, "", f"the workbook cannot be read ({error})", "Save it again as .xlsx."
        ) from None
    if not any(header):
        raise SourceRefused(object_name, "", "the sheet is empty", "Send it again with at least its header row.")
    refuse_repeated(header, object_name)
    filled = [position for position, one in enumerate(header) if one]
    columns = [header[position] for position in filled]
    records = (
        [as_text(row[position]) for position in filled] for row in rows if any(cell not in (None, "") for cell in row)
    )
    count = fill_table(connection, table, columns, enumerate(records, start=1))
    return TextTable(columns, count, file_hash(path))


def from_parquet(connection: Connection, table: str, path: Path, object_name: str) -> TextTable:
    """Read a Parquet file, every column as text. Raises SourceRefused if the file is damaged."""
    source = f"read_parquet({sql_literal(str(path))})"
    try:
        columns = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
        texts = ", ".join(f"NULLIF(CAST({quoted(one)} AS VARCHAR), '') AS {quoted(one)}" for one in columns)
        connection.execute(f"CREATE TABLE {quoted(table)} AS SELECT {texts} FROM {source}")
    except duckdb.Error as error:
        raise SourceRefused(
            object_name, "", f"the Parquet file cannot be read ({first_line(error)})", "Send the complete file again."
        ) from None
    connection.execute(f"ALTER TABLE {quoted(table)} ADD COLUMN _row_no BIGINT")
    connection.execute(f"UPDATE {quoted(table)} SET _row_no = rowid + 1")
    (count,) = connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone() or (0,)
    return TextTable(columns, count, file_hash(path))


def from_json_lines(connection: Connection, table: str, path: Path, object_name: str) -> TextTable:
    """Read one JSON object per line. Any other line is a broken record.

    Raises SourceRefused for an empty, undecodable or truncated file.
    """
    broken: list[BrokenRecord] = []
    data = path.read_bytes()
    if not data:
        raise SourceRefused(object_name, "", "the file is empty", "Send the file again.")
    if not data.endswith(b"\n"):
        raise SourceRefused(
            object_name,
            "last line",
            "it does not end with a line break, so the file may be cut",
            "Send the complete file again.",
        )
    try:
        lines = data.decode("utf-8-sig").split("\n")[:-1]
    except UnicodeDecodeError as error:
        raise SourceRefused(
            object_name, f"byte {error.start}", "not valid UTF-8", "Have it written as UTF-8."
        ) from None
    numbered: list[tuple[int, dict[str, str | None]]] = []
    columns: dict[str, None] = {}
    for row_no, line in enumerate((line for line in lines if line.strip()), start=1):
        try:
            record = json.loads(
                line, object_pairs_hook=_object, parse_float=str, parse_int=str, parse_constant=_no_constant
            )
            if not isinstance(record, dict):
                raise ValueError("not an object")
        except (ValueError, RecursionError) as error:
            broken.append(BrokenRecord(row_no, line, f"is not a JSON object: {error}"))
            continue
        columns.update(dict.fromkeys(record))
        numbered.append((row_no, {key: _json_text(value) for key, value in record.items()}))
    names = list(columns)
    refuse_repeated(names, object_name)
    fill_table(connection, table, names, ((row_no, [record.get(one) for one in names]) for row_no, record in numbered))
    return TextTable(names, len(numbered), hashlib.sha256(data).hexdigest(), tuple(broken))


def fill_table(connection: Connection, table: str, columns: list[str], records: Iterable[tuple[int, Record]]) -> int:
    """Create a text table and fill it with (row number, texts), in pieces. Returns the number of rows."""
    listed = "".join(f", {quoted(one)} VARCHAR" for one in columns)
    connection.execute(f"CREATE TABLE {quoted(table)} (_row_no BIGINT{listed})")
    count = 0
    rows = iter(records)
    while piece := list(islice(rows, BATCH)):
        arrays = [pyarrow.array([row_no for row_no, _ in piece], pyarrow.int64())]
        arrays += [
            pyarrow.array([record[position] for _, record in piece], pyarrow.string())
            for position in range(len(columns))
        ]
        connection.register(
            "piece", pyarrow.Table.from_arrays(arrays, names=[str(position) for position in range(len(arrays))])
        )
        connection.execute(f"INSERT INTO {quoted(table)} SELECT * FROM piece")
        connection.unregister("piece")
        count += len(piece)
    return count


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def refuse_repeated(columns: list[str], object_name: str) -> None:
    """Raise SourceRefused if two columns have the same name."""
    seen: set[str] = set()
    for one in columns:
        folded = one.strip().casefold()
        if folded and folded in seen:
            raise SourceRefused(
                object_name, "header", f"the column {one!r} occurs twice", "Give every column a unique name."
            )
        seen.add(folded)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key occurs twice")
    return result


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is not a JSON value")


def _json_text(value: object) -> str | None:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else as_text(value)


def first_line(error: object) -> str:
    """Return the first line of an error's message, shortened."""
    return str(error).strip().partition("\n")[0][:200]
