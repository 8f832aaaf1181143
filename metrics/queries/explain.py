"""Why a number moved between two periods, part by part of a dimension.

A ratio N/D of parts s with weight w = D_s/D and rate r = N_s/D_s moves by a *rate* part, (r1 - r0)·(w0 + w1)/2, the
parts having become better or worse, and a *mix* part, (w1 - w0)·((r0 + r1)/2 - (R0 + R1)/2), more or less of them being
in it, with R the whole's rate. Over all parts the two add up to the change exactly; the sums are fractions of the exact
halves. A part that is in one period alone has no rate to compare: it is all mix. A total moves by its parts'
differences. A percentile has no parts that add up: for each part it is taken again with that part's rows of the period
before in place of its rows of the period after, which tells how far that population shifted it. Source: design, product
(an explanation of a change that adds up exactly); the midpoint decomposition (Bennet).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from sqlalchemy import Connection, and_, or_, select

from metrics.measures.catalog import dimension_column, find
from metrics.model.measure import Measure, Percentile, Ratio, Total
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer

Period = tuple[date, date]
"""First and last day, both inclusive."""

Part = str | None
PARTS_SHIFTED = 50
"""Parts a percentile is taken again for: each needs a pass over the rows."""


@dataclass(frozen=True)
class Contribution:
    """One value of the dimension: its answers in both periods, and what it adds to the change of the whole, in the
    measure's unit.

    mix and rate: of a ratio, with mix + rate = effect. shift: of a percentile, which does not add up.
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
    """A measure's change and its parts, the strongest first.

    adds_up: whether the effects sum to the change; why_not: why there is no change to explain.
    """

    measure: str
    by: str
    before: Answer
    after: Answer
    change: Fraction | None
    parts: tuple[Contribution, ...]
    adds_up: bool
    why_not: str | None = None


def explain(
    connection: Connection,
    measure: str,
    *,
    by: str,
    before: Period,
    after: Period,
    where: tuple[tuple[str, tuple[str, ...]], ...] = (),
) -> Explanation:
    """Why `measure` differs between two periods of its own date, by the values of one dimension. Raises UnknownName."""
    found = find(measure)
    dimension_column(by, found)
    then = Question((measure,), start=before[0], end=before[1], where=where)
    now = replace(then, start=after[0], end=after[1])
    (whole_then,), (whole_now,) = answer(connection, then), answer(connection, now)
    parts_then, parts_now = (_by_value(answer(connection, replace(asked, by=(by,))), by) for asked in (then, now))
    blank = Explanation(measure, by, whole_then, whole_now, None, (), adds_up=False)
    formula = found.formula
    if isinstance(formula, Ratio):
        return _of_ratio(blank, parts_then, parts_now)
    if isinstance(formula, Total):
        return _of_total(blank, parts_then, parts_now)
    parts = [
        Contribution(value, parts_then.get(value), parts_now.get(value)) for value in _values(parts_then, parts_now)
    ]
    missing = whole_then.value is None or whole_now.value is None
    change = None if missing else Fraction(whole_now.value or 0) - Fraction(whole_then.value or 0)
    if isinstance(formula, Percentile) and not missing:
        parts = _shifted(connection, found, formula, by, then, now, parts)
    return replace(blank, change=change, parts=tuple(parts), why_not=_absent(whole_then, whole_now))


def _by_value(answers: list[Answer], by: str) -> dict[Part, Answer]:
    return {one.dimensions[by]: one for one in answers}


def _values(then: Mapping[Part, Answer], now: Mapping[Part, Answer]) -> list[Part]:
    return sorted({*then, *now}, key=lambda value: (value is None, str(value)))


def _absent(then: Answer, now: Answer) -> str | None:
    for when, one in (("before", then), ("after", now)):
        if one.value is None:
            return f"the period {when} has no value: {one.no_data}"
    return None


def _halves(one: Answer | None) -> tuple[Fraction, Fraction]:
    if one is None:
        return Fraction(0), Fraction(0)
    return Fraction(one.numerator or 0), Fraction(one.denominator or 0)


def _of_ratio(blank: Explanation, then: Mapping[Part, Answer], now: Mapping[Part, Answer]) -> Explanation:
    n0, d0 = _halves(blank.before)
    n1, d1 = _halves(blank.after)
    if not d0 or not d1:
        return replace(blank, why_not=_absent(blank.before, blank.after))
    middle = (n0 / d0 + n1 / d1) / 2
    parts = []
    for value in _values(then, now):
        (part_n0, part_d0), (part_n1, part_d1) = _halves(then.get(value)), _halves(now.get(value))
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
    return replace(
        blank, change=change, parts=_strongest(parts), adds_up=True, why_not=_absent(blank.before, blank.after)
    )


def _of_total(blank: Explanation, then: Mapping[Part, Answer], now: Mapping[Part, Answer]) -> Explanation:
    if why := _absent(blank.before, blank.after):
        return replace(blank, why_not=why)
    parts = []
    for value in _values(then, now):
        effect = _halves(now.get(value))[0] - _halves(then.get(value))[0]
        parts.append(Contribution(value, then.get(value), now.get(value), effect=effect))
    change = _halves(blank.after)[0] - _halves(blank.before)[0]
    return replace(blank, change=change, parts=_strongest(parts), adds_up=True)


def _strongest(parts: list[Contribution]) -> tuple[Contribution, ...]:
    return tuple(sorted(parts, key=lambda part: (-abs(part.effect or Fraction(0)), str(part.value))))


def _shifted(
    connection: Connection,
    measure: Measure,
    formula: Percentile,
    by: str,
    then: Question,
    now: Question,
    parts: list[Contribution],
) -> list[Contribution]:
    """Each part with how far the percentile moved because its rows are now other ones; parts with most rows first."""
    facts = measure.facts
    day, column = facts.c[measure.date], facts.c[dimension_column(by, measure)]
    inside = [facts.c[dimension_column(name, measure)].in_(values) for name, values in now.where]
    formerly, lately = day.between(then.start, then.end), day.between(now.start, now.end)
    after = connection.execute(select(formula.over(facts)).where(lately, *inside)).scalar_one()
    heaviest = sorted(parts, key=lambda part: -max(_halves(part.before)[1], _halves(part.after)[1]))
    found = []
    for part in heaviest[:PARTS_SHIFTED]:
        mine = column.is_(None) if part.value is None else column == part.value
        others = column.is_not(None) if part.value is None else or_(column != part.value, column.is_(None))
        swapped = select(formula.over(facts)).where(or_(and_(lately, others), and_(formerly, mine)), *inside)
        value = connection.execute(swapped).scalar_one()
        found.append(replace(part, shift=None if value is None or after is None else float(after) - float(value)))
    return found + heaviest[PARTS_SHIFTED:]
