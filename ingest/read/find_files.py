"""Find the files of a mapping, scan its CSV files, and refuse files that change during the run."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ingest.errors import SourceRefused
from ingest.mapping.file_kinds import kind_of
from ingest.mapping.mapping_file import Origin
from ingest.read.complete_files import only_complete
from ingest.read.csv_file import delimiter_of
from ingest.read.csv_scan import CsvScan, scan
from ingest.read.source_objects import Reading

Files = dict[str, list[tuple[Path, str, "Future[CsvScan] | None"]]]

OTHER_KINDS = "it is a folder, a pipe or a device, and not a file"


def scan_files(reading: Reading) -> Files:
    """Return every feed's files. A thread scans each CSV ahead of the reading."""
    pool = ThreadPoolExecutor(max_workers=1)
    scans: dict[tuple[Path, str], Future[CsvScan]] = {}
    result: Files = {}
    origins: list[tuple[str, Origin]] = [
        *((f"staged.{one}", origin) for one, origin in reading.mapping.staged.items()),
        *reading.mapping.feeds.items(),
    ]
    found = {key: find_files(reading.folder, origin, key) for key, origin in origins}
    complete = only_complete(reading.folder, [(key, origin, found[key]) for key, origin in origins])
    for key, origin in origins:
        result[key] = []
        for path in complete[key]:
            object_name = str(path.relative_to(reading.folder.resolve()))
            reading.states.setdefault(path, _file_state(path, object_name))
            file_scan = None
            if kind_of(path.name, origin.kind) == "csv":
                sign = delimiter_of(origin, path.name)
                about = (path, repr((origin.encoding, origin.final_newline, sign, origin.quote, origin.escape)))
                if about not in scans:
                    scans[about] = pool.submit(scan, path, origin, sign, object_name)
                file_scan = scans[about]
            result[key].append((path, object_name, file_scan))
    pool.shutdown(wait=False)
    return result


def find_files(folder: Path, origin: Origin, key: str) -> list[Path]:
    """Return the files inside `folder` that an origin names, sorted.

    Raises SourceRefused if a pattern has no match, or a match that is no readable file inside the folder.
    """
    if not origin.read:
        return []
    try:
        root = folder.resolve(strict=True)
    except (OSError, RuntimeError):
        raise SourceRefused(str(folder), "", "the data folder does not exist", "Name it with --data.") from None
    result: list[Path] = []
    for pattern in origin.read:
        try:
            matching = sorted(root.glob(pattern))
        except (ValueError, NotImplementedError, OSError) as error:
            do = 'Correct `read` in the mapping. Write ** between slashes, as in "**/*.csv".'
            raise SourceRefused(pattern, "", f"[{key}] it is no pattern of file names ({error})", do) from None
        if not matching and (root / pattern).is_symlink():
            matching = [root / pattern]  # a link to nothing does not match its own name
        if "**" in pattern:
            _refuse_linked_folders(root)
        if not matching:
            raise SourceRefused(
                pattern,
                "",
                f"[{key}] finds no such file in {folder}",
                "Name the folder with --data, or correct `read` in the mapping.",
            )
        result.extend(_inside(root, path) for path in matching)
    return list(dict.fromkeys(result))


def _inside(root: Path, found: Path) -> Path:
    """Return the file behind a match. Raises SourceRefused if it is outside the folder, or is no readable file."""
    name = str(found.relative_to(root))
    try:
        path = found.resolve(strict=True)
        name.encode()
    except (OSError, RuntimeError):
        raise SourceRefused(name, "", "it is a link to nothing, or to itself", "Remove or correct the link.") from None
    except UnicodeEncodeError:
        raise SourceRefused(ascii(name), "", "its name is not valid UTF-8", "Rename the file.") from None
    if not path.is_relative_to(root):
        do = f"Copy the file into {root}, or name a folder above both with --data."
        raise SourceRefused(name, "", "it is a link that leads out of the data folder", do)
    if not path.is_file():
        raise SourceRefused(name, "", OTHER_KINDS, "Correct `read` in the mapping, or move it elsewhere.")
    if not os.access(path, os.R_OK):
        raise SourceRefused(name, "", "there is no permission to read it", "Grant it to the user of this run.")
    return path


def _refuse_linked_folders(root: Path) -> None:
    """Raise SourceRefused for a linked folder outside of `root`, because ** does not follow links."""
    for parent, folders, _ in os.walk(root):
        for name in folders:
            path = Path(parent) / name
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
                do = "Name the folder in `read`, copy it into the data folder, or remove the link."
                reason = "it is a link that leads out of the data folder, and ** does not follow it"
                raise SourceRefused(str(path.relative_to(root)), "", reason, do)


def _file_state(path: Path, object_name: str) -> tuple[int, int]:
    try:
        about = path.stat()
    except OSError as error:
        do = "Write it under another name, and rename it when it is complete. Then run again."
        raise SourceRefused(object_name, "", f"it cannot be read any more ({error.strerror})", do) from None
    return about.st_size, about.st_mtime_ns


def refuse_changed(reading: Reading, files: Files) -> None:
    """Raise SourceRefused if a file has changed since the run started. Its writer had not finished."""
    for files_of_feed in files.values():
        for path, object_name, _ in files_of_feed:
            if _file_state(path, object_name) != reading.states[path]:
                do = "Write it under another name, and rename it when it is complete. Then run again."
                raise SourceRefused(object_name, "", "it was changed while it was being read", do)
