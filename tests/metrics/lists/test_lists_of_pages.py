"""Lists on measure pages count the same rows as the measures, over the full sample."""

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Connection

from metrics.lists.communications import IN_TIME, notice_buckets
from metrics.lists.failed_orders import nearest_day
from metrics.lists.order_to_cash import late_by_step, oldest_by_step
from metrics.lists.recovery import funnel
from metrics.lists.two_books import disputed, verdicts
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.queries.restatements import kept_generations
from metrics.warehouse import Location, reading

HALF = Question((), start=date(2026, 1, 1), end=date(2026, 6, 30))
SEGMENT = Question((), start=date(2025, 1, 1), end=date(2026, 6, 30), where=(("segment", ("A",)),))
VIEWS = pytest.mark.parametrize("view", [HALF, SEGMENT], ids=["all", "segment A"])


@pytest.fixture(scope="module")
def connection(sample: Location) -> Iterator[Connection]:
    with reading(sample) as found:
        yield found


def asked(connection: Connection, view: Question, *names: str) -> list[Answer]:
    return answer(connection, Question(names, start=view.start, end=view.end, where=view.where))


@VIEWS
def test_notices_sent_in_time_equal_the_warned_late_orders(connection: Connection, view: Question) -> None:
    (warned,) = asked(connection, view, "late_warned")
    found = notice_buckets(connection, view)
    assert sum(found[name] for name in IN_TIME) == warned.numerator
    assert sum(found.values()) == warned.judged
    assert found["not known when"] == warned.unknown
    assert warned.judged


@VIEWS
def test_recovery_funnel_equals_the_numerators_and_denominators_of_its_measures(
    connection: Connection, view: Question
) -> None:
    detect, acknowledge, resolve = asked(
        connection, view, "detect_hours_p50", "acknowledge_hours_p50", "resolve_hours_p50"
    )
    found = funnel(connection, view)
    assert (found.failed, found.detected) == (detect.denominator, detect.numerator)
    assert (found.detected, found.acknowledged) == (acknowledge.denominator, acknowledge.numerator)
    assert (found.acknowledged, found.resolved) == (resolve.denominator, resolve.numerator)
    assert found.failed >= found.detected >= found.acknowledged >= found.resolved >= found.again > 0


@VIEWS
def test_listed_late_orders_and_missed_promises_equal_their_measures(connection: Connection, view: Question) -> None:
    observed, missed = asked(connection, view, "late_orders_observed", "promises_missed")
    listed = late_by_step(connection, view, size=10_000)
    assert listed.total == len(listed.rows) == observed.value
    assert sum(bool(row["promise_missed"]) for row in listed.rows) == missed.value
    assert [row["order_id"] for row in late_by_step(connection, view, page=2, size=2).rows] == [
        row["order_id"] for row in listed.rows[2:4]
    ]


def test_oldest_orders_by_step_equal_the_work_in_progress_and_are_sorted_by_age(connection: Connection) -> None:
    (under_way,) = asked(connection, HALF, "work_in_progress")
    found = oldest_by_step(connection, HALF)
    assert found.total == under_way.value
    ages = [row["age_seconds"] for row in found.rows]
    assert ages == sorted(ages, reverse=True)


@VIEWS
def test_verdict_counts_and_disputed_orders_equal_the_two_books_measures(
    connection: Connection, view: Question
) -> None:
    matched, agree, dispute, money = asked(
        connection, view, "books_matched", "books_agree", "books_dispute", "failed_value_disputed"
    )
    found = verdicts(connection, view)
    assert sum(row["orders"] for row in found) == matched.numerator
    same = sum(
        row["orders"] for row in found if row["our_verdict"] is not None and row["our_verdict"] == row["their_verdict"]
    )
    assert same == agree.numerator
    listed = disputed(connection, view, size=10_000)
    assert listed.total == len(listed.rows) == dispute.value
    assert sum(row["failing_amount"] or 0 for row in listed.rows) == money.value


def test_nearest_day_is_a_day_with_rows_of_the_measure(connection: Connection) -> None:
    day = nearest_day(connection, date(2026, 5, 1), measure="quotes_answered")
    assert day is not None
    assert day <= date(2026, 5, 1)
    assert asked(connection, Question((), start=day, end=day), "quotes_answered")[0].denominator
    first = nearest_day(connection, date(2000, 1, 1), measure="quotes_answered")
    assert first is not None
    assert first > date(2000, 1, 1)
    assert (
        nearest_day(connection, date(2026, 5, 1), measure="quotes_answered", where=(("segment", ("nobody",)),)) is None
    )


def test_generations_kept_are_those_published(sample: Location) -> None:
    assert kept_generations(sample) == [1]
