"""Customer cases: granted, met, and the time until they were settled.

Grain: one row per case opened by `as_of`. Key: case_id.
Stale rows: not tracked. Every run rebuilds the whole table.
Source: section 4 (h) (order management influences) and (i) (service recovery).
"""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    String,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    select,
)

from metrics.facts.customer_contacts import contact, happened_at, happened_by, minutes_between
from metrics.facts.fact_table import BuildContext, FactTable, fact_table
from metrics.facts.orders import NONE
from metrics.schema import service_cases
from metrics.sql.dialects import Rows, greater

REQUEST_KINDS = ("special_request", "sudden_change")
"""Case kinds with which a buyer asks for something out of the ordinary."""
AFTER_SALE = ("question", "parts_request", "complaint")
"""Case kinds of post-sale support."""

case_facts_table = fact_table(
    "case_facts",
    "case",
    "one row: one case opened by as_of",
    Column("case_id", String, comment="service_cases.case_id"),
    Column("order_id", String, comment="the order of the case; empty: none"),
    Column("case_kind", String, comment="service_cases.kind"),
    Column("opened_day", Date, comment="local day it was opened"),
    Column("opened_from", DateTime, comment="first instant at which it may have been opened"),
    Column("opened_at", DateTime, comment="last instant at which it may have been opened"),
    Column("acknowledged_at", DateTime, comment="first answer to the buyer; null: none by as_of"),
    Column("resolved_at", DateTime, comment="when it was settled; null: open at as_of"),
    Column(
        "open_seconds", BigInteger, comment="seconds from opened to settled, or to as_of if open; rounded to minutes"
    ),
    Column("granted", Boolean, comment="true: it was granted; null: undecided at as_of"),
    Column(
        "met",
        Boolean,
        comment="true: granted, and its order is on time in full; null: undecided, or the verdict is unknown",
    ),
)


EDIT_SOURCE = "buyerview:"
"""Prefix of the ids of cases that users created in Buyerview when they resolved an order. No buyer opened them."""


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every case opened by as_of, or nothing if no source maps cases."""
    if "service_cases.case_id" not in context.mapped:
        return ()
    c = service_cases.c
    about = contact(service_cases)
    about, opened = about.span(service_cases, "opened_at")
    about, acknowledged = about.span(service_cases, "acknowledged_at")
    about, resolved = about.span(service_cases, "resolved_at")
    tables, dimensions = about.dimensions(opened.day)
    order = about.order
    assert order is not None
    resolved_at = happened_at(resolved, context.as_of)
    # A case settled after as_of is undecided at as_of.
    granted = cast(case((or_(c.resolved_at.is_(None), resolved_at.is_not(None)), c.granted), else_=None), Boolean)
    # A bare date means the end of its day. A case settled earlier on that day took 0 seconds.
    open_seconds = minutes_between(opened.hi, func.coalesce(resolved_at, literal(context.as_of, DateTime)))
    return (
        select(
            c.case_id,
            c.order_id,
            func.coalesce(c.kind, literal(NONE, String)).label("case_kind"),
            cast(opened.day, Date).label("opened_day"),
            opened.lo.label("opened_from"),
            opened.hi.label("opened_at"),
            happened_at(acknowledged, context.as_of).label("acknowledged_at"),
            resolved_at.label("resolved_at"),
            greater(open_seconds, literal(0, BigInteger)).label("open_seconds"),
            granted.label("granted"),
            cast(case((granted.is_(False), false()), (granted.is_(True), order.c.otif), else_=None), Boolean).label(
                "met"
            ),
            *dimensions,
        )
        .select_from(tables)
        .where(~c.deleted, happened_by(opened, context.as_of)),
    )


FACT_TABLES: tuple[FactTable, ...] = (FactTable(case_facts_table, select_rows),)
