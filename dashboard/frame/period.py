"""Periods and comparisons: the days of a choice, the days to compare with, and the partial weeks or months.

"Today" is the end of the data, not the clock, so that a choice always means the same days for the same data.
Source: P5 (as-of date).
"""

from dataclasses import dataclass
from datetime import date, timedelta

WEEKS = {"4W": 4, "13W": 13, "26W": 26, "52W": 52}
"""Whole weeks, Monday to Sunday; the last one ends at or before the end of the data."""
DEFAULT = "13W"
QUARTER, YEAR = "Quarter", "Year"
"""The calendar quarter or year of the end of the data, up to that day."""
ALL, DATES = "All", "Dates"
CHOICES = (*WEEKS, QUARTER, YEAR, ALL, DATES)

BEFORE, LAST_YEAR = "before", "last year"
COMPARISONS = (BEFORE, LAST_YEAR)
"""Comparisons of a period: the same number of days just before, and the same part of last year."""

Days = tuple[date, date]
"""First and last day, inclusive."""

GRAINS = ("day", "week", "month", "quarter")
MAX_POINTS = 400
"""A trend with more points is unreadable: the default grain replaces the chosen one."""


@dataclass(frozen=True)
class Period:
    """Days from `start` to `end`, inclusive, as of the day `as_of`."""

    choice: str
    start: date
    end: date
    as_of: date
    asked_grain: str | None = None

    @property
    def elapsed(self) -> date:
        """Last day that has passed."""
        return min(self.end, self.as_of)

    @property
    def provisional(self) -> bool:
        """True if part of the period is in the future. Source: R6 (period of a number)."""
        return self.end > self.as_of

    @property
    def days(self) -> int:
        """Number of days that have passed."""
        return max((self.elapsed - self.start).days + 1, 0)

    @property
    def previous(self) -> Days | None:
        """Prior period with as many days, even while the period is running; None for all days and for future days.

        For a quarter or year to date it is the equally long part of the quarter or year before.
        """
        if self.choice == ALL or self.days <= 0:
            return None
        if self.choice in (QUARTER, YEAR):
            first = period_starts(self.start - timedelta(days=1), self.choice.lower())
            return first, min(first + timedelta(days=self.days - 1), self.start - timedelta(days=1))
        return self.start - timedelta(days=self.days), self.start - timedelta(days=1)

    @property
    def year_before(self) -> Days | None:
        """Same part of last year: the same weekdays 52 weeks ago for whole weeks, else the same dates.

        None if `previous` has the same days.
        """
        if self.choice in (ALL, YEAR) or self.days <= 0:
            return None
        if self.choice in WEEKS:
            found = self.start - timedelta(weeks=52), self.elapsed - timedelta(weeks=52)
        else:
            found = _last_year(self.start), _last_year(self.elapsed)
        return None if found == self.previous else found

    def compared(self, name: str) -> Days | None:
        """Return the days of one of COMPARISONS."""
        return self.previous if name == BEFORE else self.year_before

    @property
    def prior_name(self) -> str:
        """Name of the prior period: "prior 13 weeks"."""
        if self.choice in WEEKS:
            return f"prior {WEEKS[self.choice]} weeks"
        return f"prior {self.choice.lower()}" if self.choice in (QUARTER, YEAR) else "prior period"

    @property
    def grain(self) -> str:
        """Grain of a trend: the chosen one, else one with a readable number of points."""
        if self.asked_grain in GRAINS and len(periods(self.start, self.end, self.asked_grain)) <= MAX_POINTS:
            return self.asked_grain
        length = (self.end - self.start).days + 1
        return "day" if length <= 21 else "week" if length <= 7 * 60 else "month"

    def partial(self, begins: date, grain: str) -> bool:
        """Return True if a week, month or quarter is cut by the choice or lies partly in the future."""
        return begins < self.start or next_start(begins, grain) - timedelta(days=1) > self.elapsed

    @property
    def name(self) -> str:
        """Name of the period in a sentence."""
        named = {ALL: "all data", QUARTER: "the quarter to date", YEAR: "the year to date"}
        return named.get(
            self.choice, f"the last {WEEKS[self.choice]} whole weeks" if self.choice in WEEKS else "the selected days"
        )


def next_start(begins: date, grain: str) -> date:
    """Return the first day after the day, week, month or quarter that begins on `begins`."""
    if grain == "day":
        return begins + timedelta(days=1)
    if grain == "week":
        return begins + timedelta(days=7)
    months = begins.month - 1 + (3 if grain == "quarter" else 1)
    return date(begins.year + months // 12, months % 12 + 1, 1)


def period_starts(day: date, grain: str) -> date:
    """Return the first day of the week, month, quarter or year of a day; weeks begin on Monday."""
    if grain == "day":
        return day
    if grain == "week":
        return day - timedelta(days=day.weekday())
    if grain == "year":
        return date(day.year, 1, 1)
    return date(day.year, day.month if grain == "month" else (day.month - 1) // 3 * 3 + 1, 1)


def _last_year(day: date) -> date:
    """Return the same date a year before; 28 February for 29 February."""
    return day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)


def same_weekdays(grain: str, one: date, within: Days, other: date, beside: Days) -> bool:
    """Return True if two weeks (or days, months, quarters) can be compared: both are whole, or equally long.

    Only the part of `one` in the days `within` counts, and the part of `other` in the days `beside`.
    """
    lengths = [_overlap(begun, grain, days) for begun, days in ((one, within), (other, beside))]
    return lengths[0] == lengths[1] or lengths == [(next_start(begun, grain) - begun).days for begun in (one, other)]


def _overlap(begun: date, grain: str, days: Days) -> int:
    """Return how many of the given days lie in the week, month or quarter that begins on `begun`."""
    return max((min(next_start(begun, grain) - timedelta(days=1), days[1]) - max(begun, days[0])).days + 1, 0)


def periods(start: date, end: date, grain: str) -> list[date]:
    """Return the first day of every period of the grain that overlaps the days, including periods without data."""
    found, at = [], period_starts(start, grain)
    while at <= end:
        found.append(at)
        at = next_start(at, grain)
    return found


def choose(choice: str, *, as_of: date, first: date, days: tuple[date, ...] = (), grain: str | None = None) -> Period:
    """Return the days of a choice.

    days: value of the date field, which is one day until the user chooses the second. grain: chosen grain of trends.
    """
    if choice in WEEKS:
        end = as_of - timedelta(days=(as_of.weekday() + 1) % 7)  # the last Sunday at or before the end of the data
        return Period(choice, end - timedelta(days=7 * WEEKS[choice] - 1), end, as_of, grain)
    if choice == DATES and days:
        return Period(choice, min(days), max(days) if len(days) > 1 else max(as_of, days[0]), as_of, grain)
    if choice in (QUARTER, YEAR):
        return Period(choice, period_starts(as_of, choice.lower()), as_of, as_of, grain)
    if choice == ALL:
        return Period(ALL, min(first, as_of), as_of, as_of, grain)
    return choose(DEFAULT, as_of=as_of, first=first, grain=grain)
