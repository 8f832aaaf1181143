"""Orders in both books by both verdicts, and the disputed orders with both records."""

from sqlalchemy import Connection, case, func, select

from metrics.facts.two_books import two_books_facts_table
from metrics.lists.rows import Listing, Row, rows_of
from metrics.model.question import Question
from metrics.queries.statements import view_conditions

VERDICT_TEXT = (
    "their_receipt_day",
    "our_receipt_day",
    "their_qty",
    "our_qty",
    "their_deadline_day",
    "our_deadline_day",
    "their_verdict",
    "our_verdict",
)


def verdicts(connection: Connection, question: Question) -> list[Row]:
    """Return the orders of `books_matched` by verdict: `our_verdict`, `their_verdict` (null: not known), `orders`."""
    b = two_books_facts_table.c
    counted = select(b.our_verdict, b.their_verdict, func.count().label("orders"))
    both = counted.where(
        b.ours, b.theirs, *view_conditions(two_books_facts_table, two_books_facts_table.c.due_day, question)
    )
    return rows_of(connection, both.group_by(b.our_verdict, b.their_verdict))


def disputed(connection: Connection, question: Question, *, page: int = 1, size: int = 25) -> Listing:
    """Return one page of the orders of `books_dispute`, the largest amount first.

    Columns: order_id, customer_id, due_day, cause, failing_amount (reporting currency), and the values of both books
    (SAID).
    """
    b = two_books_facts_table.c
    view = [b.cause.is_not(None), *view_conditions(two_books_facts_table, two_books_facts_table.c.due_day, question)]
    nothing_last = case((b.failing_amount.is_(None), 1), else_=0)
    listed = (
        select(
            b.order_id,
            b.customer_id,
            b.segment,
            b.due_day,
            b.cause,
            b.failing_amount,
            *[b[name] for name in VERDICT_TEXT],
        )
        .where(*view)
        .order_by(nothing_last, b.failing_amount.desc(), b.due_day.desc(), b.order_id, b.customer_id)
        .limit(size)
        .offset((page - 1) * size)
    )
    total = connection.execute(select(func.count()).select_from(two_books_facts_table).where(*view)).scalar_one()
    return Listing(rows=rows_of(connection, listed), total=int(total))
