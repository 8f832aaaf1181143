"""Which files a mapping names, each CSV with a look at its bytes; and that none changed while the run read."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ingest.errors import SourceRefused
from ingest.mapping.mapping_file import Origin
from ingest.read import csv_file
from ingest.read.csv_file import CsvScan
from ingest.read.source_objects import Reading

Files = dict[str, list[tuple[Path, str, "Future[CsvScan] | None"]]]


def scan_files(reading: Reading) -> Files:
    """Every feed's files, each CSV with the look at its bytes, taken one ahead of the reading."""
    pool = ThreadPoolExecutor(max_workers=1)
    looks: dict[tuple[Path, str], Future[CsvScan]] = {}
    result: Files = {}
    origins: list[tuple[str, Origin]] = [
        *((f"staged.{one}", origin) for one, origin in reading.mapping.staged.items()),
        *reading.mapping.feeds.items(),
    ]
    for key, origin in origins:
        result[key] = []
        for path in find_files(reading.folder, origin, key):
            shown = str(path.relative_to(reading.folder.resolve()))
            reading.states.setdefault(path, _file_state(path))
            look = None
            if path.name.endswith((".csv", ".csv.gz")):
                about = (path, f"{origin.encoding} {origin.final_newline}")
                if about not in looks:
                    looks[about] = pool.submit(csv_file.scan, path, origin, shown)
                look = looks[about]
            result[key].append((path, shown, look))
    pool.shutdown(wait=False)
    return result


def find_files(folder: Path, origin: Origin, key: str) -> list[Path]:
    """The regular files inside `folder` an origin names, sorted. Raises SourceRefused where a pattern finds none."""
    root = folder.resolve()
    result: list[Path] = []
    for pattern in origin.read:
        found = sorted(path.resolve() for path in root.glob(pattern))
        found = [path for path in found if path.is_file() and path.is_relative_to(root)]
        if not found:
            raise SourceRefused(
                pattern,
                "",
                f"[{key}] finds no such file in {folder}",
                "Give the folder with --data, or put `read` right.",
            )
        result.extend(found)
    return list(dict.fromkeys(result))


def _file_state(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns


def refuse_changed(reading: Reading, files: Files) -> None:
    """Raises SourceRefused for a file that is another one than when the run began to read: whoever writes it had not
    finished.
    """
    for found in files.values():
        for path, shown, _ in found:
            if not path.exists() or _file_state(path) != reading.states[path]:
                do = "Have it written under another name and renamed when it is whole; the next run reads it."
                raise SourceRefused(shown, "", "it was changed while it was being read", do)
