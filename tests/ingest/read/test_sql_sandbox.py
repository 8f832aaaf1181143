"""The mapping's own SQL can read staged rows and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.errors import MappingRefused
from ingest.read import sql_sandbox
from ingest.storage.scratch_database import Connection


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Connection]:
    connection = sql_sandbox.open_sandbox(tmp_path / "sandbox.duckdb", memory="200MB")
    connection.execute("CREATE TABLE staged AS SELECT n AS _row_no, 'v' || n AS v FROM range(1, 4) AS r(n)")
    sql_sandbox.lock(connection)
    yield connection
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_text('/etc/hostname')",
        "select * from '/etc/hostname'",
        "select * from glob('/*')",
        "select * from read_csv('https://example.org/x.csv')",
        "copy staged to '{folder}/escape.csv'",
        "attach '{folder}/escape.duckdb'",
        "install httpfs",
        "load httpfs",
        "set memory_limit = '1TB'",
        "pragma database_list",
        "drop table staged",
        "select 1; drop table staged",
        "from staged; copy staged to '{folder}/escape.csv'",
        "describe staged",
        "select now()",
        "select current_date",
        "select current_timestamp",
        "select localtimestamp",
        "select today()",
        "select age(timestamp '2020-01-01')",
        "select random()",
        "select uuid()",
        "select gen_random_uuid()",
        "select v from staged using sample 1",
        "select current_setting('memory_limit')",
        "select * from duckdb_settings()",
        "select * from information_schema.tables",
        "select getenv('HOME')",
        "with w as (select nextval('s')) select * from w",
        "select * from connection",
        "",
    ],
)
def test_sql_with_external_access_or_nondeterministic_results_is_refused(
    locked: Connection, statement: str, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    statement = statement.replace("{folder}", str(outside))
    with pytest.raises(MappingRefused, match=r"orders\.select"):
        sql_sandbox.run_select(locked, statement, "result", key="orders.select", file="mapping.toml")
    assert locked.execute("SELECT count(*) FROM staged").fetchone() == (3,)
    assert list(outside.iterdir()) == []


def test_a_select_over_staged_rows_gives_text(locked: Connection) -> None:
    statement = "select max(_row_no) as most, min(v) as least, date '2026-03-01' as day from staged -- a remark"
    assert sql_sandbox.run_select(locked, statement, "result", key="k", file="f") == (["most", "least", "day"], 1)
    assert locked.execute("SELECT * FROM result").fetchall() == [("3", "v1", "2026-03-01")]


def test_operators_and_date_functions_are_allowed(locked: Connection) -> None:
    """DuckDB 2.0 marks them as depending on the session if they are given instants with a time zone."""
    days = "date_diff('day', date '2026-03-01', date '2026-03-01' + 2) - 1"
    parts = "year(timestamp '2026-03-01') || strftime(date_trunc('month', date '2026-03-15'), '%d')"
    statement = f"select {days} as days, {parts} as parts, timezone('UTC', timestamp '2026-03-01') as at from staged"
    sql_sandbox.run_select(locked, statement, "result", key="k", file="f")
    assert locked.execute("SELECT DISTINCT * FROM result").fetchall() == [("1", "202601", "2026-03-01 00:00:00+00")]


def test_a_division_by_zero_gives_null_for_its_row_only(locked: Connection) -> None:
    sql_sandbox.run_expressions(locked, "staged", "result", {"sql:a": "6 // (_row_no - 1)"}, key="orders", file="f")
    assert locked.execute('SELECT "sql:a" FROM result ORDER BY _row_no').fetchall() == [(None,), ("6",), ("3",)]


def test_an_expression_adds_a_column_and_keeps_the_rows(locked: Connection) -> None:
    sql_sandbox.run_expressions(
        locked, "staged", "result", {"sql:a": "upper(v) || '-' || _row_no"}, key="orders", file="f"
    )
    assert locked.execute('SELECT "sql:a" FROM result ORDER BY _row_no').fetchall() == [("V1-1",), ("V2-2",), ("V3-3",)]


@pytest.mark.parametrize(
    "expression",
    [
        "unnest([1, 2])",
        "count(*)",
        "1) from staged; drop table staged; select (1",
        "v) from staged where (true",
        "random()",
    ],
)
def test_an_expression_that_changes_the_rows_is_refused(locked: Connection, expression: str) -> None:
    with pytest.raises(MappingRefused):
        sql_sandbox.run_expressions(locked, "staged", "result", {"sql:a": expression}, key="orders", file="f")
    assert locked.execute("SELECT count(*) FROM staged").fetchone() == (3,)
