"""How the reader writes numbers and dates, and the one time zone in which moments are told.

Numbers and the order of a date follow the browser's language; words stay English. Moments are told in the business time
zone, never the browser's: two people who look at the same order see the same time.
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
"""The setting that names the business time zone; UTC without it."""


@dataclass(frozen=True)
class Reader:
    """Decimal sign, what stands between groups of digits, their sizes (the last group's, then the others'), and the
    order of day, month and year.
    """

    decimal: str = "."
    group: str = ","
    sizes: tuple[int, int] = (3, 3)
    order: str = "dmy"

    def write(self, plain: str) -> str:
        """A number written as Python does (1,234.5), as the reader does."""
        if (self.decimal, self.group, self.sizes) == (".", ",", (3, 3)):
            return plain
        # made by an f-string
        sign, whole, dot, fraction = re.fullmatch(r"(-?)([\d,]+)(\.?)(\d*)", plain).groups()  # type: ignore[union-attr]
        digits, groups = whole.replace(",", ""), []
        size, further = self.sizes
        while len(digits) > size and "," in whole:
            digits, group = digits[:-size], digits[-size:]
            groups.insert(0, group)
            size = further
        return sign + self.group.join([digits, *groups]) + dot.replace(".", self.decimal) + fraction

    @property
    def date_input(self) -> str:
        """The same for a field in which days are chosen."""
        return {"dmy": "DD/MM/YYYY", "mdy": "MM/DD/YYYY", "ymd": "YYYY-MM-DD"}[self.order]

    @property
    def chart(self) -> dict[str, object]:
        """The same for a chart: a number locale of d3."""
        return {
            "decimal": self.decimal,
            "thousands": self.group,
            "grouping": [self.sizes[0], *[self.sizes[1]] * 6],
            "currency": ["", ""],
        }


PLAIN = Reader()


@lru_cache(maxsize=200)
def conventions(tag: str) -> Reader:
    """How a language tag (de-DE, en-US) writes numbers and dates; as English outside America does where the tag is none
    we know.
    """
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
    """The one who looks; plain English while nobody does."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return PLAIN
    return conventions(st.context.locale or "")


def zone() -> ZoneInfo:
    """The business time zone. Raises SettingRefused if the one named is none."""
    return _zone(os.environ.get(ZONE) or "UTC")


def to_business_time(moment: datetime) -> datetime:
    """A naive moment in UTC as the business time zone's clocks show it, for a field in which it can be changed."""
    return moment.replace(tzinfo=UTC).astimezone(zone()).replace(tzinfo=None)


def to_utc(shown: datetime) -> datetime:
    """The moment, naive UTC, at which the business time zone's clocks show this; of the two of an hour that comes
    twice, the first.

    Raises ValueError for an hour that the clocks leave out.
    """
    moment = shown.replace(tzinfo=zone()).astimezone(UTC).replace(tzinfo=None)
    if to_business_time(moment) != shown:
        raise ValueError(
            f"{shown:%d.%m.%Y %H:%M} never was in {zone().key}: the clocks went forward over it; write another time"
        )
    return moment


@lru_cache(maxsize=8)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingRefused(ZONE, f"{name!r} is no IANA zone; write for example Europe/Berlin.") from None
