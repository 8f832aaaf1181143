"""Failed orders, and why orders fail."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import TypedDict, Unpack

from sqlalchemy import ColumnElement, Connection, and_, case, false, func, or_, select

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.recoveries import recovery_facts_table
from metrics.lists.rows import (
    FAILED_ORDERS,
    SHOWN,
    Listing,
    Place,
    Row,
    Where,
    in_period,
    in_reporting_currency,
    is_failed,
    is_shown,
    or_order,
    place_of,
    resolution_starts_at,
    rows_of,
    with_names,
)
from metrics.measures.catalog import find
from metrics.model.question import Question
from metrics.queries.statements import view_conditions
from metrics.sql.dialects import Expression, typed_null
from metrics.sql.exchange_rates import converted


def _broke(reasons: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a failed verdict of the order has one of these reasons."""
    facts = order_facts_table.c
    return or_(
        false(),
        *(and_(is_shown(verdict), facts[f"{verdict}_reason"].in_(list(reasons))) for verdict in SHOWN),
    )


def _missing() -> Expression:
    """Return the value of goods known to be missing. Without proof of receipt, nobody knows what is missing."""
    facts = order_facts_table.c
    return case((facts.complete.is_(False), facts.short_amount), else_=typed_null(facts.short_amount.type))


def _in_order_of_reason() -> list[Expression]:
    """Return the sort keys of the reason that the list shows first: the first failed verdict, then its reason."""
    facts = order_facts_table.c
    return [
        case(*((is_shown(verdict), place) for place, verdict in enumerate(SHOWN))),
        case(*((is_shown(verdict), facts[f"{verdict}_reason"]) for verdict in SHOWN)).asc().nulls_last(),
        resolution_starts_at().asc().nulls_last(),
    ]


SORTS: dict[str, list[Expression]] = {
    "deadline": [resolution_starts_at().asc().nulls_last()],
    "due": [order_facts_table.c.due_day.desc().nulls_last()],
    "oldest": [order_facts_table.c.due_day.asc().nulls_last()],
    "value": [order_facts_table.c.ordered_amount.desc().nulls_last()],
    "late": [order_facts_table.c.days_late.desc().nulls_last()],
    "short": [_missing().desc().nulls_last()],
    "reason": _in_order_of_reason(),
}
"""Sort orders of the list. The deadline to resolve an order is a fixed number of days after `resolution_starts_at`."""


class Narrowing(TypedDict, total=False):
    """Filters of the list.

    product: keep to orders with a line of this product. among, but: keep to these orders, or leave these out.
    resolved: True keeps the resolved orders, False the unresolved. An order is resolved if the feeds show it or if it
    is in `done`.
    """

    start: date | None
    end: date | None
    where: Where
    reasons: Sequence[str]
    product: str | None
    among: Sequence[str] | None
    but: Sequence[str]
    resolved: bool | None
    done: Sequence[str]


def failed_orders(
    connection: Connection, *, sort: str = "due", page: int = 1, size: int = 50, **narrow: Unpack[Narrowing]
) -> Listing:
    """Return one page of the orders that failed at least one test, with the total number and value.

    Grain: one order. Columns: all of `order_facts`. `sums` has `ordered_amount` and `short_amount` of the whole list
    by currency, and the same in the reporting currency. `short_amount` adds up orders that are known to be incomplete.
    Amounts of different currencies are never added.
    """
    facts = order_facts_table.c
    view = [*_failed(narrow), *_of_status(narrow)]
    listing = (
        select(order_facts_table)
        .select_from(FAILED_ORDERS)
        .where(*view)
        .order_by(*_sorted(sort, narrow), facts.order_id)
        .limit(size)
        .offset((page - 1) * size)
    )
    whole = select(
        facts.currency.label("currency"),
        func.count().label("orders"),
        func.sum(facts.ordered_amount).label("ordered_amount"),
        func.sum(_missing()).label("short_amount"),
        *in_reporting_currency(facts.ordered_amount, facts.rate),
        func.sum(case((facts.complete.is_(False), converted(facts.short_amount, facts.rate)))).label("short_value"),
    )
    sums = rows_of(
        connection,
        whole.where(*view).group_by(facts.currency).order_by(func.count().desc(), facts.currency.asc().nulls_last()),
    )
    return Listing(rows=rows_of(connection, listing), total=sum(int(total["orders"]) for total in sums), sums=sums)


def place_in_failed_orders(
    connection: Connection, order_id: str, *, sort: str = "due", **narrow: Unpack[Narrowing]
) -> Place | None:
    """Return the place of an order in the list `failed_orders`; None if it is not in the list.

    The order keeps its place if its owner or status no longer match the filters, for example after its resolution.
    """
    column = order_facts_table.c.order_id
    view = [*_failed(narrow), *or_order(order_id, column, _of_status(narrow))]
    return place_of(
        connection, order_id, column=column, tables=FAILED_ORDERS, view=view, order_by=_sorted(sort, narrow)
    )


def _failed(narrow: Narrowing) -> list[ColumnElement[bool]]:
    """Return the conditions for the failed orders in view, whatever their owner and status."""
    facts = order_facts_table.c
    view = [is_failed(), *in_period(narrow.get("start"), narrow.get("end"), narrow.get("where", ()))]
    if reasons := narrow.get("reasons"):
        view.append(_broke(reasons))
    if (product := narrow.get("product")) is not None:
        line = order_line_facts_table.c
        view.append(facts.order_id.in_(select(line.order_id).where(line.product_id == product)))
    return view


def _of_status(narrow: Narrowing) -> list[ColumnElement[bool]]:
    """Return the conditions on the owner and status of an order."""
    view = with_names(order_facts_table.c.order_id, narrow.get("among"), narrow.get("but", ()))
    if (resolved := narrow.get("resolved")) is not None:
        view.append(_is_resolved(narrow) if resolved else ~_is_resolved(narrow))
    return view


def _is_resolved(narrow: Narrowing) -> ColumnElement[bool]:
    order_id, recovery = order_facts_table.c.order_id, recovery_facts_table.c
    settled = order_id.in_(select(recovery.order_id).where(recovery.resolved_at.is_not(None)))
    return or_(settled, *with_names(order_id, list(narrow.get("done", ())), ()))


def _sorted(sort: str, narrow: Narrowing) -> list[Expression]:
    """Return the sort keys. By deadline, resolved orders come last, because their deadline no longer counts."""
    if sort == "deadline" and narrow.get("resolved") is None:
        return [case((_is_resolved(narrow), 1), else_=0), *SORTS[sort]]
    return SORTS[sort]


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
