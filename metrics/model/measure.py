"""A measure: name, unit, definition and a formula of one of seven kinds. Plain data without joins or SQL strings.

A formula consists of `Part`s: exact sums over rows of one fact table. `Total` is one part. `Ratio` adds up two parts,
then divides them (every mean is a ratio). `Spread` (standard deviation, or its share of the mean) is computed from
count, sum and sum of squares. These three roll up. `Percentile` and `Survival` (Kaplan-Meier) need the rows. `Derived`
combines the answers of other measures. `Study` is computed by a function of its module.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from sqlalchemy import BigInteger, Column, Connection, FromClause, Table, cast, literal, or_
from sqlalchemy.sql.util import ClauseAdapter

from metrics.model.question import Answer, Ask, Question
from metrics.sql.dialects import Expression, count_if, percentile, sum_if


class Unit(StrEnum):
    """The unit of a value."""

    SHARE = "share"
    DAYS = "days"
    HOURS = "hours"
    YEARS = "years"
    RATIO = "ratio"
    COUNT = "count"
    UNITS = "units"
    MONEY = "money"


class Direction(StrEnum):
    """The direction of a better value."""

    HIGHER = "higher is better"
    LOWER = "lower is better"
    NEITHER = "neither"


@dataclass(frozen=True)
class Part:
    """An exact sum over the fact rows that meet `condition`: of `amount` if given (in its own exact type), else of
    rows.
    """

    condition: Expression
    amount: Expression | None = None

    def over(self, table: FromClause) -> Expression:
        """Return the sum as a column of a grouped SELECT from `table` (the fact table or a SELECT of its columns)."""
        total = count_if(self.condition) if self.amount is None else sum_if(self.condition, self.amount)
        return on_table(total, table)


def on_table(expression: Expression, table: FromClause) -> Expression:
    """Return the expression for another table with the same column names."""
    if isinstance(table, Table):
        return expression
    return ClauseAdapter(table, adapt_on_names=True).traverse(expression)


@dataclass(frozen=True)
class Total:
    """A sum. If it sums an amount, it also counts its rows (`judged`), for its coverage.

    judged: rows of which it must be known whether they count. unknown: those of which it is not. If it is not known of
    any row, there is no value, because 0 would read as "none".
    """

    part: Part
    judged: Part | None = None
    unknown: Part | None = None

    def parts(self) -> dict[str, Part]:
        """Return the additive parts by role."""
        if self.judged is not None and self.unknown is not None:
            return {"numerator": self.part, "judged": self.judged, "unknown": self.unknown}
        if self.part.amount is None:
            return {"numerator": self.part}
        return {"numerator": self.part, "judged": Part(self.part.condition)}


@dataclass(frozen=True)
class Ratio:
    """Two sums, divided.

    denominator: true and false rows (or units). unknown: rows whose evidence is missing; None if the evidence is never
    missing. Denominator + unknown is everything judged. ticks: numerator ticks (seconds) per unit of the measure
    (hours); only means have more than 1. combined: a share of rows that pass several tests (P7 point, coverage and
    range). weights: of a share of units or amounts, the judged rows without a readable weight, and those with one.
    """

    numerator: Part
    denominator: Part
    unknown: Part | None = None
    weights: tuple[Part, Part] | None = None
    ticks: int = 1
    combined: bool = False

    def parts(self) -> dict[str, Part]:
        """Return the additive parts by role."""
        roles = {
            "numerator": self.numerator,
            "denominator": self.denominator,
            "unknown": self.unknown,
            "unmeasured": self.weights[0] if self.weights else None,
            "measured": self.weights[1] if self.weights else None,
        }
        return {role: part for role, part in roles.items() if part is not None}


@dataclass(frozen=True)
class Spread:
    """The sample standard deviation of whole numbers, or with `relative` its share of the mean.

    It is computed from count, sum and sum of squares.
    """

    value: Expression
    relative: bool = False

    def parts(self) -> dict[str, Part]:
        """Return the additive parts by role."""
        known, wide = self.value.is_not(None), cast(self.value, BigInteger)
        return {"denominator": Part(known), "total": Part(known, self.value), "squares": Part(known, wide * wide)}


@dataclass(frozen=True)
class Percentile:
    """The ⌈fraction·n⌉-th smallest value, computed from the rows; it never rolls up.

    ticks: ticks of the value per unit of the measure.
    """

    fraction: Decimal
    value: Expression
    ticks: int = 1

    def over(self, table: FromClause) -> Expression:
        """Return the percentile as a column of a grouped SELECT from `table`."""
        return percentile(literal(self.fraction, literal_execute=True), on_table(self.value, table))

    def count(self) -> Part:
        """Return the number of values."""
        return Part(self.value.is_not(None))


@dataclass(frozen=True)
class Survival:
    """A Kaplan-Meier estimate over the rows in `among`: the time until `happened`.

    The other rows are still waiting after `duration` (right-censored). duration: a whole number of ticks (days,
    minutes). ticks: ticks per unit of the measure. Give either `fraction` (the time by which it has happened to that
    share: 0.5 is the median) or `within` (the share to which it has happened after that many ticks, 1 - S).
    """

    duration: Expression
    happened: Expression
    among: Expression
    fraction: Decimal | None = None
    within: int | None = None
    ticks: int = 1


@dataclass(frozen=True)
class Result:
    """The result of a Derived measure."""

    value: int | Decimal | float | None
    numerator: int | Decimal | float | None = None
    denominator: int | Decimal | float | None = None
    no_data: str | None = None
    remark: str | None = None


@dataclass(frozen=True)
class Derived:
    """A combination of other measures' answers to the same question, per period and combination of dimension values."""

    inputs: tuple[str, ...]
    finish: Callable[[Mapping[str, Answer]], Result]


@dataclass(frozen=True)
class Study:
    """A measure computed by a function of its module, because no sum over one table gives it (zones, fits).

    work: takes (connection, the question with this measure alone, ask) and returns one Answer per combination of `by`
    and period with data. dimensions: the dimensions for breakdown and filter; other dimensions give "no data". periods:
    True if it takes a grain.
    """

    work: Callable[[Connection, Question, Ask], list[Answer]]
    dimensions: tuple[str, ...] = ()
    periods: bool = False


Formula = Total | Ratio | Spread | Percentile | Survival | Derived | Study
Additive = Total | Ratio | Spread
"""Formulas whose parts add up."""


SNAPSHOT = "on_day"
"""The date of measures that describe the status at `as_of`. They ignore the period of a question, so that page and
export agree.
"""


Alternative = str | tuple[str, ...]
"""A "feed.column", or several of them that are needed together."""


@dataclass(frozen=True)
class Need:
    """A requirement of a measure: the sources map at least one of these alternatives.

    what: the noun for the missing data; by default the names of the columns. `reasons.py` writes the text. when: the
    need applies only if this column is mapped.
    """

    any_of: tuple[Alternative, ...]
    what: str = ""
    when: str = ""


@dataclass(frozen=True)
class Window:
    """A window in which rows can still change without new records: "claims window", "recovery window", ...

    open: rows of the fact table that are still inside it at `as_of`.
    """

    name: str
    open: Expression

    @property
    def role(self) -> str:
        """Return the role of its number of open rows, next to the roles of the formula's parts."""
        return f"open_{self.name.partition(' ')[0]}"


@dataclass(frozen=True)
class Measure:
    """A named number: formula, unit, definition and source.

    facts: the table of its formula. date: the column of that table that dates a row.
    """

    name: str
    title: str
    unit: Unit
    direction: Direction
    facts: Table
    date: str
    formula: Formula
    definition: str
    numerator: str
    denominator: str
    exclusions: str
    source: str
    feeds: tuple[str, ...]
    product_rows: tuple[int, ...]
    needs: tuple[Need, ...] = ()
    only_by: str = ""
    """The dimension without which the measure has no value: a time over all 13 steps is no time of a step."""
    assumptions: tuple[str, ...] = ()
    """The assumptions that can change the measure. The preview of an edit asks for these measures."""
    short: str = ""
    windows: tuple[Window, ...] = ()
    """The windows that make a recent period provisional, the longest first (`metrics/queries/provisional.py`)."""
    version: int = 1
    """The version of the definition. Each increase has a line in the changelog."""

    refused: tuple[tuple[str, str], ...] = ()
    """Dimensions that the measure cannot be broken down or filtered by, each with the reason: a part of it is known at
    another grain only.
    """

    estimate: str = ""
    """The reason why parts do not add up to the whole; empty if they do. Source: P9 (traceable numbers)."""
    estimate_by: str = ""
    """The only dimension whose parts do not add up; empty: the parts of every dimension."""

    def no_sum(self, dimension: str) -> str | None:
        """Return the reason why the parts of a dimension do not add up to the whole, or None."""
        if not self.estimate or self.estimate_by not in ("", dimension):
            return None
        what = f"by {self.estimate_by}" if self.estimate_by else "an estimate for the whole"
        return f"{what}, not a sum: {self.estimate}"

    def refusal(self, dimensions: Iterable[str]) -> str | None:
        """Return the reason why one of these dimensions is refused, or None."""
        reasons = dict(self.refused)
        return next((f"no data: {reasons[name]}" for name in dimensions if name in reasons), None)

    @cached_property
    def parts(self) -> dict[str, Part]:
        """Return the additive parts by role: those of the formula, and the open rows of any and of each window."""
        formula = self.formula.parts() if isinstance(self.formula, Additive) else {}
        any_open = {"open": Part(or_(*[window.open for window in self.windows]))} if self.windows else {}
        return formula | any_open | {window.role: Part(window.open) for window in self.windows}

    @property
    def grain(self) -> str:
        """Return the subject of a fact row: order, line, message, case ..."""
        return str(self.facts.info["grain"])

    @cached_property
    def in_money(self) -> bool:
        """Return True if the measure must not add amounts of different currencies."""
        return self.unit is Unit.MONEY or self.name.startswith("value_")

    @cached_property
    def in_base_units(self) -> bool:
        """Return True if the measure must not add quantities of different base units."""
        if self.unit is Unit.UNITS:
            return True
        amounts = [part.amount for part in self.formula.parts().values()] if isinstance(self.formula, Additive) else []
        return any(isinstance(amount, Column) and amount.name.endswith("_qty") for amount in amounts)
