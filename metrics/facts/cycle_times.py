"""Cycle times of each order, and its promises.

Grain: one row per sale order. Key: order_id.
Stale rows: those of orders that the run judges again. A cycle time depends on the records of its own order only.
Source: R1 (anchor date), R26 (working time), R27 (orders placed ahead), R28 (holds), R29 (buyer-caused delay), R30
(spread and percentiles), section 3 (direct evidence), section 4 (c) (cycle time) and (g) (communications and
dependability).

The gross clock runs from the order to its arrival. The net clock starts later for orders placed ahead, and stops
during holds caused by the buyer.
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
    false,
    func,
    literal,
    select,
)

from metrics.facts.buyer_caused_delays import buyer_caused
from metrics.facts.fact_table import BuildContext, FactTable, fact_table, only_stale, order_dimensions
from metrics.facts.holds import net_clock_stops, stopped_seconds
from metrics.facts.orders import NONE, SEVERAL, order_facts_table, order_line_facts_table
from metrics.facts.versions import valid_on, versions
from metrics.schema import orders, promises, service_packages
from metrics.sql.business_hours import has_calendars, with_calendar, working_seconds
from metrics.sql.dialects import (
    Expression,
    Rows,
    count_if,
    days_between,
    greater,
    lesser,
    plus_days,
    seconds_between,
    typed_null,
)
from metrics.sql.moments import day_bounds, moment_span, moved_by_days, span_of

AHEAD, NOT_AHEAD = "ordered ahead", "not ordered ahead"

cycle_facts_table = fact_table(
    "cycle_facts",
    "order",
    "one row: one sale order with its cycle times and promises",
    Column("order_id", String, comment="orders.order_id"),
    Column("state", String, comment="judged, pending or excluded"),
    Column("ordered_day", Date, comment="local day it was ordered"),
    Column("due_day", Date, comment="local day it was due"),
    Column(
        "arrived_day", Date, comment="local day on which its last needed goods arrived; null: a line has not arrived"
    ),
    Column("on_time", Boolean, comment="the order's verdict"),
    Column(
        "on_time_attributable",
        Boolean,
        comment="true: on time, or late because of the buyer (R29); null: on_time is null",
    ),
    Column("complete", Boolean, comment="true: everything owed has arrived, also for pending orders"),
    Column("cycle_days", Integer, comment="days from order to arrival"),
    Column("cycle_days_net", Integer, comment="days from the net clock's start (R27) to arrival, not below 0"),
    Column("cycle_seconds", BigInteger, comment="seconds from order to arrival; null: one of the two is a bare date"),
    Column(
        "cycle_seconds_net",
        BigInteger,
        comment="seconds from the net clock's start to arrival, less holds (R27, R28); null as above",
    ),
    Column("held_seconds", BigInteger, comment="seconds for which holds stopped the net clock; null as above"),
    Column(
        "business_seconds",
        BigInteger,
        comment="working time from order to arrival (R26); null as above, or no calendar covers all days",
    ),
    Column("promise_changes_seller", Integer, comment="promises of lines that the seller changed by as_of"),
    Column("promise_changes_buyer", Integer, comment="promises of lines that the buyer changed by as_of"),
    Column(
        "window_granted",
        Boolean,
        comment="true: promised inside the requested window; null: no window requested, or nothing promised",
    ),
    Column("window_asked", Boolean, comment="true: the buyer requested a window"),
    Column("basis", String, comment="basis of the first promise: ATP, ATD, several or none"),
    Column(
        "ordered_ahead",
        String,
        comment="ordered ahead, or not: longer before the request than the package's lead time (R27)",
    ),
)


o = order_facts_table.c


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return the cycle times and promises of every sale order."""
    base = _clocked(context).cte("clocked")
    b = base.c
    tables: FromClause = order_facts_table.join(base, b.order_id == o.order_id)
    hold_seconds: Expression = literal(0, BigInteger)
    stops = net_clock_stops(base, context)
    if stops is not None:
        stopped = stopped_seconds(base, stops).subquery("stopped")
        tables = tables.outerjoin(stopped, stopped.c.order_id == o.order_id)
        hold_seconds = func.coalesce(stopped.c.seconds, literal(0, BigInteger))
    worked: Expression = typed_null(BigInteger())
    if has_calendars(context.mapped):
        clocks = _delivery_clocks(base).cte("delivery_clocks")
        work = working_seconds(clocks).subquery("work")
        tables = tables.outerjoin(work, work.c.order_id == o.order_id)
        worked = work.c.seconds
    tables, changes, basis = _with_promises(tables, base, context)
    tables, by_buyer = buyer_caused(tables, base, context)
    short = _short_lines(context).subquery("short")
    tables = tables.outerjoin(short, short.c.order_id == o.order_id)
    arrived_complete = case(
        (o.state == "judged", o.complete), else_=and_(o.settled_at.is_not(None), func.coalesce(short.c.short_n, 0) == 0)
    )
    exact = b.cycle_seconds.is_not(None)
    return (
        select(
            o.order_id,
            o.state,
            o.ordered_day,
            o.due_day,
            o.arrived_day,
            o.on_time,
            case((o.on_time.is_(False), by_buyer), else_=o.on_time).label("on_time_attributable"),
            cast(arrived_complete, Boolean).label("complete"),
            o.cycle_days,
            b.cycle_days_net,
            b.cycle_seconds,
            case((exact, b.net_seconds - hold_seconds), else_=None).label("cycle_seconds_net"),
            case((exact, hold_seconds), else_=None).label("held_seconds"),
            case((exact, worked), else_=None).label("business_seconds"),
            cast(changes["seller"], Integer).label("promise_changes_seller"),
            cast(changes["buyer"], Integer).label("promise_changes_buyer"),
            b.window_granted,
            b.window_asked,
            basis.label("basis"),
            b.ordered_ahead,
            *order_dimensions(),
        ).select_from(tables),
    )


def _with_promises(
    tables: FromClause, base: CTE, context: BuildContext
) -> tuple[FromClause, dict[str, Expression], Expression]:
    """Join the promises of each order. Return the FROM clause, the changes by seller and buyer, and the basis."""
    changes: dict[str, Expression] = dict.fromkeys(("seller", "buyer"), literal(0, Integer))
    if "promises.promised_by" not in context.mapped:
        return tables, changes, literal(NONE, String)
    promised = _promises(base, context).subquery("promised")
    tables = tables.outerjoin(promised, promised.c.order_id == o.order_id)
    changes = {by: func.coalesce(promised.c[by], 0) for by in changes}
    basis = func.coalesce(
        case((promised.c.basis_first == promised.c.basis_last, promised.c.basis_first), else_=SEVERAL), NONE
    )
    return tables, changes, case((promised.c.basis_first.is_(None), NONE), else_=basis)


def _sales(context: BuildContext) -> FromClause:
    """Return sale orders joined to their facts, limited to stale orders in a partial rebuild."""
    tables: FromClause = orders.join(order_facts_table, and_(o.order_id == orders.c.order_id, o.order_type == "sale"))
    return only_stale(tables, o.order_id, context)


def _lines(context: BuildContext) -> FromClause:
    """Return line facts, limited to stale orders in a partial rebuild."""
    return only_stale(order_line_facts_table, order_line_facts_table.c.order_id, context)


def _clocked(context: BuildContext) -> Rows:
    """Return per sale order the gross clock, the start of the net clock and the granted window.

    Source: R27 (orders placed ahead).
    """
    zone, header = o.ship_to_time_zone, dict(orders.c.items())
    tables = _sales(context)
    tables, ordered = moment_span(tables, header, "ordered_at", zone)
    spans = {}
    for name in ("requested_from", "requested_by", "promised_from", "promised_by"):
        tables, spans[name] = moment_span(tables, header, name, zone)
    asked = _latest_requests(context).subquery("asked")
    tables = tables.outerjoin(asked, asked.c.order_id == o.order_id)
    lead: Expression = typed_null(Integer())
    if "service_packages.lead_time_days_max" in context.mapped:
        package = versions(service_packages, ("service_segment",), ("lead_time_days_max",))
        tables = tables.outerjoin(package, valid_on(package, o.ordered_day, service_segment=o.segment))
        lead = package.c.lead_time_days_max
    net_day = cast(plus_days(o.requested_day, -lead), Date)
    tables, _, arrival_day_ends = day_bounds(tables, o.arrived_day, zone)
    tables, _, request_day_ends = day_bounds(tables, o.requested_day, zone)
    tables, net_day_starts, _ = day_bounds(tables, net_day, zone)
    # A requested bare date starts at the beginning of its day. A requested hour keeps its time on the earlier day.
    tables, request = span_of(tables, asked.c.request_at, false(), zone)
    tables, earlier, _ = moved_by_days(tables, asked.c.request_at, request.day, zone, -lead)
    starts_at = case((asked.c.request_at == request_day_ends, net_day_starts), else_=earlier)
    ahead = func.coalesce(net_day > o.ordered_day, false())
    net_start = case((starts_at > ordered.hi, starts_at), else_=ordered.hi)
    exact = and_(~o.ordered_at_is_date, o.settled_at.is_not(None), o.settled_at != arrival_day_ends)
    net_from = lesser(net_start, o.settled_at)
    start_day = case((ahead, net_day), else_=o.ordered_day)
    window = and_(orders.c.requested_from.is_not(None), orders.c.requested_by.is_not(None))
    inside = and_(
        func.coalesce(spans["promised_from"].lo >= spans["requested_from"].lo, false()),
        func.coalesce(spans["promised_by"].hi <= spans["requested_by"].hi, false()),
    )
    return select(
        o.order_id,
        o.ordered_day,
        o.arrived_day,
        zone.label("zone"),
        orders.c.ship_to,
        ordered.hi.label("from_at"),
        o.settled_at.label("until_at"),
        o.deadline_at,
        net_from.label("net_from_at"),
        case((exact, seconds_between(ordered.hi, o.settled_at)), else_=typed_null(BigInteger())).label("cycle_seconds"),
        case((exact, seconds_between(net_from, o.settled_at)), else_=typed_null(BigInteger())).label("net_seconds"),
        case(
            (o.arrived_day.is_not(None), greater(days_between(start_day, o.arrived_day), literal(0, Integer))),
            else_=None,
        ).label("cycle_days_net"),
        case((and_(window, orders.c.promised_by.is_not(None)), inside), else_=typed_null(Boolean())).label(
            "window_granted"
        ),
        window.label("window_asked"),
        case((ahead, AHEAD), else_=NOT_AHEAD).label("ordered_ahead"),
    ).select_from(tables)


def _latest_requests(context: BuildContext) -> Rows:
    """Return the latest requested instant of the goods lines owed of each order."""
    line = order_line_facts_table.c
    return (
        select(line.order_id, func.max(line.request_at).label("request_at"))
        .select_from(_lines(context))
        .where(line.state != "excluded")
        .group_by(line.order_id)
    )


def _delivery_clocks(base: CTE) -> Rows:
    """Return the gross clocks with the calendar of each."""
    b = base.c
    tables, calendar_id = with_calendar(base, b.ship_to)
    return (
        select(
            b.order_id,
            calendar_id.label("calendar_id"),
            b.ordered_day.label("first_day"),
            b.arrived_day.label("last_day"),
            b.from_at,
            b.until_at,
        )
        .select_from(tables)
        .where(b.cycle_seconds.is_not(None))
    )


def _promises(base: CTE, context: BuildContext) -> Rows:
    """Return per order the promises that seller and buyer changed by as_of, and the basis of the first promises."""
    b, p = base.c, promises.c
    tables: FromClause = promises.join(base, b.order_id == p.order_id)
    tables, changed = moment_span(tables, dict(p.items()), "changed_at", b.zone)
    place = func.row_number().over(partition_by=[p.order_id, p.line_no], order_by=p.revision_no)
    by = func.coalesce(p.changed_by, "seller")
    known = (
        select(p.order_id, p.revision_no, p.basis, by.label("changed_by"), place.label("place"))
        .select_from(tables)
        .where(~p.deleted, changed.hi <= literal(context.as_of, DateTime))
        .subquery("known_promises")
    )
    k = known.c
    basis = case((k.place == 1, k.basis), else_=None)
    return select(
        k.order_id,
        count_if(and_(k.revision_no > 1, k.changed_by == "seller")).label("seller"),
        count_if(and_(k.revision_no > 1, k.changed_by == "buyer")).label("buyer"),
        func.min(basis).label("basis_first"),
        func.max(basis).label("basis_last"),
    ).group_by(k.order_id)


def _short_lines(context: BuildContext) -> Rows:
    """Return the number of lines of each order that have not arrived in full."""
    line = order_line_facts_table.c
    short = and_(line.state != "excluded", line.filled_qty < line.owed_qty, ~line.in_quarantine)
    return select(line.order_id, count_if(short).label("short_n")).select_from(_lines(context)).group_by(line.order_id)


FACT_TABLES: tuple[FactTable, ...] = (FactTable(cycle_facts_table, select_rows, key="order_id"),)
