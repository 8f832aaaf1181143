"""Combinations of failed tests. Each order is counted under its exact combination, so the orders add up."""

from sqlalchemy import Connection, func, select

from metrics.facts.orders import order_facts_table
from metrics.lists.rows import SHOWN, is_failed, is_shown
from metrics.model.question import Question
from metrics.queries.statements import view_conditions

Combination = tuple[tuple[str, ...], int]
"""The verdicts that failed, and of how many orders exactly these failed."""


def failure_combinations(connection: Connection, question: Question) -> list[Combination]:
    """Return the combinations of failed tests of judged orders due in the period, most frequent first.

    An unknown verdict has not failed.
    """
    o = order_facts_table.c
    view = [*view_conditions(order_facts_table, o.due_day, question), is_failed()]
    inner = select(*[is_shown(name).label(name) for name in SHOWN]).where(*view).subquery()
    columns = [inner.c[name] for name in SHOWN]
    found = connection.execute(select(*columns, func.count().label("orders")).group_by(*columns)).mappings()
    counted = [(tuple(name for name in SHOWN if row[name]), int(row["orders"])) for row in found]
    return sorted(counted, key=lambda one: (-one[1], one[0]))
