"""Small tables as real HTML: they print, they are read aloud, and every cell is escaped here. Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.components import formatting

MANY_ROWS = 4
"""A table with more columns than this keeps its width on a phone and scrolls inside its card."""


SHORT_TEXT = 8
"""Letters of a row's name that need no room of their own."""


@dataclass(frozen=True)
class Cell:
    """One cell: text to be escaped, or `markup` of ours; `small` stands below it in grey."""

    text: str = ""
    markup: str = ""
    small: str = ""
    numeric: bool = False
    flagged: bool = False


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[Cell | str]],
    *,
    caption: str,
    numeric: Sequence[int] = (),
    total: bool = False,
) -> str:
    """A table; the first cell of each row names it. `numeric`: columns set flush right. `total`: the last row stands
    for all.
    """
    head = "".join(
        f'<th scope="col"{_right(at in numeric)}>{formatting.html(name) if name else ""}</th>'
        for at, name in enumerate(heads)
    )
    last = len(rows) - 1 if total else -1
    body = "".join(
        f"<tr{' class=bv-total' if at == last else ''}>{''.join(_cell(cell, place, place in numeric) for place, cell in enumerate(row))}</tr>"
        for at, row in enumerate(rows)
    )
    marks = "".join(
        f" {mark}" for mark, on in (("bv-many", len(heads) > MANY_ROWS), ("bv-named", any(map(_is_named, rows)))) if on
    )
    name = formatting.html(caption)
    return (
        f'<div class="bv bv-scroll" tabindex="0" role="region" aria-label="{name}">'
        f'<table class="bv-table{marks}" aria-label="{name}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _is_named(row: Sequence[Cell | str]) -> bool:
    """Whether the row has a name in words, which wants room on a phone, and not only a letter or a number."""
    one = row[0] if isinstance(row[0], Cell) else Cell(row[0])
    return len(re.sub(r"<[^>]*>", "", one.markup) or one.text) > SHORT_TEXT or bool(one.small)


def _right(numeric: bool) -> str:
    return ' class="bv-num"' if numeric else ""


def _cell(cell: Cell | str, place: int, numeric: bool) -> str:
    one = cell if isinstance(cell, Cell) else Cell(cell)
    inside = one.markup or formatting.html(one.text)
    if one.small:
        inside += f'<span class="bv-small">{formatting.html(one.small)}</span>'
    classes = " ".join(name for name, on in (("bv-num", numeric or one.numeric), ("bv-flag", one.flagged)) if on)
    tag = "th" if place == 0 else "td"
    return f"<{tag}{' scope=row' if place == 0 else ''}{f' class={chr(34)}{classes}{chr(34)}' if classes else ''}>{inside}</{tag}>"


def bars(rows: Sequence[tuple[str, str, float]], *, label: str, links: Sequence[str] = ()) -> str:
    """A ranked list with bars: name, figure, and length from 0 to 1; `links`: where each name leads."""
    names = [formatting.html(name) for name, _, _ in rows]
    if links:
        names = [
            f'<a href="{formatting.html(link)}" target="_self">{name}</a>'
            for name, link in zip(names, links, strict=True)
        ]
    items = "".join(
        f'<li><span>{name}</span><span class="bv-muted">{formatting.html(figure)}</span>'
        f'<span class="bv-track" aria-hidden="true"><span style="width:{max(length, 0.01) * 100:.1f}%"></span></span></li>'
        for name, (_, figure, length) in zip(names, rows, strict=True)
    )
    return f'<ol class="bv bv-bars" aria-label="{formatting.html(label)}">{items}</ol>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values, side by side."""
    return (
        '<dl class="bv bv-facts">'
        + "".join(
            f"<div><dt>{formatting.html(name)}</dt><dd>{formatting.html(value)}</dd></div>" for name, value in pairs
        )
        + "</dl>"
    )


def record(values: Mapping[str, Any] | str, *, broken: Collection[str] = ()) -> str:
    """A record as it came: its columns and their text, those that broke a rule marked; or the raw line."""
    if isinstance(values, str):
        return f'<pre class="bv bv-raw">{formatting.html(values)}</pre>'
    columns = "".join(
        f"<div{' class=bv-flag' if name in broken else ''}><dt>{formatting.html(name)}</dt><dd>{formatting.html(value)}</dd></div>"
        for name, value in values.items()
    )
    return f'<dl class="bv bv-facts bv-record">{columns}</dl>'
