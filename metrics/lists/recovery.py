"""Recovery funnel and reorder curves of the recovery page."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select

from metrics.facts.recoveries import GROUPS, recovery_facts_table
from metrics.model.question import Question
from metrics.model.statistics import survival_curve
from metrics.queries.statements import view_conditions
from metrics.sql.dialects import count_if


@dataclass(frozen=True)
class Funnel:
    """Failures per stage of recovery by as_of. Each count is half of a survival measure of `measures/recovery.py`."""

    failed: int
    detected: int
    acknowledged: int
    resolved: int
    again: int
    """Resolved, and the customer has ordered since."""


def funnel(connection: Connection, question: Question) -> Funnel:
    """Return the recovery funnel of failures among orders due in the period."""
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


@dataclass(frozen=True)
class Step:
    """A point of a group's curve: the share that has reordered within `days`, and the orders still observed on that
    day.
    """

    group: str
    days: int
    ordered_again: float
    watched: int


def reorder_curves(connection: Connection, question: Question, *, longest: int = 180) -> list[Step]:
    """Return the reorder curves (no failure, recovered, unrecovered) of the orders due in the period.

    A curve ends after `longest` days. A group without orders has no curve. The curves are data and prove no effect.
    """
    order = recovery_facts_table.c
    conditions = [
        order.recovery.in_(GROUPS),
        order.reorder_days.is_not(None),
        *view_conditions(recovery_facts_table, order.due_day, question),
    ]
    found = connection.execute(
        select(order.recovery, order.reorder_days, count_if(order.next_day.is_not(None)), func.count())
        .where(*conditions)
        .group_by(order.recovery, order.reorder_days)
    ).all()
    steps = []
    for group in GROUPS:
        rows = [(days, happened, there) for name, days, happened, there in found if name == group]
        if rows:
            watched = sum(there for _, _, there in rows)
            steps.append(Step(group, 0, 0.0, watched))
        steps += [
            Step(group, int(days), float(1 - surviving), sum(there for when, _, there in rows if when >= days))
            for days, surviving in survival_curve(rows)
            if days <= longest
        ]
    return steps
