"""An export read back, whatever its format: its rows, and what it says of itself."""

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.exports.write import ABOUT, ANSWERS, FORMATS, METADATA, PROVENANCE_SUFFIX, ZIP, parse_value
from metrics.errors import BuyerviewError
from metrics.provenance.provenance import NUMBERS, recorded_question

FAILURES = (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, zipfile.BadZipFile)
"""How reading what is no export can fail, whatever wrote it."""
QUESTION_FIELDS = (
    "generation",
    "run",
    "data_as_of",
    "rule_book",
    "policy",
    "definitions",
    "measures",
    "by",
    "grain",
    "from",
    "to",
    "where",
)
"""What verifying asks of a provenance."""


class NotAnExport(BuyerviewError):  # noqa: N818 - named by what happened
    """The file is none that Buyerview wrote, or what says so is lost."""

    exit_code = 65


@dataclass(frozen=True)
class ExportedFile:
    """The rows of a file as they stand in it, and its provenance."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    provenance: dict[str, Any]


def read(path: Path) -> ExportedFile:
    """Read an export. Raises NotAnExport, saying what is missing."""
    try:
        return _read(path.name, _files(path))
    except NotAnExport:
        raise
    except FAILURES as error:
        raise NotAnExport(
            f"{path} cannot be read as an export of Buyerview: {error}. Give the file as it was written."
        ) from error


def read_for_verification(path: Path) -> ExportedFile:
    """An export that says all of itself that verifying asks. Raises NotAnExport, saying what is missing."""
    found = read(path)
    missing = [name for name in QUESTION_FIELDS if name not in found.provenance]
    if missing:
        raise NotAnExport(
            f"{path.name}: what it says of itself lacks {', '.join(missing)}. Give the file, or what stands beside it, as it was written."
        )
    try:
        recorded_question(found.provenance)
    except FAILURES as error:
        raise NotAnExport(
            f"{path.name}: what it says was asked cannot be read: {error}. Give it as it was written."
        ) from error
    return found


def recorded_table(path: Path) -> dict[str, Any] | None:
    """What the file of a whole table says of itself, from beside it; None where it is no such file. Raises NotAnExport."""
    beside = path.with_name(path.name + PROVENANCE_SUFFIX)
    try:
        told = json.loads(beside.read_bytes()) if beside.exists() else {}
    except (OSError, ValueError) as error:
        raise NotAnExport(f"{beside} cannot be read: {error}. Give it as it was written with {path.name}.") from error
    return told if isinstance(told, dict) and "file_sha256" in told else None


def _files(path: Path) -> dict[str, bytes]:
    """The contents by name, of an archive as of files that stand beside each other."""
    if path.suffix == ZIP:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    beside = path.with_name(path.name + PROVENANCE_SUFFIX)
    return {path.name: path.read_bytes()} | ({beside.name: beside.read_bytes()} if beside.exists() else {})


def _read(name: str, files: Mapping[str, bytes]) -> ExportedFile:
    main = next((one for one in files if not one.endswith(PROVENANCE_SUFFIX)), name)
    ending = Path(main).suffix
    readers = {".csv": _csv, ".json": _json, ".parquet": _parquet, ".xlsx": _xlsx}
    if ending not in readers:
        raise NotAnExport(f"{name}: not one of {', '.join(ending for ending, _ in FORMATS.values())} and {ZIP}.")
    columns, rows, told = readers[ending](files[main])
    if told is None:
        beside = files.get(main + PROVENANCE_SUFFIX)
        if beside is None:
            raise NotAnExport(
                f"{name}: {main}{PROVENANCE_SUFFIX}, which was written with it, is not beside it. Put it there, or give the .zip."
            )
        told = json.loads(beside)
    if not isinstance(told, dict) or "rows_sha256" not in told:
        raise NotAnExport(f"{name}: it does not say which hash its rows had. Was it written by Buyerview?")
    found = ExportedFile(tuple(columns), [tuple(row) for row in rows], told)
    for at, row in enumerate(found.rows, start=1):
        if len(row) != len(found.columns):
            raise NotAnExport(
                f"{name}: row {at:,} has {len(row)} cells of {len(found.columns)}: it was cut off or edited. Give it as it was written."
            )
    return found


Parts = tuple[Iterable[str], Iterable[Iterable[Any]], dict[str, Any] | None]


def _csv(content: bytes) -> Parts:
    columns, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    return columns, (row for row in rows if row), None


def _json(content: bytes) -> Parts:
    rows = json.loads(content)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return columns, ([row.get(name) for name in columns] for row in rows), None


def _parquet(content: bytes) -> Parts:
    import pyarrow.parquet as pq  # slow to import, and only this format needs it

    table = pq.read_table(io.BytesIO(content))
    columns = [
        [value if name in NUMBERS or value is None else str(value) for value in table[name].to_pylist()]
        for name in table.column_names
    ]
    told = (table.schema.metadata or {}).get(METADATA)
    return table.column_names, zip(*columns, strict=True), json.loads(told) if told else {}


def _xlsx(content: bytes) -> Parts:
    import python_calamine  # only this format needs it

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    except python_calamine.CalamineError as error:
        raise ValueError(f"no Excel file, or cut off ({error})") from error
    if ABOUT not in book.sheet_names or ANSWERS not in book.sheet_names:
        return [], [], {}
    columns, *rows = book.get_sheet_by_name(ANSWERS).to_python()
    names = [str(name) for name in columns]
    cells = ([value if name in NUMBERS else str(value) for name, value in zip(names, row, strict=True)] for row in rows)
    return names, cells, _nested(book.get_sheet_by_name(ABOUT).to_python())


def _nested(rows: Iterable[Iterable[Any]]) -> dict[str, Any]:
    """The second sheet as it was before it was laid flat: paths taken apart, JSON read."""
    told: dict[str, Any] = {}
    for path, value, *_ in (list(row) for row in rows):
        *outer, name = str(path).split(".")
        place = told
        for one in outer:
            place = place.setdefault(one, {})
        place[name] = parse_value(str(value))
    return told
