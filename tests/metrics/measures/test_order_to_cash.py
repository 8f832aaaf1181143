"""Worked cases of steps, slack and work in progress, and a recount in plain Python."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import Connection, select

from metrics.facts import process_steps, step_slack, work_in_progress
from metrics.facts.process_steps import STEPS, step_facts_table
from metrics.facts.step_slack import late_order_facts_table, step_budgets_table
from metrics.measures.order_to_cash import SlackPoint, slack_ledger
from metrics.queries.answer import Question, answer
from tests.metrics.measures.order_to_cash_cases import HOUR, MAPPED, START, at, finished, world
from tests.reference.cycle_times import budgets_of_segment, slack
from tests.support import engines
from tests.support.ask_measures import only
from tests.support.builders import (
    everything,
    order,
    order_event,
    order_line,
)
from tests.support.rule_cases import END_OF_APRIL
from tests.support.sql_facts import build

filled = only(process_steps, step_slack, work_in_progress)


@pytest.fixture(scope="module", params=engines.ENGINES)
def database(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with engines.empty(request) as connection:
        yield connection


BOOK = {2: 8.0, 9: 28.0, 10: 42.0, 11: 66.0}
"""Finish hours of on-time orders. They give budgets of 8, 20, 14 and 24 hours."""


def test_slack_ledger_equals_the_rule_book_example(database: Connection) -> None:
    """Due at hour 72, budgets 8, 20, 14, 24 h. Finishes 10, 45, 55, 76.

    Slack is +6 at order, then +4, -11, -7, -4: the promise was missed at step 9.
    """
    made = world({"GOOD": 66, "LATE": 76}, [*finished("GOOD", BOOK), *finished("LATE", {2: 10, 9: 45, 10: 55, 11: 76})])
    build(database, made, END_OF_APRIL, MAPPED)
    found = slack_ledger(database, "LATE")
    assert found is not None
    assert [(point.step, point.slack_seconds / 3600) for point in found.points] == [
        (0, 6),
        (2, 4),
        (9, -11),
        (10, -7),
        (11, -4),
    ]
    assert found.missed_step == 9
    assert found.points[0] == SlackPoint(0, START, 6 * 3600)
    by_step = answer(database, Question(("missed_at_step", "promises_missed"), by=("step",)))
    assert [(one.measure, one.dimensions["step"], one.value, one.numerator, one.denominator) for one in by_step] == [
        ("missed_at_step", "09", 1.0, 1, 1),
        ("promises_missed", "09", 1, 1, None),
    ]
    (whole,) = answer(database, Question(("missed_at_step",)))
    assert (whole.numerator, whole.denominator) == (1, 1)


@pytest.mark.every_run("duckdb-finishes0-11", "duckdb-finishes4-(none)")
@pytest.mark.parametrize(
    ("finishes", "step"),
    [
        ({2: 8, 9: 28, 10: 42, 11: 80}, "11"),
        ({2: 20, 9: 40, 10: 54, 11: 76}, "02"),  # +6 at order, then -6 to the end
        ({2: 20, 9: 28, 10: 42, 11: 80}, "11"),  # below 0 after 2, above 0 again at 9
        ({9: 45, 10: 55}, "09"),  # step 2 not observed
        ({2: 8, 9: 28, 10: 42}, "(none)"),  # slack left at the last observed step
    ],
)
def test_promise_is_missed_at_the_first_step_after_which_slack_stays_negative(
    database: Connection, finishes: dict[int, float], step: str
) -> None:
    made = world(
        {"GOOD": 66, "LATE": 90},
        [*finished("GOOD", BOOK), *finished("LATE", {number: float(end) for number, end in finishes.items()})],
    )
    build(database, made, END_OF_APRIL, MAPPED)
    assert database.scalars(select(late_order_facts_table.c.step)).all() == [step]


def test_promise_can_be_missed_from_the_start(database: Connection) -> None:
    # Budgets are 8 and 32 h. LATE has no delay after step 2 (40 - 8 - 32) and a delay of 20 h after step 9. TIGHT was
    # 10 h short at the order.
    made = world({"GOOD": 40, "LATE": 70}, [*finished("GOOD", {2: 8, 11: 40}), *finished("LATE", BOOK)], due=40)
    made["orders"] += [order(order_id="TIGHT", ordered_at=at(0), promised_by=at(30))]
    made["order_lines"] += [order_line(order_id="TIGHT")]
    made["order_events"] += finished("TIGHT", {2: 8, 11: 40})
    build(database, made, END_OF_APRIL, MAPPED)
    missed = {
        row.order_id: row.step
        for row in database.execute(select(late_order_facts_table.c.order_id, late_order_facts_table.c.step))
    }
    assert missed == {"LATE": "09", "TIGHT": "00"}


def test_segment_has_its_own_budgets_only_with_enough_on_time_orders(database: Connection) -> None:
    """Nineteen on-time orders of segment A take 10 hours, 30 of B take 20. A has too few and uses the median of all,
    20.
    """
    own = {f"A{number}": 50.0 for number in range(19)} | {f"B{number}": 50.0 for number in range(30)}
    events = [event for name in own for event in finished(name, {2: 10.0 if name.startswith("A") else 20.0})]
    build(
        database,
        world(own, events, customers={name: "D" for name in own if name.startswith("B")}),
        END_OF_APRIL,
        MAPPED,
    )
    b = step_budgets_table.c
    found = database.execute(
        select(b.segment, b.step_no, b.budget_seconds, b.orders, b.stands_on).order_by(b.segment)
    ).all()
    assert found == [("A", 2, 20 * 3600, 19, "all"), ("B", 2, 20 * 3600, 30, "segment")]
    own["A19"] = 50.0
    build(
        database,
        world(own, [*events, *finished("A19", {2: 10.0})], customers={n: "D" for n in own if n.startswith("B")}),
        END_OF_APRIL,
        MAPPED,
    )
    assert database.execute(select(b.segment, b.budget_seconds, b.stands_on).order_by(b.segment)).all()[0] == (
        "A",
        10 * 3600,
        "segment",
    )


def stage(connection: Connection, name: str) -> dict[str | None, Any]:
    return {
        one.dimensions["step"]: one.value
        for one in answer(connection, Question((name,), by=("step",)))
        if one.value is not None
    }


def test_stage_time_sums_attempts_and_waiting_starts_at_the_latest_earlier_finish(database: Connection) -> None:
    events = [
        order_event(step=2, event_no=1, started_at=at(1), finished_at=at(3)),
        order_event(step=2, event_no=2, started_at=at(10), finished_at=at(10.5)),
        order_event(step=9, event_no=1, started_at=at(12), finished_at=at(20)),
        order_event(step=10, event_no=1, started_at=at(19), finished_at=at(30)),  # started before the end of picking
        order_event(step=11, event_no=1, started_at=at(40), finished_at=None),
    ]
    build(database, world({"O": 66}, events), END_OF_APRIL, MAPPED)
    assert stage(database, "stage_hours") == {"02": 2.5, "09": 8.0, "10": 11.0}
    assert stage(database, "stage_wait_hours") == {"09": 1.5, "10": 0.0}  # not finished: step 11 has no day yet
    (pooled,) = answer(database, Question(("stage_hours",)))  # N19: a time over all steps is no time of a step
    assert (pooled.value, pooled.no_data) == (None, "no data: break down by step, or filter by one step")
    (ninth,) = answer(database, Question(("stage_hours",), where=(("step", ("09",)),)))
    assert ninth.value == 8.0


def test_stage_percentiles_are_nearest_rank(database: Connection) -> None:
    """Picking takes 1, 2 ... 10 hours: P50 is the 5th, P90 the 9th."""
    events = [order_event(order_id=f"O{took}", step=9, started_at=at(0), finished_at=at(took)) for took in range(1, 11)]
    build(database, world({f"O{took}": 66 for took in range(1, 11)}, events), END_OF_APRIL, MAPPED)
    assert (stage(database, "stage_hours"), stage(database, "stage_hours_p90")) == ({"09": 5.0}, {"09": 9.0})


def test_step_with_bare_dates_has_no_stage_hours(database: Connection) -> None:
    events = [
        order_event(step=2, started_at="2026-03-01", finished_at="2026-03-02"),
        order_event(step=9, started_at="2026-03-03T08:00Z", finished_at="2026-03-03T09:00Z"),
    ]
    build(database, world({"O": 66}, events), END_OF_APRIL, MAPPED)
    assert stage(database, "stage_hours") == {"09": 1.0}
    assert stage(database, "stage_wait_hours") == {}


def test_step_that_finishes_after_as_of_is_still_in_progress(database: Connection) -> None:
    events = [
        *finished("A", {2: 10, 9: 20, 13: 30}),
        *finished("B", {2: 10, 9: 20}),
        *finished("C", {2: 10}),
        *finished("D", {2: 10, 9: 40.5}),
    ]
    build(database, world({"A": 25, "B": None, "C": None, "D": None, "E": None}, events), START + 40 * HOUR, MAPPED)
    by = ("step", "standing")
    found = {
        tuple(one.dimensions[name] for name in by): (one.measure, one.value)
        for one in answer(database, Question(("work_in_progress",), by=by))
    }
    assert found == {
        ("09", "waiting after it"): ("work_in_progress", 1),
        ("02", "waiting after it"): ("work_in_progress", 1),
        ("09", "in the step"): ("work_in_progress", 1),
    }
    ages = {one.dimensions["step"]: one.value for one in answer(database, Question(("work_age_hours",), by=("step",)))}
    assert ages == {"02": 30.0, "09": 0.5}  # the first of 20 and half an hour


def test_cancelled_orders_are_not_work_in_progress(database: Connection) -> None:
    made = world({"A": None, "B": None}, [*finished("A", {2: 10}), *finished("B", {2: 10, 9: 20})])
    made["orders"][0] |= {"cancelled_at": datetime(2026, 3, 2), "cancelled_at_is_date": True, "cancelled_by": "seller"}
    build(database, made, END_OF_APRIL, MAPPED)
    assert [one.value for one in answer(database, Question(("work_in_progress",)))] == [
        0
    ]  # B finished the last observed step


def test_step_measures_name_the_missing_order_events_feed(database: Connection) -> None:
    build(database, world({"O": 66}, []), END_OF_APRIL, everything())
    for name in ("stage_hours", "work_in_progress", "missed_at_step", "promises_missed"):
        (one,) = answer(database, Question((name,)))
        assert (one.value, one.no_data) == (None, one.no_data)
        assert "order_events" in str(one.no_data)


def test_every_step_has_a_name() -> None:
    assert list(STEPS) == list(range(1, 14))


def test_steps_and_slack_equal_the_reference_implementation(database: Connection) -> None:
    """Compare 200 orders of two segments with the slack of the reference implementation."""
    drawn = random.Random(13)
    finishes: dict[str, dict[int, float]] = {}
    arrivals: dict[str, float | None] = {}
    segments = {}
    for number in range(200):
        name, end, ends = f"O{number:03}", 0.0, {}
        for step in range(2, 12):
            if drawn.random() < 0.75:
                end += drawn.randrange(1, 60) / 4
                ends[step] = end
        finishes[name], arrivals[name] = ends, (ends[max(ends)] if ends else 50.0)
        segments[name] = "D" if drawn.random() < 0.15 else "C"
    events = [event for name, ends in finishes.items() for event in finished(name, ends)]
    build(database, world(arrivals, events, due=60, customers=segments), END_OF_APRIL, MAPPED)
    exact = {name: {step: Fraction(end) for step, end in ends.items()} for name, ends in finishes.items()}
    segment = {name: "B" if customer_id == "D" else "A" for name, customer_id in segments.items()}
    on_time = [(segment[name], ends) for name, ends in exact.items() if ends and (arrivals[name] or 0) <= 60]
    expected = defaultdict(int)
    late = [name for name, ends in exact.items() if ends and (arrivals[name] or 0) > 60]
    for name in late:
        expected_slack = slack(Fraction(60), exact[name], budgets_of_segment(on_time, segment[name]))
        expected["(none)" if expected_slack.missed_step is None else f"{expected_slack.missed_step:02}"] += 1
        found = slack_ledger(database, name)
        assert found is not None
        assert found.missed_step == expected_slack.missed_step
        assert [Fraction(point.slack_seconds, 3600) for point in found.points] == [
            expected_slack.at_order,
            *expected_slack.after.values(),
        ]
    assert len(late) > 30
    assert len(expected) > 4
    expected_slack = {
        one.dimensions["step"]: one.value for one in answer(database, Question(("promises_missed",), by=("step",)))
    }
    assert expected_slack == {step: (0 if step == "(none)" else count) for step, count in expected.items()}
    shares = {
        one.dimensions["step"]: (one.numerator, one.denominator)
        for one in answer(database, Question(("missed_at_step",), by=("step",)))
    }
    assert shares == {step: (0 if step == "(none)" else count, len(late)) for step, count in expected.items()}
    w = step_facts_table.c
    waits = {
        row.order_id: row.wait_seconds
        for row in database.execute(select(w.order_id, w.wait_seconds).where(w.step_no == 9))
    }
    for name, seconds in waits.items():
        earlier = [end for step, end in finishes[name].items() if step < 9]
        assert seconds == (max(0, 3600 * (finishes[name][9] - 1 - max(earlier))) if earlier else None)
