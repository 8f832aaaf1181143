"""What a measure is: a name, a unit, a definition and a formula of one of seven kinds. Plain data; no joins, no SQL
strings.

A formula is made of `Part`s: exact sums over rows of one fact table. `Total` is one part. `Ratio` adds both parts, then
divides (every mean is one). `Spread` (standard deviation and its share of the mean) is finished from count, sum and sum
of squares. These roll up. A `Percentile` and a `Survival` (Kaplan-Meier) are taken from the rows. A `Derived` is made
of other measures' answers, a `Study` by a function of its module.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import BigInteger, Connection, FromClause, Table, cast, literal
from sqlalchemy.sql.util import ClauseAdapter

from metrics.model.question import Answer, Ask, Question
from metrics.sql.dialects import Expression, count_if, percentile, sum_if


class Unit(StrEnum):
    """What a value is counted in."""

    SHARE = "share"
    DAYS = "days"
    HOURS = "hours"
    YEARS = "years"
    RATIO = "ratio"
    COUNT = "count"
    UNITS = "units"
    MONEY = "money"


class Direction(StrEnum):
    """Which way is better."""

    HIGHER = "higher is better"
    LOWER = "lower is better"
    NEITHER = "neither"


@dataclass(frozen=True)
class Part:
    """An exact sum over fact rows: of `amount` where given (its own exact type), else the number of rows, where
    `condition` holds.
    """

    condition: Expression
    amount: Expression | None = None

    def over(self, table: FromClause) -> Expression:
        """The sum as a column of a grouped SELECT from `table` (the fact table itself, or a SELECT with its columns)."""
        total = count_if(self.condition) if self.amount is None else sum_if(self.condition, self.amount)
        return on_table(total, table)


def on_table(expression: Expression, table: FromClause) -> Expression:
    """The expression over another table with the same column names."""
    if isinstance(table, Table):
        return expression
    return ClauseAdapter(table, adapt_on_names=True).traverse(expression)


@dataclass(frozen=True)
class Total:
    """Adds up."""

    part: Part

    def parts(self) -> dict[str, Part]:
        """The additive parts by role."""
        return {"numerator": self.part}


@dataclass(frozen=True)
class Ratio:
    """Adds both parts, then divides. `unknown` are rows (or units) whose evidence is missing; `judged` all that were to
    be judged.

    Without `judged` they are denominator + unknown. Without `unknown` there are no bounds (means, shares of what is
    always known). So many `ticks` of the numerator (seconds) make one of the measure's unit (hours); only means have
    more than one.
    """

    numerator: Part
    denominator: Part
    unknown: Part | None = None
    judged: Part | None = None
    ticks: int = 1

    def parts(self) -> dict[str, Part]:
        """The additive parts by role."""
        roles = {
            "numerator": self.numerator,
            "denominator": self.denominator,
            "unknown": self.unknown,
            "judged": self.judged,
        }
        return {role: part for role, part in roles.items() if part is not None}


@dataclass(frozen=True)
class Spread:
    """Sample standard deviation of whole numbers, or with `relative` its share of the mean; from count, sum and sum of
    squares.
    """

    value: Expression
    relative: bool = False

    def parts(self) -> dict[str, Part]:
        """The additive parts by role."""
        known, wide = self.value.is_not(None), cast(self.value, BigInteger)
        return {"denominator": Part(known), "total": Part(known, self.value), "squares": Part(known, wide * wide)}


@dataclass(frozen=True)
class Percentile:
    """The ⌈fraction·n⌉-th smallest value; recomputed from rows, never rolled up. `ticks` of the value make one of the
    measure's unit.
    """

    fraction: Decimal
    value: Expression
    ticks: int = 1

    def over(self, table: FromClause) -> Expression:
        """The percentile as a column of a grouped SELECT from `table`."""
        return percentile(literal(self.fraction, literal_execute=True), on_table(self.value, table))

    def count(self) -> Part:
        """How many values there are."""
        return Part(self.value.is_not(None))


@dataclass(frozen=True)
class Survival:
    """Kaplan-Meier over rows where `among`: how long until it `happened`; the others are still waiting (right-censored)
    after `duration`.

    duration: a whole number of ticks (days, minutes); `ticks` of them make one of the measure's unit. Give either
    `fraction` (the time by which it has happened to that share: 0.5 is the median) or `within` (the share it has
    happened to after so many ticks, 1 - S).
    """

    duration: Expression
    happened: Expression
    among: Expression
    fraction: Decimal | None = None
    within: int | None = None
    ticks: int = 1


@dataclass(frozen=True)
class Result:
    """What a Derived measure comes to."""

    value: int | Decimal | float | None
    numerator: int | Decimal | float | None = None
    denominator: int | Decimal | float | None = None
    no_data: str | None = None
    remark: str | None = None


@dataclass(frozen=True)
class Derived:
    """Made of other measures' answers to the same question, per period and combination of dimension values."""

    inputs: tuple[str, ...]
    finish: Callable[[Mapping[str, Answer]], Result]


@dataclass(frozen=True)
class Study:
    """Worked out by a function of its module where no sum over one table can (zones, fits): it answers the whole
    question itself.

    work: (connection, the question with this measure alone, ask) to one Answer per combination of `by` and period that
    has one.
    dimensions: what it can be broken down and filtered by; asked for another, it says so instead of a value. periods:
    whether it takes a grain.
    """

    work: Callable[[Connection, Question, Ask], list[Answer]]
    dimensions: tuple[str, ...] = ()
    periods: bool = False


Formula = Total | Ratio | Spread | Percentile | Survival | Derived | Study
Additive = Total | Ratio | Spread
"""Formulas made of parts that add up."""


SNAPSHOT = "on_day"
"""The date of measures that say how things stand at `as_of`: a question's period is not asked of them, or page and
export would differ.
"""


@dataclass(frozen=True)
class Need:
    """What a measure cannot do without: any one of these "feed.column"s being mapped; else `words` stand in place of
    the value.
    """

    any_of: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class Measure:
    """A number and all that is to be known of it. `facts` is the table its formula is over, `date` that table's column
    it is dated by.
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
    assumptions: tuple[str, ...] = ()
    """Assumptions whose edit may change the measure. The preview of an edit asks for these measures."""
    short: str = ""
    version: int = 1
    """Raised when the definition changes, with a line in the changelog."""

    @property
    def grain(self) -> str:
        """What one row of its facts is: order, line, message, case ..."""
        return str(self.facts.info["grain"])

    @property
    def in_money(self) -> bool:
        """Whether amounts of different currencies must not meet in it."""
        return self.unit is Unit.MONEY or self.name.startswith("value_")
