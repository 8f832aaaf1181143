"""Rates to the reporting currency: what one unit of a document's currency was worth on its day. Source: rules R25."""

from sqlalchemy import Date, FromClause, Integer, and_, case, cast, func, literal, select, true, values
from sqlalchemy import column as sql_column

from metrics.schema import AMOUNT, FACTOR, fx_rates
from metrics.sql.dialects import Expression, plus_days, times

RATE_DAYS = 7
"""A rate serves its own day and so many days after it, or until the next one (R25)."""


def join_rate(
    tables: FromClause, currency: Expression, day: Expression, mapped: frozenset[str]
) -> tuple[FromClause, Expression]:
    """The FROM clause widened, and the rate of a currency on a local day.

    1 for the reporting currency, and for every currency while no rate is loaded at all (amounts then stand in their own
    currency and never meet in one number: query.py); null where the currency has no rate of that day or of the seven
    days before: such an amount is left out and counted.
    """
    one = cast(literal(1, Integer), FACTOR)
    if "fx_rates.rate" not in mapped:
        return tables, one
    daily = _daily_rates()
    reporting = select(func.max(fx_rates.c.reporting_currency)).where(~fx_rates.c.deleted).scalar_subquery()
    widened = tables.outerjoin(daily, and_(daily.c.currency == currency, daily.c.day == day))
    return widened, cast(case((reporting.is_(None), one), (currency == reporting, one), else_=daily.c.rate), FACTOR)


def converted(amount: Expression, rate: Expression) -> Expression:
    """An amount in the reporting currency, exact to four decimals; null without a rate.

    At rate 1 it is the amount itself: a product of wide decimals costs thirty times as much as a sum, and most books
    have one currency.
    """
    return case((rate == 1, amount), else_=cast(times(amount, rate), AMOUNT))


def _daily_rates() -> FromClause:
    """currency, day, rate: the newest rate that serves each day. Spread over its days, a rate is found by an equality:
    a range would be slow.
    """
    rates = fx_rates.c
    offsets = values(sql_column("n", Integer), name="rate_days").data([(n,) for n in range(RATE_DAYS + 1)]).alias()
    day = cast(plus_days(rates.on_date, cast(offsets.c.n, Integer)), Date)
    newest = func.row_number().over(partition_by=[rates.currency, day], order_by=rates.on_date.desc())
    spread = (
        select(rates.currency, day.label("day"), rates.rate, newest.label("newest"))
        .join(offsets, true())
        .where(~rates.deleted)
        .subquery()
    )
    return select(spread.c.currency, spread.c.day, spread.c.rate).where(spread.c.newest == 1).subquery()
