"""The one place a SELECT over measures is built: a question in, answers out. Pages, exports, the command line and
alerts all call `answer`.

It takes the smallest table that can answer (`rollup.py`), else the facts. Every answer carries both halves, coverage,
bounds and interval, or the words why there is no number. Source: rules P1 to P9, P13.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

import pandas as pd
from sqlalchemy import Connection, FromClause, Select, Table, and_, cast, func, literal_column, select

from metrics.errors import UnknownName
from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import facts_state, order_facts, order_facts_table, order_line_facts, order_line_facts_table
from metrics.measures.catalog import dimension_column, find
from metrics.model.dimensions import GRAINS
from metrics.model.measure import (
    SNAPSHOT,
    Additive,
    Derived,
    Measure,
    Percentile,
    Ratio,
    Spread,
    Study,
    Survival,
    Total,
    Unit,
    on_table,
)
from metrics.model.question import NO_ROWS, Answer, Ask, Question
from metrics.model.statistics import Number, divide, spread, survival_at, survival_curve, survival_quantile, wilson
from metrics.policy import STRICT, Policy
from metrics.queries.rollups import rollup_column, smallest_rollup
from metrics.schema import mapped_columns
from metrics.sql.dialects import Expression, count_if, period_start

COLUMNS = ("measure", "value", "numerator", "denominator", "coverage", "worst", "best")
"""Columns of an export after its dimensions and period."""


@dataclass(frozen=True)
class _Batch:
    """Measures that one SELECT can answer together: same facts, same date, percentiles apart."""

    facts: Table
    date: str
    percentiles: bool
    measures: list[Measure] = field(default_factory=list)


def answer(connection: Connection, question: Question, *, policy: Policy = STRICT) -> list[Answer]:
    """One answer per measure, period and combination of dimension values, in that order of the question's measures
    after the keys.

    A question without dimensions and grain always gets one answer per measure. Under another policy than the strict one
    every order is judged anew from the records; measures of the ledgers, which stand on the strict verdicts, have no
    answer then. Raises UnknownName for a measure, dimension or grain.
    """
    _check(question)
    found: dict[tuple[Any, ...], dict[str, Answer]] = {}
    for one in _found(connection, question, policy):
        key = (*[one.dimensions[name] for name in question.by], one.period)
        found.setdefault(key, {})[one.measure] = one
    if not question.by and question.grain is None:
        found.setdefault((None,), {})
    known = mapped(connection)
    return [
        found[key].get(name)
        or _missing(
            find(name), dict(zip(question.by, key, strict=False)), key[-1], _unable(find(name), question, known, policy)
        )
        for key in sorted(found, key=lambda key: tuple((part is None, str(part)) for part in key))
        for name in question.measures
    ]


def _found(connection: Connection, question: Question, policy: Policy) -> Iterator[Answer]:
    """Answers of every measure of the question, in no order."""
    known = mapped(connection)
    what_if = {} if policy == STRICT else _what_if(connection, policy)
    asked = dict.fromkeys(question.measures)
    for batch in _batches(question):
        instead = what_if.get(batch.facts.name)
        if what_if and instead is None:
            continue  # answer() says why
        for row in connection.execute(_select(batch, question, instead)).mappings():
            dimensions, period = _key(row, question)
            for measure in batch.measures:
                yield _answer(measure, row, dimensions, period, known)

    def ask(other: Question) -> list[Answer]:
        return answer(connection, other, policy=policy)

    for measure in map(find, asked):
        formula = measure.formula
        if isinstance(formula, Additive | Percentile) or _unable(measure, question, known, policy):
            continue
        if isinstance(formula, Survival):
            yield from _survival(connection, measure, formula, question)
        elif isinstance(formula, Derived):
            yield from _derived(measure, formula, question, ask)
        else:
            yield from formula.work(connection, replace(question, measures=(measure.name,)), ask)


def _key(row: Any, question: Question) -> tuple[dict[str, str | None], date | None]:
    return {name: row[name] for name in question.by}, row["period"] if question.grain else None


def _unable(measure: Measure, question: Question, known: frozenset[str], policy: Policy) -> str | None:
    """Why a measure has no answer to a question at all, whatever the records: no feed, no such break-down, or another
    policy than it stands on.
    """
    if lacking := _lacking(measure, known):
        return lacking
    formula = measure.formula
    judged = measure.facts in (order_facts_table, order_line_facts_table) and not isinstance(formula, Survival | Study)
    if policy != STRICT and not judged and not isinstance(formula, Derived):
        return "no data: judged under the strict policy only"
    if isinstance(formula, Study):
        asked = {*question.by, *[name for name, _ in question.where]}
        if not asked <= set(formula.dimensions) or (question.grain and not formula.periods):
            able = ", ".join((*formula.dimensions, *(["a grain"] if formula.periods else []))) or "anything"
            return f"no data: {measure.name} cannot be broken down by this, only by {able}"
    return None


def _lacking(measure: Measure, known: frozenset[str]) -> str | None:
    """What a measure needs and no source maps, in words."""
    return next((need.words for need in measure.needs if not set(need.any_of) & known), None)


def _survival(connection: Connection, measure: Measure, formula: Survival, question: Question) -> Iterator[Answer]:
    """Kaplan-Meier per group: how many at each duration comes from the engine, the curve is finished here."""
    source: FromClause = measure.facts
    day = source.c[measure.date]
    conditions, keys = _keys(source, day, question)
    duration = on_table(formula.duration, source).label("duration")
    columns = [duration, count_if(formula.happened).label("happened"), func.count().label("there")]
    grouped = [_inside(key) for key in (*keys, duration)]
    rows = select(*keys, *columns).where(*conditions, formula.among, duration.is_not(None)).group_by(*grouped)

    def key(row: Any) -> tuple[Any, ...]:
        return tuple(row[column.name] for column in keys)

    listed = sorted(
        connection.execute(rows).mappings(), key=lambda row: tuple((part is None, str(part)) for part in key(row))
    )
    for _, group in groupby(listed, key=key):
        members = list(group)
        dimensions, period = _key(members[0], question)
        curve = survival_curve((row["duration"], row["happened"], row["there"]) for row in members)
        happened, there = sum(row["happened"] for row in members), sum(row["there"] for row in members)
        blank = Answer(dimensions, period, measure.name, None, numerator=happened, denominator=there)
        if formula.within is not None:
            surviving = survival_at(curve, formula.within)
            if surviving and max(row["duration"] for row in members) < formula.within:
                yield replace(blank, no_data="not known yet: nobody still waiting has been watched long enough")
            else:
                yield replace(blank, value=float(1 - surviving))
            continue
        ticks = survival_quantile(curve, formula.fraction or Decimal("0.5"))
        if ticks is None:
            yield replace(blank, no_data="not reached: too many are still open")
        else:
            yield replace(blank, value=_in_unit(ticks, formula.ticks))


def _derived(measure: Measure, formula: Derived, question: Question, ask: Ask) -> Iterator[Answer]:
    """Other measures' answers, group by group, finished by the measure's own function."""
    groups: dict[tuple[Any, ...], list[Answer]] = {}
    for one in ask(replace(question, measures=formula.inputs)):
        groups.setdefault((*one.dimensions.values(), one.period), []).append(one)
    for members in groups.values():
        result = formula.finish({one.measure: one for one in members})
        first = members[0]
        yield Answer(
            first.dimensions, first.period, measure.name, result.value, numerator=result.numerator, denominator=result.denominator,
            no_data=result.no_data or (NO_ROWS if result.value is None else None), remark=result.remark,
        )  # fmt: skip


def _what_if(connection: Connection, policy: Policy) -> dict[str, FromClause]:
    """The fact tables as they would be under a policy, at the stored facts' own instant."""
    as_of: datetime = connection.execute(select(facts_state.c.as_of)).scalar_one()
    known = mapped(connection)
    return {
        order_line_facts_table.name: order_line_facts(policy, as_of, known).subquery("what_if_lines"),
        order_facts_table.name: order_facts(policy, as_of, known).subquery("what_if_orders"),
    }


def _missing(measure: Measure, dimensions: dict[str, str | None], period: date | None, unable: str | None) -> Answer:
    """A key that the measure has no row for: a total of nothing is 0, everything else has no data, and what cannot be
    asked says why.
    """
    if unable is None and isinstance(measure.formula, Total):
        return Answer(dimensions, period, measure.name, 0, numerator=0)
    return Answer(dimensions, period, measure.name, None, no_data=unable or NO_ROWS)


def frame(connection: Connection, question: Question) -> pd.DataFrame:
    """The answers as a table: the dimensions, `period` (with a grain), then COLUMNS. Shares and means are doubles;
    counts and money exact.

    `note` follows where there is something a reader must know: why there is no value, and stand-ins a source declared
    for what it lacks.
    """
    return to_frame(answer(connection, question), question, stand_ins(connection))


def stand_ins(connection: Connection) -> tuple[str, ...]:
    """What a source fills with something else, as it declared: "shipments.received_at is ship date"."""
    table = mapped_columns.c
    declared = (
        select(table.feed, table.column_name, table.stands_in_for).where(table.stands_in_for.is_not(None)).distinct()
    )
    return tuple(sorted(f"{feed}.{column} is {what}" for feed, column, what in connection.execute(declared)))


def to_frame(answers: Iterable[Answer], question: Question, declared: tuple[str, ...] = ()) -> pd.DataFrame:
    """Answers as the table that exports hold; `period` is the first day of the period."""
    listed = list(answers)
    rows = [
        [
            *[one.dimensions[name] for name in question.by],
            *([one.period] if question.grain else []),
            *[getattr(one, name) for name in COLUMNS],
        ]
        for one in listed
    ]
    names = [*question.by, *(["period"] if question.grain else []), *COLUMNS]
    table = pd.DataFrame(rows, columns=names, dtype=object)
    notes = ["; ".join([*[told for told in (one.no_data, one.remark) if told], *declared]) or None for one in listed]
    if any(notes):
        table["note"] = pd.Series(notes, dtype=object)
    return table


def _check(question: Question) -> None:
    for name in question.measures:
        find(name)
    for name in (*question.by, *[name for name, _ in question.where]):
        for measure in question.measures:
            dimension_column(name, find(measure))
    if question.grain is not None and question.grain not in GRAINS:
        raise UnknownName("grain", question.grain, GRAINS)


def _batches(question: Question) -> list[_Batch]:
    batches: dict[tuple[str, str, bool], _Batch] = {}
    for name in dict.fromkeys(question.measures):
        measure = find(name)
        if not isinstance(measure.formula, Additive | Percentile):
            continue
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
        rollup = smallest_rollup(
            batch.facts, batch.date, dimensions=asked, grain=question.grain, start=question.start, end=question.end
        )
    source: FromClause = facts if facts is not None else batch.facts if rollup is None else rollup.table
    day = source.c[batch.date] if rollup is None else source.c[rollup.periods[0]]
    conditions, keys = _keys(source, day, question, stored=rollup is not None and question.grain in rollup.periods)
    columns: list[Expression] = []
    for measure in batch.measures:
        columns += _parts(measure, source, stored=rollup is not None)
    columns += [func.min(source.c.currency).label("currency_first"), func.max(source.c.currency).label("currency_last")]
    columns.append(func.count().label("rows_found"))
    return (
        select(*keys, *columns).select_from(source).where(and_(*conditions)).group_by(*[_inside(key) for key in keys])
    )


def _keys(
    source: FromClause, day: Expression, question: Question, *, stored: bool = False
) -> tuple[list[Expression], list[Expression]]:
    """The WHERE of a question, and its dimensions and period as labelled columns. stored: the source has the period as
    a column.
    """
    keys: list[Expression] = [source.c[dimension_column(name)].label(name) for name in question.by]
    if question.grain is not None:
        period = source.c[question.grain] if stored else period_start(literal_column(f"'{question.grain}'"), day)
        keys.append(period.label("period"))
    return view_conditions(source, day, question), keys


def view_conditions(source: FromClause, day: Expression, question: Question) -> list[Expression]:
    """The WHERE of a question: which rows of a fact table, dated by `day`, it asks of."""
    conditions: list[Expression] = [day.is_not(None)]
    if day.name != SNAPSHOT:
        conditions += [day >= question.start] if question.start is not None else []
        conditions += [day <= question.end] if question.end is not None else []
    return conditions + [source.c[dimension_column(name)].in_(values) for name, values in question.where]


def _inside(key: Expression) -> Expression:
    """What to group by: a labelled expression itself."""
    return key.element if hasattr(key, "element") else key


def _parts(measure: Measure, source: FromClause, *, stored: bool) -> list[Expression]:
    formula = measure.formula
    if isinstance(formula, Percentile):
        return [
            formula.over(source).label(rollup_column(measure, "value")),
            formula.count().over(source).label(rollup_column(measure, "denominator")),
        ]
    columns: list[Expression] = []
    assert isinstance(formula, Additive)
    for role, part in formula.parts().items():
        name = rollup_column(measure, role)
        if stored:
            kind = source.c[name].type
            columns.append(cast(func.coalesce(func.sum(source.c[name]), 0), kind).label(name))
        else:
            columns.append(part.over(source).label(name))
    return columns


def _answer(
    measure: Measure, row: Any, dimensions: dict[str, str | None], period: date | None, known: frozenset[str]
) -> Answer:
    """One row's answer for one measure: the value is divided here, once, and nowhere else."""
    part = {
        role: row.get(rollup_column(measure, role))
        for role in ("numerator", "denominator", "unknown", "judged", "total", "squares", "value")
    }
    blank = Answer(dimensions, period, measure.name, None)
    lacking = _lacking(measure, known)
    mixed = measure.in_money and "fx_rates.rate" not in known and row["currency_first"] != row["currency_last"]
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
        done = replace(blank, value=_in_unit(part["value"], formula.ticks), denominator=part["denominator"])
    else:
        assert isinstance(formula, Ratio)
        done = _ratio(measure, formula, part, blank)
    if lacking:
        return replace(done, value=None, coverage=done.coverage if done.judged else None, no_data=lacking)
    return done if done.value is not None else replace(done, no_data=done.no_data or NO_ROWS)


def _in_unit(ticks: Number | None, per_unit: int) -> Number | None:
    """A sum or value kept in whole ticks, in the measure's unit."""
    return ticks if per_unit == 1 else divide(ticks, per_unit)


def _ratio(measure: Measure, formula: Ratio, part: dict[str, Any], blank: Answer) -> Answer:
    numerator, denominator = _in_unit(part["numerator"], formula.ticks), part["denominator"]
    value = divide(numerator, denominator)
    if measure.unit is not Unit.SHARE:
        return replace(blank, value=value, numerator=numerator, denominator=denominator)
    interval = wilson(part["numerator"], denominator)
    low, high = interval if interval and measure.formula.__class__ is Ratio else (None, None)
    done = replace(blank, value=value, numerator=numerator, denominator=denominator, low=low, high=high)
    if formula.unknown is None:
        return replace(
            done, coverage=1.0 if denominator else None, worst=value, best=value, judged=denominator, unknown=0
        )
    unknown = part["unknown"]
    total = part["judged"] if formula.judged is not None else denominator + unknown
    coverage, worst, best = divide(total - unknown, total), divide(numerator, total), divide(numerator + unknown, total)
    done = replace(done, coverage=coverage, worst=worst, best=best, judged=total, unknown=unknown)
    if value is not None and worst is not None and best is not None and not worst <= value <= best:
        return replace(
            done,
            value=None,
            no_data="not proven: orders with missing evidence would change it; it lies between the bounds",
        )
    if value is None and total:
        return replace(done, no_data="not proven: no order has all its evidence; it lies between the bounds")
    return done
