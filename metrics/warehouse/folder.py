"""The folder of an embedded warehouse: create it, lock it for one writer, and check its free space."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from metrics.errors import BuildFailed, NoSpace, SettingRefused, WarehouseBusy, storage_text
from metrics.warehouse.instances import DISK_ERRORS

SPARE_BYTES = 64_000_000
"""Required free space, in addition to twice the newest generation."""


PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
"""Modes under BUYERVIEW_HOME: only the user who runs Buyerview reads and writes."""
PRIVATE_UMASK = 0o077
"""Umask of every command, so that all files it writes are private."""


def make_private(folder: Path) -> None:
    """Create a folder that only its owner can enter, and close an existing one with its files. Raises OSError."""
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    if not folder.stat().st_mode & ~PRIVATE_FOLDER & 0o777:
        return
    with suppress(PermissionError, FileNotFoundError):  # another user's folder, or a file that is gone meanwhile
        folder.chmod(PRIVATE_FOLDER)
        for path in folder.rglob("*"):
            if not path.is_symlink():
                path.chmod(PRIVATE_FOLDER if path.is_dir() else PRIVATE_FILE)


def make_folder(folder: Path) -> None:
    """Create the folder. Raises SettingRefused if that is not possible."""
    try:
        make_private(folder)
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
