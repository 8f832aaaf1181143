"""Periods: which days a choice means, what stood before it, and which parts of it are not whole. Pure.

"Today" is the data's watermark, never the clock (rules P5), so a choice means the same days for the same data next year.
"""

from dataclasses import dataclass
from datetime import date, timedelta

WEEKS = {"4W": 4, "13W": 13, "26W": 26, "52W": 52}
"""Whole weeks, Monday to Sunday, the last one wholly before or at the watermark."""
DEFAULT = "13W"
ALL, DATES = "All", "Dates"
CHOICES = (*WEEKS, ALL, DATES)


@dataclass(frozen=True)
class Period:
    """Days from `start` to `end`, both included, seen on the day `as_of`."""

    choice: str
    start: date
    end: date
    as_of: date

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
    def previous(self) -> tuple[date, date] | None:
        """As many days just before: like with like, even while the period is running. None for all days and for days to come."""
        if self.choice == ALL or self.days <= 0:
            return None
        return self.start - timedelta(days=self.days), self.start - timedelta(days=1)

    @property
    def grain(self) -> str:
        """The grain a trend of it is drawn in."""
        length = (self.end - self.start).days + 1
        return "day" if length <= 21 else "week" if length <= 7 * 60 else "month"

    def partial(self, begins: date, grain: str) -> bool:
        """Whether a day, week, month or quarter of it is cut: by the choice, or by what has not happened yet."""
        return begins < self.start or after(begins, grain) - timedelta(days=1) > self.elapsed

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return {ALL: "all data"}.get(self.choice, f"the last {WEEKS[self.choice]} whole weeks" if self.choice in WEEKS else "the days chosen")


def after(begins: date, grain: str) -> date:
    """The first day after the day, week, month or quarter that begins here."""
    if grain == "day":
        return begins + timedelta(days=1)
    if grain == "week":
        return begins + timedelta(days=7)
    months = begins.month - 1 + (3 if grain == "quarter" else 1)
    return date(begins.year + months // 12, months % 12 + 1, 1)


def begins(day: date, grain: str) -> date:
    """The first day of the day, week, month or quarter a day lies in; weeks begin on Monday."""
    if grain == "day":
        return day
    if grain == "week":
        return day - timedelta(days=day.weekday())
    return date(day.year, day.month if grain == "month" else (day.month - 1) // 3 * 3 + 1, 1)


def periods(start: date, end: date, grain: str) -> list[date]:
    """Every period of the grain that touches the days, by its first day, empty ones too: a gap in a trend must show."""
    found, at = [], begins(start, grain)
    while at <= end:
        found.append(at)
        at = after(at, grain)
    return found


def choose(choice: str, *, as_of: date, first: date, days: tuple[date, ...] = ()) -> Period:
    """The days a choice means. `days`: what the date field holds, which is one day while a range is half chosen."""
    if choice in WEEKS:
        end = as_of - timedelta(days=(as_of.weekday() + 1) % 7)  # the last Sunday not after the watermark
        return Period(choice, end - timedelta(days=7 * WEEKS[choice] - 1), end, as_of)
    if choice == DATES and days:
        return Period(choice, min(days), max(days) if len(days) > 1 else max(as_of, days[0]), as_of)
    if choice == ALL:
        return Period(ALL, min(first, as_of), as_of, as_of)
    return choose(DEFAULT, as_of=as_of, first=first)
