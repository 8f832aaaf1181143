"""Failed orders, and why orders fail."""

from collections import Counter
from collections.abc import Sequence
from datetime import date

from sqlalchemy import ColumnElement, Connection, and_, case, false, func, or_, select

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.recoveries import recovery_facts_table
from metrics.lists.rows import SHOWN, Listing, Row, Where, in_period, is_failed, is_shown, rows_of, with_names
from metrics.measures.catalog import find
from metrics.model.question import Question
from metrics.queries.statements import view_conditions


def _broke(reasons: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a failed verdict of the order has one of these reasons."""
    facts = order_facts_table.c
    return or_(
        false(),
        *(and_(is_shown(verdict), facts[f"{verdict}_reason"].in_(list(reasons))) for verdict in SHOWN),
    )


SORTS = {
    "due": ("due_day", True),
    "value": ("ordered_amount", True),
    "late": ("days_late", True),
    "short": ("short_amount", True),
    "customer": ("customer_id", False),
}
"""Sort orders of the list: name to column, and whether the largest comes first."""


def failed_orders(
    connection: Connection,
    *,
    start: date | None = None,
    end: date | None = None,
    where: Where = (),
    reasons: Sequence[str] = (),
    product: str | None = None,
    among: Sequence[str] | None = None,
    but: Sequence[str] = (),
    resolved: bool | None = None,
    done: Sequence[str] = (),
    sort: str = "due",
    page: int = 1,
    size: int = 50,
) -> Listing:
    """Return one page of the orders that failed at least one test, with the total number and value.

    product: keep to orders with a line of this product. among, but: keep to these orders, or leave these out.
    resolved: True keeps the resolved orders, False the
    unresolved. An order is resolved if the feeds show it or if it is in `done`. Grain: one order. Columns: all of
    `order_facts`. `sums` has `ordered_amount` and `short_amount` of the whole list by currency. Amounts of different
    currencies are never added.
    """
    facts = order_facts_table.c
    view = [is_failed(), *in_period(start, end, where), *with_names(facts.order_id, among, but)]
    if reasons:
        view.append(_broke(reasons))
    if product is not None:
        line = order_line_facts_table.c
        view.append(facts.order_id.in_(select(line.order_id).where(line.product_id == product)))
    if resolved is not None:
        settled = facts.order_id.in_(
            select(recovery_facts_table.c.order_id).where(recovery_facts_table.c.resolved_at.is_not(None))
        )
        is_resolved = or_(settled, *with_names(facts.order_id, list(done), ()))
        view.append(is_resolved if resolved else ~is_resolved)
    column, descending = SORTS[sort]
    first = facts[column].desc().nulls_last() if descending else facts[column].asc().nulls_last()
    listing = (
        select(order_facts_table).where(*view).order_by(first, facts.order_id).limit(size).offset((page - 1) * size)
    )
    whole = select(
        facts.currency.label("currency"),
        func.count().label("orders"),
        func.sum(facts.ordered_amount).label("ordered_amount"),
        func.sum(facts.short_amount).label("short_amount"),
    )
    sums = rows_of(
        connection,
        whole.where(*view).group_by(facts.currency).order_by(func.count().desc(), facts.currency.asc().nulls_last()),
    )
    return Listing(rows=rows_of(connection, listing), total=sum(int(total["orders"]) for total in sums), sums=sums)


def failure_reasons(
    connection: Connection, *, start: date | None = None, end: date | None = None, where: Where = ()
) -> list[Row]:
    """Return the reasons of failed orders: `verdict`, `reason`, `orders`, the most frequent first.

    An order that fails two tests counts under both, so the counts exceed the number of failed orders.
    """
    facts = order_facts_table.c
    # One pass over the facts: count each combination of reasons in SQL, then unfold the few combinations here.
    shown_reasons = [case((is_shown(verdict), facts[f"{verdict}_reason"])).label(verdict) for verdict in SHOWN]
    inner = select(*shown_reasons).where(is_failed(), *in_period(start, end, where)).subquery()
    columns = [inner.c[verdict] for verdict in SHOWN]
    found: Counter[tuple[str, str]] = Counter()
    for combination in rows_of(connection, select(*columns, func.count().label("orders")).group_by(*columns)):
        for verdict in SHOWN:
            if combination[verdict] is not None:
                found[(verdict, combination[verdict])] += int(combination["orders"])
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [{"verdict": verdict, "reason": reason, "orders": orders} for (verdict, reason), orders in ranked]


def nearest_day(connection: Connection, day: date, *, measure: str | None = None, where: Where = ()) -> date | None:
    """Return the nearest day with data: the last on or before it, else the first after it; None without data."""
    if measure is None:
        dated, view = (
            order_facts_table.c.due_day,
            [order_facts_table.c.state == "judged", *in_period(None, None, where)],
        )
    else:
        found = find(measure)
        dated = found.facts.c[found.date]
        view = view_conditions(
            found.facts, dated, Question((measure,), where=tuple((name, tuple(values)) for name, values in where))
        )
    before: date | None = connection.execute(select(func.max(dated)).where(*view, dated <= day)).scalar()
    return before if before is not None else connection.execute(select(func.min(dated)).where(*view)).scalar()


def order_counts(
    connection: Connection, *, start: date | None = None, end: date | None = None, where: Where = ()
) -> dict[str, int]:
    """Return the numbers of judged, pending and excluded orders due in the period.

    Source: P4 (three states).
    """
    facts = order_facts_table.c
    counted = (
        select(facts.state.label("state"), func.count().label("orders"))
        .where(*in_period(start, end, where))
        .group_by(facts.state)
    )
    found = {row["state"]: int(row["orders"]) for row in rows_of(connection, counted)}
    return {state: found.get(state, 0) for state in ("judged", "pending", "excluded")}
