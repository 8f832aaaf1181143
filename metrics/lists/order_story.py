"""All records of one order: its verdicts, its lines, and its quotes, steps, holds, promises, messages, cases and
payments.

Derived values (time in a step, the failure and its recovery) come from the fact tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Table, select

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.process_steps import step_facts_table
from metrics.facts.recoveries import RECOVERY_DAYS, recovery_facts_table
from metrics.facts.step_slack import late_order_facts_table
from metrics.lists.rows import FAILED_ORDERS, Row, resolution_starts_at, rows_of, with_names
from metrics.measures.order_to_cash import slack_ledger
from metrics.schema import (
    customers,
    holds,
    invoice_lines,
    invoices,
    messages,
    order_lines,
    orders,
    payments,
    products,
    promises,
    quote_options,
    quotes,
    returns,
    service_cases,
    shipment_lines,
    shipments,
)


@dataclass(frozen=True)
class OrderContext:
    """The records around one order, each list in order of time. `recovery` and `missed_step` are empty if no
    fact table has them.
    """

    quotes: list[Row] = field(default_factory=list)
    quote_options: list[Row] = field(default_factory=list)
    steps: list[Row] = field(default_factory=list)
    """Rows of `step_facts`: one per step that has started."""
    holds: list[Row] = field(default_factory=list)
    promises: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)
    cases: list[Row] = field(default_factory=list)
    returns: list[Row] = field(default_factory=list)
    payments: list[Row] = field(default_factory=list)
    recovery: Row = field(default_factory=dict)
    slack: dict[int, int] = field(default_factory=dict)
    """Seconds left to the deadline after each step at the median pace of its segment (0: when it was ordered)."""
    missed_step: str | None = None
    """The step at which the promise was missed, in two digits; "00": when promised."""


def order_context(connection: Connection, order_id: str) -> OrderContext:
    """Return the records around an order. Lists are empty if nothing is recorded."""
    asked = _of(connection, quotes, order_id, "asked_at")
    offered = select(quote_options).where(
        quote_options.c.quote_id.in_([row["quote_id"] for row in asked]), quote_options.c.deleted.is_(False)
    )
    billed = select(invoice_lines.c.invoice_id).where(
        invoice_lines.c.order_id == order_id, invoice_lines.c.deleted.is_(False)
    )
    paid = (
        select(payments)
        .where(payments.c.invoice_id.in_(billed), payments.c.deleted.is_(False))
        .order_by(payments.c.paid_at, payments.c.payment_id)
    )
    ledger = slack_ledger(connection, order_id)
    recovery = rows_of(connection, select(recovery_facts_table).where(recovery_facts_table.c.order_id == order_id))
    return OrderContext(
        quotes=asked,
        quote_options=rows_of(connection, offered.order_by(quote_options.c.quote_id, quote_options.c.option_no))
        if asked
        else [],
        steps=rows_of(
            connection,
            select(step_facts_table)
            .where(step_facts_table.c.order_id == order_id)
            .order_by(step_facts_table.c.step_no),
        ),
        holds=_of(connection, holds, order_id, "placed_at"),
        promises=_of(connection, promises, order_id, "changed_at"),
        messages=_of(connection, messages, order_id, "sent_at"),
        cases=_of(connection, service_cases, order_id, "opened_at"),
        returns=_of(connection, returns, order_id, "announced_at"),
        payments=rows_of(connection, paid),
        recovery=recovery[0] if recovery else {},
        slack={point.step: point.slack_seconds for point in ledger.points} if ledger else {},
        missed_step=connection.execute(
            select(late_order_facts_table.c.step).where(
                late_order_facts_table.c.order_id == order_id, late_order_facts_table.c.promise_missed
            )
        ).scalar(),
    )


def _of(connection: Connection, table: Table, order_id: str, moment: str) -> list[Row]:
    alive = select(table).where(table.c.order_id == order_id, table.c.deleted.is_(False))
    keys = [column for column in table.c if column.name.endswith(("_id", "_no"))]
    return rows_of(connection, alive.order_by(table.c[moment].asc().nulls_last(), *keys))


def search_order_ids(connection: Connection, text: str, *, limit: int = 8) -> list[str]:
    """Return the order numbers that contain a text, ignoring case, in order."""
    order_id = order_facts_table.c.order_id
    return list(
        connection.scalars(
            select(order_id).where(order_id.icontains(text, autoescape=True)).order_by(order_id).limit(limit)
        )
    )


def missing_orders(connection: Connection, order_ids: Sequence[str]) -> list[str]:
    """Return the numbers that are not in the data."""
    order_id = order_facts_table.c.order_id
    there = set(connection.scalars(select(order_id).where(*with_names(order_id, order_ids, ()))))
    return [one for one in order_ids if one not in there]


def resolution_deadlines(
    connection: Connection, order_ids: Sequence[str]
) -> dict[str, tuple[datetime, datetime | None]]:
    """Return the day by which each failed order must be resolved to count as recovered, and the day it was resolved
    (None: not yet).

    Days count from `resolution_starts_at`.
    """
    order_id = order_facts_table.c.order_id
    known = select(order_id, resolution_starts_at().label("since"), recovery_facts_table.c.resolved_at)
    return {
        row["order_id"]: (row["since"] + timedelta(days=RECOVERY_DAYS), row["resolved_at"])
        for row in rows_of(connection, known.select_from(FAILED_ORDERS).where(order_id.in_(order_ids)))
        if row["since"] is not None
    }


# ------------------------------------------------------------------------------------------------------------ one order
@dataclass(frozen=True)
class OrderRecords:
    """All records of one order: its verdicts and the records behind them."""

    facts: Row
    order: Row
    lines: list[Row]
    """One row per order line: `order_line_facts` together with `order_lines`."""
    shipments: list[Row]
    shipment_lines: list[Row]
    invoices: list[Row]
    invoice_lines: list[Row]
    customer: Row
    product_names: dict[str, str]


def _alive(table: Table) -> ColumnElement[bool]:
    return table.c.deleted.is_(False)


def order_records(connection: Connection, order_id: str) -> OrderRecords | None:
    """Return the facts and records of one order, or None if there is no such order."""
    facts = rows_of(connection, select(order_facts_table).where(order_facts_table.c.order_id == order_id))
    if not facts:
        return None
    order = rows_of(connection, select(orders).where(orders.c.order_id == order_id, _alive(orders)))
    wanted = rows_of(connection, select(order_lines).where(order_lines.c.order_id == order_id, _alive(order_lines)))
    judged = rows_of(connection, select(order_line_facts_table).where(order_line_facts_table.c.order_id == order_id))
    sent = rows_of(
        connection,
        select(shipment_lines).where(shipment_lines.c.order_id == order_id, _alive(shipment_lines)),
    )
    billed = rows_of(
        connection,
        select(invoice_lines).where(invoice_lines.c.order_id == order_id, _alive(invoice_lines)),
    )
    verdicts_of_line = {row["line_no"]: row for row in judged}
    listed = {row["line_no"] for row in wanted}
    kept_out = [row for row in judged if row["line_no"] not in listed]
    return OrderRecords(
        facts=facts[0],
        order=order[0] if order else {},
        lines=sorted(
            ({**row, **verdicts_of_line.get(row["line_no"], {})} for row in (*wanted, *kept_out)),
            key=lambda row: _natural(row["line_no"]),
        ),
        shipments=_by_ids(connection, shipments, "shipment_id", sent),
        shipment_lines=sorted(sent, key=lambda row: (row["shipment_id"], _natural(row["line_no"] or ""))),
        invoices=_by_ids(connection, invoices, "invoice_id", billed),
        invoice_lines=sorted(billed, key=lambda row: (row["invoice_id"], _natural(row["line_no"] or ""))),
        customer=version_on(connection, customers, "customer_id", facts[0]["customer_id"], facts[0]["ordered_day"]),
        product_names=_product_names(connection, {row["product_id"] for row in (*judged, *sent) if row["product_id"]}),
    )


def _natural(number: str) -> tuple[int, str]:
    return (int(number), "") if number.isdigit() else (10**18, number)


def _by_ids(connection: Connection, table: Table, key: str, children: list[Row]) -> list[Row]:
    ids = sorted({child[key] for child in children})
    return (
        rows_of(connection, select(table).where(table.c[key].in_(ids), _alive(table)).order_by(table.c[key]))
        if ids
        else []
    )


def version_on(connection: Connection, table: Table, key: str, value: str, day: date | None) -> Row:
    """Return the version of a record that applied on a day, or the first version if none applied yet."""
    versions = rows_of(
        connection, select(table).where(table.c[key] == value, _alive(table)).order_by(table.c.valid_from)
    )
    applied = [version for version in versions if day is None or version["valid_from"] <= day]
    return (applied or versions or [{}])[-1 if applied else 0]


def _product_names(connection: Connection, ids: set[str]) -> dict[str, str]:
    if not ids:
        return {}
    found = rows_of(
        connection,
        select(products.c.product_id, products.c.name)
        .where(products.c.product_id.in_(sorted(ids)), _alive(products))
        .order_by(products.c.valid_from),
    )
    return {row["product_id"]: row["name"] for row in found if row["name"]}
