"""Worked cases of an order's clocks: gross and net time, holds, open orders and completion.

Source: R27 (orders placed ahead), R28 (holds), R29 (buyer-caused delay), R30 (spread and percentiles).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from metrics.facts import cycle_times, open_orders
from metrics.facts.cycle_times import cycle_facts_table
from metrics.facts.open_orders import open_order_facts_table
from metrics.model.question import Answer
from metrics.queries.answer import Question, answer
from tests.support import engines
from tests.support.ask_measures import only
from tests.support.builders import (
    customer,
    everything,
    hold,
    order,
    order_event,
    order_line,
    records,
    service_package,
    shipment,
    shipment_line,
)
from tests.support.contact_builders import service_case
from tests.support.rule_cases import END_OF_APRIL
from tests.support.sql_facts import build

filled = only(cycle_times, open_orders)

PACKAGED = everything() | everything("service_packages")


@pytest.fixture(scope="module", params=engines.ENGINES)
def database(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with engines.empty(request) as connection:
        yield connection


def ask(
    connection: Connection,
    name: str,
    made: dict[str, Any],
    mapped: frozenset[str] = PACKAGED,
    as_of: datetime = END_OF_APRIL,
    **more: Any,
) -> Answer:
    build(connection, made, as_of, mapped)
    (one,) = answer(connection, Question((name,), **more))
    return one


def delivered(ordered: str, received: str | None, *, name: str = "O", qty: int = 100, **more: Any) -> dict[str, Any]:
    """Return an order of 100 with its consignment."""
    return records(
        orders=[order(order_id=name, ordered_at=ordered, **more)],
        order_lines=[order_line(order_id=name)],
        shipments=[] if received is None else [shipment(shipment_id=name, shipped_at=ordered, received_at=received)],
        shipment_lines=[] if received is None else [shipment_line(shipment_id=name, order_id=name, shipped_qty=qty)],
        customers=[customer()],
        service_packages=[service_package(lead_time_days_max=7)],
    )


def test_over_a_clock_change_the_hour_wanted_keeps_its_place_on_the_clock(database: Connection) -> None:
    """Wanted 30 October 2024 10:00 in Helsinki, lead 3 days: from the 27th 10:00 (08:00 UTC), on a day of 25 hours."""
    made = delivered(
        "2024-10-25T12:00Z",
        "2024-10-30T08:00Z",
        requested_by="2024-10-30T08:00Z",
        promised_by="2024-10-30",
        ship_to_time_zone="Europe/Helsinki",
    ) | {
        "service_packages": [service_package(valid_from="2024-01-01", lead_time_days_max=3)],
        "customers": [customer(valid_from="2024-01-01")],
    }
    assert ask(database, "cycle_hours_net", made).value == 72.0


def together(*several: dict[str, Any]) -> dict[str, Any]:
    """Return all these records together, with customers and packages once."""
    whole = {feed: [row for made in several for row in made[feed]] for feed in several[0]}
    return whole | {feed: several[0][feed] for feed in ("customers", "service_packages")}


def test_r27_an_order_placed_ahead_is_timed_from_its_lead_time_before_the_day_wanted(database: Connection) -> None:
    """Ordered 1 March, wanted and received 1 June, lead 7 days: gross 92, net 7."""
    made = delivered("2026-03-01", "2026-06-01", requested_by="2026-06-01", promised_by="2026-06-01")
    june = datetime(2026, 6, 30)
    assert ask(database, "cycle_days", made, as_of=june).value == 92.0
    net = ask(database, "cycle_days_net", made, as_of=june)
    assert (net.numerator, net.denominator, net.value) == (7, 1, 7.0)
    (ahead,) = answer(database, Question(("cycle_days_net",), by=("ordered_ahead",)))
    assert ahead.dimensions == {"ordered_ahead": "ordered ahead"}


@pytest.mark.parametrize(
    ("requested", "received", "net"),
    [
        ("2026-03-05", "2026-03-11", 10),  # within the lead time: the clock starts with the order
        (None, "2026-03-11", 10),  # no requested day
        ("2026-03-20", "2026-03-18", 5),  # starts on the 13th
        ("2026-03-30", "2026-03-11", 0),  # arrived before the net start
    ],
)
def test_the_net_clock_in_days(database: Connection, requested: str | None, received: str, net: int) -> None:
    assert ask(database, "cycle_days_net", delivered("2026-03-01", received, requested_by=requested)).numerator == net


def test_without_a_package_of_the_segment_the_net_clock_is_the_gross_one(database: Connection) -> None:
    made = delivered("2026-03-01", "2026-04-01", requested_by="2026-04-01") | {
        "service_packages": [service_package(service_segment="B")]
    }
    assert ask(database, "cycle_days_net", made).value == 31.0
    unfed = ask(database, "cycle_days_net", made, everything())
    assert (unfed.value, unfed.no_data) == (None, "no feed: service_packages")


def test_the_net_clock_in_hours_starts_at_the_hour_wanted_less_the_lead_time(database: Connection) -> None:
    """Ordered 1 March 08:00, wanted 20 March 14:00, received 20 March 15:00: from 13 March 14:00 it is 7 days and an
    hour.
    """
    made = delivered(
        "2026-03-01T08:00Z", "2026-03-20T15:00Z", requested_by="2026-03-20T14:00Z", promised_by="2026-03-20"
    )
    assert ask(database, "cycle_hours_net", made).value == 7 * 24 + 1
    assert ask(database, "cycle_hours", made).value == 19 * 24 + 7
    by_day = made | {
        "orders": [order(ordered_at="2026-03-01T08:00Z", requested_by="2026-03-20", promised_by="2026-03-20")]
    }
    assert ask(database, "cycle_hours_net", by_day).value == 7 * 24 + 15  # from the start of 13 March


def five_days(**feeds: Any) -> dict[str, Any]:
    """Return an order that took 120 hours from 1 March 08:00."""
    return delivered("2026-03-01T08:00Z", "2026-03-06T08:00Z") | feeds


ATTEMPTS = [
    order_event(started_at="2026-03-01T10:00Z", finished_at="2026-03-02T10:00Z"),
    order_event(event_no=2, started_at="2026-03-03T10:00Z", finished_at="2026-03-03T12:00Z"),
]
WITH_EVENTS = everything() | everything("order_events")
WITH_HOLDS = WITH_EVENTS | everything("holds")


def test_r28_the_net_clock_stands_still_between_two_attempts_at_step_2(database: Connection) -> None:
    made = five_days(order_events=ATTEMPTS)
    assert ask(database, "cycle_hours", made, WITH_EVENTS).value == 120.0
    net = ask(database, "cycle_hours_net", made, WITH_EVENTS)
    assert (net.numerator, net.denominator, net.value) == (96.0, 1, 96.0)
    picked = [event | {"step": 9} for event in ATTEMPTS]
    assert ask(database, "cycle_hours_net", five_days(order_events=picked), WITH_EVENTS).value == 120.0
    shipped = [event | {"step": 10} for event in ATTEMPTS]
    assert ask(database, "cycle_hours_net", five_days(order_events=shipped), WITH_EVENTS).value == 96.0


def test_holds_win_over_events_and_overlapping_ones_are_counted_once(database: Connection) -> None:
    def net(*stops: dict[str, Any]) -> Any:
        return ask(database, "cycle_hours_net", five_days(order_events=ATTEMPTS, holds=list(stops)), WITH_HOLDS).value

    assert net() == 120.0  # the feed of holds is empty
    assert net(hold()) == 96.0  # 2 March 10:00 to 3 March 10:00
    inside = hold(hold_id="H2", placed_at="2026-03-02T12:00Z", released_at="2026-03-02T18:00Z")
    beyond = hold(hold_id="H3", placed_at="2026-03-03T04:00Z", released_at="2026-03-03T16:00Z", kind="data")
    assert net(hold(), inside) == 96.0
    assert net(hold(), inside, beyond) == 90.0  # 2 March 10:00 to 3 March 16:00
    assert net(hold(kind="stock")) == 120.0
    assert net(hold(caused_by="seller")) == 120.0
    assert net(hold(caused_by=None)) == 120.0
    assert (
        net(hold(placed_at="2026-02-28T08:00Z", released_at="2026-03-01T20:00Z")) == 108.0
    )  # counts from the order on
    assert net(hold(placed_at="2026-03-05T08:00Z", released_at=None)) == 96.0  # until arrival


def test_a_clock_with_a_bare_date_at_either_end_is_not_told_in_hours(database: Connection) -> None:
    for clock in (("2026-03-01", "2026-03-06T08:00Z"), ("2026-03-01T08:00Z", "2026-03-06")):
        assert ask(database, "cycle_hours", delivered(*clock)).value is None
        assert ask(database, "cycle_days", delivered(*clock)).value == 5.0
    assert ask(database, "cycle_hours", delivered("2026-03-01T08:00Z", "2026-03-06T08:30Z")).value == 120.5


def test_r29_late_by_the_buyers_own_doing_is_not_held_against_us(database: Connection) -> None:
    """Due 10, attempt 10, case opened 9, received 12: on_time F, attributable T; without the case F."""
    mapped = everything() | everything("order_events", "service_cases") - {
        "shipments.attempted_at",
        "shipments.failure_caused_by",
    }
    mapped -= {"shipments.attempted_at", "shipments.failure_caused_by"}
    attempt = order_event(step=11, started_at="2026-03-10T10:00Z", finished_at="2026-03-12T10:00Z")
    case = service_case(kind="sudden_change", opened_at="2026-03-09T10:00Z")
    made = delivered("2026-03-01", "2026-03-12") | {"order_events": [attempt], "service_cases": [case]}

    def attributable(**feeds: Any) -> tuple[Any, Any]:
        one = ask(database, "on_time_attributable", made | feeds, mapped)
        return one.numerator, one.denominator

    assert ask(database, "on_time", made, mapped).value == 0.0
    assert attributable() == (1, 1)
    assert attributable(service_cases=[]) == (0, 1)
    assert attributable(service_cases=[service_case(opened_at="2026-03-09T10:00Z")]) == (0, 1)  # a complaint
    assert attributable(service_cases=[service_case(kind="sudden_change", opened_at="2026-03-13T10:00Z")]) == (
        0,
        1,
    )  # after the receipt
    assert attributable(order_events=[attempt | {"started_at": datetime(2026, 3, 11)}]) == (0, 1)  # tried too late
    assert attributable(order_events=[attempt | {"event_no": 2}]) == (0, 1)


def test_r29_a_failed_attempt_recorded_with_its_cause_wins_over_events_and_cases(database: Connection) -> None:
    mapped = everything() | everything("order_events", "service_cases")

    def attributable(*consignments: dict[str, Any], qty: int = 100) -> Any:
        made = delivered("2026-03-01", "2026-03-12") | {
            "shipments": list(consignments),
            "shipment_lines": [shipment_line(shipment_id=one["shipment_id"], shipped_qty=qty) for one in consignments],
            "order_events": [order_event(step=11, started_at="2026-03-10T10:00Z", finished_at=None)],
            "service_cases": [service_case(kind="sudden_change", opened_at="2026-03-09T10:00Z")],
        }
        one = ask(database, "on_time_attributable", made, mapped)
        assert one.denominator == 1
        return one.numerator

    came = {"shipped_at": "2026-03-09", "received_at": "2026-03-12"}
    assert attributable(shipment(**came)) == 0  # events and cases no longer count
    assert attributable(shipment(**came, attempted_at="2026-03-10", failure_caused_by="buyer")) == 1
    assert attributable(shipment(**came, attempted_at="2026-03-10", failure_caused_by="carrier")) == 0
    assert attributable(shipment(**came, attempted_at="2026-03-11", failure_caused_by="buyer")) == 0
    turned_away = shipment(**came, attempted_at="2026-03-10", failure_caused_by="buyer")
    assert (
        attributable(turned_away, shipment(shipment_id="S2", shipped_at="2026-03-11", received_at="2026-03-13"), qty=50)
        == 0
    )
    assert (
        attributable(turned_away, shipment(shipment_id="S2", shipped_at="2026-03-08", received_at="2026-03-09"), qty=50)
        == 1
    )


def test_r30_the_median_with_open_orders_is_kaplan_meiers(database: Connection) -> None:
    """Arrived 2, 4 days; open 5, 5 days: median 4, arrived only 2."""
    made = together(
        delivered("2026-03-10", "2026-03-12", name="A"),
        delivered("2026-03-10", "2026-03-14", name="B"),
        delivered("2026-03-10", None, name="C"),
        delivered("2026-03-10", None, name="D"),
    )
    as_of = datetime(2026, 3, 15, 23, 59, 59, 999999)
    one = ask(database, "cycle_median_open", made, as_of=as_of)
    assert (one.value, one.numerator, one.denominator) == (4, 2, 4)
    assert answer(database, Question(("cycle_p50",)))[0].value == 2
    waiting = ask(
        database,
        "cycle_median_open",
        together(*[delivered("2026-03-10", None, name=name) for name in "CD"]),
        as_of=as_of,
    )
    assert (waiting.value, waiting.no_data) == (None, "not reached: too many are still open")


def test_excused_and_other_orders_wait_for_nothing(database: Connection) -> None:
    excused = {"cancelled_at": "2026-03-08", "cancelled_by": "buyer", "cancel_reason": "changed mind"}
    made = together(
        delivered("2026-03-01", None, name="A", **excused),
        delivered("2026-03-01", "2026-03-03", name="B", order_type="sample"),
    )
    build(database, made, END_OF_APRIL, PACKAGED)
    assert database.execute(select(open_order_facts_table.c.order_id)).all() == []
    assert database.scalars(select(cycle_facts_table.c.order_id)).all() == ["A"]


def test_completion_days_are_those_of_complete_orders(database: Connection) -> None:
    made = together(
        delivered("2026-03-01", "2026-03-05", name="A"),
        delivered("2026-03-01", "2026-03-07", name="B"),
        delivered("2026-03-01", "2026-03-20", name="C", qty=60),  # never complete
        delivered("2026-03-01", "2026-03-03", name="D", promised_by="2026-05-10"),  # pending, received
        delivered("2026-03-01", "2026-03-03", name="E", qty=60, promised_by="2026-05-10"),  # pending, partly received
    )
    one = ask(database, "completion_days", made)
    assert (one.numerator, one.denominator, one.value) == (4 + 6 + 2, 3, 4.0)


def test_lateness_never_offsets(database: Connection) -> None:
    """Lateness -5 and +5 days: beyond promise 50 %, not "0 days" (R30)."""
    made = together(delivered("2026-03-01", "2026-03-05", name="A"), delivered("2026-03-01", "2026-03-15", name="B"))
    one = ask(database, "beyond_promise", made)
    assert (one.numerator, one.denominator) == (1, 2)


def test_the_days_of_an_open_order_are_local_ones(database: Connection) -> None:
    """as_of 15 March 20:00 UTC is the 16th in Tokyo."""
    made = delivered("2026-03-10", None, ship_to_time_zone="Asia/Tokyo")
    build(database, made, datetime(2026, 3, 15, 20), PACKAGED)
    assert database.execute(select(open_order_facts_table.c.wait_days, open_order_facts_table.c.arrived)).all() == [
        (6, False)
    ]


def test_dependability_is_what_the_slow_tail_adds(database: Connection) -> None:
    """Twenty orders, nineteen of 2 to 4 days and one of 12: P50 3, P95 the 19th smallest."""
    days = [2] * 6 + [3] * 7 + [4] * 6 + [12]
    start = datetime(2026, 3, 1)
    made = together(
        *[
            delivered("2026-03-01", f"{(start + timedelta(days=took)).date()}", name=f"O{number:02}")
            for number, took in enumerate(days)
        ]
    )
    one = ask(database, "dependability_gap", made)
    assert one.value == 4 - 3
    nothing = ask(database, "dependability_gap", delivered("2026-03-01", None))
    assert (nothing.value, nothing.no_data) == (None, "no data: nothing in this period and selection")
