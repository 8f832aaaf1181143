"""Late orders by the notice their buyers were given before the deadline. The counts add up to the late orders."""

from sqlalchemy import Connection, and_, case, func, select

from metrics.facts.recoveries import recovery_facts_table
from metrics.lists.rows import rows_of
from metrics.model.question import Question
from metrics.queries.statements import view_conditions

HOUR = 3600
NOTICE_BUCKETS = (
    "more than two days before",
    "one to two days before",
    "less than a day before",
    "after the deadline",
    "never told",
    "not known when",
)
"""The notice given, the longest first; the first three are in time."""
IN_TIME = NOTICE_BUCKETS[:3]


def notice_buckets(connection: Connection, question: Question) -> dict[str, int]:
    """Return the late orders by notice given.

    Orders with notice in time are the numerator of `late_warned`; all orders with known notice are its denominator.
    """
    r = recovery_facts_table.c
    ahead, has_notice = r.notice_seconds, r.notice_seconds.is_not(None)
    band = case(
        (r.warned.is_(None), NOTICE_BUCKETS[5]),
        (and_(r.warned, ahead > 48 * HOUR), NOTICE_BUCKETS[0]),
        (and_(r.warned, ahead > 24 * HOUR), NOTICE_BUCKETS[1]),
        (r.warned, NOTICE_BUCKETS[2]),
        (has_notice, NOTICE_BUCKETS[3]),
        else_=NOTICE_BUCKETS[4],
    ).label("band")
    inner = (
        select(band)
        .where(r.late, *view_conditions(recovery_facts_table, recovery_facts_table.c.due_day, question))
        .subquery()
    )
    counted = rows_of(connection, select(inner.c.band, func.count().label("orders")).group_by(inner.c.band))
    found = {row["band"]: int(row["orders"]) for row in counted}
    return {name: found.get(name, 0) for name in NOTICE_BUCKETS}
