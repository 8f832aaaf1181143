"""The locked DuckDB database that runs a mapping's SQL. It contains staged rows only.

SQL there cannot reach files, the network, extensions or Python objects, and cannot change settings. It may only SELECT,
and only call functions that always return the same result. A clock or random numbers would break the rule that the same
records give the same numbers.
"""

import contextlib
import difflib
import json
from pathlib import Path

import duckdb

from ingest.errors import MappingRefused
from ingest.storage.scratch_database import Connection, quoted, sql_literal

CLOCKS = (
    "current_localtime",
    "current_localtimestamp",
    "localtime",
    "localtimestamp",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_setting",
)
"""They read the clock, but DuckDB 1.5 marks them CONSISTENT or does not list them. So does `age` with one argument."""
TABLE_FUNCTIONS = ("unnest", "range", "generate_series")


def open_sandbox(file: Path, *, memory: str) -> Connection:
    """Open a database for staging. Call `lock` before any of the mapping's SQL runs."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "python_enable_replacements": "false",
        "temp_directory": str(file.parent / "spill"),
    }
    connection = duckdb.connect(str(file), config=config)
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    with contextlib.suppress(duckdb.CatalogException):  # DuckDB 1.5 has no such setting and returns null
        connection.execute("SET error_on_division_by_zero = false")  # one row with a zero must not end the run
    return connection


def lock(connection: Connection) -> None:
    """Block external access and changes of settings, permanently."""
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def run_select(connection: Connection, statement: str, target: str, *, key: str, file: str) -> tuple[list[str], int]:
    """Store the result of a SELECT as text table `target`. Returns its columns and number of rows.

    Raises MappingRefused.
    """
    check_select(connection, statement, key=key, file=file)
    try:
        columns = [
            str(row[0]) for row in connection.execute(f"DESCRIBE {_bare(statement)}").fetchall() if row[0] != "_row_no"
        ]
        if len({column.casefold() for column in columns}) < len(columns):
            raise MappingRefused(
                file, [f"{key}: two result columns have the same name; give each a unique name with `as`"]
            )
        texts = ", ".join(f"NULLIF(CAST({quoted(column)} AS VARCHAR), '') AS {quoted(column)}" for column in columns)
        connection.execute(f"CREATE TABLE {quoted(target)} AS SELECT {texts} FROM ({_bare(statement)}\n) AS result")
    except duckdb.Error as error:
        raise MappingRefused(file, [f"{key}: {_explain(error)}"]) from None
    (count,) = connection.execute(f"SELECT count(*) FROM {quoted(target)}").fetchone() or (0,)
    return columns, count


def tables_read(connection: Connection, statement: str) -> set[str] | None:
    """Return the tables that a SELECT reads, also through views. None: DuckDB cannot list them."""
    try:
        return set(connection.get_table_names(_bare(statement)))
    except duckdb.Error:
        return None


def run_expressions(
    connection: Connection, table: str, target: str, expressions: dict[str, str], *, key: str, file: str
) -> None:
    """Store `table` as `target` with one more text column per expression.

    Raises MappingRefused.
    """
    problems: list[str] = []
    for column, expression in expressions.items():
        place = f"{key}.columns.{column.removeprefix('sql:')}.sql"
        statement = f"SELECT ({expression}\n) FROM {quoted(table)}"
        try:
            check_select(connection, statement, key=place, file=file)
        except MappingRefused as refused:
            problems.extend(refused.problems)
    if problems:
        raise MappingRefused(file, problems)
    added = "".join(
        f", NULLIF(CAST(({one}\n) AS VARCHAR), '') AS {quoted(column)}" for column, one in expressions.items()
    )
    try:
        connection.execute(f"CREATE TABLE {quoted(target)} AS SELECT *{added} FROM {quoted(table)}")
    except duckdb.Error as error:
        raise MappingRefused(file, [f"{key}: {_explain(error)}"]) from None
    before, after = (
        connection.execute(f"SELECT count(*), count(DISTINCT _row_no), sum(_row_no) FROM {quoted(one)}").fetchone()
        for one in (table, target)
    )
    if before != after:
        raise MappingRefused(
            file, [f"{key}: an sql expression changes the number of rows; use expressions over one row only"]
        )


def check_select(connection: Connection, statement: str, *, key: str, file: str) -> None:
    """Raise MappingRefused unless the statement is one SELECT over staged rows without clock or random functions."""
    try:
        statements = connection.extract_statements(statement)
    except duckdb.Error as error:
        raise MappingRefused(file, [f"{key}: {_explain(error)}"]) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise MappingRefused(
            file, [f"{key}: write exactly one SELECT (found {len(statements)} statement(s), or another kind)"]
        )
    row = connection.execute(f"SELECT json_serialize_sql({sql_literal(_bare(statement))})").fetchone()
    tree = str(row[0]) if row else ""
    if '"error":true' in tree:
        raise MappingRefused(file, [f"{key}: this SELECT cannot be checked; write a plain SELECT"])
    refused = sorted(_refused_functions(connection, tree))
    if refused:
        known = ", ".join(refused)
        raise MappingRefused(
            file, [f"{key}: remove {known}; use staged rows only, and no clock, random number, file or setting"]
        )


def _refused_functions(connection: Connection, tree: str) -> set[str]:
    names: set[str] = set()
    tables: set[str] = set()
    refused: set[str] = set()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if node.get("type") == "TABLE_FUNCTION":
                function = node.get("function") or {}
                tables.add(str(function.get("function_name", "")).lower())
            if node.get("class") == "FUNCTION" or "function_name" in node:
                called = str(node.get("function_name", "")).lower()
                names.add(called)
                arguments = node.get("children") or node.get("arguments") or []  # DuckDB 1.5 or 2.0
                if called == "age" and len(arguments) == 1:
                    refused.add("age(…) with one argument")
            if node.get("class") == "COLUMN_REF":
                parts = node.get("column_names") or []
                if len(parts) == 1 and str(parts[0]).lower() in CLOCKS:
                    names.add(str(parts[0]).lower())
            if node.get("sample"):
                refused.add("a sample")
            if node.get("type") == "BASE_TABLE" and node.get("schema_name"):
                refused.add(f"{node['schema_name']}.{node.get('table_name')}")
            if node.get("type") == "SHOW_REF":
                refused.add("describe, show or summarize")
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(json.loads(tree))
    unsafe = {
        str(row[0]).lower()
        for row in connection.execute(
            # DuckDB 2.0 marks `+`, `year` and others CONSISTENT except for instants with a time zone. The session's
            # zone is always UTC, so these are safe too.
            "SELECT function_name FROM duckdb_functions() WHERE function_type IN ('scalar', 'pragma') "
            "GROUP BY function_name HAVING count(*) FILTER (stability = 'CONSISTENT') = 0"
        ).fetchall()
    }
    refused |= {name for name in names if name in unsafe or name in CLOCKS}
    refused |= {table for table in tables if table not in TABLE_FUNCTIONS}
    return refused


def unknown_columns(columns: list[str], allowed: tuple[str, ...]) -> list[str]:
    """Return a message for each result column that the feed does not have."""
    result = []
    for column in columns:
        if column not in allowed:
            close = difflib.get_close_matches(column, allowed, n=1)
            hint = f'; did you mean "{close[0]}"?' if close else ""
            result.append(f"the SELECT returns {column!r}, which is not a column of the feed{hint}")
    return result


def _bare(statement: str) -> str:
    return statement.strip().rstrip(";")


def _explain(error: duckdb.Error) -> str:
    return " ".join(str(error).split())[:300]
