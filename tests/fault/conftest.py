"""Fixtures that start other processes on the test's warehouse, and always end them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from subprocess import PIPE
from typing import Protocol

import pytest

from tests.support.failpoints import ROOT


class Start(Protocol):
    """Start `python -m tests.fault.process` with these arguments and environment variables."""

    def __call__(self, *arguments: str, **variables: str) -> subprocess.Popen[str]: ...


@pytest.fixture(autouse=True)
def _one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use one DuckDB thread: many processes read tiny tables, and threads would wait for each other."""
    monkeypatch.setenv("BUYERVIEW_THREADS", "1")


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a child process. It is killed at the end of the test if it still runs."""
    children: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-W", "error", "-m", "tests.fault.process", *arguments]
        environment = {**os.environ, **variables}
        child = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        children.append(child)
        return child

    yield begin
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()
