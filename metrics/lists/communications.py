"""How long before the deadline buyers of late orders were told: counts by the notice given, which add up to the late orders."""

from sqlalchemy import Connection, and_, case, func, select

from metrics.facts.recoveries import recovery_facts_table
from metrics.lists.options import rows_of
from metrics.model.question import Question
from metrics.queries.answer import in_view

HOUR = 3600
BANDS = ("more than two days before", "one to two days before", "less than a day before", "after the deadline", "never told", "not known when")
"""The notice given, the longest first; the first three are in time."""
IN_TIME = BANDS[:3]


def bands(connection: Connection, question: Question) -> dict[str, int]:
    """Late orders by the notice their buyer was given. Those in time are the numerator of `late_warned`, all but the last its denominator."""
    r = recovery_facts_table.c
    ahead, told = r.notice_seconds, r.notice_seconds.is_not(None)
    band = case(
        (r.warned.is_(None), BANDS[5]),
        (and_(r.warned, ahead > 48 * HOUR), BANDS[0]),
        (and_(r.warned, ahead > 24 * HOUR), BANDS[1]),
        (r.warned, BANDS[2]),
        (told, BANDS[3]),
        else_=BANDS[4],
    ).label("band")
    inner = select(band).where(r.late, *in_view(recovery_facts_table, recovery_facts_table.c.due_day, question)).subquery()
    counted = rows_of(connection, select(inner.c.band, func.count().label("orders")).group_by(inner.c.band))
    found = {row["band"]: int(row["orders"]) for row in counted}
    return {name: found.get(name, 0) for name in BANDS}
