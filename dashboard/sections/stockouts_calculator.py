"""What a better fill rate is worth: the calculator, its inputs beside what they come to, which start from our own
numbers where they are set.
"""

from decimal import Decimal

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, tables, theme
from dashboard.measure_page.view import MeasureView
from metrics.errors import SettingRefused
from metrics.measures.fill_rate import Investment, Scenario, compare
from metrics.queries.fill_rate_inputs import FillRateInputs, fill_rate_inputs

PRESETS: dict[str, dict[str, float]] = {
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
    "Paper2Go": {
        "orders": 500_000,
        "low": 92.0,
        "high": 98.0,
        "share": 85.0,
        "cost": 15.0,
        "profit": 90.0,
        "deduction": 30.0,
        "invest": 1_000_000.0,
    },
}
"""Two cases of Coyle's textbook, whose answers are known; the first is what the fields start with while nobody set a
number of ours.
"""
OURS = "Our numbers"
TEXTBOOK = "Study problem"
FIELDS = {
    "fill_target": "fill to reach",
    "fill_back_order_cost": "cost of a back-order",
    "fill_invoice_deduction": "invoice deduction",
    "fill_order_profit": "profit per order",
    "fill_investment": "investment",
}


def calculator(view: MeasureView) -> None:
    """Draw the inputs and the result."""
    start = queries.cached(fill_rate_inputs, view.generation, view.question)
    cases = ({OURS: ours(start)} if start.stated else {}) | PRESETS
    first = next(iter(cases))
    st.header("What is a better fill rate worth?", anchor=False)
    st.caption(
        "An incomplete order is either back-ordered, which costs a second handling, or lost with its profit. All inputs "
        ""
        ""
        ""
        ""
        ""
        ""
        ""
        ""
        ""
        ""
        ""
        "are yours to change."
    )
    chosen = (
        st.segmented_control("Start from", list(cases), default=first, required=True, key=f"fill_case_{len(cases)}")
        or first
    )
    st.caption(_whence(chosen, start))
    case = cases[chosen]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        given = {
            "orders": _number("Orders a year", case["orders"], chosen, step=100.0),
            "low": _number("Fill now, %", case["low"], chosen, most=100.0),
            "high": _number("Fill to reach, %", case["high"], chosen, most=100.0),
            "share": _number("Back-ordered, %", case["share"], chosen, most=100.0),
            "cost": _number("Cost of a back-order", case["cost"], chosen, step=5.0),
            "deduction": _number("Invoice deduction", case["deduction"], chosen, step=5.0),
            "profit": _number("Profit per order", case["profit"], chosen, step=10.0),
            "invest": _number("Investment", case["invest"], chosen, step=10_000.0),
        }
    try:
        theme.show_html(result(calculate(given)))
    except SettingRefused as refused:
        theme.show_html(cards.empty("That cannot be", formatting.html(refused)))


def ours(start: FillRateInputs) -> dict[str, float]:
    """A case of the numbers assumed, with orders and fill as observed; those are the textbook's where nothing is."""
    textbook = PRESETS[TEXTBOOK]
    seen = {
        "orders": textbook["orders"],
        "low": textbook["low"],
        "high": float(start.assumed["fill_target"] * 100),
        "share": textbook["share"],
    }
    if start.low is not None and start.high is not None:
        shares = {"low": start.low.fill, "high": start.high.fill, "share": start.low.back_ordered_share}
        seen = {"orders": float(start.low.orders)} | {name: float(share * 100) for name, share in shares.items()}
    costs = {
        "cost": "back_order_cost",
        "deduction": "invoice_deduction",
        "profit": "order_profit",
        "invest": "investment",
    }
    return seen | {field: float(start.assumed[f"fill_{name}"]) for field, name in costs.items()}


def _whence(chosen: str, start: FillRateInputs) -> str:
    """Where the numbers the fields start with come from."""
    if chosen != OURS:
        case = "Coyle's textbook, not your business."
        return (
            case
            if start.stated
            else f"{case} Nobody set a number of yours: do so under “Numbers assumed” below, and the fields start from them."
        )
    told = ["Orders, fill and the back-ordered share as observed in view, brought to a year."]
    if start.low is None:
        told = ["Orders, fill now and the back-ordered share are the textbook's: none can be observed in view."]
    told.append(f"Set under “Numbers assumed”: {', '.join(FIELDS[name] for name in start.stated)}.")
    if illustrative := [said for name, said in FIELDS.items() if name not in start.stated]:
        told.append(f"Illustrative, since nobody set them: {', '.join(illustrative)}.")
    return " ".join(told)


def _number(label: str, value: float, case: str, *, step: float = 1.0, most: float | None = None) -> Decimal:
    key = f"fill_{case}_{label}_{value:g}"  # other filters start anew
    shown = (
        "%.9g" if value == round(value, 2) else "%.2f"
    )  # what was observed has more decimals than anybody reads; it is reckoned with as it is
    typed = st.number_input(
        label, min_value=0.0, max_value=most, value=float(value), step=step, key=key, width=170, format=shown
    )
    return Decimal(str(typed))


def calculate(given: dict[str, Decimal]) -> Investment:
    """The inputs of the fields (shares in %) put to the calculator."""

    def scenario(fill: Decimal) -> Scenario:
        return Scenario(
            given["orders"], fill / 100, given["share"] / 100, given["cost"], given["profit"], given["deduction"]
        )

    return compare(scenario(given["low"]), scenario(given["high"]), investment=given["invest"])


def result(found: Investment) -> str:
    """What it comes to, as markup."""
    rows = [
        ["Incomplete orders", f"{found.low.incomplete:,.0f}", f"{found.high.incomplete:,.0f}"],
        ["Lost with those back-ordered", f"{found.low.back_ordered:,.0f}", f"{found.high.back_ordered:,.0f}"],
        ["Lost with those lost", f"{found.low.lost:,.0f}", f"{found.high.lost:,.0f}"],
        ["Cash flow lost", f"{found.low.cash:,.0f}", f"{found.high.cash:,.0f}"],
    ]
    payback = formatting.DASH if found.payback_years is None else f"{found.payback_years:,.2f} years"
    told = [
        ("Gain a year", f"{found.gain:,.0f}"),
        ("Less the investment", f"{found.net:,.0f}".replace("-", formatting.MINUS)),
        ("Payback", payback),
        ("Pays for at most, in one year", f"{found.break_even:,.0f}"),
    ]
    table = tables.table(
        ("", "Now", "At the higher fill"),
        rows,
        caption="Cash flow lost to incomplete orders",
        numeric=(1, 2),
        total=True,
    )
    return table + tables.facts(told)
