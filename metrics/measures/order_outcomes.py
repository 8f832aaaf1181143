"""Outcomes of orders that were short at first pass, for the fill-rate calculator.

An order counts once, with the worst outcome of its lines: lost, open, back-ordered, waited. An open order has no
outcome yet and is left out. Source: R38 (stockouts), docs/rules.md, stockouts.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import Connection, Integer, Subquery, case, func, literal, literal_column, select

from metrics.facts.orders import order_facts_table
from metrics.facts.stockout_events import BACK_ORDERED, OPEN, UNORDERED, WAITED
from metrics.facts.stockouts import stockout_facts_table
from metrics.measures.customer_zones import in_period
from metrics.model.dimensions import DIMENSIONS
from metrics.model.question import Question
from metrics.sql.dialects import Expression, count_if, period_start
from metrics.warehouse.query_cache import cached_per_generation

_LOST, _OPEN, _BACK_ORDERED, _WAITED = range(4)
"""Outcomes of a line, worst first."""


@dataclass(frozen=True)
class OrderOutcomes:
    """Numbers of incomplete orders whose outcome is known, and of those inside the loss window (`provisional`)."""

    back_ordered: int
    waited: int
    lost: int
    provisional: int = 0

    @property
    def known(self) -> int:
        """The incomplete orders whose outcome is known."""
        return self.back_ordered + self.waited + self.lost

    def share(self, orders: int) -> Decimal:
        """Return these orders as a share of all of them."""
        return Decimal(orders) / Decimal(self.known)


@cached_per_generation
def outcomes_of_orders(connection: Connection, question: Question) -> dict[tuple[object, ...], OrderOutcomes]:
    """Return the outcomes per group of a question: its dimension values, and the period or None.

    Orders have the dimensions and the due day of the order facts, as in the order fill. A group without an incomplete
    order is missing.
    """
    o = order_facts_table.c
    of_order = _of_orders()
    w = of_order.c
    keys: list[Expression] = [o[DIMENSIONS[name]] for name in question.by]
    if question.grain is not None:
        keys.append(period_start(literal_column(f"'{question.grain}'"), o.due_day))
    counts = [count_if(w.worst == rank) for rank in (_BACK_ORDERED, _WAITED, _LOST)]
    found = connection.execute(
        select(*keys, *counts, count_if(w.provisional_n > 0))
        .select_from(order_facts_table.join(of_order, w.order_id == o.order_id))
        .where(
            o.state == "judged",
            *in_period(o.due_day, question.start, question.end),
            *[o[DIMENSIONS[name]].in_(values) for name, values in question.where],
        )
        .group_by(*keys)
    )
    counted = {}
    for row in found:
        key, (back_ordered, waited, lost, provisional) = tuple(row)[:-4], tuple(row)[-4:]
        group = key if question.grain is not None else (*key, None)
        counted[group] = OrderOutcomes(back_ordered, waited, lost, provisional)
    return counted


@cached_per_generation
def outcomes_known_through(connection: Connection) -> date | None:
    """Return the last due day before the first order inside the loss window; None if there is no such order."""
    o = order_facts_table.c
    of_order = _of_orders()
    first: date | None = connection.execute(
        select(func.min(o.due_day))
        .select_from(order_facts_table.join(of_order, of_order.c.order_id == o.order_id))
        .where(o.state == "judged", of_order.c.provisional_n > 0)
    ).scalar()
    return None if first is None else first - timedelta(days=1)


def _of_orders() -> Subquery:
    """Return the worst outcome of each incomplete order, and the number of its outcomes that can still change."""
    s = stockout_facts_table.c
    line = {BACK_ORDERED: _BACK_ORDERED, WAITED: _WAITED, OPEN: _OPEN}
    worst = func.min(
        case(
            {name: literal(rank, Integer) for name, rank in line.items()},
            value=s.outcome,
            else_=literal(_LOST, Integer),
        )
    )
    return (
        select(s.order_id, worst.label("worst"), count_if(s.provisional.is_(True)).label("provisional_n"))
        .where(s.stockout_source != UNORDERED)
        .group_by(s.order_id)
        .subquery("outcome_of_orders")
    )
