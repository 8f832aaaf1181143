"""Later promises of each line, and which of them replace the first promise.

A buyer's revision replaces the promise if it arrives by the deadline of the last accepted promise. A seller's revision
never does. Revisions are checked in order of time, and the first refused revision ends the chain: all later revisions
miss the same deadline. Source: R1 (anchor date).
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import DateTime, FromClause, and_, case, func, literal, select

from metrics.schema import promises
from metrics.sql.dialects import Rows
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
    by_buyer = (
        select(
            p.order_id,
            p.line_no,
            p.revision_no,
            p.promised_by,
            p.promised_by_is_date,
            changed.hi.label("changed_at"),
            deadline.label("deadline_at"),
            first_deadline.label("first_deadline_at"),
        )
        .select_from(tables)
        .where(~p.deleted, p.changed_by == "buyer", changed.hi <= literal(as_of, DateTime))
        .subquery("buyer_revisions")
    )
    t = by_buyer.c
    grain, in_time = [t.order_id, t.line_no], [t.changed_at, t.revision_no]
    in_force = func.coalesce(func.lag(t.deadline_at).over(partition_by=grain, order_by=in_time), t.first_deadline_at)
    refused = case((t.changed_at <= in_force, 0), else_=1)
    tried = select(*t, refused.label("refused")).subquery("tried_revisions")
    r = tried.c
    so_far = func.sum(r.refused).over(
        partition_by=[r.order_id, r.line_no], order_by=[r.changed_at, r.revision_no], rows=(None, 0)
    )
    chained = select(*r, so_far.label("refused_so_far")).subquery("chained_revisions")
    c = chained.c
    last = func.row_number().over(
        partition_by=[c.order_id, c.line_no], order_by=[c.changed_at.desc(), c.revision_no.desc()]
    )
    accepted = select(*c, last.label("from_last")).where(c.refused_so_far == 0).subquery("accepted_revisions")
    a = accepted.c
    return select(a.order_id, a.line_no, a.promised_by, a.promised_by_is_date).where(a.from_last == 1)


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
