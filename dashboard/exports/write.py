"""The bytes of an export, the same from the page and from the command line: CSV, Excel, Parquet or JSON of one table of
answers.

Rates are fractions in full precision. Text that a spreadsheet would run as a formula is made harmless in CSV (a quote
before it) and is never a formula in Excel; numbers stay numbers. What the numbers are stands on Excel's second sheet,
in Parquet's metadata, and beside CSV and JSON, which any program reads as they are, in `<name>.provenance.json`.
Nothing of Streamlit here: the command line uses this module too. `exported.py` reads all of it back.
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

import pandas as pd

from metrics.errors import BuyerviewError
from metrics.provenance.provenance import NUMBERS, formula, rows_hash

FORMATS: dict[str, tuple[str, str]] = {
    "csv": (".csv", "text/csv"),
    "xlsx": (".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "parquet": (".parquet", "application/vnd.apache.parquet"),
    "json": (".json", "application/json"),
}
"""Format to file ending and media type."""

TITLES = {"csv": "CSV", "xlsx": "Excel", "parquet": "Parquet", "json": "JSON"}
SHEET_ROWS = 1_048_575
"""Rows an Excel sheet holds below its header."""
PROVENANCE_SUFFIX = ".provenance.json"
"""What is added to the name of a CSV or JSON file for the file that says what its numbers are."""
ZIP = ".zip"
ANSWERS, ABOUT = "Answers", "About"
METADATA = b"buyerview"

Row = Sequence[Any]


class TooManyRows(BuyerviewError):  # noqa: N818 - named by what happened
    """More rows than an Excel sheet holds."""

    exit_code = 64


def export_files(frame: pd.DataFrame, fmt: str, name: str, provenance: Mapping[str, Any]) -> dict[str, bytes]:
    """The export as files by name: one, or for CSV and JSON two. The hash of the rows joins the provenance here.

    Raises ValueError for an unknown format, TooManyRows for Excel.
    """
    if fmt not in FORMATS:
        raise ValueError(f"no format {fmt!r}: use one of {', '.join(FORMATS)}")
    if fmt == "xlsx" and len(frame) > SHEET_ROWS:
        raise TooManyRows(
            f"{len(frame):,} rows, and an Excel sheet holds {SHEET_ROWS:,}: use CSV or Parquet, or fewer dimensions"
        )
    columns, listed = [str(column) for column in frame.columns], list(export_rows(frame))
    sealed = {**provenance, "rows": len(listed), "rows_sha256": rows_hash(columns, listed)}
    writer = {"csv": _csv, "xlsx": _xlsx, "parquet": _parquet, "json": _json}[fmt]
    written = {name: writer(columns, listed, sealed)}
    return written | ({f"{name}{PROVENANCE_SUFFIX}": _indented(sealed)} if fmt in ("csv", "json") else {})


def as_bytes(frame: pd.DataFrame, fmt: str, provenance: Mapping[str, Any]) -> bytes:
    """The table alone, as bytes."""
    return export_files(frame, fmt, "table", provenance)["table"]


def write(frame: pd.DataFrame, fmt: str, target: Path, provenance: Mapping[str, Any]) -> None:
    """Write an export to a path: its files, or one archive of them where the path ends in .zip."""
    if target.suffix == ZIP:
        target.write_bytes(zipped(export_files(frame, fmt, target.stem, provenance)))
        return
    for name, content in export_files(frame, fmt, target.name, provenance).items():
        target.with_name(name).write_bytes(content)


def download(frame: pd.DataFrame, fmt: str, name: str, provenance: Mapping[str, Any]) -> bytes:
    """What a browser is given under `download_name`: the very bytes that `write` gives a path of that name."""
    files = export_files(frame, fmt, name, provenance)
    return files[name] if len(files) == 1 else zipped(files)


def download_name(name: str, fmt: str) -> str:
    """The file's name in a browser, which takes one file at a time: an archive where there are two."""
    return name + FORMATS[fmt][0] + (ZIP if fmt in ("csv", "json") else "")


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Files as one archive, without the time: the same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def number(value: Any) -> int | float | None:
    """A number as every format writes it: whole numbers as int, others as the nearest double, nothing as None."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    value = value.item() if hasattr(value, "item") else value
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _text(value: Any) -> str | None:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (datetime, pd.Timestamp)):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def export_rows(frame: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    """The rows of a table, numbers as numbers and everything else as text."""
    columns = [
        [(number if name in NUMBERS else _text)(value) for value in frame[name].tolist()] for name in frame.columns
    ]
    return zip(*columns, strict=True)


def escape_formula(text: str) -> str:
    """Text a spreadsheet takes as text: a quote before what it would run as a formula."""
    return f"'{text}" if formula(text) else text


def _indented(provenance: Mapping[str, Any]) -> bytes:
    return (json.dumps(provenance, indent=2, ensure_ascii=False, default=str) + "\n").encode()


# one shape for every writer
def _csv(columns: Sequence[str], listed: Sequence[Row], provenance: Mapping[str, Any]) -> bytes:  # noqa: ARG001
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(tuple(escape_formula(cell) if isinstance(cell, str) else cell for cell in row) for row in listed)
    return out.getvalue().encode()


def _json(columns: Sequence[str], listed: Sequence[Row], provenance: Mapping[str, Any]) -> bytes:  # noqa: ARG001
    written = ",\n".join(
        json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, allow_nan=False) for row in listed
    )
    return f"[\n{written}\n]\n".encode()


def _parquet(columns: Sequence[str], listed: Sequence[Row], provenance: Mapping[str, Any]) -> bytes:
    import pyarrow as pa  # slow to import, and only this format needs it
    import pyarrow.parquet as pq

    arrays = []
    for name, values in zip(columns, list(zip(*listed, strict=True)) or [()] * len(columns), strict=True):
        if name in NUMBERS:
            arrays.append(pa.array([None if value is None else float(value) for value in values], type=pa.float64()))
        elif name == "period":
            arrays.append(
                pa.array([None if value is None else date.fromisoformat(value) for value in values], type=pa.date32())
            )
        else:
            arrays.append(pa.array(values, type=pa.string()))
    table = pa.table(dict(zip(columns, arrays, strict=True)))
    table = table.replace_schema_metadata({METADATA: json.dumps(provenance, default=str, ensure_ascii=False)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _xlsx(columns: Sequence[str], listed: Sequence[Row], provenance: Mapping[str, Any]) -> bytes:
    import xlsxwriter  # only this format needs it

    buffer = io.BytesIO()
    # strings_to_*: a customer called =1+1 or http://… stays text. The fixed date makes the same question give the same
    # bytes.
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties({"created": datetime(2000, 1, 1)})
        bold, day = book.add_format({"bold": True, "bottom": 1}), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet(ANSWERS)
        sheet.write_row(0, 0, columns, bold)
        period = columns.index("period") if "period" in columns else -1
        for at, row in enumerate(listed, start=1):
            for place, cell in enumerate(row):
                if cell is None:
                    continue
                if place == period:
                    sheet.write_datetime(at, place, datetime.fromisoformat(cell), day)
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


def flatten(provenance: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, str]]:
    """Names and values, one a line: what is nested has its path as name; a value is JSON unless it is a text that could
    not be taken for JSON.
    """
    for name, value in provenance.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{before}{name}.")
        elif isinstance(value, str) and parse_value(value) == value:
            yield f"{before}{name}", value
        else:
            yield f"{before}{name}", json.dumps(value, ensure_ascii=False, default=str)


def parse_value(text: str) -> Any:
    """What a line of `flat` stands for."""
    try:
        return json.loads(text)
    except ValueError:
        return text
