"""Answers as a table, for exports and the command line.

The columns after the dimensions are the schema of an export. Its version is in the provenance, so that a file of an
earlier version is verified by its own columns.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import BigInteger, Connection, func, select

from metrics.facts.mapped_columns import mapped
from metrics.measures.catalog import date_column, dimension_column, find
from metrics.model.measure import Measure, Unit
from metrics.model.point import provisional_note
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.queries.statements import conditions_and_keys, unlabelled
from metrics.schema import mapped_columns
from metrics.sql.dialects import Expression, count_if, typed_null
from metrics.sql.exchange_rates import reporting_currency

SCHEMAS: dict[int, tuple[str, ...]] = {
    1: ("measure", "value", "numerator", "denominator", "coverage", "worst", "best"),
    2: (
        "measure",
        "value",
        "numerator",
        "denominator",
        "coverage",
        "worst",
        "best",
        "unknown",
        "pending",
        "excluded",
        "low",
        "high",
        "unit",
        "currency",
    ),
}
"""The columns of each version of an export, after its dimensions and period. A column `note` may follow."""
SCHEMA = 2
"""The present version."""
COLUMNS = SCHEMAS[SCHEMA]

Key = tuple[object, ...]
"""Values of the question's dimensions, and the period."""


@dataclass(frozen=True)
class AnswerTable:
    """The names of the columns, and the rows with a value for each."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]


def answer_table(connection: Connection, question: Question) -> AnswerTable:
    """Return the answers as a table: the dimensions, `period` (with a grain), then COLUMNS.

    Shares and means are doubles; counts and money are exact. If any answer needs one, a column `note` follows: the
    reason for a missing value, its provisional part, and the stand-ins that a source declared.
    """
    return to_table(_completed(connection, question), question, stand_ins(connection))


def stand_ins(connection: Connection) -> tuple[str, ...]:
    """Return the columns that a source fills with something else: "shipments.received_at is ship date"."""
    c = mapped_columns.c
    declared = select(c.feed, c.column_name, c.stands_in_for).where(c.stands_in_for.is_not(None)).distinct()
    return tuple(sorted(f"{feed}.{column} is {what}" for feed, column, what in connection.execute(declared)))


def to_table(answers: Iterable[Answer], question: Question, declared: tuple[str, ...] = ()) -> AnswerTable:
    """Return answers as the table of an export. `period` is the first day of the period."""
    listed = list(answers)
    rows: list[tuple[object, ...]] = [
        (
            *[result.dimensions[name] for name in question.by],
            *([result.period] if question.grain else []),
            *[str(find(result.measure).unit) if name == "unit" else getattr(result, name) for name in COLUMNS],
        )
        for result in listed
    ]
    names = (*question.by, *(["period"] if question.grain else []), *COLUMNS)
    notes = []
    for result in listed:
        remarks = [note for note in (result.no_data, result.remark, provisional_note(result)) if note]
        notes.append("; ".join([*remarks, *declared]) or None)
    if any(notes):
        return AnswerTable((*names, "note"), [(*row, note) for row, note in zip(rows, notes, strict=True)])
    return AnswerTable(names, rows)


def _completed(connection: Connection, question: Question) -> list[Answer]:
    """Return the answers with the pending and excluded rows behind each, and the currency of its money."""
    reporting = reporting_currency(connection, mapped(connection))
    behind: dict[tuple[str, str], dict[Key, tuple[int | None, int | None, str | None]]] = {}
    complete = []
    for result in answer(connection, question):
        measure = find(result.measure)
        source = (measure.facts.name, measure.date)
        if source not in behind:
            behind[source] = _rows_behind(connection, measure, question)
        key = (*result.dimensions.values(), result.period)
        pending, excluded, currency = behind[source].get(key, (None, None, None))
        money = measure.unit is Unit.MONEY and (result.value is not None or result.numerator is not None)
        complete.append(
            replace(result, pending=pending, excluded=excluded, currency=(reporting or currency) if money else None)
        )
    return complete


def _rows_behind(
    connection: Connection, measure: Measure, question: Question
) -> dict[Key, tuple[int | None, int | None, str | None]]:
    """Return the pending rows, the excluded rows and the only currency of each key of the question."""
    facts = measure.facts
    if not all(dimension_column(name) in facts.c for name in (*question.by, *[name for name, _ in question.where])):
        return {}  # a dimension of a study, which is in no table
    dated_by = date_column(measure, question.date)
    if dated_by is None:
        return {}
    conditions, keys = conditions_and_keys(facts, facts.c[dated_by], question)
    counts: list[Expression] = [typed_null(BigInteger()).label("pending"), typed_null(BigInteger()).label("excluded")]
    if "state" in facts.c:
        counts = [count_if(facts.c.state == "pending"), count_if(facts.c.state == "excluded")]
    rows = connection.execute(
        select(*keys, *counts, func.min(facts.c.currency), func.max(facts.c.currency))
        .where(*conditions)
        .group_by(*[unlabelled(key) for key in keys])
    )
    found: dict[Key, tuple[int | None, int | None, str | None]] = {}
    for *values, pending, excluded, first, last in rows:
        key = tuple(values) if question.grain else (*values, None)
        found[key] = (pending, excluded, first if first == last else None)
    return found
