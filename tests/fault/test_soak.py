"""A long time of publishes and readers (A28): memory, open files and disk stay flat.

SOAK_HOURS=24 runs a day, SOAK_READERS=50 with 50 readers. Without them it takes 12 seconds with two.
"""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from metrics import warehouse
from metrics.warehouse import Location
from tests.fault import paired_tables
from tests.fault.conftest import Start
from tests.support.tries import Tries

SECONDS = float(os.environ.get("SOAK_HOURS", "0")) * 3_600 or 12
READERS = int(os.environ.get("SOAK_READERS", "2"))
MOST_GROWTH = 1_000_000 * SECONDS / 3 / 3_600 + 8_000_000
"""Bytes that a process may grow from the second third to the last: 1 MB an hour, and 8 MB of noise."""


@dataclass(frozen=True)
class Use:
    """What the processes use now. memory and files: the most of one process. disk: bytes of the warehouse."""

    memory: int
    files: int
    disk: int


def use(children: list[subprocess.Popen[str]], folder: Path) -> Use:
    """Measure the processes and the folder. A file that is deleted meanwhile counts nothing."""
    memory = files = disk = 0
    for child in children:
        status = Path(f"/proc/{child.pid}/status").read_text()
        memory = max(memory, 1024 * int(status.partition("VmRSS:")[2].split()[0]))
        files = max(files, len(os.listdir(f"/proc/{child.pid}/fd")))
    for path in folder.glob("gen-*"):
        disk += path.stat().st_size if path.exists() else 0
    return Use(memory, files, disk)


@pytest.mark.long
@pytest.mark.timeout(int(SECONDS) + 300)
def test_memory_open_files_and_disk_stay_flat_while_generations_are_published(
    location: Location, start: Start, tries: Tries
) -> None:
    for _ in range(100):
        first = paired_tables.publish(location, kept=100)
    assert location.folder is not None
    warehouse.close(location)
    children = [start("soak"), *(start("read", "1000000000", "1000000000") for _ in range(READERS))]
    seen: list[Use] = []
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        time.sleep(SECONDS / 30)
        assert [child.poll() for child in children] == [None] * len(children)
        seen.append(use(children, location.folder))
    for child in children:
        child.kill()
        child.wait()
    published = paired_tables.publish(location, kept=100) - first - 1
    assert published > 1
    tries.add(published)
    warm, end = seen[len(seen) // 3 : len(seen) * 2 // 3], seen[len(seen) * 2 // 3 :]
    # The least of the disk: a file that a slow reader still has open stays for a moment.
    for name, of, most in (("memory", max, MOST_GROWTH), ("files", max, 2), ("disk", min, 2_000_000)):
        before, after = (of(getattr(one, name) for one in part) for part in (warm, end))
        assert after - before <= most, f"{name}: {before} before, {after} at the end"
