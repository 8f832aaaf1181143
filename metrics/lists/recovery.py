"""The way of a failure in counts: failed, detected, acknowledged, settled, ordered again; each of those before it."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, select

from metrics.facts.recoveries import recovery_facts_table
from metrics.model.question import Question
from metrics.queries.answer import view_conditions
from metrics.sql.dialects import count_if


@dataclass(frozen=True)
class Funnel:
    """How many failures came so far by as_of. The counts are those of the survival measures of `recovery.py`: each
    halves of one of them.
    """

    failed: int
    detected: int
    acknowledged: int
    resolved: int
    again: int
    """Settled, and the customer has ordered since."""


def funnel(connection: Connection, question: Question) -> Funnel:
    """The chain of the failures among orders due in the period."""
    r = recovery_facts_table.c
    failed = and_(r.failed, r.detect_seconds.is_not(None))
    detected = and_(failed, r.detected_at.is_not(None))
    acknowledged = and_(detected, r.acknowledged_at.is_not(None))
    resolved = and_(acknowledged, r.resolved_at.is_not(None))
    steps = (failed, detected, acknowledged, resolved, and_(resolved, r.next_day.is_not(None)))
    counted = select(*[count_if(one).label(f"n{at}") for at, one in enumerate(steps)])
    row = connection.execute(
        counted.where(*view_conditions(recovery_facts_table, recovery_facts_table.c.due_day, question))
    ).one()
    return Funnel(*[int(one or 0) for one in row])
