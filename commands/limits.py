"""Limit of the memory of a run, so that a greedy file ends the run with an error and not the machine."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

LEAST = 4 << 30
"""Bytes that a run may always map. Mapped memory is more than used memory."""
SHARE = 0.85
"""Share of the machine's memory that a run may map, beyond what the process has mapped before."""


@contextmanager
def limited_memory() -> Iterator[None]:
    """Limit the memory of this process inside the block. What needs more fails with MemoryError."""
    from metrics.warehouse.instances import host_memory, mapped_memory

    before, most = resource.getrlimit(resource.RLIMIT_AS)
    # A process with less than its mapped memory cannot even start a thread, and waits for it without end.
    wanted = mapped_memory() + max(LEAST, int(host_memory() * SHARE))
    allowed = wanted if before == resource.RLIM_INFINITY else min(wanted, before)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, most))
