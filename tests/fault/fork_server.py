"""A process that imports everything a run needs, and forks a child for each run or reader.

Run `python -m tests.fault.fork_server`. Importing the validation and compiling the statements take seconds. A fork
takes a hundredth of a second. No database is open at the fork, so children inherit no handle. Standard input takes
one JSON list per line, and standard output returns one line for each:

    ["warm", MAPPING ...]                    run the mappings one after another into a folder thrown away -> 0
    ["ingest", HOME, MAPPING, FAILPOINT]     run the mapping; FAILPOINT may be empty     -> the child's pid
    ["read", HOME, STOP]                     read and check until the file STOP exists   -> the child's pid
    ["wait", PID]                            -> its return code, below 0 for a signal

HOME is a folder or the URL of a server. The result of the validation library is stored for each mapping, because
validation takes longer than the rest of a run, and the same records break the same rules.
"""

import contextlib
import importlib
import json
import os
import pickle
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, make_url, select

from ingest.pipeline import run
from ingest.validate import expectations
from metrics import warehouse
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.queries.rollups import ROLLUPS
from metrics.schema import run_files
from metrics.warehouse import Location, reading

NOW = datetime(2026, 7, 1, 6)
LIBRARY = expectations.validate
PAUSE = 0.05
"""Seconds between two reads. Readers must see every state, but leave the processor to the writer."""


def location(home: str) -> Location:
    """The warehouse that a folder or a URL names."""
    return Location(url=make_url(home)) if "://" in home else Location(folder=Path(home))


def ingest(home: str, mapping: str, failpoint: str) -> None:
    """Run the mapping. The process is killed at the failpoint."""
    os.environ["FAILPOINT"] = failpoint
    found = Path(tempfile.gettempdir()) / mapping.replace("/", "_")

    def validate(*staged: Any) -> Any:
        if not found.exists():
            found.write_bytes(pickle.dumps(LIBRARY(*staged)))
        return pickle.loads(found.read_bytes())

    expectations.validate = validate
    run(mapping, location=location(home), now=NOW)


def warm(*mappings: str) -> None:
    """Run the mappings here, so that children inherit compiled statements and validation results."""
    with tempfile.TemporaryDirectory() as folder:
        for mapping in mappings:
            ingest(folder, mapping, "")
        warehouse.close(Location(folder=Path(folder)))


def read(home: str, stop: str) -> None:
    """Read repeatedly. An incomplete publish shows as a wrong sum."""
    place, newest, reads = location(home), 0, 0
    while reads == 0 or not Path(stop).exists():
        if reads % 10 == 0:
            warehouse.close(place)
        with reading(place) as connection:
            assert connection.info["fallback"] is None
            assert connection.info["generation"] >= newest
            newest = connection.info["generation"]
            assert_whole(connection)
        reads += 1
        time.sleep(PAUSE)


def assert_whole(connection: Any) -> None:
    """Assert that the ledger adds up, that no line is missing from the facts, and that rollups sum all rows."""
    c = run_files.c
    assert connection.scalar(select(func.sum(c.rows_in - c.rows_loaded - c.rows_quarantined - c.rows_superseded))) == 0
    lines = connection.scalar(select(func.count()).select_from(order_line_facts_table))
    assert connection.scalar(select(func.sum(order_facts_table.c.line_count))) == lines > 0
    for rollup in ROLLUPS:
        dated = connection.scalar(select(func.count(rollup.facts.c[rollup.date])))
        assert connection.scalar(select(func.sum(rollup.table.c.rows_summed))) == dated > 0, rollup.table.name


def born(role: Callable[..., None], arguments: list[str]) -> int:
    """Fork a child that plays the role, and return its pid."""
    with warnings.catch_warnings():
        # Idle threads of imported libraries cause a warning about forking.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        role(*arguments)
        code = 0
    except BaseException:  # noqa: BLE001 - the return code reports the error to the parent
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Execute requests until standard input ends."""
    importlib.import_module("great_expectations")
    roles = {"ingest": ingest, "read": read}
    with tempfile.TemporaryDirectory() as remembered:
        os.environ["TMPDIR"] = tempfile.tempdir = remembered
        for line in sys.stdin:
            role, *arguments = json.loads(line)
            if role == "warm":
                warm(*arguments)
                print(0, flush=True)
            elif role == "wait":
                print(os.waitstatus_to_exitcode(os.waitpid(int(arguments[0]), 0)[1]), flush=True)
            else:
                print(born(roles[role], arguments), flush=True)


if __name__ == "__main__":
    main()
