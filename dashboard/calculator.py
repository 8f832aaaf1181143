"""What a better fill rate is worth: the calculator with its inputs shown beside what they come to."""

from decimal import Decimal

import streamlit as st

from dashboard import cards, look, tables
from dashboard import format as fmt
from metrics.errors import SettingRefused
from metrics.fill_rate import Investment, Scenario, compare

PRESETS = {
    "Study problem": {
        "orders": 5_000,
        "low": 80.0,
        "high": 92.0,
        "share": 70.0,
        "cost": 150.0,
        "profit": 12_500.0,
        "deduction": 0.0,
        "invest": 2_000_000.0,
    },
    "Paper2Go": {"orders": 500_000, "low": 92.0, "high": 98.0, "share": 85.0, "cost": 15.0, "profit": 90.0, "deduction": 30.0, "invest": 1_000_000.0},
}
"""Two cases of Coyle's textbook, whose answers are known; the first is what the fields start with."""


def show() -> None:
    """Draw the inputs and the result."""
    st.header("What is a better fill rate worth?", anchor=False)
    st.caption("An incomplete order is either back-ordered, which costs a second handling, or lost with its profit. All inputs are yours to change.")
    chosen = st.segmented_control("Start from", list(PRESETS), default="Study problem", required=True, key="fill_case")
    start = PRESETS[chosen or "Study problem"]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        given = {
            "orders": _number("Orders a year", start["orders"], chosen, step=100.0),
            "low": _number("Fill now, %", start["low"], chosen, most=100.0),
            "high": _number("Fill to reach, %", start["high"], chosen, most=100.0),
            "share": _number("Back-ordered, %", start["share"], chosen, most=100.0),
            "cost": _number("Cost of a back-order", start["cost"], chosen, step=5.0),
            "deduction": _number("Invoice deduction", start["deduction"], chosen, step=5.0),
            "profit": _number("Profit per order", start["profit"], chosen, step=10.0),
            "invest": _number("Investment", start["invest"], chosen, step=10_000.0),
        }
    try:
        look.html(result(worked_out(given)))
    except SettingRefused as refused:
        look.html(cards.empty("That cannot be", fmt.html(refused)))


def _number(label: str, value: float, case: str | None, *, step: float = 1.0, most: float | None = None) -> Decimal:
    typed = st.number_input(label, min_value=0.0, max_value=most, value=float(value), step=step, key=f"fill_{case}_{label}", width=170, format="%g")
    return Decimal(str(typed))


def worked_out(given: dict[str, Decimal]) -> Investment:
    """The inputs of the fields (shares in %) put to the calculator."""

    def scenario(fill: Decimal) -> Scenario:
        return Scenario(given["orders"], fill / 100, given["share"] / 100, given["cost"], given["profit"], given["deduction"])

    return compare(scenario(given["low"]), scenario(given["high"]), investment=given["invest"])


def result(found: Investment) -> str:
    """What it comes to, as markup."""
    rows = [
        ["Incomplete orders", f"{found.low.incomplete:,.0f}", f"{found.high.incomplete:,.0f}"],
        ["Lost with those back-ordered", f"{found.low.back_ordered:,.0f}", f"{found.high.back_ordered:,.0f}"],
        ["Lost with those lost", f"{found.low.lost:,.0f}", f"{found.high.lost:,.0f}"],
        ["Cash flow lost", f"{found.low.cash:,.0f}", f"{found.high.cash:,.0f}"],
    ]
    payback = fmt.DASH if found.payback_years is None else f"{found.payback_years:,.2f} years"
    told = [
        ("Gain a year", f"{found.gain:,.0f}"),
        ("Less the investment", f"{found.net:,.0f}".replace("-", fmt.MINUS)),
        ("Payback", payback),
        ("Pays for at most, in one year", f"{found.break_even:,.0f}"),
    ]
    table = tables.table(("", "Now", "At the higher fill"), rows, caption="Cash flow lost to incomplete orders", numeric=(1, 2), total=True)
    return table + tables.facts(told)
