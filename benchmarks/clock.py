"""Clock of a block: seconds on the clock, and processor seconds of this process and of a PostgreSQL server."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import sysconf
from pathlib import Path

from benchmarks.postgres_server import first_process
from metrics.warehouse import Location


def spent_by(place: Location | None) -> Callable[[], float]:
    """Return a function that returns the processor seconds of this process, and of the server that has the warehouse.

    The server must run on this machine. Its other sessions are counted, too.
    """
    if place is None or place.url is None:
        return time.process_time
    first = first_process(place.url)
    return lambda: time.process_time() + processor_seconds(first)


@contextmanager
def clock(place: Location | None = None) -> Iterator[dict[str, float]]:
    """Yield a dict that receives the seconds of the block: on the clock, and of all processors together.

    A busy machine distorts the processor seconds less.
    """
    result: dict[str, float] = {}
    spent = spent_by(place)
    began, used = time.perf_counter(), spent()
    yield result
    result["seconds"], result["cpu_seconds"] = time.perf_counter() - began, spent() - used


def processor_seconds(process: int) -> float:
    """Return the processor seconds of a process and of its child processes, ended or running.

    The kernel counts them in ticks, usually hundredths of a second.
    """
    own = _ticks(process)
    running = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return (sum(own) + sum(sum(_ticks(int(child))[:2]) for child in running)) / sysconf("SC_CLK_TCK")


def _ticks(process: int) -> list[int]:
    """Return the ticks of a process as user and as system, and the same of its children that have ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # the process has just ended
        return [0, 0, 0, 0]
    return [int(field) for field in fields[11:15]]
