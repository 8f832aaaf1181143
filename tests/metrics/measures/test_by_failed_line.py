"""Order measures of time go by the lines that failed, and padding by the promise as first made.

Line 1 is due on the 5th and received on the 8th. Line 2 is due on the 20th and received on the 19th.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, select

from metrics.facts.step_slack import late_order_facts_table
from metrics.lists.cycle_time import promised_day_counts
from metrics.measures.order_to_cash import slack_ledger
from metrics.model.question import Question
from metrics.queries.answer import answer
from tests.support.builders import Records, everything, order_event, order_line
from tests.support.contact_builders import message
from tests.support.engines import memory
from tests.support.rule_cases import END_OF_APRIL, both, day, history, moved, renamed, sent
from tests.support.sql_facts import build

MAPPED = everything() | everything("promises", "messages", "order_events")


def two_lines(order_id: str, *, warned: int | None) -> Records:
    """Return an order with a late line and a line in time, a delay notice, and its receipt as step 11 on the 8th."""
    records = history(
        sent(7, 8, line_no="1"),
        sent(18, 19, line_no="2"),
        lines=[order_line(promised_by=day(5)), order_line(line_no="2", promised_by=day(20))],
    )
    notice = {"kind": "delay_notice", "phase": "during", "sent_at": f"{day(warned)}T12:00Z"} if warned else None
    return renamed(
        records
        | {
            "messages": [message(message_id=f"M-{order_id}", order_id="O", **notice)] if notice else [],
            "order_events": [order_event(step=11, started_at=f"{day(7)}T08:00Z", finished_at=f"{day(8)}T08:00Z")],
            "promises": [],
        },
        order_id,
    )


def postponed() -> Records:
    """Return an order requested for the 10th and promised for the 12th. The buyer moves it to the 20th in time."""
    records = history(sent(17, 18), requested_by=day(10), promised_by=day(12))
    nothing: dict[str, Any] = {"messages": [], "order_events": []}
    return renamed(records | {"promises": [moved("buyer", 11, 20)]} | nothing, "MOVED")


@pytest.fixture(scope="module")
def judged() -> Iterator[Connection]:
    engine = memory()
    with engine.connect() as connection:
        records = both(two_lines("LATE", warned=9), two_lines("WARNED", warned=4), postponed())
        build(connection, records, END_OF_APRIL, MAPPED)
        yield connection
    engine.dispose()


def halves(connection: Connection, measure: str) -> tuple[Any, Any]:
    (found,) = answer(connection, Question((measure,)))
    return found.numerator, found.denominator


def test_days_late_use_the_worst_line(judged: Connection) -> None:
    """Two late orders, each three days late by line 1: 6 / 2. By the latest line they would be 0 days late."""
    assert halves(judged, "days_late") == (6, 2)


def test_warning_must_precede_the_deadline_of_the_first_failed_line(judged: Connection) -> None:
    """The notice of the 9th came after the deadline of line 1 (5th), that of the 4th before it: 1 / 2."""
    assert halves(judged, "late_warned") == (1, 2)
    (hours,) = answer(judged, Question(("notice_hours",)))
    # 5 March 24:00 less 9 March 12:00 is -84 hours, less 4 March 12:00 it is 36 hours; the first of two is the median
    assert (hours.value, hours.denominator) == (-84, 2)


def test_a_promise_is_missed_against_the_deadline_of_the_line_that_failed(judged: Connection) -> None:
    """Step 11 finished on the 8th, after the 5th and before the 20th: missed at step 11."""
    late = late_order_facts_table.c
    steps = judged.execute(select(late.order_id, late.step, late.promise_missed).order_by(late.order_id)).all()
    assert steps == [("LATE", "11", True), ("WARNED", "11", True)]
    ledger = slack_ledger(judged, "LATE")
    assert ledger is not None
    assert ledger.missed_step == 11


def test_padding_and_lead_time_use_the_first_promise(judged: Connection) -> None:
    """The buyer's postponement to the 20th is not our padding: 12 - 10 = 2 days, and 12 - 1 = 11 days of lead.

    The other two orders have no request. Their latest promise is the 20th: 19 days of lead each.
    """
    assert halves(judged, "promise_padding") == (2, 1)
    assert halves(judged, "promise_lead") == (11 + 19 + 19, 3)
    assert promised_day_counts(judged, Question(())) == [(11, 1), (19, 2)]
