"""The folder of an embedded warehouse: create it, lock it for one writer, and check its free space."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from metrics.errors import BuildFailed, NoSpace, SettingRefused, WarehouseBusy, storage_text
from metrics.warehouse.instances import DISK_ERRORS

SPARE_BYTES = 64_000_000
"""Required free space, in addition to twice the newest generation."""


def make_folder(folder: Path) -> None:
    """Create the folder. Raises SettingRefused if that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"{folder} cannot be used ({storage_text(error)}). Choose a folder that you may write to."
        raise SettingRefused("BUYERVIEW_HOME", why) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Take the writer's lock. Raises WarehouseBusy if another process has it. The kernel frees it when we exit."""
    with disk_faults(folder):
        opened = (folder / "lock").open("a")
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WarehouseBusy(str(folder)) from None
        yield


@contextmanager
def disk_faults(folder: Path) -> Iterator[None]:
    """Raise BuildFailed for disk errors."""
    try:
        yield
    except (OSError, *DISK_ERRORS) as error:
        raise BuildFailed(str(folder), storage_text(error, folder)) from error


def need_space(folder: Path, size: int) -> None:
    """Raise NoSpace if the disk has no room for a copy of `size` bytes and its changes."""
    needed = 2 * size + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoSpace(str(folder), needed, free)
