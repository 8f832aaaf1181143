"""Tell complete files from files that are still being written: by a done marker, or because they no longer change.

A file that is not complete is left to the next run.
"""

import logging
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from ingest.errors import SourceRefused
from ingest.mapping.file_kinds import ENDINGS
from ingest.mapping.mapping_file import Origin
from metrics.errors import SettingRefused

log = logging.getLogger(__name__)

SETTLE = 5.0
"""Seconds that a file found by a pattern must not have changed."""
SETTING = "BUYERVIEW_SETTLE"
"""Environment variable that replaces SETTLE."""
SAME_TIME = 2.0
"""Seconds by which a marker may seem older than its file: file systems and copies round times."""

State = tuple[int, int] | None


def only_complete(folder: Path, found: Iterable[tuple[str, Origin, list[Path]]]) -> dict[str, list[Path]]:
    """Return the complete files of each origin, given as (key, origin, files). Waits once for all of them.

    Raises SourceRefused if an origin has files but none is complete.
    """
    origins = list(found)
    unfinished = _changing({path: _settle(origin) for _, origin, paths in origins for path in paths})
    complete: dict[str, list[Path]] = {}
    for key, origin, paths in origins:
        complete[key] = [
            path for path in paths if (_is_marked(path, origin.done) if origin.done else path not in unfinished)
        ]
        for path in sorted(set(paths) - set(complete[key])):
            why = f"it has no marker {origin.done}" if origin.done else "it is still being written"
            name = str(path.relative_to(folder.resolve()))
            if not complete[key]:
                do = "Start the run again when the file is complete."
                raise SourceRefused(name, "", f"[{key}] {why}, and there is no other file", do)
            log.warning("%s: %s; a later run reads it", name, why)
    return complete


def _settle(origin: Origin) -> float:
    """Return how long the files of an origin must not have changed, in seconds."""
    if origin.done is not None:
        return 0
    if origin.settle is not None:
        return origin.settle
    if not any(sign in pattern for pattern in origin.read for sign in "*?["):
        return 0
    setting = os.environ.get(SETTING, "")
    try:
        seconds = float(setting or SETTLE)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 3600:
        raise SettingRefused(SETTING, f"{setting!r} is no number of seconds from 0 to 3600.")
    return seconds


def _changing(settle_of: dict[Path, float]) -> set[Path]:
    """Return the files that change within their time. Files that changed long ago need no wait."""
    now = time.time()
    before: dict[Path, State] = {}
    wait = 0.0
    for path, settle in settle_of.items():
        state = _state(path)
        age = now - state[1] / 1e9 if state else 0.0
        if age < settle:  # a time in the future says nothing, so the wait is complete
            before[path] = state
            wait = max(wait, settle - max(age, 0.0))
    if wait > 0:
        time.sleep(wait)
    return {path for path, state in before.items() if _state(path) != state}


def _state(path: Path) -> State:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_size, about.st_mtime_ns


def _is_marked(path: Path, done: str) -> bool:
    """Return whether a file has its marker in the same folder, written after the file.

    `*` in the marker's name is the file's name with or without its ending.
    """
    plain = re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
    known = [ending for endings in ENDINGS.values() for ending in endings if plain.lower().endswith(ending)]
    without = plain[: -max(map(len, known))] if known else plain
    state = _state(path)
    markers = [_state(path.with_name(done.replace("*", name))) for name in (without, path.name)]
    return state is not None and any(
        marker is not None and marker[1] >= state[1] - SAME_TIME * 1e9 for marker in markers
    )
