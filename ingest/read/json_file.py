"""Read JSON into a text table: one object per line, or one array of objects."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from ingest.errors import SourceRefused
from ingest.mapping.mapping_file import Origin
from ingest.read import layout
from ingest.read.csv_file import BrokenRecord
from ingest.read.csv_scan import read_chunks
from ingest.read.text_tables import TextTable, fill_table, is_unicode, marked_columns
from ingest.storage.scratch_database import Connection


def from_json(
    connection: Connection, table: str, path: Path, origin: Origin, object_name: str, *, wanted: Sequence[str]
) -> TextTable:
    """Read one JSON object per line, or an array of objects. Anything else is a broken record.

    wanted: the columns that the mapping reads. A key that no record has is a missing column.

    Raises SourceRefused for an empty, undecodable or truncated file.
    """
    data = b"".join(read_chunks(path, object_name))
    if not data.strip():
        raise SourceRefused(object_name, "", "the file is empty", "Send the file again.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceRefused(
            object_name, f"byte {error.start}", "not valid UTF-8", "Have it written as UTF-8."
        ) from None
    items = _array(text, object_name) if text.lstrip().startswith("[") else _lines(text, object_name)
    broken: list[BrokenRecord] = []
    numbered: list[tuple[int, dict[str, object]]] = []
    columns: dict[str, None] = {}
    for row_no, (item, raw) in enumerate(items, start=1):
        problem = item if isinstance(item, str) else _problem(item)
        if problem is not None or not isinstance(item, dict):
            broken.append(BrokenRecord(row_no, raw or json.dumps(item), f"is not a JSON object: {problem}"))
            continue
        columns.update(dict.fromkeys(item))
        numbered.append((row_no, {key: _value(value) for key, value in item.items()}))
    if not numbered:
        columns.update(dict.fromkeys(wanted))
    if columns:
        layout.check_header(list(columns), object_name, "keys")
    names, typed = layout.named(list(columns)), dict[str, str]()
    rows = ((row_no, [record.get(name) for name in names]) for row_no, record in numbered)
    marked = marked_columns(origin) & set(names)
    fill_table(connection, table, names, rows, marked=marked, typed=typed)
    sha256 = hashlib.sha256(data).hexdigest()
    return TextTable(names, len(numbered), sha256, tuple(broken), marked=marked, typed=typed)


def _lines(text: str, object_name: str) -> Iterator[tuple[object, str]]:
    """Yield each line as an object, or as the text of its problem, and the line itself."""
    if not text.endswith("\n"):
        raise SourceRefused(
            object_name,
            "last line",
            "it does not end with a line break, so the file may be cut",
            "Send the complete file again.",
        )
    for line in text.split("\n")[:-1]:
        if line.strip():
            try:
                yield json.loads(line, object_pairs_hook=_object, parse_constant=_no_constant), line
            except (ValueError, RecursionError) as error:
                yield str(error) or "it cannot be read", line


def _array(text: str, object_name: str) -> Iterator[tuple[object, str]]:
    try:
        items = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        place = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise SourceRefused(
            object_name, place, f"the JSON array cannot be read ({error})", "Send the complete file again."
        ) from None
    yield from ((item if isinstance(item, dict) else f"found {type(item).__name__}", "") for item in items)


def _problem(item: object) -> str | None:
    if not isinstance(item, dict):
        return "not an object"
    texts = [*item, *(one for one in item.values() if isinstance(one, str))]
    return None if all(map(is_unicode, texts)) else "a text is half of a surrogate pair"


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key occurs twice")
    return result


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is not a JSON value")


def _value(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
