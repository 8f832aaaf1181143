"""Orders judged anew under another policy, part by part: what the policy diff and the definition ladder compare.

An order's period never moves: `due_day` is the first promise's under every policy (rules, section 2).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import facts_state, order_facts, order_facts_table
from metrics.measures.catalog import dimension_column
from metrics.policy import Policy
from metrics.sql.dialects import Expression

ORDERS_PER_BATCH = 20_000
"""Orders judged in one statement and held in memory at once."""

Row = dict[str, Any]


@dataclass(frozen=True)
class View:
    """The orders looked at: due from `start` to `end` (inclusive), and with these dimension values."""

    start: date | None = None
    end: date | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def conditions(self) -> list[Expression]:
        """The WHERE over order_facts."""
        o = order_facts_table.c
        found: list[Expression] = [o.due_day.is_not(None)]
        if self.start is not None:
            found.append(o.due_day >= self.start)
        if self.end is not None:
            found.append(o.due_day <= self.end)
        return found + [o[dimension_column(name)].in_(values) for name, values in self.where]


def judge_under(
    connection: Connection, policies: Sequence[Policy], view: View, columns: Sequence[str]
) -> Iterator[tuple[Row, list[Row]]]:
    """Every order in view: its stored, strictly judged row, and its row under each policy (columns of order_facts), in
    order of order_id.

    An order that a policy does not know is impossible: every policy judges the same orders at the stored facts' own
    instant.
    """
    as_of: datetime = connection.execute(select(facts_state.c.as_of)).scalar_one()
    known = mapped(connection)
    chosen = ("order_id", *columns)
    for part in _parts(connection, view):
        stored = select(*[order_facts_table.c[name] for name in chosen]).join(
            part, part.c.order_id == order_facts_table.c.order_id
        )
        strict = {row["order_id"]: dict(row) for row in connection.execute(stored).mappings()}
        anew = []
        for policy in policies:
            judged = order_facts(policy, as_of, known, only=part).subquery("judged_anew")
            rows = connection.execute(select(*[judged.c[name] for name in chosen])).mappings()
            anew.append({row["order_id"]: dict(row) for row in rows})
        for order_id in sorted(strict):
            yield strict[order_id], [rows[order_id] for rows in anew]


def _parts(connection: Connection, view: View) -> Iterator[Any]:
    """The orders in view as SELECTs of order_id, ORDERS_PER_BATCH at a time."""
    o = order_facts_table.c
    inside = view.conditions()
    place = (func.row_number().over(order_by=o.order_id) - 1).label("place")
    placed = select(o.order_id, place).where(*inside).subquery()
    part = (placed.c.place - placed.c.place % ORDERS_PER_BATCH).label("part")
    numbered = select(placed.c.order_id, part).subquery()
    bounds: Select[Any] = select(func.min(numbered.c.order_id), func.max(numbered.c.order_id)).group_by(numbered.c.part)
    for first, last in sorted(tuple(row) for row in connection.execute(bounds)):
        yield select(o.order_id).where(*inside, o.order_id.between(first, last)).subquery("part")
