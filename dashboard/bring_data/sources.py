"""Sources brought in the browser: uploaded files or a named connection, the answers, and the mapping.

Every source is a folder below `sources` in BUYERVIEW_HOME:

    files/            uploaded files; the mapping's paths start here
    kept/about.json   what the source is, and where it stands
    kept/answers.json answers to the questions, by key
    kept/mapping.toml the mapping
    kept/found.json   what `buyerview init` found; trial.json, run.json: results of a trial run and of the last run

Nothing here opens an uploaded file. Files have mode 0600, folders 0700.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from metrics.warehouse import DEFAULT_HOME, locate

TYPES = ("csv", "tsv", "txt", "xlsx", "xls", "ods", "parquet", "json", "jsonl", "gz")
"""Endings of files that can be uploaded."""
MOST_FILES = 200
MOST_BYTES = 2 << 30
"""Bytes of all files of a source."""
MOST_SOURCES = 100
LONGEST_NAME = 80
ABANDONED_SECONDS = 7 * 86_400
"""Age at which a source that was never published is deleted."""
CONNECTION = "BUYERVIEW_CONNECTION_"
"""Start of the environment variables in which an administrator sets connections."""
UPLOAD_MB = "BUYERVIEW_UPLOAD_MB"

Json = Mapping[str, object]


class UploadRefused(ValueError):  # noqa: N818 - all errors of Buyerview are named by the event
    """Files that are not kept: too many, or too large. The text says what to do."""


@dataclass(frozen=True)
class Source:
    """A source as it is on disk."""

    name: str
    folder: Path
    about: Json
    answers: Json
    found: Json
    """What `buyerview init` found; empty before that."""
    trial: Json
    run: Json
    """Report of the last published run; empty before that."""
    mapping: str
    """Text of the mapping; "" before it is written."""

    @property
    def files(self) -> list[Path]:
        """Return the uploaded files."""
        return sorted(one for one in self.folder.glob("files/*") if not one.name.startswith("."))

    @property
    def connection(self) -> str:
        """Return the name of the connection; "" if the source is files."""
        return str(self.about.get("connection", ""))

    @property
    def error(self) -> str:
        """Return why the last step failed; "" if it succeeded."""
        return str(self.about.get("error", ""))

    @property
    def is_published(self) -> bool:
        """Return True if the mapping and files as they are now are published."""
        return bool(self.about.get("published"))

    @property
    def is_edited(self) -> bool:
        """Return True if somebody edited the mapping. Answers then no longer change it."""
        return bool(self.about.get("edited"))


def upload_limit() -> int:
    """Return the largest size of an uploaded file in megabytes."""
    text = os.environ.get(UPLOAD_MB, "")
    return int(text) if text.isdecimal() and int(text) > 0 else 200


def connections() -> list[str]:
    """Return the names of the connections that the administrator has set."""
    return sorted(name.removeprefix(CONNECTION) for name, value in os.environ.items() if _is_connection(name, value))


def _is_connection(name: str, value: str) -> bool:
    return bool(value) and name.startswith(CONNECTION) and name != CONNECTION


def _root() -> Path:
    home = locate().folder or Path(os.environ.get("BUYERVIEW_HOME") or DEFAULT_HOME).expanduser().resolve()
    return home / "sources"


def kept() -> list[Source]:
    """Return all sources, the newest first."""
    folders = [one for one in _root().glob("*") if (one / "kept" / "about.json").is_file()]
    loaded = [load(one.name) for one in sorted(folders, key=lambda one: -one.stat().st_mtime)]
    return [one for one in loaded if one is not None]


def load(name: str) -> Source | None:
    """Return the source of a name; None if there is none."""
    folder = _root() / name
    if name != _plain(name) or not (folder / "kept" / "about.json").is_file():
        return None
    about, answers, found, trial, run = (_read(folder, one) for one in ("about", "answers", "found", "trial", "run"))
    try:
        mapping = (folder / "kept" / "mapping.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        mapping = ""
    return Source(name, folder, about, answers, found, trial, run, mapping)


def create(title: str, connection: str = "") -> Source:
    """Create an empty source named like a file or a connection. Raises UploadRefused if there are too many."""
    _delete_abandoned()
    root = _root()
    if len(list(root.glob("*"))) >= MOST_SOURCES:
        raise UploadRefused(f"There are {MOST_SOURCES} sources. Delete a source first.")
    stem = _plain(title.split(".")[0]) or "source"
    name = next(one for one in (stem, *(f"{stem}-{number}" for number in range(2, 999))) if not (root / one).exists())
    for folder in (root, root / name, root / name / "files", root / name / "kept"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write(root / name, "about", {"connection": connection, "begun": time.time()})
    return _loaded(name)


def _loaded(name: str) -> Source:
    source = load(name)
    if source is None:
        raise UploadRefused(f"The source {name} has been deleted. Drop the files again.")
    return source


def store_files(source: Source, files: Mapping[str, bytes | memoryview]) -> None:
    """Keep uploaded files. A file of the same name is replaced. Raises UploadRefused if they are too many or large."""
    sizes = {one.name: one.stat().st_size for one in source.files}
    named = {file_name(name): content for name, content in files.items()}
    sizes |= {name: len(content) for name, content in named.items()}
    if len(sizes) > MOST_FILES or sum(sizes.values()) > MOST_BYTES:
        raise UploadRefused(f"A source has at most {MOST_FILES} files and {MOST_BYTES >> 30} GB. Drop fewer files.")
    for name, content in named.items():
        _write(source.folder / "files" / name, content)


def file_name(name: str) -> str:
    """Return a safe name for an uploaded file: its last part, without signs that paths and patterns use."""
    plain = re.sub(r"[^\w .()+-]", "_", re.split(r"[/\\]", name)[-1]).lstrip(". ")
    stem, dot, ending = plain.rpartition(".")
    return f"{stem[:LONGEST_NAME]}{dot}{ending[:12]}" if dot else plain[:LONGEST_NAME] or "file"


def write(folder: Path, name: str, values: Json) -> None:
    """Write one of the JSON files of a source."""
    _write(folder / "kept" / f"{name}.json", json.dumps(values, default=str).encode())


def note(name: str, **values: object) -> None:
    """Change values of about.json."""
    source = _loaded(name)
    write(source.folder, "about", {**source.about, **values})


def write_mapping(source: Source, text: str) -> None:
    """Replace the text of the mapping."""
    _write(source.folder / "kept" / "mapping.toml", text.encode())


def delete(name: str) -> None:
    """Delete a source with its files. Published data stay."""
    source = load(name)
    if source is not None:
        shutil.rmtree(source.folder, ignore_errors=True)


def _delete_abandoned() -> None:
    for source in kept():
        if not source.run and time.time() - float(str(source.about.get("begun", 0))) > ABANDONED_SECONDS:
            delete(source.name)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST_NAME]


def _read(folder: Path, name: str) -> dict[str, object]:
    try:
        raw = json.loads((folder / "kept" / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _write(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole or not at all, readable only by this user."""
    draft = path.with_name(f".{path.name}.new")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)
