"""Orders judged by the requested date, the first and the current promise. Expected values are worked by hand.

Source: R1 (anchor date).
"""

from collections.abc import Iterator
from datetime import date, datetime

import pytest
from sqlalchemy import Connection, select

from metrics.facts import anchor_dates
from metrics.facts.anchor_dates import anchor_facts_table
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.schema import FEEDS
from tests.support.ask_measures import only
from tests.support.builders import Records, everything, order, order_line, promise, records, shipment, shipment_line
from tests.support.engines import memory
from tests.support.sql_facts import ask, build, load

filled = only(anchor_dates)

END_OF_APRIL = datetime(2026, 4, 30, 23, 59, 59, 999999)
MAPPED = everything(*FEEDS)


def history(key: str, came: str, *revisions: tuple[str, str, str], requested: str | None = "2026-03-10") -> Records:
    """An order promised for the 12th. revisions: who moved the promise, to which day, and on which day."""
    return records(
        orders=[order(order_id=key, requested_by=requested, promised_by="2026-03-12")],
        order_lines=[order_line(order_id=key)],
        shipments=[shipment(shipment_id=key, shipped_at="2026-03-08", received_at=came)],
        shipment_lines=[shipment_line(shipment_id=key, order_id=key)],
        promises=[
            promise(order_id=key, revision_no=number, changed_by=who, promised_by=to, changed_at=on)
            for number, (who, to, on) in enumerate(revisions, start=2)
        ],
    )


def together(*many: Records) -> Records:
    return {feed: [row for one in many for row in one[feed]] for feed in many[0]}


HISTORIES = together(
    history("A seller moves it", "2026-03-15", ("seller", "2026-03-20", "2026-03-11")),
    history("B buyer moves it", "2026-03-15", ("buyer", "2026-03-20", "2026-03-11")),
    history("C buyer, too late", "2026-03-15", ("buyer", "2026-03-20", "2026-03-13")),
    history(
        "D twice in time", "2026-03-18", ("buyer", "2026-03-15", "2026-03-11"), ("buyer", "2026-03-20", "2026-03-14")
    ),
    history(
        "E chain broken", "2026-03-18", ("buyer", "2026-03-15", "2026-03-13"), ("buyer", "2026-03-20", "2026-03-14")
    ),
    history("F as promised", "2026-03-11", requested="2026-03-12"),
    history("G never asked", "2026-03-11", requested=None),
    history("H not yet told", "2026-03-15", ("buyer", "2026-03-20", "2026-05-02")),
)


@pytest.fixture
def connection() -> Iterator[Connection]:
    """An empty warehouse, for tests that fill it themselves."""
    engine = memory()
    with engine.connect() as opened:
        yield opened
    engine.dispose()


@pytest.fixture(scope="module")
def built() -> Iterator[Connection]:
    """The judged histories. Tests may only read them, because tests run in any order."""
    engine = memory()
    with engine.connect() as opened:
        build(opened, HISTORIES, END_OF_APRIL, MAPPED)
        yield opened
    engine.dispose()


def verdicts(connection: Connection) -> dict[str, tuple[object, ...]]:
    a = anchor_facts_table.c
    return {
        row[0][0]: tuple(row[1:])
        for row in connection.execute(select(a.order_id, a.on_time, a.on_time_current, a.on_time_requested, a.due_day))
    }


def test_r01_author_and_time_of_a_promise_change_decide_which_date_counts(built: Connection) -> None:
    """First promise, latest promise, request, due day."""
    assert verdicts(built) == {
        "A": (False, True, False, date(2026, 3, 12)),
        "B": (True, True, False, date(2026, 3, 20)),
        "C": (False, True, False, date(2026, 3, 12)),
        "D": (True, True, False, date(2026, 3, 20)),
        "E": (False, True, False, date(2026, 3, 12)),
        "F": (True, True, True, date(2026, 3, 12)),
        "G": (True, True, None, date(2026, 3, 12)),
        "H": (False, False, False, date(2026, 3, 12)),
    }


def test_r01_each_anchor_date_has_its_own_numerator_and_denominator(built: Connection) -> None:
    """On time by the first promise: B, D, F and G of 8. By the current promise: all but H. By the request: F of 7."""
    answers = answer(built, Question(("on_time", "on_time_current_promise", "on_time_requested")))
    assert [(answered.numerator, answered.denominator, answered.unknown) for answered in answers] == [
        (4, 8, 0),
        (7, 8, 0),
        (1, 7, 1),
    ]


def test_r01_an_order_without_a_requested_date_has_a_reason(built: Connection) -> None:
    reasons = built.execute(
        select(anchor_facts_table.c.order_id, anchor_facts_table.c.on_time_requested_reason).where(
            anchor_facts_table.c.on_time_requested.is_(None)
        )
    ).all()
    assert [tuple(row) for row in reasons] == [("G never asked", "no_anchor")]


def test_r01_policies_change_verdicts_but_never_the_due_day(connection: Connection) -> None:
    """With rebase none, B is late by the 12th but still due on the 20th. With a day of tolerance, the change of C on
    the 13th is in time, but C is still due on the 12th.
    """
    load(connection, HISTORIES)
    _, fixed = ask(connection, {"rebase": "none"}, END_OF_APRIL, MAPPED, lines=False)
    _, lenient = ask(connection, {"late_tolerance_days": 1}, END_OF_APRIL, MAPPED, lines=False)
    b, c = fixed["B buyer moves it"], lenient["C buyer, too late"]
    assert (b["on_time"], b["promised_day"], b["due_day"]) == (False, date(2026, 3, 12), date(2026, 3, 20))
    assert (c["on_time"], c["promised_day"], c["due_day"]) == (True, date(2026, 3, 20), date(2026, 3, 12))


def test_on_time_by_current_promise_names_the_missing_promises_feed(connection: Connection) -> None:
    without = frozenset(name for name in MAPPED if not name.startswith("promises."))
    build(connection, HISTORIES, END_OF_APRIL, without)
    latest, first = answer(connection, Question(("on_time_current_promise", "on_time")))
    assert (latest.value, latest.no_data) == (None, "no feed: promises")
    assert (first.numerator, first.denominator) == (2, 8)
