"""Read an export of any format back: its rows and its provenance."""

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dashboard.exports.write import (
    ABOUT,
    ANSWERS,
    FORMATS,
    METADATA,
    PROVENANCE_SUFFIX,
    ZIP,
    Provenance,
    parse_value,
)
from metrics.errors import BuyerviewError
from metrics.file_limits import check_parquet, check_workbook, check_zip
from metrics.provenance.provenance import NUMBERS, recorded_question

FAILURES = (
    ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError,
    csv.Error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""Exceptions raised while reading a file that is not an export."""
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
"""Fields of the provenance that verification needs."""


class NotAnExport(BuyerviewError):  # noqa: N818 - all errors of Buyerview are named by the event
    """The file is not an export of Buyerview, or its provenance is missing."""

    exit_code = 65


@dataclass(frozen=True)
class ExportedFile:
    """Rows of a file, unchanged, and its provenance."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]
    provenance: Provenance


def read(path: Path) -> ExportedFile:
    """Read an export. Raises NotAnExport, which names what is missing."""
    try:
        return _read(path.name, _files(path))
    except NotAnExport:
        raise
    except FAILURES as error:
        raise NotAnExport(
            f"{path} cannot be read as an export of Buyerview: {error}. Use the unchanged file."
        ) from error


def read_for_verification(path: Path) -> ExportedFile:
    """Read an export with complete provenance. Raises NotAnExport, which names what is missing."""
    export = read(path)
    missing = [name for name in QUESTION_FIELDS if name not in export.provenance]
    if missing:
        raise NotAnExport(
            f"{path.name}: its provenance lacks {', '.join(missing)}. "
            "Use the unchanged file, with its unchanged provenance file if it has one."
        )
    try:
        recorded_question(export.provenance)
    except FAILURES as error:
        raise NotAnExport(
            f"{path.name}: the question in its provenance cannot be read: {error}. Use the unchanged file."
        ) from error
    return export


def recorded_table(path: Path) -> Provenance | None:
    """Return the provenance of the export of a whole fact table; None for other files. Raises NotAnExport."""
    beside = path.with_name(path.name + PROVENANCE_SUFFIX)
    try:
        provenance = json.loads(beside.read_bytes()) if beside.exists() else {}
    except (OSError, ValueError) as error:
        raise NotAnExport(
            f"{beside} cannot be read: {error}. Use the unchanged file that was exported with {path.name}."
        ) from error
    return provenance if isinstance(provenance, dict) and "file_sha256" in provenance else None


def _files(path: Path) -> dict[str, bytes]:
    """Return the contents of an export's files by name, from a .zip archive or from the files themselves."""
    if path.suffix == ZIP:
        check_zip(path)
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    beside = path.with_name(path.name + PROVENANCE_SUFFIX)
    return {path.name: path.read_bytes()} | ({beside.name: beside.read_bytes()} if beside.exists() else {})


def _read(name: str, files: Mapping[str, bytes]) -> ExportedFile:
    main = next((file for file in files if not file.endswith(PROVENANCE_SUFFIX)), name)
    ending = Path(main).suffix
    readers = {".csv": _csv, ".json": _json, ".parquet": _parquet, ".xlsx": _xlsx}
    if ending not in readers:
        raise NotAnExport(
            f"{name}: unknown file type. Use {', '.join(ending for ending, _ in FORMATS.values())} or {ZIP}."
        )
    columns, rows, provenance = readers[ending](files[main])
    if provenance is None:
        beside = files.get(main + PROVENANCE_SUFFIX)
        if beside is None:
            raise NotAnExport(
                f"{name}: {main}{PROVENANCE_SUFFIX} is missing. Put it in the same folder, or use the .zip."
            )
        provenance = json.loads(beside)
    if not isinstance(provenance, dict) or "rows_sha256" not in provenance:
        raise NotAnExport(f"{name}: its provenance has no hash of the rows. Use a file written by Buyerview.")
    export = ExportedFile(tuple(columns), [tuple(row) for row in rows], provenance)
    for at, row in enumerate(export.rows, start=1):
        if len(row) != len(export.columns):
            raise NotAnExport(
                f"{name}: row {at:,} has {len(row)} cells, not {len(export.columns)}. "
                "The file was truncated or edited. Use the unchanged file."
            )
    return export


Parts = tuple[Iterable[str], Iterable[Iterable[object]], Provenance | None]
"""Columns, rows and provenance; None if the provenance is in a file of its own."""


def _csv(content: bytes) -> Parts:
    columns, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    return columns, (row for row in rows if row), None


def _json(content: bytes) -> Parts:
    rows = json.loads(content)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return columns, ([row.get(name) for name in columns] for row in rows), None


def _parquet(content: bytes) -> Parts:
    import pyarrow.parquet as pq  # slow to import, and only this format needs it

    about = pq.read_metadata(io.BytesIO(content))
    check_parquet(about.num_rows, about.num_columns, len(content))
    table = pq.read_table(io.BytesIO(content))
    columns = [
        [value if name in NUMBERS or value is None else str(value) for value in table[name].to_pylist()]
        for name in table.column_names
    ]
    metadata = (table.schema.metadata or {}).get(METADATA)
    return table.column_names, zip(*columns, strict=True), json.loads(metadata) if metadata else {}


def _xlsx(content: bytes) -> Parts:
    import python_calamine  # only this format needs it

    check_workbook(io.BytesIO(content))
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    except python_calamine.CalamineError as error:
        raise ValueError(f"not an Excel file, or truncated ({error})") from error
    if ABOUT not in book.sheet_names or ANSWERS not in book.sheet_names:
        return [], [], {}
    columns, *rows = book.get_sheet_by_name(ANSWERS).to_python()
    names = [str(name) for name in columns]
    cells = ([value if name in NUMBERS else str(value) for name, value in zip(names, row, strict=True)] for row in rows)
    return names, cells, _nested(book.get_sheet_by_name(ABOUT).to_python())


def _nested(rows: Iterable[Iterable[object]]) -> Provenance:
    """Rebuild the provenance from Excel's second sheet. It reverses `write.flatten`."""
    provenance: Provenance = {}
    for path, value, *_ in (list(row) for row in rows):
        *outer, name = str(path).split(".")
        place = provenance
        for part in outer:
            place = place.setdefault(part, {})
        place[name] = parse_value(str(value))
    return provenance
