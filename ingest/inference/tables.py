"""Tables found in files: their columns, and the counts of their values. Read with the readers of ingest/read."""

import csv
import fnmatch
import glob
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest.errors import SourceRefused
from ingest.inference import dialect
from ingest.inference.evidence import Profile, profile
from ingest.mapping.file_kinds import kind_of
from ingest.mapping.mapping_file import FeedMap
from ingest.read.csv_file import find_layout
from ingest.read.csv_table import csv_to_table
from ingest.read.reader_process import ReaderProcess
from ingest.read.text_tables import TextTable
from ingest.storage.scratch_database import Connection, quoted

MOST_FILES = 500
MOST_BYTES = 64 << 20
"""Bytes of a text file that are read. The rest is not looked at."""


@dataclass(frozen=True)
class Found:
    """A table: files with the same columns, a sheet, or a table of a database."""

    name: str
    """Name for people, and for comparison with the names of feeds."""
    relation: str
    """Its table in the scratch database, all columns as text."""
    origin: dict[str, object]
    """Keys of the mapping that read it."""
    rows: int
    columns: dict[str, Profile]
    notes: tuple[str, ...] = ()
    layout: dict[str, object] = field(default_factory=dict)
    """Keys of the mapping that only a SELECT over the table needs: header_row, footer. Feeds find them themselves."""
    sql_names: dict[str, str] = field(default_factory=dict)
    """Names of the columns in the SQL of their database. Empty for files."""

    def read(self, columns: Iterable[str], key: Iterable[str]) -> dict[str, object]:
        """Return the keys of the mapping that read these columns. A query is ordered by the columns of the key."""
        if not self.sql_names:
            return self.origin
        listed = ", ".join(self.sql_names[column] for column in dict.fromkeys(columns))
        order = ", ".join(self.sql_names[column] for column in key)
        query = str(self.origin["query"]).replace("select *", f"select {listed}", 1)
        return {**self.origin, "query": f"{query} order by {order}" if order else query}


@dataclass
class Search:
    """Tables found so far, and the files that are no tables, with the reason."""

    connection: Connection
    folder: Path
    readers: ReaderProcess
    tables: list[Found] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)
    relations: int = 0
    """Tables of the scratch database that are in use."""


def find_tables(connection: Connection, folder: Path, paths: Sequence[Path], readers: ReaderProcess) -> Search:
    """Read the tables of all files. `folder` is where the mapping's relative paths start."""
    search = Search(connection, folder, readers)
    for path in paths[:MOST_FILES]:
        name = path.relative_to(folder).as_posix()
        kind = kind_of(path.name)
        try:
            if kind == "csv":
                _add_csv(search, path, name)
            elif kind == "excel":
                for sheet, several in _sheets(search, path, name):
                    _add_sheet(search, path, name, sheet, several=several)
            elif kind in ("parquet", "json"):
                _add_plain(search, path, name)
            else:
                search.unusable[name] = "no table: its ending is unknown"
        except SourceRefused as error:
            search.unusable[error.object_name] = f"{error.reason}. {error.do}"
        except UnicodeError:
            search.unusable[name] = "it is neither UTF-8, UTF-16 nor Windows text (cp1252). Save it as UTF-8."
        except (OSError, csv.Error) as error:
            search.unusable[name] = f"it cannot be read ({error})"
    search.tables = merged(connection, search.tables)
    return search


def _add_csv(search: Search, path: Path, name: str) -> None:
    found = dialect.find_dialect(path, name)
    origin = FeedMap.model_validate({"read": name, **found.keys, "header_row": found.header_row})
    sample = dialect.first_part(path, MOST_BYTES)
    try:
        layout = find_layout(sample, origin, name, [])
        marked = FeedMap.model_validate({**origin.model_dump(exclude_defaults=True), "columns": {}})
        relation = _next_relation(search)
        table = csv_to_table(
            search.connection, relation, sample, marked, layout, name, sha256="", needed=list(layout.columns)
        )
    finally:
        if sample != path:
            sample.unlink()
    _add(search, name, relation, {"read": [name], **found.keys}, table, found.notes, found.header_row)


def _sheets(search: Search, path: Path, name: str) -> list[tuple[str, bool]]:
    names = search.readers.sheet_names(path, name)
    return [(one, len(names) > 1) for one in names]


def _add_sheet(search: Search, path: Path, name: str, sheet: str, *, several: bool) -> None:
    shown = f"{name}, sheet {sheet}" if several else name
    origin = FeedMap(read=(name,), sheet=sheet)
    head = search.readers.first_rows(path, origin, shown)
    above = dialect.header_row(head)
    if above is None:
        search.unusable[shown] = "no table: no row has a different name for each column"
        return
    columns = [one for one in head[above] if one]
    declared = FeedMap.model_validate(
        {
            "read": name,
            "sheet": sheet,
            "header_row": above + 1,
            "columns": {column: {"from": column} for column in columns},
        }
    )
    relation = _next_relation(search)
    table = search.readers.read_table(
        search.connection, relation, path, declared, shown, wanted=columns, needed=columns
    )
    keys: dict[str, object] = {"read": [name], "sheet": sheet} if several else {"read": [name]}
    _add(search, f"{sheet}" if several else name, relation, keys, table, (), above + 1, shown=shown)


def _add_plain(search: Search, path: Path, name: str) -> None:
    """Read a Parquet or JSON file twice: its columns, then its values with marks."""
    relation = _next_relation(search)

    def read(origin: FeedMap) -> TextTable:
        search.connection.execute(f"DROP TABLE IF EXISTS {quoted(relation)}")
        return search.readers.read_table(search.connection, relation, path, origin, name)

    columns = read(FeedMap(read=(name,))).columns
    marked = FeedMap.model_validate({"read": name, "columns": {column: {"from": column} for column in columns}})
    _add(search, name, relation, {"read": [name]}, read(marked), ())


def _next_relation(search: Search) -> str:
    search.relations += 1
    return f"table {search.relations}"


def _add(
    search: Search,
    name: str,
    relation: str,
    origin: dict[str, object],
    table: TextTable,
    notes: tuple[str, ...],
    header_row: int = 1,
    *,
    shown: str | None = None,
) -> None:
    if not table.rows:
        search.unusable[shown or name] = "no records"
        return
    columns = {
        column: profile(search.connection, relation, column, marked=column in table.marked) for column in table.columns
    }
    layout: dict[str, object] = {"header_row": header_row} if header_row > 1 else {}
    if table.footer:
        layout["footer"] = table.footer.split()[0]
    search.tables.append(Found(name, relation, origin, table.rows, columns, (*notes, *table.notes), layout))


def merged(connection: Connection, tables: Sequence[Found]) -> list[Found]:
    """Return the tables, those with the same columns and similar file names as one."""
    groups: dict[tuple[object, ...], list[Found]] = {}
    for table in tables:
        keys = {key: value for key, value in table.origin.items() if key not in ("read", "final_newline")}
        stem = dialect.stem(table.name) if "read" in table.origin else table.name
        groups.setdefault((stem, tuple(table.columns), str(keys)), []).append(table)
    found = [group[0] if len(group) == 1 else _as_one(connection, group) for group in groups.values()]
    everything = {name for table in tables for name in _names(table)}
    return [replace(one, origin={**one.origin, **_patterns(one, everything)}) for one in found]


def _patterns(table: Found, everything: Collection[str]) -> dict[str, list[str]]:
    """Return `read` as one pattern for files that are counted or dated, so that the next one is read as well.

    A pattern that another file found matches is not used. Single names are written so that they match only themselves.
    """
    listed = list(_names(table))
    if not listed:
        return {}
    start, end = _shared_start(listed), _shared_start([name[::-1] for name in listed])[::-1]
    counted = re.match(r".*?[^\W\d][\W_]?(?=[\d\W_]*$)", start)
    for first in (counted[0] if counted else start, start):
        pattern = f"{glob.escape(first)}*{glob.escape(end)}"
        matched = {name for name in everything if fnmatch.fnmatchcase(name, pattern)}
        if len(listed) > 1 and first and matched == set(listed):
            return {"read": [pattern]}
    return {"read": [glob.escape(name) for name in listed]}


def _shared_start(names: Sequence[str]) -> str:
    """Return the letters with which all names start."""
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in alike)


def _as_one(connection: Connection, group: Sequence[Found]) -> Found:
    relation = f"{group[0].relation} and others"
    parts = " UNION ALL BY NAME ".join(f"SELECT * FROM {quoted(one.relation)}" for one in group)
    connection.execute(f"CREATE TABLE {quoted(relation)} AS {parts}")
    origin = dict(group[0].origin)
    for one in group[1:]:
        origin.update({key: value for key, value in one.origin.items() if key not in origin})
    origin["read"] = [name for one in group for name in _names(one)]
    marked = {str(row[0]) for row in connection.execute(f"DESCRIBE {quoted(relation)}").fetchall()}
    columns = {
        column: profile(connection, relation, column, marked=f"typed:{column}" in marked) for column in group[0].columns
    }
    notes = tuple(note for one in group for note in one.notes)
    rows, layout = sum(one.rows for one in group), group[0].layout
    return Found(group[0].name, relation, origin, rows, columns, notes, layout)


def _names(table: Found) -> Iterator[str]:
    read = table.origin.get("read")
    if isinstance(read, list):
        yield from (str(one) for one in read)
