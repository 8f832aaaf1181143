"""Child processes of the dashboard: `buyerview init`, `trial` and `ingest`, with limits of time and memory.

The dashboard never reads a raw file in its own process. A child that takes too long or needs too much memory is
killed, and the page shows why.
"""

import contextlib
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metrics.errors import WarehouseBusy
from metrics.redaction import redacted
from metrics.warehouse.instances import host_memory

log = logging.getLogger(__name__)

ENTRY = Path(__file__).resolve().parents[2] / "buyerview.py"
SHARE_OF_MEMORY, LEAST_MEMORY = 0.85, 4 << 30
"""Limit of a child's mapped memory: a share of the machine's, and at least so many bytes."""
MOST_OUTPUT = 32 << 20
"""Bytes of output that are read."""
AT_ONCE = 2
"""Children that run at the same time; others wait."""
BUSY_SECONDS = 2.0
"""Pause before a child runs again that found the warehouse busy."""
CANCELLED = "Cancelled."
FAILED = "It ended without a message. Try again, or run `buyerview init` on the command line."


@dataclass(frozen=True)
class Finished:
    """How a child ended: status 0 with its output, or another status with its message."""

    status: int
    output: str
    error: str


@dataclass
class Job:
    """Work of a child for one source."""

    title: str
    started: float = field(default_factory=time.monotonic)
    process: "subprocess.Popen[bytes] | None" = None
    cancelled: bool = False

    def seconds(self) -> int:
        """Return the seconds since its start."""
        return int(time.monotonic() - self.started)


_guard = threading.Lock()
_places = threading.BoundedSemaphore(AT_ONCE)
_jobs: dict[str, Job] = {}


def running(name: str) -> Job | None:
    """Return the job of a source; None if there is none."""
    return _jobs.get(name)


def start(name: str, title: str, words: Sequence[str], *, seconds: int, done: Callable[[Finished], None]) -> bool:
    """Run `buyerview WORDS` for a source in the background, then `done`. Return False if a job is already running."""
    with _guard:
        if name in _jobs:
            return False
        job = _jobs[name] = Job(title)
    threading.Thread(target=_work, args=(name, job, words, seconds, done), name=f"bring {name}", daemon=True).start()
    return True


def cancel(name: str) -> None:
    """Kill the job of a source."""
    job = _jobs.get(name)
    if job is not None:
        job.cancelled = True
        if job.process is not None:
            _kill(job.process)


def _work(name: str, job: Job, words: Sequence[str], seconds: int, done: Callable[[Finished], None]) -> None:
    try:
        with _places:
            finished = _run(job, words, seconds)
            while finished.status == WarehouseBusy.exit_code and not job.cancelled and job.seconds() < seconds:
                time.sleep(BUSY_SECONDS)  # somebody else publishes
                finished = _run(job, words, seconds)
            done(finished)
    except Exception:  # any failure; the source must become free
        log.exception("the child process of %s failed", name)
    finally:
        with _guard:
            _jobs.pop(name, None)


def _run(job: Job, words: Sequence[str], seconds: int) -> Finished:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        if job.cancelled:
            return Finished(1, "", CANCELLED)
        process = job.process = subprocess.Popen(
            [sys.executable, str(ENTRY), *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=tempfile.gettempdir(),
            start_new_session=True,
        )
        _limit(process.pid, seconds)
        if job.cancelled:  # between the two looks
            _kill(process)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.wait()
            status = -signal.SIGXCPU
        output.seek(0)
        errors.seek(0)
        text = output.read(MOST_OUTPUT).decode("utf-8", "replace")
        message = errors.read(MOST_OUTPUT).decode("utf-8", "replace")
    if job.cancelled:
        return Finished(1, "", CANCELLED)
    return Finished(status, text, "" if status == 0 else _message(status, message, seconds))


def _limit(pid: int, seconds: int) -> None:
    """Limit a child's memory and processor time. It imports its modules meanwhile, and has read nothing."""
    memory = max(LEAST_MEMORY, int(host_memory() * SHARE_OF_MEMORY))
    with contextlib.suppress(ProcessLookupError):  # it has ended
        resource.prlimit(pid, resource.RLIMIT_AS, (memory, memory))
        resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _message(status: int, errors: str, seconds: int) -> str:
    """Return the message of a child that failed."""
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"It took too much time or memory (the limit is {seconds // 60} minutes). Use smaller files."
    start = errors.rfind("buyerview: ")
    return redacted(errors[start + len("buyerview: ") :].strip()) if start >= 0 else FAILED
