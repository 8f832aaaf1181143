"""Sort orders of the failed orders and the place of an order between its neighbours, worked by hand."""

from collections.abc import Iterator
from datetime import date, datetime

import pytest
from sqlalchemy import Connection

from metrics.facts import recoveries
from metrics.lists.failed_orders import failed_orders, place_in_failed_orders
from metrics.lists.order_story import resolution_deadlines
from metrics.lists.rows import Place
from tests.support import engines
from tests.support.ask_measures import only, together
from tests.support.builders import Row, customer, everything, order, order_line, records, shipment, shipment_line
from tests.support.contact_builders import message, service_case
from tests.support.sql_facts import build

filled = only(recoveries)

AS_OF = datetime(2026, 4, 30, 23, 59, 59)
MAPPED = everything("orders", "order_lines", "shipments", "shipment_lines", "customers", "messages", "service_cases")


def sale(order_id: str, *, due: str, received: str | None, damaged: int = 0) -> dict[str, list[Row]]:
    """Return an order of 100 that arrived on a day, or never."""
    sent = shipment(shipment_id=order_id, shipped_at="2026-03-02", received_at=received)
    line = shipment_line(shipment_id=order_id, order_id=order_id, received_qty=100, damaged_qty=damaged)
    return {
        "orders": [order(order_id=order_id, promised_by=due)],
        "order_lines": [order_line(order_id=order_id)],
        "shipments": [sent] if received else [],
        "shipment_lines": [line] if received else [],
    }


FAILED = together(
    sale("DAMAGED", due="2026-03-08", received="2026-03-08", damaged=10),
    sale("LATE", due="2026-03-10", received="2026-03-15"),
    sale("LOST", due="2026-03-11", received=None),
    sale("WARNED", due="2026-03-12", received="2026-03-20"),  # ten days count from the notice of 5 March
    sale("SETTLED", due="2026-03-13", received="2026-03-20"),  # warned on 4 March, and no case is open
    sale("PERFECT", due="2026-03-09", received="2026-03-09"),
    {
        "messages": [
            message(order_id="WARNED", sent_at="2026-03-05T09:00Z"),
            message(message_id="M2", order_id="SETTLED", sent_at="2026-03-04T09:00Z"),
        ],
        "service_cases": [service_case(order_id="WARNED", opened_at="2026-03-21T09:00Z")],
        "customers": [customer()],
    },
)


@pytest.fixture(scope="module", params=engines.ENGINES)
def database(request: pytest.FixtureRequest, filled: None) -> Iterator[Connection]:  # noqa: ARG001 - the tables to fill
    with engines.empty(request) as connection:
        build(connection, records(**FAILED), AS_OF, MAPPED)
        yield connection


def listed(connection: Connection, sort: str, **narrow: object) -> list[str]:
    return [row["order_id"] for row in failed_orders(connection, sort=sort, **narrow).rows]  # type: ignore[arg-type]


def test_soonest_deadline_comes_first_and_resolved_orders_come_last(database: Connection) -> None:
    order_ids = listed(database, "deadline")
    assert order_ids == ["WARNED", "DAMAGED", "LATE", "LOST", "SETTLED"]
    found = resolution_deadlines(database, order_ids)
    assert found["WARNED"] == (datetime(2026, 3, 15, 9), None)
    assert [deadline for deadline, settled in found.values() if settled] == [datetime(2026, 3, 14, 9)]
    assert listed(database, "deadline", done=("WARNED",)) == ["DAMAGED", "LATE", "LOST", "SETTLED", "WARNED"]
    assert listed(database, "deadline", done=("WARNED",), resolved=False) == ["DAMAGED", "LATE", "LOST"]
    assert listed(database, "deadline", done=("WARNED", "LATE"), resolved=True) == ["SETTLED", "WARNED", "LATE"]


def test_orders_are_sorted_by_age_and_by_the_reason_that_is_shown_first(database: Connection) -> None:
    assert listed(database, "oldest") == ["DAMAGED", "LATE", "LOST", "WARNED", "SETTLED"]
    assert listed(database, "due") == ["SETTLED", "WARNED", "LOST", "LATE", "DAMAGED"]
    # late (the sooner deadline first), never received, and last the order that was on time and complete
    assert listed(database, "reason") == ["SETTLED", "WARNED", "LATE", "LOST", "DAMAGED"]


def test_neighbours_of_an_order_follow_the_filters_and_the_sort_order_of_the_list(database: Connection) -> None:
    to_do = {"sort": "deadline", "resolved": False}
    assert place_in_failed_orders(database, "WARNED", **to_do) == Place(1, None, "DAMAGED")  # type: ignore[arg-type]
    assert place_in_failed_orders(database, "LOST", **to_do) == Place(4, "LATE", None)  # type: ignore[arg-type]
    assert place_in_failed_orders(database, "LOST", sort="oldest", but=("LATE",)) == Place(2, "DAMAGED", "WARNED")
    assert place_in_failed_orders(database, "PERFECT") is None
    assert place_in_failed_orders(database, "LATE", sort="oldest", end=date(2026, 3, 10)) == Place(2, "DAMAGED", None)


def test_resolved_order_keeps_its_place_between_the_orders_to_do(database: Connection) -> None:
    done = ("DAMAGED", "LATE")
    found = place_in_failed_orders(database, "LATE", sort="deadline", resolved=False, done=done)
    assert found == Place(2, "WARNED", "LOST")
    assert place_in_failed_orders(database, "LATE", sort="deadline", among=("LOST",)) == Place(1, None, "LOST")
