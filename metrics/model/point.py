"""Point, coverage and range of a share. Pure functions; they read no table.

Source: P7 (point, coverage and range), P8 (small numbers).
"""

from metrics.model.question import NO_ROWS, Answer
from metrics.model.statistics import Number, divide, wilson
from metrics.policy import MIN_COVERAGE

INCONCLUSIVE = "inconclusive"
"""Status of a share whose coverage is below `MIN_COVERAGE`. The range of a combined share then replaces its value."""


def share_answer(blank: Answer, true: Number, known: Number, unknown: Number = 0, *, combined: bool = False) -> Answer:
    """Return the answer of a share: the point true / known, its coverage, range and interval.

    known: true and false rows (or units). unknown: rows whose evidence is missing, so that known + unknown is judged.
    Every known failure is in the point, so the point never leaves the range. combined: the AND of several tests. Below
    `MIN_COVERAGE` it has no value, because a failure shows earlier than a pass; its range replaces the value.
    """
    judged = _sum(known, unknown)
    value, coverage, no_data = divide(true, known), divide(known, judged), None
    low, high = wilson(true, known) or (None, None)
    if not judged:
        no_data = blank.no_data or NO_ROWS
    elif value is None or (combined and (coverage or 0.0) < MIN_COVERAGE):
        value = low = high = None
        no_data = inconclusive(coverage or 0.0)
    return Answer(
        blank.dimensions,
        blank.period,
        blank.measure,
        value,
        numerator=true,
        denominator=known,
        coverage=coverage,
        worst=divide(true, judged),
        best=divide(_sum(true, unknown), judged),
        low=low,
        high=high,
        judged=judged,
        unknown=unknown,
        no_data=no_data or blank.no_data,
        remark=blank.remark,
    )


def inconclusive(coverage: float) -> str:
    """Return the reason for a share that is withheld for its coverage."""
    return f"{INCONCLUSIVE}: {coverage:.1%} of the verdicts are known, {MIN_COVERAGE:.0%} needed"


def _sum(one: Number, other: Number) -> Number:
    return one + other  # type: ignore[operator]  # both int, or both Decimal


def range_of(answer: Answer) -> tuple[float, float] | None:
    """Return the lowest and highest possible value of an answer whose range replaces its value, else None."""
    missing = (answer.no_data or "").startswith(("no feed", "no data"))
    if answer.value is not None or answer.worst is None or answer.best is None or missing:
        return None
    return answer.worst, answer.best


def comparable(answer: Answer) -> Answer | None:
    """Return the part of an answer that can be compared with another period; None if there is none.

    It is the complete part of a provisional share. A provisional count has none, because its part is shorter.
    """
    if answer.provisional is None:
        return answer
    return None if answer.denominator is None else answer.provisional.complete


def provisional_note(answer: Answer) -> str | None:
    """Return a note for exports and commands: open rows, last complete day, known rows up to it, range after it."""
    found = answer.provisional
    if found is None:
        return None
    note = f"provisional: {found.open} still inside their {found.window}; evidence is complete through {found.through}"
    complete, later = found.complete, found.later
    if complete is not None and complete.denominator is not None:
        note += f" ({complete.numerator} of {complete.denominator} known)"
    if later is not None and later.worst is not None and later.best is not None:
        note += f", range after it {later.worst:.4f} to {later.best:.4f}"
    return note


def point_of(answer: Answer) -> Number | None:
    """Return the value of an answer, or true / known of a share whose range replaces its value."""
    return answer.value if range_of(answer) is None else divide(answer.numerator, answer.denominator)


def known_amount(answer: Answer) -> Number | None:
    """Return the known part of withheld money: an average of the known rows, or a sum if there is no denominator."""
    return answer.numerator if answer.denominator is None else divide(answer.numerator, answer.denominator)
