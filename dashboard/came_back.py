"""The part of the recovery page that shows whether buyers order again: three curves, as data and never summarised as an effect."""

import json
from typing import Any

import altair as alt
import streamlit as st

from dashboard import cards, charts, data, look, page
from dashboard.filters import Filters
from dashboard.look import palette
from metrics.ledgers.recoveries import GROUPS
from metrics.recovery import Step

TONES = {"no failure": "accent", "recovered": "good-strong", "unrecovered": "bad-strong"}
DASHES = {"no failure": [1, 0], "recovered": [6, 3], "unrecovered": [2, 3]}


def show(filters: Filters) -> None:
    """Draw the share of orders after which the buyer has ordered again, by days since."""
    steps: list[Step] = data.study(page.generation(), "reorder_curves", filters.start, filters.end)
    st.header("Do buyers order again?", anchor=False)
    if not steps:
        look.html(cards.empty("No curve yet", "No judged order of this period has been watched for a day."))
        return
    first = {group: next((one.watched for one in steps if one.group == group), 0) for group in GROUPS}
    st.caption(
        "Share of orders after which the buyer has ordered again, by days since (Kaplan-Meier: orders still watched count for as long as they were). "
        + "; ".join(f"{group}: {count:,} orders" for group, count in first.items() if count)
        + ". Three groups of orders side by side: the difference between them is not the effect of a recovery."
    )
    charts.draw(_curves(steps, is_dark=look.dark()), key="came_back", alternative=_told(steps))


def _told(steps: list[Step]) -> str:
    last = {one.group: one.ordered_again for one in steps if one.days <= 90}
    return "Ordered again within 90 days: " + ", ".join(f"{group} {share:.0%}" for group, share in last.items())


def _curves(steps: list[Step], *, is_dark: bool) -> dict[str, Any]:
    colour = palette(is_dark)
    rows = [{"days": one.days, "share": one.ordered_again, "group": one.group, "watched": one.watched} for one in steps]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(interpolate="step-after", strokeWidth=2.2)
        .encode(
            x=alt.X("days:Q", title="Days since the order was settled", axis=alt.Axis(tickCount=6, grid=False)),
            y=alt.Y("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", tickCount=5)),
            color=alt.Color("group:N", title=None, scale=alt.Scale(domain=list(GROUPS), range=[colour[TONES[group]] for group in GROUPS])),
            strokeDash=alt.StrokeDash("group:N", title=None, scale=alt.Scale(domain=list(GROUPS), range=[DASHES[group] for group in GROUPS])),
            tooltip=["group:N", "days:Q", alt.Tooltip("share:Q", format=".1%"), alt.Tooltip("watched:Q", format=",")],
        )
    )
    drawn: dict[str, Any] = json.loads(charts.finish(alt.layer(chart), colour, legend=True))
    return drawn
