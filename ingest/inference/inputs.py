"""Resolve the arguments of `buyerview init`: files, folders and patterns. They end in a folder and a list of files."""

import os
from collections.abc import Sequence
from pathlib import Path

from metrics.errors import SettingRefused

MAGIC = "*?["


def is_database(text: str) -> bool:
    """Return True for the URL of a database, or env:NAME."""
    return "://" in text or text.startswith("env:")


def find_files(texts: Sequence[str], without: Path) -> list[Path]:
    """Return the files that paths, folders and patterns name, sorted. Raises SettingRefused if one names nothing.

    without: the mapping file that is written.
    """
    result: set[Path] = set()
    for text in texts:
        path = Path(text).expanduser()
        if any(sign in text for sign in MAGIC) and not path.exists():
            root = Path(path.anchor) if path.is_absolute() else Path()
            found = [one for one in root.glob(str(path.relative_to(root))) if one.is_file()]
        elif path.is_dir():
            found = [one for one in path.rglob("*") if one.is_file() and not one.name.startswith(".")]
        elif path.is_file():
            found = [path]
        else:
            raise SettingRefused(text, "there is no such file, folder or pattern; give the place of your records")
        if not found:
            raise SettingRefused(text, "it contains no files; give the place of your records")
        result.update(one.resolve() for one in found)
    return sorted(one for one in result if one != without)


def data_folder(files: Sequence[Path], mapping: Path) -> Path:
    """Return the folder where relative paths start: that of the mapping if all files are inside it, else their own."""
    if not files or all(file.is_relative_to(mapping.parent) for file in files):
        return mapping.parent
    return Path(os.path.commonpath([file.parent for file in files]))
