"""A process of its own for the SQL of a mapping, with limits of memory and time.

An interrupt does not stop every function of DuckDB, and `memory_limit` does not cover every allocation. The limits of a
process do.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ingest.errors import MappingRefused
from ingest.read import child_process, sql_sandbox
from ingest.read.time_limit import SETTING, statement_seconds

ADDRESS_SPACE = 2_400 << 20
"""Bytes that the process may map. DuckDB's own limit is lower; this one covers the rest."""
CALLS: dict[str, Callable[..., Any]] = {  # Any: JSON
    "run_select": sql_sandbox.run_select,
    "run_expressions": sql_sandbox.run_expressions,
    "tables_read": lambda connection, statement: _as_list(sql_sandbox.tables_read(connection, statement)),
}
"""Functions that a request may call, each with a connection and named arguments."""

Call = Callable[..., Any]  # Any: the JSON result of one of CALLS


@contextmanager
def locked_sandbox(database: Path, *, memory: str, rows: int, file: str) -> Iterator[Call]:
    """Start a process on a database that no other process has open. Yields a function that calls one of CALLS.

    rows: number of staged rows, which decides how long a statement may take. Raises MappingRefused for a statement that
    is refused, or that needs too much time or memory.
    """
    seconds = statement_seconds(rows)
    process = child_process.start("ingest.read.sandbox_process", str(database), memory, str(seconds + 60))

    def call(name: str, **named: object) -> Any:  # Any: JSON
        return _ask(process, seconds, name, named, file)

    try:
        yield call
        assert process.stdin is not None
        process.stdin.close()  # the process closes its database, so that this one can read it
        process.wait(timeout=seconds)
    finally:
        child_process.stop(process)


def _ask(process: child_process.Child, seconds: float, name: str, named: dict[str, object], file: str) -> Any:
    """Send a request and return the result, or raise MappingRefused."""
    key = str(named.get("key", "select"))
    try:
        answer = child_process.ask(process, {"call": name, "named": named}, seconds)
    except child_process.ChildEndedError as ended:
        problem = f"{key}: the SQL needs more than {ADDRESS_SPACE >> 20:,} MB of memory; make it cheaper"
        if ended.late:
            problem = f"{key}: the SQL took longer than {seconds:.0f} seconds; make it cheaper, or raise {SETTING}"
        raise MappingRefused(file, [problem]) from None
    if "refused" in answer:
        raise MappingRefused(file, answer["refused"])
    return answer["result"]


def _as_list(names: set[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def main(database: str, memory: str, seconds: str) -> None:
    """Answer requests until standard input ends."""
    child_process.limit_memory(ADDRESS_SPACE)
    child_process.limit_processor_time(float(seconds))
    connection = sql_sandbox.open_sandbox(Path(database), memory=memory)
    sql_sandbox.lock(connection)

    def answer(request: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
        try:
            return {"result": CALLS[request["call"]](connection, **request["named"])}
        except MappingRefused as error:
            return {"refused": error.problems}

    child_process.serve(answer)
    connection.close()


if __name__ == "__main__":
    import sys

    main(*sys.argv[1:])
