"""Fill a folder once for all test processes."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def copied(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], object]) -> Path:
    """Return a new copy of a folder that `fill` filled. The first test process that needs it fills it.

    name: name of the folder, the same in each process.
    """
    base = factory.getbasetemp()
    shared = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / f"shared_{name}"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "done").exists():
            shutil.rmtree(shared / "whole", ignore_errors=True)
            (shared / "whole").mkdir()
            fill(shared / "whole")
            (shared / "done").touch()
    folder = factory.mktemp(name)
    shutil.copytree(shared / "whole", folder, dirs_exist_ok=True)
    return folder
