"""Small HTML tables, ranked bars and name-value lists. Values in, markup out; every cell is escaped here.

Real tables can be printed and read by screen readers, unlike Streamlit's grid. Each can be sorted, searched and
downloaded: `assets/page.js` does that in the browser, with the values of `table_data.py`.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dashboard.components import formatting, table_data

MANY_COLUMNS = 4
"""A table with more columns keeps its width on a phone and scrolls inside its card."""

SHORT_TEXT = 8
"""Longest row name, in letters, that needs no extra width on a phone."""

UNBROKEN = 16
"""Longest text of a cell, in letters, that stays on one line: a date, an amount, a short name."""

WORDS = 40
"""Longest text of a cell, in letters, that fits a narrow column of a phone. Longer texts get a wider one."""

SEARCHED_ROWS = 6
"""A table with as many rows has a search field."""


@dataclass(frozen=True)
class Cell:
    """One cell: `text` to be escaped, or our own `markup`; `small` is a second line in grey.

    With both, `markup` is on the screen, and `text` in files. Files have the columns of `fields` in place of `small`.
    """

    text: str = ""
    markup: str = ""
    small: str = ""
    numeric: bool = False
    flagged: bool = False
    fields: tuple[tuple[str, str], ...] = ()


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[Cell | str]],
    *,
    caption: str,
    numeric: Sequence[int] = (),
    total: bool = False,
    shown: int | None = None,
    is_page: bool = False,
) -> str:
    """Return a table with its search field and CSV button. The first cell of a row is its heading.

    numeric: columns to be aligned right. total: the last row is the total. shown: number of rows on the screen; the
    others are only in the CSV. is_page: the rows are only a part of a list, and the page offers a file of the list.
    """
    is_sorted = len(rows) - total > 1
    head = "".join(_head(name, is_numeric=at in numeric, is_sorted=is_sorted) for at, name in enumerate(heads))
    last = len(rows) - 1 if total else -1
    body = "".join(
        f"<tr{' class=bv-total' if at == last else ''}>"
        f"{''.join(_cell(cell, place, place in numeric) for place, cell in enumerate(row))}</tr>"
        for at, row in enumerate(rows[:shown])
    )
    marks = "".join(
        f" {mark}"
        for mark, on in (("bv-many", len(heads) > MANY_COLUMNS), ("bv-named", any(map(_is_named, rows))))
        if on
    )
    name = formatting.html(caption)
    fields = [{name: text for cell in row if isinstance(cell, Cell) for name, text in cell.fields} for row in rows]
    data = formatting.html(table_data.as_json(heads, [[_texts(cell) for cell in row] for row in rows], fields))
    return (
        f'<div class="bv bv-data" data-table="{data}">{_tools(len(rows), caption=name, is_page=is_page)}'
        f'<div class="bv-scroll" tabindex="0" role="region" aria-label="{name}">'
        f'<table class="bv-table{marks}" aria-label="{name}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></div>"
    )


def _tools(count: int, *, caption: str, is_page: bool) -> str:
    """Return the search field and the CSV button of a table. A part of a list has a file of the whole list."""
    if is_page and count < SEARCHED_ROWS:
        return ""
    field = (
        f'<input type="search" class="bv-find" placeholder="Search{" these rows" if is_page else ""}" '
        f'aria-label="Search the table: {caption}"><span class="bv-muted" role="status"></span>'
        if count >= SEARCHED_ROWS
        else ""
    )
    button = (
        f'<button type="button" class="bv-csv" title="Download this table as CSV, with exact values" '
        f'aria-label="Download CSV: {caption}">CSV</button>'
    )
    return f'<div class="bv-tools">{field}{"" if is_page else button}</div>'


def _texts(cell: Cell | str) -> tuple[str, str]:
    """Return the text and the small text of a cell, for files."""
    if isinstance(cell, str):
        return cell, ""
    return cell.text or table_data.plain_text(cell.markup), "" if cell.fields else cell.small


def _head(name: str, *, is_numeric: bool, is_sorted: bool) -> str:
    """Return the head of a column, a button that sorts by it."""
    text = formatting.html(name) if name else ""
    content = f'<button type="button" class="bv-sort" title="Sort">{text}</button>' if text and is_sorted else text
    return f'<th scope="col"{_right(is_numeric)}>{content}</th>'


def _is_named(row: Sequence[Cell | str]) -> bool:
    """Return True if the row's name is words, which need width on a phone, and not only a letter or a number."""
    name = row[0] if isinstance(row[0], Cell) else Cell(row[0])
    return len(_visible(name)) > SHORT_TEXT or bool(name.small)


def _visible(cell: Cell) -> str:
    """Return the text of a cell on the screen, without its second line."""
    return re.sub(r"<[^>]*>", "", cell.markup) or cell.text


def _right(numeric: bool) -> str:
    return ' class="bv-num"' if numeric else ""


def _cell(cell: Cell | str, place: int, numeric: bool) -> str:
    if isinstance(cell, str):
        cell = Cell(cell)
    content = cell.markup or formatting.html(cell.text)
    if cell.small:
        content += f'<span class="bv-small">{formatting.html(cell.small)}</span>'
    is_numeric = numeric or cell.numeric
    is_unbroken = not is_numeric and len(_visible(cell)) <= UNBROKEN and "<br" not in cell.markup
    longest = max(len(_visible(cell)), len(cell.small))
    marks = (
        ("bv-num", is_numeric),
        ("bv-nowrap", is_unbroken and " " in _visible(cell)),
        ("bv-words", not is_numeric and UNBROKEN < longest <= WORDS),
        ("bv-text", not is_numeric and longest > WORDS),
        ("bv-flag", cell.flagged),
    )
    names = " ".join(name for name, on in marks if on)
    css = f' class="{names}"' if names else ""
    return f"<th scope=row{css}>{content}</th>" if place == 0 else f"<td{css}>{content}</td>"


def bars(rows: Sequence[tuple[str, str, float]], *, label: str, links: Sequence[str] = ()) -> str:
    """Return a ranked list with bars. A row is name, figure and length (0 to 1); `links` are the names' addresses."""
    names = [formatting.html(name) for name, _, _ in rows]
    if links:
        names = [
            f'<a href="{formatting.html(link)}" target="_self">{name}</a>'
            for name, link in zip(names, links, strict=True)
        ]
    items = "".join(
        f'<li><span>{name}</span><span class="bv-muted">{formatting.html(figure)}</span>'
        f'<span class="bv-track" aria-hidden="true">'
        f'<span style="width:{max(length, 0.01) * 100:.1f}%"></span></span></li>'
        for name, (_, figure, length) in zip(names, rows, strict=True)
    )
    return f'<ol class="bv bv-bars" aria-label="{formatting.html(label)}">{items}</ol>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Return pairs of name and value as a list."""
    return (
        '<dl class="bv bv-facts">'
        + "".join(
            f"<div><dt>{formatting.html(name)}</dt><dd>{formatting.html(value)}</dd></div>" for name, value in pairs
        )
        + "</dl>"
    )


def record(values: Mapping[str, object] | str, *, broken: Collection[str] = ()) -> str:
    """Return a source record: its columns and their text, or its raw line. Marks the columns that broke a rule."""
    if isinstance(values, str):
        return f'<pre class="bv bv-raw">{formatting.html(values)}</pre>'
    columns = "".join(
        f"<div{' class=bv-flag' if name in broken else ''}>"
        f"<dt>{formatting.html(name)}</dt><dd>{formatting.html(value)}</dd></div>"
        for name, value in values.items()
    )
    return f'<dl class="bv bv-facts bv-record">{columns}</dl>'
