"""SQL that means the same on every engine: the few constructs that engines spell differently, one compiler rule per
dialect.

Everything else in `metrics` is plain SQLAlchemy Core. What may not be used, because engines disagree: `avg`, `stddev`,
`round`, `extract(dow)`, integer division, float-to-int casts, continuous percentiles. Source: design, architecture.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Date,
    DateTime,
    Integer,
    Numeric,
    Select,
    String,
    Table,
    case,
    cast,
    func,
    literal,
    null,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

MICROSECONDS_A_DAY = 86_400_000_000
MICROSECONDS_AN_HOUR = 3_600_000_000

Expression = ColumnElement[Any]  # Any: a value of any SQL type
"""A column, or an SQL expression over columns."""
Rows = Select[*tuple[object, ...]]
"""A SELECT with any columns. It has not run yet: other statements join it or insert its rows."""


class days_between(FunctionElement[int]):  # noqa: N801 - named as the SQL function it stands for
    """Calendar days from the first day to the second."""

    type = Integer()
    inherit_cache = True
    name = "days_between"


class seconds_between(FunctionElement[int]):  # noqa: N801
    """Whole seconds from the first instant to the second."""

    type = BigInteger()
    inherit_cache = True
    name = "seconds_between"


class plus_microseconds(FunctionElement[Any]):  # noqa: N801
    """A timestamp so many microseconds on."""

    type = DateTime()
    inherit_cache = True
    name = "plus_microseconds"


class plus_days(FunctionElement[Any]):  # noqa: N801
    """A day so many days on."""

    type = Date()
    inherit_cache = True
    name = "plus_days"


class local_time(FunctionElement[Any]):  # noqa: N801
    """local_time(instant, zone): the wall clock in an IANA zone at a UTC instant."""

    type = DateTime()
    inherit_cache = True
    name = "local_time"


class nearest_instant(FunctionElement[Any]):  # noqa: N801
    """nearest_instant(wall clock, zone): UTC; a skipped time moves on by the gap, a repeated one is the later instant."""

    type = DateTime()
    inherit_cache = True
    name = "nearest_instant"


class percentile(FunctionElement[Any]):  # noqa: N801
    """percentile(fraction, expression): discrete, the ⌈fraction·n⌉-th smallest; a value that is in the data, so equal
    everywhere.
    """

    inherit_cache = True
    name = "percentile"

    def __init__(self, fraction: Expression, expression: Expression) -> None:
        super().__init__(fraction, expression)
        self.type = expression.type


class period_start(FunctionElement[Any]):  # noqa: N801
    """period_start(grain, day): first day of the day's week (Monday), month or quarter; the grain is a literal of
    GRAINS.
    """

    type = Date()
    inherit_cache = True
    name = "period_start"


def _parts(element: Any, compiler: Any, kw: Any) -> list[str]:
    return [compiler.process(part, **kw) for part in element.clauses]


@compiles(days_between)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    first, second = _parts(element, compiler, kw)
    return f"(CAST({second} AS DATE) - CAST({first} AS DATE))"


@compiles(days_between, "duckdb")
def _(element: Any, compiler: Any, **kw: Any) -> str:
    first, second = _parts(element, compiler, kw)
    return f"CAST(date_diff('day', {first}, {second}) AS INTEGER)"


@compiles(seconds_between)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    first, second = _parts(element, compiler, kw)
    return f"CAST(floor(EXTRACT(EPOCH FROM ({second} - {first}))) AS BIGINT)"


@compiles(seconds_between, "duckdb")
def _(element: Any, compiler: Any, **kw: Any) -> str:
    first, second = _parts(element, compiler, kw)
    return f"((epoch_us({second}) - epoch_us({first})) // 1000000)"


@compiles(plus_microseconds)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    start, count = _parts(element, compiler, kw)
    return f"({start} + CAST({count} AS BIGINT) * INTERVAL '1 microsecond')"


@compiles(plus_microseconds, "duckdb")
def _(element: Any, compiler: Any, **kw: Any) -> str:
    start, count = _parts(element, compiler, kw)
    return f"({start} + to_microseconds(CAST({count} AS BIGINT)))"


@compiles(plus_days)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    start, count = _parts(element, compiler, kw)
    return f"(CAST({start} AS DATE) + CAST({count} AS INTEGER))"


@compiles(local_time)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    instant, zone = _parts(element, compiler, kw)
    return f"timezone({zone}, timezone('UTC', {instant}))"


@compiles(nearest_instant)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    clock, zone = _parts(element, compiler, kw)
    return f"timezone('UTC', timezone({zone}, CAST({clock} AS TIMESTAMP)))"


@compiles(percentile)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    fraction, expression = _parts(element, compiler, kw)
    return f"percentile_disc({fraction}) WITHIN GROUP (ORDER BY {expression})"


@compiles(period_start)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    grain, day = _parts(element, compiler, kw)
    return f"CAST(date_trunc({grain}, {day}) AS DATE)"


def day_of(moment: Expression) -> Expression:
    """The calendar day a wall-clock time falls on."""
    return cast(moment, Date)


def instant_of(clock: Expression, zone: Expression) -> Expression:
    """The UTC instant of a wall-clock time: a skipped time moves on by the gap, a repeated one is the earlier. Source:
    rules R3.

    Both engines give the later instant of a repeated time, so the one an hour (or, on Lord Howe Island, half an hour)
    before is tried.
    """
    later = nearest_instant(clock, zone)
    hour = plus_microseconds(later, literal(-MICROSECONDS_AN_HOUR, BigInteger))
    half = plus_microseconds(later, literal(-MICROSECONDS_AN_HOUR // 2, BigInteger))
    wall = cast(clock, DateTime)
    return case(
        (zone == "UTC", wall),
        (local_time(hour, zone) == wall, hour),
        (local_time(half, zone) == wall, half),
        else_=later,
    )


def count_if(condition: Expression) -> Expression:
    """How many rows of the group meet a condition, as BIGINT; 0 for none."""
    return cast(
        func.coalesce(func.sum(case((condition, literal(1, Integer)), else_=literal(0, Integer))), 0), BigInteger
    )


def sum_if(condition: Expression, amount: Expression) -> Expression:
    """Exact sum of an amount over the rows of the group that meet a condition: in the amount's decimal type, integers
    as BIGINT; 0 for none.

    The cast matters: DuckDB sums integers to HUGEINT, and summing HUGEINT columns again is 78 times slower (design,
    speed).
    """
    kind = BigInteger() if isinstance(amount.type, Integer) else amount.type
    zero = cast(literal(0, Integer), kind)
    return cast(func.coalesce(func.sum(case((condition, amount), else_=zero)), zero), kind)


def times(quantity: Expression, price: Expression) -> Expression:
    """Quantity times price, exact. DuckDB gives the product of two DECIMAL(18, x) 18 digits again, which a million at
    10,000 overflows.
    """
    return cast(quantity, Numeric(38, 4)) * price


def least_code(*codes: Expression) -> Expression:
    """The smallest of several codes, nulls passed over (null only if all are). `least` treats nulls differently per
    engine.
    """
    big = literal(999, Integer)
    return func.nullif(func.least(*[func.coalesce(code, big) for code in codes]), big)


def greater(first: Expression, second: Expression) -> Expression:
    """The greater of two values that are not null."""
    return case((first >= second, first), else_=second)


def lesser(first: Expression, second: Expression) -> Expression:
    """The lesser of two values that are not null."""
    return case((first <= second, first), else_=second)


def typed_null(like: Any) -> Expression:
    """NULL of a type."""
    return cast(null(), like)


def concatenated(codes: dict[int, str], code: Expression) -> Expression:
    """The word a code stands for; null for an unknown code."""
    return case(
        {number: literal(word, String) for number, word in codes.items()}, value=code, else_=typed_null(String())
    )


def analyze(connection: Connection, *tables: Table) -> None:
    """Let PostgreSQL's planner look at tables just filled: over what it has never seen it plans nested loops (a hundred
    seconds instead of none for some hundred orders). DuckDB knows its tables.
    """
    if connection.dialect.name == "postgresql":
        for table in tables:
            connection.exec_driver_sql(f'ANALYZE "{table.name}"')
