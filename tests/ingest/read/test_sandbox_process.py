"""The SQL of a mapping runs in its own process: greed ends with a clear refusal, and the process sees no secret."""

from pathlib import Path

import pytest

from ingest.errors import MappingRefused
from ingest.read import sandbox_process, sql_sandbox


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "sandbox.duckdb"
    connection = sql_sandbox.open_sandbox(path, memory="400MB")
    connection.execute("CREATE TABLE staged AS SELECT 1 AS _row_no, 'O1' AS no")
    connection.close()
    return path


def refusal(database: Path, statement: str) -> str:
    """Run a SELECT and return why it is refused."""
    with (
        pytest.raises(MappingRefused) as caught,
        sandbox_process.locked_sandbox(database, memory="400MB", rows=1, file="m.toml") as call,
    ):
        call("run_select", statement=statement, target="t", key="orders.select", file="m.toml")
    return str(caught.value)


@pytest.mark.long
def test_sql_that_exceeds_its_time_or_memory_limit_is_refused(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust, T16: `repeat`, a recursive CTE and a cross join ran on for minutes."""
    monkeypatch.setenv("BUYERVIEW_QUERY_SECONDS", "2")
    for endless in (
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) AS n FROM r",
        "SELECT count(*) AS n FROM range(1000000000) AS a, range(1000000000) AS b",
    ):
        assert "orders.select: the SQL took longer than 2 seconds" in refusal(database, endless)
    monkeypatch.setenv("BUYERVIEW_QUERY_SECONDS", "200")  # the memory limit comes first, also on a busy machine
    assert "memory" in refusal(database, "SELECT repeat('x', 2000000000) AS n FROM staged").lower()


def test_sandbox_process_returns_results_and_errors(database: Path) -> None:
    with sandbox_process.locked_sandbox(database, memory="400MB", rows=1, file="m.toml") as call:
        assert call("run_select", statement="SELECT no FROM staged", target="t", key="k", file="m.toml") == [["no"], 1]
        assert call("tables_read", statement="SELECT no FROM staged") == ["staged"]
        with pytest.raises(MappingRefused, match="random"):
            call("run_select", statement="SELECT random() AS no", target="u", key="k", file="m.toml")
        call("run_expressions", table="staged", target="e", expressions={"sql:a": "no || '!'"}, key="k", file="m.toml")
    connection = sql_sandbox.open_sandbox(database, memory="400MB")
    assert connection.execute('SELECT "sql:a" FROM e').fetchall() == [("O1!",)]
    connection.close()
