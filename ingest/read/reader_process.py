"""Read workbooks, JSON and Parquet in a process of its own, with limits of memory and time.

A file of a few kilobytes can make a reader take gigabytes, run without an end or crash. The limits of a process turn
each of these into a refusal of the file. The process fills a text table in a database file, and the run copies it.
"""

import errno
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from ingest.errors import SourceRefused
from ingest.mapping.file_kinds import kind_of
from ingest.mapping.mapping_file import FeedMap, Origin
from ingest.read import child_process, excel_file
from ingest.read.csv_file import BrokenRecord
from ingest.read.csv_scan import refuse_unreadable
from ingest.read.file_sizes import refuse_unpacking
from ingest.read.json_file import from_json
from ingest.read.parquet_file import from_parquet
from ingest.read.text_tables import TextTable
from ingest.read.time_limit import SETTING, limit
from ingest.storage.scratch_database import Connection, Scratch, quoted, sql_literal
from metrics.errors import driver_text, names_full_storage
from metrics.warehouse.instances import mapped_memory

MEMORY, MEMORY_PER_BYTE = 4 << 30, 40
"""Bytes that the process may map beyond its libraries, and bytes more for each byte of the file."""
SECONDS, BYTES_PER_SECOND = 60, 100_000
"""Seconds that a file may take, and bytes of a large file for each second more. Readers are ten times as fast."""
DEFECTS = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError, duckdb.Error)
"""Errors that no reader raises on purpose. Whatever a file does to its reader, only the file is refused."""
NO_THREAD = "Failed to launch worker thread"
"""Text of Arrow's error if the memory limit leaves no room for the stack of a thread."""
_SPLIT = "Send it as CSV or in several files"


@dataclass
class ReaderProcess:
    """The process that reads files of these kinds, and the scratch folder. It starts with the first file."""

    folder: Path
    child: child_process.Child | None = None

    def __enter__(self) -> "ReaderProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self.child is not None:
            child_process.stop(self.child)
            self.child = None

    def read_table(
        self,
        connection: Connection,
        table: str,
        path: Path,
        origin: Origin,
        object_name: str,
        *,
        wanted: Sequence[str] = (),
        needed: Sequence[str] = (),
    ) -> TextTable:
        """Read a file into a text table of `connection`. Raises SourceRefused.

        wanted: the columns that the mapping reads. needed: the columns that every record fills.
        """
        file = self.folder / "read_file.duckdb"
        read = self._ask(
            "table", path, object_name, origin=_origin_json(origin), file=str(file), wanted=wanted, needed=needed
        )
        connection.execute(f"ATTACH {sql_literal(str(file))} AS read_file (READ_ONLY)")
        connection.execute(f"CREATE TABLE {quoted(table)} AS SELECT * FROM read_file.main.records")
        connection.execute("DETACH read_file")
        file.unlink()
        broken = tuple(BrokenRecord(*one) for one in read.pop("broken"))
        return TextTable(broken=broken, marked=frozenset(read.pop("marked")), notes=tuple(read.pop("notes")), **read)

    def sheet_names(self, path: Path, object_name: str) -> list[str]:
        """Return the sheets of a workbook. Raises SourceRefused."""
        return list(self._ask("sheet_names", path, object_name))

    def first_rows(self, path: Path, origin: Origin, object_name: str) -> list[list[str | None]]:
        """Return the first rows of a sheet as text. Raises SourceRefused."""
        return list(self._ask("first_rows", path, object_name, origin=_origin_json(origin)))

    # Any: JSON
    def _ask(self, name: str, path: Path, object_name: str, **named: Any) -> Any:
        size = path.stat().st_size
        memory, seconds = MEMORY + MEMORY_PER_BYTE * size, limit(SECONDS + size / BYTES_PER_SECOND)
        if self.child is None:
            self.child = child_process.start("ingest.read.reader_process")
        request = {"call": name, "memory": memory, "seconds": seconds, "path": str(path), "object_name": object_name}
        try:
            answer = child_process.ask(self.child, request | {"named": named}, seconds)
        except child_process.ChildEndedError as ended:
            self.__exit__()
            if ended.late:
                reason, do = f"reading it took longer than {seconds:g} seconds", f"{_SPLIT}, or raise {SETTING}."
                raise SourceRefused(object_name, "", reason, do) from None
            answer = {"memory": True}
        if "memory" in answer:
            reason = f"its reader needs more than {memory >> 20:,} MB of memory, or fails"
            raise SourceRefused(object_name, "", reason, f"{_SPLIT}.")
        if "storage" in answer:
            raise OSError(errno.ENOSPC, answer["storage"])
        if "refused" in answer:
            raise SourceRefused(*answer["refused"])
        return answer["result"]


def _origin_json(origin: Origin) -> dict[str, Any]:
    about: dict[str, Any] = origin.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {"feed": isinstance(origin, FeedMap), "about": about}


def _origin(origin: dict[str, Any]) -> Origin:
    return (FeedMap if origin["feed"] else Origin).model_validate(origin["about"])


def _read_table(
    path: Path, object_name: str, *, origin: dict[str, Any], file: str, wanted: list[str], needed: list[str]
) -> dict[str, Any]:
    declared = _origin(origin)
    kind = kind_of(path.name, declared.kind)
    Path(file).unlink(missing_ok=True)
    connection = duckdb.connect(file, config=Scratch(Path(file).parent).config)
    try:
        refuse_unpacking(connection, path, kind, object_name)
        if kind == "excel":
            read = excel_file.from_excel(
                connection, "records", path, declared, object_name, wanted=wanted, needed=needed
            )
        elif kind == "parquet":
            read = from_parquet(connection, "records", path, declared, object_name)
        else:
            read = from_json(connection, "records", path, declared, object_name, wanted=wanted)
    finally:
        connection.close()
    return {
        "columns": read.columns,
        "rows": read.rows,
        "sha256": read.sha256,
        "broken": [[one.row_no, one.raw, one.problem] for one in read.broken],
        "marked": sorted(read.marked),
        "typed": read.typed,
        "notes": read.notes,
        "footer": read.footer,
    }


def _sheet_names(path: Path, object_name: str) -> list[str]:
    with duckdb.connect() as connection:
        refuse_unpacking(connection, path, "excel", object_name)
    return excel_file.sheet_names(path, object_name)


def _first_rows(path: Path, object_name: str, *, origin: dict[str, Any]) -> list[list[str | None]]:
    return excel_file.first_rows(path, _origin(origin), object_name)


CALLS: dict[str, Callable[..., Any]] = {"table": _read_table, "sheet_names": _sheet_names, "first_rows": _first_rows}


# Any: JSON
def _answer(mapped_before: int, request: dict[str, Any]) -> dict[str, Any]:
    child_process.limit_memory(mapped_before + request["memory"])
    child_process.limit_processor_time(request["seconds"])
    name = request["object_name"]
    try:
        with refuse_unreadable(name):
            return {"result": CALLS[request["call"]](Path(request["path"]), name, **request["named"])}
    except SourceRefused as refused:
        return {"refused": [refused.object_name, refused.place, refused.reason, refused.do]}
    except (MemoryError, duckdb.OutOfMemoryException):
        return {"memory": True}
    except DEFECTS as error:
        if NO_THREAD in str(error):
            return {"memory": True}
        if names_full_storage(error):
            return {"storage": driver_text(error)}
        do = "Send it as CSV, and report this: it is a defect of Buyerview."
        return {"refused": [name, "", f"its reader failed ({type(error).__name__}: {driver_text(error)})", do]}


if __name__ == "__main__":
    gc.disable()  # the objects of a file have no cycles
    child_process.serve(partial(_answer, mapped_memory()))
