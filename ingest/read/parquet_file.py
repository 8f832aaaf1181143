"""Read a Parquet file into a text table."""

from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet

from ingest.errors import SourceRefused
from ingest.mapping.columns import text_column, typed_column
from ingest.mapping.mapping_file import Origin
from ingest.read import layout
from ingest.read.text_tables import EXACT, FLOAT, TextTable, file_hash, first_line, marked_columns
from ingest.storage.scratch_database import Connection, quoted, sql_literal

TYPED = ("DATE", "TIME", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "U")
"""First letters of DuckDB's types whose values are not text."""


def from_parquet(connection: Connection, table: str, path: Path, origin: Origin, object_name: str) -> TextTable:
    """Read a Parquet file, every column as text. Raises SourceRefused if the file is damaged."""
    source = f"read_parquet({sql_literal(str(path))})"
    do = "Send the complete file again."
    try:
        names = [str(one) for one in pyarrow.parquet.read_schema(path).names]
        layout.check_header(names, object_name, "schema")
        found = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        kinds = {str(name): str(kind) for name, kind, *_ in found}
        columns = layout.named(list(kinds))
        marked = marked_columns(origin)
        texts = [f"{_text(column, kinds[column])} AS {quoted(text_column(column))}" for column in columns]
        marks = [
            f"{_mark(kinds[column])}::TINYINT AS {quoted(typed_column(column))}"
            for column in columns
            if column in marked
        ]
        connection.execute(f"CREATE TABLE {quoted(table)} AS SELECT {', '.join([*texts, *marks])} FROM {source}")
        typed = _typed(connection, source, kinds)
    except (duckdb.Error, pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = f"the Parquet file cannot be read ({first_line(error)})"
        raise SourceRefused(object_name, "", reason, do) from None
    connection.execute(f"ALTER TABLE {quoted(table)} ADD COLUMN _row_no BIGINT")
    connection.execute(f"UPDATE {quoted(table)} SET _row_no = rowid + 1")
    (count,) = connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone() or (0,)
    return TextTable(columns, count, file_hash(path), marked=marked, typed=typed)


def _mark(kind: str) -> str:
    if kind in ("DOUBLE", "FLOAT"):
        return str(FLOAT)
    return str(EXACT) if kind.startswith(TYPED) else "NULL"


def _text(name: str, kind: str) -> str:
    """Return SQL for the text of a column. It is the text that `as_text` gives for the same value."""
    column = quoted(name)
    text = f"CAST({column} AS VARCHAR)"
    if kind.startswith("DECIMAL"):
        return rf"regexp_replace({text}, '\.0+$', '')"
    if kind not in ("DOUBLE", "FLOAT"):
        return f"NULLIF({text}, '')"
    digits = f"regexp_replace(split_part({text}, 'e', 1), '[-.]', '', 'g')"
    exponent = f"CAST(split_part({text}, 'e', 2) AS INTEGER)"
    decimals = f"length(split_part(split_part({text}, 'e', 1), '.', 2))"
    plain = (
        f"CASE WHEN {column} < 0 THEN '-' ELSE '' END || CASE WHEN {exponent} < 0 "
        f"THEN '0.' || repeat('0', -{exponent} - 1) || {digits} "
        f"ELSE {digits} || repeat('0', {exponent} - {decimals}) END"
    )
    return (
        f"CASE WHEN isnan({column}) THEN NULL WHEN isinf({column}) OR NOT contains({text}, 'e') "
        rf"THEN regexp_replace({text}, '^-?0\.0$|\.0$', CASE WHEN {column} = 0 THEN '0' ELSE '' END) ELSE {plain} END"
    )


def _typed(connection: Connection, source: str, kinds: dict[str, str]) -> dict[str, str]:
    typed: dict[str, str] = {}
    for name, kind in kinds.items():
        if kind.startswith(("DOUBLE", "FLOAT", "DECIMAL")):
            column = quoted(name)
            query = f"SELECT count(*) FROM {source} WHERE {column} <> trunc({column})"
            if (connection.execute(query).fetchone() or (0,))[0]:
                typed.setdefault("number", name)
        elif kind.startswith(("DATE", "TIMESTAMP")):
            typed.setdefault("date", name)
    return typed
