"""Scenarios of an order fill: what incomplete orders cost, and the gain of a higher fill. Pure arithmetic.

An incomplete order is back-ordered, waited for or lost. A back order costs a second handling and, with some buyers, a
deduction from the invoice. A lost order costs its profit. A buyer who waited costs neither. Source: Coyle (study
problem 12, case Paper2Go); docs/rules.md, stockouts and reference figures.
"""

from dataclasses import dataclass
from decimal import Decimal

from metrics.errors import SettingRefused
from metrics.model.statistics import divide


@dataclass(frozen=True)
class Scenario:
    """Orders at one order fill. Shares are 0 to 1; costs and profit are money per order.

    Of the incomplete orders, back_ordered_share gets a further delivery. waited_share comes later in one delivery. The
    others are lost. Raises SettingRefused for impossible values.
    """

    orders: Decimal
    fill: Decimal
    back_ordered_share: Decimal
    back_order_cost: Decimal
    order_profit: Decimal
    invoice_deduction: Decimal = Decimal(0)
    waited_share: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        """Refuse shares outside 0 to 1 and negative numbers."""
        for name in ("fill", "back_ordered_share", "waited_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingRefused(
                    name, f"{getattr(self, name)} is not a share; give a number from 0 to 1 (92% is 0.92)"
                )
        if self.back_ordered_share + self.waited_share > 1:
            raise SettingRefused(
                "waited_share",
                f"{self.back_ordered_share} back-ordered and {self.waited_share} waited are more than 1 together; give "
                "shares of the incomplete orders",
            )
        for name in ("orders", "back_order_cost", "order_profit", "invoice_deduction"):
            if getattr(self, name) < 0:
                raise SettingRefused(name, f"{getattr(self, name)} is below 0; give 0 or more")


@dataclass(frozen=True)
class Lost:
    """The cost of incomplete orders: their number, and the cash flow lost with back-ordered and with lost orders."""

    incomplete: Decimal
    back_ordered: Decimal
    lost: Decimal

    @property
    def cash(self) -> Decimal:
        """The total cash flow lost."""
        return self.back_ordered + self.lost


@dataclass(frozen=True)
class Investment:
    """The comparison of two scenarios.

    payback_years is None if there is no gain. break_even is the highest investment that the gain of one year covers.
    """

    low: Lost
    high: Lost
    gain: Decimal
    net: Decimal
    payback_years: float | None
    break_even: Decimal


def cash_lost(scenario: Scenario) -> Lost:
    """Return the cash flow lost, exactly: N·(1-fill)·[b·(back-order cost + invoice deduction) + (1-b-w)·profit per
    order].

    b: share back-ordered, w: share waited, of the incomplete orders.

    Source: docs/rules.md, stockouts.
    """
    incomplete = scenario.orders * (1 - scenario.fill)
    back_ordered = incomplete * scenario.back_ordered_share
    return Lost(
        incomplete,
        back_ordered * (scenario.back_order_cost + scenario.invoice_deduction),
        incomplete * (1 - scenario.back_ordered_share - scenario.waited_share) * scenario.order_profit,
    )


def compare(low: Scenario, high: Scenario, *, investment: Decimal = Decimal(0)) -> Investment:
    """Return the gain of raising the fill from `low` to `high` in the year that both describe, less the investment.

    Raises SettingRefused.
    """
    if high.fill < low.fill:
        raise SettingRefused(
            "fill", f"the target fill ({high.fill}) is below the present fill ({low.fill}); give a higher target"
        )
    if investment < 0:
        raise SettingRefused("investment", f"{investment} is below 0; give 0 or more")
    before, after = cash_lost(low), cash_lost(high)
    gain = before.cash - after.cash
    return Investment(before, after, gain, gain - investment, divide(investment, gain), gain)
