"""Two books: our verdict of an order next to that of the buyer's scorecard, and the first difference.

Grain: one row per order in our book or in the buyer's. Key: customer_id, order_id.
Stale rows: not tracked. Every run rebuilds the whole table.
Source: section 4 (k) (two books).

Our orders count only if their customer sends scorecards. An empty date, quantity or verdict is not a difference.
"""

from collections.abc import Sequence

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    FromClause,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)

from metrics.facts.customer_contacts import contact, happened_at
from metrics.facts.fact_table import BuildContext, FactTable, fact_table, order_dimensions
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.schema import EXACT_AMOUNT, QTY, buyer_scorecards
from metrics.sql.dialects import Expression, Rows, lesser, sum_if, times, typed_null

CAUSES = ("receipt_day", "quantity", "deadline", "verdict")
"""Possible differences between the books. The first one that applies is the cause of the dispute."""

two_books_facts_table = fact_table(
    "book_facts",
    "order",
    "one row: one order judged in our book or in the buyer's scorecard",
    Column("order_id", String, comment="orders.order_id, or the buyer's own number"),
    Column(
        "due_day",
        Date,
        comment="due day in our book; for an order of the buyer only: their deadline day, else their receipt day",
    ),
    Column("ours", Boolean, comment="true: judged in our book"),
    Column("theirs", Boolean, comment="true: in the buyer's book"),
    Column("agree", Boolean, comment="the verdicts agree; null: not in both, or unknown in one"),
    Column("cause", String, comment="first difference: receipt_day, quantity, deadline or verdict; null: none"),
    Column("our_receipt_day", Date, comment="local day of arrival in our book"),
    Column("their_receipt_day", Date, comment="local day of receipt in their book"),
    Column("our_qty", QTY, comment="goods received in our book, base unit"),
    Column("their_qty", QTY, comment="goods received in their book, base unit"),
    Column("our_deadline_day", Date, comment="local due day in our book"),
    Column("their_deadline_day", Date, comment="local day of the deadline in their book"),
    Column("our_verdict", Boolean, comment="on time in full in our book; null: unknown"),
    Column("their_verdict", Boolean, comment="passed in their book; null: no verdict"),
    Column(
        "failing_amount",
        EXACT_AMOUNT,
        comment="goods value that fails in the buyer's book, reporting currency; null: no rate or no price",
    ),
)


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return the orders of either book, or nothing if no source maps scorecards.

    Orders that are pending or excluded in our book are left out.
    """
    if "buyer_scorecards.order_id" not in context.mapped:
        return ()
    return (_in_theirs(context), _only_in_ours())


def _in_theirs(context: BuildContext) -> Rows:
    """Return every order of a scorecard, with our verdict if we have the order."""
    b = buyer_scorecards.c
    # Scorecards use the buyer's order numbers. Another customer's order may have the same number.
    about = contact(buyer_scorecards, same_customer=True)
    about, due = about.span(buyer_scorecards, "due_by")
    about, received = about.span(buyer_scorecards, "received_at")
    order = about.order
    assert order is not None
    o = order.c
    ours = o.order_id.is_not(None)
    received_day = case((happened_at(received, context.as_of).is_not(None), received.day), else_=None)
    due_day = func.coalesce(o.due_day, due.day, received_day)
    tables, dimensions = about.dimensions(due_day)
    priced = _prices().subquery("prices")
    tables = tables.outerjoin(priced, priced.c.order_id == b.order_id)
    pairs = {
        "receipt_day": (o.arrived_day, received_day),
        "quantity": (o.received_qty, b.received_qty),
        "deadline": (o.due_day, due.day),
        "verdict": (o.otif, b.passed),
    }
    differing: list[tuple[Expression, Expression]] = [
        (mine != theirs, literal(cause, String)) for cause, (mine, theirs) in pairs.items()
    ]
    p = priced.c
    late = func.coalesce(received.hi > due.hi, received_day.is_(None))
    # On time but short: the missing units at the highest price of the order, so that the amount is never too low.
    # Otherwise: everything owed.
    only_short = and_(~late, b.received_qty < p.owed_qty, p.owed_amount.is_not(None))
    short_amount = cast(times(p.owed_qty - b.received_qty, p.highest_price), EXACT_AMOUNT)
    failing = case((only_short, lesser(short_amount, p.owed_amount)), else_=p.owed_amount)
    now = literal(context.as_of, DateTime)
    begun = func.coalesce(func.coalesce(due.hi, received.hi) <= now, True)
    return (
        select(
            b.order_id,
            cast(due_day, Date).label("due_day"),
            ours.label("ours"),
            literal(True).label("theirs"),
            cast(o.otif == b.passed, Boolean).label("agree"),
            cast(case(*differing, else_=None), String).label("cause"),
            *[cast(o.arrived_day, Date).label("our_receipt_day"), cast(received_day, Date).label("their_receipt_day")],
            *[cast(o.received_qty, QTY).label("our_qty"), b.received_qty.label("their_qty")],
            *[cast(o.due_day, Date).label("our_deadline_day"), cast(due.day, Date).label("their_deadline_day")],
            *[cast(o.otif, Boolean).label("our_verdict"), b.passed.label("their_verdict")],
            cast(case((b.passed.is_(False), times(failing, o.rate)), else_=None), EXACT_AMOUNT).label("failing_amount"),
            *dimensions,
        )
        .select_from(tables)
        .where(~b.deleted, or_(o.state == "judged", and_(~ours, begun)))
    )


def _prices() -> Rows:
    """Return per order the goods owed, their value and their highest price. The value is null if a price is missing."""
    line = order_line_facts_table.c
    owed = and_(line.line_kind == "goods", line.owed_qty > 0)
    unpriced = func.max(case((and_(owed, line.owed_amount.is_(None)), 1), else_=0))
    return (
        select(
            line.order_id,
            sum_if(owed, line.owed_qty).label("owed_qty"),
            case(
                (unpriced == 0, sum_if(and_(owed, line.owed_amount.is_not(None)), line.owed_amount)),
                else_=typed_null(EXACT_AMOUNT),
            ).label("owed_amount"),
            func.max(case((owed, line.unit_price_amount), else_=None)).label("highest_price"),
        )
        .where(line.order_id.in_(select(buyer_scorecards.c.order_id).where(buyer_scorecards.c.passed.is_(False))))
        .group_by(line.order_id)
    )


def _only_in_ours() -> Rows:
    """Return judged orders that no scorecard lists, of customers that send scorecards."""
    o, b = order_facts_table.c, buyer_scorecards.c
    senders = select(b.customer_id).where(~b.deleted).distinct().subquery("senders")
    named = select(b.customer_id, b.order_id).where(~b.deleted).subquery("named")
    tables: FromClause = order_facts_table.join(senders, senders.c.customer_id == o.customer_id).outerjoin(
        named, and_(named.c.order_id == o.order_id, named.c.customer_id == o.customer_id)
    )
    no_day, no_qty, no_verdict = typed_null(Date()), typed_null(QTY), typed_null(Boolean())
    return (
        select(
            o.order_id,
            o.due_day,
            literal(True).label("ours"),
            literal(False).label("theirs"),
            no_verdict.label("agree"),
            typed_null(String()).label("cause"),
            *[o.arrived_day.label("our_receipt_day"), no_day.label("their_receipt_day")],
            *[o.received_qty.label("our_qty"), no_qty.label("their_qty")],
            *[o.due_day.label("our_deadline_day"), no_day.label("their_deadline_day")],
            *[o.otif.label("our_verdict"), no_verdict.label("their_verdict")],
            typed_null(EXACT_AMOUNT).label("failing_amount"),
            *order_dimensions(),
        )
        .select_from(tables)
        .where(o.state == "judged", named.c.order_id.is_(None))
    )


FACT_TABLES: tuple[FactTable, ...] = (FactTable(two_books_facts_table, select_rows),)
