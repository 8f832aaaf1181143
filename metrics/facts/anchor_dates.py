"""Orders judged by the requested date and by the current promise.

Grain: one row per sale order. Key: order_id.
Stale rows: those of orders that the run judges again, also because `next_change_at` has passed.
Source: R1 (anchor date).

The strict verdict uses the first promise. An order is judged again only if the requested date or the current promise
of a line differs from the first promise. Every other order keeps its strict verdict.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    FromClause,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    select,
)

from metrics.facts.fact_table import BuildContext, FactTable, fact_table, only_stale
from metrics.facts.orders.promise_revisions import current_promises, has_revisions
from metrics.facts.orders.tables import DIMENSION_COLUMNS, order_facts_table, order_line_facts_table
from metrics.facts.rejudge import mapped_for_timing, rejudge
from metrics.policy import Anchor, Policy
from metrics.sql.dialects import Expression, Rows
from metrics.sql.moments import moment_span

FAR = datetime(9999, 1, 1)

anchor_facts_table = fact_table(
    "anchors",
    "order",
    "one row: one sale order, on time by the requested date and by the current promise",
    Column("order_id", String),
    Column("ordered_day", Date),
    Column("due_day", Date, comment="due day of the strict judgement, whatever the anchor date"),
    Column("state", String, comment="state of the strict judgement"),
    Column("on_time", Boolean, comment="strict verdict, by the first promise"),
    Column("state_requested", String),
    Column("on_time_requested", Boolean),
    Column("on_time_requested_reason", String),
    Column("state_current", String),
    Column("on_time_current", Boolean),
    Column("on_time_current_reason", String),
    Column(
        "next_change_at",
        DateTime,
        comment="instant at which time alone may change these verdicts; null: no earlier than the strict verdicts",
    ),
)

_VERDICT_COLUMNS = ("state", "on_time", "on_time_reason", "next_change_at")


def select_rows(connection: Connection, context: BuildContext) -> Iterator[Rows]:
    """Return every sale order with the verdict by each date."""
    lean = replace(context, mapped=mapped_for_timing(context.mapped))
    with ExitStack() as stack:
        requested = stack.enter_context(
            rejudge(
                connection,
                "judged_requested",
                Policy(anchor=Anchor.REQUESTED),
                lean,
                _orders_with_other_request(context),
                _VERDICT_COLUMNS,
            )
        )
        current = requested
        if has_revisions(context.mapped):
            current = stack.enter_context(
                rejudge(
                    connection,
                    "judged_current",
                    Policy(anchor=Anchor.CURRENT_PROMISE),
                    lean,
                    _orders_with_other_promise(context),
                    _VERDICT_COLUMNS,
                )
            )
        yield _rows(context, requested, current if current is not requested else None)


def _rows(context: BuildContext, requested: FromClause, current: FromClause | None) -> Rows:
    o = order_facts_table.c
    tables = only_stale(order_facts_table, o.order_id, context)
    columns: dict[str, Expression] = {
        name: o[name] for name in ("order_id", "ordered_day", "due_day", "state", "on_time", *DIMENSION_COLUMNS)
    }
    changes: Expression = literal(FAR, DateTime)
    for anchor, judged in (("requested", requested), ("current", current)):
        names = {
            f"state_{anchor}": "state",
            f"on_time_{anchor}": "on_time",
            f"on_time_{anchor}_reason": "on_time_reason",
        }
        if judged is None:
            columns |= {name: o[strict] for name, strict in names.items()}
            continue
        tables = tables.outerjoin(judged, judged.c.order_id == o.order_id)
        columns |= {
            name: case((judged.c.order_id.is_not(None), judged.c[strict]), else_=o[strict])
            for name, strict in names.items()
        }
        changes = func.least(changes, _instant(judged.c.next_change_at))
    columns["next_change_at"] = func.nullif(changes, literal(FAR, DateTime))
    selected = [cast(columns[column.name], column.type).label(column.name) for column in anchor_facts_table.columns]
    return select(*selected).select_from(tables).where(o.order_type == "sale")


def _orders_with_other_request(context: BuildContext) -> Select[tuple[str]]:
    """Return the orders with a line whose requested date differs from its first promise."""
    line = order_line_facts_table.c
    return (
        select(line.order_id)
        .select_from(only_stale(order_line_facts_table, line.order_id, context))
        .where(request_differs())
        .distinct()
    )


def request_differs() -> Expression:
    """Return whether the requested date of an order line differs from its first promise."""
    line = order_line_facts_table.c
    return _instant(line.request_at) != _instant(line.promise_at)


def _orders_with_other_promise(context: BuildContext) -> Select[tuple[str]]:
    """Return the orders with a line whose current promise differs from its first promise."""
    line, o = order_line_facts_table.c, order_facts_table.c
    lines = (
        select(line.order_id, line.line_no, line.promise_at, o.ship_to_time_zone.label("zone"))
        .select_from(
            only_stale(
                order_line_facts_table.join(order_facts_table, o.order_id == line.order_id), line.order_id, context
            )
        )
        .subquery("promised_lines")
    )
    current = current_promises(lines, as_of=context.as_of).subquery("latest_promises")
    c = current.c
    tables: FromClause = lines.join(current, and_(c.order_id == lines.c.order_id, c.line_no == lines.c.line_no))
    tables, promise = moment_span(tables, dict(c.items()), "promised_by", lines.c.zone)
    return (
        select(lines.c.order_id)
        .select_from(tables)
        .where(_instant(promise.hi) != _instant(lines.c.promise_at))
        .distinct()
    )


def _instant(moment: Expression) -> Expression:
    return func.coalesce(moment, literal(FAR, DateTime))


FACT_TABLES: tuple[FactTable, ...] = (FactTable(anchor_facts_table, select_rows, key="order_id"),)
