"""Read a sheet of a workbook (.xlsx, .xlsm, .xls, .xlsb, .ods) into a text table."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from ingest.errors import SourceRefused
from ingest.mapping.mapping_file import Origin
from ingest.read import layout
from ingest.read.text_tables import TextTable, as_text, file_hash, fill_table, marked_columns
from ingest.storage.scratch_database import Connection

Row = Sequence[object]


def from_excel(
    connection: Connection,
    table: str,
    path: Path,
    origin: Origin,
    object_name: str,
    *,
    wanted: Sequence[str],
    needed: Sequence[str],
) -> TextTable:
    """Read one sheet. Rows above the header and below the records are skipped and noted.

    wanted: the columns that the mapping reads. needed: the columns that every record fills. Raises SourceRefused if the
    workbook cannot be read or the sheet does not exist.
    """
    rows = list(_sheet_rows(path, origin, object_name))
    above = _header_position(rows, origin, wanted, object_name)
    header = [as_text(cell) or "" for cell in rows[above]] if above < len(rows) else []
    if not any(header):
        raise SourceRefused(object_name, "", "the sheet is empty", "Send it again with at least its header row.")
    place = f"row {above + 1}"
    layout.check_header(header, object_name, place)
    layout.check_columns(layout.named(header), wanted, object_name, place)
    kept = [position for position, one in enumerate(header) if one.strip()]
    required = [position for position, one in enumerate(header) if one in needed]
    footer: list[Row] = []
    filled = (row for row in rows[above + 1 :] if any(cell not in (None, "") for cell in row))
    records = layout.without_footer(filled, origin, _texts, required, len(header), footer)
    days = _day_columns(rows[above + 1 :], len(header))
    values = ([_cell(row[position], whole=position in days) for position in kept] for row in records)
    columns, typed = [header[position] for position in kept], dict[str, str]()
    marked = marked_columns(origin)
    count = fill_table(connection, table, columns, enumerate(values, start=1), marked=marked, typed=typed)
    notes = [f"{object_name}: the header is row {above + 1}; {above} row(s) above it were skipped"] if above else []
    if footer:
        notes.append(f"{object_name}: {len(footer)} row(s) below the records were skipped")
    below = next((text for text in _texts(footer[0]) if text), "") if footer else ""
    return TextTable(columns, count, file_hash(path), marked=marked, typed=typed, notes=tuple(notes), footer=below)


def sheet_names(path: Path, object_name: str) -> list[str]:
    """Return the sheets of a workbook. Raises SourceRefused if it cannot be read."""
    try:
        return list(CalamineWorkbook.from_filelike(io.BytesIO(path.read_bytes())).sheet_names)
    except (CalamineError, zipfile.BadZipFile, ValueError) as error:
        raise SourceRefused(
            object_name, "", f"the workbook cannot be read ({error})", "Save it again as .xlsx."
        ) from None


def first_rows(path: Path, origin: Origin, object_name: str) -> list[list[str | None]]:
    """Return the first rows of a sheet as text. The header is one of them."""
    return [_texts(row) for row in islice(_sheet_rows(path, origin, object_name), layout.MOST_TITLE_ROWS * 2)]


def _sheet_rows(path: Path, origin: Origin, object_name: str) -> Iterator[Row]:
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(path.read_bytes()))
        if origin.sheet is None and len(book.sheet_names) > 1:
            raise SourceRefused(
                object_name,
                "",
                f"it has several sheets: {', '.join(book.sheet_names)}",
                f'Write sheet = "{book.sheet_names[0]}" in the mapping.',
            )
        sheet = origin.sheet or next(iter(book.sheet_names), "")
        if sheet not in book.sheet_names:
            raise SourceRefused(
                object_name,
                "",
                f"no sheet {sheet!r}; it has {', '.join(book.sheet_names)}",
                "Correct `sheet` in the mapping.",
            )
        yield from book.get_sheet_by_name(sheet).iter_rows()
    except (CalamineError, zipfile.BadZipFile, ValueError) as error:
        raise SourceRefused(
            object_name, "", f"the workbook cannot be read ({error})", "Save it again as .xlsx."
        ) from None


def _header_position(rows: Sequence[Row], origin: Origin, wanted: Sequence[str], object_name: str) -> int:
    declared = layout.declared_header(origin)
    if declared is not None:
        if declared >= len(rows):
            do = "Correct skip_rows or header_row in the mapping."
            raise SourceRefused(object_name, "", f"it has only {len(rows)} rows, so no header there", do)
        return declared
    first = next((at for at, row in enumerate(rows) if any(cell not in (None, "") for cell in row)), 0)
    titles = islice(rows, first, first + layout.MOST_TITLE_ROWS)
    return first + (layout.find_header(map(_texts, titles), wanted) or 0)


def _texts(row: Row) -> list[str | None]:
    return [as_text(cell) for cell in row]


def _day_columns(rows: Sequence[Row], width: int) -> set[int]:
    """Return the columns whose date cells are all midnights: they hold days.

    A workbook stores a date and a midnight in the same way. Next to cells with a time of day it is a midnight.
    """
    timed = {at for row in rows for at, cell in enumerate(row) if isinstance(cell, datetime) and cell.time() != time()}
    return set(range(width)) - timed


def _cell(value: object, *, whole: bool) -> object:
    if isinstance(value, datetime):
        return value.date() if whole else value
    if isinstance(value, date) and not whole:
        return datetime.combine(value, time())
    return value
