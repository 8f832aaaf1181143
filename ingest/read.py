"""Source objects to typed staging: `stage_<feed>` in the scratch database, one row per record that could be read.

A CSV goes there in one pass; everything else, and whatever a mapping's SQL works on, through a text table first. A staged row's number in
its object is `rowid + _shift`, so that no number is worked out per row. No rule is judged here. Source: faults 3.3, speed S1.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from ingest import csv_file, sandbox, text_tables
from ingest.csv_file import Broken, Look
from ingest.errors import MappingRefused, SourceRefused
from ingest.mapping import Staged, sql_column, staging
from ingest.scratch import MEMORY, Connection, Scratch, literal, name
from ingest.source import ColumnMap, FeedMap, Mapping, Origin, connection_url, mappable, nearest, required
from metrics.failpoint import failpoint
from metrics.schema import FEEDS

log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
"""Called with what is being done and how far it is (0..1)."""


@dataclass(frozen=True)
class SourceObject:
    """One source object given to one feed."""

    number: int
    """Its place in this run, from 0: `_object` of the staged rows."""
    feed: str
    name: str
    sha256: str
    rows_staged: int
    rows_in: int
    broken: tuple[Broken, ...] = ()
    origin: Origin | None = None
    path: Path | None = None
    text_table: str | None = None
    lines_are_records: bool = False
    """True: record n of this CSV is its line n + 1, so that a record is found without reading the others."""
    cursor: Any = None


@dataclass
class Reading:
    """What one run has read so far."""

    mapping: Mapping
    folder: Path
    scratch: Scratch
    connection: Connection
    cursors: dict[str, Any] = field(default_factory=dict)
    seen: Callable[[str, str, str], int | None] = lambda *_: None
    """(feed, name, sha256) to the rows of an object that need not be read again, or None."""
    objects: list[SourceObject] = field(default_factory=list)
    repeated: list[SourceObject] = field(default_factory=list)
    selected: dict[str, FeedMap] = field(default_factory=dict)
    """Mappings completed by the columns a SELECT returned."""
    states: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Size and time of change of each file before any of it was read."""
    tables: int = 0

    def next_table(self) -> str:
        """A name no text table of this run has."""
        self.tables += 1
        return f"text_{self.tables}"


def read_all(reading: Reading, progress: Progress) -> None:
    """Stage every feed of the mapping. Raises SourceRefused or MappingRefused; then nothing of the run counts."""
    mapping = reading.mapping
    files = _looked_at(reading)
    staged = _stage_for_sandbox(reading, files) if _needs_sandbox(mapping) else {}
    for position, (feed, feed_map) in enumerate(mapping.feeds.items()):
        progress(f"read {feed}", position / len(mapping.feeds))
        _create_staging(reading.connection, feed, feed_map, mapping.time_zone)
        if feed in staged:
            _take_text(reading, feed, staged[feed])
        elif feed_map.connection:
            _take_text(reading, feed, [_pull(reading, feed, feed_map)])
        else:
            for path, shown, look in files[feed]:
                _take_file(reading, feed, feed_map, path, shown, look)
        failpoint("ingest.read")
    _refuse_changed(reading, files)
    progress("read", 1.0)


# --- which files ------------------------------------------------------------------------------------------------------------------------

Files = dict[str, list[tuple[Path, str, "Future[Look] | None"]]]


def _looked_at(reading: Reading) -> Files:
    """Every feed's files, each CSV with the look at its bytes, taken one ahead of the reading."""
    pool = ThreadPoolExecutor(max_workers=1)
    looks: dict[tuple[Path, str], Future[Look]] = {}
    result: Files = {}
    origins: list[tuple[str, Origin]] = [
        *((f"staged.{one}", origin) for one, origin in reading.mapping.staged.items()),
        *reading.mapping.feeds.items(),
    ]
    for key, origin in origins:
        result[key] = []
        for path in find_files(reading.folder, origin, key):
            shown = str(path.relative_to(reading.folder.resolve()))
            reading.states.setdefault(path, _state(path))
            look = None
            if path.name.endswith((".csv", ".csv.gz")):
                about = (path, f"{origin.encoding} {origin.final_newline}")
                if about not in looks:
                    looks[about] = pool.submit(csv_file.look, path, origin, shown)
                look = looks[about]
            result[key].append((path, shown, look))
    pool.shutdown(wait=False)
    return result


def find_files(folder: Path, origin: Origin, key: str) -> list[Path]:
    """The regular files inside `folder` an origin names, sorted. Raises SourceRefused where a pattern finds none."""
    root = folder.resolve()
    result: list[Path] = []
    for pattern in origin.read:
        found = sorted(path.resolve() for path in root.glob(pattern))
        found = [path for path in found if path.is_file() and path.is_relative_to(root)]
        if not found:
            raise SourceRefused(pattern, "", f"[{key}] finds no such file in {folder}", "Give the folder with --data, or put `read` right.")
        result.extend(found)
    return list(dict.fromkeys(result))


def _state(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns


def _refuse_changed(reading: Reading, files: Files) -> None:
    """Raises SourceRefused for a file that is another one than when the run began to read: whoever writes it had not finished."""
    for found in files.values():
        for path, shown, _ in found:
            if not path.exists() or _state(path) != reading.states[path]:
                do = "Have it written under another name and renamed when it is whole; the next run reads it."
                raise SourceRefused(shown, "", "it was changed while it was being read", do)


# --- straight to typed staging ----------------------------------------------------------------------------------------------------------


def _create_staging(connection: Connection, feed: str, feed_map: FeedMap, time_zone: str) -> None:
    columns = staging(feed, feed_map, time_zone=time_zone, suspicious=True)
    listed = ", ".join(f"{name(one.name)} {one.kind}" for one in columns)
    connection.execute(f"CREATE TABLE {name(table_of(feed))} ({listed}, _object BIGINT, _shift BIGINT)")


def table_of(feed: str) -> str:
    """The feed's staging table."""
    return f"stage_{feed}"


def _take_file(reading: Reading, feed: str, feed_map: FeedMap, path: Path, shown: str, look: "Future[Look] | None") -> None:
    if look is not None:
        _take_csv(reading, feed, feed_map, path, shown, look.result())
        return
    sha256 = text_tables.file_hash(path)
    rows = reading.seen(feed, shown, sha256)
    if rows is not None:
        reading.repeated.append(SourceObject(-1, feed, shown, sha256, rows, rows))
        return
    table = reading.next_table()
    read = _to_text(reading.connection, table, path, feed_map, shown)
    _take_text(reading, feed, [_Text(table, shown, read.sha256, read.columns, read.rows, read.broken, path=path, origin=feed_map)])


def _take_csv(reading: Reading, feed: str, feed_map: FeedMap, path: Path, shown: str, look: Look) -> None:
    rows = reading.seen(feed, shown, look.sha256)
    if rows is not None:
        reading.repeated.append(SourceObject(-1, feed, shown, look.sha256, rows, rows))
        return
    head = csv_file.header(path, feed_map, shown)
    csv_file.check_columns(head, [one.column for one in feed_map.columns.values() if one.column is not None], shown)
    number, first = len(reading.objects), _count(reading.connection, table_of(feed))
    columns = staging(feed, feed_map, time_zone=reading.mapping.time_zone, suspicious=look.suspicious)
    done = _load_directly(reading, feed, path, head, feed_map, look, columns, number, first)
    plain = done is not None
    if done is None:
        done = _load_by_referee(reading, feed, path, head, feed_map, shown, columns, number, first)
    good, broken = done
    reading.objects.append(
        SourceObject(
            number,
            feed,
            shown,
            look.sha256,
            good + len(broken),
            good + len(broken),
            tuple(broken),
            origin=feed_map,
            path=path,
            lines_are_records=plain and good + len(broken) == look.newlines - 1,
        )
    )
    if good + len(broken) == 0:
        log.warning("%s holds a header and no records", shown)


def _load_directly(
    reading: Reading,
    feed: str,
    path: Path,
    head: list[str],
    origin: Origin,
    look: Look,
    columns: list[Staged],
    number: int,
    first: int,
) -> tuple[int, list[Broken]] | None:
    """One pass of the engine's reader. None: it met something it cannot number exactly, and the referee has to read."""
    connection = reading.connection
    if origin.encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        return None
    connection.execute("BEGIN")
    try:
        _insert(connection, feed, columns, csv_file.relation(path, head, origin), number, f"{1 - first}")
        rejects = csv_file.take_rejects(connection)
    except duckdb.Error as error:
        log.info("%s: the engine gave up (%s); reading it record by record", path.name, str(error).partition("\n")[0])
        connection.execute("ROLLBACK")
        return None
    good = _count(connection, table_of(feed)) - first
    records = look.newlines - 1
    if rejects and (good + len(rejects) != records or len(rejects) > csv_file.MANY_BROKEN):
        connection.execute("ROLLBACK")
        return None
    connection.execute("COMMIT")
    broken = [Broken(line - 1, raw.rstrip("\r\n"), problem) for line, raw, problem in rejects]
    if broken:
        # After the commit: before it, new rows have provisional row ids.
        _shift_after(connection, feed, first, [one.row_no for one in broken])
    return good, [replace(one, problem=_words(one.problem)) for one in broken]


def _words(problem: str) -> str:
    return {
        "missing columns": "has fewer fields than the header",
        "too many columns": "has more fields than the header",
        "unquoted value": "has a quote that does not enclose a whole field",
    }.get(problem, problem)


def _shift_after(connection: Connection, feed: str, first: int, broken: list[int]) -> None:
    """Count the broken records in: rows after the n-th of them have a number n higher than their place."""
    cases = " ".join(
        f"WHEN rowid >= {first + row_no - position} THEN {position}" for position, row_no in reversed(list(enumerate(sorted(broken), start=1)))
    )
    connection.execute(f"UPDATE {name(table_of(feed))} SET _shift = _shift + CASE {cases} ELSE 0 END WHERE rowid >= {first}")


def _load_by_referee(
    reading: Reading,
    feed: str,
    path: Path,
    head: list[str],
    origin: Origin,
    shown: str,
    columns: list[Staged],
    number: int,
    first: int,
) -> tuple[int, list[Broken]]:
    clean = reading.scratch.folder / f"clean-{number}.csv"
    good, broken = csv_file.referee(path, origin, shown, clean)
    plain = Origin(read=("clean.csv",))
    relation = csv_file.relation(clean, ["_shift", *head], plain)
    _insert(reading.connection, feed, columns, relation, number, f"CAST(_shift AS BIGINT) - {first}")
    rejects = csv_file.take_rejects(reading.connection)
    if rejects or _count(reading.connection, table_of(feed)) - first != good:
        raise SourceRefused(shown, f"record {rejects[0][0] if rejects else '?'}", "two readers disagree on it", "Have the file written anew.")
    clean.unlink()
    return good, broken


def _insert(connection: Connection, feed: str, columns: list[Staged], relation: str, number: int, shift: str) -> None:
    values = ", ".join(one.sql for one in columns)
    connection.execute(f"INSERT INTO {name(table_of(feed))} SELECT {values}, {number}, {shift} FROM {relation}")


def _count(connection: Connection, table: str) -> int:
    (count,) = connection.execute(f"SELECT count(*) FROM {name(table)}").fetchone() or (0,)
    return int(count)


# --- through text -----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Text:
    """One object as a text table of the scratch database."""

    table: str
    name: str
    sha256: str
    columns: list[str]
    rows: int
    broken: tuple[Broken, ...] = ()
    rows_staged: int | None = None
    path: Path | None = None
    origin: Origin | None = None
    cursor: Any = None
    columns_map: FeedMap | None = None


def _to_text(connection: Connection, table: str, path: Path, origin: Origin, shown: str) -> text_tables.TextTable:
    if path.name.endswith(".xlsx"):
        return text_tables.from_excel(connection, table, path, origin, shown)
    if path.name.endswith(".parquet"):
        return text_tables.from_parquet(connection, table, path, shown)
    if path.name.endswith(".jsonl"):
        return text_tables.from_json_lines(connection, table, path, shown)
    return _csv_to_text(connection, table, path, origin, shown)


def _csv_to_text(connection: Connection, table: str, path: Path, origin: Origin, shown: str) -> text_tables.TextTable:
    look = csv_file.look(path, origin, shown)
    head = csv_file.header(path, origin, shown)
    database = Path(str((connection.execute("SELECT path FROM duckdb_databases() WHERE database_name = current_database()").fetchone() or [""])[0]))
    clean = database.parent / f"clean-{table}.csv"
    good, broken = csv_file.referee(path, origin, shown, clean)
    texts = ", ".join(name(one) for one in head)
    relation = csv_file.relation(clean, ["_shift", *head], Origin(read=("clean.csv",)))
    connection.execute(f"CREATE TABLE {name(table)} AS SELECT CAST(_shift AS BIGINT) AS _row_no, {texts} FROM {relation}")
    connection.execute(f"UPDATE {name(table)} SET _row_no = _row_no + rowid")
    rejects = csv_file.take_rejects(connection)
    if rejects:
        raise SourceRefused(shown, f"record {rejects[0][0]}", "two readers disagree on it", "Have the file written anew.")
    clean.unlink()
    return text_tables.TextTable(head, good, look.sha256, tuple(broken))


def _pull(reading: Reading, feed: str, origin: Origin) -> _Text:
    mapping = reading.mapping
    url = mapping.store or connection_url(origin.connection or "", key=f"{feed}.connection", file=mapping.path.name)
    shown = f"{origin.connection}: {' '.join((origin.query or '').split())}"[:200]
    table = reading.next_table()
    since = reading.cursors.get(feed, origin.cursor_start)
    read = text_tables.from_database(reading.connection, table, url, origin, shown, since, as_of=mapping.data_as_of if mapping.store else None)
    return _Text(table, shown, read.sha256, read.columns, read.rows, origin=origin, cursor=read.cursor)


def _take_text(reading: Reading, feed: str, texts: list[_Text]) -> None:
    """Map text tables into the feed's staging."""
    feed_map = reading.mapping.feeds[feed]
    for text in texts:
        rows = reading.seen(feed, text.name, text.sha256)
        if rows is not None:
            reading.repeated.append(SourceObject(-1, feed, text.name, text.sha256, rows, rows))
            continue
        mapped = text.columns_map or feed_map
        csv_file.check_columns(text.columns, [one.column for one in mapped.columns.values() if one.column is not None], text.name)
        number, first = len(reading.objects), _count(reading.connection, table_of(feed))
        columns = staging(feed, mapped, time_zone=reading.mapping.time_zone, suspicious=True)
        _insert(reading.connection, feed, columns, name(text.table), number, f"_row_no - rowid - {first}")
        total = text.rows + len(text.broken)
        reading.objects.append(
            SourceObject(
                number,
                feed,
                text.name,
                text.sha256,
                text.rows_staged if text.rows_staged is not None else total,
                total,
                text.broken,
                origin=text.origin,
                path=text.path,
                text_table=text.table,
                cursor=text.cursor,
            )
        )


# --- the mapping's own SQL --------------------------------------------------------------------------------------------------------------


def _expressions(feed_map: FeedMap) -> dict[str, str]:
    return {sql_column(column): one.sql for column, one in feed_map.columns.items() if one.sql is not None}


def _needs_sandbox(mapping: Mapping) -> bool:
    return any(feed.select or _expressions(feed) for feed in mapping.feeds.values())


def _stage_for_sandbox(reading: Reading, files: Files) -> dict[str, list[_Text]]:
    """Run the mapping's SELECTs and expressions over text in a locked database; their results as text tables of the scratch database."""
    mapping = reading.mapping
    database = reading.scratch.folder / "sandbox.duckdb"
    inside = sandbox.open_sandbox(database, memory=MEMORY)
    try:
        sources, expressed = _fill_sandbox(reading, inside, files)
        sandbox.lock(inside)
        results: dict[str, list[_Text]] = {}
        for feed, feed_map in mapping.feeds.items():
            key, shown = f"{feed}.select", mapping.path.name
            if feed_map.select:
                columns, count = sandbox.run_select(inside, feed_map.select, f"result_{feed}", key=key, file=shown)
                reading.selected[feed] = _selected(feed, feed_map, columns, shown)
                about = "; ".join(f"{one.name} {one.sha256}" for one in sources)
                results[feed] = [
                    _Text(
                        f"result_{feed}",
                        f"select over {', '.join(one.name for one in sources)}",
                        _hash(feed_map.select + about),
                        columns,
                        count,
                        rows_staged=sum(one.rows for one in sources),
                        columns_map=reading.selected[feed],
                    )
                ]
            elif feed in expressed:
                results[feed] = []
                for text in expressed[feed]:
                    target = f"result_{text.table}"
                    sandbox.run_expressions(inside, text.table, target, _expressions(feed_map), key=feed, file=shown)
                    results[feed].append(replace(text, table=target))
    finally:
        inside.close()
    return _bring_out(reading, database, results)


def _fill_sandbox(reading: Reading, inside: Connection, files: Files) -> tuple[list[_Text], dict[str, list[_Text]]]:
    """Stage what the mapping's SQL may read. Returns the named staged objects, and per feed with expressions its objects."""
    sources: list[_Text] = []
    for one, origin in reading.mapping.staged.items():
        parts = list(_texts(reading, inside, f"staged.{one}", origin, files))
        union = " UNION ALL BY NAME ".join(f"SELECT * FROM {name(part.table)}" for part in parts)
        inside.execute(f"CREATE VIEW {name(one)} AS {union}")
        broken = [row for part in parts for row in part.broken]
        if broken:
            raise SourceRefused(
                parts[0].name,
                f"record {broken[0].row_no}",
                f"it {broken[0].problem}, and a SELECT cannot leave a record out",
                "Put the record right.",
            )
        sources.extend(parts)
    expressed = {
        feed: list(_texts(reading, inside, feed, feed_map, files)) for feed, feed_map in reading.mapping.feeds.items() if _expressions(feed_map)
    }
    return sources, expressed


def _texts(reading: Reading, inside: Connection, key: str, origin: Origin, files: Files) -> Iterator[_Text]:
    if origin.connection:
        url = connection_url(origin.connection, key=f"{key}.connection", file=reading.mapping.path.name)
        shown = f"{origin.connection}: {' '.join((origin.query or '').split())}"[:200]
        table = reading.next_table()
        read = text_tables.from_database(inside, table, url, origin, shown, reading.cursors.get(key, origin.cursor_start))
        yield _Text(table, shown, read.sha256, read.columns, read.rows, origin=origin, cursor=read.cursor)
    for path, shown, _ in files[key]:
        table = reading.next_table()
        read = _to_text(inside, table, path, origin, shown)
        yield _Text(table, shown, read.sha256, read.columns, read.rows, read.broken, origin=origin, path=path)


def _selected(feed: str, feed_map: FeedMap, columns: list[str], file: str) -> FeedMap:
    """The feed's mapping with every result column that has a canonical name mapped to it. Raises MappingRefused for others."""
    known = mappable(FEEDS[feed])
    used = {one.column for one in feed_map.columns.values()}
    problems = [f"{feed}.select: {said}" for said in sandbox.unknown_columns([one for one in columns if one not in used], known)]
    mapped = {**{one: ColumnMap.model_validate({"from": one}) for one in columns if one in known}, **feed_map.columns}
    problems += [
        f"{feed}.select: it returns no column {column!r}, which the feed needs{nearest(column, columns)}"
        for column in required(feed)
        if column not in mapped
    ]
    if problems:
        raise MappingRefused(file, problems)
    return feed_map.model_copy(update={"columns": mapped})


def _bring_out(reading: Reading, database: Path, results: dict[str, list[_Text]]) -> dict[str, list[_Text]]:
    """Make the sandbox's results readable in the scratch database, with row numbers where a SELECT made the rows."""
    connection = reading.connection
    connection.execute(f"ATTACH {literal(str(database))} AS sandbox (READ_ONLY)")
    brought: dict[str, list[_Text]] = {}
    for feed, texts in results.items():
        brought[feed] = []
        for text in texts:
            table = reading.next_table()
            numbered = "" if text.columns_map is None else "rowid + 1 AS _row_no, "
            connection.execute(f"CREATE TABLE {name(table)} AS SELECT {numbered}* FROM sandbox.main.{name(text.table)}")
            shown = [*text.columns, *(() if text.columns_map else _expressions(reading.mapping.feeds[feed]))]
            brought[feed].append(replace(text, table=table, columns=shown))
    connection.execute("DETACH sandbox")
    return brought


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
