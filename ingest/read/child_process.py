"""A process of its own that answers JSON requests, one per line. The caller limits its time; it limits its memory."""

import contextlib
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
"""Environment variables of the process. Others may contain secrets."""

INHERITED, _ = resource.getrlimit(resource.RLIMIT_AS)
"""Limit of the memory that this process may map, as its parent set it."""

Child = subprocess.Popen[str]


class ChildEndedError(Exception):
    """The process ended without an answer. late: it took too long; otherwise it lacked memory or crashed."""

    def __init__(self, *, late: bool) -> None:
        self.late = late
        super().__init__("too slow" if late else "no answer")


def start(module: str, *arguments: str) -> Child:
    """Start a module that calls `serve`."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )


# Any: JSON
def ask(child: Child, request: dict[str, Any], seconds: float) -> Any:
    """Send a request and return the answer. Raises ChildEndedError, also after that many seconds."""
    late = threading.Event()

    def end() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(seconds, end)
    timer.start()
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(json.dumps(request) + "\n")
        child.stdin.flush()
        line = child.stdout.readline()
    except BrokenPipeError:
        line = ""
    finally:
        timer.cancel()
    if late.is_set() or not line:
        raise ChildEndedError(late=late.is_set())
    return json.loads(line)


def stop(child: Child) -> None:
    """End the process."""
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def serve(answer: Callable[[dict[str, Any]], object]) -> None:
    """Answer the requests of standard input until it ends. Runs in the process."""
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def limit_memory(size: int) -> None:
    """Limit the memory that this process may map. A lower limit of its parent stays."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    lowest = min(one for one in (size, INHERITED, most) if one != resource.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_AS, (lowest, most))


def limit_processor_time(seconds: float) -> None:
    """Limit the processor time from now on. The system ends a process that needs more, also without its parent."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(usage.ru_utime + usage.ru_stime + seconds * (os.cpu_count() or 1)) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))
