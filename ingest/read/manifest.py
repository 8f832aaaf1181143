"""Check files against the manifest that their source sends with them: rows, bytes and SHA-256.

A file that is cut just after a line end looks whole. Only its source can tell how long it was.
"""

import json
from fnmatch import fnmatch
from pathlib import Path

from ingest.errors import SourceRefused
from ingest.mapping.mapping_file import Origin
from ingest.read.find_files import Files
from ingest.read.source_objects import Reading
from ingest.read.text_tables import file_hash

KEYS = ("rows", "bytes", "sha256")
Manifest = dict[str, dict[str, int | str]]


def check_files(reading: Reading, files: Files) -> None:
    """Check presence, size and SHA-256 of the files of every origin that names a manifest. Raises SourceRefused."""
    origins = {**{f"staged.{name}": one for name, one in reading.mapping.staged.items()}, **reading.mapping.feeds}
    for key, origin in origins.items():
        if origin.manifest is None:
            continue
        manifest = _read(reading.folder, origin.manifest)
        present = {object_name: path for path, object_name, _ in files[key]}
        listed = [name for name in manifest if any(fnmatch(name, pattern) for pattern in origin.read)]
        if lacking := [name for name in listed if name not in present]:
            _refuse(lacking[0], f"{origin.manifest} lists it, but it is not there")
        for name, path in present.items():
            if name not in manifest:
                _refuse(name, f"{origin.manifest} does not list it")
            size, sha256 = manifest[name].get("bytes"), manifest[name].get("sha256")
            if size is not None and size != path.stat().st_size:
                _refuse(name, f"it has {path.stat().st_size:,} bytes, but {origin.manifest} says {size:,}")
            if sha256 is not None and str(sha256).lower() != file_hash(path):
                _refuse(name, f"its SHA-256 is not that of {origin.manifest}")


def check_rows(reading: Reading, feed: str, origin: Origin) -> None:
    """Check the number of records of the files of a feed. Raises SourceRefused."""
    if origin.manifest is None or not origin.read:
        return
    manifest = _read(reading.folder, origin.manifest)
    for source in (*reading.objects, *reading.repeated):
        rows = manifest.get(source.name, {}).get("rows")
        if source.feed == feed and rows is not None and rows != source.rows_in:
            _refuse(source.name, f"it has {source.rows_in:,} records, but {origin.manifest} says {rows:,}")


def _refuse(name: str, reason: str) -> None:
    raise SourceRefused(name, "", reason, "Send the complete files and their manifest again.")


def _read(folder: Path, name: str) -> Manifest:
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        _refuse(name, f"the manifest cannot be read ({error})")
    rows = list(found.values()) if isinstance(found, dict) else []
    if not isinstance(found, dict) or not all(isinstance(row, dict) and set(row) <= set(KEYS) for row in rows):
        example = '{"orders.csv": {"rows": 2, "bytes": 71, "sha256": "…"}}'
        raise SourceRefused(name, "", "it is no manifest", f"Write a JSON object such as {example}.")
    if not all(isinstance(row.get(key, 0), int) for row in rows for key in ("rows", "bytes")):
        raise SourceRefused(name, "", "rows and bytes must be whole numbers", "Correct the manifest.")
    return dict(found)
