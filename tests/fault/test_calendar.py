"""Periods over leap days, year ends and years of 53 weeks (A27), against Python's calendar."""

from datetime import date, timedelta

import pytest

from dashboard.frame import period
from metrics.alerts.rules import last_full_period

DAYS = [
    date(year, 1, 1) + timedelta(days=offset)
    for year in (2020, 2021, 2024, 2026, 2027, 2100)
    for offset in (*range(-5, 8), *range(55, 64), *range(358, 370))
]


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_periods_equal_the_calendar_over_leap_days_and_years_of_53_weeks(day: date) -> None:
    first, last = last_full_period("week", day)
    assert (first.isoweekday(), last.isoweekday(), (last - first).days) == (1, 7, 6)
    assert first.isocalendar()[:2] == last.isocalendar()[:2], "a week belongs to one ISO year"
    assert 0 <= (day - last).days < 7
    first, last = last_full_period("month", day)
    assert first.day == 1
    assert (last + timedelta(days=1)).day == 1
    assert (first.year, first.month) == (last.year, last.month)
    assert last <= day
    assert (last + timedelta(days=32)).replace(day=1) > day
    chosen = period.choose("4W", as_of=day, first=date(2019, 1, 1))
    assert ((chosen.end - chosen.start).days, chosen.end.isoweekday()) == (27, 7)
    assert chosen.previous == (chosen.start - timedelta(days=28), chosen.start - timedelta(days=1))
    year = period.choose(period.YEAR, as_of=day, first=date(2019, 1, 1))
    before = year.previous
    assert before is not None
    assert before[0] == date(day.year - 1, 1, 1)
    assert before[1].year == day.year - 1
