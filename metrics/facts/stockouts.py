"""One row: one stockout event and what came of it (R38).

A line of a sale that did not leave whole by its first promise is one event, unless the order was stopped for credit at
that moment: then it was not the stock that was missing. A row of the feed `stockouts`, demand that never became an
order, is another. The outcome is the first that fits: buyer_lost (no order within the horizon after it), sale_lost
(some of the short quantity was cancelled), back_ordered (it came in a further consignment after one for that order had
left), waited (it came without one), open. The horizon is the assumption `lost_k` times the median gap between the days
on which that buyer had ordered until then (with fewer than three such days: between those of all buyers of the
segment). While it has not passed and the buyer has not ordered again, `buyer_lost` is undecided and the outcome
provisional.

Money is in the reporting currency and null where something it needs is not known. Source: rules R38, R40, section 4
(d); docs/judgement.md.
"""

from collections.abc import Sequence
from datetime import date

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
    SelectBase,
    String,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    select,
    true,
    union,
    union_all,
)

from metrics.facts.assumptions import assumed_column
from metrics.facts.fact_table import ENDS_WITHIN, BuildContext, Changes, FactTable, fact_table, is_new, only_stale
from metrics.facts.order_intervals import HALF, customer_intervals, segment_intervals_table
from metrics.facts.orders import DIMENSION_COLUMNS, NONE, order_facts_table, order_line_facts_table
from metrics.facts.stockout_costs import buyer_margins, extra_costs
from metrics.schema import (
    AMOUNT,
    QTY,
    assumptions,
    customers,
    holds,
    order_events,
    shipment_lines,
    shipments,
    stockouts,
)
from metrics.sql.dialects import (
    MICROSECONDS_A_DAY,
    Expression,
    Rows,
    count_if,
    days_between,
    percentile,
    plus_days,
    plus_microseconds,
    times,
    typed_null,
)
from metrics.sql.exchange_rates import converted
from metrics.sql.moments import moment_span

FIRST_PASS, RECEIPT, UNORDERED = "first pass", "receipt", "unordered"
"""How an event was seen: a line short when it was to leave; a line short of what came (no source maps shipped_at);
demand before any order.
"""

OUTCOMES = ("waited", "back_ordered", "sale_lost", "buyer_lost")
OPEN = "open"

EARLIER_DAYS = 3
"""Days on which a buyer must have ordered before for their own gap to count."""


stockout_facts_table = fact_table(
    "stockout_facts",
    "stockout",
    "one row: one stockout event and what came of it",
    Column("stockout_source", String, comment="first pass, receipt or unordered: how it was seen"),
    Column("order_id", String, comment="the order line that was short; empty for unordered demand"),
    Column("line_no", String, comment="the order line that was short; empty for unordered demand"),
    Column("stockout_id", String, comment="stockouts.stockout_id; empty for order lines"),
    Column("product_id", String, comment="what was wanted"),
    Column("event_at", DateTime, comment="the first promise, or when it was wanted (end of its span), UTC"),
    Column("event_day", Date, comment="due day of the line, or local day it was wanted"),
    Column("short_qty", QTY, comment="missing, base unit; empty: not known"),
    Column(
        "gap_days",
        Integer,
        comment="median days between orders, the buyer's or else the segment's; empty: nobody ordered twice",
    ),
    Column("gap_is_own", Boolean, comment="true: `gap_days` is the buyer's; false: the segment's"),
    Column("horizon_day", Date, comment="last day on which an order shows that the buyer is not lost"),
    Column("outcome", String, comment="waited, back_ordered, sale_lost, buyer_lost or open"),
    Column("provisional", Boolean, comment="true: the buyer may still turn out lost"),
    Column("margin_amount", AMOUNT, comment="margin of the short quantity, reporting currency"),
    Column(
        "extra_amount",
        AMOUNT,
        comment="extra freight and handling of the order's back-order consignments, on its first back-ordered line",
    ),
    Column(
        "buyer_margin_amount",
        AMOUNT,
        comment="of a lost buyer: margin of the 12 months before, times the years assumed",
    ),
    Column("cost_amount", AMOUNT, comment="what the event cost by its outcome; empty: open, or not known"),
)


def select_rows(connection: Connection, context: BuildContext) -> Sequence[Rows]:
    """One SELECT of every event by `as_of`."""
    on = context.as_of.date()
    found = _short_lines(context)
    if "stockouts.wanted_at" in context.mapped:
        found = select(union_all(found, _unordered(context)).subquery("both_kinds"))
    events = found.cte("stockout_events")
    left = _left(events, context) if "shipments.shipped_at" in context.mapped else None
    timed = _timed(connection, events, context, on).cte("timed_stockouts")
    decided = _decided(timed, left).cte("decided_stockouts")
    return (_costed(connection, decided, left, context, on),)


def _stale_keys(changed: Changes, context: BuildContext) -> SelectBase:
    """The customers whose events may be others now: their orders changed or share a consignment with one that did, a
    horizon may have passed, or what stands in for what is not known of them has changed. All of them, where an
    assumption has.
    """
    e, o, line, other = stockout_facts_table.c, order_facts_table.c, shipment_lines.c, shipment_lines.alias("beside").c
    beside = shipment_lines.join(changed.orders, changed.orders.c.order_id == line.order_id)
    seldom = stockout_facts_table.outerjoin(segment_intervals_table, segment_intervals_table.c.segment == e.segment)
    assumed = assumptions.c
    valid_since = assumed.valid_from.between(literal(changed.since.date(), Date), literal(context.as_of.date(), Date))
    reassumed = select(assumed.assumption).where(or_(is_new(assumptions), valid_since)).exists()
    demand = stockout_facts_table.join(stockouts, stockouts.c.stockout_id == e.stockout_id)
    around = literal(changed.since - ENDS_WITHIN, DateTime)
    newly_wanted = or_(is_new(stockouts), and_(stockouts.c.wanted_at_is_date, stockouts.c.wanted_at > around))
    return union(
        select(changed.customers.c.customer_id),
        select(o.customer_id)
        .select_from(beside)
        .where(other.shipment_id == line.shipment_id, other.order_id != line.order_id, o.order_id == other.order_id),
        select(e.customer_id).where(
            e.provisional, e.horizon_day <= literal((context.as_of + ENDS_WITHIN).date(), Date)
        ),
        select(e.customer_id)
        .select_from(seldom)
        .where(~e.gap_is_own, e.gap_days.is_distinct_from(segment_intervals_table.c.gap_days)),
        select(stockouts.c.customer_id).where(newly_wanted),
        select(e.customer_id).select_from(demand).where(is_new(stockouts)),
        select(customers.c.customer_id).where(is_new(customers)),
        select(e.customer_id).where(reassumed),
    )


FACT_TABLES = (FactTable(stockout_facts_table, select_rows, key="customer_id", stale_keys=_stale_keys),)


def _short_lines(context: BuildContext) -> Rows:
    """Events of order lines. came: the line is complete by now; closed: some short quantity was cancelled."""
    line = order_line_facts_table.c
    if "shipments.shipped_at" in context.mapped:
        source, is_short, arrived = FIRST_PASS, line.first_pass_full.is_(False), line.first_pass_qty
    else:
        source, is_short, arrived = RECEIPT, line.complete.is_(False), line.filled_qty
    short = cast(line.owed_qty - arrived, QTY)
    tables = only_stale(order_line_facts_table, line.customer_id, context)
    conditions: list[Expression] = [line.state == "judged", is_short]
    if (held := _held(context)) is not None:
        tables = tables.outerjoin(held, and_(held.c.order_id == line.order_id, held.c.line_no == line.line_no))
        conditions.append(held.c.order_id.is_(None))
    values: dict[str, Expression] = {
        "stockout_source": literal(source, String),
        "order_id": line.order_id,
        "line_no": line.line_no,
        "stockout_id": typed_null(String()),
        "product_id": line.product_id,
        "event_at": line.first_due_at,
        "event_day": line.due_day,
        "short_qty": short,
        "margin_amount": _margin(short, order_line_facts_table),
    }
    return (
        select(
            *[value.label(name) for name, value in values.items()],
            func.coalesce(line.complete, false()).label("came"),
            (line.cancelled_short_qty > 0).label("closed"),
            typed_null(String()).label("own_outcome"),
            typed_null(Boolean()).label("ordered_later"),
            *[line[name] for name in DIMENSION_COLUMNS],
        )
        .select_from(tables)
        .where(*conditions)
    )


def _margin(quantity: Expression, lines: FromClause) -> Expression:
    """Margin of a quantity at the line's price and the product's cost, reporting currency; a unit cost has no other."""
    line = lines.c
    price = converted(cast(times(quantity, line.unit_price_amount), AMOUNT), line.rate)
    return cast(price - cast(times(quantity, line.unit_cost_amount), AMOUNT), AMOUNT)


def _held(context: BuildContext) -> FromClause | None:
    """Lines whose order was stopped for credit at the first promise (order_id, line_no); None where no source says.

    `holds` comes first; else the time between two attempts at step 10, where credit is verified, stands in (R28).
    """
    line, o = order_line_facts_table.c, order_facts_table.c
    lines = only_stale(
        order_line_facts_table.join(order_facts_table, o.order_id == line.order_id), line.customer_id, context
    )
    if "holds.placed_at" in context.mapped:
        hold = holds.c
        tables, began = moment_span(
            lines.join(holds, hold.order_id == line.order_id), dict(hold.items()), "placed_at", o.ship_to_time_zone
        )
        tables, ended = moment_span(tables, dict(hold.items()), "released_at", o.ship_to_time_zone)
        conditions = [hold.kind == "credit", ~hold.deleted]
        not_over: Expression = func.coalesce(ended.lo > line.first_due_at, true())
    elif "order_events.finished_at" in context.mapped:
        first, again = order_events.alias("attempt"), order_events.alias("next_attempt")
        both = and_(
            again.c.order_id == first.c.order_id, again.c.step == first.c.step, again.c.event_no == first.c.event_no + 1
        )
        attempts = lines.join(first, first.c.order_id == line.order_id).join(again, both)
        tables, began = moment_span(attempts, dict(first.c.items()), "finished_at", o.ship_to_time_zone)
        tables, ended = moment_span(tables, dict(again.c.items()), "started_at", o.ship_to_time_zone)
        conditions = [
            first.c.step == 10,
            ~first.c.deleted,
            ~again.c.deleted,
            ended.hi <= literal(context.as_of, DateTime),
        ]
        not_over = ended.lo > line.first_due_at
    else:
        return None
    covers = and_(began.hi <= line.first_due_at, not_over)
    return (
        select(line.order_id, line.line_no)
        .select_from(tables)
        .where(*conditions, covers)
        .distinct()
        .subquery("held_lines")
    )


_FOR_EVER = date(9999, 12, 31)


def _unordered(context: BuildContext) -> Rows:
    """Events of the feed. Price, cost, currency and category are those of the buyer's latest order of the product until
    then; a buyer who never ordered it but always orders in one currency has that.
    """
    s, line, c = stockouts.c, order_line_facts_table.c, customers.c
    wanted_day = cast(s.wanted_at, Date)
    wanted_end = case(
        (s.wanted_at_is_date, plus_microseconds(s.wanted_at, literal(MICROSECONDS_A_DAY - 1, BigInteger))),
        else_=s.wanted_at,
    )
    instants = and_(~line.ordered_at_is_date, ~s.wanted_at_is_date)
    later = case((instants, line.ordered_at > s.wanted_at), else_=line.ordered_day > wanted_day)
    same = and_(line.customer_id == s.customer_id, line.product_id == s.product_id, line.state != "excluded")
    place = (
        func.row_number()
        .over(partition_by=s.stockout_id, order_by=(line.ordered_day.desc(), line.order_id, line.line_no))
        .label("place")
    )
    wanted = only_stale(stockouts, s.customer_id, context)
    ordered = wanted.join(order_line_facts_table, same)
    bought_later = select(s.stockout_id).select_from(ordered).where(later).distinct().subquery("bought_later")
    ranked = (
        select(
            s.stockout_id,
            line.unit_price_amount,
            line.unit_cost_amount,
            line.rate,
            line.currency,
            line.product_category,
            place,
        )
        .select_from(ordered)
        .where(~later)
        .subquery("bought_before")
    )
    until = func.coalesce(
        func.lead(c.valid_from).over(partition_by=c.customer_id, order_by=c.valid_from), cast(literal(_FOR_EVER), Date)
    )
    version = (
        select(c.customer_id, c.service_segment, c.region, c.valid_from, until.label("valid_until"))
        .where(~c.deleted)
        .subquery("customer_versions")
    )
    o = order_facts_table.c
    only_currency = (
        select(o.customer_id, func.min(o.currency).label("currency"))
        .select_from(only_stale(order_facts_table, o.customer_id, context))
        .group_by(o.customer_id)
        .having(func.min(o.currency) == func.max(o.currency))
        .subquery("only_currencies")
    )
    v, last = version.c, ranked.c
    currency = func.coalesce(last.currency, only_currency.c.currency)
    known = {"customer_id": s.customer_id, "segment": v.service_segment, "region": v.region, "currency": currency}
    known["product_category"] = last.product_category
    values: dict[str, Expression] = {
        "stockout_source": literal(UNORDERED, String),
        "order_id": typed_null(String()),
        "line_no": typed_null(String()),
        "stockout_id": s.stockout_id,
        "product_id": s.product_id,
        "event_at": wanted_end,
        "event_day": wanted_day,
        "short_qty": s.wanted_qty,
        "margin_amount": _margin(s.wanted_qty, ranked),
    }
    return (
        select(
            *[value.label(name) for name, value in values.items()],
            false().label("came"),
            false().label("closed"),
            case((s.outcome.in_(OUTCOMES), s.outcome), else_=None).label("own_outcome"),
            bought_later.c.stockout_id.is_not(None).label("ordered_later"),
            *[
                func.coalesce(known.get(name, literal(NONE, String)), literal(NONE, String)).label(name)
                for name in DIMENSION_COLUMNS
            ],
        )
        .select_from(
            wanted.outerjoin(
                version, and_(v.customer_id == s.customer_id, v.valid_from <= wanted_day, v.valid_until > wanted_day)
            )
            .outerjoin(ranked, and_(last.stockout_id == s.stockout_id, last.place == 1))
            .outerjoin(bought_later, bought_later.c.stockout_id == s.stockout_id)
            .outerjoin(only_currency, only_currency.c.customer_id == s.customer_id)
        )
        .where(~s.deleted, wanted_end <= literal(context.as_of, DateTime))
    )


def _timed(connection: Connection, events: CTE, context: BuildContext, on: date) -> Rows:
    """Events with the buyer's gap and horizon, and whether they ordered again within it. Gaps are between days: two
    orders of one day are one.
    """
    e, of_segment = events.c, segment_intervals_table
    gaps = customer_intervals(context).cte("order_gaps")
    moments = select(e.customer_id, e.event_day).distinct().subquery("event_days")
    earlier = gaps.c.ordered_day <= moments.c.event_day
    buyers = (
        select(
            moments.c.customer_id,
            moments.c.event_day,
            count_if(earlier).label("earlier"),
            percentile(HALF, case((earlier, gaps.c.gap), else_=None)).label("gap"),
            func.min(case((earlier, None), else_=gaps.c.ordered_day)).label("next_day"),
        )
        .join(gaps, gaps.c.customer_id == moments.c.customer_id)
        .group_by(moments.c.customer_id, moments.c.event_day)
        .subquery("buyers")
    )
    own = func.coalesce(buyers.c.earlier >= EARLIER_DAYS, false())
    gap = case((own, buyers.c.gap), else_=of_segment.c.gap_days)
    k = assumed_column(connection, "lost_k", customer_id=e.customer_id, segment=e.segment, on=on)
    joined = events.outerjoin(
        buyers, and_(buyers.c.customer_id == e.customer_id, buyers.c.event_day == e.event_day)
    ).outerjoin(of_segment, of_segment.c.segment == e.segment)
    reach = select(
        *e, cast(gap, Integer).label("gap_days"), own.label("gap_is_own"), cast(func.floor(k * gap), Integer).label("horizon"), buyers.c.next_day
    ).select_from(joined).subquery("reaching")  # fmt: skip
    r = reach.c
    ends = plus_microseconds(r.event_at, cast(r.horizon, BigInteger) * MICROSECONDS_A_DAY)
    # Nobody's gap known: any later order shows that the buyer is not lost.
    within = func.coalesce(days_between(r.event_day, r.next_day) <= r.horizon, true())
    return select(
        *[column for column in r if column.name not in ("horizon", "next_day")],
        cast(plus_days(r.event_day, r.horizon), Date).label("horizon_day"),
        and_(r.next_day.is_not(None), within).label("came_back"),
        func.coalesce(ends <= literal(context.as_of, DateTime), false()).label("horizon_over"),
    )


def _decided(timed: CTE, left: CTE | None) -> Rows:
    """Events with their outcome: the first that fits. left: what had left; None where no source says when."""
    t = timed.c
    lost = and_(t.horizon_over, ~t.came_back)
    tables: FromClause = timed
    further: Expression = false()
    if left is not None:
        of_order = (
            select(left.c.order_id, func.min(left.c.left_at).label("first_at"))
            .group_by(left.c.order_id)
            .subquery("first_left")
        )
        of_line = (
            select(left.c.order_id, left.c.line_no, func.max(left.c.left_at).label("last_at"))
            .group_by(left.c.order_id, left.c.line_no)
            .subquery("last_left")
        )
        tables = timed.outerjoin(of_order, of_order.c.order_id == t.order_id).outerjoin(
            of_line, and_(of_line.c.order_id == t.order_id, of_line.c.line_no == t.line_no)
        )
        further = func.coalesce(of_line.c.last_at > of_order.c.first_at, false())
    of_line_event = case(
        (lost, "buyer_lost"),
        (t.closed, "sale_lost"),
        (and_(t.came, further), "back_ordered"),
        (t.came, "waited"),
        else_=OPEN,
    )
    of_demand = case((t.own_outcome.is_not(None), t.own_outcome), (t.ordered_later, "waited"), else_="sale_lost")
    unordered = t.stockout_source == UNORDERED
    undecided = and_(~t.horizon_over, ~t.came_back)
    settled_demand = or_(t.own_outcome.is_not(None), t.ordered_later)
    return select(
        *t,
        case((unordered, of_demand), else_=of_line_event).label("outcome"),
        case((unordered, and_(undecided, ~settled_demand)), else_=undecided).label("provisional"),
    ).select_from(tables)


def _left(events: CTE, context: BuildContext) -> CTE:
    """What had left by `as_of` for orders with an event: order, line, consignment and when."""
    o, body, header = order_facts_table.c, shipment_lines.c, shipments.c
    wanted = select(events.c.order_id).where(events.c.order_id.is_not(None)).distinct().subquery("short_orders")
    tables: FromClause = (
        shipment_lines.join(wanted, wanted.c.order_id == body.order_id)
        .join(order_facts_table, o.order_id == body.order_id)
        .join(shipments, and_(header.shipment_id == body.shipment_id, ~header.deleted))
    )
    tables, shipped = moment_span(tables, dict(header.items()), "shipped_at", o.ship_to_time_zone)
    return (
        select(body.order_id, body.line_no, body.shipment_id, shipped.hi.label("left_at"))
        .select_from(tables)
        .where(~body.deleted, body.shipped_qty > 0, shipped.hi <= literal(context.as_of, DateTime))
        .cte("left_by_now")
    )


def _costed(connection: Connection, decided: CTE, left: CTE | None, context: BuildContext, on: date) -> Rows:
    """Events with what they cost: columns of `stockout_facts`."""
    d = decided.c
    tables: FromClause = decided
    extra: Expression = typed_null(AMOUNT)
    if left is not None and {"shipments.freight_amount", "service_costs.amount"} & context.mapped:
        of_order = extra_costs(decided, left, context)
        tables = tables.outerjoin(of_order, and_(of_order.c.order_id == d.order_id, of_order.c.line_no == d.line_no))
        extra = of_order.c.amount
    buyer_margin: Expression = typed_null(AMOUNT)
    if "invoice_lines.line_amount" in context.mapped:
        of_buyer = buyer_margins(decided)
        tables = tables.outerjoin(
            of_buyer, and_(of_buyer.c.customer_id == d.customer_id, of_buyer.c.event_day == d.event_day)
        )
        years = assumed_column(connection, "customer_years", customer_id=d.customer_id, segment=d.segment, on=on)
        buyer_margin = case((d.outcome == "buyer_lost", cast(times(of_buyer.c.amount, years), AMOUNT)), else_=None)
    wait = cast(assumed_column(connection, "wait_cost", customer_id=d.customer_id, segment=d.segment, on=on), AMOUNT)
    costs = {
        "waited": wait,
        "back_ordered": extra,
        "sale_lost": d.margin_amount,
        "buyer_lost": d.margin_amount + buyer_margin,
    }
    made = {
        "extra_amount": extra,
        "buyer_margin_amount": buyer_margin,
        "cost_amount": case(*[(d.outcome == outcome, cost) for outcome, cost in costs.items()], else_=None),
    }
    return select(
        *[
            cast(made.get(column.name, d.get(column.name)), column.type).label(column.name)
            for column in stockout_facts_table.columns
        ]
    ).select_from(tables)
