"""Judge orders under other policies, in batches, for the policy diff and the definition ladder.

An order's period is the same under every policy: `due_day` is the day of the first promise.

Source: R6 (period of a number).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, Subquery, func, select

from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import facts_state, order_facts, order_facts_table
from metrics.measures.catalog import dimension_column
from metrics.policy import Policy
from metrics.schema import Row
from metrics.sql.dialects import Expression

ORDERS_PER_BATCH = 20_000
"""Orders judged in one statement and kept in memory at once."""


@dataclass(frozen=True)
class View:
    """The orders to compare: due from `start` to `end` (inclusive), with these dimension values."""

    start: date | None = None
    end: date | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def conditions(self) -> list[Expression]:
        """Return the WHERE over `order_facts`."""
        o = order_facts_table.c
        conditions: list[Expression] = [o.due_day.is_not(None)]
        if self.start is not None:
            conditions.append(o.due_day >= self.start)
        if self.end is not None:
            conditions.append(o.due_day <= self.end)
        return conditions + [o[dimension_column(name)].in_(values) for name, values in self.where]


def judge_under(
    connection: Connection, policies: Sequence[Policy], view: View, columns: Sequence[str]
) -> Iterator[tuple[Row, list[Row]]]:
    """Yield each order in view, by order_id: its stored strict row, and its row under each policy.

    columns: columns of `order_facts` in each row, besides `order_id`. Every policy judges the same orders, at the
    instant of the stored facts.
    """
    as_of: datetime = connection.execute(select(facts_state.c.as_of)).scalar_one()
    known = mapped(connection)
    names = ("order_id", *columns)
    for batch in _batches(connection, view):
        stored = select(*[order_facts_table.c[name] for name in names]).join(
            batch, batch.c.order_id == order_facts_table.c.order_id
        )
        strict = {row["order_id"]: dict(row) for row in connection.execute(stored).mappings()}
        by_policy = []
        for policy in policies:
            judged = order_facts(policy, as_of, known, only=batch).subquery("rejudged")
            rows = connection.execute(select(*[judged.c[name] for name in names])).mappings()
            by_policy.append({row["order_id"]: dict(row) for row in rows})
        for order_id in sorted(strict):
            yield strict[order_id], [rows[order_id] for rows in by_policy]


def _batches(connection: Connection, view: View) -> Iterator[Subquery]:
    """The orders in view as SELECTs of order_id, ORDERS_PER_BATCH at a time."""
    o = order_facts_table.c
    conditions = view.conditions()
    position = (func.row_number().over(order_by=o.order_id) - 1).label("place")
    numbered_orders = select(o.order_id, position).where(*conditions).subquery()
    part = (numbered_orders.c.place - numbered_orders.c.place % ORDERS_PER_BATCH).label("part")
    numbered = select(numbered_orders.c.order_id, part).subquery()
    bounds = select(func.min(numbered.c.order_id), func.max(numbered.c.order_id)).group_by(numbered.c.part)
    for first, last in sorted(tuple(row) for row in connection.execute(bounds)):
        yield select(o.order_id).where(*conditions, o.order_id.between(first, last)).subquery("part")
