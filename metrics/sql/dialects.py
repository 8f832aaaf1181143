"""SQL functions with the same meaning on DuckDB, PostgreSQL and Spark, and the types of SQL expressions.

Everything else in `metrics` is plain SQLAlchemy Core. The engines disagree about `avg`, `stddev`, `round`,
`extract(dow)`, integer division, float-to-int casts and continuous percentiles: do not use them.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Date,
    DateTime,
    FromClause,
    Integer,
    Numeric,
    Select,
    String,
    Table,
    case,
    cast,
    column,
    func,
    literal,
    null,
    type_coerce,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement, KeyedColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

MICROSECONDS_A_DAY = 86_400_000_000
MICROSECONDS_AN_HOUR = 3_600_000_000

SqlType = TypeEngine[Any]  # Any: a type of any value
"""The type of a column, such as `String()`."""
Expression = ColumnElement[Any]  # Any: a value of any SQL type
"""A column, or an SQL expression over columns."""
Columns = ReadOnlyColumnCollection[str, KeyedColumnElement[Any]]  # Any: columns of any SQL type
"""The columns of a table or subquery: its attribute `c`."""
Rows = Select[*tuple[object, ...]]
"""A SELECT with any columns. It has not run yet: other statements join it or insert its rows."""


class _EngineFunction(FunctionElement[Any]):  # Any: each subclass names its SQL type
    """An SQL function that each engine writes differently.

    A subclass gives all texts; `{0}` and `{1}` are the arguments.
    """

    postgresql: str
    duckdb: str
    spark: str


@compiles(_EngineFunction)
def _write_for_engine(element: _EngineFunction, compiler: SQLCompiler, **options: object) -> str:
    texts = {"duckdb": element.duckdb, "spark": element.spark}
    text = texts.get(compiler.dialect.name, element.postgresql)
    return text.format(*[compiler.process(argument, **options) for argument in element.clauses])


class _DaysBetween(_EngineFunction):
    type = Integer()
    inherit_cache = True
    name = "days_between"
    postgresql = "(CAST({1} AS DATE) - CAST({0} AS DATE))"
    duckdb = "CAST(date_diff('day', {0}, {1}) AS INTEGER)"
    spark = "datediff(CAST({1} AS DATE), CAST({0} AS DATE))"


class _SecondsBetween(_EngineFunction):
    type = BigInteger()
    inherit_cache = True
    name = "seconds_between"
    postgresql = "CAST(floor(EXTRACT(EPOCH FROM ({1} - {0}))) AS BIGINT)"
    # DuckDB's // rounds towards zero. Adding 400 billion seconds first makes every span positive, so it rounds down.
    duckdb = "((epoch_us({1}) - epoch_us({0}) + 400000000000000000) // 1000000 - 400000000000)"
    # Spark's div rounds towards zero, too.
    spark = "((timestampdiff(MICROSECOND, {0}, {1}) + 400000000000000000) div 1000000 - 400000000000)"


class _PlusMicroseconds(_EngineFunction):
    type = DateTime()
    inherit_cache = True
    name = "plus_microseconds"
    postgresql = "({0} + CAST({1} AS BIGINT) * INTERVAL '1 microsecond')"
    duckdb = "({0} + to_microseconds(CAST({1} AS BIGINT)))"
    spark = "timestampadd(MICROSECOND, CAST({1} AS BIGINT), CAST({0} AS TIMESTAMP_NTZ))"


class _PlusSpan(_EngineFunction):
    type = DateTime()
    inherit_cache = True
    name = "plus_span"
    postgresql = duckdb = spark = "({0} + ({2} - {1}))"


class _PlusDays(_EngineFunction):
    type = Date()
    inherit_cache = True
    name = "plus_days"
    postgresql = duckdb = "(CAST({0} AS DATE) + CAST({1} AS INTEGER))"
    spark = "date_add(CAST({0} AS DATE), CAST({1} AS INTEGER))"


class _WholeQuotient(_EngineFunction):
    type = Numeric(38, 0)
    inherit_cache = True
    name = "whole_quotient"
    postgresql = "div({0}, {1})"
    duckdb = "(CAST({0} AS HUGEINT) // CAST({1} AS HUGEINT))"
    spark = "(({0}) div ({1}))"


class _LocalTime(_EngineFunction):
    type = DateTime()
    inherit_cache = True
    name = "local_time"
    postgresql = duckdb = "timezone({1}, timezone('UTC', {0}))"
    spark = "convert_timezone('UTC', {1}, {0})"


def _later_on_spark(wall: str, zone: str) -> str:
    """Return Spark's text for the UTC instant of a local time. Spark returns the earlier of two instants.

    The later one comes an hour after it, or half an hour (Lord Howe Island).
    """
    earlier = f"convert_timezone({zone}, 'UTC', {wall})"
    later = [f"timestampadd(MINUTE, {minutes}, {earlier})" for minutes in (60, 30)]
    cases = " ".join(f"WHEN convert_timezone('UTC', {zone}, {one}) = {wall} THEN {one}" for one in later)
    return f"CASE {cases} ELSE {earlier} END"


class _NearestInstant(_EngineFunction):
    type = DateTime()
    inherit_cache = True
    name = "nearest_instant"
    postgresql = duckdb = "timezone('UTC', timezone({1}, CAST({0} AS TIMESTAMP)))"
    spark = _later_on_spark("CAST({0} AS TIMESTAMP_NTZ)", "{1}")


class _Percentile(_EngineFunction):
    inherit_cache = True
    name = "percentile"
    postgresql = duckdb = "percentile_disc({0}) WITHIN GROUP (ORDER BY {1})"
    # Spark's percentile_disc returns a double.
    spark = "get(sort_array(collect_list({1})), CAST(ceil(CAST({0} AS DOUBLE) * count({1})) AS INT) - 1)"

    def __init__(self, fraction: Expression, expression: Expression) -> None:
        super().__init__(fraction, expression)
        self.type = expression.type


class _PeriodStart(_EngineFunction):
    type = Date()
    inherit_cache = True
    name = "period_start"
    postgresql = duckdb = spark = "CAST(date_trunc({0}, {1}) AS DATE)"


def days_between(first: Expression, second: Expression) -> Expression:
    """Return the calendar days from the first day to the second."""
    return _DaysBetween(first, second)


def seconds_between(first: Expression, second: Expression) -> Expression:
    """Return the whole seconds from the first instant to the second, rounded down also if they are negative."""
    return _SecondsBetween(first, second)


def plus_microseconds(instant: Expression, count: Expression) -> Expression:
    """Return a timestamp moved by a number of microseconds."""
    return _PlusMicroseconds(instant, count)


def plus_span(instant: Expression, first: Expression, last: Expression) -> Expression:
    """Return an instant moved by the time from `first` to `last`."""
    return _PlusSpan(instant, first, last)


def plus_days(day: Expression, count: Expression) -> Expression:
    """Return a day moved by a number of days."""
    return _PlusDays(day, count)


def whole_quotient(dividend: Expression, divisor: Expression) -> Expression:
    """Divide two positive decimals without decimal places, and drop the remainder."""
    return _WholeQuotient(dividend, divisor)


def local_time(instant: Expression, zone: Expression) -> Expression:
    """Return the local time in an IANA zone at a UTC instant."""
    return _LocalTime(instant, zone)


def nearest_instant(clock: Expression, zone: Expression) -> Expression:
    """Return the UTC instant of a local time.

    A skipped time moves forward by the gap. Of a repeated time, the later instant is returned.
    """
    return _NearestInstant(clock, zone)


def percentile(fraction: Expression, expression: Expression) -> Expression:
    """Return the discrete percentile: the ⌈fraction·n⌉-th smallest value.

    The result is a value of the data, so every engine returns the same.
    """
    return _Percentile(fraction, expression)


def period_start(grain: Expression, day: Expression) -> Expression:
    """Return the first day of the day's week (Monday), month or quarter. The grain is a literal of GRAINS."""
    return _PeriodStart(grain, day)


def day_of(moment: Expression) -> Expression:
    """Return the calendar day of a local time."""
    return cast(moment, Date)


def instant_of(clock: Expression, zone: Expression) -> Expression:
    """Return the UTC instant of a local time.

    A skipped time moves forward by the gap. Of a repeated time, the earlier instant is returned. Both engines return
    the later one, so the instants an hour and half an hour (Lord Howe Island) before are tried first.
    Source: R3 (dates and time zones).
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
    """Count the rows of the group that meet a condition, as BIGINT; 0 if none does."""
    return cast(
        func.coalesce(func.sum(case((condition, literal(1, Integer)), else_=literal(0, Integer))), 0), BigInteger
    )


def sum_if(condition: Expression, amount: Expression) -> Expression:
    """Sum an amount over the rows of the group that meet a condition; 0 if none does.

    The sum is exact. It has the amount's decimal type; sums of integers are BIGINT. Without the cast DuckDB returns
    HUGEINT, and summing HUGEINT columns again is 78 times slower.
    """
    kind = BigInteger() if isinstance(amount.type, Integer) else amount.type
    zero = cast(literal(0, Integer), kind)
    return cast(func.coalesce(func.sum(case((condition, amount), else_=zero)), zero), kind)


def sum_known(condition: Expression, amount: Expression) -> Expression:
    """Sum the known amounts over the rows of the group that meet a condition; null if there is none."""
    return cast(func.sum(case((condition, amount), else_=None)), amount.type)


def times(quantity: Expression, price: Expression) -> Expression:
    """Multiply quantity and price exactly: the product has the decimals of both.

    DuckDB keeps 18 digits for the product of two DECIMAL(18, x). A million units at a price of 10,000 overflow them.
    Rounding the product takes DuckDB 25 times as long as multiplying.
    """
    scales = [getattr(factor.type, "scale", None) or 0 for factor in (quantity, price)]
    product = cast(quantity, Numeric(38, scales[0])) * price
    return type_coerce(product, Numeric(38, sum(scales)))


def least_code(*codes: Expression) -> Expression:
    """Return the smallest of several codes, ignoring nulls; null if all are null.

    The engines treat nulls in `least` differently.
    """
    big = literal(999, Integer)
    return func.nullif(func.least(*[func.coalesce(code, big) for code in codes]), big)


def greater(first: Expression, second: Expression) -> Expression:
    """Return the greater of two values that are not null."""
    return case((first >= second, first), else_=second)


def lesser(first: Expression, second: Expression) -> Expression:
    """Return the lesser of two values that are not null."""
    return case((first <= second, first), else_=second)


def whole_numbers(first: int, last: int, name: str) -> FromClause:
    """Return a table of the whole numbers from first to last, in the column n. Unlike VALUES it is compiled once."""
    return func.generate_series(first, last).table_valued(column("n", Integer), name=name).render_derived()


def typed_null(like: SqlType) -> Expression:
    """Return NULL of a type."""
    return cast(null(), like)


def concatenated(codes: dict[int, str], code: Expression) -> Expression:
    """Return the word of a code; null for an unknown code."""
    return case(
        {number: literal(word, String) for number, word in codes.items()}, value=code, else_=typed_null(String())
    )


def analyze(connection: Connection, *tables: Table) -> None:
    """Update PostgreSQL's statistics of tables just filled. Does nothing on DuckDB.

    Without statistics PostgreSQL plans nested loops, which take a hundred seconds for a few hundred orders.
    """
    if connection.dialect.name == "postgresql":
        for table in tables:
            connection.exec_driver_sql(f'ANALYZE "{table.name}"')
