"""Sections of the cycle-time page: days taken and promised, and reliability by carrier."""

import json
import math
from functools import lru_cache
from typing import Any

import altair as alt
import streamlit as st

from dashboard import queries
from dashboard.components import cards, charts, formatting, tables, theme
from dashboard.components.tables import Cell
from dashboard.components.theme import palette
from dashboard.frame import chart_download, links
from dashboard.measure_page.cells import linked, value_cell
from dashboard.measure_page.headline import headline, nothing_to_show, number
from dashboard.measure_page.tiles import tiles
from dashboard.measure_page.view import Answers, MeasureView, answers_by, by_value
from metrics.lists.cycle_time import LONGEST, cycle_day_counts, promised_day_counts
from metrics.lists.rows import Row
from metrics.measures.catalog import MEASURES, has_dimension
from metrics.model.question import Answer

MARKS = {"cycle_p50": "median", "cycle_p90": "90%", "cycle_p95": "95%"}
BY_CARRIER = ("cycle_days", "cycle_sd", "cycle_p95", "beyond_promise")
CARRIERS_SHOWN = 12
TOOK, PROMISED = "took", "were promised"
LINE = 15
"""Height of a line of labels."""
ROOM = 1.35
"""Height of the axis as a multiple of the highest bar, so that the labels fit above the bars."""


def cycle_time_headline(view: MeasureView) -> bool:
    """Draw the headline and the tiles; return False if there is nothing to show."""
    answers = view.answers
    if answers[view.main].value is None and nothing_to_show(view, view.main, "orders that arrived"):
        return False
    has = {name for name, answer in answers.items() if answer.value is not None}
    median, p95 = number(answers, "cycle_p50"), number(answers, "cycle_p95")
    spread = (", median ", median, ", 95% within ", p95) if "cycle_p50" in has else ()
    pairs = answers["safety_stock_cost"].denominator
    with theme.card("headline"):
        headline(
            view,
            ("Orders took ", number(answers, view.main), " from order to arrival", *spread, "."),
            ("Orders placed in this period were promised in ", number(answers, "promise_lead"), " on average.")
            if "promise_lead" in has
            else (),
            (number(answers, "beyond_promise"), " took longer than promised.") if "beyond_promise" in has else (),
            (
                "Our variability costs buyers ",
                number(answers, "safety_stock_cost"),
                f" a year in safety stock, for {formatting.count(int(pairs or 0), 'pair')} of buyer and product with "
                "enough arrivals.",
            )
            if "safety_stock_cost" in has
            else (),
        )
    tiles(view)
    return True


@lru_cache(maxsize=4)
def _template(is_dark: bool, has_promise: bool) -> str:
    colour = palette(is_dark)
    axis = alt.Axis(tickMinStep=1, grid=False, format="d")
    x = alt.X("days:Q", title="Days from order to arrival", axis=axis)
    tone = alt.Scale(domain=[TOOK, PROMISED], range=[colour["accent"], colour["ink"]])
    shade = {"color": alt.Color("what:N", title=None, scale=tone)} if has_promise else {}
    bars = (
        alt.Chart(alt.NamedData(name="days"))
        .mark_bar(color=colour["accent"], cornerRadiusTopLeft=2, cornerRadiusTopRight=2)
        .encode(
            x=alt.X("from:Q", title="Days from order to arrival", axis=axis),
            x2="to:Q",
            y=alt.Y("orders:Q", title="Orders", axis=alt.Axis(tickCount=4, tickMinStep=1, format="~s")),
            y2=alt.Y2Datum(0),
            tooltip=[alt.Tooltip("days:Q", title="Days"), alt.Tooltip("orders:Q", title="Orders", format=",")],
            **shade,
        )
    )
    outline = alt.Chart(alt.NamedData(name="promised")).mark_line(interpolate="step-after", strokeWidth=1.8)
    layers = [bars, outline.encode(x=x, y="orders:Q", **shade)] if has_promise else [bars]
    rules = alt.Chart(alt.NamedData(name="marks")).mark_rule(strokeDash=[5, 4], color=colour["muted"]).encode(x=x)
    labels = alt.Chart(alt.NamedData(name="marks")).encode(x=x, y=alt.Y("down:Q", scale=None, axis=None), text="name:N")
    beside: dict[str, Any] = {
        "align": alt.ExprRef("datum.side"),
        "baseline": "top",
        "dx": alt.ExprRef("datum.side == 'left' ? 4 : -4"),
        "fontSize": 11.5,
    }
    ground = labels.mark_text(**beside, color=colour["card"], stroke=colour["card"], strokeWidth=4)
    return charts.finish(alt.layer(*layers, rules, ground, labels.mark_text(**beside, color=colour["ink"])), colour)


def _outline(promised: list[tuple[int, int]]) -> list[Row]:
    """Return the corners of a stepped outline, one step per day, including days without an order."""
    orders = dict(promised)
    first, last = min(orders), max(orders)
    corners = [(first - 0.5, 0), *((day - 0.5, orders.get(day, 0)) for day in range(first, last + 1)), (last + 0.5, 0)]
    return [{"days": days, "orders": n, "what": PROMISED} for days, n in corners]


def spread(view: MeasureView) -> None:
    """Draw a histogram of the days taken, with an outline of the days promised and lines at P50, P90 and P95."""
    found = queries.cached(cycle_day_counts, view.generation, view.question)
    answers = view.answers
    st.header("How long orders took", anchor=False)
    if not found:
        theme.show_html(
            cards.empty(
                "No order arrived", "No order arrived in this period, or receipts have no date. Choose another period."
            )
        )
        return
    promised = queries.cached(promised_day_counts, view.generation, view.question)
    known = [(label, float(value)) for name, label in MARKS.items() if (value := answers[name].value) is not None]
    spec: charts.Spec = json.loads(_template(theme.is_dark(), bool(promised)))
    spec["height"] = 230
    near = found[-1][0] / 6
    most = max(orders for _, orders in (*found, *promised))
    spec["layer"][0]["encoding"]["y"]["scale"] = {"domainMax": ROOM * most}
    spec["datasets"] = {
        "days": [
            {"days": days, "from": days - 0.42, "to": days + 0.42, "orders": orders, "what": TOOK}
            for days, orders in found
        ],
        "promised": _outline(promised) if promised else [],
        # The labels are stacked, because on a phone they are too close to fit next to each other.
        "marks": [
            {
                "days": days,
                "name": f"{name}: {formatting.integer(days)}",
                "down": 2 + at * LINE,
                # Left of its line if the next line is so close that it would cross the label.
                "side": "right" if near < days and following < days + near else "left",
            }
            for at, ((name, days), (_, following)) in enumerate(zip(known, [*known[1:], ("", math.inf)], strict=True))
        ],
    }
    alternative = f"Orders by days from order to arrival, {found[0][0]} to {found[-1][0]} days; " + ", ".join(
        f"{name} within {days:g}" for name, days in known
    )
    note = "Dashed lines: days within which 50%, 90% and 95% of the orders arrived."
    if promised:
        alternative += f"; promised in {promised[0][0]} to {promised[-1][0]} days"
        note = f"Outline: days promised for the same orders. {note}"
    chart_download.export_chart(spec, key="spread_chart", alternative=alternative, title="Days from order to arrival")
    longer = (
        f" Orders of more than {LONGEST} days are drawn at {LONGEST}."
        if LONGEST in (found[-1][0], *[days for days, _ in promised[-1:]])
        else ""
    )
    st.caption(f"{note}{longer}")


def carriers(view: MeasureView) -> None:
    """Draw reliability by carrier, the least reliable first."""
    measures = [name for name in view.measures if has_dimension(MEASURES[name], "carrier")]
    found = by_value(answers_by(view, measures, "carrier"), "carrier")
    st.header("Reliability by carrier", anchor=False)
    rows = [
        (name, answers)
        for name, answers in found.items()
        if answers.get(view.main) is not None and answers[view.main].value is not None
    ]
    if len(rows) < 2:
        theme.show_html(cards.empty("Fewer than two carriers", "Carriers are compared if shipments name at least two."))
        return
    rows.sort(key=lambda one: -_value(one[1], "cycle_sd"))
    shown = [
        [Cell(name), *(_figure(answers.get(measure), measure, name) for measure in BY_CARRIER)]
        for name, answers in rows[:CARRIERS_SHOWN]
    ]
    heads = ("Carrier", "Mean", "Spread", "95% within", "After promise")
    theme.show_html(
        tables.table(
            heads, shown, caption="Cycle time by carrier, the least reliable first", numeric=range(1, len(heads))
        )
    )
    st.caption("Spread: standard deviation. Buyers plan for the spread more than for the mean.")


def _figure(answer: Answer | None, measure: str, carrier: str) -> Cell:
    """Return a carrier's value with a link to its orders."""
    one = value_cell(answer, MEASURES[measure])
    return linked(one, links.drill_down_url(measure, by="carrier", value=carrier)) if answer else one


def _value(answers: Answers, name: str) -> float:
    answer = answers.get(name)
    return float(answer.value) if answer is not None and answer.value is not None else -1.0
