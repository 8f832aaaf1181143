"""Find the files of a mapping, scan its CSV files, and refuse files that change during the run."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ingest.errors import SourceRefused
from ingest.mapping.file_kinds import kind_of
from ingest.mapping.mapping_file import Origin
from ingest.read.csv_file import delimiter_of
from ingest.read.csv_scan import CsvScan, scan
from ingest.read.source_objects import Reading

Files = dict[str, list[tuple[Path, str, "Future[CsvScan] | None"]]]


def scan_files(reading: Reading) -> Files:
    """Return every feed's files. A thread scans each CSV ahead of the reading."""
    pool = ThreadPoolExecutor(max_workers=1)
    scans: dict[tuple[Path, str], Future[CsvScan]] = {}
    result: Files = {}
    origins: list[tuple[str, Origin]] = [
        *((f"staged.{one}", origin) for one, origin in reading.mapping.staged.items()),
        *reading.mapping.feeds.items(),
    ]
    for key, origin in origins:
        result[key] = []
        for path in find_files(reading.folder, origin, key):
            object_name = str(path.relative_to(reading.folder.resolve()))
            reading.states.setdefault(path, _file_state(path))
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
    """Return the files inside `folder` that an origin names, sorted. Raises SourceRefused if a pattern has no match."""
    root = folder.resolve()
    result: list[Path] = []
    for pattern in origin.read:
        matching = sorted(path.resolve() for path in root.glob(pattern))
        matching = [path for path in matching if path.is_file() and path.is_relative_to(root)]
        if not matching:
            raise SourceRefused(
                pattern,
                "",
                f"[{key}] finds no such file in {folder}",
                "Name the folder with --data, or correct `read` in the mapping.",
            )
        result.extend(matching)
    return list(dict.fromkeys(result))


def _file_state(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns


def refuse_changed(reading: Reading, files: Files) -> None:
    """Raise SourceRefused if a file has changed since the run started. Its writer had not finished."""
    for files_of_feed in files.values():
        for path, object_name, _ in files_of_feed:
            if not path.exists() or _file_state(path) != reading.states[path]:
                do = "Write it under another name, and rename it when it is complete. Then run again."
                raise SourceRefused(object_name, "", "it was changed while it was being read", do)
