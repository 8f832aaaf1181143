"""The bytes of an export, the same from the page and from the command line: CSV, Excel, Parquet or JSON of one table of answers.

Rates are fractions in full precision. Text that a spreadsheet would run as a formula is made harmless in CSV (a quote before it) and is
never a formula in Excel; numbers stay numbers. Nothing of Streamlit here: the command line uses this module too.
"""

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

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
NUMBERS = ("value", "numerator", "denominator", "coverage", "worst", "best", "low", "high", "judged", "unknown")
"""Columns that are numbers whatever is in them."""


class TooManyRows(ValueError):  # noqa: N818 - named by what happened
    """More rows than an Excel sheet holds."""


def export_bytes(frame: pd.DataFrame, fmt: str, target: Path | BinaryIO, provenance: Mapping[str, Any]) -> None:
    """Write a table of answers to a path or a binary stream.

    `provenance` says what the numbers are (generation, data as of, question, definitions). Parquet carries it in its metadata, Excel on a
    second sheet; CSV and JSON are the rows alone, so that any program reads them.
    Raises ValueError for an unknown format, TooManyRows for Excel.
    """
    if fmt not in FORMATS:
        raise ValueError(f"no format {fmt!r}: use one of {', '.join(FORMATS)}")
    written = {"csv": _csv, "xlsx": _xlsx, "parquet": _parquet, "json": _json}[fmt](frame, provenance)
    if isinstance(target, Path):
        target.write_bytes(written)
    else:
        target.write(written)


def as_bytes(frame: pd.DataFrame, fmt: str, provenance: Mapping[str, Any]) -> bytes:
    """The same as bytes, for a download."""
    buffer = io.BytesIO()
    export_bytes(frame, fmt, buffer, provenance)
    return buffer.getvalue()


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


def rows(frame: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    """The rows of a table, numbers as numbers and everything else as text."""
    columns = [[(number if name in NUMBERS else _text)(value) for value in frame[name].tolist()] for name in frame.columns]
    return zip(*columns, strict=True)


_FORMULA = re.compile(r"^[\s\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]")


def harmless(text: str) -> str:
    """Text a spreadsheet takes as text: a quote before what it would run as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def _csv(frame: pd.DataFrame, provenance: Mapping[str, Any]) -> bytes:  # noqa: ARG001 - one shape for every writer
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(frame.columns)
    writer.writerows(tuple(harmless(cell) if isinstance(cell, str) else cell for cell in row) for row in rows(frame))
    return out.getvalue().encode()


def _json(frame: pd.DataFrame, provenance: Mapping[str, Any]) -> bytes:  # noqa: ARG001
    names = list(frame.columns)
    written = ",\n".join(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, allow_nan=False) for row in rows(frame))
    return f"[\n{written}\n]\n".encode()


def _parquet(frame: pd.DataFrame, provenance: Mapping[str, Any]) -> bytes:
    import pyarrow as pa  # slow to import, and only this format needs it
    import pyarrow.parquet as pq

    columns = list(zip(*rows(frame), strict=True)) or [()] * len(frame.columns)
    arrays = []
    for name, values in zip(frame.columns, columns, strict=True):
        if name in NUMBERS:
            arrays.append(pa.array([None if value is None else float(value) for value in values], type=pa.float64()))
        elif name == "period":
            arrays.append(pa.array([None if value is None else date.fromisoformat(value) for value in values], type=pa.date32()))
        else:
            arrays.append(pa.array(values, type=pa.string()))
    table = pa.table(dict(zip(frame.columns, arrays, strict=True)))
    table = table.replace_schema_metadata({"buyerview": json.dumps(provenance, default=str, ensure_ascii=False)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _xlsx(frame: pd.DataFrame, provenance: Mapping[str, Any]) -> bytes:
    import xlsxwriter  # only this format needs it

    if len(frame) > SHEET_ROWS:
        raise TooManyRows(f"{len(frame):,} rows, and an Excel sheet holds {SHEET_ROWS:,}: use CSV or Parquet, or fewer dimensions")
    buffer = io.BytesIO()
    # strings_to_*: a customer called =1+1 or http://… stays text. The fixed date makes the same question give the same bytes.
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties({"created": datetime(2000, 1, 1)})
        bold, day = book.add_format({"bold": True, "bottom": 1}), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet("Answers")
        sheet.write_row(0, 0, [str(name) for name in frame.columns], bold)
        period = list(frame.columns).index("period") if "period" in frame.columns else -1
        for at, row in enumerate(rows(frame), start=1):
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
        sheet.set_column(0, len(frame.columns) - 1, 16)
        about = book.add_worksheet("About")
        for at, (name, value) in enumerate(_flat(provenance)):
            about.write_string(at, 0, name, bold)
            about.write_string(at, 1, value)
        about.set_column(0, 0, 28)
        about.set_column(1, 1, 110)
    return buffer.getvalue()


def _flat(provenance: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, str]]:
    for name, value in provenance.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def provenance(
    question: Any, measures: Mapping[str, Any], *, generation: int, data_as_of: datetime | None, stand_ins: Iterable[str] = ()
) -> dict[str, Any]:
    """What an export says of itself: the question, the version of the data, each measure's definition, declared stand-ins."""
    return {
        "generation": generation,
        "data_as_of": data_as_of.isoformat() if data_as_of else None,
        "measures": list(question.measures),
        "by": list(question.by),
        "grain": question.grain,
        "from": question.start.isoformat() if question.start else None,
        "to": question.end.isoformat() if question.end else None,
        "where": {name: list(values) for name, values in question.where},
        "definitions": {name: f"{measures[name].definition} Excluded: {measures[name].exclusions}" for name in question.measures},
        "stand_ins": list(stand_ins),
    }
