"""Orders at risk, worked by hand: remaining slack, status and sort order."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from metrics.facts import process_steps, step_slack, work_in_progress
from metrics.lists.at_risk import at_risk, place_in_at_risk
from metrics.lists.rows import Place
from tests.support import engines
from tests.support.ask_measures import only
from tests.support.builders import (
    Row,
    customer,
    everything,
    order,
    order_event,
    order_line,
    records,
    shipment,
    shipment_line,
)
from tests.support.sql_facts import build

filled = only(process_steps, step_slack, work_in_progress)

START, HOUR = datetime(2026, 3, 1), timedelta(hours=1)
NOW = START + 100 * HOUR
MAPPED = everything() | everything("order_events")


@pytest.fixture(scope="module", params=engines.ENGINES)
def database(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with engines.empty(request) as connection:
        yield connection


def at(hours: float) -> str:
    return f"{(START + hours * HOUR).isoformat()}Z"


def placed(order_id: str, hour: float, due: float, done: dict[int, float]) -> tuple[Row, Row, list[Row]]:
    """Return an order with the hours at which it was placed, was due and finished its steps."""
    events = [
        order_event(order_id=order_id, step=step, started_at=at(end - 1), finished_at=at(end))
        for step, end in done.items()
    ]
    return order(order_id=order_id, ordered_at=at(hour), promised_by=at(due)), order_line(order_id=order_id), events


BOOK = placed("BOOK", 0, 72, {2: 8, 9: 28, 10: 42, 11: 66})
"""On time at hour 66: the steps take 8, 20, 14 and 24 hours, as in the rule book's slack ledger."""

OPEN = (
    placed("BEHIND", 60, 130, {2: 68}),  # 58 h to go, 20 of step 9 gone in the 32 since: 38 of the 30 left
    placed("NEW", 90, 140, {}),  # 66 h to go, all 8 of step 2 gone in 10: 58 of the 40 left
    placed("TIGHT", 60, 150, {2: 68, 9: 95}),  # 38 h to go, 5 of step 10 gone: 33 of the 50 left
    placed("EASY", 60, 160, {2: 68, 9: 95}),  # 27 hours to spare
)


def world(*more: Any, **feeds: Any) -> Any:
    """Return the orders that give the budgets, the open orders, and further records."""
    found = (BOOK, *OPEN, *more)
    return records(
        orders=[one[0] for one in found],
        order_lines=[one[1] for one in found],
        order_events=[event for one in found for event in one[2]],
        shipments=[shipment(shipment_id="BOOK", shipped_at=at(42), received_at=at(66))],
        shipment_lines=[shipment_line(shipment_id="BOOK", order_id="BOOK")],
        customers=[customer()],
        **feeds,
    )


def slacks(connection: Connection, **asked: Any) -> list[tuple[str, str, float | None]]:
    rows = at_risk(connection, **asked).rows
    return [
        (row["order_id"], row["standing"], None if row["slack_seconds"] is None else row["slack_seconds"] / 3600)
        for row in rows
    ]


def test_orders_at_risk_are_listed_by_status_and_slack_with_paging_and_filters(database: Connection) -> None:
    build(database, world(), NOW, MAPPED)
    assert slacks(database) == [("BEHIND", "behind", -8), ("NEW", "behind", -18), ("TIGHT", "tight", 17)]
    assert [name for name, *_ in slacks(database, sort="deadline")] == ["BEHIND", "NEW", "TIGHT"]
    assert place_in_at_risk(database, "NEW") == Place(2, "BEHIND", "TIGHT")
    assert place_in_at_risk(database, "NEW", among=("TIGHT",)) == Place(1, None, "TIGHT")
    assert place_in_at_risk(database, "EASY") is None
    assert slacks(database, among=("NEW", "EASY", "it's")) == [("NEW", "behind", -18)]
    assert [name for name, *_ in slacks(database, but=("NEW", "100%"), page=2, size=1)] == ["TIGHT"]
    whole = at_risk(database, size=1)
    assert (whole.total, sum(one["orders"] for one in whole.sums), len(whole.rows)) == (3, 3, 1)
    assert whole.rows[0]["step"] == "02"
    assert whole.rows[0]["step_standing"] == "waiting after it"


def test_order_with_a_line_already_late_is_lost_and_listed_last(database: Connection) -> None:
    first, line, events = placed("LOST", 60, 190, {2: 68})
    late = order_line(order_id="LOST", line_no="2", promised_by=at(90))
    made = world((first, line, events))
    made["order_lines"].append(late)
    build(database, made, NOW, MAPPED)
    assert [(name, standing) for name, standing, _ in slacks(database)][-1] == ("LOST", "lost")


def test_orders_due_within_a_day_are_listed_without_slack_if_steps_are_missing(database: Connection) -> None:
    near = placed("NEAR", 60, 120, {})
    build(database, world(near) | {"order_events": []}, NOW, everything())
    assert slacks(database) == [("NEAR", "near", None)]


def test_arrived_and_judged_orders_are_not_at_risk(database: Connection) -> None:
    made = world(placed("LATE", 0, 90, {2: 8}), placed("HERE", 60, 101, {2: 68}))
    made["shipments"].append(shipment(shipment_id="HERE", shipped_at=at(70), received_at=at(99)))
    made["shipment_lines"].append(shipment_line(shipment_id="HERE", order_id="HERE"))
    build(database, made, NOW, MAPPED)
    assert {name for name, *_ in slacks(database)} == {"BEHIND", "NEW", "TIGHT"}
