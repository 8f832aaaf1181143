"""Outcomes of orders that were short at first pass, for the fill-rate calculator.

An order counts once, with the worst outcome of its lines: lost, open, back-ordered, waited. An open order has no
outcome yet and is left out. Source: R38 (stockouts), docs/rules.md, stockouts.
"""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection, Integer, case, func, literal, literal_column, select

from metrics.facts.orders import order_facts_table
from metrics.facts.stockout_events import BACK_ORDERED, OPEN, UNORDERED, WAITED
from metrics.facts.stockouts import stockout_facts_table
from metrics.measures.customer_zones import in_period
from metrics.model.dimensions import DIMENSIONS
from metrics.model.question import Question
from metrics.sql.dialects import Expression, count_if, period_start

_LOST, _OPEN, _BACK_ORDERED, _WAITED = range(4)
"""Outcomes of a line, worst first."""


@dataclass(frozen=True)
class OrderOutcomes:
    """Numbers of incomplete orders whose outcome is known."""

    back_ordered: int
    waited: int
    lost: int

    def share(self, orders: int) -> Decimal:
        """Return these orders as a share of all of them."""
        return Decimal(orders) / Decimal(self.back_ordered + self.waited + self.lost)


def outcomes_of_orders(connection: Connection, question: Question) -> dict[tuple[object, ...], OrderOutcomes]:
    """Return the outcomes per group of a question: its dimension values, and the period or None.

    Orders have the dimensions and the due day of the order facts, as in the order fill. A group without an incomplete
    order whose outcome is known is missing.
    """
    s, o = stockout_facts_table.c, order_facts_table.c
    line = {BACK_ORDERED: _BACK_ORDERED, WAITED: _WAITED, OPEN: _OPEN}
    worst = func.min(
        case(
            {name: literal(rank, Integer) for name, rank in line.items()},
            value=s.outcome,
            else_=literal(_LOST, Integer),
        )
    )
    of_order = (
        select(s.order_id, worst.label("worst"))
        .where(s.stockout_source != UNORDERED)
        .group_by(s.order_id)
        .subquery("outcome_of_orders")
    )
    keys: list[Expression] = [o[DIMENSIONS[name]] for name in question.by]
    if question.grain is not None:
        keys.append(period_start(literal_column(f"'{question.grain}'"), o.due_day))
    found = connection.execute(
        select(*keys, *[count_if(of_order.c.worst == rank) for rank in (_BACK_ORDERED, _WAITED, _LOST)])
        .select_from(order_facts_table.join(of_order, of_order.c.order_id == o.order_id))
        .where(
            o.state == "judged",
            of_order.c.worst != _OPEN,
            *in_period(o.due_day, question.start, question.end),
            *[o[DIMENSIONS[name]].in_(values) for name, values in question.where],
        )
        .group_by(*keys)
    )
    counted = {}
    for *key, back_ordered, waited, lost in found:
        group = tuple(key) if question.grain is not None else (*key, None)
        if back_ordered + waited + lost:
            counted[group] = OrderOutcomes(back_ordered, waited, lost)
    return counted
