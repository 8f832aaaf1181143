"""Data of a table for its CSV button and for sorting: exact values under the names of columns in files."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from dashboard.components.formatting import DASH, Shown
from metrics.provenance.provenance import formula

_HIDDEN = re.compile(r'<(i|span)\b[^>]*(?:class="bv-said"|aria-hidden)[^>]*>.*?</\1>', re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def plain_text(markup: str) -> str:
    """Return markup as text, without signs and the words for screen readers."""
    spaced = _TAG.sub(" ", re.sub(r"</?(?:b|a|i|strong|span)\b[^>]*>", "", _HIDDEN.sub("", markup)))
    return " ".join(html.unescape(spaced).split())


def as_json(
    heads: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]], fields: Sequence[Mapping[str, str]] = ()
) -> str:
    """Return the columns and rows of a table as JSON; a row is the text and the small text of its cells.

    fields: further values of each row by column. Columns of small texts come last. Texts that
    a spreadsheet would run as a formula get a quote before them.
    """
    units = [
        next((text.unit for row in rows if isinstance(text := row[at][0], Shown) and text.unit), "")
        for at in range(len(heads))
    ]
    names = [_column(head, unit, at) for at, (head, unit) in enumerate(zip(heads, units, strict=True))]
    noted = [at for at in range(len(heads)) if any(row[at][1] for row in rows)]
    fields = fields or [{}] * len(rows)
    further = list(dict.fromkeys(name for one in fields for name in one))
    return json.dumps(
        {
            "columns": [*names, *further, *(f"{names[at]}_note" for at in noted)],
            "rows": [
                [
                    *(_exact(text) for text, _ in row),
                    *(_exact(one.get(name, "")) for name in further),
                    *(_exact(row[at][1]) for at in noted),
                ]
                for row, one in zip(rows, fields, strict=True)
            ],
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _column(head: str, unit: str, at: int) -> str:
    """Return the name of a column in files: a measure's or dimension's name, or the head in small letters."""
    name = head.exact if isinstance(head, Shown) else head
    words = re.sub(r"\W+", "_", str(name).replace("%", " percent ").lower()).strip("_") or ("row" if not at else "")
    return words if not unit or words.endswith(f"_{unit}") or words == unit else f"{words}_{unit}"


def _exact(text: str) -> str:
    """Return the exact value behind a text, or the text. A dash and None are empty."""
    value = text.exact if isinstance(text, Shown) else text
    if value is None or value == DASH:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat() + ("Z" if value.tzinfo is None else "")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int | float):
        return repr(value)
    return f"'{value}" if formula(str(value)) else str(value)
