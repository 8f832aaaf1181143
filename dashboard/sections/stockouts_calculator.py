"""Fill-rate calculator: inputs and result. It starts from your own numbers if assumptions are set."""

from decimal import Decimal

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, tables, theme
from dashboard.measure_page.view import MeasureView
from metrics.errors import SettingRefused
from metrics.measures.fill_scenarios import Investment, Scenario, compare
from metrics.model.measure import Unit
from metrics.queries.fill_rate_inputs import FillRateInputs, fill_rate_inputs

PRESETS: dict[str, dict[str, float]] = {
    "Study problem": {
        "orders": 5_000,
        "low": 80.0,
        "high": 92.0,
        "share": 70.0,
        "waited": 0.0,
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
        "waited": 0.0,
        "cost": 15.0,
        "profit": 90.0,
        "deduction": 30.0,
        "invest": 1_000_000.0,
    },
}
"""Two cases of Coyle's textbook with known answers. The fields start with the first if no assumption is set."""
OURS = "Our numbers"
TEXTBOOK = "Study problem"
FIELDS = {
    "fill_target": "fill to reach",
    "fill_back_order_cost": "cost of a back-order",
    "fill_invoice_deduction": "invoice deduction",
    "fill_order_profit": "profit per order",
    "fill_investment": "investment",
}
WHOLE = 100.0
"""Step of a field with whole numbers: orders a year."""


def calculator(view: MeasureView) -> None:
    """Draw the inputs and the result."""
    start = queries.cached(fill_rate_inputs, view.generation, view.question)
    cases = ({OURS: ours(start)} if start.stated else {}) | PRESETS
    first = next(iter(cases))
    st.caption(
        "An incomplete order is back-ordered, which costs a second handling, waited for in one later delivery, which "
        "costs nothing here, or lost with its profit. You can change all inputs."
    )
    chosen = (
        st.segmented_control("Start from", list(cases), default=first, required=True, key=f"fill_case_{len(cases)}")
        or first
    )
    st.caption(_source_note(chosen, start))
    case = cases[chosen]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        given = {
            "orders": _number("Orders a year", case["orders"], chosen, step=WHOLE),
            "low": _number("Fill now, %", case["low"], chosen, most=100.0),
            "high": _number("Fill to reach, %", case["high"], chosen, most=100.0),
            "share": _number("Back-ordered, % of incomplete orders", case["share"], chosen, most=100.0),
            "waited": _number("Waited, % of incomplete orders", case["waited"], chosen, most=100.0),
            "cost": _number("Cost of a back-order", case["cost"], chosen, step=5.0),
            "deduction": _number("Invoice deduction", case["deduction"], chosen, step=5.0),
            "profit": _number("Profit per order", case["profit"], chosen, step=10.0),
            "invest": _number("Investment", case["invest"], chosen, step=10_000.0),
        }
    try:
        theme.show_html(result(calculate(given)))
    except SettingRefused as refused:
        theme.show_html(cards.empty("Invalid input", formatting.html(refused)))


def ours(start: FillRateInputs) -> dict[str, float]:
    """Return a case of assumed costs with observed orders and fill; the textbook's values replace missing ones."""
    textbook = PRESETS[TEXTBOOK]
    observed = {
        "orders": textbook["orders"],
        "low": textbook["low"],
        "high": float(start.assumed["fill_target"] * 100),
        "share": textbook["share"],
        "waited": textbook["waited"],
    }
    if start.low is not None and start.high is not None:
        shares = {
            "low": start.low.fill,
            "high": start.high.fill,
            "share": start.low.back_ordered_share,
            "waited": start.low.waited_share,
        }
        observed = {"orders": float(start.low.orders)} | {name: float(share * 100) for name, share in shares.items()}
    costs = {
        "cost": "back_order_cost",
        "deduction": "invoice_deduction",
        "profit": "order_profit",
        "invest": "investment",
    }
    return observed | {field: float(start.assumed[f"fill_{name}"]) for field, name in costs.items()}


def _source_note(chosen: str, start: FillRateInputs) -> str:
    """Return the source of the initial values."""
    if chosen != OURS:
        case = "Coyle's textbook, not your business."
        return case if start.stated else f"{case} To start from your own numbers, set them under “Assumptions” below."
    notes = ["Orders, fill, back-ordered and waited shares of orders: observed in view, annualised."]
    if start.low is None:
        notes = [
            "Orders, fill now, back-ordered and waited shares: from the textbook, because none are observed in view."
        ]
    if start.provisional is not None:
        orders = formatting.count(int(start.provisional.open), "incomplete order")
        day = formatting.day(start.provisional.through, year=False)
        notes.append(
            f"Provisional: {orders} due after {day} can still change the shares, because the buyer may yet be lost."
        )
    notes.append(f"Set under “Assumptions”: {', '.join(FIELDS[name] for name in start.stated)}.")
    if illustrative := [title for name, title in FIELDS.items() if name not in start.stated]:
        notes.append(f"Illustrative, because not set: {', '.join(illustrative)}.")
    return " ".join(notes)


def _number(label: str, value: float, case: str, *, step: float = 1.0, most: float | None = None) -> Decimal:
    key = f"fill_{case}_{label}_{value:g}"  # new filters reset the field
    # An observed value has more decimals than the field shows; the calculation uses all of them.
    shown = "%.0f" if step == WHOLE else "%.9g" if value == round(value, 2) else "%.1f"
    typed = st.number_input(
        label, min_value=0.0, max_value=most, value=float(value), step=step, key=key, width=156, format=shown
    )
    return Decimal(str(typed))


def calculate(given: dict[str, Decimal]) -> Investment:
    """Return the result for the typed inputs (shares in %)."""

    def scenario(fill: Decimal) -> Scenario:
        return Scenario(
            given["orders"],
            fill / 100,
            given["share"] / 100,
            given["cost"],
            given["profit"],
            given["deduction"],
            given["waited"] / 100,
        )

    return compare(scenario(given["low"]), scenario(given["high"]), investment=given["invest"])


def result(found: Investment) -> str:
    """Return the result as markup."""
    rows = [
        ["Incomplete orders", _amount(found.low.incomplete), _amount(found.high.incomplete)],
        ["Cost of back-ordered orders", _amount(found.low.back_ordered), _amount(found.high.back_ordered)],
        ["Cost of lost orders", _amount(found.low.lost), _amount(found.high.lost)],
        ["Cash flow lost", _amount(found.low.cash), _amount(found.high.cash)],
    ]
    payback = formatting.number(found.payback_years, Unit.YEARS)
    figures = [
        ("Gain per year", _amount(found.gain)),
        ("Gain less investment", _amount(found.net)),
        ("Payback", payback),
        ("Break-even investment in one year", _amount(found.break_even)),
    ]
    table = tables.table(
        ("", "Now", "At the higher fill"),
        rows,
        caption="Cash flow lost to incomplete orders",
        numeric=(1, 2),
        total=True,
    )
    return table + tables.facts(figures)


def _amount(value: Decimal) -> str:
    return formatting.integer(value).replace("-", formatting.MINUS)
