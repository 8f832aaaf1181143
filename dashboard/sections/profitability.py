"""The parts of the profitability page: every customer by sales and cost with the cuts, and what could be done about
each in Danger.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

import altair as alt
import streamlit as st

from dashboard import queries
from dashboard.components import cards, charts, formatting, tables, theme
from dashboard.components.tables import Cell
from dashboard.components.theme import palette
from dashboard.frame import chart_download, links, page
from dashboard.frame.filters import Filters
from dashboard.measure_page import crm_steps, measure_table
from dashboard.measure_page import headline as glance
from dashboard.measure_page.measure_table import Answers
from metrics.measures import danger_zone, zones
from metrics.measures.catalog import MEASURES
from metrics.measures.danger_zone import Channel, Charge, Interaction
from metrics.measures.zones import DANGER, ZONES, Customer, Cuts, cost_limit, totals
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
"""Pieces the cut of the cost is drawn in."""
NAME = "profitability"
TILES = ("customer_profit", "net_sales_value", "cost_to_serve", "loss_making_customers")
OPTIONS = {
    "danger_interaction": "serving them like others",
    "danger_charge": "charging what they cost",
    "danger_channel": "another channel",
}


def headline(filters: Filters) -> bool:
    """Draw the page in a few sentences, and its tiles; False where there is nothing to say."""
    answers = glance.answers_in_view(NAME, filters)
    if glance.nothing_to_show(answers, "zone", filters, "customers with money moved"):
        return False
    found: dict[str, Answers] = {}
    for one in measure_table.answers_for(
        [MEASURES[name] for name in ("zone", "zone_sales", "zone_cost")], filters, "zone"
    ):
        found.setdefault(one.dimensions["zone"] or "", {})[one.measure] = one
    whole, danger = glance.number(answers, "zone"), found.get(DANGER, {})
    sentences = [f"None of {whole} customers is in Danger."]
    if danger.get("zone") is not None and danger["zone"].value:
        inside, sales, cost = (
            glance.number(danger, name, at=("zone", DANGER)) for name in ("zone", "zone_sales", "zone_cost")
        )
        sentences = [f"{inside} of {whole} customers are in Danger: they buy for {sales} and cost {cost} to serve."]
        brought = [
            f"{said} would bring {glance.number(answers, name)}"
            for name, said in OPTIONS.items()
            if answers[name].value is not None
        ]
        if brought:
            sentences.append(f"{brought[0][:1].upper()}{', '.join(brought)[1:]}.")
    if answers["loss_making_customers"].value:
        sentences.append(f"{glance.number(answers, 'loss_making_customers')} of all customers lose money.")
    with theme.card("said"):
        glance.headline_card("zone", answers, filters, *sentences)
        theme.show_html(crm_steps.crm_steps("profitability"))
    glance.tiles(filters, TILES, answers)
    return True


def zones_chart(filters: Filters) -> None:
    """Draw the map of customers, the zones and the options for Danger."""
    customers, cuts = queries.cached(zones.zones, page.generation(), filters.start, filters.end)
    if not customers:
        theme.show_html(
            cards.empty(
                "No zones",
                "No customer has a movement of money in this period. Zones need the invoices and service_costs feeds.",
            )
        )
        return
    st.header("Customers by net sales and cost to serve", anchor=False)
    st.caption(
        f"{formatting.count(len(customers), 'customer')}; cuts at net sales {_money(cuts.sales)} and cost to serve "
        f"{_cost_cut(cuts)} "
        "(medians of all customers of the period unless assumptions say otherwise; filters do not move them). "
        "The axes are square roots, so that small customers can be told apart."
    )
    chart_download.export_chart(
        _map(customers, cuts, is_dark=theme.is_dark()),
        key="zones",
        alternative=_told(customers),
        title="Customers by net sales and cost to serve",
    )
    theme.show_html(_zones(customers))


def _cost_cut(cuts: Cuts) -> str:
    return f"{cuts.cost:.1%} of net sales" if cuts.as_share else _money(cuts.cost)


def _money(amount: Decimal | None) -> str:
    return formatting.number(amount, Unit.MONEY)


def _told(customers: Sequence[Customer]) -> str:
    counts = ", ".join(f"{sum(one.zone == zone for one in customers)} in {zone}" for zone in ZONES)
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
                alt.Tooltip(f"{name}:N", title=title)
                for name, title in (
                    ("customer", "Customer"),
                    ("zone", "Zone"),
                    ("sales_said", "Net sales"),
                    ("cost_said", "Cost to serve"),
                )
            ],
        )
    )
    dashed = {"strokeDash": [5, 4], "color": colour["muted"], "strokeWidth": 1.3}
    layers: list[alt.Chart] = [
        alt.Chart(alt.NamedData(name="sales_cut")).mark_rule(**dashed).encode(x=sales),
        alt.Chart(alt.NamedData(name="cost_cut")).mark_line(**dashed).encode(x=sales, y=cost),
        points,
    ]
    return charts.finish(alt.layer(*layers), colour, legend=True)


def _map(customers: Sequence[Customer], cuts: Cuts, *, is_dark: bool) -> dict[str, Any]:
    """Every customer as a point, with the cuts: a cost cut that is a share of sales rises with them (a curve of many
    points, for the axes bend).
    """
    reach = [float(one.sales) for one in customers] + [float(cuts.sales)]
    low, high = min(0.0, *reach), max(reach)
    steps = [low + (high - low) * at / CURVE for at in range(CURVE + 1)]
    drawn: dict[str, Any] = json.loads(_map_template(is_dark))
    drawn["datasets"] = {
        "customers": [
            {
                "customer": f"{one.customer_id}, segment {one.segment}",
                "zone": one.zone,
                "sales": float(one.sales),
                "cost": float(one.cost_to_serve),
                "sales_said": formatting.money(one.sales),
                "cost_said": formatting.money(one.cost_to_serve),
            }
            for one in customers
        ],
        "sales_cut": [{"sales": float(cuts.sales)}],
        "cost_cut": [{"sales": sales, "cost": float(cost_limit(Decimal(str(sales)), cuts))} for sales in steps],
    }
    return drawn


def _zones(customers: Sequence[Customer]) -> str:
    rows = [
        [
            Cell(one.zone, small=SAID[one.zone]),
            Cell(formatting.integer(one.customers)),
            Cell(_money(one.sales)),
            Cell(_money(one.cost_to_serve)),
            Cell(
                _money(one.profit), small=f"{formatting.count(one.unknown, 'customer')} left out" if one.unknown else ""
            ),
            Cell(formatting.integer(one.loss_making)),
        ]
        for one in totals(customers)
    ]
    heads = ("Zone", "Customers", "Net sales", "Cost to serve", "Profit", "Loss-making")
    return tables.table(heads, rows, caption="The four zones", numeric=range(1, 6))


def options(filters: Filters) -> None:
    """Draw each Danger customer with what each option would bring, and the inputs assumed."""
    start, end = filters.start, filters.end
    changed = queries.cached(danger_zone.interactions, page.generation(), start, end)
    charged = queries.cached(danger_zone.charges, page.generation(), start, end)
    moved = queries.cached(danger_zone.channels, page.generation(), start, end)
    st.header("Customers in Danger, and what each option would bring", anchor=False)
    if not changed:
        theme.show_html(
            cards.empty("Nobody is in Danger", "No customer of this period has low sales and a high cost to serve.")
        )
        return
    st.caption(
        f"Assumed: {changed[0].moved_share:.0%} of the orders not yet electronic move to edi or web; "
        f"{charged[0].acceptance:.0%} of the charge is "
        f"accepted; another channel keeps {moved[0].margin:.0%} of the contribution. None of it says that a customer "
        "would agree."
    )
    by_charge, by_channel = (
        {one.customer.customer_id: one for one in charged},
        {one.customer.customer_id: one for one in moved},
    )
    ranked = sorted(
        changed, key=lambda one: (one.customer.profit is None, one.customer.profit or 0, one.customer.customer_id)
    )
    rows = [
        _option(one, by_charge[one.customer.customer_id], by_channel[one.customer.customer_id])
        for one in ranked[:CUSTOMERS_SHOWN]
    ]
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
    theme.show_html(
        tables.table(heads, rows, caption="Customers in Danger and their options", numeric=range(1, len(heads)))
    )
    if len(ranked) > CUSTOMERS_SHOWN:
        st.caption(
            f"The {CUSTOMERS_SHOWN} least profitable of {formatting.integer(len(ranked))}; the export has all of them."
        )


def _option(changed: Interaction, charged: Charge, moved: Channel) -> list[Cell | str]:
    one = changed.customer
    out = f"to {changed.new_zone}" if changed.new_zone != DANGER else "stays in Danger"
    moved_out = f"to {changed.moved_zone}" if changed.moved_zone != DANGER else "stays in Danger"
    return [
        Cell(one.customer_id, small=f"segment {one.segment}"),
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
    """An amount of one customer as a link to the rows it is made of; not while filters are set, which narrow those rows
    but not this list.
    """
    if page.current_filters().where:
        return Cell(shown)
    return Cell(
        markup=f'<a href="{formatting.html(links.drill_down_url(measure, by="customer", value=one.customer_id))}" '
        f'target="_self">{shown}</a>'
    )
