"""Run the SQL of a mapping: SELECTs and expressions over text, in a locked database.

The results become text tables of the scratch database.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb

from ingest.errors import MappingRefused, SourceRefused
from ingest.mapping.columns import sql_column, text_column
from ingest.mapping.mapping_file import ColumnMap, FeedMap, Mapping, Origin, mappable, nearest, required
from ingest.read import sql_sandbox
from ingest.read.csv_scan import refuse_unreadable
from ingest.read.find_files import Files
from ingest.read.sandbox_process import Call, locked_sandbox
from ingest.read.source_objects import Reading
from ingest.read.stage_text import QueryRows, query_rows, read_query, to_text
from ingest.storage.scratch_database import MEMORY, Connection, quoted, sql_literal
from metrics.errors import driver_text
from metrics.schema import FEEDS


def _expressions(feed_map: FeedMap) -> dict[str, str]:
    return {sql_column(column): one.sql for column, one in feed_map.columns.items() if one.sql is not None}


def needs_sandbox(mapping: Mapping) -> bool:
    """Return True if any feed has its own SQL."""
    return any(feed.select or _expressions(feed) for feed in mapping.feeds.values())


def stage_for_sandbox(reading: Reading, files: Files) -> dict[str, list[QueryRows]]:
    """Run the mapping's SELECTs and expressions. Returns the resulting text tables of each feed."""
    mapping = reading.mapping
    database = reading.scratch.folder / "sandbox.duckdb"
    inside = sql_sandbox.open_sandbox(database, memory=MEMORY)
    try:
        sources, expressed = _fill_sandbox(reading, inside, files)
    except duckdb.CatalogException as error:
        problem = f"two tables of [staged.NAME] have the same name, or the name is taken ({driver_text(error)})"
        raise MappingRefused(mapping.path.name, [f"{problem}; choose another name"]) from None
    finally:
        inside.close()
    rows = sum(one.rows for one in (*sources, *(one for texts in expressed.values() for one in texts)))
    with locked_sandbox(database, memory=MEMORY, rows=rows, file=mapping.path.name) as call:
        results = {
            feed: _run_feed(reading, call, feed, sources, expressed.get(feed, []))
            for feed, feed_map in mapping.feeds.items()
            if feed_map.select or feed in expressed
        }
    return _copy_results(reading, database, results)


def _run_feed(
    reading: Reading, call: Call, feed: str, sources: list[QueryRows], expressed: list[QueryRows]
) -> list[QueryRows]:
    """Run the SELECT or the expressions of a feed. Returns its text tables."""
    feed_map, shown = reading.mapping.feeds[feed], reading.mapping.path.name
    if feed_map.select:
        columns, count = call(
            "run_select", statement=feed_map.select, target=f"result_{feed}", key=f"{feed}.select", file=shown
        )
        reading.selected[feed] = _complete_mapping(feed, feed_map, columns, shown)
        read = call("tables_read", statement=feed_map.select)
        used = [one for one in sources if read is None or one.table in read]
        _refuse_misread_numbers(reading, feed, used)
        return [_selected(reading, feed, columns, count, used)]
    _refuse_misread_numbers(reading, feed, expressed)
    for text in expressed:
        target, expressions = f"result_{text.table}", _expressions(feed_map)
        call("run_expressions", table=text.table, target=target, expressions=expressions, key=feed, file=shown)
    return [replace(text, table=f"result_{text.table}") for text in expressed]


def _refuse_misread_numbers(reading: Reading, feed: str, sources: list[QueryRows]) -> None:
    """Raise MappingRefused if a column of the mapping's SQL has a number format, and its sources have typed numbers.

    The SQL returns text, so 12.345 from a workbook would read as 12345 under thousands = ".".
    """
    typed = next((one for one in sources if "number" in one.typed), None)
    feed_map = reading.selected.get(feed, reading.mapping.feeds[feed])
    wrong = [
        column
        for column, one in feed_map.columns.items()
        if (one.decimal != "." or one.thousands) and (feed_map.select or one.sql)
    ]
    if typed is not None and wrong:
        problems = [
            f"{feed}.columns.{column}: {typed.name} has numbers in {typed.typed['number']!r}, which decimal and "
            "thousands would misread; remove these keys, and convert texts in the SQL with replace(…)"
            for column in wrong
        ]
        raise MappingRefused(reading.mapping.path.name, problems)


def _selected(reading: Reading, feed: str, columns: list[str], count: int, sources: list[QueryRows]) -> QueryRows:
    """Return the result of a feed's SELECT. Its name and its hash are those of the sources that the SELECT reads."""
    about = "; ".join(f"{one.name} {one.sha256}" for one in sources)
    return QueryRows(
        f"result_{feed}",
        f"select over {', '.join(dict.fromkeys(one.name for one in sources))}" if sources else "select",
        _hash((reading.mapping.feeds[feed].select or "") + about),
        columns,
        count,
        rows_staged=sum(one.rows for one in sources),
        columns_map=reading.selected[feed],
    )


def _fill_sandbox(
    reading: Reading, inside: Connection, files: Files
) -> tuple[list[QueryRows], dict[str, list[QueryRows]]]:
    """Stage the records that the mapping's SQL may read.

    Returns the objects of `[staged.NAME]`, and the objects of each feed with expressions.
    """
    sources: list[QueryRows] = []
    for one, origin in reading.mapping.staged.items():
        parts = list(_stage_origin(reading, inside, f"staged.{one}", origin, files))
        union = " UNION ALL BY NAME ".join(f"SELECT * FROM {quoted(part.table)}" for part in parts)
        inside.execute(f"CREATE VIEW {quoted(one)} AS {union}")
        broken = [row for part in parts for row in part.broken]
        if broken:
            raise SourceRefused(
                parts[0].name,
                f"record {broken[0].row_no}",
                f"the record {broken[0].problem}, and a SELECT cannot skip a record",
                "Correct the record.",
            )
        sources.extend(parts)
    expressed = {
        feed: list(_stage_origin(reading, inside, feed, feed_map, files))
        for feed, feed_map in reading.mapping.feeds.items()
        if _expressions(feed_map)
    }
    return sources, expressed


def _stage_origin(reading: Reading, inside: Connection, key: str, origin: Origin, files: Files) -> Iterator[QueryRows]:
    if origin.connection:
        yield read_query(reading, inside, key, origin)
    for path, shown, _ in files[key]:
        table = reading.next_table()
        with refuse_unreadable(shown):
            read = to_text(reading, inside, table, path, origin, shown, key if isinstance(origin, FeedMap) else None)
        yield query_rows(table, shown, read, path=path, origin=origin)


def _complete_mapping(feed: str, feed_map: FeedMap, columns: list[str], file: str) -> FeedMap:
    """Add every result column with a canonical name to the feed's mapping.

    Raises MappingRefused for other columns, and if a needed column is missing.
    """
    known = mappable(FEEDS[feed])
    used = {one.column for one in feed_map.columns.values()}
    problems = [
        f"{feed}.select: {problem}"
        for problem in sql_sandbox.unknown_columns([one for one in columns if one not in used], known)
    ]
    mapped = {**{one: ColumnMap.model_validate({"from": one}) for one in columns if one in known}, **feed_map.columns}
    problems += [
        f"{feed}.select: the SELECT lacks the column {column!r}, which the feed needs{nearest(column, columns)}"
        for column in required(feed)
        if column not in mapped
    ]
    problems += [
        f"{feed}.select: {column!r} is a name that Buyerview uses itself; give the result column another name"
        for column in columns
        if text_column(column) != column
    ]
    if problems:
        raise MappingRefused(file, problems)
    return feed_map.model_copy(update={"columns": mapped})


def _copy_results(reading: Reading, database: Path, results: dict[str, list[QueryRows]]) -> dict[str, list[QueryRows]]:
    """Copy the results to the scratch database. Rows that a SELECT made get row numbers."""
    connection = reading.connection
    connection.execute(f"ATTACH {sql_literal(str(database))} AS sandbox (READ_ONLY)")
    copied: dict[str, list[QueryRows]] = {}
    for feed, texts in results.items():
        copied[feed] = []
        for text in texts:
            table = reading.next_table()
            numbered = "" if text.columns_map is None else "rowid + 1 AS _row_no, "
            connection.execute(
                f"CREATE TABLE {quoted(table)} AS SELECT {numbered}* FROM sandbox.main.{quoted(text.table)}"
            )
            shown = [*text.columns, *(() if text.columns_map else _expressions(reading.mapping.feeds[feed]))]
            copied[feed].append(replace(text, table=table, columns=shown))
    connection.execute("DETACH sandbox")
    return copied


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
