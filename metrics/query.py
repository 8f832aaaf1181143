"""The one place a SELECT over measures is built: a question in, answers out. Pages, exports, the command line and alerts all call `answer`.

It takes the smallest table that can answer (`rollup.py`), else the facts. Every answer carries both halves, coverage, bounds and interval, or
the words why there is no number. Source: rules P1 to P9, P13.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, FromClause, Select, Table, and_, cast, func, literal_column, select

from metrics.catalog import DIMENSIONS, GRAINS, MEASURES, dimension_column, find
from metrics.errors import UnknownName
from metrics.facts import facts_state, order_facts, order_facts_table, order_line_facts, order_line_facts_table
from metrics.measure import Measure, Number, Percentile, Ratio, Spread, Total, Unit, divide, spread, wilson
from metrics.policy import STRICT, Policy
from metrics.rollup import column_of, smallest
from metrics.schema import mapped_columns
from metrics.sqltools import Expression, period_start

NO_ROWS = "no data: nothing in this period and selection"


@dataclass(frozen=True)
class Question:
    """Which measures, by what, when and for whom. `start` and `end` are inclusive days of each measure's own date."""

    measures: tuple[str, ...]
    by: tuple[str, ...] = ()
    grain: str | None = None
    start: date | None = None
    end: date | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Answer:
    """One number and all that travels with it. For a share: numerator / denominator = value; shares are 0 to 1.

    judged: rows (or units) that were to be judged; unknown: those whose evidence is missing; low, high: 95 % Wilson interval;
    no_data: why there is no value.
    """

    dimensions: dict[str, str | None]
    period: date | None
    measure: str
    value: Number | None
    numerator: Number | None = None
    denominator: Number | None = None
    coverage: float | None = None
    worst: float | None = None
    best: float | None = None
    low: float | None = None
    high: float | None = None
    judged: Number | None = None
    unknown: Number | None = None
    no_data: str | None = None


COLUMNS = ("measure", "value", "numerator", "denominator", "coverage", "worst", "best")
"""Columns of an export after its dimensions and period."""


@dataclass(frozen=True)
class _Batch:
    """Measures that one SELECT can answer together: same facts, same date, percentiles apart."""

    facts: Table
    date: str
    percentiles: bool
    measures: list[Measure] = field(default_factory=list)


def mapped(connection: Connection) -> frozenset[str]:
    """Every "feed.column" some source maps."""
    return frozenset(f"{feed}.{column}" for feed, column in connection.execute(select(mapped_columns.c.feed, mapped_columns.c.column_name)))


def answer(connection: Connection, question: Question, *, policy: Policy = STRICT) -> list[Answer]:
    """One answer per measure, period and combination of dimension values, in that order of the question's measures after the keys.

    A question without dimensions and grain always gets one answer per measure. Under another policy than the strict one every order is judged
    anew from the records. Raises UnknownName for a measure, dimension or grain.
    """
    _check(question)
    what_if = {} if policy == STRICT else _what_if(connection, policy)
    found: dict[tuple[Any, ...], dict[str, Answer]] = {}
    known = mapped(connection)
    for batch in _batches(question):
        for row in connection.execute(_select(batch, question, what_if.get(batch.facts.name))).mappings():
            key = (*[row[name] for name in question.by], row["period"] if question.grain else None)
            for measure in batch.measures:
                one = _answer(measure, row, dict(zip(question.by, key, strict=False)), key[-1], known)
                found.setdefault(key, {})[measure.name] = one
    return [
        found[key].get(name) or _missing(name, dict(zip(question.by, key, strict=False)), key[-1])
        for key in sorted(found, key=lambda key: tuple((part is None, str(part)) for part in key))
        for name in question.measures
    ]


def _what_if(connection: Connection, policy: Policy) -> dict[str, FromClause]:
    """The fact tables as they would be under a policy, at the stored facts' own instant."""
    as_of: datetime = connection.execute(select(facts_state.c.as_of)).scalar_one()
    known = mapped(connection)
    return {
        order_line_facts_table.name: order_line_facts(policy, as_of, known).subquery("what_if_lines"),
        order_facts_table.name: order_facts(policy, as_of, known).subquery("what_if_orders"),
    }


def _missing(name: str, dimensions: dict[str, str | None], period: date | None) -> Answer:
    """A key that only other measures of the question know: a total of nothing is 0, everything else has no data."""
    if isinstance(MEASURES[name].formula, Total):
        return Answer(dimensions, period, name, 0, numerator=0)
    return Answer(dimensions, period, name, None, no_data=NO_ROWS)


def frame(connection: Connection, question: Question) -> pd.DataFrame:
    """The answers as a table: the dimensions, `period` (with a grain), then COLUMNS. Shares and means are doubles; counts and money exact.

    `note` follows where there is something a reader must know: why there is no value, and stand-ins a source declared for what it lacks.
    """
    return to_frame(answer(connection, question), question, stand_ins(connection))


def stand_ins(connection: Connection) -> tuple[str, ...]:
    """What a source fills with something else, as it declared: "shipments.received_at is ship date"."""
    table = mapped_columns.c
    declared = select(table.feed, table.column_name, table.stands_in_for).where(table.stands_in_for.is_not(None)).distinct()
    return tuple(sorted(f"{feed}.{column} is {what}" for feed, column, what in connection.execute(declared)))


def to_frame(answers: Iterable[Answer], question: Question, declared: tuple[str, ...] = ()) -> pd.DataFrame:
    """Answers as the table that exports hold; `period` is the first day of the period."""
    listed = list(answers)
    rows = [
        [*[one.dimensions[name] for name in question.by], *([one.period] if question.grain else []), *[getattr(one, name) for name in COLUMNS]]
        for one in listed
    ]
    names = [*question.by, *(["period"] if question.grain else []), *COLUMNS]
    table = pd.DataFrame(rows, columns=names, dtype=object)
    notes = ["; ".join([*([one.no_data] if one.no_data else []), *declared]) or None for one in listed]
    if any(notes):
        table["note"] = pd.Series(notes, dtype=object)
    return table


def _check(question: Question) -> None:
    for name in question.measures:
        find(name)
    for name in (*question.by, *[name for name, _ in question.where]):
        dimension_column(name)
    if question.grain is not None and question.grain not in GRAINS:
        raise UnknownName("grain", question.grain, GRAINS)


def _batches(question: Question) -> list[_Batch]:
    batches: dict[tuple[str, str, bool], _Batch] = {}
    for name in dict.fromkeys(question.measures):
        measure = find(name)
        percentiles = isinstance(measure.formula, Percentile)
        key = (measure.facts.name, measure.date, percentiles)
        batches.setdefault(key, _Batch(measure.facts, measure.date, percentiles)).measures.append(measure)
    return list(batches.values())


def _select(batch: _Batch, question: Question, facts: FromClause | None = None) -> Select[tuple[Any, ...]]:
    """The SELECT of a batch: the dimensions, period, and each measure's parts as `<measure>__<role>`.

    facts: what to ask instead of the stored tables (a what-if's SELECT).
    """
    asked = (*question.by, *[name for name, _ in question.where])
    rollup = None
    if facts is None and not batch.percentiles:
        rollup = smallest(batch.facts, batch.date, dimensions=asked, grain=question.grain, start=question.start, end=question.end)
    source: FromClause = facts if facts is not None else batch.facts if rollup is None else rollup.table
    day = source.c[batch.date] if rollup is None else source.c[rollup.periods[0]]
    conditions: list[Expression] = [day.is_not(None)]
    if question.start is not None:
        conditions.append(day >= question.start)
    if question.end is not None:
        conditions.append(day <= question.end)
    conditions += [source.c[DIMENSIONS[name]].in_(values) for name, values in question.where]
    dimensions = [source.c[DIMENSIONS[name]].label(name) for name in question.by]
    keys: list[Expression] = list(dimensions)
    if question.grain is not None:
        stored = rollup is not None and question.grain in rollup.periods
        period = source.c[question.grain] if stored else period_start(literal_column(f"'{question.grain}'"), day)
        keys.append(period.label("period"))
    columns: list[Expression] = []
    for measure in batch.measures:
        columns += _parts(measure, source, stored=rollup is not None)
    columns += [func.min(source.c.currency).label("currency_first"), func.max(source.c.currency).label("currency_last")]
    columns.append(func.count().label("rows_found"))
    grouped = [key.element if hasattr(key, "element") else key for key in keys]
    return select(*keys, *columns).select_from(source).where(and_(*conditions)).group_by(*grouped)


def _parts(measure: Measure, source: FromClause, *, stored: bool) -> list[Expression]:
    formula = measure.formula
    if isinstance(formula, Percentile):
        return [
            formula.over(source).label(column_of(measure, "value")),
            formula.count().over(source).label(column_of(measure, "denominator")),
        ]
    columns: list[Expression] = []
    for role, part in formula.parts().items():
        name = column_of(measure, role)
        if stored:
            kind = source.c[name].type
            columns.append(cast(func.coalesce(func.sum(source.c[name]), 0), kind).label(name))
        else:
            columns.append(part.over(source).label(name))
    return columns


def _answer(measure: Measure, row: Any, dimensions: dict[str, str | None], period: date | None, known: frozenset[str]) -> Answer:
    """One row's answer for one measure: the value is divided here, once, and nowhere else."""
    part = {role: row.get(column_of(measure, role)) for role in ("numerator", "denominator", "unknown", "judged", "total", "squares", "value")}
    blank = Answer(dimensions, period, measure.name, None)
    lacking = next((need.words for need in measure.needs if not set(need.any_of) & known), None)
    mixed = measure.in_money and row["currency_first"] != row["currency_last"]
    if mixed:
        return replace(blank, no_data="no data: more than one currency and no fx_rates feed; filter by currency")
    formula = measure.formula
    if isinstance(formula, Total):
        done = replace(blank, value=part["numerator"], numerator=part["numerator"])
    elif isinstance(formula, Spread):
        done = replace(
            blank, denominator=part["denominator"],
            value=spread(part["denominator"], part["total"], part["squares"], relative=formula.relative),
        )  # fmt: skip
    elif isinstance(formula, Percentile):
        done = replace(blank, value=part["value"], denominator=part["denominator"])
    else:
        done = _ratio(measure, formula, part, blank)
    if lacking:
        return replace(done, value=None, coverage=done.coverage if done.judged else None, no_data=lacking)
    return done if done.value is not None else replace(done, no_data=done.no_data or NO_ROWS)


def _ratio(measure: Measure, formula: Ratio, part: dict[str, Any], blank: Answer) -> Answer:
    numerator, denominator = part["numerator"], part["denominator"]
    value = divide(numerator, denominator)
    if measure.unit is not Unit.SHARE:
        return replace(blank, value=value, numerator=numerator, denominator=denominator)
    interval = wilson(numerator, denominator)
    low, high = interval if interval and measure.formula.__class__ is Ratio else (None, None)
    done = replace(blank, value=value, numerator=numerator, denominator=denominator, low=low, high=high)
    if formula.unknown is None:
        return replace(done, coverage=1.0 if denominator else None, worst=value, best=value, judged=denominator, unknown=0)
    unknown = part["unknown"]
    total = part["judged"] if formula.judged is not None else denominator + unknown
    coverage, worst, best = divide(total - unknown, total), divide(numerator, total), divide(numerator + unknown, total)
    done = replace(done, coverage=coverage, worst=worst, best=best, judged=total, unknown=unknown)
    if value is not None and worst is not None and best is not None and not worst <= value <= best:
        return replace(done, value=None, no_data="not proven: orders with missing evidence would change it; it lies between the bounds")
    if value is None and total:
        return replace(done, no_data="not proven: no order has all its evidence; it lies between the bounds")
    return done


def days_with_data(connection: Connection) -> tuple[date | None, date | None]:
    """First and last day on which an order was due."""
    day = order_facts_table.c.due_day
    first, last = connection.execute(select(func.min(day), func.max(day))).one()
    return first, last


def dimension_values(connection: Connection, name: str) -> Sequence[str]:
    """Every value of a dimension in the order facts, sorted."""
    column = order_facts_table.c[dimension_column(name)]
    return sorted(connection.scalars(select(column).where(column.is_not(None)).distinct()))
