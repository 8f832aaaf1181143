"""Publish in many child processes, in each of which one system call on the build fails.

Run `python -m tests.fault.failing_calls HOME CALL ROUNDS MOST` under strace, which lets call number LAST fail. Each
child first makes LAST - n calls on the file `spare`, so that call n of its publish fails. HOME has one published run.
Prints a JSON list with an error for each broken promise.
"""

import json
import os
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from metrics import warehouse
from metrics.errors import BuildFailed
from metrics.warehouse import Location, reading
from tests.fault import paired_tables

LAST = 40
"""More than the calls of a publish, of which there are up to 8 of a kind."""
CALLS: dict[str, Callable[[int], object]] = {
    "write": lambda spare: os.write(spare, b"x"),
    "pwrite64": lambda spare: os.pwrite(spare, b"x", 0),
    "fsync": os.fsync,
    "sendfile": lambda spare: os.sendfile(spare, spare, 0, 0),
}
"""The system calls that may fail, each by its name in strace."""


def child(folder: Path, call: str, first: int) -> int:
    """Publish in a child whose call number `first` fails; 0: none fails. Return its exit status."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about idle threads of libraries
        pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        spare = os.open(folder.parent / "spare", os.O_RDWR | os.O_CREAT)
        for _ in range(LAST - first if first else 0):
            CALLS[call](spare)
        paired_tables.publish(Location(folder=folder))
        status = 0
    except BuildFailed as error:
        status = error.exit_code
    except BaseException:  # noqa: BLE001 - the exit status reports it
        traceback.print_exc()
    finally:
        os._exit(status)


def runs(folder: Path) -> int:
    """Return the number of published runs. Raises AssertionError for a torn one."""
    place = Location(folder=folder)
    with reading(place) as connection:
        assert connection.info["fallback"] is None
        seen = paired_tables.runs_seen(connection)
    warehouse.close(place)
    return seen


def attempt(folder: Path, call: str, first: int, before: int) -> tuple[str, int]:
    """Let one call fail, then publish without a fault. Return the broken promise, if any, and the exit status.

    before: the number of published runs.
    """
    status = child(folder, call, first)
    after = runs(folder)
    if status not in (0, BuildFailed.exit_code):
        return f"{call} {first}: exit status {status}", status
    if after not in ((before + 1,) if status == 0 else (before, before + 1)):
        return f"{call} {first}: status {status}, and {after} runs are published", status
    if (ended := child(folder, call, 0)) != 0 or runs(folder) != after + 1:
        return f"{call} {first}: the next run ended with {ended}", status
    return "" if not list(folder.glob("build-*")) else f"{call} {first}: a build is left", status


def main(home: str, call: str, rounds: str, at_most: str) -> None:
    """Let each call of a publish fail in turn, at most so many, until three publishes in a row need no more calls.

    Each round begins with one more published run than the round before.
    """
    folder, before = Path(home), Path(f"{home}-before")
    broken = []
    for published in range(1, int(rounds) + 1):
        succeeded = first = 0
        while succeeded < 3 and first < int(at_most):
            first += 1
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(before, folder)
            problem, status = attempt(folder, call, first, published)
            broken += [problem] if problem else []
            succeeded = succeeded + 1 if status == 0 else 0
        broken += [] if child(before, call, 0) == 0 else [f"round {published}: the publish between the rounds failed"]
    print(json.dumps(broken))


if __name__ == "__main__":
    main(*sys.argv[1:])
