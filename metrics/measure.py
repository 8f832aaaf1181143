"""What a measure is: a name, a unit, a definition and a formula of one of four kinds. Plain data; no joins, no SQL strings.

A formula is made of `Part`s: exact sums over rows of one fact table. `Total` is one part. `Ratio` adds both parts, then divides (every mean
is one). `Spread` (standard deviation and its share of the mean) is finished from count, sum and sum of squares. These roll up. A `Percentile`
never does.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import BigInteger, FromClause, Table, cast, literal
from sqlalchemy.sql.util import ClauseAdapter

from metrics.sqltools import Expression, count_if, percentile, sum_if

Number = int | Decimal | float
Z95 = 1.959964


class Unit(StrEnum):
    """What a value is counted in."""

    SHARE = "share"
    DAYS = "days"
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
    """An exact sum over fact rows: of `amount` where given (its own exact type), else the number of rows, where `condition` holds."""

    condition: Expression
    amount: Expression | None = None

    def over(self, table: FromClause) -> Expression:
        """The sum as a column of a grouped SELECT from `table` (the fact table itself, or a SELECT with its columns)."""
        total = count_if(self.condition) if self.amount is None else sum_if(self.condition, self.amount)
        return adapted(total, table)


def adapted(expression: Expression, table: FromClause) -> Expression:
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
    """Adds both parts, then divides. `unknown` are rows (or units) whose evidence is missing; `judged` all that were to be judged.

    Without `judged` they are denominator + unknown. Without `unknown` there are no bounds (means, shares of what is always known).
    """

    numerator: Part
    denominator: Part
    unknown: Part | None = None
    judged: Part | None = None

    def parts(self) -> dict[str, Part]:
        """The additive parts by role."""
        roles = {"numerator": self.numerator, "denominator": self.denominator, "unknown": self.unknown, "judged": self.judged}
        return {role: part for role, part in roles.items() if part is not None}


@dataclass(frozen=True)
class Spread:
    """Sample standard deviation of whole numbers, or with `relative` its share of the mean; from count, sum and sum of squares."""

    value: Expression
    relative: bool = False

    def parts(self) -> dict[str, Part]:
        """The additive parts by role."""
        known, wide = self.value.is_not(None), cast(self.value, BigInteger)
        return {"denominator": Part(known), "total": Part(known, self.value), "squares": Part(known, wide * wide)}


@dataclass(frozen=True)
class Percentile:
    """The ⌈fraction·n⌉-th smallest value; recomputed from rows, never rolled up."""

    fraction: Decimal
    value: Expression

    def over(self, table: FromClause) -> Expression:
        """The percentile as a column of a grouped SELECT from `table`."""
        return percentile(literal(self.fraction, literal_execute=True), adapted(self.value, table))

    def count(self) -> Part:
        """How many values there are."""
        return Part(self.value.is_not(None))


Formula = Total | Ratio | Spread | Percentile


@dataclass(frozen=True)
class Need:
    """What a measure cannot do without: any one of these "feed.column"s being mapped; else `words` stand in place of the value."""

    any_of: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class Measure:
    """A number and all that is to be known of it. `facts` is the table its formula is over, `date` that table's column it is dated by."""

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
    short: str = ""

    @property
    def grain(self) -> str:
        """order or line: what one row of its facts is."""
        return "order" if self.facts.name == "order_facts" else "line"

    @property
    def in_money(self) -> bool:
        """Whether amounts of different currencies must not meet in it."""
        return self.unit is Unit.MONEY or self.name.startswith("value_")


def wilson(numerator: Number, denominator: Number) -> tuple[float, float] | None:
    """The 95 % Wilson interval of a share, or None where there is nothing to divide by. Source: rules P8."""
    n = float(denominator)
    if n <= 0:
        return None
    p, z2 = float(numerator) / n, Z95 * Z95
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(max(0.0, p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def divide(numerator: Number | None, denominator: Number | None) -> float | None:
    """The one division of the product: both sides as doubles, None where there is nothing to divide (P6)."""
    if numerator is None or not denominator:
        return None
    return float(numerator) / float(denominator)


def spread(count: Number, total: Number, squares: Number, *, relative: bool) -> float | None:
    """Sample standard deviation (n - 1) of whole numbers from exact sums, or its share of the mean. Source: rules R30."""
    n, s, q = int(count), int(total), int(squares)
    if n < 2:
        return None
    deviation = math.sqrt((n * q - s * s) / (n * (n - 1)))
    if not relative:
        return deviation
    return deviation / (s / n) if s else None
