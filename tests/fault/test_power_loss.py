"""Power loss in a publish (A10): every state that the disk may have kept opens a complete generation."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from metrics import warehouse
from metrics.warehouse import Location, reading
from tests.fault import paired_tables
from tests.support import tries as counts
from tests.support.tries import Tries

PUBLISHES = counts.number(goal=13, usual=1)
"""Publishes whose states are opened. From the fourth on, a publish also deletes old generations."""


class Disk:
    """Record what a publish does, and keep a copy of the folder after each step, with what is not on the disk yet."""

    def __init__(self, folder: Path, states: Path) -> None:
        self.folder, self.states = folder, states
        self.renamed: list[tuple[Path, Path, bytes | None]] = []
        """Renames since the last sync of the folder: from, to, and the content that `to` had before."""
        self.synced: set[int] = set()
        """Files (by inode) whose content is on the disk."""
        self.kept: list[Path] = []

    def note(self, what: str) -> None:
        """Keep the states that a power loss may leave now: everything kept, renames lost, contents lost."""
        whole = self._copy(f"{what} all")
        for at, (source, target, before) in enumerate(reversed(self.renamed)):
            lost = self._copy(f"{what} lost {at}", whole)
            (lost / source.name).write_bytes((lost / target.name).read_bytes())
            if before is not None:
                (lost / target.name).write_bytes(before)
            else:
                (lost / target.name).unlink()
        unsynced = [path for path in self.folder.iterdir() if path.is_file() and path.stat().st_ino not in self.synced]
        for path in unsynced:
            if path.name.startswith(("gen-", "build-", "CURRENT")):
                cut = self._copy(f"{what} cut {path.name}", whole)
                (cut / path.name).write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    def _copy(self, name: str, of: Path | None = None) -> Path:
        state = Path(tempfile.mkdtemp(dir=self.states)) / f"{len(self.kept):03} {name}"
        shutil.copytree(of or self.folder, state)
        self.kept.append(state)
        return state


@pytest.fixture
def disk(location: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    assert location.folder is not None
    made = Disk(location.folder, tmp_path / "states")
    made.states.mkdir()

    def recorded(real: Callable[..., Any], moves: bool) -> Callable[..., Any]:
        def act(*words: Any, **more: Any) -> Any:
            before = Path(words[1]).read_bytes() if moves and Path(words[1]).exists() else None
            result = real(*words, **more)
            if moves:
                made.renamed.append((Path(words[0]), Path(words[1]), before))
            elif os.fstat(words[0]).st_ino == made.folder.stat().st_ino:
                made.renamed.clear()
            else:
                made.synced.add(os.fstat(words[0]).st_ino)
            made.note(real.__name__)
            return result

        return act

    paired_tables.publish(location)
    warehouse.close(location)
    made.synced = {path.stat().st_ino for path in made.folder.iterdir()}
    for name, moves in (("fsync", False), ("rename", True), ("replace", True)):
        monkeypatch.setattr(os, name, recorded(getattr(os, name), moves))
    return made


@pytest.mark.timeout(900)
def test_every_crash_state_of_a_publish_opens_a_complete_generation(
    disk: Disk, location: Location, monkeypatch: pytest.MonkeyPatch, tries: Tries
) -> None:
    kept = []
    for _ in range(PUBLISHES):
        paired_tables.publish(location)
        kept.append(disk.kept)
        disk.kept = []
    monkeypatch.undo()
    for before, states in enumerate(kept, 1):
        assert len(states) >= 8
        found = []
        for state in states:
            tries.add()
            place = Location(folder=state)
            with reading(place) as connection:
                assert connection.info["fallback"] is None, state.name
                found.append(paired_tables.runs_seen(connection))
            warehouse.close(place)
        assert set(found) == {before, before + 1}
        assert found[-1] == before + 1
        for state in states[:: max(len(states) // 4, 1)]:  # the next run needs no human step
            place = Location(folder=state)
            paired_tables.publish(place)
            with reading(place) as connection:
                assert paired_tables.runs_seen(connection) in (before + 1, before + 2), state.name
            warehouse.close(place)
            assert not list(state.glob("build-*"))
            shutil.rmtree(state)
