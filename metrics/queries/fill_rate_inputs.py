"""What the fill-rate calculator starts from: orders and fill as observed in view, brought to a year, and the numbers
assumed.

The gain of a year it comes to is the one `fill_payback` rests on. Source: rules, section 4 (d).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import Connection

from metrics.facts.assumptions import assumed, assumption_scope, stated
from metrics.measures.fill_rate import Scenario, days_in_view, observed
from metrics.model.question import Answer, Question
from metrics.model.statistics import DAYS_A_YEAR
from metrics.queries.answer import answer

ASSUMED = ("fill_target", "fill_back_order_cost", "fill_invoice_deduction", "fill_order_profit", "fill_investment")


@dataclass(frozen=True)
class FillRateInputs:
    """Where to start. `low` and `high`: the orders of a year at their own fill and at the one to be reached; None where
    none is judged.

    assumed: every number assumed for the view; stated: the names of those somebody gave, the others being illustrative.
    """

    low: Scenario | None
    high: Scenario | None
    assumed: Mapping[str, Decimal]
    stated: tuple[str, ...]


def fill_rate_inputs(connection: Connection, question: Question) -> FillRateInputs:
    """The start for a question's days and filters."""

    def ask(other: Question) -> list[Answer]:
        return answer(connection, other)

    scope = assumption_scope({}, question.where)
    given = tuple(name for name in ASSUMED if stated(connection, name, scope=scope) is not None)
    numbers = {name: assumed(connection, name, scope=scope) for name in ASSUMED}
    (seen,) = observed(connection, question, ask)
    days = days_in_view(connection, question)
    if seen.low is None or seen.high is None or days is None:
        return FillRateInputs(None, None, numbers, given)
    orders = seen.low.orders * DAYS_A_YEAR / days
    return FillRateInputs(replace(seen.low, orders=orders), replace(seen.high, orders=orders), numbers, given)
