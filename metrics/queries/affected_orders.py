"""Orders whose verdicts another policy may change, so that all others need no judging again.

Each SELECT returns `order_id`. It may name too many orders, and never too few.
"""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import CTE, BigInteger, Connection, and_, case, false, func, literal, or_, select, true, union_all

from metrics.facts.anchor_dates import anchor_facts_table, request_differs
from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import facts_state, order_facts_table, order_line_facts_table
from metrics.facts.orders.in_quarantine import all_order_lines, all_orders
from metrics.facts.orders.promise_revisions import has_revisions
from metrics.policy import STRICT, Anchor, Policy
from metrics.schema import promises, restated_quantities
from metrics.sql.dialects import Rows, count_if, greater, lesser, plus_microseconds

MARGIN_DAYS = 3
"""Days added to a tolerance before a line counts as too late for it, or a date as passed.

A bare date lasts a day, begins up to 14 hours from midnight in UTC, and clock changes move a deadline by hours.
"""
_TOLERANCES = {"late_tolerance_days", "late_tolerance_hours"}

_order, _line = order_facts_table.c, order_line_facts_table.c


def changed_by_policies(connection: Connection, policies: Sequence[Policy]) -> Rows | None:
    """Select the orders whose verdicts under a policy may differ from the strict ones; None: any order may.

    Another anchor date changes only orders whose dates differ. A later deadline changes only the orders of
    `_changed_by_later_deadline`, and those whose buyer moved the promise: the deadline decides whether that was in
    time.
    """
    as_of, known = as_of_facts(connection), mapped(connection)
    parts = [select(_order.order_id).where(false())]
    for policy in policies:
        changed = {one.name for one in fields(Policy) if getattr(policy, one.name) != getattr(STRICT, one.name)}
        if changed - _TOLERANCES - {"anchor"}:
            return None
        if policy.anchor is Anchor.REQUESTED:
            parts.append(select(_line.order_id).where(request_differs()))
        if policy.anchor is Anchor.CURRENT_PROMISE and has_revisions(known):
            parts.append(select(promises.c.order_id))
        if changed & _TOLERANCES:
            parts += _changed_by_later_deadline(policy, as_of)
            if has_revisions(known):
                parts.append(select(promises.c.order_id).where(promises.c.changed_by == "buyer"))
    return _distinct(parts)


def changed_by_later_promise(connection: Connection, policy: Policy) -> Rows:
    """Select the orders whose `on_time` may differ from the one by the current promise (`anchor_facts`).

    policy: by the current promise, with a tolerance. An order whose current promise is another one than the first, and
    that is not in time by it, is always among them.
    """
    as_of = as_of_facts(connection)
    parts = _changed_by_later_deadline(policy, as_of)
    if has_revisions(mapped(connection)):
        p, body, order, a = promises.c, all_order_lines(), all_orders(), anchor_facts_table.c
        own = body.c.promised_by.is_not(None)
        first = case((own, body.c.promised_by), else_=order.c.promised_by)
        is_date = case((own, body.c.promised_by_is_date), else_=order.c.promised_by_is_date)
        same = and_(first == p.promised_by, is_date == p.promised_by_is_date)
        late = and_(a.state_current == "judged", func.coalesce(~a.on_time_current, true()))
        parts += [
            select(p.order_id).where(p.promised_by > _near(as_of, policy)),
            select(_order.order_id).where(_order.first_promised_day >= _near(as_of, policy).date()),
            select(p.order_id)
            .join(anchor_facts_table, a.order_id == p.order_id)
            .join(order, order.c.order_id == p.order_id)
            .join(body, and_(body.c.order_id == p.order_id, body.c.line_no == p.line_no))
            .where(late, ~func.coalesce(same, false())),
        ]
    return _distinct(parts)


def other_tests_changed_by_request() -> Rows:
    """Select the orders of which the requested date may change another test than `on_time`."""
    sensitive = _deadline_matters()
    return (
        select(_line.order_id)
        .join(sensitive, sensitive.c.order_id == _line.order_id)
        .where(request_differs())
        .distinct()
    )


def _changed_by_later_deadline(policy: Policy, as_of: datetime) -> list[Rows]:
    """Return the orders that the tolerance of a policy may judge differently.

    With a later deadline, a line in time stays in time. A line stays late if it settled after the tolerance and
    MARGIN_DAYS, or if nothing of it was received. An order with such a line has failed in any case. The other tests
    look at no deadline, except for `_deadline_matters`. An order whose last deadline is near may wait for it.
    """
    latest = plus_microseconds(_line.deadline_at, literal(_reach(policy) // timedelta(microseconds=1), BigInteger))
    in_reach = and_(_line.on_time_reason == "late", func.coalesce(_line.settled_at <= latest, true()))
    may_turn = or_(_line.on_time_reason == "no_evidence", in_reach)
    return [
        select(_deadline_matters().c.order_id),
        select(_line.order_id)
        .where(_line.state == "judged", _line.on_time_reason.is_not(None))
        .group_by(_line.order_id)
        .having(count_if(may_turn) > 0, count_if(and_(_line.on_time.is_(False), ~may_turn)) == 0),
        select(_order.order_id).where(_order.state == "judged", _order.deadline_at > _near(as_of, policy)),
    ]


@cache  # one object, so that a statement can name it several times
def _deadline_matters() -> CTE:
    """Return the orders of which a deadline decides more than the test of being on time.

    The buyer's cancellation counts up to the deadline, and so does a new quantity. A shipment without receipt is
    compared with it. The bill of an order of services and fees is judged after its last deadline.
    """
    order, body, r = all_orders(), all_order_lines(), restated_quantities.c
    services = and_(_order.order_type == "sale", _order.state == "excluded", _order.billing_state != "excluded")
    return _distinct(
        [
            *[
                select(one.c.order_id).where(one.c.cancelled_at.is_not(None), one.c.cancelled_by == "buyer")
                for one in (order, body)
            ],
            select(r.order_id)
            .group_by(r.order_id, r.line_no)
            .having(func.min(lesser(r.before_qty, r.after_qty)) < func.max(greater(r.before_qty, r.after_qty))),
            select(_line.order_id).where(_line.unproven_qty > 0),
            select(_order.order_id).where(services),
        ]
    ).cte("deadline_matters")


def as_of_facts(connection: Connection) -> datetime:
    """Return the instant of the stored facts."""
    as_of: datetime = connection.execute(select(facts_state.c.as_of)).scalar_one()
    return as_of


def _reach(policy: Policy) -> timedelta:
    """Return the tolerance of a policy and MARGIN_DAYS."""
    return timedelta(policy.late_tolerance_days + MARGIN_DAYS, hours=float(policy.late_tolerance_hours))


def _near(as_of: datetime, policy: Policy) -> datetime:
    """Return the instant after which a deadline with its tolerance may lie ahead."""
    return as_of - _reach(policy)


def _distinct(parts: Sequence[Rows]) -> Rows:
    every = union_all(*parts).subquery()
    return select(every.c.order_id).distinct()
