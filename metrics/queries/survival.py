"""Answer survival measures: the share that has happened within a time, or the time by which a share has happened."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import groupby

from sqlalchemy import Connection, FromClause, RowMapping, func, select

from metrics.measures.catalog import date_column
from metrics.model.measure import Measure, Survival, on_table
from metrics.model.question import Answer, Question
from metrics.model.statistics import survival_at, survival_curve, survival_quantile
from metrics.queries.division import in_unit
from metrics.queries.statements import conditions_and_keys, key_of, unlabelled
from metrics.sql.dialects import count_if


def survival_answers(
    connection: Connection, measure: Measure, formula: Survival, question: Question
) -> Iterator[Answer]:
    """Yield the Kaplan-Meier answers of a measure, one per group.

    The database counts rows per duration; the curve is computed here.
    """
    source: FromClause = measure.facts
    dated = date_column(measure, question.date)
    assert dated is not None
    day = source.c[dated]
    conditions, keys = conditions_and_keys(source, day, question)
    duration = on_table(formula.duration, source).label("duration")
    columns = [duration, count_if(formula.happened).label("happened"), func.count().label("there")]
    grouped = [unlabelled(key) for key in (*keys, duration)]
    rows = select(*keys, *columns).where(*conditions, formula.among, duration.is_not(None)).group_by(*grouped)

    def key(row: RowMapping) -> tuple[object, ...]:
        return tuple(row[column.name] for column in keys)

    listed = sorted(
        connection.execute(rows).mappings(), key=lambda row: tuple((part is None, str(part)) for part in key(row))
    )
    for _, group in groupby(listed, key=key):
        members = list(group)
        dimensions, period = key_of(members[0], question)
        curve = survival_curve((row["duration"], row["happened"], row["there"]) for row in members)
        happened, at_duration = sum(row["happened"] for row in members), sum(row["there"] for row in members)
        blank = Answer(dimensions, period, measure.name, None, numerator=happened, denominator=at_duration)
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
            yield replace(blank, value=in_unit(ticks, formula.ticks))
