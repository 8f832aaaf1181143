"""Working time between two instants, against hand-worked weeks and against plain Python on random weeks.

Each order goes to a place with a calendar of its own, so that one build judges all orders.
"""

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection

from metrics.facts import cycle_times
from metrics.queries.answer import Answer, Question, answer
from tests.support import engines
from tests.support.ask_measures import only, together
from tests.support.builders import Row, calendar_day, everything, order, order_line, records, shipment, shipment_line
from tests.support.sql_facts import build

filled = only(cycle_times)

MAPPED = everything() | everything("calendars")
AS_OF = datetime(2026, 12, 31)
DAY = timedelta(1)
FIRST = date(2026, 3, 2)  # a Monday


class Clock(NamedTuple):
    """The start and the end of an order."""

    ordered: str
    received: str


WEEK = {
    "Friday evening to Monday morning": Clock("2026-03-06T18:00Z", "2026-03-09T10:00Z"),
    "inside one day": Clock("2026-03-03T09:30Z", "2026-03-03T11:00Z"),
    "around one day": Clock("2026-03-03T06:00Z", "2026-03-03T20:00Z"),
    "over three days": Clock("2026-03-03T12:00Z", "2026-03-05T12:00Z"),
    "at the weekend": Clock("2026-03-07T10:00Z", "2026-03-08T10:00Z"),
    "from closing to opening": Clock("2026-03-03T16:00Z", "2026-03-04T08:00Z"),
    "ten working days": Clock("2026-03-02T00:00Z", "2026-03-15T23:00Z"),
}
"""Orders by a calendar of two weeks."""
WITH_A_GAP = {
    "over the missing day": Clock("2026-03-03T09:00Z", "2026-03-05T09:00Z"),
    "after the missing day": Clock("2026-03-05T09:00Z", "2026-03-06T09:00Z"),
    "before the first day": Clock("2026-03-01T09:00Z", "2026-03-03T09:00Z"),
}
"""Orders by a calendar without 4 March."""
SUMMER_TIME = {"over the clock change": Clock("2026-03-27T14:00Z", "2026-03-30T08:00Z")}
PAST_MIDNIGHT = {
    "over the night": Clock("2026-01-05T23:00Z", "2026-01-06T18:30Z"),
    "at midnight UTC": Clock("2026-01-06T00:30Z", "2026-01-06T00:45Z"),
}
NO_CALENDAR = {"to a place without a calendar": Clock("2026-03-03T06:00Z", "2026-03-03T20:00Z")}


def week(
    days: int = 14, *, opens: int = 8, closes: int = 16, calendar_id: str = "default", without: tuple[date, ...] = ()
) -> list[Row]:
    """Monday to Friday open from `opens` to `closes` UTC, closed at the weekend."""
    rows = []
    for day in (FIRST + number * DAY for number in range(days)):
        hours = {"opens_at": f"{day}T{opens:02}:00Z", "closes_at": f"{day}T{closes:02}:00Z"}
        closed = {"opens_at": None, "closes_at": None}
        if day not in without:
            rows.append(calendar_day(calendar_id=calendar_id, day=day, **(hours if day.weekday() < 5 else closed)))
    return rows


def delivered(clocks: dict[str, Clock], place: str, *, customer: str | None = None, **values: Any) -> dict[str, Any]:
    """Return an order for each clock, all to one place. By default, each has a customer of its own."""
    return {
        "orders": [
            order(
                order_id=name,
                customer_id=customer or name,
                ordered_at=clock.ordered,
                promised_by=None,
                ship_to=place,
                **values,
            )
            for name, clock in clocks.items()
        ],
        "order_lines": [order_line(order_id=name) for name in clocks],
        "shipments": [
            shipment(shipment_id=name, shipped_at=clock.ordered, received_at=clock.received, received_place=place)
            for name, clock in clocks.items()
        ],
        "shipment_lines": [shipment_line(shipment_id=name, order_id=name) for name in clocks],
    }


def uneven_days() -> list[tuple[datetime, datetime | None, datetime | None]]:
    """Return 30 days with their opening and closing. A closed day has neither."""
    drawn = random.Random(26)
    days: list[tuple[datetime, datetime | None, datetime | None]] = []
    for number in range(30):
        day = datetime(2026, 3, 1) + number * DAY
        opens = day + timedelta(minutes=drawn.randrange(0, 1200))
        closes = opens + timedelta(minutes=drawn.randrange(0, 900))
        closed = drawn.random() < 0.3
        days.append((day, None, None) if closed else (day, opens, closes))
    return days


def drawn_clocks() -> dict[str, tuple[datetime, datetime]]:
    """Return a thousand orders, to the second."""
    drawn = random.Random(27)
    clocks = {}
    for number in range(1000):
        start = datetime(2026, 3, 1) + timedelta(seconds=drawn.randrange(0, 25 * 86400))
        clocks[f"O{number:04}"] = (start, start + timedelta(seconds=drawn.randrange(1, 4 * 86400)))
    return clocks


def all_orders() -> dict[str, list[Row]]:
    """Return the orders of all cases and the calendars of their places."""
    berlin = [
        calendar_day(
            calendar_id="Berlin", day="2026-03-27", opens_at="2026-03-27T07:00Z", closes_at="2026-03-27T15:00Z"
        ),
        calendar_day(calendar_id="Berlin", day="2026-03-28", opens_at=None, closes_at=None),
        calendar_day(calendar_id="Berlin", day="2026-03-29", opens_at=None, closes_at=None),
        calendar_day(
            calendar_id="Berlin", day="2026-03-30", opens_at="2026-03-30T06:00Z", closes_at="2026-03-30T14:00Z"
        ),
    ]
    los_angeles = [
        calendar_day(
            calendar_id="Los Angeles",
            day=f"2026-01-{day:02}",
            opens_at=f"2026-01-{day:02}T17:00Z",
            closes_at=f"2026-01-{day + 1:02}T01:00Z",
        )
        for day in range(5, 10)
    ]
    uneven = [
        calendar_day(
            calendar_id="uneven",
            day=day.date(),
            opens_at=opens and f"{opens.isoformat()}Z",
            closes_at=closes and f"{closes.isoformat()}Z",
        )
        for day, opens, closes in uneven_days()
    ]
    thousand = {
        name: Clock(f"{start.isoformat()}Z", f"{end.isoformat()}Z") for name, (start, end) in drawn_clocks().items()
    }
    return together(
        delivered(WEEK, "two weeks"),
        delivered(WITH_A_GAP, "a gap"),
        delivered(SUMMER_TIME, "Berlin", ship_to_time_zone="Europe/Berlin"),
        delivered(PAST_MIDNIGHT, "Los Angeles", ship_to_time_zone="America/Los_Angeles"),
        delivered(NO_CALENDAR, "elsewhere"),
        delivered(thousand, "uneven", customer="thousand orders"),
        {
            "calendars": [
                *week(calendar_id="two weeks"),
                *week(calendar_id="a gap", without=(date(2026, 3, 4),)),
                *berlin,
                *los_angeles,
                *uneven,
            ]
        },
    )


def by_customer(connection: Connection, made: dict[str, list[Row]], *measures: str) -> dict[Any, Answer]:
    """Build the records, and return the answers by measure and customer."""
    build(connection, records(**made), AS_OF, MAPPED)
    found = answer(connection, Question(measures, by=("customer",)))
    return {(one.measure, one.dimensions["customer"]): one for one in found}


@pytest.fixture(scope="module", params=engines.ENGINES)
def database(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with engines.empty(request) as connection:
        yield connection


@pytest.fixture(scope="module")
def answers(database: Connection) -> dict[Any, Answer]:
    """Return the hours and the business hours of every order."""
    return by_customer(database, all_orders(), "cycle_business_hours", "cycle_hours")


def test_r26_friday_evening_to_monday_morning_is_64_hours_and_2_business_hours(answers: dict[Any, Answer]) -> None:
    assert answers["cycle_business_hours", "Friday evening to Monday morning"].value == 2.0
    assert answers["cycle_hours", "Friday evening to Monday morning"].value == 64.0


@pytest.mark.parametrize(
    ("order_id", "worked"),
    [
        ("inside one day", 1.5),
        ("around one day", 8.0),
        ("over three days", 4 + 8 + 4),
        ("at the weekend", 0.0),
        ("from closing to opening", 0.0),
        ("ten working days", 80.0),
    ],
)
def test_business_time_is_right_at_both_ends(answers: dict[Any, Answer], order_id: str, worked: float) -> None:
    assert answers["cycle_business_hours", order_id].value == worked


def test_business_time_over_a_day_missing_in_the_calendar_is_unknown(answers: dict[Any, Answer]) -> None:
    assert answers["cycle_business_hours", "over the missing day"].value is None
    assert answers["cycle_business_hours", "after the missing day"].value == 8.0
    assert answers["cycle_business_hours", "before the first day"].value is None


def test_business_time_is_unknown_without_a_calendar_of_the_place_or_a_default(answers: dict[Any, Answer]) -> None:
    assert answers["cycle_business_hours", "to a place without a calendar"].value is None


def test_business_time_over_a_clock_change(answers: dict[Any, Answer]) -> None:
    """Berlin goes to summer time on 29 March 2026: Friday's 08:00 is 07:00 UTC, Monday's 06:00 UTC.

    The order runs from Friday 15:00 to Monday 10:00 in Berlin.
    """
    assert answers["cycle_business_hours", "over the clock change"].value == 3.0
    assert answers["cycle_hours", "over the clock change"].value == 66.0


def test_hours_that_cross_midnight_utc(answers: dict[Any, Answer]) -> None:
    """Los Angeles is open from 09:00 to 17:00, 17:00 to 01:00 UTC."""
    assert answers["cycle_business_hours", "over the night"].value == 3.5
    assert answers["cycle_business_hours", "at midnight UTC"].value == 0.25


def test_working_time_equals_the_sum_in_plain_python(answers: dict[Any, Answer]) -> None:
    """A thousand orders by one calendar of uneven days, hour by hour and second by second."""
    open_hours = [(opens, closes) for _, opens, closes in uneven_days() if opens and closes]
    worked = timedelta(0)
    for start, end in drawn_clocks().values():
        worked += sum(
            (max(timedelta(0), min(end, closes) - max(start, opens)) for opens, closes in open_hours), timedelta(0)
        )
    whole = answers["cycle_business_hours", "thousand orders"]
    assert whole.denominator == 1000
    assert whole.numerator == pytest.approx(worked / timedelta(hours=1))


def test_calendar_of_the_place_precedes_the_ship_to_and_the_default_calendar(database: Connection) -> None:
    clock = Clock("2026-03-03T06:00Z", "2026-03-03T20:00Z")
    made = together(*[delivered({name: clock}, name) for name in ("P1", "P2", "P3")])
    places = [*week(closes=12, calendar_id="P1"), *week(closes=9, calendar_id="P2")]
    deliveries = week(closes=14, calendar_id="ship_to")
    measure = "cycle_business_hours"
    found = by_customer(database, made | {"calendars": week() + places}, measure)
    assert [found[measure, name].value for name in ("P1", "P2", "P3")] == [4.0, 1.0, 8.0]
    found = by_customer(database, made | {"calendars": week() + places + deliveries}, measure)
    assert [found[measure, name].value for name in ("P1", "P2", "P3")] == [4.0, 1.0, 6.0]
