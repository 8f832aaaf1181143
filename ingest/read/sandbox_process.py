"""A process of its own for the SQL of a mapping, with limits of memory and time.

An interrupt does not stop every function of DuckDB, and `memory_limit` does not cover every allocation. The limits of a
process do. Run as a module, it answers one JSON request per line of standard input.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ingest.errors import MappingRefused
from ingest.read import sql_sandbox
from ingest.read.time_limit import SETTING, statement_seconds

ADDRESS_SPACE = 2_400 << 20
"""Bytes that the process may map. DuckDB's own limit is lower; this one covers the rest."""
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
"""Environment variables of the process. Others may contain secrets."""
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
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-m", "ingest.read.sandbox_process", str(database), memory, str(int(seconds) + 60)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )

    def call(name: str, **named: object) -> Any:  # Any: JSON
        return _ask(process, seconds, name, named, file)

    try:
        yield call
        assert process.stdin is not None
        process.stdin.close()  # the process closes its database, so that this one can read it
        process.wait(timeout=seconds)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _ask(process: "subprocess.Popen[str]", seconds: float, name: str, named: dict[str, object], file: str) -> Any:
    """Send a request and return the result, or raise MappingRefused."""
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, end)
    timer.start()
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps({"call": name, "named": named}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except BrokenPipeError:
        line = ""
    finally:
        timer.cancel()
    key = str(named.get("key", "select"))
    if late.is_set():
        longer = f"{key}: the SQL took longer than {seconds:.0f} seconds; make it cheaper, or raise {SETTING}"
        raise MappingRefused(file, [longer])
    if not line:
        raise MappingRefused(
            file, [f"{key}: the SQL needs more than {ADDRESS_SPACE >> 20:,} MB of memory; make it cheaper"]
        )
    answer = json.loads(line)
    if "refused" in answer:
        raise MappingRefused(file, answer["refused"])
    return answer["result"]


def _as_list(names: set[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def main(database: str, memory: str, cpu_seconds: str) -> None:
    """Answer requests until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_seconds) * (os.cpu_count() or 1),) * 2)
    connection = sql_sandbox.open_sandbox(Path(database), memory=memory)
    sql_sandbox.lock(connection)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": CALLS[request["call"]](connection, **request["named"])}
        except MappingRefused as error:
            answer = {"refused": error.problems}
        print(json.dumps(answer), flush=True)
    connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
