"""Explain a change between two periods by the values of one dimension.

Ratio: a part with weight w and rate r contributes a rate effect, (r1 - r0)·(w0 + w1)/2, and a mix effect, (w1 -
w0)·((r0 + r1)/2 - (R0 + R1)/2). Its weight is w = D_s/D, its rate r = N_s/D_s, and R is the rate of the whole. Over all
parts, the effects add up to the change exactly, because they are fractions of exact numbers. A part that is in one
period only has no rate to compare, so it is all mix.

Total: a part contributes its difference. A measure of other measures is explained as a ratio or as a total, if its
parts add up (customer profit, cost per order).

Reasons of failure (`by` = "reason"): a reason contributes the change of the share of rows that failed for it, with the
opposite sign (`failure_reasons.py`).

Percentile: parts do not add up. For each part, the percentile is computed again with that part's rows of the earlier
period. The difference shows how far the part shifted the percentile.

A period with open rows is provisional. It is named first, and only its complete part is compared. A count of it is not
compared, because its complete part is shorter than the period.

Source: the midpoint decomposition (Bennet).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from sqlalchemy import Connection, and_, or_, select

from metrics.measures.catalog import date_column, dimension_column, find
from metrics.model.measure import Derived, Formula, Measure, Percentile, Ratio, Study, Total
from metrics.model.point import comparable
from metrics.model.question import Answer, Provisional, Question
from metrics.queries.answer import answer
from metrics.queries.failure_reasons import REASON, failures_by_reason, has_reasons

Period = tuple[date, date]
"""First and last day, both inclusive."""

Part = str | None
ROUNDING = Fraction(1, 10**9)
"""Sums of doubles that differ by less than this share are equal."""
PARTS_SHIFTED = 50
"""Maximum number of parts for which a percentile is computed again. Each needs a pass over the rows."""


@dataclass(frozen=True)
class Contribution:
    """One value of the dimension: its answers in both periods and its contribution to the change, in the measure's
    unit.

    mix, rate: of a ratio, mix + rate = effect. shift: of a percentile; shifts do not add up.
    """

    value: Part
    before: Answer | None
    after: Answer | None
    effect: Fraction | None = None
    mix: Fraction | None = None
    rate: Fraction | None = None
    shift: float | None = None


@dataclass(frozen=True)
class Explanation:
    """A measure's change and its parts, largest effect first.

    before, after: the answers compared. adds_up: the effects add up to the change; why_not: the reason why there is no
    change to explain. provisional: a sentence for each provisional period.
    """

    measure: str
    by: str
    before: Answer
    after: Answer
    change: Fraction | None
    parts: tuple[Contribution, ...]
    adds_up: bool
    why_not: str | None = None
    provisional: tuple[str, ...] = ()
    compared: tuple[Period, Period] | None = None
    """The days compared: those asked for, or their complete part."""
    no_sum: str | None = None
    """The reason why the parts do not add up to the whole."""


def explain(
    connection: Connection,
    measure: str,
    *,
    by: str,
    before: Period,
    after: Period,
    where: tuple[tuple[str, tuple[str, ...]], ...] = (),
    date_by: str | None = None,
) -> Explanation:
    """Explain the change of a measure between two periods by one dimension, or by "reason". Raises UnknownName.

    date_by: due, ordered, arrived or shipped; None: the measure's own date.
    """
    definition = find(measure)
    if not (by == REASON and has_reasons(definition)):
        dimension_column(by, definition)
    then = Question((measure,), start=before[0], end=before[1], where=where, date=date_by)
    now = replace(then, start=after[0], end=after[1])
    formula = definition.formula
    (whole_then,), (whole_now,) = answer(connection, then), answer(connection, now)
    named = tuple(
        _named(definition, question, whole.provisional)
        for question, whole in ((then, whole_then), (now, whole_now))
        if whole.provisional is not None
    )
    blank = Explanation(measure, by, whole_then, whole_now, None, (), adds_up=False, provisional=named)
    blank = replace(blank, no_sum=definition.no_sum(by))
    if why := definition.refusal((by,)) or _not_comparable(formula, whole_then, whole_now):
        return replace(blank, why_not=why)
    then, now = _complete(then, whole_then), _complete(now, whole_now)
    blank = replace(blank, before=comparable(whole_then) or whole_then, after=comparable(whole_now) or whole_now)
    blank = replace(blank, compared=((before[0], then.end or before[1]), (after[0], now.end or after[1])))
    whole_then, whole_now = blank.before, blank.after
    if by == REASON:
        asked = ((then, whole_then), (now, whole_now))
        return _of_reasons(blank, *failures_by_reason(connection, definition, asked))
    parts_then, parts_now = (_by_value(answer(connection, replace(question, by=(by,))), by) for question in (then, now))
    if isinstance(formula, Ratio):
        return _of_ratio(blank, parts_then, parts_now, formula.ticks)
    if isinstance(formula, Total):
        return _of_total(blank, parts_then, parts_now)
    if isinstance(formula, Derived | Study) and (found := _of_inputs(blank, parts_then, parts_now)):
        return found
    parts = [
        Contribution(value, parts_then.get(value), parts_now.get(value)) for value in _values(parts_then, parts_now)
    ]
    missing = whole_then.value is None or whole_now.value is None
    change = None if missing else Fraction(whole_now.value or 0) - Fraction(whole_then.value or 0)
    if isinstance(formula, Percentile) and not missing:
        parts = _with_shifts(connection, definition, formula, by, then, now, parts)
    return replace(blank, change=change, parts=tuple(parts), why_not=_missing_value(whole_then, whole_now))


def _named(measure: Measure, question: Question, provisional: Provisional) -> str:
    """Return the sentence that names a provisional period."""
    compared = f"; compared through {provisional.through}" if provisional.complete is not None else ""
    rows = f"{provisional.open} {measure.grain}{'' if provisional.open == 1 else 's'}"
    are = "is still inside its" if provisional.open == 1 else "are still inside their"
    return f"provisional: {rows} of the period {question.start}..{question.end} {are} {provisional.window}{compared}"


def _not_comparable(formula: Formula, then: Answer, now: Answer) -> str | None:
    """Return the reason why provisional periods cannot be compared, or None."""
    for name, whole in (("before", then), ("after", now)):
        if comparable(whole) is None:
            part = "" if isinstance(formula, Ratio) else ", so its value cannot be compared"
            return f"the period {name} is provisional{part or ' as a whole'}; choose an earlier period"
    return None


def _complete(question: Question, whole: Answer) -> Question:
    """Return the question about the complete part of an answer."""
    return question if whole.provisional is None else replace(question, end=whole.provisional.through)


def _of_inputs(blank: Explanation, then: Mapping[Part, Answer], now: Mapping[Part, Answer]) -> Explanation | None:
    """Explain a measure of other measures, as a ratio or as a total, whichever its parts add up to; else None.

    Its sums can be rounded doubles, so they are compared to nine digits.
    """
    wholes = ((blank.before, then), (blank.after, now))
    if all(whole.denominator and _adds_up(whole, parts, _halves) for whole, parts in wholes):
        return _of_ratio(blank, then, now)
    if all(whole.value is not None and _adds_up(whole, parts, _value) for whole, parts in wholes):
        return _of_total(blank, then, now, _value)
    return None


def _adds_up(
    whole: Answer, parts: Mapping[Part, Answer], of: Callable[[Answer | None], tuple[Fraction, Fraction]]
) -> bool:
    """Return True if numbers of the parts add up to those of the whole, apart from rounding."""
    sums = [sum(numbers, Fraction(0)) for numbers in zip(*map(of, parts.values()), strict=True)] or [Fraction(0)] * 2
    return all(
        abs(found - stated) <= ROUNDING * max(Fraction(1), abs(stated))
        for found, stated in zip(sums, of(whole), strict=True)
    )


def _value(result: Answer | None) -> tuple[Fraction, Fraction]:
    return Fraction(result.value or 0) if result else Fraction(0), Fraction(0)


def _by_value(answers: list[Answer], by: str) -> dict[Part, Answer]:
    return {result.dimensions[by]: result for result in answers}


def _values(then: Mapping[Part, Answer], now: Mapping[Part, Answer]) -> list[Part]:
    return sorted({*then, *now}, key=lambda value: (value is None, str(value)))


def _missing_value(then: Answer, now: Answer) -> str | None:
    for when, result in (("before", then), ("after", now)):
        if result.value is None:
            return f"the period {when} has no value: {result.no_data}"
    return None


def _halves(result: Answer | None, ticks: int = 1) -> tuple[Fraction, Fraction]:
    """Return numerator and denominator exactly. A numerator in hours is a rounded double of whole seconds (ticks)."""
    if result is None:
        return Fraction(0), Fraction(0)
    numerator = Fraction(result.numerator or 0)
    if ticks != 1:
        numerator = Fraction(round(numerator * ticks), ticks)
    return numerator, Fraction(result.denominator or 0)


def _of_ratio(
    blank: Explanation, then: Mapping[Part, Answer], now: Mapping[Part, Answer], ticks: int = 1
) -> Explanation:
    n0, d0 = _sums(then, ticks)
    n1, d1 = _sums(now, ticks)
    if why := _missing_value(blank.before, blank.after):
        return replace(blank, why_not=why)
    if not (d0 and d1):
        return blank
    middle = (n0 / d0 + n1 / d1) / 2
    parts = []
    for value in _values(then, now):
        (part_n0, part_d0), (part_n1, part_d1) = (_halves(side.get(value), ticks) for side in (then, now))
        if not any((part_n0, part_d0, part_n1, part_d1)):
            continue
        rate0, rate1 = (n / d if d else None for n, d in ((part_n0, part_d0), (part_n1, part_d1)))
        middle_of_part = (
            (rate0 if rate0 is not None else rate1 or Fraction(0))
            + (rate1 if rate1 is not None else rate0 or Fraction(0))
        ) / 2
        moved = part_d1 / d1 - part_d0 / d0
        mix = moved * (middle_of_part - middle)
        rate = part_n1 / d1 - part_n0 / d0 - moved * middle_of_part
        parts.append(Contribution(value, then.get(value), now.get(value), effect=rate + mix, mix=mix, rate=rate))
    change = n1 / d1 - n0 / d0
    return replace(blank, change=change, parts=_strongest(parts), adds_up=True)


def _of_reasons(blank: Explanation, then: Mapping[Part, Answer], now: Mapping[Part, Answer]) -> Explanation:
    if why := _missing_value(blank.before, blank.after):
        return replace(blank, why_not=why)
    parts = [
        Contribution(reason, then[reason], now[reason], effect=_share(then[reason]) - _share(now[reason]))
        for reason in then
    ]
    change = sum((part.effect or Fraction(0) for part in parts), Fraction(0))
    return replace(blank, change=change, parts=_strongest(parts), adds_up=True)


def _share(result: Answer) -> Fraction:
    numerator, denominator = _halves(result)
    return numerator / denominator


def _sums(parts: Mapping[Part, Answer], ticks: int = 1) -> tuple[Fraction, Fraction]:
    """Return the exact numerator and denominator of all parts together."""
    halves = [_halves(part, ticks) for part in parts.values()]
    return sum((n for n, _ in halves), Fraction(0)), sum((d for _, d in halves), Fraction(0))


def _of_total(
    blank: Explanation,
    then: Mapping[Part, Answer],
    now: Mapping[Part, Answer],
    of: Callable[[Answer | None], tuple[Fraction, Fraction]] = _halves,
) -> Explanation:
    if why := _missing_value(blank.before, blank.after):
        return replace(blank, why_not=why)
    parts = []
    for value in _values(then, now):
        effect = of(now.get(value))[0] - of(then.get(value))[0]
        parts.append(Contribution(value, then.get(value), now.get(value), effect=effect))
    change = sum((part.effect or Fraction(0) for part in parts), Fraction(0))
    return replace(blank, change=change, parts=_strongest(parts), adds_up=True)


def _strongest(parts: list[Contribution]) -> tuple[Contribution, ...]:
    return tuple(sorted(parts, key=lambda part: (-abs(part.effect or Fraction(0)), str(part.value))))


def _with_shifts(
    connection: Connection,
    measure: Measure,
    formula: Percentile,
    by: str,
    then: Question,
    now: Question,
    parts: list[Contribution],
) -> list[Contribution]:
    """Return each part with its shift of the percentile; parts with most rows first."""
    facts = measure.facts
    day, column = facts.c[date_column(measure, now.date) or measure.date], facts.c[dimension_column(by, measure)]
    filters = [facts.c[dimension_column(name, measure)].in_(values) for name, values in now.where]
    in_earlier, in_later = day.between(then.start, then.end), day.between(now.start, now.end)
    after = connection.execute(select(formula.over(facts)).where(in_later, *filters)).scalar_one()
    heaviest = sorted(parts, key=lambda part: -max(_halves(part.before)[1], _halves(part.after)[1]))
    shifted = []
    for part in heaviest[:PARTS_SHIFTED]:
        of_part = column.is_(None) if part.value is None else column == part.value
        others = column.is_not(None) if part.value is None else or_(column != part.value, column.is_(None))
        swapped = select(formula.over(facts)).where(or_(and_(in_later, others), and_(in_earlier, of_part)), *filters)
        value = connection.execute(swapped).scalar_one()
        shifted.append(replace(part, shift=None if value is None or after is None else float(after) - float(value)))
    return shifted + heaviest[PARTS_SHIFTED:]
