"""Judge orders under other policies, for the policy diff and the definition ladder.

Only orders whose verdicts can differ from the strict verdicts are judged again, in batches. All others are counted in
the fact table. An order's period is the same under every policy: `due_day` is the day of the first promise.

Source: R6 (period of a number).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ARRAY, Connection, FromClause, String, bindparam, func, select

from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import order_facts, order_facts_table
from metrics.facts.rejudge import TIMING_COLUMNS, mapped_for_timing
from metrics.measures.catalog import dimension_column
from metrics.policy import Policy
from metrics.queries.affected_orders import as_of_facts, changed_by_policies
from metrics.schema import Row
from metrics.sql.dialects import Expression

ORDERS_PER_BATCH = 20_000
"""Orders judged in one statement."""


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
) -> Iterator[tuple[Row, list[Row], int]]:
    """Yield the orders in view: their stored strict row, their row under each policy, and their number.

    columns: columns of `order_facts` in each row. Every policy judges the same orders, at the instant of the stored
    facts. Orders that no policy can change are counted together: their rows are equal, and the strict one has no
    `order_id`. All others have one, and come in its order.
    """
    o = order_facts_table
    stored, conditions = [o.c[name] for name in columns], view.conditions()
    affected = changed_by_policies(connection, policies)
    tables: FromClause = o
    if affected is not None:
        again = affected.subquery("affected")
        unaffected = select(*stored, func.count().label("number")).select_from(
            o.outerjoin(again, again.c.order_id == o.c.order_id)
        )
        groups = unaffected.where(*conditions, again.c.order_id.is_(None)).group_by(*stored)
        for *values, number in connection.execute(groups):
            row = dict(zip(columns, values, strict=True))
            yield row, [row] * len(policies), number
        tables = o.join(again, again.c.order_id == o.c.order_id)
    order_ids = sorted(connection.scalars(select(o.c.order_id).select_from(tables).where(*conditions)))
    part = _given_orders()
    in_batch = select(o.c.order_id, *stored).join(part, part.c.order_id == o.c.order_id)
    for first in range(0, len(order_ids), ORDERS_PER_BATCH):
        batch = order_ids[first : first + ORDERS_PER_BATCH]
        rows = connection.execute(in_batch, {"order_ids": batch}).mappings()
        strict = {row["order_id"]: dict(row) for row in rows}
        by_policy = [judged_again(connection, policy, batch, columns) for policy in policies]
        for order_id in batch:
            yield strict[order_id], [dict(zip(columns, found[order_id], strict=True)) for found in by_policy], 1


def judged_again(
    connection: Connection, policy: Policy, order_ids: Sequence[str], columns: Sequence[str]
) -> dict[str, tuple[Any, ...]]:
    """Judge orders under a policy, at the instant of the stored facts. Return these columns of `order_facts` by order.

    They are judged in batches, which limits the memory.
    """
    as_of, known = as_of_facts(connection), mapped(connection)
    needed = mapped_for_timing(known) if set(columns) <= TIMING_COLUMNS else known
    judged = order_facts(policy, as_of, needed, only=_given_orders()).subquery("rejudged")
    statement = select(*[judged.c[name] for name in ("order_id", *columns)])
    found: dict[str, tuple[Any, ...]] = {}  # Any: values of any column
    ordered = sorted(order_ids)
    for first in range(0, len(ordered), ORDERS_PER_BATCH):
        batch = ordered[first : first + ORDERS_PER_BATCH]
        found |= {order_id: tuple(values) for order_id, *values in connection.execute(statement, {"order_ids": batch})}
    return found


def _given_orders() -> FromClause:
    """Return the orders that a statement gets as the parameter `order_ids`."""
    return select(func.unnest(bindparam("order_ids", type_=ARRAY(String))).label("order_id")).subquery("part")
