"""The parts of the profitability page: every customer by sales and cost with the cuts, and what could be done about each in Danger."""

import json
from collections.abc import Sequence
from decimal import Decimal

import altair as alt
import streamlit as st

from dashboard import cards, charts, data, look, page, pictures, tables
from dashboard import format as fmt
from dashboard.filters import Filters
from dashboard.look import palette
from dashboard.tables import Cell
from metrics.danger import Channel, Charge, Interaction
from metrics.measure import Unit
from metrics.zones import DANGER, ZONES, Customer, Cuts

SHAPES = {"Protect": "circle", "Build": "triangle-up", "Cost engineer": "square", "Danger": "diamond"}
TONES = {"Protect": "good-strong", "Build": "accent", "Cost engineer": "watch-strong", "Danger": "bad-strong"}
SAID = {
    "Protect": "high sales, low cost: keep",
    "Build": "low sales, low cost: grow",
    "Cost engineer": "high sales, high cost: serve cheaper",
    "Danger": "low sales, high cost: change, charge or another channel",
}
CUSTOMERS_SHOWN = 40


def show(filters: Filters) -> None:
    """Draw the map of customers, the zones and the options for Danger."""
    customers, cuts = data.study(page.generation(), "zones", filters.start, filters.end)
    if not customers:
        look.html(cards.empty("No zones", "No customer has a movement of money in this period. Zones need the invoices and service_costs feeds."))
        return
    st.header("Customers by net sales and cost to serve", anchor=False)
    st.caption(
        f"{fmt.count(len(customers), 'customer')}; cuts at net sales {_money(cuts.sales)} and cost to serve {_cost_cut(cuts)} "
        "(medians of all customers of the period unless assumptions say otherwise; filters do not move them)."
    )
    pictures.draw(
        _map(customers, cuts, is_dark=look.dark()), key="zones", alternative=_told(customers), title="Customers by net sales and cost to serve"
    )
    look.html(_zones(customers))


def _cost_cut(cuts: Cuts) -> str:
    return f"{cuts.cost:.1%} of net sales" if cuts.as_share else _money(cuts.cost)


def _money(amount: Decimal | None) -> str:
    return fmt.number(amount, Unit.MONEY)


def _told(customers: Sequence[Customer]) -> str:
    counts = ", ".join(f"{sum(one.zone == zone for one in customers)} in {zone}" for zone in ZONES)
    return f"Customers by net sales and cost to serve: {counts}"


def _map(customers: Sequence[Customer], cuts: Cuts, *, is_dark: bool) -> dict[str, object]:
    colour = palette(is_dark)
    rows = [
        {"customer": one.customer_id, "segment": one.segment, "sales": float(one.sales), "cost": float(one.cost_to_serve), "zone": one.zone}
        for one in customers
    ]
    axis = alt.Axis(format="~s", tickCount=5, grid=True)
    points = (
        alt.Chart(alt.Data(values=rows))
        .mark_point(filled=True, size=70, opacity=0.75)
        .encode(
            x=alt.X("sales:Q", title="Net sales", axis=axis),
            y=alt.Y("cost:Q", title="Cost to serve", axis=axis),
            color=alt.Color("zone:N", title=None, scale=alt.Scale(domain=list(ZONES), range=[colour[TONES[zone]] for zone in ZONES])),
            shape=alt.Shape("zone:N", title=None, scale=alt.Scale(domain=list(ZONES), range=[SHAPES[zone] for zone in ZONES])),
            tooltip=["customer:N", "segment:N", "zone:N", alt.Tooltip("sales:Q", format=",.0f"), alt.Tooltip("cost:Q", format=",.0f")],
        )
    )
    lines: list[alt.Chart] = [
        alt.Chart(alt.Data(values=[{"at": float(cuts.sales)}]))
        .mark_rule(strokeDash=[5, 4], color=colour["muted"])
        .encode(x=alt.X("at:Q", title="Net sales"))
    ]
    if not cuts.as_share:
        cost = alt.Chart(alt.Data(values=[{"at": float(cuts.cost)}]))
        lines.append(cost.mark_rule(strokeDash=[5, 4], color=colour["muted"]).encode(y=alt.Y("at:Q", title="Cost to serve")))
    drawn: dict[str, object] = json.loads(charts.finish(alt.layer(*lines, points), colour, legend=True))
    return drawn


def _zones(customers: Sequence[Customer]) -> str:
    rows = []
    for zone in ZONES:
        inside = [one for one in customers if one.zone == zone]
        profits = [one.profit for one in inside if one.profit is not None]
        rows.append(
            [
                Cell(zone, small=SAID[zone]),
                Cell(fmt.written(len(inside))),
                Cell(_money(sum((one.sales for one in inside), Decimal(0)))),
                Cell(_money(sum((one.cost_to_serve for one in inside), Decimal(0)))),
                Cell(_money(sum(profits, Decimal(0))) if profits else fmt.DASH),
                Cell(fmt.written(sum(profit < 0 for profit in profits))),
            ]
        )
    heads = ("Zone", "Customers", "Net sales", "Cost to serve", "Profit", "Loss-making")
    return tables.table(heads, rows, caption="The four zones", numeric=range(1, 6))


def options(filters: Filters) -> None:
    """Draw each Danger customer with what each option would bring, and the inputs assumed."""
    start, end = filters.start, filters.end
    changed: list[Interaction] = data.study(page.generation(), "interactions", start, end)
    charged: list[Charge] = data.study(page.generation(), "charges", start, end)
    moved: list[Channel] = data.study(page.generation(), "channels", start, end)
    st.header("Customers in Danger, and what each option would bring", anchor=False)
    if not changed:
        look.html(cards.empty("Nobody is in Danger", "No customer of this period has low sales and a high cost to serve."))
        return
    st.caption(
        f"Assumed: {changed[0].moved_share:.0%} of the orders not yet electronic move to edi or web; {charged[0].acceptance:.0%} of the charge is "
        f"accepted; another channel keeps {moved[0].margin:.0%} of the contribution. None of it says that a customer would agree."
    )
    by_charge, by_channel = {one.customer.customer_id: one for one in charged}, {one.customer.customer_id: one for one in moved}
    ranked = sorted(changed, key=lambda one: (one.customer.profit is None, one.customer.profit or 0, one.customer.customer_id))
    rows = [_option(one, by_charge[one.customer.customer_id], by_channel[one.customer.customer_id]) for one in ranked[:CUSTOMERS_SHOWN]]
    heads = (
        "Customer",
        "Net sales",
        "Cost to serve",
        "Profit",
        "Change the interaction",
        "Move orders to edi, web",
        "Charge the cost",
        "Other channel",
    )
    look.html(tables.table(heads, rows, caption="Customers in Danger and their options", numeric=range(1, len(heads))))
    if len(ranked) > CUSTOMERS_SHOWN:
        st.caption(f"The {CUSTOMERS_SHOWN} least profitable of {fmt.written(len(ranked))}; the export has all of them.")


def _option(changed: Interaction, charged: Charge, moved: Channel) -> list[Cell | str]:
    one = changed.customer
    out = f"to {changed.new_zone}" if changed.new_zone != DANGER else "stays in Danger"
    moved_out = f"to {changed.moved_zone}" if changed.moved_zone != DANGER else "stays in Danger"
    return [
        Cell(one.customer_id, small=f"segment {one.segment}"),
        Cell(_money(one.sales)),
        Cell(_money(one.cost_to_serve)),
        Cell(_money(one.profit)),
        Cell(f"+{_money(changed.saving)}", small=out),
        Cell(f"+{_money(changed.moved_saving)}", small=moved_out),
        Cell(f"+{_money(charged.gain)}", small="" if charged.break_even is None else f"breaks even at {_money(charged.break_even)}"),
        Cell(fmt.DASH if moved.gain is None else f"{'+' if moved.gain >= 0 else fmt.MINUS}{_money(abs(moved.gain))}"),
    ]
