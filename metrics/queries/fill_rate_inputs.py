"""Starting values of the fill-rate calculator: annualised orders and fill rates in view, and the assumptions.

Their annual gain is the one that `fill_payback` uses.

Source: docs/rules.md, Stockouts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import Connection

from metrics.facts.assumptions import assumed, assumption_scope, stated
from metrics.measures.fill_rate import days_in_view, observed
from metrics.measures.fill_scenarios import Scenario
from metrics.model.question import Answer, Provisional, Question
from metrics.model.statistics import DAYS_A_YEAR
from metrics.queries.answer import answer

ASSUMED = ("fill_target", "fill_back_order_cost", "fill_invoice_deduction", "fill_order_profit", "fill_investment")


@dataclass(frozen=True)
class FillRateInputs:
    """Starting values. `low`, `high`: annualised orders at their own and at the target fill rate; None if none is
    judged.

    assumed: all assumptions for the view; stated: names of those that were entered. The others are illustrative.
    """

    low: Scenario | None
    high: Scenario | None
    assumed: Mapping[str, Decimal]
    stated: tuple[str, ...]
    provisional: Provisional | None = None
    """The incomplete orders whose outcome can still change."""


def fill_rate_inputs(connection: Connection, question: Question) -> FillRateInputs:
    """Return the starting values for a question's days and filters."""

    def ask(other: Question) -> list[Answer]:
        return answer(connection, other)

    scope = assumption_scope({}, question.where)
    entered = tuple(name for name in ASSUMED if stated(connection, name, scope=scope) is not None)
    numbers = {name: assumed(connection, name, scope=scope) for name in ASSUMED}
    (scenarios,) = observed(connection, question, ask)
    days = days_in_view(connection, question)
    if scenarios.low is None or scenarios.high is None or days is None:
        return FillRateInputs(None, None, numbers, entered)
    orders = scenarios.low.orders * DAYS_A_YEAR / days
    return FillRateInputs(
        replace(scenarios.low, orders=orders),
        replace(scenarios.high, orders=orders),
        numbers,
        entered,
        scenarios.provisional,
    )
