"""The rows behind a number, and the proof: they add up to it. Built from the formula's own expressions, so that list
and number cannot drift.

A total has its rows, a ratio those counted, those it is out of, the rest of them (out of, not counted) and those whose
evidence is missing. A percentile has the rows with a value (out of) and those at or below it (counted), the largest
being the number; a spread the rows it is worked out from again; a survival all who wait (out of) and those it happened
to (counted). What is made of other measures says of which, and they have rows. Source: rules P9.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    case,
    false,
    func,
    literal,
    not_,
    select,
)
from sqlalchemy.sql import visitors

from metrics.errors import UnknownName
from metrics.measures.catalog import BY_MODULE, dimension_column, find
from metrics.model.measure import Derived, Measure, Part, Percentile, Ratio, Spread, Study, Survival, Total, Unit
from metrics.model.question import Answer, Question
from metrics.model.statistics import Number, divide, spread
from metrics.queries.answer import answer
from metrics.queries.statements import view_conditions
from metrics.sql.dialects import Expression

At = tuple[tuple[str, str | None], ...]
"""Values of dimensions a number is narrowed to beside the question's filters; None: empty in the data."""

COUNTED, OUT_OF, REST, UNKNOWN = "counted", "out_of", "rest", "unknown"
PARTS = (COUNTED, OUT_OF, REST, UNKNOWN)

ADDED = "adds"
"""The column of a list that holds what each row brings to the number; where there is none, each row counts as one."""

OWN = ("line_no", "option_no", "return_line_no", "step")
"""Columns that name a row together with those that end in `_id`."""
ABOUT = ("customer_name", "customer_id", "segment", "product_id", "policy_id")
"""Columns that say of whom or what a row is."""

MADE_OF = {
    "zones": ("net_sales_value", "cost_to_serve", "customer_profit"),
    "danger_zone": ("net_sales_value", "cost_to_serve", "customer_profit", "cost_to_serve_order"),
    "ordering_behaviour": ("cost_to_serve", "orders"),
    "packages": ("net_sales_value", "cost_to_serve", "cycle_days", "complete", "on_time"),
    "safety_stock": ("cycle_days", "cycle_sd", "ordered_units"),
    "profitability": ("documents_without_rate",),
}
"""The measures that a module's studies rest on, of those studies that read the records themselves instead of asking for
other measures.
"""


@dataclass(frozen=True)
class PartTotal:
    """The rows of one part of a formula: which they are, what each brings, and how they come to the number.

    sums: aggregates over the rows; `finish` makes the number of them, `of` takes the same number from the answer.
    """

    rows: Expression
    amount: Expression | None
    sums: tuple[Expression, ...]
    of: Callable[[Answer], Number | None]
    finish: Callable[..., Number | None] = lambda one: one


@dataclass(frozen=True)
class DrillDown:
    """One page of the rows behind a part of a number.

    number: what the answer says; adds_up: what the rows come to; both None where the answer has none. columns: what the
    rows have, in the order to show them; `adds` among them is what each row brings. made_of: for a measure without rows
    of its own, the measures it is made of.
    """

    measure: str
    part: str
    answer: Answer
    number: Number | None = None
    adds_up: Number | None = None
    total: int = 0
    columns: tuple[str, ...] = ()
    rows: list[dict[str, Any]] = field(default_factory=list)
    made_of: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether the rows come to the very number."""
        return self.number is not None and self.number == self.adds_up


def drillable_parts(measure: Measure) -> tuple[str, ...]:
    """The parts of a measure that have rows, in PARTS' order; none where it is made of other measures."""
    formula = measure.formula
    if isinstance(formula, Derived | Study):
        return ()
    if isinstance(formula, Total):
        return (COUNTED,)
    if not isinstance(formula, Ratio):
        return (COUNTED, OUT_OF)
    return (
        COUNTED,
        OUT_OF,
        *((REST,) if measure.unit is Unit.SHARE else ()),
        *((UNKNOWN,) if formula.unknown is not None else ()),
    )


def drill_down(
    connection: Connection, question: Question, part: str = COUNTED, *, at: At = (), page: int = 1, size: int = 25
) -> DrillDown:
    """The rows behind the one measure of a question without dimensions, those that bring most first; `size` 0: no rows,
    the proof alone.

    Raises UnknownName for a measure, a dimension or a part that there is not.
    """
    measure, narrowed, inside = _narrowed(question, at)
    found = DrillDown(measure.name, part, _answer(connection, narrowed, at))
    if not drillable_parts(measure):
        return replace(found, made_of=inputs(connection, narrowed))
    cut = _cut(connection, measure, part, inside)
    listed = select(*_columns(measure, cut)).where(*inside, cut.rows)
    total, *sums = connection.execute(
        select(func.count(), *cut.sums).select_from(measure.facts).where(*inside, cut.rows)
    ).one()
    number = cut.of(found.answer)
    return replace(
        found,
        number=number,
        adds_up=None if number is None else cut.finish(*sums),
        total=int(total),
        columns=tuple(column.name for column in listed.selected_columns),
        rows=[
            dict(row)
            for row in connection.execute(_sorted(listed, measure).limit(size).offset((page - 1) * size)).mappings()
        ]
        if size
        else [],
    )


def all_rows(connection: Connection, question: Question, part: str = COUNTED, *, at: At = ()) -> list[tuple[Any, ...]]:
    """Return the whole list for a file; the first row has the names of the columns."""
    measure, _, inside = _narrowed(question, at)
    cut = _cut(connection, measure, part, inside)
    listed = _sorted(select(*_columns(measure, cut)).where(*inside, cut.rows), measure)
    names = tuple(column.name for column in listed.selected_columns)
    return [names, *(tuple(row) for row in connection.execute(listed))]


def inputs(connection: Connection, question: Question) -> tuple[str, ...]:
    """The measures a measure without rows is made of: what it asks for, and where it reads the records itself, what its
    module names.
    """
    measure = find(question.measures[0])
    if isinstance(measure.formula, Derived):
        return measure.formula.inputs
    assert isinstance(measure.formula, Study)
    asked: list[str] = []

    def ask(other: Question) -> list[Answer]:
        asked.extend(other.measures)
        return answer(connection, other)

    measure.formula.work(connection, question, ask)
    module = next(name for name, measures in BY_MODULE.items() if measure in measures)
    return tuple(dict.fromkeys(asked or MADE_OF[module]))


def _narrowed(question: Question, at: At) -> tuple[Measure, Question, list[ColumnElement[bool]]]:
    """The measure, the question with the values of `at` among its filters, and all of it as conditions on the measure's
    facts.
    """
    measure = find(question.measures[0])
    given = tuple((name, (value,)) for name, value in at if value is not None)
    narrowed = replace(question, measures=question.measures[:1], where=(*question.where, *given))
    empty = [name for name, value in at if value is None]
    if isinstance(measure.formula, Derived | Study):
        return measure, narrowed, []
    for name, _ in (*narrowed.where, *at):
        dimension_column(name, measure)
    nothing = [measure.facts.c[dimension_column(name, measure)].is_(None) for name in empty]
    return measure, narrowed, [*view_conditions(measure.facts, measure.facts.c[measure.date], narrowed), *nothing]


def _answer(connection: Connection, narrowed: Question, at: At) -> Answer:
    """The number itself. A value that is empty in the data cannot be filtered by: it is looked up among the others."""
    empty = tuple(name for name, value in at if value is None)
    found = answer(connection, replace(narrowed, by=empty))
    (whole,) = answer(connection, narrowed) if empty else found
    return next(
        (one for one in found if all(one.dimensions[name] is None for name in empty)),
        replace(whole, value=None, numerator=None),
    )


def _cut(connection: Connection, measure: Measure, part: str, inside: list[ColumnElement[bool]]) -> PartTotal:
    """The rows of a part. Raises UnknownName for a part the measure does not have."""
    if part not in drillable_parts(measure):
        raise UnknownName(f"part of {measure.name}", part, drillable_parts(measure))
    formula = measure.formula
    if isinstance(formula, Percentile):
        return _of_percentile(connection, measure, formula, part, inside)
    if isinstance(formula, Spread):
        return _of_spread(measure, formula, part)
    if isinstance(formula, Survival):
        there = and_(formula.among, formula.duration.is_not(None))
        if part == OUT_OF:
            return PartTotal(there, None, (func.count(),), lambda one: one.denominator)
        return PartTotal(and_(there, formula.happened), None, (func.count(),), lambda one: one.numerator)
    assert isinstance(formula, Total | Ratio)
    return _of_sums(measure, formula, part)


def _of_sums(measure: Measure, formula: Total | Ratio, part: str) -> PartTotal:
    """Rows that add up: of a total, or of a ratio's halves, of what is between them, and of what is not known."""
    if isinstance(formula, Total):
        return _added(measure, formula.part, lambda one: one.numerator)
    if part == OUT_OF:
        return _added(measure, formula.denominator, lambda one: one.denominator)
    if part == UNKNOWN and formula.unknown is not None:
        return _added(measure, formula.unknown, lambda one: one.unknown)
    if part == REST:
        return _added(measure, _rest(formula), lambda one: _less(one.denominator, one.numerator))
    counted = _added(measure, formula.numerator, lambda one: one.numerator)
    return counted if formula.ticks == 1 else replace(counted, finish=lambda ticks: divide(ticks, formula.ticks))


def _added(measure: Measure, part: Part, of: Callable[[Answer], Number | None]) -> PartTotal:
    return PartTotal(part.condition, part.amount, (part.over(measure.facts),), of)


def _rest(formula: Ratio) -> Part:
    """What of a share's denominator is not in its numerator: rows, or of each row the amount."""
    whole, counted = formula.denominator, formula.numerator
    holds = func.coalesce(counted.condition, false())
    if whole.amount is None or counted.amount is None:
        return Part(and_(whole.condition, not_(holds)))
    missing = whole.amount - case((holds, counted.amount), else_=literal(0, Integer))
    return Part(and_(whole.condition, missing != literal(0, Integer)), missing)


def _less(whole: Number | None, counted: Number | None) -> Number | None:
    # both int, or both Decimal
    return None if whole is None or counted is None else whole - counted  # type: ignore[operator]


def _of_spread(measure: Measure, formula: Spread, part: str) -> PartTotal:
    known = formula.parts()
    if part == OUT_OF:
        return PartTotal(known["denominator"].condition, None, (func.count(),), lambda one: one.denominator)
    sums = tuple(known[role].over(measure.facts) for role in ("denominator", "total", "squares"))

    def again(count: int, total: int, squares: int) -> float | None:
        return spread(count, total, squares, relative=formula.relative)

    return PartTotal(known["denominator"].condition, formula.value, sums, lambda one: one.value, again)


def _of_percentile(
    connection: Connection, measure: Measure, formula: Percentile, part: str, inside: list[ColumnElement[bool]]
) -> PartTotal:
    there = formula.value.is_not(None)
    if part == OUT_OF:
        return PartTotal(there, None, (func.count(),), lambda one: one.denominator)
    value = connection.execute(select(formula.over(measure.facts)).where(*inside)).scalar_one()
    largest = (func.max(formula.value),)

    def in_unit(ticks: Number | None) -> Number | None:
        return ticks if formula.ticks == 1 else divide(ticks, formula.ticks)

    return PartTotal(
        and_(there, formula.value <= value) if value is not None else false(),
        formula.value,
        largest,
        lambda one: one.value,
        in_unit,
    )


def _columns(measure: Measure, cut: PartTotal) -> list[Expression]:
    """What a list shows of a row: its own number, who and when, what it brings, and the columns the formula rests on
    with their reasons.
    """
    facts = measure.facts.c
    used = columns_used(measure) - ({cut.amount.name} if isinstance(cut.amount, Column) else set())
    # columns, not a dict
    own = [name for name in facts.keys() if name in OWN or (name.endswith("_id") and name not in ABOUT)]  # noqa: SIM118
    about = [name for name in ABOUT if name in facts and not (name == "customer_id" and "customer_name" in facts)]
    used -= {"state"}  # every row listed is in the state its formula asks for
    reasons = {f"{name}_reason" for name in used}
    rest = [name for name in facts.keys() if name in used | reasons]  # noqa: SIM118
    shown: list[Expression] = [facts[name] for name in dict.fromkeys([*own, measure.date, *about, *rest])]
    if cut.amount is None:
        return shown
    at = len(own) + 1
    return [
        *shown[:at],
        cut.amount.label(ADDED),
        *([facts.currency] if measure.in_money and "currency" not in about else []),
        *shown[at:],
    ]


def columns_used(measure: Measure) -> set[str]:
    """Columns of the facts that a measure's formula reads; none of one made of other measures."""
    return {
        column.name
        for expression in _expressions(measure)
        for column in visitors.iterate(expression)
        if isinstance(column, Column)
    }


def _expressions(measure: Measure) -> list[Expression]:
    """Every expression of a formula."""
    formula = measure.formula
    if isinstance(formula, Total | Ratio | Spread):
        return [one for part in formula.parts().values() for one in (part.condition, part.amount) if one is not None]
    if isinstance(formula, Survival):
        return [formula.duration, formula.happened, formula.among]
    return [formula.value] if isinstance(formula, Percentile) else []


def _sorted(listed: Select[Any], measure: Measure) -> Select[Any]:
    """Rows that bring most first, then the latest, then by everything shown, so that a page of a list never changes."""
    columns = list(listed.selected_columns)
    first = [column.desc().nulls_last() for column in columns if column.name == ADDED]
    return listed.order_by(
        *first, measure.facts.c[measure.date].desc(), *[column for column in columns if column.name != ADDED]
    )
