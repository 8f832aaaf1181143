"""Orders of the definition ladder: their verdicts under each of its policies, from the fact tables or judged again."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, FromClause, and_, case, false, func, or_, select

from metrics.facts.anchor_dates import anchor_facts_table
from metrics.facts.orders import order_facts_table
from metrics.policy import Policy
from metrics.queries.affected_orders import changed_by_later_promise, other_tests_changed_by_request
from metrics.queries.what_if import View, judge_under, judged_again
from metrics.schema import Row
from metrics.sql.dialects import Expression, Rows


@dataclass(frozen=True)
class Judged:
    """The values of an order under the strict policy and the policies of L1, L2 and L5, and the number of such orders.

    strict: also `order_type`, `arrived` (all its goods settled) and `cut` (the buyer cancelled a part in time).
    """

    strict: Row
    three_days: Row
    current: Row
    by_request: Row
    orders: int


def by_facts(
    connection: Connection, view: View, policies: tuple[Policy, Policy, Policy], *, has_request: bool
) -> Iterator[Judged]:
    """Yield the orders in view by the verdicts of the fact tables. Equal orders are counted together.

    The fact tables have the verdicts by every date. Only two kinds of orders are judged again: those that the tolerance
    of L1 can change, and those of which the requested date can change another test than `on_time`.
    """
    three_days, _, by_request = policies
    by_tolerance = changed_by_later_promise(connection, three_days)
    rows = _rows_of_facts(view, by_tolerance, has_request=has_request).subquery("in_view")
    order_id = case((or_(rows.c.judge_three_days, rows.c.judge_by_request), rows.c.order_id))
    values = [column for column in rows.c if column.name != "order_id"]
    grouped = select(order_id, func.count(), *values).group_by(order_id, *values)
    found = connection.execute(grouped).all()
    names = [column.name for column in values]
    flagged = {
        flag: [row[0] for row in found if row[2 + names.index(flag)]]
        for flag in ("judge_three_days", "judge_by_request")
    }
    later = judged_again(connection, three_days, flagged["judge_three_days"], _TIMING)
    requested = judged_again(connection, by_request, flagged["judge_by_request"], (*_TIMING, *_OTHER_TESTS))
    equal: Counter[tuple[Any, ...]] = Counter()  # Any: values of any column
    for one, orders, *stored in found:
        equal[tuple(stored), later.get(one), requested.get(one)] += orders
    for (stored, three, request), orders in equal.items():
        yield _judged(dict(zip(names, stored, strict=True)), three, request, orders)


_TIMING = ("state", "on_time")


_OTHER_TESTS = ("complete", "filled_accurately", "damage_free", "billed_accurately")


def _rows_of_facts(view: View, by_tolerance: Rows, *, has_request: bool) -> Rows:
    """Select the sale orders in view with their stored verdicts, and flags for those to judge again.

    by_tolerance: the orders that L1 may judge differently.
    """
    o, a = order_facts_table.c, anchor_facts_table.c
    requested = (a.state_requested, a.on_time_requested) if has_request else (o.state, o.on_time)
    all_judged = and_(*[state == "judged" for state in (o.state, a.state_current, requested[0])])
    tolerance = by_tolerance.subquery("orders_by_tolerance")
    tables: FromClause = order_facts_table.join(anchor_facts_table, a.order_id == o.order_id)
    tables = tables.outerjoin(tolerance, tolerance.c.order_id == o.order_id)
    by_request: Expression = false()
    if has_request:
        tests = other_tests_changed_by_request().subquery("orders_by_request")
        tables = tables.outerjoin(tests, tests.c.order_id == o.order_id)
        by_request = and_(all_judged, tests.c.order_id.is_not(None))
    return (
        select(
            *(o.order_id, o.state, o.order_type, o.on_time, *[o[name] for name in _OTHER_TESTS]),
            o.settled_at.is_not(None).label("arrived"),
            (o.owed_qty < o.ordered_qty).label("cut"),
            *(a.state_current, a.on_time_current),
            *(requested[0].label("state_requested"), requested[1].label("on_time_requested")),
            and_(all_judged, tolerance.c.order_id.is_not(None)).label("judge_three_days"),
            by_request.label("judge_by_request"),
        )
        .select_from(tables)
        .where(*view.conditions())
    )


def _judged(
    row: Row, three_days: tuple[Any, ...] | None, by_request: tuple[Any, ...] | None, orders: int
) -> Judged:  # Any: values of any column
    """Return the values of a row of `_rows_of_facts`. Values that were judged again replace the stored ones."""
    current = {"state": row["state_current"], "on_time": row["on_time_current"]}
    requested = row | {"state": row["state_requested"], "on_time": row["on_time_requested"]}
    return Judged(
        strict=row,
        three_days=current if three_days is None else dict(zip(_TIMING, three_days, strict=True)),
        current=current,
        by_request=requested if by_request is None else dict(zip((*_TIMING, *_OTHER_TESTS), by_request, strict=True)),
        orders=orders,
    )


def by_judging(connection: Connection, view: View, policies: Sequence[Policy]) -> Iterator[Judged]:
    """Yield the orders in view, judged again under every policy."""
    columns = ("state", "order_type", "settled_at", "ordered_qty", "owed_qty", "on_time", *_OTHER_TESTS)
    for strict, (three_days, current, by_request), orders in judge_under(connection, policies, view, columns):
        own = {"arrived": strict["settled_at"] is not None, "cut": strict["owed_qty"] < strict["ordered_qty"]}
        yield Judged(strict | own, three_days, current, by_request, orders)
