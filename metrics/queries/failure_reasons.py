"""The reasons of failure behind a share: each row that failed counts once, under its first reason.

The first reason is that of the first failed test, in the order in which lists show the tests. The share of rows that
passed is 1 minus the shares of all reasons. Therefore the change of the measure is the sum of the changes of these
shares, with the opposite sign.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, case, func, select

from metrics.facts.orders.conditions import SHOWN, VERDICTS
from metrics.measures.catalog import date_column
from metrics.model.measure import Measure, Ratio
from metrics.model.point import share_answer
from metrics.model.question import Answer, Question
from metrics.queries.statements import view_conditions

REASON = "reason"
"""The name of the reasons, in place of a dimension."""
_OTIF = ("on_time", "complete", "otif")
_TESTS: dict[str, Sequence[str]] = {
    **{name: (name,) for name in VERDICTS},
    "otif": _OTIF,
    "perfect_order": SHOWN,
    "on_time_line": ("on_time",),
    "otif_line": _OTIF,
}
"""The tests of each measure whose failures have reasons, in order."""


def has_reasons(measure: Measure) -> bool:
    """Return True if the facts store a reason for each row that fails the measure."""
    return measure.name in _TESTS


def failures_by_reason(
    connection: Connection, measure: Measure, asked: Sequence[tuple[Question, Answer]]
) -> list[dict[str | None, Answer]]:
    """Return for each question and its answer the share of rows that failed, by first reason.

    Numerator: rows that failed for the reason. Denominator: that of the measure. All results have the same reasons; a
    reason without failures in a period has a share of 0.
    """
    counts = [_counts(connection, measure, question) for question, _ in asked]
    reasons = sorted({reason for found in counts for reason in found}, key=str)
    return [
        {
            reason: share_answer(
                Answer({REASON: reason}, None, measure.name, None), found.get(reason, 0), whole.denominator or 0
            )
            for reason in reasons
        }
        for found, (_, whole) in zip(counts, asked, strict=True)
    ]


def _counts(connection: Connection, measure: Measure, question: Question) -> dict[str | None, int]:
    facts, formula = measure.facts, measure.formula
    assert isinstance(formula, Ratio)
    first = case(*[(facts.c[test].is_(False), facts.c[f"{test}_reason"]) for test in _TESTS[measure.name]])
    day = facts.c[date_column(measure, question.date) or measure.date]
    failed = and_(formula.denominator.condition, ~formula.numerator.condition)
    rows = connection.execute(
        select(first, func.count()).where(failed, *view_conditions(facts, day, question)).group_by(first)
    )
    return {reason: int(count) for reason, count in rows}
