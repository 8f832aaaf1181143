"""Open orders that may miss their promise, as of the data's watermark.

The slack of an order is the time until its deadline, minus the median time that the remaining steps take for its
segment, plus the time already spent in the step it waits for. The list is not a measure: the number of its rows is not
compared over time.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Connection,
    DateTime,
    Integer,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)

from metrics.facts.orders import facts_state, order_facts_table, order_line_facts_table
from metrics.facts.process_steps import step_facts_table
from metrics.facts.step_slack import step_budgets_table
from metrics.facts.work_in_progress import work_facts_table
from metrics.lists.rows import (
    Listing,
    Place,
    Where,
    in_period,
    in_reporting_currency,
    or_order,
    place_of,
    rows_of,
    with_names,
)
from metrics.sql.business_hours import elapsed_seconds
from metrics.sql.dialects import Expression, greater, lesser, typed_null
from metrics.sql.moments import moment_span

TIGHT_SECONDS = 24 * 3600
"""Below this slack an order is tight."""

BEHIND, TIGHT, LOST, NEAR = "behind", "tight", "lost", "near"
SLACK_STATES = {
    BEHIND: "will miss at normal pace",
    TIGHT: "less than a day to spare",
    NEAR: "due within a day",
    LOST: "part of it is late already",
}
"""States of an order at risk. `near`: its step, or the time the rest takes, is not known."""

SORTS = ("saving", "deadline", "value")
"""Orders of the list. "saving": orders that can still be saved, the nearest to failing first."""

o = order_facts_table.c
s = step_facts_table.c
b = step_budgets_table.c


def at_risk(
    connection: Connection,
    *,
    where: Where = (),
    among: Sequence[str] | None = None,
    but: Sequence[str] = (),
    sort: str = "saving",
    page: int = 1,
    size: int = 50,
) -> Listing:
    """Return one page of the orders at risk. `sums` has the number of `orders` and their `ordered_amount`, by
    `standing` and `currency`, and the same in the reporting currency.

    among, but: keep to these orders, or leave these out. Grain: one order, with `standing`, `deadline_at`,
    `slack_seconds` (null: not known), and its position: `step`, `step_standing`, `age_seconds`.
    """
    found = _found(connection, [*in_period(None, None, where), *with_names(o.order_id, among, but)])
    if found is None:
        return Listing([], 0)
    r = found.c
    listed = select(found).order_by(*_sorted(found)[sort], r.order_id).limit(size).offset((page - 1) * size)
    whole = select(
        r.standing,
        r.currency,
        func.count().label("orders"),
        func.sum(r.ordered_amount).label("ordered_amount"),
        *in_reporting_currency(r.ordered_amount, r.rate),
    )
    sums = rows_of(
        connection, whole.group_by(r.standing, r.currency).order_by(func.count().desc(), r.standing, r.currency)
    )
    return Listing(rows_of(connection, listed), sum(int(total["orders"]) for total in sums), sums)


def place_in_at_risk(
    connection: Connection,
    order_id: str,
    *,
    where: Where = (),
    among: Sequence[str] | None = None,
    but: Sequence[str] = (),
    sort: str = "saving",
) -> Place | None:
    """Return the place of an order in the list `at_risk`; None if it is not at risk.

    The order keeps its place if its owner no longer matches `among` and `but`, for example after its assignment.
    """
    of_owner = or_order(order_id, o.order_id, with_names(o.order_id, among, but))
    found = _found(connection, [*in_period(None, None, where), *of_owner])
    if found is None:
        return None
    return place_of(connection, order_id, column=found.c.order_id, tables=found, view=(), order_by=_sorted(found)[sort])


def _found(connection: Connection, view: Sequence[Expression]) -> CTE | None:
    """Return the orders at risk of a view; None before the first run."""
    as_of = connection.execute(select(facts_state.c.as_of)).scalar()
    return None if as_of is None else _at_risk(literal(as_of, DateTime), view).cte("at_risk")


def _sorted(found: CTE) -> dict[str, list[Expression]]:
    """Return the sort keys of each of SORTS."""
    r = found.c
    rank = case({BEHIND: 1, TIGHT: 2, NEAR: 3, LOST: 4}, value=r.standing)
    slack = case((r.standing == BEHIND, -r.slack_seconds), else_=r.slack_seconds).asc().nulls_last()
    return {
        "saving": [rank, slack, r.deadline_at],
        "deadline": [r.deadline_at],
        "value": [r.ordered_amount.desc().nulls_last()],
    }


def _at_risk(now: Expression, view: Sequence[Expression]) -> Select[Any]:
    placed = _placed(now, view).cte("placed")
    p, w, line = placed.c, work_facts_table.c, order_line_facts_table.c
    missed = (
        select(line.order_id)
        .where(line.state == "judged", or_(line.on_time.is_(False), line.complete.is_(False)))
        .distinct()
        .subquery("missed_lines")
    )
    left = elapsed_seconds(now, p.deadline_at)
    to_go = p.still_seconds - lesser(greater(p.gone_seconds, _none()), p.next_seconds)
    slack = case((p.still_seconds.is_not(None), left - greater(to_go, _none())), else_=typed_null(BigInteger()))
    standing = case(
        (missed.c.order_id.is_not(None), LOST),
        (slack < 0, BEHIND),
        (slack < TIGHT_SECONDS, TIGHT),
        (and_(slack.is_(None), left < TIGHT_SECONDS), NEAR),
        else_=typed_null(String()),
    )
    with_standing = (
        select(
            *[p[name] for name in ABOUT],
            cast(slack, BigInteger).label("slack_seconds"),
            standing.label("standing"),
            w.step,
            w.standing.label("step_standing"),
            w.age_seconds,
        )
        .select_from(
            placed.outerjoin(missed, missed.c.order_id == p.order_id).outerjoin(
                work_facts_table, w.order_id == p.order_id
            )
        )
        .subquery("with_standing")
    )
    return select(with_standing).where(with_standing.c.standing.is_not(None))


ABOUT = (
    "order_id",
    "customer_id",
    "customer_name",
    "segment",
    "currency",
    "ordered_amount",
    "rate",
    "ordered_day",
    "due_day",
    "deadline_at",
)


def _under_way(view: Sequence[Expression]) -> CTE:
    """Return the open orders of a view, with the deadline of the first line that has not arrived in full."""
    tables, ordered = moment_span(order_facts_table, dict(o.items()), "ordered_at", o.ship_to_time_zone)
    still_open = [o.state == "pending", ~o.in_quarantine, o.arrived_day.is_(None), o.deadline_at.is_not(None), *view]
    line = order_line_facts_table.c
    open_lines = (
        select(line.order_id, func.min(line.deadline_at).label("deadline_at"))
        .where(line.state == "pending", line.filled_qty < line.owed_qty)
        .group_by(line.order_id)
        .subquery("open_lines")
    )
    tables = tables.outerjoin(open_lines, open_lines.c.order_id == o.order_id)
    deadline = func.coalesce(open_lines.c.deadline_at, o.deadline_at).label("deadline_at")
    return (
        select(*[deadline if name == "deadline_at" else o[name] for name in ABOUT], ordered.hi.label("ordered_at"))
        .select_from(tables)
        .where(*still_open)
        .cte("under_way")
    )


def _placed(now: Expression, view: Sequence[Expression]) -> Select[Any]:
    """Return the open orders with the deadline of the first line that has not arrived in full.

    Also the seconds that the remaining steps take, the seconds since the last finished step, and the seconds that the
    next step takes.
    """
    under_way = _under_way(view)
    u = under_way.c
    finished = and_(s.leg_seconds.is_not(None), s.finished_at.is_not(None))
    from_last = func.row_number().over(partition_by=s.order_id, order_by=s.step_no.desc()).label("from_last")
    steps = (
        select(s.order_id, s.step_no, s.finished_at, from_last)
        .join(under_way, u.order_id == s.order_id)
        .where(finished)
        .subquery("steps_done")
    )
    last = select(steps).where(steps.c.from_last == 1).subquery("last_done")
    done: CTE = (
        select(
            *u,
            func.coalesce(last.c.step_no, 0).label("step_no"),
            func.coalesce(last.c.finished_at, u.ordered_at).label("since"),
        )
        .select_from(under_way.outerjoin(last, last.c.order_id == u.order_id))
        .cte("done_so_far")
    )
    d = done.c
    later = (
        select(
            d.order_id,
            cast(func.sum(b.budget_seconds), BigInteger).label("seconds"),
            cast(func.min(b.step_no), Integer).label("next_no"),
        )
        .join(step_budgets_table, and_(b.segment == d.segment, b.step_no > d.step_no))
        .group_by(d.order_id)
        .subquery("later_steps")
    )
    following = step_budgets_table.alias("next_step")
    # An order past the last step with a budget waits for nothing. An order whose segment has no budgets is not known.
    known = select(b.segment).distinct().subquery("budgeted")
    nothing = case((known.c.segment.is_not(None), _none()), else_=typed_null(BigInteger()))
    return select(
        *[d[name] for name in ABOUT],
        func.coalesce(later.c.seconds, nothing).label("still_seconds"),
        elapsed_seconds(d.since, now).label("gone_seconds"),
        func.coalesce(following.c.budget_seconds, nothing).label("next_seconds"),
    ).select_from(
        done.outerjoin(later, later.c.order_id == d.order_id)
        .outerjoin(following, and_(following.c.segment == d.segment, following.c.step_no == later.c.next_no))
        .outerjoin(known, known.c.segment == d.segment)
    )


def _none() -> Expression:
    return literal(0, BigInteger)
