"""Clock of a block: seconds on the clock, and processor seconds of this process and of a PostgreSQL server."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.postgres_server import first_process, processor_seconds
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
