"""Answers as a data frame, for exports and the command line."""

from collections.abc import Iterable

import pandas as pd
from sqlalchemy import Connection, select

from metrics.model.point import provisional_note
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.schema import mapped_columns

COLUMNS = ("measure", "value", "numerator", "denominator", "coverage", "worst", "best")
"""Columns of an export after its dimensions and period."""


def frame(connection: Connection, question: Question) -> pd.DataFrame:
    """Return the answers as a data frame: the dimensions, `period` (with a grain), then COLUMNS.

    Shares and means are doubles; counts and money are exact. If any answer needs one, a column `note` follows: the
    reason for a missing value, its provisional part, and the stand-ins that a source declared.
    """
    return to_frame(answer(connection, question), question, stand_ins(connection))


def stand_ins(connection: Connection) -> tuple[str, ...]:
    """Return the columns that a source fills with something else: "shipments.received_at is ship date"."""
    c = mapped_columns.c
    declared = select(c.feed, c.column_name, c.stands_in_for).where(c.stands_in_for.is_not(None)).distinct()
    return tuple(sorted(f"{feed}.{column} is {what}" for feed, column, what in connection.execute(declared)))


def to_frame(answers: Iterable[Answer], question: Question, declared: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return answers as the data frame of an export. `period` is the first day of the period."""
    listed = list(answers)
    rows = [
        [
            *[result.dimensions[name] for name in question.by],
            *([result.period] if question.grain else []),
            *[getattr(result, name) for name in COLUMNS],
        ]
        for result in listed
    ]
    names = [*question.by, *(["period"] if question.grain else []), *COLUMNS]
    table = pd.DataFrame(rows, columns=names, dtype=object)
    notes = []
    for result in listed:
        told = [note for note in (result.no_data, result.remark, provisional_note(result)) if note]
        notes.append("; ".join([*told, *declared]) or None)
    if any(notes):
        table["note"] = pd.Series(notes, dtype=object)
    return table
