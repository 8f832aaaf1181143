"""Build the SELECT of a question: the only place that builds a SELECT over measures.

It reads the smallest rollup that can answer (`rollups.py`), else the fact table.
"""

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from sqlalchemy import (
    FromClause,
    Integer,
    RowMapping,
    Table,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
)

from metrics.measures.catalog import date_column, dimension_column, find
from metrics.model.measure import SNAPSHOT, Additive, Measure, Part, Percentile, Total, on_table
from metrics.model.question import Question
from metrics.queries.rollups import Rollup, rollup_column, smallest_rollup
from metrics.schema import RowValues
from metrics.sql.dialects import Expression, Rows, period_start

PIECE = "piece"


@dataclass(frozen=True)
class Batch:
    """Measures that one SELECT can answer: same fact table and date. Percentiles have a batch of their own."""

    facts: Table
    date: str
    percentiles: bool
    measures: list[Measure] = field(default_factory=list)


def key_of(row: RowMapping | RowValues, question: Question) -> tuple[dict[str, str | None], date | None]:
    """Return the dimension values and the period of a row."""
    return {name: row[name] for name in question.by}, row["period"] if question.grain else None


def batches(question: Question) -> list[Batch]:
    """Group the measures of a question into batches."""
    by_source: dict[tuple[str, str, bool], Batch] = {}
    for name in dict.fromkeys(question.measures):
        measure = find(name)
        if not isinstance(measure.formula, Additive | Percentile):
            continue
        percentiles = isinstance(measure.formula, Percentile)
        day = date_column(measure, question.date)
        if day is None:
            continue  # answer() adds the reason
        key = (measure.facts.name, day, percentiles)
        by_source.setdefault(key, Batch(measure.facts, day, percentiles)).measures.append(measure)
    return list(by_source.values())


def batch_select(
    batch: Batch, question: Question, facts: FromClause | None = None, *, scope: frozenset[str] = frozenset()
) -> Rows:
    """Return the SELECT of a batch: dimensions, period, and each measure's parts as `<measure>__<role>`.

    facts: rejudged facts to read instead of the stored tables. scope: the columns that limit the visible rows.
    """
    if facts is not None:
        return _batch_select(batch, question, facts, None)
    names = tuple(measure.name for measure in batch.measures)
    rollup = _rollup_of(batch, question, scope)
    return _stored_select(batch.facts, batch.date, names, question, rollup, percentiles=batch.percentiles)


def split_select(
    batch: Batch, question: Question, days: tuple[date, ...], *, scope: frozenset[str] = frozenset()
) -> Rows | None:
    """Return the SELECT of a batch with its rows split at some days, if a rollup by day has the answer.

    The column PIECE is the number of the days that have ended before the rows. The sums of all pieces of a key add up
    to its row in `batch_select`.
    """
    rollup = _rollup_of(batch, question, scope)
    if rollup is None or "day" not in rollup.periods:
        return None
    names = tuple(measure.name for measure in batch.measures)
    return _stored_select(batch.facts, batch.date, names, question, rollup, percentiles=False, days=days)


def _rollup_of(batch: Batch, question: Question, scope: frozenset[str]) -> Rollup | None:
    """Return the smallest rollup that answers the question for a batch."""
    stored = all(measure.date == batch.date for measure in batch.measures)  # rollups sum by the measure's own date
    if not stored or batch.percentiles:
        return None
    return smallest_rollup(
        batch.facts,
        batch.date,
        dimensions=(*question.by, *[name for name, _ in question.where]),
        columns=scope,
        grain=question.grain,
        start=question.start,
        end=question.end,
    )


@lru_cache(maxsize=500)  # building the statement takes longer than running it
def _stored_select(
    facts: Table,
    day: str,
    names: tuple[str, ...],
    question: Question,
    rollup: Rollup | None,
    *,
    percentiles: bool,
    days: tuple[date, ...] = (),
) -> Rows:
    return _batch_select(Batch(facts, day, percentiles, [find(name) for name in names]), question, None, rollup, days)


def _batch_select(
    batch: Batch, question: Question, facts: FromClause | None, rollup: Rollup | None, days: tuple[date, ...] = ()
) -> Rows:
    source: FromClause = facts if facts is not None else batch.facts if rollup is None else rollup.table
    day = source.c[batch.date] if rollup is None else source.c[rollup.periods[0]]
    conditions, keys = conditions_and_keys(
        source, day, question, stored=rollup is not None and question.grain in rollup.periods
    )
    if days:
        ended = [(day <= last, place) for place, last in enumerate(days)]
        keys.append(case(*ended, else_=len(days)).label(PIECE))
    columns: list[Expression] = []
    for measure in batch.measures:
        columns += _parts(measure, source, stored=rollup is not None)
    for measure in batch.measures:
        columns += _base_units(measure, source, stored=rollup is not None)
    columns += [func.min(source.c.currency).label("currency_first"), func.max(source.c.currency).label("currency_last")]
    columns.append(func.count().label("rows_found"))
    return (
        select(*keys, *columns)
        .select_from(source)
        .where(and_(*conditions))
        .group_by(*[unlabelled(key) for key in keys])
    )


def conditions_and_keys(
    source: FromClause, day: Expression, question: Question, *, stored: bool = False
) -> tuple[list[Expression], list[Expression]]:
    """Return the WHERE of a question, and its dimensions and period as labelled columns.

    stored: the source has the period as a column.
    """
    keys: list[Expression] = [source.c[dimension_column(name)].label(name) for name in question.by]
    if question.grain is not None:
        period = source.c[question.grain] if stored else period_start(literal_column(f"'{question.grain}'"), day)
        keys.append(period.label("period"))
    return view_conditions(source, day, question), keys


def view_conditions(source: FromClause, day: Expression, question: Question) -> list[Expression]:
    """Return the WHERE of a question over a fact table dated by `day`."""
    conditions: list[Expression] = [day.is_not(None)]
    if day.name != SNAPSHOT:
        conditions += [day >= question.start] if question.start is not None else []
        conditions += [day <= question.end] if question.end is not None else []
    return conditions + [source.c[dimension_column(name)].in_(values) for name, values in question.where]


def unlabelled(key: Expression) -> Expression:
    """Return the expression behind a label, for GROUP BY."""
    return key.element if hasattr(key, "element") else key


def _base_units(measure: Measure, source: FromClause, *, stored: bool) -> list[Expression]:
    """Return the first and the last base unit of the rows that add a quantity to the measure."""
    if not measure.in_base_units:
        return []
    assert isinstance(measure.formula, Additive)
    parts = measure.formula.parts()
    if isinstance(measure.formula, Total):
        parts = {"numerator": parts["numerator"]}  # its other parts count rows
    if stored:
        adds = or_(*[source.c[rollup_column(measure, role)] != literal(0, Integer) for role in parts])
    else:
        adds = on_table(or_(*[_adds(part) for part in parts.values()]), source)
    unit = case((adds, source.c.base_unit), else_=None)
    return [
        func.min(unit).label(rollup_column(measure, "unit_first")),
        func.max(unit).label(rollup_column(measure, "unit_last")),
    ]


def _adds(part: Part) -> Expression:
    return part.condition if part.amount is None else and_(part.condition, part.amount != literal(0, Integer))


def _parts(measure: Measure, source: FromClause, *, stored: bool) -> list[Expression]:
    formula = measure.formula
    if isinstance(formula, Percentile):
        return [
            formula.over(source).label(rollup_column(measure, "value")),
            formula.count().over(source).label(rollup_column(measure, "denominator")),
        ]
    columns: list[Expression] = []
    assert isinstance(formula, Additive)
    for role, part in measure.parts.items():
        name = rollup_column(measure, role)
        if stored:
            kind = source.c[name].type
            columns.append(cast(func.coalesce(func.sum(source.c[name]), 0), kind).label(name))
        else:
            columns.append(part.over(source).label(name))
    return columns
