"""The limit of a run's memory holds inside the block only."""

import resource

import pytest

from commands.limits import limited_memory
from metrics.warehouse import instances


def test_a_run_cannot_take_more_memory_than_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust, T5: the ingest process had no limit."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    monkeypatch.setattr(instances, "host_memory", lambda: 1 << 30)
    with limited_memory():
        assert resource.getrlimit(resource.RLIMIT_AS)[0] == 4 << 30
        with pytest.raises(MemoryError):
            bytearray(5 << 30)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
