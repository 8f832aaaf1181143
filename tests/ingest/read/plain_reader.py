"""An independent reader of damaged CSV files: a state machine over characters, and Python's own numbers and dates.

It shares no code with `ingest`, and it does not use the `csv` module. It follows docs/mapping-reference.md.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

LONGEST = 1 << 16
BAD = "bad"
TOTAL = re.compile(r"(Total|Grand total|Summe|Gesamt)\b")


class Unreadable(Exception):  # noqa: N818 - named after the event
    """The file as a whole cannot be read."""


@dataclass
class Dialect:
    """What a mapping declares about a file."""

    columns: dict[str, str]
    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    encoding: str = "utf-8"
    formats: dict[str, str] = field(default_factory=dict)
    decimal: str = "."
    thousands: str = ""
    gzipped: bool = False
    final_newline: bool = True
    skip_rows: int | None = None
    zone: str = "Europe/Berlin"
    needed: tuple[str, ...] = ("shipment_id",)


def records(data: bytes, about: Dialect) -> dict[int, dict[str, object] | None]:
    """Return each record by number: its converted values (BAD if a text does not fit), or None if it is broken."""
    text = _decoded(data, about)
    header, rows = _table(text, about)
    places = {column: header.index(name) for column, name in about.columns.items()}
    least = max(at for at, name in enumerate(header) if name.strip()) + 1
    numbered: list[tuple[list[str], bool]] = []
    for fields, whole in rows:
        if whole and least <= len(fields) < len(header):
            fields = fields + [""] * (len(header) - len(fields))
        if whole and not any(fields[len(header) :]):
            fields = fields[: len(header)]
        numbered.append((fields, whole and len(fields) == len(header) and max(map(len, fields)) <= LONGEST))
    needed = [places[one] for one in about.needed]
    while numbered and _below(numbered, needed, len(header)):
        numbered = numbered[: _below(numbered, needed, len(header)) - 1]
    result: dict[int, dict[str, object] | None] = {}
    for row_no, (fields, whole) in enumerate(numbered, start=1):
        values = {column: fields[at] or None for column, at in places.items()} if whole else {}
        result[row_no] = {c: _converted(c, v, about) for c, v in values.items()} if whole else None
    return _midnights(result, about)


def _midnights(result: dict[int, dict[str, object] | None], about: Dialect) -> dict[int, dict[str, object] | None]:
    """Read a column of date-times that are all local midnights as days."""
    for column in [one for one in about.columns if one.endswith("_at")]:
        rows = [row for row in result.values() if row and isinstance(row[column], tuple)]
        local = []
        for row in rows:
            moment, is_date = row[column]  # type: ignore[misc]
            if not is_date:
                there = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(about.zone)).replace(tzinfo=None)
                local.append((row, there))
        if local and all(
            _utc(datetime.combine(there.date(), time()), about.zone) == row[column][0] for row, there in local
        ):  # type: ignore[index]
            for row, there in local:
                row[column] = (datetime.combine(there.date(), time()), True)
    return result


def _below(rows: list[tuple[list[str], bool]], needed: list[int], width: int) -> int:
    """Return the number (from 1) of the totals row that starts the footer. 0: there is none."""
    for at in range(len(rows) - 1, -1, -1):
        fields, whole = rows[at]
        if whole and len(fields) == width and all(fields[n] for n in needed):
            break
    else:
        at = -1
    for number in range(at + 2, len(rows) + 1):
        first = next((cell.strip() for cell in rows[number - 1][0] if cell.strip()), "")
        if TOTAL.match(first):
            return number
    return 0


def _decoded(data: bytes, about: Dialect) -> str:
    if about.gzipped:
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, ValueError) as error:
            raise Unreadable("gzip") from error
    if not data:
        raise Unreadable("empty")
    if about.encoding == "utf-16" and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise Unreadable("no byte order mark")
    try:
        text = data.decode(about.encoding)
    except UnicodeError as error:
        raise Unreadable("encoding") from error
    if about.final_newline and not text.endswith(("\n", "\r")):
        raise Unreadable("cut")
    return text.removeprefix("\ufeff")


def _table(text: str, about: Dialect) -> tuple[list[str], list[tuple[list[str], bool]]]:
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)
    if not lines:
        raise Unreadable("header")
    delimiter, skip = about.delimiter, 0
    mark = re.fullmatch(r'"?sep=(.)"?\s*', lines[0], re.IGNORECASE)
    if mark:
        delimiter, skip = mark[1], 1
    wanted = set(about.columns.values())
    if about.skip_rows is not None:
        tried = [about.skip_rows]
    else:
        while skip < len(lines) - 1 and not lines[skip].strip("\r\n"):
            skip += 1
        tried = list(range(skip, min(skip + 50, len(lines))))
    for at in tried:
        try:
            rows = _rows(lines[at:], delimiter, about, most=1)
        except Unreadable:
            continue
        if rows and rows[0][1] and wanted <= set(rows[0][0]):
            header = rows[0][0]
            if any("\x00" in one for one in header):
                raise Unreadable("header")
            named = [one.strip().casefold() for one in header if one.strip()]
            if len(set(named)) < len(named):
                raise Unreadable("header")
            rest = _rows(lines[at:], delimiter, about)[1:]
            return header, [(fields, whole) for fields, whole in rest if fields]
    raise Unreadable("header")


def _rows(lines: list[str], delimiter: str, about: Dialect, most: int = 1 << 60) -> list[tuple[list[str], bool]]:
    """Split lines into records: fields, and False if the record is broken. A broken record ends with its line."""
    result: list[tuple[list[str], bool]] = []
    at = 0
    while at < len(lines) and len(result) < most:
        fields: list[str] | None = []
        state, cell, start = "start", "", True
        while True:
            if at >= len(lines):
                if state in ("quoted", "escaped in quotes"):
                    raise Unreadable("open quote")
                break
            line = lines[at]
            at += 1
            state, cell, start, ended = _line(line, fields, state, cell, start, delimiter, about)
            if ended is None:
                result.append((line.rstrip("\r\n").split(delimiter), False))
                fields = None
                break
            if ended:
                break
        if fields is not None:
            if start and not fields and not cell and state == "start":
                continue
            fields.append(cell)
            result.append((fields, True))
    return result


def _line(
    line: str, fields: list[str], state: str, cell: str, start: bool, delimiter: str, about: Dialect
) -> tuple[str, str, bool, bool | None]:
    """Read a line. Returns the state, the open cell, if the record is still empty, and if it ended (None: broken)."""
    quote, escape = about.quote, about.escape
    for sign in line:
        end = sign in "\r\n"
        if state == "quoted":
            if escape and sign == escape:
                state = "escaped in quotes"
            elif sign == quote:
                state = "plain" if escape else "quote in quotes"
            else:
                cell += sign
        elif state == "escaped in quotes":
            cell, state = cell + sign, "quoted"
        elif state == "escaped":
            cell, state = cell + sign, "plain"
        elif state == "quote in quotes" and sign == quote:
            cell, state = cell + sign, "quoted"
        elif end:
            return ("start" if start else "plain"), cell, start, True
        elif sign == delimiter:
            fields.append(cell)
            cell, state, start = "", "start", False
        elif state == "quote in quotes":
            return state, cell, False, None
        elif quote and sign == quote and state == "start":
            state, start = "quoted", False
        elif escape and sign == escape:
            state, start = "escaped", False
        else:
            cell, state, start = cell + sign, "plain", False
    return state, cell, start, False


def _converted(column: str, text: str | None, about: Dialect) -> object:
    if text is None:
        return None
    if column == "freight_amount":
        return _number(text, about)
    if column.endswith("_at"):
        form = about.formats.get(column)
        return _formatted(text, form, about.zone) if form else _iso(text, about.zone)
    return text


def _number(text: str, about: Dialect) -> object:
    point = re.escape(about.decimal)
    whole = r"\d{1,14}"
    if about.thousands:
        whole = rf"(?:{whole}|\d{{1,3}}(?:{re.escape(about.thousands)}\d{{3}})+)"
    if not re.fullmatch(rf"-?{whole}(?:{point}\d+)?", text, re.ASCII):
        return BAD
    plain = text.replace(about.thousands, "") if about.thousands else text
    plain = plain.replace(about.decimal, ".")
    value = Decimal(plain)
    rounded = value.quantize(Decimal("0.0001"), ROUND_HALF_UP)
    digits = plain.replace("-", "").replace(".", "").lstrip("0")
    if rounded != value and len(digits) < 15:
        return BAD
    return rounded if abs(rounded) < Decimal(10) ** 14 else BAD


def _iso(text: str, zone: str) -> object:
    found = re.fullmatch(
        r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,9})?)?(Z|[+-]\d\d(?::?\d\d)?)?)?", text, re.ASCII
    )
    if not found:
        return BAD
    day, minute, second, offset = found.groups()
    try:
        if minute is None:
            return (datetime.combine(date.fromisoformat(day), time()), True)
        moment = datetime.fromisoformat(f"{day}T{minute}{(second or ':00')[:10]}")
    except ValueError:
        return BAD
    if offset == "Z":
        return (moment, False)
    if offset:
        hours, minutes = int(offset[1:3]), int(offset[-2:]) if len(offset) > 3 else 0
        if hours > 14 or minutes > 59:
            return BAD
        shift = timedelta(hours=hours, minutes=minutes)
        return (moment - shift if offset[0] == "+" else moment + shift, False)
    return (_utc(moment, zone), False)


def _formatted(text: str, form: str, zone: str) -> object:
    try:
        moment = datetime.strptime(text, form.replace("%-", "%"))
    except ValueError:
        return BAD
    if not re.search(r"%-?[HI]", form):
        return (moment, True)
    return (_utc(moment, zone) if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None), False)


def _utc(moment: datetime, zone: str) -> datetime:
    return moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)
