"""Worked cases of promises padded, granted, changed and kept."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection

from metrics.facts import cycle_times
from metrics.model.question import Answer
from metrics.queries.answer import Question, answer
from tests.support import engines
from tests.support.ask_measures import only
from tests.support.builders import Row, everything, order, order_line, promise, records, shipment, shipment_line
from tests.support.rule_cases import END_OF_APRIL
from tests.support.sql_facts import build

filled = only(cycle_times)

MAPPED = everything() | everything("promises")


@pytest.fixture(scope="module", params=engines.ENGINES)
def database(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with engines.empty(request) as connection:
        yield connection


def load(
    connection: Connection,
    *orders: Row,
    promises: tuple[Row, ...] = (),
    received: str = "2026-03-09",
    mapped: frozenset[str] = MAPPED,
) -> None:
    """Return each order with one line of 100, all received on that day."""
    names = [one["order_id"] for one in orders]
    made = records(
        orders=orders,
        order_lines=[order_line(order_id=name) for name in names],
        shipments=[shipment(shipment_id=name, shipped_at="2026-03-02", received_at=received) for name in names],
        shipment_lines=[shipment_line(shipment_id=name, order_id=name) for name in names],
        promises=promises,
    )
    build(connection, made, END_OF_APRIL, mapped)


def ask(connection: Connection, name: str, *by: str) -> list[Answer]:
    return answer(connection, Question((name,), by=by))


def halves(connection: Connection, name: str) -> tuple[Any, Any]:
    (one,) = ask(connection, name)
    return one.numerator, one.denominator


def test_padding_and_lead_are_signed_means_of_days(database: Connection) -> None:
    """Ordered 1 March. Asked 10, promised 12: +2. Asked 10, promised 9: -1. Nothing asked, promised 15. Nothing
    promised.
    """
    load(
        database,
        order(order_id="A", requested_by="2026-03-10", promised_by="2026-03-12"),
        order(order_id="B", requested_by="2026-03-10", promised_by="2026-03-09"),
        order(order_id="C", promised_by="2026-03-15"),
        order(order_id="D", requested_by="2026-03-10", promised_by=None),
        order(order_id="E", requested_by="2026-03-10", promised_by="2026-03-30", order_type="sample"),
    )
    assert halves(database, "promise_padding") == (2 - 1, 2)
    assert halves(database, "promise_lead") == (11 + 8 + 14, 3)
    assert ask(database, "promise_padding")[0].value == 0.5


def test_promise_changes_are_counted_by_who_made_them(database: Connection) -> None:
    changes = (
        promise(order_id="A", revision_no=1, promised_by="2026-03-10", changed_by="seller"),  # the first promise itself
        promise(order_id="A", revision_no=2, changed_by="seller"),
        promise(order_id="A", revision_no=3, changed_by=None),  # empty counts as the seller's
        promise(order_id="A", revision_no=4, changed_by="buyer"),
        promise(order_id="A", revision_no=5, changed_by="seller", changed_at="2026-05-02"),  # after as_of
    )
    load(
        database,
        order(order_id="A"),
        order(order_id="B"),
        order(order_id="C", promised_by="2026-06-01"),
        promises=changes,
    )
    assert halves(database, "promise_revisions") == (2, 2)  # C is pending
    assert halves(database, "promise_revisions_buyer") == (1, 2)


def test_promise_measures_name_the_missing_promises_feed(database: Connection) -> None:
    load(database, order(), mapped=everything())
    for name in ("promise_revisions", "promise_revisions_buyer", "on_time_basis"):
        (one,) = ask(database, name)
        assert one.value is None
        assert one.no_data == "no feed: promises"


def test_promises_kept_by_basis(database: Connection) -> None:
    """ATP: A kept, B not; ATD: C kept; D has no basis, E two."""
    promises = (
        *[
            promise(order_id=name, revision_no=1, promised_by=f"2026-03-{day}", basis=basis)
            for name, day, basis in (("A", 10, "ATP"), ("B", "08", "ATP"))
        ],
        promise(order_id="C", revision_no=1, promised_by="2026-03-10", basis="ATD"),
        promise(
            order_id="C", revision_no=2, promised_by="2026-03-11", basis="ATP", changed_by="seller"
        ),  # the first promise counts
        promise(order_id="E", revision_no=1, promised_by="2026-03-10", basis="ATD"),
        promise(order_id="E", line_no="2", revision_no=1, promised_by="2026-03-10", basis="ATP"),
    )
    orders = [order(order_id=name, promised_by="2026-03-08" if name == "B" else "2026-03-10") for name in "ABCDE"]
    load(database, *orders, promises=promises)
    found = {
        one.dimensions["basis"]: (one.numerator, one.denominator) for one in ask(database, "on_time_basis", "basis")
    }
    assert found == {"ATP": (1, 2), "ATD": (1, 1), "(none)": (1, 1), "(several)": (1, 1)}
    assert halves(database, "promise_kept") == halves(database, "on_time") == (4, 5)


@pytest.mark.every_run("duckdb-promised0-granted0", "duckdb-promised2-granted2", "duckdb-promised5-granted5")
@pytest.mark.parametrize(
    ("promised", "granted"),
    [
        (("2026-03-10T14:00Z", "2026-03-10T16:00Z"), (1, 1, 0)),
        (("2026-03-10T14:30Z", "2026-03-10T15:00Z"), (1, 1, 0)),
        (("2026-03-10T13:59Z", "2026-03-10T16:00Z"), (0, 1, 0)),
        (("2026-03-10T14:00Z", "2026-03-10T16:01Z"), (0, 1, 0)),
        ((None, "2026-03-10T16:00Z"), (0, 1, 0)),  # a deadline alone is no window
        (("2026-03-10", "2026-03-10"), (0, 1, 0)),  # the whole day is longer than two of its hours
        ((None, None), (0, 0, 1)),  # nothing promised: not known
    ],
)
def test_a_window_is_granted_by_a_promise_inside_it(
    database: Connection, promised: tuple[str | None, str | None], granted: tuple[int, int, int]
) -> None:
    asked = {"requested_from": "2026-03-10T14:00Z", "requested_by": "2026-03-10T16:00Z"}
    load(database, order(promised_from=promised[0], promised_by=promised[1], **asked))
    (one,) = ask(database, "window_granted")
    assert (one.numerator, one.denominator, one.unknown) == granted


def test_order_without_a_requested_window_is_not_counted(database: Connection) -> None:
    load(database, order(requested_by="2026-03-10"))
    (one,) = ask(database, "window_granted")
    assert (one.denominator, one.unknown) == (0, 0)


def test_r29_attributable_measure_names_the_feeds_it_needs_as_evidence(database: Connection) -> None:
    load(database, order(), mapped=everything() - {"shipments.attempted_at", "shipments.failure_caused_by"})
    (one,) = ask(database, "on_time_attributable")
    assert one.no_data == (
        "no feed: order_events and service_cases (or map shipments.attempted_at with shipments.failure_caused_by)"
    )
