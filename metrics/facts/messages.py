"""Messages to buyers: sent on time, and correct.

Grain: one row per message to a buyer. Key: message_id.
Stale rows: not tracked. Every run rebuilds the whole table.
Source: section 4 (g) (communications and dependability).
"""

from collections.abc import Sequence

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)

from metrics.facts.customer_contacts import contact, done_in_time, happened_at, happened_by
from metrics.facts.fact_table import BuildContext, FactTable, fact_table
from metrics.facts.orders import NONE
from metrics.schema import messages
from metrics.sql.dialects import Rows, typed_null

message_facts_table = fact_table(
    "message_facts",
    "message",
    "one row: one message to a buyer",
    Column("message_id", String, comment="messages.message_id"),
    Column("order_id", String, comment="the order of the message; empty: none"),
    Column("phase", String, comment="pre, during or post the transaction"),
    Column("message_kind", String, comment="messages.kind"),
    Column("told_day", Date, comment="local day it was due; the day it was sent if it was never due"),
    Column("due", Boolean, comment="true: its due time has passed"),
    Column("in_time", Boolean, comment="sent by its due time; null: nothing was due, or a bare date leaves it open"),
    Column("sent_when_due", Boolean, comment="true: sent, and its due time has passed if it has one"),
    Column("correct", Boolean, comment="true: the content was correct; null: not known"),
    Column("sent_from", DateTime, comment="first instant it may have been sent at; null: not sent by as_of"),
    Column("sent_at", DateTime, comment="last instant it may have been sent at; null: not sent by as_of"),
)


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every message, or nothing if no source maps messages."""
    if "messages.message_id" not in context.mapped:
        return ()
    m = messages.c
    about = contact(messages)
    about, due = about.span(messages, "due_at")
    about, sent = about.span(messages, "sent_at")
    day = func.coalesce(due.day, sent.day)
    tables, dimensions = about.dimensions(day)
    was_due, was_sent = happened_by(due, context.as_of), happened_by(sent, context.as_of)
    sent_at = happened_at(sent, context.as_of)
    return (
        select(
            m.message_id,
            m.order_id,
            func.coalesce(m.phase, literal(NONE, String)).label("phase"),
            func.coalesce(m.kind, literal(NONE, String)).label("message_kind"),
            cast(day, Date).label("told_day"),
            was_due.label("due"),
            done_in_time(due, sent, context.as_of).label("in_time"),
            and_(was_sent, or_(was_due, m.due_at.is_(None))).label("sent_when_due"),
            m.correct,
            case((was_sent, sent.lo), else_=typed_null(DateTime())).label("sent_from"),
            sent_at.label("sent_at"),
            *dimensions,
        )
        .select_from(tables)
        .where(~m.deleted),
    )


FACT_TABLES: tuple[FactTable, ...] = (FactTable(message_facts_table, select_rows),)
