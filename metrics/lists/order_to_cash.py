"""Orders behind the 13 steps: late orders by the step that missed the promise, and the longest-waiting orders."""

from sqlalchemy import Connection, func, select

from metrics.facts.orders import order_facts_table
from metrics.facts.step_slack import late_order_facts_table
from metrics.facts.work_in_progress import work_facts_table
from metrics.lists.rows import Listing, rows_of
from metrics.model.question import Question
from metrics.queries.statements import view_conditions

LONGEST = 20
"""Number of open orders listed, the longest-waiting first."""


def late_by_step(connection: Connection, question: Question, *, page: int = 1, size: int = 25) -> Listing:
    """Return one page of late orders with an observed step, latest due first; as many as `late_orders_observed`.

    Columns: order_id, customer_id, segment, due_day, step (02 to 11; 00: when promised; (none): no step missed the
    promise), promise_missed, days_late.
    """
    late, o = late_order_facts_table.c, order_facts_table.c
    view = view_conditions(late_order_facts_table, late_order_facts_table.c.due_day, question)
    listed = (
        select(late.order_id, late.customer_id, late.segment, late.due_day, late.step, late.promise_missed, o.days_late)
        .join(order_facts_table, o.order_id == late.order_id)
        .where(*view)
        .order_by(late.due_day.desc(), late.order_id)
        .limit(size)
        .offset((page - 1) * size)
    )
    total = connection.execute(select(func.count()).select_from(late_order_facts_table).where(*view)).scalar_one()
    return Listing(rows=rows_of(connection, listed), total=int(total))


def oldest_by_step(connection: Connection, question: Question) -> Listing:
    """Return the orders that have waited longest at their step, at the data's own date; `total` counts all open orders.

    Columns: order_id, customer_id, segment, step, standing (in the step, or waiting after it), age_seconds.
    """
    work = work_facts_table.c
    view = view_conditions(work_facts_table, work_facts_table.c.on_day, question)
    listed = (
        select(work.order_id, work.customer_id, work.segment, work.step, work.standing, work.age_seconds)
        .where(*view)
        .order_by(work.age_seconds.desc().nulls_last(), work.order_id)
        .limit(LONGEST)
    )
    total = connection.execute(select(func.count()).select_from(work_facts_table).where(*view)).scalar_one()
    return Listing(rows=rows_of(connection, listed), total=int(total))
