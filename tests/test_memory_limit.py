"""The limit of a run's memory holds inside the block only."""

import mmap
import resource
import threading

import pytest

from commands.limits import limited_memory
from metrics.warehouse import instances


def test_a_run_cannot_take_more_memory_than_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust, T5: the ingest process had no limit."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    monkeypatch.setattr(instances, "host_memory", lambda: 1 << 30)
    with limited_memory():
        assert resource.getrlimit(resource.RLIMIT_AS)[0] > 4 << 30
        with pytest.raises(MemoryError):
            bytearray(5 << 30)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_run_can_start_threads_in_a_process_that_maps_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries reserve many gigabytes of addresses. Without addresses, `Thread.start` waits without end."""
    monkeypatch.setattr(instances, "host_memory", lambda: 1 << 30)
    with mmap.mmap(-1, 6 << 30, prot=mmap.PROT_READ), limited_memory():
        done = threading.Event()
        threading.Thread(target=done.set, daemon=True).start()
        assert done.wait(10)
