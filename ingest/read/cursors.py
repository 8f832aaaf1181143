"""Cursors of incremental pulls: store a value with its type, bind it, and find the highest value of a pull."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class _Kind:
    """A type of cursor values: its name in `cursors`, and how a value is written as text and read again."""

    name: str
    python: type
    write: Callable[..., str]
    read: Callable[[str], object]


# A datetime is a date and a bool is an int, so the narrower type comes first.
_KINDS = (
    _Kind("datetime", datetime, datetime.isoformat, datetime.fromisoformat),
    _Kind("date", date, date.isoformat, date.fromisoformat),
    _Kind("time", time, time.isoformat, time.fromisoformat),
    _Kind("bool", bool, repr, "True".__eq__),
    _Kind("int", int, str, int),
    _Kind("float", float, repr, float),
    _Kind("decimal", Decimal, str, Decimal),
    _Kind("bytes", bytes, bytes.hex, bytes.fromhex),
    _Kind("uuid", UUID, str, UUID),
    _Kind("text", str, str, str),
)


class CursorError(ValueError):
    """The values of a cursor column cannot serve as a cursor. The message says why."""


def to_text(value: object) -> tuple[str, str]:
    """Return the type and the text of a cursor, as `cursors` stores them. Raises CursorError for another type."""
    for kind in _KINDS:
        if isinstance(value, kind.python):
            return kind.name, kind.write(value)
    raise CursorError(f"has values of the type {type(value).__name__}, which have no order")


def from_text(kind: str, text: str) -> object:
    """Return the cursor with this type and text."""
    return next(one.read(text) for one in _KINDS if one.name == kind)


def higher(highest: Any, value: Any) -> object:  # Any: values of any column type
    """Return the higher of two values of a cursor column. Null and NaN are ignored.

    Raises CursorError if the values have no order.
    """
    if value is None or (isinstance(value, float | Decimal) and math.isnan(value)):
        return highest
    plain = bytes(value) if isinstance(value, bytearray | memoryview) else value
    if highest is None:
        to_text(plain)
        return plain
    try:
        return max(highest, plain)
    except (TypeError, InvalidOperation):
        words = " and ".join(sorted({type(plain).__name__, type(highest).__name__}))
        raise CursorError(f"has values that cannot be compared with each other ({words})") from None


@dataclass
class Tail:
    """The rows of a pull at its highest cursor. A query with >= returns them again, in any order.

    digest: the sum of their hashes.
    """

    cursor: object = None
    rows: int = 0
    digest: int = 0

    def add(self, value: object, row: bytes) -> None:
        """Add a row with this cursor. Raises CursorError if the cursors have no order."""
        top = higher(self.cursor, value)
        if top != self.cursor:
            self.cursor, self.rows, self.digest = top, 0, 0
        if value is not None and top == value:
            self.rows += 1
            self.digest += int.from_bytes(hashlib.sha256(row).digest(), "big")

    @property
    def sha256(self) -> str:
        """The hash of these rows, whatever their order."""
        return hashlib.sha256(f"{self.rows} {self.digest}".encode()).hexdigest()


def start_value(start: object) -> object:
    """Return `cursor_start` of a mapping with the type it stands for: text such as "0x00ff" is bytes."""
    if isinstance(start, str) and start[:2].lower() == "0x":
        try:
            return bytes.fromhex(start[2:])
        except ValueError:
            return start
    return Decimal(repr(start)) if isinstance(start, float) else start


def bound(value: object, dialect: str) -> object:
    """Return the value to bind in a database.

    SQLite has no dates and no decimals. A date-time is bound as ISO text, at midnight as its date, which no text of
    that day precedes.
    """
    if dialect != "sqlite":
        return value
    if isinstance(value, datetime):
        local = value.replace(tzinfo=None)
        return local.date().isoformat() if local.time() == time() else local.isoformat(sep=" ")
    if isinstance(value, date | time | UUID):
        return str(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def zoned(start: object, first: object, time_zone: str) -> object:
    """Return a start without a zone as an instant in the source's zone, if the column contains instants."""
    aware = isinstance(first, datetime) and first.utcoffset() is not None
    if not aware:
        return start
    if isinstance(start, datetime) and start.tzinfo is None:
        return start.replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
    if isinstance(start, date) and not isinstance(start, datetime):
        return datetime.combine(start, time(), ZoneInfo(time_zone)).astimezone(UTC)
    return start


def described(value: object) -> str:
    """Return a bound value with its type, for messages."""
    return f"{value} ({type(value).__name__})"
