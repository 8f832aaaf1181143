"""Numbers and lists for a page: the only cached calls of the dashboard.

Every cached function takes the generation it reads and what is asked of it, never a frame. A page run is pinned to one
generation by `one_generation`, and what is not cached is read through one connection, so that a page never mixes two
publishes. There are no roles yet; once there are, every function here takes one more argument.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime
from typing import Any

import streamlit as st
from sqlalchemy import Connection

from metrics import warehouse
from metrics.alerts import evaluate
from metrics.alerts.evaluate import RuleCheck
from metrics.alerts.rules import Rule
from metrics.lists import at_risk as risk
from metrics.lists import (
    availability,
    buyers_view,
    communications,
    cycle_time,
    data_quality,
    drill_down,
    options,
    order_story,
    order_to_cash,
    two_books,
)
from metrics.lists import failed_orders as failures
from metrics.lists import recovery as recovery_chain
from metrics.lists.drill_down import DrillDown
from metrics.lists.order_story import OrderContext, OrderRecords
from metrics.lists.quality_marks import Mark
from metrics.lists.quality_marks import quality_marks as found_marks
from metrics.lists.rows import Listing, Row, Where
from metrics.measures import danger_zone, packages, recovery, zones
from metrics.measures.catalog import dimension_column
from metrics.model.dimensions import DIMENSIONS
from metrics.model.question import Answer, Question
from metrics.policy import Policy
from metrics.provenance.provenance import provenance as said_by
from metrics.queries import answer, fill_rate_inputs
from metrics.queries.definition_ladder import Ladder, definition_ladder
from metrics.queries.explain import Explanation, explain
from metrics.queries.policy_diff import Diff, policy_diff
from metrics.queries.restatements import FeedDelta, Restated, RestatedKey, compare_generations, kept_generations
from metrics.queries.what_if import View
from metrics.targets.in_view import targets_in_view

ANSWERS_KEPT = 1_000
LISTS_KEPT = 200


class _PageRun(threading.local):
    """What one script thread reads from: a generation, and the connection opened on the first question no cache could
    answer.
    """

    generation: int | None = None
    stack: ExitStack | None = None
    connection: Connection | None = None


_run = _PageRun()


def current() -> warehouse.Generation | None:
    """The generation published last; None before the first."""
    return warehouse.current(warehouse.locate())


@contextmanager
def one_generation(generation: int) -> Iterator[None]:
    """Everything read inside comes from this generation, through one connection that closes at the end."""
    with ExitStack() as stack:
        _run.generation, _run.stack, _run.connection = generation, stack, None
        try:
            yield
        finally:
            _run.generation, _run.stack, _run.connection = None, None, None


@contextmanager
def _reading(generation: int) -> Iterator[Connection]:
    """The page run's connection, or one of its own for what runs beside a page (a download, the warm-up)."""
    if _run.stack is None or _run.generation != generation:
        with warehouse.reading(warehouse.locate(), generation=generation) as connection:
            yield connection
        return
    if _run.connection is None:
        _run.connection = _run.stack.enter_context(warehouse.reading(warehouse.locate(), generation=generation))
    yield _run.connection


def _cached(*, entries: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return st.cache_data(show_spinner=False, max_entries=entries, ttl="12h")


@_cached(entries=ANSWERS_KEPT)
def answers(generation: int, question: Question) -> list[Answer]:
    """Answers of the catalogue to one question, one per dimensions, period and measure."""
    with _reading(generation) as connection:
        return answer.answer(connection, question)


@_cached(entries=LISTS_KEPT)
def behind(generation: int, question: Question, part: str, at: drill_down.At, page: int, size: int) -> DrillDown:
    """One page of the rows behind a part of a number, with the proof that they come to it."""
    with _reading(generation) as connection:
        return drill_down.drill_down(connection, question, part, at=at, page=page, size=size)


def behind_rows(generation: int, question: Question, part: str, at: drill_down.At) -> list[tuple[Any, ...]]:
    """All rows behind a part of a number, for a file; the columns' names first."""
    with _reading(generation) as connection:
        return list(drill_down.all_rows(connection, question, part, at=at))


@_cached(entries=40)
def marks(generation: int, now: datetime) -> dict[str, Mark]:
    """What stands beside each measure: failed checks and late feeds. `now`: to the hour, which is as long as it is
    kept.
    """
    with _reading(generation) as connection:
        return found_marks(connection, now)


def frame(generation: int, question: Question) -> Any:
    """The same answers as a table, for an export: not cached, since it may be large."""
    with _reading(generation) as connection:
        return answer.frame(connection, question)


@_cached(entries=LISTS_KEPT)
def provenance(generation: int, question: Question) -> dict[str, Any]:
    """What an export of the answers to a question says of itself."""
    with _reading(generation) as connection:
        return said_by(connection, question)


@_cached(entries=40)
def back_test(generation: int, rule: Rule, as_of: date, periods: int) -> list[RuleCheck]:
    """What an alert rule would have read and said after each of the last periods."""
    with _reading(generation) as connection:
        return evaluate.back_test(connection, rule, as_of, periods=periods)


@_cached(entries=LISTS_KEPT)
def explanation(
    generation: int, measure: str, by: str, before: tuple[date, date], after: tuple[date, date], where: Where
) -> Explanation:
    """Why a measure differs between two periods, by one dimension."""
    with _reading(generation) as connection:
        return explain(connection, measure, by=by, before=before, after=after, where=_filters(where))


@_cached(entries=20)
def since(generation: int, question: Question, then: int) -> tuple[list[Restated], list[RestatedKey], list[FeedDelta]]:
    """What an older generation answered beside this one, and which records came and changed between."""
    return compare_generations(warehouse.locate(), question, then, generation)


def generations() -> list[int]:
    """The generations that can be read now, the newest first."""
    return kept_generations(warehouse.locate())


STUDIES: dict[str, Callable[[Connection, date, date], Any]] = {
    "zones": zones.zones,
    "interactions": danger_zone.interactions,
    "charges": danger_zone.charges,
    "channels": danger_zone.channels,
    "fit_matrix": packages.fit_matrix,
    "attainments": packages.attainments,
    "under_served": packages.under_served,
    "over_served": packages.over_served,
}
"""Lists behind the studies of customers: a function of connection, first and last day each. They look at all customers,
whatever is filtered.
"""


@_cached(entries=LISTS_KEPT)
def study(generation: int, name: str, start: date, end: date) -> Any:
    """One of STUDIES."""
    with _reading(generation) as connection:
        return STUDIES[name](connection, start, end)


@_cached(entries=40)
def rungs(generation: int, start: date, end: date, where: Where) -> Ladder:
    """The definition ladder of the orders in view: every one is judged anew three times."""
    with _reading(generation) as connection:
        return definition_ladder(connection, view=View(start, end, _filters(where)))


@_cached(entries=40)
def flips(generation: int, policy: Policy, verdict: str, start: date, end: date, where: Where) -> Diff:
    """The orders in view whose verdict another policy flips."""
    with _reading(generation) as connection:
        return policy_diff(connection, policy, verdict=verdict, view=View(start, end, _filters(where)))


READS: dict[str, Callable[..., Any]] = {
    "bands": communications.notice_buckets,
    "chain": recovery_chain.funnel,
    "curves": lambda connection, asked: recovery.reorder_curves(
        connection,
        start=asked.start,
        end=asked.end,
        where=tuple((dimension_column(name), values) for name, values in asked.where),
    ),
    "died": order_to_cash.late_by_step,
    "day_counts": cycle_time.cycle_day_counts,
    "disputed": two_books.disputed,
    "failing_together": buyers_view.failure_combinations,
    "fill_start": fill_rate_inputs.fill_rate_inputs,
    "longest_standing": order_to_cash.oldest_by_step,
    "promised_day_counts": cycle_time.promised_day_counts,
    "verdicts": two_books.verdicts,
    "worst_products": availability.most_often_short,
}
"""What pages of measures show beside their measures: functions of a connection and a question's days and filters, some
with a page.
"""


@_cached(entries=LISTS_KEPT)
def read(generation: int, name: str, question: Question, **paged: int) -> Any:
    """One of READS."""
    with _reading(generation) as connection:
        return READS[name](connection, question, **paged)


@_cached(entries=LISTS_KEPT)
def nearest_day(generation: int, day: date, where: Where, measure: str | None = None) -> date | None:
    """Return the day nearest to a day that has judged orders, or on which a measure has rows."""
    with _reading(generation) as connection:
        return failures.nearest_day(connection, day, measure=measure, where=where)


def _filters(where: Where) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((name, tuple(values)) for name, values in where)


@_cached(entries=LISTS_KEPT)
def failed_orders(
    generation: int,
    start: date,
    end: date,
    where: Where,
    reasons: tuple[str, ...],
    sort: str,
    page: int,
    size: int,
    among: tuple[str, ...] | None = None,
    but: tuple[str, ...] = (),
    put_right: bool | None = None,
    done: tuple[str, ...] = (),
) -> Listing:
    """One page of the orders that failed."""
    with _reading(generation) as connection:
        view = {
            "start": start,
            "end": end,
            "where": where,
            "reasons": reasons,
            "among": among,
            "but": but,
            "put_right": put_right,
            "done": done,
        }
        return failures.failed_orders(connection, **view, sort=sort, page=page, size=size)


@_cached(entries=LISTS_KEPT)
def at_risk(
    generation: int,
    where: Where,
    sort: str,
    page: int,
    size: int,
    among: tuple[str, ...] | None = None,
    but: tuple[str, ...] = (),
) -> Listing:
    """One page of the orders at risk."""
    with _reading(generation) as connection:
        return risk.at_risk(connection, where=where, among=among, but=but, sort=sort, page=page, size=size)


@_cached(entries=LISTS_KEPT)
def put_right_by(generation: int, order_ids: tuple[str, ...]) -> dict[str, tuple[datetime, datetime | None]]:
    """By when each of these orders is to be settled to count as recovered, and when the feeds say it was."""
    with _reading(generation) as connection:
        return order_story.resolution_deadlines(connection, list(order_ids))


@_cached(entries=LISTS_KEPT)
def failure_reasons(generation: int, start: date, end: date, where: Where) -> list[Row]:
    """Why orders failed, the most frequent reason first."""
    with _reading(generation) as connection:
        return failures.failure_reasons(connection, start=start, end=end, where=where)


@_cached(entries=LISTS_KEPT)
def standing(generation: int, start: date, end: date, where: Where) -> dict[str, int]:
    """How many orders of the period are judged, pending and excluded."""
    with _reading(generation) as connection:
        return failures.order_counts(connection, start=start, end=end, where=where)


@_cached(entries=LISTS_KEPT)
def order_records(generation: int, order_id: str) -> OrderRecords | None:
    """One order with everything known of it."""
    with _reading(generation) as connection:
        return order_story.order_records(connection, order_id)


@_cached(entries=LISTS_KEPT)
def surroundings(generation: int, order_id: str) -> OrderContext:
    """What surrounds one order."""
    with _reading(generation) as connection:
        return order_story.order_context(connection, order_id)


@_cached(entries=LISTS_KEPT)
def not_there(generation: int, order_ids: tuple[str, ...]) -> list[str]:
    """Those of these numbers that no order of the generation has."""
    with _reading(generation) as connection:
        return order_story.missing_orders(connection, list(order_ids))


@_cached(entries=LISTS_KEPT)
def numbered_like(generation: int, text: str) -> list[str]:
    """Order numbers that hold a text."""
    with _reading(generation) as connection:
        return order_story.search_order_ids(connection, text)


@_cached(entries=LISTS_KEPT)
def targets(generation: int, start: date, end: date, where: Where) -> list[Row]:
    """Targets of a view: those that apply on its last day, and that of several segments or customers together."""
    with _reading(generation) as connection:
        return targets_in_view(connection, start=start, end=end, where=where)


@_cached(entries=20)
def frame_facts(generation: int) -> dict[str, Any]:
    """What the frame shows on every page: freshness, extent of the data, stand-ins, feeds, and the values of each
    filter.
    """
    with _reading(generation) as connection:
        return {
            "freshness": data_quality.freshness(connection),
            "extent": options.date_range(connection),
            "stand_ins": data_quality.stand_ins(connection),
            "declared": answer.stand_ins(connection),
            "feeds": data_quality.mapped_feeds(connection),
            "options": {name: options.options(connection, name) for name in DIMENSIONS},
        }


@_cached(entries=LISTS_KEPT)
def ledger(generation: int, name: str, run_id: int | None = None) -> Any:
    """A part of ingest's ledger: a function of `metrics.lists.options` by name, for one run where it takes one."""
    with _reading(generation) as connection:
        function = getattr(data_quality, name)
        return function(connection) if run_id is None else function(connection, run_id)


@_cached(entries=LISTS_KEPT)
def quarantined(
    generation: int, feeds: tuple[str, ...], statuses: tuple[str, ...], rule: str | None, page: int, size: int
) -> Listing:
    """One page of the quarantine."""
    with _reading(generation) as connection:
        return data_quality.quarantined(connection, feeds=feeds, statuses=statuses, rule=rule, page=page, size=size)


@_cached(entries=LISTS_KEPT)
def restated(generation: int, page: int, size: int) -> Listing:
    """One page of the restatements."""
    with _reading(generation) as connection:
        return data_quality.restated_records(connection, page=page, size=size)
