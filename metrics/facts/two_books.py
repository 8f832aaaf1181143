"""One row: one order in our books or in the buyer's: is it in both, do the verdicts agree, and where the books first
differ.

Of our orders those count whose customer sends scorecards at all. What either book does not say (an empty moment,
quantity or verdict) differs from nothing. Source: rules, section 4 (k).
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
from metrics.schema import AMOUNT, QTY, buyer_scorecards
from metrics.sql.dialects import Expression, Rows, lesser, sum_if, times, typed_null

CAUSES = ("receipt_day", "quantity", "deadline", "verdict")
"""Where two books of one order may differ; the first in this order is the dispute's cause."""

two_books_facts_table = fact_table(
    "book_facts",
    "order",
    "one row: one order judged in our books, or in the buyer's scorecard",
    Column("order_id", String, comment="orders.order_id, or what the buyer calls it"),
    Column(
        "due_day",
        Date,
        comment="due day in our book; where only the buyer has the order, the deadline's or else the receipt's day in theirs",
    ),
    Column("ours", Boolean, comment="true: judged in our book"),
    Column("theirs", Boolean, comment="true: in the buyer's book"),
    Column("agree", Boolean, comment="the verdicts agree; null: not in both, or unknown in one"),
    Column("cause", String, comment="first that differs: receipt_day, quantity, deadline, verdict; null: nothing does"),
    Column("our_receipt_day", Date, comment="local day it arrived by our book"),
    Column("their_receipt_day", Date, comment="local day it came by theirs"),
    Column("our_qty", QTY, comment="goods received by our book, base unit"),
    Column("their_qty", QTY, comment="goods received by theirs, base unit"),
    Column("our_deadline_day", Date, comment="local day it was due by our book"),
    Column("their_deadline_day", Date, comment="local day of the deadline they judged by"),
    Column("our_verdict", Boolean, comment="on time in full by our book; null: unknown"),
    Column("their_verdict", Boolean, comment="passed by theirs; null: not said"),
    Column(
        "failing_amount",
        AMOUNT,
        comment="goods value of what fails by the buyer's book, reporting currency; null: no rate or no price",
    ),
)


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Orders of both books or of one; nothing where no feed brings scorecards.

    Orders that our book has pending or excluded are left out on both sides.
    """
    if "buyer_scorecards.order_id" not in context.mapped:
        return ()
    return (_in_theirs(context), _only_in_ours())


def _in_theirs(context: BuildContext) -> Rows:
    """Every order of a scorecard, beside ours."""
    b = buyer_scorecards.c
    # The buyer's name for an order is theirs: another customer's order of that name is another order.
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
    # Punctual but short: the units missing, at the highest price of the order, so that the stake is never understated.
    # Else all that was owed.
    only_short = and_(~late, b.received_qty < p.owed_qty, p.owed_amount.is_not(None))
    short_amount = cast(times(p.owed_qty - b.received_qty, p.highest_price), AMOUNT)
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
            cast(case((b.passed.is_(False), times(failing, o.rate)), else_=None), AMOUNT).label("failing_amount"),
            *dimensions,
        )
        .select_from(tables)
        .where(~b.deleted, or_(o.state == "judged", and_(~ours, begun)))
    )


def _prices() -> Rows:
    """One row per order: the goods owed, their value, and the highest price among them. Null where a line has no price."""
    line = order_line_facts_table.c
    owed = and_(line.line_kind == "goods", line.owed_qty > 0)
    unpriced = func.max(case((and_(owed, line.owed_amount.is_(None)), 1), else_=0))
    return (
        select(
            line.order_id,
            sum_if(owed, line.owed_qty).label("owed_qty"),
            case(
                (unpriced == 0, sum_if(and_(owed, line.owed_amount.is_not(None)), line.owed_amount)),
                else_=typed_null(AMOUNT),
            ).label("owed_amount"),
            func.max(case((owed, line.unit_price_amount), else_=None)).label("highest_price"),
        )
        .where(line.order_id.in_(select(buyer_scorecards.c.order_id).where(buyer_scorecards.c.passed.is_(False))))
        .group_by(line.order_id)
    )


def _only_in_ours() -> Rows:
    """Judged orders of customers that send scorecards which are not in any."""
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
            typed_null(AMOUNT).label("failing_amount"),
            *order_dimensions(),
        )
        .select_from(tables)
        .where(o.state == "judged", named.c.order_id.is_(None))
    )


FACT_TABLES: tuple[FactTable, ...] = (FactTable(two_books_facts_table, select_rows),)
