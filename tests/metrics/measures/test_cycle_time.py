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
from metrics.queries.answer import Question, answer
from tests.metrics.measures.cycle_time_cases import PACKAGED, ask, by_order, delivered, together
from tests.support import engines
from tests.support.ask_measures import only
from tests.support.builders import (
    customer,
    everything,
    hold,
    order,
    order_event,
    service_package,
    shipment,
    shipment_line,
)
from tests.support.contact_builders import service_case
from tests.support.rule_cases import END_OF_APRIL
from tests.support.sql_facts import build

filled = only(cycle_times, open_orders)


@pytest.fixture(scope="module", params=engines.ENGINES)
def database(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with engines.empty(request) as connection:
        yield connection


def test_net_clock_start_keeps_its_local_hour_across_a_clock_change(database: Connection) -> None:
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


def test_r27_net_clock_of_an_order_placed_ahead_starts_lead_time_before_the_request(database: Connection) -> None:
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
def test_net_cycle_days_of_worked_examples(
    database: Connection, requested: str | None, received: str, net: int
) -> None:
    assert ask(database, "cycle_days_net", delivered("2026-03-01", received, requested_by=requested)).numerator == net


def test_net_clock_equals_the_gross_clock_without_a_package_of_the_segment(database: Connection) -> None:
    made = delivered("2026-03-01", "2026-04-01", requested_by="2026-04-01") | {
        "service_packages": [service_package(service_segment="B")]
    }
    assert ask(database, "cycle_days_net", made).value == 31.0
    unfed = ask(database, "cycle_days_net", made, everything())
    assert (unfed.value, unfed.no_data) == (None, "no feed: service_packages")


def test_net_clock_in_hours_starts_at_the_requested_hour_minus_the_lead_time(database: Connection) -> None:
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


def test_r28_net_clock_stops_between_two_attempts_at_step_2(database: Connection) -> None:
    made = five_days(order_events=ATTEMPTS)
    assert ask(database, "cycle_hours", made, WITH_EVENTS).value == 120.0
    net = ask(database, "cycle_hours_net", made, WITH_EVENTS)
    assert (net.numerator, net.denominator, net.value) == (96.0, 1, 96.0)
    picked = [event | {"step": 9} for event in ATTEMPTS]
    assert ask(database, "cycle_hours_net", five_days(order_events=picked), WITH_EVENTS).value == 120.0
    shipped = [event | {"step": 10} for event in ATTEMPTS]
    assert ask(database, "cycle_hours_net", five_days(order_events=shipped), WITH_EVENTS).value == 96.0


def test_without_rows_the_feed_of_holds_still_wins_over_events(database: Connection) -> None:
    assert ask(database, "cycle_hours_net", five_days(order_events=ATTEMPTS), WITH_HOLDS).value == 120.0


def test_holds_win_over_events_and_overlapping_holds_are_counted_once(database: Connection) -> None:
    inside = hold(hold_id="H2", placed_at="2026-03-02T12:00Z", released_at="2026-03-02T18:00Z")
    beyond = hold(hold_id="H3", placed_at="2026-03-03T04:00Z", released_at="2026-03-03T16:00Z", kind="data")
    stops = {
        "no hold": [],
        "a hold": [hold()],  # 2 March 10:00 to 3 March 10:00
        "a hold inside": [hold(), inside],
        "three holds": [hold(), inside, beyond],  # 2 March 10:00 to 3 March 16:00
        "stock": [hold(kind="stock")],
        "the seller's": [hold(caused_by="seller")],
        "nobody's": [hold(caused_by=None)],
        "before the order": [hold(placed_at="2026-02-28T08:00Z", released_at="2026-03-01T20:00Z")],
        "not released": [hold(placed_at="2026-03-05T08:00Z", released_at=None)],
    }
    made = {name: five_days(order_events=ATTEMPTS, holds=holds) for name, holds in stops.items()}
    found = by_order(database, "cycle_hours_net", made, WITH_HOLDS)
    assert {name: one.value for name, one in found.items()} == {
        "no hold": 120.0,
        "a hold": 96.0,
        "a hold inside": 96.0,
        "three holds": 90.0,
        "stock": 120.0,
        "the seller's": 120.0,
        "nobody's": 120.0,
        "before the order": 108.0,  # counts from the order on
        "not released": 96.0,  # until arrival
    }


def test_cycle_hours_are_unknown_if_start_or_end_is_a_bare_date(database: Connection) -> None:
    for clock in (("2026-03-01", "2026-03-06T08:00Z"), ("2026-03-01T08:00Z", "2026-03-06")):
        assert ask(database, "cycle_hours", delivered(*clock)).value is None
        assert ask(database, "cycle_days", delivered(*clock)).value == 5.0
    assert ask(database, "cycle_hours", delivered("2026-03-01T08:00Z", "2026-03-06T08:30Z")).value == 120.5


def test_r29_lateness_caused_by_the_buyer_is_not_attributed_to_the_seller(database: Connection) -> None:
    """Due 10, attempt 10, case opened 9, received 12: on_time F, attributable T; without the case F."""
    mapped = everything() | everything("order_events", "service_cases") - {
        "shipments.attempted_at",
        "shipments.failure_caused_by",
    }
    mapped -= {"shipments.attempted_at", "shipments.failure_caused_by"}
    attempt = order_event(step=11, started_at="2026-03-10T10:00Z", finished_at="2026-03-12T10:00Z")
    change = service_case(kind="sudden_change", opened_at="2026-03-09T10:00Z")
    reported = {
        "a change": ([attempt], [change]),
        "no case": ([attempt], []),
        "a complaint": ([attempt], [service_case(opened_at="2026-03-09T10:00Z")]),
        "after the receipt": ([attempt], [service_case(kind="sudden_change", opened_at="2026-03-13T10:00Z")]),
        "tried too late": ([attempt | {"started_at": datetime(2026, 3, 11)}], [change]),
        "a second attempt only": ([attempt | {"event_no": 2}], [change]),
    }
    made = {
        name: delivered("2026-03-01", "2026-03-12") | {"order_events": events, "service_cases": cases}
        for name, (events, cases) in reported.items()
    }
    found = by_order(database, "on_time_attributable", made, mapped)
    assert {name: (one.numerator, one.denominator) for name, one in found.items()} == {
        name: (1 if name == "a change" else 0, 1) for name in made
    }
    assert answer(database, Question(("on_time",)))[0].value == 0.0


def test_r29_failed_attempt_with_a_cause_overrides_events_and_cases(database: Connection) -> None:
    mapped = everything() | everything("order_events", "service_cases")

    came = {"shipped_at": "2026-03-09", "received_at": "2026-03-12"}
    turned_away = shipment(**came, attempted_at="2026-03-10", failure_caused_by="buyer")
    consignments = {
        "no attempt": [shipment(**came)],  # events and cases no longer count
        "the buyer's": [turned_away],
        "the carrier's": [shipment(**came, attempted_at="2026-03-10", failure_caused_by="carrier")],
        "tried too late": [shipment(**came, attempted_at="2026-03-11", failure_caused_by="buyer")],
        "the rest late": [
            turned_away, shipment(shipment_id="S2", shipped_at="2026-03-11", received_at="2026-03-13"),
        ],
        "the rest in time": [
            turned_away, shipment(shipment_id="S2", shipped_at="2026-03-08", received_at="2026-03-09"),
        ],
    }  # fmt: skip
    made = {
        name: delivered("2026-03-01", "2026-03-12")
        | {
            "shipments": several,
            "shipment_lines": [
                shipment_line(shipment_id=one["shipment_id"], shipped_qty=100 // len(several)) for one in several
            ],
            "order_events": [order_event(step=11, started_at="2026-03-10T10:00Z", finished_at=None)],
            "service_cases": [service_case(kind="sudden_change", opened_at="2026-03-09T10:00Z")],
        }
        for name, several in consignments.items()
    }
    found = by_order(database, "on_time_attributable", made, mapped)
    assert {name: (one.numerator, one.denominator) for name, one in found.items()} == {
        name: (1 if name in ("the buyer's", "the rest in time") else 0, 1) for name in made
    }


def test_r30_median_with_open_orders_uses_kaplan_meier(database: Connection) -> None:
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


def test_excused_orders_and_orders_other_than_sales_are_not_open_orders(database: Connection) -> None:
    excused = {"cancelled_at": "2026-03-08", "cancelled_by": "buyer", "cancel_reason": "changed mind"}
    made = together(
        delivered("2026-03-01", None, name="A", **excused),
        delivered("2026-03-01", "2026-03-03", name="B", order_type="sample"),
    )
    database.info.pop("built", None)
    build(database, made, END_OF_APRIL, PACKAGED)
    assert database.execute(select(open_order_facts_table.c.order_id)).all() == []
    assert database.scalars(select(cycle_facts_table.c.order_id)).all() == ["A"]


def test_completion_days_use_only_complete_orders(database: Connection) -> None:
    made = together(
        delivered("2026-03-01", "2026-03-05", name="A"),
        delivered("2026-03-01", "2026-03-07", name="B"),
        delivered("2026-03-01", "2026-03-20", name="C", qty=60),  # never complete
        delivered("2026-03-01", "2026-03-03", name="D", promised_by="2026-05-10"),  # pending, received
        delivered("2026-03-01", "2026-03-03", name="E", qty=60, promised_by="2026-05-10"),  # pending, partly received
    )
    one = ask(database, "completion_days", made)
    assert (one.numerator, one.denominator, one.value) == (4 + 6 + 2, 3, 4.0)


def test_early_orders_do_not_offset_late_orders(database: Connection) -> None:
    """Lateness -5 and +5 days: beyond promise 50 %, not "0 days" (R30)."""
    made = together(delivered("2026-03-01", "2026-03-05", name="A"), delivered("2026-03-01", "2026-03-15", name="B"))
    one = ask(database, "beyond_promise", made)
    assert (one.numerator, one.denominator) == (1, 2)


def test_wait_days_of_an_open_order_use_local_time(database: Connection) -> None:
    """as_of 15 March 20:00 UTC is the 16th in Tokyo."""
    made = delivered("2026-03-10", None, ship_to_time_zone="Asia/Tokyo")
    database.info.pop("built", None)
    build(database, made, datetime(2026, 3, 15, 20), PACKAGED)
    assert database.execute(select(open_order_facts_table.c.wait_days, open_order_facts_table.c.arrived)).all() == [
        (6, False)
    ]


def test_dependability_gap_is_the_difference_of_p95_and_p50(database: Connection) -> None:
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
