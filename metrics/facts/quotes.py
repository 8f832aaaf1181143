"""Inquiries and the options offered.

`quote_facts`. Grain: one row per inquiry asked by `as_of`. Key: quote_id.
`quote_option_facts`. Grain: one row per option of an answered inquiry. Key: quote_id, option_no.
Stale rows: not tracked. Every run rebuilds both tables.
Source: section 4 (j) (influencing the order).

The dimensions are those of the customer on the day of the inquiry, not those of the resulting order. With the
dimensions of orders, the conversion rate by channel would be 100 %.
"""

from collections.abc import Sequence

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    FromClause,
    Integer,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)

from metrics.facts.customer_contacts import contact, day_at, happened_at, happened_by, minutes_between
from metrics.facts.fact_table import BuildContext, FactTable, fact_table
from metrics.facts.orders import NONE, order_facts_table
from metrics.schema import EXACT_AMOUNT, orders, quote_options, quotes
from metrics.sql.dialects import Expression, Rows, count_if, days_between, greater, typed_null
from metrics.sql.exchange_rates import converted, join_rate

YOUNG_DAYS = 30
"""Inquiries younger than this do not count in conversion rates yet."""
LEAD_TIME_CLASSES = ((3, "up to 3 days"), (7, "4 to 7 days"), (14, "8 to 14 days"))
"""Longest lead times of the default packages A, B and C, with the name of the class. Longer ones are "over 14 days"."""

quote_facts_table = fact_table(
    "quote_facts",
    "quote",
    "one row: one inquiry asked by as_of",
    Column("quote_id", String, comment="quotes.quote_id"),
    Column("asked_day", Date, comment="local day of the inquiry"),
    Column("answered", Boolean, comment="true: answered by as_of"),
    Column(
        "answer_seconds",
        BigInteger,
        comment="seconds from asked to answered, or to as_of if unanswered; rounded to minutes",
    ),
    Column("option_count", BigInteger, comment="options offered in the answer"),
    Column("accepted", Boolean, comment="true: the buyer chose one of them"),
    Column("ordered", Boolean, comment="true: it became an order placed by as_of"),
    Column("young", Boolean, comment=f"true: asked less than {YOUNG_DAYS} days before as_of"),
)

quote_option_facts_table = fact_table(
    "quote_option_facts",
    "option",
    "one row: one option of an inquiry answered by as_of; currency is the option's",
    Column("quote_id", String, comment="quote_options.quote_id"),
    Column("option_no", String, comment="quote_options.option_no"),
    Column("asked_day", Date, comment="local day of the inquiry"),
    Column("lead_time_class", String, comment="class of the offered lead time"),
    Column("accepted", Boolean, comment="true: the buyer chose it"),
    Column("ordered", Boolean, comment="true: the inquiry became an order placed by as_of"),
    Column("young", Boolean, comment=f"true: asked less than {YOUNG_DAYS} days before as_of"),
    Column(
        "quoted_amount",
        EXACT_AMOUNT,
        comment="value of the inquiry, reporting currency, on one option: the accepted, else the cheapest",
    ),
    Column(
        "faster_days",
        Integer,
        comment="days the fastest option saves, on one option of an inquiry with two lead times in one currency",
    ),
    Column(
        "faster_amount",
        EXACT_AMOUNT,
        comment="extra price of the fastest option over the slowest, reporting currency, on the same row",
    ),
)


def quote_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every inquiry asked by as_of, or nothing if no source maps inquiries."""
    if "quotes.quote_id" not in context.mapped:
        return ()
    asked = _asked(context).cte("asked")
    option = quote_options.c
    offered = (
        select(
            option.quote_id,
            func.count().label("option_count"),
            count_if(func.coalesce(option.accepted, False)).label("accepted_n"),
        )
        .where(~option.deleted)
        .group_by(option.quote_id)
        .subquery("offered")
    )
    a = asked.c
    # Before the answer is given, its options are not known.
    count = case((a.answered, func.coalesce(offered.c.option_count, 0)), else_=literal(0, BigInteger))
    values: dict[str, Expression] = {
        "option_count": cast(count, BigInteger),
        "accepted": and_(a.answered, func.coalesce(offered.c.accepted_n, 0) > 0),
    }
    return (
        select(
            *[values[c.name].label(c.name) if c.name in values else a[c.name] for c in quote_facts_table.columns]
        ).select_from(asked.outerjoin(offered, offered.c.quote_id == a.quote_id)),
    )


def option_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every option of an answered inquiry, or nothing if no source maps options."""
    if "quote_options.quote_id" not in context.mapped:
        return ()
    asked = _asked(context).cte("asked")
    priced = _priced(asked, context).cte("priced")
    p = priced.c
    best = (
        select(
            p.quote_id,
            func.min(case((and_(p.lead_time_days == p.fewest_days, p.comparable), p.amount), else_=None)).label(
                "fastest_amount"
            ),
            func.min(case((and_(p.lead_time_days == p.most_days, p.comparable), p.amount), else_=None)).label(
                "slowest_amount"
            ),
        )
        .group_by(p.quote_id)
        .subquery("best")
    )
    first = p.place == 1
    compared = and_(first, p.most_days > p.fewest_days, p.currency_first == p.currency_last)
    values = {
        "quoted_amount": case((first, p.amount), else_=typed_null(EXACT_AMOUNT)),
        "faster_days": case((compared, p.most_days - p.fewest_days), else_=typed_null(Integer())),
        "faster_amount": cast(
            case((compared, best.c.fastest_amount - best.c.slowest_amount), else_=None), EXACT_AMOUNT
        ),
    }
    return (
        select(
            *[values[c.name].label(c.name) if c.name in values else p[c.name] for c in quote_option_facts_table.columns]
        ).select_from(priced.join(best, best.c.quote_id == p.quote_id)),
    )


def _asked(context: BuildContext) -> Rows:
    """Return every inquiry asked by as_of, without its options."""
    q, o = quotes.c, order_facts_table.c
    about = contact(quotes, with_order=False)
    about, asked = about.span(quotes, "asked_at")
    about, answered = about.span(quotes, "answered_at")
    tables, dimensions = about.dimensions(asked.day)
    tables, today = day_at(tables, context.as_of, about.zone)
    # An order that was never loaded counts as ordered. A deleted order, or one placed after as_of, does not.
    tables = tables.outerjoin(order_facts_table, o.order_id == q.order_id).outerjoin(
        orders, orders.c.order_id == q.order_id
    )
    ordered = and_(q.order_id.is_not(None), or_(o.order_id.is_not(None), orders.c.order_id.is_(None)))
    answer_seconds = minutes_between(
        asked.hi, func.coalesce(happened_at(answered, context.as_of), literal(context.as_of, DateTime))
    )
    return (
        select(
            q.quote_id,
            cast(asked.day, Date).label("asked_day"),
            happened_by(answered, context.as_of).label("answered"),
            greater(answer_seconds, literal(0, BigInteger)).label("answer_seconds"),
            ordered.label("ordered"),
            (days_between(asked.day, today) < YOUNG_DAYS).label("young"),
            *dimensions,
        )
        .select_from(tables)
        .where(~q.deleted, happened_by(asked, context.as_of))
    )


def _priced(asked: CTE, context: BuildContext) -> Rows:
    """Return every option of an answered inquiry with its price in the reporting currency.

    place: rank among the options of the inquiry; the option with 1 carries the inquiry's amounts. fewest_days and
    most_days: shortest and longest lead time of the options with a price and a lead time.
    """
    a, option = asked.c, quote_options.c
    tables: FromClause = quote_options.join(asked, a.quote_id == option.quote_id)
    tables, rate = join_rate(tables, option.currency, a.asked_day, context.mapped)
    amount = converted(option.price_amount, rate)
    in_reporting_currency = (
        select(
            *[column for column in a if column.name not in ("currency", "answered", "answer_seconds")],
            option.option_no,
            option.lead_time_days,
            func.coalesce(option.accepted, False).label("accepted"),
            amount.label("amount"),
            and_(option.lead_time_days.is_not(None), amount.is_not(None)).label("comparable"),
            _lead_time_class(option.lead_time_days).label("lead_time_class"),
            func.coalesce(option.currency, literal(NONE, String)).label("currency"),
        )
        .select_from(tables)
        .where(~option.deleted, a.answered)
        .cte("in_reporting_currency")
    )
    c = in_reporting_currency.c
    days = case((c.comparable, c.lead_time_days), else_=None)
    preferred = [case((c.accepted, 0), else_=1), case((c.amount.is_(None), 1), else_=0), c.amount, c.option_no]
    return select(
        *c,
        func.row_number().over(partition_by=c.quote_id, order_by=preferred).label("place"),
        func.min(days).over(partition_by=c.quote_id).label("fewest_days"),
        func.max(days).over(partition_by=c.quote_id).label("most_days"),
        func.min(c.currency).over(partition_by=c.quote_id).label("currency_first"),
        func.max(c.currency).over(partition_by=c.quote_id).label("currency_last"),
    )


def _lead_time_class(days: Expression) -> Expression:
    classes = [(days <= most, literal(name, String)) for most, name in LEAD_TIME_CLASSES]
    return case(
        (days.is_(None), literal(NONE, String)),
        *classes,
        else_=literal(f"over {LEAD_TIME_CLASSES[-1][0]} days", String),
    )


FACT_TABLES: tuple[FactTable, ...] = (
    FactTable(quote_facts_table, quote_rows),
    FactTable(quote_option_facts_table, option_rows),
)
