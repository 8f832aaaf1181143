"""Latency of pages: a histogram of the seconds that page runs took in this process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histogram, in seconds."""

_lock = threading.Lock()
_counts = [0] * (len(BOUNDS) + 1)
_total = [0.0]


@contextmanager
def measured() -> Iterator[None]:
    """Measure a page run and add it to the histogram, also if it ends early."""
    began = time.perf_counter()
    try:
        yield
    finally:
        observe(time.perf_counter() - began)


def observe(seconds: float) -> None:
    """Add a page run to the histogram."""
    with _lock:
        _total[0] += seconds
        _counts[next((at for at, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))] += 1


def histogram() -> tuple[list[int], float]:
    """Return the number of page runs per bound (the last number: above all bounds), and the sum of their seconds."""
    with _lock:
        return list(_counts), _total[0]
