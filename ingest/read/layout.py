"""Layout of a table in a file: its header row, unnamed columns, and rows below the records (CSV and workbooks).

A header below title lines and a totals row below the records are found where there is only one reading. The keys
`skip_rows`, `header_row` and `footer` of the mapping decide otherwise.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from ingest.errors import SourceRefused
from ingest.mapping.mapping_file import Origin, nearest, shown

T = TypeVar("T")
Cells = Sequence[str | None]

MOST_TITLE_ROWS = 50
"""The header is looked for in this many rows."""
TOTALS = re.compile(
    r"((grand |sub-?)?totals?|sum|summe|gesamt(summe|betrag)?|totale|totaal|total général|suma|итого|合計|合计|总计"
    r"|end of (report|file|data)|((number of )?(rows|records|lines)|zeilen|anzahl|count)\W+\d+)(?!\w)",
    re.IGNORECASE,
)
"""First words of a totals row."""


def find_header(rows: Iterable[Cells | None], wanted: Sequence[str]) -> int | None:
    """Return the position of the first row that has all wanted columns. None: no row has them, or none are wanted.

    A row is None if it cannot be read.
    """
    if not wanted:
        return None
    return next((at for at, row in enumerate(rows) if row is not None and set(wanted) <= set(row)), None)


def declared_header(origin: Origin) -> int | None:
    """Return the number of rows above the header that the mapping declares. None: it declares nothing."""
    if origin.skip_rows is not None:
        return origin.skip_rows
    return origin.header_row - 1 if origin.header_row is not None else None


def check_header(header: Sequence[str], object_name: str, place: str) -> None:
    """Raise SourceRefused for repeated names (ignoring case, spaces and Unicode form), or if there are no names."""
    seen: dict[str, str] = {}
    for name in header:
        folded = unicodedata.normalize("NFC", name).strip().casefold()
        if not folded:
            continue
        if "\x00" in name:
            raise SourceRefused(
                object_name, place, f"the column {name!r} has a null character", "Correct the header, or the encoding."
            )
        if folded in seen:
            raise SourceRefused(
                object_name,
                place,
                f"the header names {name!r} twice (also as {seen[folded]!r})",
                "Give every column a unique name.",
            )
        seen[folded] = name
    if not seen:
        raise SourceRefused(
            object_name,
            place,
            "the header has no column names",
            "Send it again with its header, or write skip_rows = … or header_row = … in the mapping.",
        )


def named(header: Sequence[str]) -> list[str]:
    """Return the column names. Columns without a name are ignored."""
    return [name for name in header if name.strip()]


def check_columns(present: Sequence[str], wanted: Iterable[str], object_name: str, place: str = "header") -> None:
    """Raise SourceRefused if the object lacks columns that the mapping reads. The message names all of them."""
    missing = [one for one in wanted if one not in present]
    if not missing:
        return
    twins = {one: twin for one in missing for twin in present if _visible(one) == _visible(twin)}
    texts = [
        f"no column {shown(one)}; the header has {shown(twins[one])}, which looks the same but is another text"
        if one in twins
        else f"no column {one!r}{nearest(one, present)}"
        for one in missing
    ]
    do = "Correct the header, or `from` in the mapping."
    if twins:
        do = f"Write {', '.join(shown(twin) for twin in twins.values())} in the mapping, or correct the header."
    elif len(present) == 1:
        sign = next((sign for sign in "\t;|," if sign in present[0]), None)
        if sign is not None:
            do = f"The header is {shown(present[0])}. Write delimiter = {shown(sign)} in the mapping."
    raise SourceRefused(object_name, place, "; ".join(texts), do)


def _visible(name: str) -> str:
    """Return a name without the differences that a reader cannot see."""
    plain = "".join(one if one.isprintable() else " " for one in unicodedata.normalize("NFKC", name))
    return " ".join(plain.split()).casefold()


def is_totals_row(cells: Cells, needed: Sequence[int], width: int) -> bool:
    """Return True for a row that cannot be a record and starts with a word such as `Total`.

    needed: positions of columns that every record fills. width: number of columns of the header.
    """
    first = next((cell.strip() for cell in cells if cell and cell.strip()), "")
    return TOTALS.match(first) is not None and cannot_be_record(cells, needed, width)


def cannot_be_record(cells: Cells, needed: Sequence[int], width: int) -> bool:
    """Return True if a row has another number of cells than the header, or lacks a cell that every record fills."""
    return len(cells) != width or any(not cells[at] for at in needed)


def without_footer(
    rows: Iterable[T], origin: Origin, cells: Callable[[T], Cells], needed: Sequence[int], width: int, skipped: list[T]
) -> Iterator[T]:
    """Yield rows without those below the records, and add these to `skipped`.

    A totals row starts a footer. The rows after it belong to it unless one of them can be a record.
    """
    waiting: list[T] = []
    fixed = origin.footer if isinstance(origin.footer, int) else 0
    word = origin.footer if isinstance(origin.footer, str) else None
    for row in rows:
        if origin.footer is not None and word is None:
            waiting.append(row)
            if len(waiting) > fixed:
                yield waiting.pop(0)
            continue
        content = cells(row)
        if word is not None:
            starts = next((cell for cell in content if cell), "").startswith(word)
        else:
            starts = is_totals_row(content, needed, width)
        if starts or (waiting and cannot_be_record(content, needed, width)):
            waiting.append(row)
            continue
        yield from waiting
        waiting.clear()
        yield row
    skipped.extend(waiting)
