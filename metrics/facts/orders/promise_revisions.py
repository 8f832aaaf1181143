"""Later promises of each line, and which of them replace the first promise.

A buyer's revision replaces the promise if it arrives by the deadline of the last accepted promise. A seller's revision
never does. A revision to an earlier deadline replaces it only if the seller confirms it: a later revision by the seller
with the same day or an earlier day. Revisions are checked in order of time, and the first one that comes too late ends
the chain: all later revisions miss the same deadline. Source: R1 (anchor date).
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import DateTime, FromClause, and_, case, false, func, literal, or_, select

from metrics.schema import promises
from metrics.sql.dialects import Columns, Expression, Rows, greater
from metrics.sql.moments import moment_span, shifted


def has_revisions(mapped: frozenset[str]) -> bool:
    """Return whether any source maps the history of promises."""
    return "promises.promised_by" in mapped


def rebased_promises(lines: FromClause, *, days: int, hours: Decimal, as_of: datetime) -> Rows:
    """Select the last accepted promise of each line whose buyer moved the first promise.

    Columns: order_id, line_no, promised_by, promised_by_is_date. lines: order_id, line_no, zone, and the first promise
    (promised_by with its flag). days, hours: the tolerance of every deadline.
    """
    p, line = promises.c, lines.c
    tables: FromClause = promises.join(lines, and_(line.order_id == p.order_id, line.line_no == p.line_no))
    tables, changed = moment_span(tables, dict(p.items()), "changed_at", line.zone)
    tables, promise = moment_span(tables, dict(p.items()), "promised_by", line.zone)
    tables, deadline = shifted(
        tables, promise, p.promised_by, p.promised_by_is_date, line.zone, days=days, hours=hours, last=True
    )
    tables, first = moment_span(tables, dict(line.items()), "promised_by", line.zone)
    tables, first_deadline = shifted(
        tables, first, line.promised_by, line.promised_by_is_date, line.zone, days=days, hours=hours, last=True
    )
    by_seller = func.coalesce(p.changed_by, "seller") != "buyer"
    seller_day_later = func.min(case((by_seller, promise.day), else_=None)).over(
        partition_by=[p.order_id, p.line_no], order_by=[changed.hi, p.revision_no], rows=(1, None)
    )
    known = (
        select(
            p.order_id,
            p.line_no,
            p.revision_no,
            p.changed_by,
            p.promised_by,
            p.promised_by_is_date,
            changed.hi.label("changed_at"),
            deadline.label("deadline_at"),
            first_deadline.label("first_deadline_at"),
            promise.day.label("promised_day"),
            seller_day_later.label("seller_day_later"),
        )
        .select_from(tables)
        .where(~p.deleted, changed.hi <= literal(as_of, DateTime))
        .subquery("known_changes")
    )
    accepted = _accepted(known).subquery("accepted_revisions")
    a = accepted.c
    return select(a.order_id, a.line_no, a.promised_by, a.promised_by_is_date).where(a.from_last == 1)


def _accepted(known: FromClause) -> Rows:
    """Select the accepted revisions by the buyer, numbered from the last.

    known: all revisions by `as_of`. A confirmed revision is in force whatever was before. Any other revision is in
    force only if its deadline is at least the deadline in force. The deadline in force is therefore the greatest
    deadline since the last confirmed revision.
    """
    k = known.c
    confirmed = func.coalesce(k.seller_day_later <= k.promised_day, false())
    by_buyer = select(*k, confirmed.label("confirmed")).where(k.changed_by == "buyer").subquery("buyer_revisions")
    c = by_buyer.c

    def so_far(condition: Expression, row: Columns) -> Expression:
        return func.sum(case((condition, 1), else_=0)).over(
            partition_by=[row.order_id, row.line_no], order_by=[row.changed_at, row.revision_no], rows=(None, 0)
        )

    stretch = so_far(c.confirmed, c)
    stretches = select(*c, stretch.label("stretch")).subquery("stretches_of_revisions")
    t = stretches.c
    greatest = func.max(t.deadline_at).over(
        partition_by=[t.order_id, t.line_no, t.stretch], order_by=[t.changed_at, t.revision_no], rows=(None, 0)
    )
    after = case((t.stretch == 0, greater(greatest, t.first_deadline_at)), else_=greatest)
    in_force = select(*t, after.label("in_force_after")).subquery("revisions_in_force")
    f = in_force.c
    before = func.coalesce(
        func.lag(f.in_force_after).over(partition_by=[f.order_id, f.line_no], order_by=[f.changed_at, f.revision_no]),
        f.first_deadline_at,
    )
    tried = select(*f, before.label("in_force_before")).subquery("tried_revisions")
    r = tried.c
    # Without a first promise nothing is in force, and every revision is refused.
    refused = so_far(~func.coalesce(r.changed_at <= r.in_force_before, false()), r)
    chained = select(*r, refused.label("refused_so_far")).subquery("chained_revisions")
    h = chained.c
    last = func.row_number().over(
        partition_by=[h.order_id, h.line_no], order_by=[h.changed_at.desc(), h.revision_no.desc()]
    )
    return select(*h, last.label("from_last")).where(
        h.refused_so_far == 0, or_(h.confirmed, h.deadline_at >= h.in_force_before)
    )


def current_promises(lines: FromClause, *, as_of: datetime) -> Rows:
    """Select the promise with the highest revision by `as_of` of each order line, by buyer or seller.

    Columns: order_id, line_no, promised_by, promised_by_is_date. lines: order_id, line_no, zone.
    """
    p, line = promises.c, lines.c
    tables: FromClause = promises.join(lines, and_(line.order_id == p.order_id, line.line_no == p.line_no))
    tables, changed = moment_span(tables, dict(p.items()), "changed_at", line.zone)
    last = func.row_number().over(partition_by=[p.order_id, p.line_no], order_by=p.revision_no.desc())
    known = (
        select(p.order_id, p.line_no, p.promised_by, p.promised_by_is_date, last.label("from_last"))
        .select_from(tables)
        .where(~p.deleted, changed.hi <= literal(as_of, DateTime))
        .subquery("known_revisions")
    )
    return select(known.c.order_id, known.c.line_no, known.c.promised_by, known.c.promised_by_is_date).where(
        known.c.from_last == 1
    )
