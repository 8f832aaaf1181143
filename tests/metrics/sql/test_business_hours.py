"""Working time between two instants, against hand-worked weeks and against plain Python on random weeks."""

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from metrics.facts import cycle_times
from metrics.queries.answer import Question, answer
from tests.support import engines
from tests.support.ask_measures import only
from tests.support.builders import calendar_day, everything, order, order_line, records, shipment, shipment_line
from tests.support.sql_facts import build

filled = only(cycle_times)

MAPPED = everything() | everything("calendars")
AS_OF = datetime(2026, 12, 31)
DAY = timedelta(1)


@pytest.fixture(scope="module", params=engines.ENGINES)
def database(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with engines.empty(request) as connection:
        yield connection


def week(
    first: date, days: int = 14, *, opens: int = 8, closes: int = 16, calendar_id: str = "default"
) -> list[dict[str, Any]]:
    """Monday to Friday open from `opens` to `closes` UTC, closed at the weekend."""
    rows = []
    for number in range(days):
        day = first + number * DAY
        hours = {"opens_at": f"{day}T{opens:02}:00Z", "closes_at": f"{day}T{closes:02}:00Z"}
        rows.append(
            calendar_day(
                calendar_id=calendar_id,
                day=day,
                **(hours if day.weekday() < 5 else {"opens_at": None, "closes_at": None}),
            )
        )
    return rows


def hours(
    connection: Connection,
    ordered: str,
    received: str,
    calendars: list[dict[str, Any]],
    measure: str = "cycle_business_hours",
    **more: Any,
) -> Any:
    """Return the measure for one order between these instants."""
    made = records(
        orders=[order(ordered_at=ordered, promised_by=None, **more)],
        order_lines=[order_line()],
        shipments=[shipment(shipped_at=ordered, received_at=received)],
        shipment_lines=[shipment_line()],
        calendars=calendars,
    )
    build(connection, made, AS_OF, MAPPED)
    return answer(connection, Question((measure,)))[0].value


def test_r26_friday_evening_to_monday_morning_is_64_hours_and_2_worked(database: Connection) -> None:
    calendars = week(date(2026, 3, 2))  # a Monday
    clock = ("2026-03-06T18:00Z", "2026-03-09T10:00Z")  # Friday 18:00 to Monday 10:00
    assert hours(database, *clock, calendars) == 2.0
    assert hours(database, *clock, calendars, "cycle_hours") == 64.0


@pytest.mark.parametrize(
    ("ordered", "received", "worked"),
    [
        ("2026-03-03T09:30Z", "2026-03-03T11:00Z", 1.5),  # inside one day
        ("2026-03-03T06:00Z", "2026-03-03T20:00Z", 8.0),  # around one day
        ("2026-03-03T12:00Z", "2026-03-05T12:00Z", 4 + 8 + 4),
        ("2026-03-07T10:00Z", "2026-03-08T10:00Z", 0.0),  # nothing is open at the weekend
        ("2026-03-03T16:00Z", "2026-03-04T08:00Z", 0.0),  # from closing to opening
        ("2026-03-02T00:00Z", "2026-03-15T23:00Z", 80.0),  # ten working days
    ],
)
def test_business_time_is_right_at_both_ends(database: Connection, ordered: str, received: str, worked: float) -> None:
    assert hours(database, ordered, received, week(date(2026, 3, 2))) == worked


def test_a_day_the_calendar_does_not_name_is_not_known_to_be_closed(database: Connection) -> None:
    calendars = [row for row in week(date(2026, 3, 2)) if row["day"] != date(2026, 3, 4)]
    assert hours(database, "2026-03-03T09:00Z", "2026-03-05T09:00Z", calendars) is None
    assert hours(database, "2026-03-05T09:00Z", "2026-03-06T09:00Z", calendars) == 8.0
    assert (
        hours(database, "2026-03-01T09:00Z", "2026-03-03T09:00Z", calendars) is None
    )  # the 1st is before its first day


def test_the_place_has_its_own_calendar_then_deliveries_have_one_then_everyone(database: Connection) -> None:
    clock = ("2026-03-03T06:00Z", "2026-03-03T20:00Z")
    first = date(2026, 3, 2)
    everyone, deliveries = week(first), week(first, opens=8, closes=14, calendar_id="ship_to")
    place, elsewhere = (
        week(first, opens=8, closes=12, calendar_id="P1"),
        week(first, opens=8, closes=9, calendar_id="P2"),
    )
    assert hours(database, *clock, everyone + elsewhere) == 8.0
    assert hours(database, *clock, everyone + elsewhere + deliveries) == 6.0
    assert hours(database, *clock, everyone + elsewhere + deliveries + place) == 4.0
    assert hours(database, *clock, elsewhere) is None


def test_business_time_over_a_clock_change(database: Connection) -> None:
    """Berlin goes to summer time on 29 March 2026: Friday's 08:00 is 07:00 UTC, Monday's 06:00 UTC."""
    calendars = [
        calendar_day(day="2026-03-27", opens_at="2026-03-27T07:00Z", closes_at="2026-03-27T15:00Z"),
        calendar_day(day="2026-03-28", opens_at=None, closes_at=None),
        calendar_day(day="2026-03-29", opens_at=None, closes_at=None),
        calendar_day(day="2026-03-30", opens_at="2026-03-30T06:00Z", closes_at="2026-03-30T14:00Z"),
    ]
    clock = ("2026-03-27T14:00Z", "2026-03-30T08:00Z")  # Friday 15:00 to Monday 10:00 in Berlin
    assert hours(database, *clock, calendars, ship_to_time_zone="Europe/Berlin") == 3.0
    assert hours(database, *clock, calendars, "cycle_hours", ship_to_time_zone="Europe/Berlin") == 66.0


def test_hours_that_cross_midnight_utc(database: Connection) -> None:
    """Los Angeles is open from 09:00 to 17:00, 17:00 to 01:00 UTC."""
    calendars = [
        calendar_day(
            day=f"2026-01-{day:02}", opens_at=f"2026-01-{day:02}T17:00Z", closes_at=f"2026-01-{day + 1:02}T01:00Z"
        )
        for day in range(5, 10)
    ]
    zone = {"ship_to_time_zone": "America/Los_Angeles"}
    assert hours(database, "2026-01-05T23:00Z", "2026-01-06T18:30Z", calendars, **zone) == 3.5
    assert hours(database, "2026-01-06T00:30Z", "2026-01-06T00:45Z", calendars, **zone) == 0.25


def test_working_time_is_what_plain_python_adds_up(database: Connection) -> None:
    """A thousand orders by one calendar of uneven days, hour by hour and second by second."""
    drawn = random.Random(26)
    first = date(2026, 3, 1)
    calendars, open_hours = [], []
    for number in range(30):
        day = datetime.combine(first + number * DAY, datetime.min.time())
        opens = day + timedelta(minutes=drawn.randrange(0, 1200))
        closes = opens + timedelta(minutes=drawn.randrange(0, 900))
        closed = drawn.random() < 0.3
        calendars.append(
            calendar_day(
                day=day.date(),
                opens_at=None if closed else f"{opens.isoformat()}Z",
                closes_at=None if closed else f"{closes.isoformat()}Z",
            )
        )
        if not closed:
            open_hours.append((opens, closes))
    clocks = {}
    for number in range(1000):
        start = datetime(2026, 3, 1) + timedelta(seconds=drawn.randrange(0, 25 * 86400))
        clocks[f"O{number:04}"] = (start, start + timedelta(seconds=drawn.randrange(1, 4 * 86400)))
    made = records(
        orders=[
            order(order_id=name, ordered_at=f"{start.isoformat()}Z", promised_by=None)
            for name, (start, _) in clocks.items()
        ],
        order_lines=[order_line(order_id=name) for name in clocks],
        shipments=[
            shipment(shipment_id=name, shipped_at=f"{start.isoformat()}Z", received_at=f"{end.isoformat()}Z")
            for name, (start, end) in clocks.items()
        ],
        shipment_lines=[shipment_line(shipment_id=name, order_id=name) for name in clocks],
        calendars=calendars,
    )
    build(database, made, AS_OF, MAPPED)
    (whole,) = answer(database, Question(("cycle_business_hours",)))
    worked = timedelta(0)
    for start, end in clocks.values():
        worked += sum(
            (max(timedelta(0), min(end, closes) - max(start, opens)) for opens, closes in open_hours), timedelta(0)
        )
    assert whole.denominator == 1000
    assert whole.numerator == pytest.approx(worked / timedelta(hours=1))
