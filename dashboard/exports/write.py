"""Write a table of answers as CSV, Excel, Parquet or JSON. The page and the command line write the same bytes.

Rates are fractions in full precision. Text that a spreadsheet would run as a formula gets a quote before it in CSV, and
is never a formula in Excel. The provenance is Excel's second sheet, Parquet's metadata, or a separate
`<name>.provenance.json` for CSV and JSON. `read.py` reads all of it back.
"""

import csv
import io
import json
import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from metrics.errors import BuyerviewError
from metrics.provenance.provenance import NUMBERS, formula, rows_hash
from metrics.queries.answer_table import AnswerTable

FORMATS: dict[str, tuple[str, str]] = {
    "csv": (".csv", "text/csv"),
    "xlsx": (".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "parquet": (".parquet", "application/vnd.apache.parquet"),
    "json": (".json", "application/json"),
}
"""File suffix and media type of each format."""

TITLES = {"csv": "CSV", "xlsx": "Excel", "parquet": "Parquet", "json": "JSON"}
SHEET_ROWS = 1_048_575
"""Maximum number of rows of an Excel sheet, without the header."""
PROVENANCE_SUFFIX = ".provenance.json"
"""Suffix of the file with the provenance of a CSV or JSON file."""
ZIP = ".zip"
ANSWERS, ABOUT = "Answers", "About"
METADATA = b"buyerview"

Cell = str | int | float | None
"""One value of an export."""

Row = tuple[Cell, ...]

Provenance = dict[str, Any]
"""Provenance of an export, nested. Any: JSON of any depth."""


class TooManyRows(BuyerviewError):  # noqa: N818 - all errors of Buyerview are named by the event
    """The table has more rows than an Excel sheet can contain."""

    exit_code = 64


def export_files(table: AnswerTable, fmt: str, name: str, provenance: Mapping[str, object]) -> dict[str, bytes]:
    """Return the export as files by name: two for CSV and JSON, else one.

    It adds the hash of the rows to the provenance. Raises ValueError for an unknown format, TooManyRows for Excel.
    """
    if fmt not in FORMATS:
        raise ValueError(f"unknown format {fmt!r}: use one of {', '.join(FORMATS)}")
    if fmt == "xlsx" and len(table.rows) > SHEET_ROWS:
        raise TooManyRows(
            f"{len(table.rows):,} rows are more than an Excel sheet can contain ({SHEET_ROWS:,}). "
            "Use CSV or Parquet, or fewer dimensions."
        )
    columns, rows = table.columns, list(export_rows(table))
    complete = {**provenance, "rows": len(rows), "rows_sha256": rows_hash(columns, rows)}
    if fmt in EMBEDDED:
        return {name: EMBEDDED[fmt](columns, rows, complete)}
    return {name: SEPARATE[fmt](columns, rows), f"{name}{PROVENANCE_SUFFIX}": _indented(complete)}


def as_bytes(table: AnswerTable, fmt: str, provenance: Mapping[str, object]) -> bytes:
    """Return the bytes of the table, without a separate provenance file."""
    return export_files(table, fmt, "table", provenance)["table"]


def write(table: AnswerTable, fmt: str, target: Path, provenance: Mapping[str, object]) -> None:
    """Write the files of an export to a path, or one archive of them if the path ends in .zip."""
    if target.suffix == ZIP:
        target.write_bytes(zipped(export_files(table, fmt, target.stem, provenance)))
        return
    for name, content in export_files(table, fmt, target.name, provenance).items():
        target.with_name(name).write_bytes(content)


def download(table: AnswerTable, fmt: str, name: str, provenance: Mapping[str, object]) -> bytes:
    """Return the bytes of a download named `download_name`. `write` gives the same bytes for a path of that name."""
    files = export_files(table, fmt, name, provenance)
    return files[name] if len(files) == 1 else zipped(files)


def download_name(name: str, fmt: str) -> str:
    """Return the name of a download. It is an archive if there are two files, because a browser takes one at a time."""
    return name + FORMATS[fmt][0] + (ZIP if fmt in ("csv", "json") else "")


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return files as one archive. Its fixed time makes the same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def number(value: Any) -> int | float | None:  # Any: a cell of a table
    """Return a number for all formats: whole numbers as int, others as the nearest double, missing as None."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    plain: int | float = value
    return int(plain) if isinstance(plain, float) and plain.is_integer() and abs(plain) < 2**53 else plain


def _text(value: object) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def export_rows(table: AnswerTable) -> Iterable[Row]:
    """Yield the rows of a table, with all values except numbers as text."""
    kinds = [number if name in NUMBERS else _text for name in table.columns]
    return [tuple(kind(value) for kind, value in zip(kinds, row, strict=True)) for row in table.rows]


def escape_formula(text: str) -> str:
    """Put a quote before text that a spreadsheet would run as a formula."""
    return f"'{text}" if formula(text) else text


def _indented(provenance: Mapping[str, object]) -> bytes:
    return (json.dumps(provenance, indent=2, ensure_ascii=False, default=str) + "\n").encode()


def _csv(columns: Sequence[str], listed: Sequence[Row]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(tuple(escape_formula(cell) if isinstance(cell, str) else cell for cell in row) for row in listed)
    return out.getvalue().encode()


def _json(columns: Sequence[str], listed: Sequence[Row]) -> bytes:
    written = ",\n".join(
        json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, allow_nan=False) for row in listed
    )
    return f"[\n{written}\n]\n".encode()


def _parquet(columns: Sequence[str], listed: Sequence[Row], provenance: Mapping[str, object]) -> bytes:
    import pyarrow as pa  # slow to import, and only this format needs it
    import pyarrow.parquet as pq

    arrays = []
    for name, values in zip(columns, list(zip(*listed, strict=True)) or [()] * len(columns), strict=True):
        if name in NUMBERS:
            arrays.append(pa.array([None if value is None else float(value) for value in values], type=pa.float64()))
        elif name == "period":
            arrays.append(
                pa.array(
                    [None if value is None else date.fromisoformat(str(value)) for value in values], type=pa.date32()
                )
            )
        else:
            arrays.append(pa.array(values, type=pa.string()))
    table = pa.table(dict(zip(columns, arrays, strict=True)))
    table = table.replace_schema_metadata({METADATA: json.dumps(provenance, default=str, ensure_ascii=False)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _xlsx(columns: Sequence[str], listed: Sequence[Row], provenance: Mapping[str, object]) -> bytes:
    import xlsxwriter  # only this format needs it

    buffer = io.BytesIO()
    # strings_to_*: a customer named =1+1 or http://… stays text.
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties({"created": datetime(2000, 1, 1)})  # the same question gives the same bytes
        bold, day = book.add_format({"bold": True, "bottom": 1}), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet(ANSWERS)
        sheet.write_row(0, 0, columns, bold)
        period = columns.index("period") if "period" in columns else -1
        for at, row in enumerate(listed, start=1):
            for place, cell in enumerate(row):
                if cell is None:
                    continue
                if place == period:
                    sheet.write_datetime(at, place, datetime.fromisoformat(str(cell)), day)
                elif isinstance(cell, str):
                    sheet.write_string(at, place, cell)
                else:
                    sheet.write_number(at, place, cell)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(columns) - 1, 16)
        about = book.add_worksheet(ABOUT)
        for at, (name, value) in enumerate(flatten(provenance)):
            about.write_string(at, 0, name, bold)
            about.write_string(at, 1, value)
        about.set_column(0, 0, 34)
        about.set_column(1, 1, 110)
    return buffer.getvalue()


def flatten(provenance: Mapping[str, object], before: str = "") -> Iterable[tuple[str, str]]:
    """Yield a nested provenance as pairs of path and value.

    A value is JSON, or plain text if it cannot be mistaken for JSON.
    """
    for name, value in provenance.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{before}{name}.")
        elif isinstance(value, str) and parse_value(value) == value:
            yield f"{before}{name}", value
        else:
            yield f"{before}{name}", json.dumps(value, ensure_ascii=False, default=str)


def parse_value(text: str) -> Any:  # Any: a JSON value
    """Reverse `flatten` for one value."""
    try:
        return json.loads(text)
    except ValueError:
        return text


SEPARATE = {"csv": _csv, "json": _json}
"""Writers of the formats whose provenance is a file of its own."""

EMBEDDED = {"xlsx": _xlsx, "parquet": _parquet}
"""Writers of the formats that contain their provenance."""
