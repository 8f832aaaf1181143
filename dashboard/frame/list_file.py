"""CSV of a whole list whose rows a page shows in parts: every column of its query, ISO dates and all digits."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import streamlit as st

from dashboard.components import formatting
from dashboard.frame import access
from metrics.provenance.provenance import formula

FILE_ROWS = 200_000
"""Most rows of a file."""
Rows = Callable[[], Sequence[Mapping[str, object]]]
"""Function that reads all rows of a list."""


def download(rows: Rows, total: int, *, name: str) -> None:
    """Draw the button that downloads a list."""
    too_many = total > FILE_ROWS
    st.download_button(
        f"More than {formatting.integer(FILE_ROWS)} rows: add filters to download"
        if too_many
        else f"Download all {formatting.integer(total)} as CSV",
        data=access.at_download(lambda: csv_file(rows())),
        file_name=f"buyerview_{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=f"file_{name}",
        disabled=too_many,
    )


def csv_file(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Return rows as CSV with their column names. Texts that a spreadsheet would run get a quote before them."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if rows:
        writer.writerow(rows[0])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z" if value.tzinfo is None else value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return f"'{value}" if isinstance(value, str) and formula(value) else value
