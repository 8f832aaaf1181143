"""Exchange rates to the reporting currency, per currency and day. Source: R25 (currencies)."""

from sqlalchemy import Connection, Date, FromClause, Integer, and_, case, cast, func, literal, select, true

from metrics.schema import FACTOR, fx_rates
from metrics.sql.dialects import Expression, plus_days, times, whole_numbers

RATE_DAYS = 7
"""A rate is valid on its day and for this many days after it, or until the next rate. R25 (currencies)."""


def reporting_currency(connection: Connection, mapped: frozenset[str]) -> str | None:
    """Return the currency of converted amounts; None without exchange rates."""
    if "fx_rates.rate" not in mapped:
        return None
    found: str | None = connection.scalar(select(func.max(fx_rates.c.reporting_currency)).where(~fx_rates.c.deleted))
    return found


def join_rate(
    tables: FromClause, currency: Expression, day: Expression, mapped: frozenset[str]
) -> tuple[FromClause, Expression]:
    """Join the rate of a currency on a local day. Return the FROM clause and the rate.

    The rate is 1 for the reporting currency. It is 1 for every currency if no rates are loaded; `metrics.queries` then
    never adds amounts of two currencies. It is null if the currency has no rate on that day or in the seven days
    before. Sums exclude amounts without a rate and count them.
    """
    rate_of_1 = cast(literal(1, Integer), FACTOR)
    if "fx_rates.rate" not in mapped:
        return tables, rate_of_1
    daily = _daily_rates()
    reporting = select(func.max(fx_rates.c.reporting_currency)).where(~fx_rates.c.deleted).scalar_subquery()
    widened = tables.outerjoin(daily, and_(daily.c.currency == currency, daily.c.day == day))
    return widened, cast(
        case((reporting.is_(None), rate_of_1), (currency == reporting, rate_of_1), else_=daily.c.rate), FACTOR
    )


def converted(amount: Expression, rate: Expression) -> Expression:
    """Convert an amount to the reporting currency, exactly; null without a rate.

    There is no `CASE` that returns the amount for rate 1: DuckDB would round every product to the decimals of the
    amount, which takes ten times as long as multiplying (docs/speed.md).
    """
    return times(amount, rate)


def _daily_rates() -> FromClause:
    """Select the newest valid rate of each day: currency, day, rate.

    One row per day allows a join by equality. A join by range would be slow.
    """
    rates = fx_rates.c
    offsets = whole_numbers(0, RATE_DAYS, "rate_days")
    day = cast(plus_days(rates.on_date, cast(offsets.c.n, Integer)), Date)
    newest = func.row_number().over(partition_by=[rates.currency, day], order_by=rates.on_date.desc())
    spread = (
        select(rates.currency, day.label("day"), rates.rate, newest.label("newest"))
        .join(offsets, true())
        .where(~rates.deleted)
        .subquery()
    )
    return select(spread.c.currency, spread.c.day, spread.c.rate).where(spread.c.newest == 1).subquery()
