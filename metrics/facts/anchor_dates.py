"""One row: one sale order judged by the other two dates, the request and the current promise (R1).

Only where another date may change the verdict is an order judged again: where some line's request, or its current
promise, is another instant than the first promise it was judged by. Every other order keeps its strict verdict.
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

from metrics.facts.fact_table import BuildContext, FactTable, fact_table
from metrics.facts.orders.promise_revisions import current_promises, has_revisions
from metrics.facts.orders.tables import DIMENSION_COLUMNS, order_facts_table, order_line_facts_table
from metrics.facts.rejudge import rejudge
from metrics.policy import Anchor, Policy
from metrics.sql.dialects import Expression, Rows
from metrics.sql.moments import moment_span

FAR = datetime(9999, 1, 1)

anchor_facts_table = fact_table(
    "anchors",
    "order",
    "one row: one sale order, on time by the request and by the current promise",
    Column("order_id", String),
    Column("ordered_day", Date),
    Column("due_day", Date, comment="of the strict judgement: no anchor moves it"),
    Column("state", String, comment="of the strict judgement"),
    Column("on_time", Boolean, comment="by the first promise: the strict verdict"),
    Column("state_requested", String),
    Column("on_time_requested", Boolean),
    Column("on_time_requested_reason", String),
    Column("state_current", String),
    Column("on_time_current", Boolean),
    Column("on_time_current_reason", String),
    Column(
        "next_change_at",
        DateTime,
        comment="when time alone may change these verdicts; null: not before the strict ones",
    ),
)

_KEPT = ("state", "on_time", "on_time_reason", "next_change_at")


def select_rows(connection: Connection, context: BuildContext) -> Iterator[Rows]:
    """Every sale order with its strict verdict, or the one of the other date where that differs."""
    # Bills, returns and rates decide nothing of on_time; leaving them out spares their joins.
    lean = replace(
        context,
        mapped=frozenset(
            name for name in context.mapped if name.split(".")[0] not in ("invoice_lines", "returns", "fx_rates")
        ),
    )
    with ExitStack() as stack:
        requested = stack.enter_context(
            rejudge(
                connection,
                "judged_requested",
                Policy(anchor=Anchor.REQUESTED),
                lean,
                _requested_otherwise(context),
                _KEPT,
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
                    _promised_otherwise(context),
                    _KEPT,
                )
            )
        yield _rows(context, requested, current if current is not requested else None)


def _rows(context: BuildContext, requested: FromClause, current: FromClause | None) -> Rows:
    o = order_facts_table.c
    tables = _inside(order_facts_table, o.order_id, context)
    columns: dict[str, Expression] = {
        name: o[name] for name in ("order_id", "ordered_day", "due_day", "state", "on_time", *DIMENSION_COLUMNS)
    }
    changes: Expression = literal(FAR, DateTime)
    for anchor, anew in (("requested", requested), ("current", current)):
        names = {
            f"state_{anchor}": "state",
            f"on_time_{anchor}": "on_time",
            f"on_time_{anchor}_reason": "on_time_reason",
        }
        if anew is None:
            columns |= {name: o[strict] for name, strict in names.items()}
            continue
        tables = tables.outerjoin(anew, anew.c.order_id == o.order_id)
        columns |= {
            name: case((anew.c.order_id.is_not(None), anew.c[strict]), else_=o[strict])
            for name, strict in names.items()
        }
        changes = func.least(changes, _instant(anew.c.next_change_at))
    columns["next_change_at"] = func.nullif(changes, literal(FAR, DateTime))
    chosen = [cast(columns[column.name], column.type).label(column.name) for column in anchor_facts_table.columns]
    return select(*chosen).select_from(tables).where(o.order_type == "sale")


def _inside(tables: FromClause, order_id: Expression, context: BuildContext) -> FromClause:
    """The FROM clause kept to the orders the ledger is rebuilt for."""
    return tables if context.only is None else tables.join(context.only, context.only.c.order_id == order_id)


def _requested_otherwise(context: BuildContext) -> Select[tuple[str]]:
    """Orders with a line whose request is another instant than its first promise."""
    line = order_line_facts_table.c
    differs = _instant(line.request_at) != _instant(line.promise_at)
    return (
        select(line.order_id)
        .select_from(_inside(order_line_facts_table, line.order_id, context))
        .where(differs)
        .distinct()
    )


def _promised_otherwise(context: BuildContext) -> Select[tuple[str]]:
    """Orders with a line whose current promise is another instant than its first."""
    line, o = order_line_facts_table.c, order_facts_table.c
    lines = (
        select(line.order_id, line.line_no, line.promise_at, o.ship_to_time_zone.label("zone"))
        .select_from(
            _inside(order_line_facts_table.join(order_facts_table, o.order_id == line.order_id), line.order_id, context)
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
