"""The rows behind a number, and the proof that they add up to it. Lists use the expressions of the formula itself.

A total has its rows. A ratio has the counted rows, the rows it is a share of, the rest (not counted), and the rows with
missing evidence. A percentile has the rows with a value, and those at or below it; the largest of these is the number.
A spread has the rows it is computed from. A survival measure has all waiting rows, and those for which the event has
happened. A measure computed from other measures names them, and they have rows.

Source: P9 (traceable numbers).
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
from metrics.facts.orders.tables import GOODS_VERDICTS
from metrics.lists.drill_down_parts import COUNTED, OUT_OF, REST, UNKNOWN, drillable_parts
from metrics.measures.catalog import BY_MODULE, date_column, dimension_column, find
from metrics.model.measure import Derived, Measure, Part, Percentile, Ratio, Spread, Study, Survival, Total
from metrics.model.question import Answer, Question
from metrics.model.statistics import Number, divide, spread
from metrics.queries.answer import answer
from metrics.queries.statements import view_conditions
from metrics.sql.dialects import Expression

At = tuple[tuple[str, str | None], ...]
"""Dimension values of the number, in addition to the question's filters; None: empty in the data."""

ADDED = "adds"
"""Column with the contribution of each row to the number. Without it, each row counts 1."""

OWN = ("line_no", "option_no", "return_line_no", "step")
"""Columns that identify a row, together with those that end in `_id`."""
ABOUT = ("customer_name", "customer_id", "segment", "product_id", "policy_id")
"""Columns that describe the subject of a row."""

MADE_OF = {
    "zones": ("net_sales_value", "cost_to_serve", "customer_profit"),
    "danger_zone": ("net_sales_value", "cost_to_serve", "customer_profit", "cost_to_serve_order"),
    "ordering_behaviour": ("cost_to_serve", "orders"),
    "packages": ("net_sales_value", "cost_to_serve", "cycle_days", "complete", "on_time"),
    "safety_stock": ("cycle_days", "cycle_sd", "ordered_units"),
    "profitability": ("documents_without_rate",),
}
"""Inputs of the studies of a module that read records themselves instead of asking for other measures."""


TESTS = tuple(name for name in GOODS_VERDICTS if name != "otif")
"""The five tests of a perfect order; their reasons say why it failed."""


@dataclass(frozen=True)
class PartTotal:
    """The rows of one part of a formula, their contributions, and the way they are combined.

    sums: aggregates over the rows; `finish` combines them to the number; `of` takes the same number from the answer.
    """

    rows: Expression
    amount: Expression | None
    sums: tuple[Expression, ...]
    of: Callable[[Answer], Number | None]
    finish: Callable[..., Number | None] = lambda one: one


@dataclass(frozen=True)
class DrillDown:
    """One page of the rows behind a part of a number.

    number: the value of the answer; adds_up: the value computed from the rows; both None if the answer has none.
    columns: the columns of the rows, in display order; `adds` is the contribution of a row. made_of: the input measures
    of a measure without rows of its own.
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
        """True if the rows add up to exactly the number."""
        return self.number is not None and self.number == self.adds_up


def drill_down(
    connection: Connection, question: Question, part: str = COUNTED, *, at: At = (), page: int = 1, size: int = 25
) -> DrillDown:
    """Return the rows behind the only measure of a question without dimensions, the largest contribution first.

    size: 0 returns the proof without rows. Raises UnknownName for an unknown measure, dimension or part.
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
    """Return the input measures of a measure without rows."""
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
    day = measure.facts.c[date_column(measure, question.date) or measure.date]
    return measure, narrowed, [*view_conditions(measure.facts, day, narrowed), *nothing]


def _answer(connection: Connection, narrowed: Question, at: At) -> Answer:
    """The answer of the number. An empty dimension value cannot be a filter, so it is looked up among all values."""
    empty = tuple(name for name, value in at if value is None)
    found = answer(connection, replace(narrowed, by=empty))
    (whole,) = answer(connection, narrowed) if empty else found
    return next(
        (one for one in found if all(one.dimensions[name] is None for name in empty)),
        replace(whole, value=None, numerator=None),
    )


def _cut(connection: Connection, measure: Measure, part: str, inside: list[ColumnElement[bool]]) -> PartTotal:
    """The rows of a part. Raises UnknownName if the measure does not have the part."""
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
    """The part of a share's denominator that is not in its numerator: rows, or an amount per row."""
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
    """Return the columns a list shows of a row: its key, customer and date, its contribution, and the columns of the
    formula with their reasons.
    """
    facts = measure.facts.c
    used = columns_used(measure) - ({cut.amount.name} if isinstance(cut.amount, Column) else set())
    names = list(facts.keys())
    own = [name for name in names if name in OWN or (name.endswith("_id") and name not in ABOUT)]
    about = [name for name in ABOUT if name in facts and not (name == "customer_id" and "customer_name" in facts)]
    used -= {"state"}  # every listed row has the state that its formula requires
    reasons = {f"{name}_reason" for name in (*used, *(TESTS if "perfect_order" in used else ()))}
    rest = [name for name in names if name in used | reasons]
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
    """Return the columns that a measure's formula reads; none for a measure of other measures."""
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
    """Sort by contribution, then newest first, then by all columns, so that pages are stable."""
    columns = list(listed.selected_columns)
    first = [column.desc().nulls_last() for column in columns if column.name == ADDED]
    return listed.order_by(
        *first, measure.facts.c[measure.date].desc(), *[column for column in columns if column.name != ADDED]
    )
