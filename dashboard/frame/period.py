"""Periods: which days a choice means, what stood before it, and which parts of it are not whole. Pure.

"Today" is the data's watermark, never the clock (rules P5), so a choice means the same days for the same data next
year.
"""

from dataclasses import dataclass
from datetime import date, timedelta

WEEKS = {"4W": 4, "13W": 13, "26W": 26, "52W": 52}
"""Whole weeks, Monday to Sunday, the last one wholly before or at the watermark."""
DEFAULT = "13W"
QUARTER, YEAR = "Quarter", "Year"
"""The calendar quarter or year the watermark lies in, up to the watermark."""
ALL, DATES = "All", "Dates"
CHOICES = (*WEEKS, QUARTER, YEAR, ALL, DATES)

BEFORE, LAST_YEAR = "before", "last year"
COMPARISONS = (BEFORE, LAST_YEAR)
"""What a period can be compared with, both at once: as many days just before, and the same part of last year."""

Days = tuple[date, date]
"""First and last day, both included."""

GRAINS = ("day", "week", "month", "quarter")
MAX_POINTS = 400
"""A trend of more points than this says nothing: the grain asked for gives way to the usual one."""


@dataclass(frozen=True)
class Period:
    """Days from `start` to `end`, both included, seen on the day `as_of`."""

    choice: str
    start: date
    end: date
    as_of: date
    asked_grain: str | None = None

    @property
    def elapsed(self) -> date:
        """The last day that has passed."""
        return min(self.end, self.as_of)

    @property
    def provisional(self) -> bool:
        """Whether some of it is still to come (rules R6)."""
        return self.end > self.as_of

    @property
    def days(self) -> int:
        """Days that have passed."""
        return max((self.elapsed - self.start).days + 1, 0)

    @property
    def previous(self) -> Days | None:
        """As many days before: like with like, even while the period is running. None for all days and for days to
        come.

        Of a quarter or year to date, the equally long part of the one before; of other days, those just before.
        """
        if self.choice == ALL or self.days <= 0:
            return None
        if self.choice in (QUARTER, YEAR):
            first = period_starts(self.start - timedelta(days=1), self.choice.lower())
            return first, min(first + timedelta(days=self.days - 1), self.start - timedelta(days=1))
        return self.start - timedelta(days=self.days), self.start - timedelta(days=1)

    @property
    def year_before(self) -> Days | None:
        """The same part of last year: the same weekdays 52 weeks ago for whole weeks, else the same dates. None where
        `previous` is that already.
        """
        if self.choice in (ALL, YEAR) or self.days <= 0:
            return None
        if self.choice in WEEKS:
            found = self.start - timedelta(weeks=52), self.elapsed - timedelta(weeks=52)
        else:
            found = _last_year(self.start), _last_year(self.elapsed)
        return None if found == self.previous else found

    def compared(self, name: str) -> Days | None:
        """The days of one of COMPARISONS."""
        return self.previous if name == BEFORE else self.year_before

    @property
    def grain(self) -> str:
        """The grain a trend of it is drawn in: the one asked for, else one that gives a readable number of points."""
        if self.asked_grain in GRAINS and len(periods(self.start, self.end, self.asked_grain)) <= MAX_POINTS:
            return self.asked_grain
        length = (self.end - self.start).days + 1
        return "day" if length <= 21 else "week" if length <= 7 * 60 else "month"

    def partial(self, begins: date, grain: str) -> bool:
        """Whether a day, week, month or quarter of it is cut: by the choice, or by what has not happened yet."""
        return begins < self.start or next_start(begins, grain) - timedelta(days=1) > self.elapsed

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        named = {ALL: "all data", QUARTER: "the quarter to date", YEAR: "the year to date"}
        return named.get(
            self.choice, f"the last {WEEKS[self.choice]} whole weeks" if self.choice in WEEKS else "the days chosen"
        )


def next_start(begins: date, grain: str) -> date:
    """The first day after the day, week, month or quarter that begins here."""
    if grain == "day":
        return begins + timedelta(days=1)
    if grain == "week":
        return begins + timedelta(days=7)
    months = begins.month - 1 + (3 if grain == "quarter" else 1)
    return date(begins.year + months // 12, months % 12 + 1, 1)


def period_starts(day: date, grain: str) -> date:
    """The first day of the day, week, month, quarter or year a day lies in; weeks begin on Monday."""
    if grain == "day":
        return day
    if grain == "week":
        return day - timedelta(days=day.weekday())
    if grain == "year":
        return date(day.year, 1, 1)
    return date(day.year, day.month if grain == "month" else (day.month - 1) // 3 * 3 + 1, 1)


def _last_year(day: date) -> date:
    """The same date a year before; 28 February for the 29th."""
    return day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)


def same_weekdays(grain: str, one: date, within: Days, other: date, beside: Days) -> bool:
    """Whether two days, weeks ..., each as far as it lies within its own days, may be compared: both whole, or equally
    long.
    """
    lengths = [_overlap(begun, grain, days) for begun, days in ((one, within), (other, beside))]
    return lengths[0] == lengths[1] or lengths == [(next_start(begun, grain) - begun).days for begun in (one, other)]


def _overlap(begun: date, grain: str, days: Days) -> int:
    """How many days of the day, week, month or quarter that begins there lie between two days, both included."""
    return max((min(next_start(begun, grain) - timedelta(days=1), days[1]) - max(begun, days[0])).days + 1, 0)


def periods(start: date, end: date, grain: str) -> list[date]:
    """Every period of the grain that touches the days, by its first day, empty ones too: a gap in a trend must show."""
    found, at = [], period_starts(start, grain)
    while at <= end:
        found.append(at)
        at = next_start(at, grain)
    return found


def choose(choice: str, *, as_of: date, first: date, days: tuple[date, ...] = (), grain: str | None = None) -> Period:
    """The days a choice means. `days`: what the date field holds, which is one day while a range is half chosen.
    `grain`: asked for.
    """
    if choice in WEEKS:
        end = as_of - timedelta(days=(as_of.weekday() + 1) % 7)  # the last Sunday not after the watermark
        return Period(choice, end - timedelta(days=7 * WEEKS[choice] - 1), end, as_of, grain)
    if choice == DATES and days:
        return Period(choice, min(days), max(days) if len(days) > 1 else max(as_of, days[0]), as_of, grain)
    if choice in (QUARTER, YEAR):
        return Period(choice, period_starts(as_of, choice.lower()), as_of, as_of, grain)
    if choice == ALL:
        return Period(ALL, min(first, as_of), as_of, as_of, grain)
    return choose(DEFAULT, as_of=as_of, first=first, grain=grain)
