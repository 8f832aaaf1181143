"""The reader's number and date format, and the business time zone.

Numbers and the order of day, month and year follow the browser's language; words stay English. Times are always in the
business time zone, so that two people who look at the same order see the same time.
"""

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st
from babel import Locale
from babel.core import UnknownLocaleError
from streamlit.runtime.scriptrunner import get_script_run_ctx

from metrics.errors import SettingRefused

ZONE = "BUYERVIEW_TIME_ZONE"
"""Setting that names the business time zone; default UTC."""


@dataclass(frozen=True)
class Reader:
    """A reader's conventions.

    decimal: decimal sign. group: separator of digit groups. sizes: size of the last group, then of the others.
    order: order of day, month and year.
    """

    decimal: str = "."
    group: str = ","
    sizes: tuple[int, int] = (3, 3)
    order: str = "dmy"

    def write(self, plain: str) -> str:
        """Convert a number from Python's format (1,234.5) to the reader's. Raises ValueError for other text."""
        if (self.decimal, self.group, self.sizes) == (".", ",", (3, 3)):
            return plain
        parts = re.fullmatch(r"(-?)([\d,]+)(\.?)(\d*)", plain)
        if parts is None:
            raise ValueError(f"{plain!r} is not a number in the format 1,234.5")
        sign, whole, dot, fraction = parts.groups("")
        digits, groups = whole.replace(",", ""), list[str]()
        size, further = self.sizes
        while len(digits) > size and "," in whole:
            digits, group = digits[:-size], digits[-size:]
            groups.insert(0, group)
            size = further
        return sign + self.group.join([digits, *groups]) + dot.replace(".", self.decimal) + fraction

    @property
    def date_input(self) -> str:
        """Date format of Streamlit's date fields."""
        return {"dmy": "DD/MM/YYYY", "mdy": "MM/DD/YYYY", "ymd": "YYYY-MM-DD"}[self.order]

    @property
    def chart(self) -> dict[str, object]:
        """Number locale of a chart, in d3's format."""
        return {
            "decimal": self.decimal,
            "thousands": self.group,
            "grouping": [self.sizes[0], *[self.sizes[1]] * 6],
            "currency": ["", ""],
        }


PLAIN = Reader()


@lru_cache(maxsize=200)
def conventions(tag: str) -> Reader:
    """Return the conventions of a language tag (de-DE, en-US); British English for an unknown tag."""
    try:
        locale = Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return PLAIN
    if locale is None:
        return PLAIN
    symbols = locale.number_symbols["latn"]
    pattern = re.sub(r"'[^']*'", "", str(locale.date_formats["medium"].pattern))
    order = "".join(sorted("dmy", key=lambda part: pattern.lower().find(part)))
    first, further = locale.decimal_formats[None].grouping
    return Reader(
        symbols["decimal"], symbols["group"], (first, further), order if order in ("dmy", "mdy", "ymd") else "dmy"
    )


def reader() -> Reader:
    """Return the current reader's conventions; British English outside a browser session."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return PLAIN
    return conventions(st.context.locale or "")


def zone() -> ZoneInfo:
    """Return the business time zone. Raises SettingRefused if the setting names no IANA zone."""
    return _zone(os.environ.get(ZONE) or "UTC")


def to_business_time(moment: datetime) -> datetime:
    """Convert a naive UTC moment to naive business time, for a field that edits it."""
    return moment.replace(tzinfo=UTC).astimezone(zone()).replace(tzinfo=None)


def to_utc(shown: datetime) -> datetime:
    """Convert naive business time to a naive UTC moment; the first of the two if the hour occurs twice.

    Raises ValueError for an hour that the clocks skip.
    """
    moment = shown.replace(tzinfo=zone()).astimezone(UTC).replace(tzinfo=None)
    if to_business_time(moment) != shown:
        raise ValueError(
            f"{shown.day} {shown:%b %Y %H:%M} does not exist in {zone().key}, because the clocks went forward. "
            "Enter another time."
        )
    return moment


@lru_cache(maxsize=8)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingRefused(ZONE, f"{name!r} is not an IANA time zone. Use for example Europe/Berlin.") from None
