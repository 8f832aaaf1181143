"""Sections of the profitability page: customers by sales and cost to serve, zones, options for Danger customers."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

import altair as alt
import streamlit as st

from dashboard import queries
from dashboard.components import cards, charts, formatting, tables, theme
from dashboard.components.sentences import Sentence
from dashboard.components.tables import Cell
from dashboard.components.theme import palette
from dashboard.frame import chart_download, links, page
from dashboard.measure_page import crm_steps
from dashboard.measure_page.cells import customer_cell, named_customer
from dashboard.measure_page.headline import headline, nothing_to_show, number
from dashboard.measure_page.tiles import tiles
from dashboard.measure_page.view import Answers, MeasureView, answers_by, by_value
from metrics.measures import customer_zones, danger_zone_options
from metrics.measures.customer_zones import DANGER, ZONES, Customer, Cuts, cost_limit, totals
from metrics.measures.danger_zone_options import Channel, Charge, Interaction
from metrics.model.measure import Unit

SHAPES = {"Protect": "circle", "Build": "triangle-up", "Cost engineer": "square", "Danger": "diamond"}
TONES = {"Protect": "good-strong", "Build": "accent", "Cost engineer": "watch-strong", "Danger": "bad-strong"}
SAID = {
    "Protect": "high sales, low cost: keep",
    "Build": "low sales, low cost: grow",
    "Cost engineer": "high sales, high cost: serve cheaper",
    "Danger": "low sales, high cost: change, charge or another channel",
}
CUSTOMERS_SHOWN = 40
CURVE = 40
"""Line segments of the cost threshold."""
OPTIONS = {
    "danger_interaction": "Standard service would save",
    "danger_charge": "Charging their cost would bring",
    "danger_channel": "Another channel would bring",
}


def profitability_headline(view: MeasureView) -> bool:
    """Draw the headline and the tiles; return False if there is nothing to show."""
    answers = view.answers
    if nothing_to_show(view, view.main, "customers with movements of money"):
        return False
    zones_in_view = by_value(answers_by(view, ("zone", "zone_sales", "zone_cost"), "zone"), "zone")
    danger = zones_in_view.get(DANGER, {})
    is_danger = "zone" in danger and bool(danger["zone"].value)
    losing = answers["loss_making_customers"].value
    lose = formatting.agreeing(losing, "loses", "lose")
    with theme.card("headline"):
        headline(
            view,
            _danger_customers(view, danger)
            if is_danger
            else ("None of ", number(answers, "zone"), " customers is in Danger."),
            *([_option_gain(view, name) for name in OPTIONS] if is_danger else []),
            (number(answers, "loss_making_customers"), f" of all customers {lose} money.") if losing else (),
        )
        theme.show_html(crm_steps.crm_steps("profitability"))
    tiles(view)
    return True


def _danger_customers(view: MeasureView, danger: Answers) -> Sentence:
    inside, sales, cost = (number(danger, name, at=("zone", DANGER)) for name in ("zone", "zone_sales", "zone_cost"))
    are = formatting.agreeing(danger["zone"].value, "is", "are")
    return (
        inside, " of ", number(view.answers, "zone"), f" customers {are} in Danger: ", sales, " sales, ", cost,
        " cost.",
    )  # fmt: skip


def _option_gain(view: MeasureView, name: str) -> Sentence:
    if not view.answers[name].value:
        return ()
    return f"{OPTIONS[name]} ", number(view.answers, name), "."


def zones_chart(view: MeasureView) -> None:
    """Draw the customers by sales and cost to serve, and the totals of the zones."""
    customers, cuts = queries.shared(customer_zones.zones, view.generation, view.filters.start, view.filters.end)
    if not customers:
        why = "No customer has sales or costs in this period. Zones need the feeds invoices and service costs."
        if cuts.left_out:
            why = _left_out(cuts)
        theme.show_html(cards.empty("No zones", why))
        return
    st.header("Customers by net sales and cost to serve", anchor=False)
    st.caption(
        f"{formatting.count(len(customers), 'customer')}; thresholds: net sales {_money(cuts.sales)} and cost to serve "
        f"{_cost_cut(cuts)} "
        "(medians of all customers in the period, unless assumptions set them; filters do not change them). "
        f"The axes use a square-root scale to separate small customers. {_left_out(cuts)}"
    )
    chart_download.export_chart(
        _map(customers, cuts, view.customer_names, is_dark=theme.is_dark()),
        key="zones",
        alternative=_told(customers),
        title="Customers by net sales and cost to serve",
    )
    theme.show_html(_zones(customers))


def _left_out(cuts: Cuts) -> str:
    """Return the sentence about customers without a zone; "" if there are none."""
    if not cuts.left_out:
        return ""
    count = formatting.count(cuts.left_out, "customer")
    return f"{count} without a zone: an exchange rate is missing, so sales or cost are not known."


def _cost_cut(cuts: Cuts) -> str:
    return f"{formatting.percent(float(cuts.cost))} of net sales" if cuts.as_share else _money(cuts.cost)


def _money(amount: Decimal | None) -> str:
    return formatting.number(amount, Unit.MONEY)


def _told(customers: Sequence[Customer]) -> str:
    counts = ", ".join(f"{sum(customer.zone == zone for customer in customers)} in {zone}" for zone in ZONES)
    return f"Customers by net sales and cost to serve: {counts}"


@lru_cache(maxsize=2)
def _map_template(is_dark: bool) -> str:
    colour = palette(is_dark)
    scale = alt.Scale(type="sqrt", nice=True)
    axis = alt.Axis(format="~s", labelExpr="datum.value === 0 ? '0' : datum.label", tickCount=5, grid=True)
    sales, cost = (
        alt.X("sales:Q", title="Net sales", axis=axis, scale=scale),
        alt.Y("cost:Q", title="Cost to serve", axis=axis, scale=scale),
    )
    named = {zone: colour[TONES[zone]] for zone in ZONES}
    points = (
        alt.Chart(alt.NamedData(name="customers"))
        .mark_point(filled=True, size=75, opacity=0.8)
        .encode(
            x=sales,
            y=cost,
            color=alt.Color("zone:N", title=None, scale=alt.Scale(domain=list(named), range=list(named.values()))),
            shape=alt.Shape(
                "zone:N", title=None, scale=alt.Scale(domain=list(ZONES), range=[SHAPES[zone] for zone in ZONES])
            ),
            tooltip=[
                alt.Tooltip("customer:N", title="Customer"),
                alt.Tooltip("segment:N", title="Segment"),
                alt.Tooltip("zone:N", title="Zone"),
                alt.Tooltip("sales:Q", title="Net sales", format=",.2f"),
                alt.Tooltip("cost:Q", title="Cost to serve", format=",.2f"),
            ],
        )
    )
    # Any: keyword arguments of Altair's marks
    dashed: dict[str, Any] = {"strokeDash": [5, 4], "color": colour["muted"], "strokeWidth": 1.3}
    layers: list[alt.Chart] = [
        alt.Chart(alt.NamedData(name="sales_cut")).mark_rule(**dashed).encode(x=sales),
        alt.Chart(alt.NamedData(name="cost_cut")).mark_line(**dashed).encode(x=sales, y=cost),
        points,
    ]
    return charts.finish(alt.layer(*layers), colour)


def _map(customers: Sequence[Customer], cuts: Cuts, names: Mapping[str, str], *, is_dark: bool) -> charts.Spec:
    """Return the chart of all customers with both thresholds.

    A cost threshold that is a share of sales becomes a curve, because the axes use a square-root scale.
    """
    reach = [float(customer.sales) for customer in customers] + [float(cuts.sales)]
    low, high = min(0.0, *reach), max(reach)
    steps = [low + (high - low) * at / CURVE for at in range(CURVE + 1)]
    drawn: charts.Spec = json.loads(_map_template(is_dark))
    drawn["datasets"] = {
        "customers": [
            {
                "customer": named_customer(customer.customer_id, names.get(customer.customer_id)),
                "segment": customer.segment,
                "zone": customer.zone,
                # The browser formats the tooltips. Ten thousand customers took half a second of every visit here.
                "sales": float(formatting.cents(customer.sales)),
                "cost": float(formatting.cents(customer.cost_to_serve)),
            }
            for customer in customers
        ],
        "sales_cut": [{"sales": float(cuts.sales)}],
        "cost_cut": [{"sales": sales, "cost": float(cost_limit(Decimal(str(sales)), cuts))} for sales in steps],
    }
    return drawn


def _zones(customers: Sequence[Customer]) -> str:
    rows = [
        [
            Cell(total.zone, small=SAID[total.zone]),
            Cell(formatting.integer(total.customers)),
            Cell(_money(total.sales)),
            Cell(_money(total.cost_to_serve)),
            Cell(
                _money(total.profit),
                small=f"{formatting.count(total.unknown, 'customer')} excluded" if total.unknown else "",
            ),
            Cell(formatting.integer(total.loss_making)),
        ]
        for total in totals(customers)
    ]
    heads = ("Zone", "Customers", "Net sales", "Cost to serve", "Profit", "Loss-making")
    return tables.table(heads, rows, caption="The four zones", numeric=range(1, 6))


def options(view: MeasureView) -> None:
    """Draw the Danger customers with the gain of each option, and the assumptions."""
    start, end = view.filters.start, view.filters.end
    changed = queries.shared(danger_zone_options.interactions, view.generation, start, end)
    charged = queries.shared(danger_zone_options.charges, view.generation, start, end)
    moved = queries.shared(danger_zone_options.channels, view.generation, start, end)
    st.header("Options for Danger customers", anchor=False)
    if not changed:
        theme.show_html(
            cards.empty("No Danger customers", "No customer in this period has low sales and a high cost to serve.")
        )
        return
    assumed = (changed[0].moved_share, charged[0].acceptance, moved[0].margin)
    moves, accepted, kept = (formatting.percent(float(share), 0) for share in assumed)
    st.caption(
        f"Assumed: {moves} of the orders not yet electronic move to EDI or web; {accepted} of the charge is accepted; "
        f"another channel keeps {kept} of the contribution. Customer acceptance is not modelled."
    )
    by_charge, by_channel = (
        {one.customer.customer_id: one for one in charged},
        {item.customer.customer_id: item for item in moved},
    )
    ranked = sorted(
        changed, key=lambda one: (one.customer.profit is None, one.customer.profit or 0, one.customer.customer_id)
    )
    names = view.customer_names
    rows = [
        _option(item, by_charge[item.customer.customer_id], by_channel[item.customer.customer_id], names)
        for item in ranked[:CUSTOMERS_SHOWN]
    ]
    heads = (
        "Customer",
        "Net sales",
        "Cost to serve",
        "Profit",
        "Change the interaction",
        "Move orders to EDI, web",
        "Charge the cost",
        "Other channel",
    )
    theme.show_html(
        tables.table(heads, rows, caption="Danger customers and their options", numeric=range(1, len(heads)))
    )
    if len(ranked) > CUSTOMERS_SHOWN:
        st.caption(
            f"The {CUSTOMERS_SHOWN} least profitable of {formatting.integer(len(ranked))}. The export has all of them."
        )


def _option(changed: Interaction, charged: Charge, moved: Channel, names: Mapping[str, str]) -> list[Cell | str]:
    one = changed.customer
    out = f"to {changed.new_zone}" if changed.new_zone != DANGER else "stays in Danger"
    moved_out = f"to {changed.moved_zone}" if changed.moved_zone != DANGER else "stays in Danger"
    return [
        customer_cell(one.customer_id, one.segment, names),
        _behind(_money(one.sales), "net_sales_value", one),
        _behind(_money(one.cost_to_serve), "cost_to_serve", one),
        Cell(_money(one.profit)),
        Cell(f"+{_money(changed.saving)}", small=out),
        Cell(f"+{_money(changed.moved_saving)}", small=moved_out),
        Cell(
            f"+{_money(charged.gain)}",
            small="" if charged.break_even is None else f"breaks even at {_money(charged.break_even)}",
        ),
        Cell(
            formatting.DASH
            if moved.gain is None
            else f"{'+' if moved.gain >= 0 else formatting.MINUS}{_money(abs(moved.gain))}"
        ),
    ]


def _behind(shown: str, measure: str, one: Customer) -> Cell:
    """Return an amount with a link to its rows; no link if filters are set, because they narrow only the rows."""
    if page.current_filters().where:
        return Cell(shown)
    return Cell(
        markup=f'<a href="{formatting.html(links.drill_down_url(measure, by="customer", value=one.customer_id))}" '
        f'target="_self">{shown}</a>'
    )
