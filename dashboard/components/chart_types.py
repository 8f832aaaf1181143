"""Bar, range and step charts. As in `charts.py`, each is a template built once, into which every run inserts its data.

A bar has its name and figure above it, so that no text is cut off on a phone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import altair as alt

from dashboard.components import charts
from dashboard.components.charts import DataRow, Spec
from dashboard.components.theme import palette
from dashboard.components.trend_layers import SPOKEN

ROW = 42
"""Height of a row, in pixels: a line of text and a bar."""
NOTE = 19
"""Extra height of a second line of text."""
LETTER = 6.9
"""Width of one character of a figure."""
STEP = 38
"""Height of one step of a range chart."""

Group = tuple[str, str, tuple[int, int]]
"""A line of a step chart: name, tone (a colour of the palette) and dashes."""
IN_TWO_LINES = (
    r"width > 400 || length(datum.label) < 27 ? datum.label : "
    r"split(replace(datum.label, /^(.{14,24}?\S*) (.{4,})$/, '$1\n$2'), '\n')"
)
"""Vega expression that breaks long axis labels on a phone, where they would be cut off."""


@dataclass(frozen=True)
class Bar:
    """A bar from `start` to `end`, with its name above on the left and its label above on the right.

    tone: a colour of the palette. total: draw only a mark at `end`, because a length has no meaning on an axis that
    does not start at zero. note: a second line below the name. short: the name on a phone; "": the name.
    """

    name: str
    end: float
    label: str
    start: float = 0
    tone: str = "accent"
    total: bool = False
    note: str = ""
    short: str = ""


def _named(name: str) -> alt.NamedData:
    return alt.NamedData(name=name)


@lru_cache(maxsize=4)
def _rows_template(is_dark: bool, noted: bool) -> str:
    colour = palette(is_dark)
    below, above = (9 + NOTE / 2, -9 - NOTE / 2) if noted else (9, -9)
    low, high, figure = (
        alt.param(name="low", value=0),
        alt.param(name="high", value=1),
        alt.param(name="figure", value=125),
    )
    shade = alt.param(name="shade", value=1)
    scale = alt.Scale(domain=[alt.ExprRef("low"), alt.ExprRef("high")], nice=False, zero=False)
    y = alt.Y("row:O", axis=None, sort=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    x = alt.X("start:Q", axis=None, scale=scale)
    tips = [alt.Tooltip("name:N", title=" "), alt.Tooltip("label:N", title="  ")]
    track = alt.Chart(_named("rows")).mark_bar(
        height=9, yOffset=below, cornerRadius=4, color=colour["grey-soft"], opacity=alt.ExprRef("shade")
    )
    bar = alt.Chart(_named("bars")).mark_bar(**SPOKEN, height=9, yOffset=below, cornerRadius=3)
    tick = alt.Chart(_named("totals")).mark_tick(
        orient="vertical", size=17, thickness=5, yOffset=below, color=colour["ink"]
    )
    room = alt.ExprRef("width - figure")  # the width left by the longest figure on the right
    left = alt.Chart(_named("rows")).mark_text(
        align="left", baseline="middle", yOffset=above, fontSize=12.5, color=colour["ink"], limit=room
    )
    right = alt.Chart(_named("rows")).mark_text(
        align="right", baseline="middle", yOffset=above, fontSize=12.5, fontWeight=600, color=colour["ink"]
    )
    note = alt.Chart(_named("rows")).mark_text(
        align="left",
        baseline="middle",
        yOffset=above + NOTE,
        fontSize=12,
        color=colour["muted"],
        limit=alt.ExprRef("width"),
    )
    layers = [
        track.encode(x=alt.value(0), x2=alt.value(alt.expr("width")), y=y),
        bar.encode(x=x, x2="end:Q", y=y, color=alt.Color("colour:N", scale=None), tooltip=tips),
        tick.encode(x=alt.X("end:Q", scale=scale), y=y, tooltip=tips),
        left.transform_calculate(shown="width > 400 ? datum.name : datum.short").encode(
            x=alt.value(0), y=y, text="shown:N"
        ),
        right.encode(x=alt.value(alt.expr("width")), y=y, text="label:N"),
        *([note.encode(x=alt.value(0), y=y, text="note:N")] if noted else []),
    ]
    return charts.finish(alt.layer(*layers).add_params(low, high, figure, shade), colour)


def bar_chart(bars: Sequence[Bar], *, is_dark: bool, low: float = 0, high: float | None = None) -> Spec:
    """Return horizontal bars in the given order, on one axis from `low` to `high`, shaded to its end.

    high: default, the largest end; nothing is shaded, because the axis is no whole.
    """
    colour = palette(is_dark)
    rows: list[DataRow] = [
        {
            "row": at,
            "name": bar.name,
            "short": bar.short or bar.name,
            "label": bar.label,
            "start": bar.start,
            "end": bar.end,
            "note": bar.note,
        }
        for at, bar in enumerate(bars)
    ]
    noted = any(bar.note for bar in bars)
    spec: Spec = json.loads(_rows_template(is_dark, noted))
    spec["height"] = (ROW + NOTE * noted) * len(bars)
    spec["datasets"] = {
        "rows": rows,
        "bars": [{**row, "colour": colour[bar.tone]} for row, bar in zip(rows, bars, strict=True) if not bar.total],
        "totals": [row for row, bar in zip(rows, bars, strict=True) if bar.total],
    }
    values = {
        "low": low,
        "high": high if high is not None else max([bar.end for bar in bars] or [1]) or 1,
        "shade": int(high is not None),
        "figure": LETTER * max([len(bar.label) for bar in bars] or [0]) + 14,
    }
    for parameter in spec["params"]:
        parameter["value"] = values[parameter["name"]]
    return spec


@dataclass(frozen=True)
class Span:
    """Duration of one kind (work or wait) at one step: its median and its 90th percentile."""

    step: str
    kind: str
    median: float
    p90: float
    label: str


@lru_cache(maxsize=8)
def _spans_template(is_dark: bool, kinds: tuple[str, ...], unit: str) -> str:
    colour = palette(is_dark)
    scale = alt.Scale(zero=True, nice=True)
    limit = alt.ExprRef("width > 400 ? 330 : 170")  # the whole name if it fits
    axis = alt.Axis(
        grid=False,
        labelExpr=IN_TWO_LINES,
        labelLineHeight=13,
        labelLimit=limit,
        labelFontSize=12,
        labelColor=colour["ink"],
    )
    y = alt.Y("step:O", title=None, sort=None, axis=axis)
    offset = alt.YOffset("kind:N", sort=list(kinds), scale=alt.Scale(paddingInner=0.2, paddingOuter=0.35))
    shade = alt.Color(
        "kind:N",
        title=None,
        sort=list(kinds),
        scale=alt.Scale(domain=list(kinds), range=[colour["accent"], colour["watch-strong"]]),
    )
    tips = [
        alt.Tooltip("step:N", title="Step"),
        alt.Tooltip("kind:N", title="Kind"),
        alt.Tooltip("label:N", title="Duration"),
    ]
    base = alt.Chart(_named("spans")).encode(y=y, yOffset=offset, color=shade)
    whole = base.mark_bar(height=3, opacity=0.55).encode(
        x=alt.X("p90:Q", title=unit, scale=scale, axis=alt.Axis(tickCount=6)), tooltip=tips
    )
    median = base.mark_bar(height=9, cornerRadiusEnd=2).encode(
        x=alt.X("median:Q", title=unit, scale=scale), tooltip=tips
    )
    end = base.mark_point(filled=True, size=34, shape="circle", opacity=1).encode(
        x=alt.X("p90:Q", title=unit, scale=scale), tooltip=tips
    )
    return charts.finish(alt.layer(whole, median, end), colour)


def range_chart(spans: Sequence[Span], *, unit: str, is_dark: bool) -> Spec:
    """Return steps with the duration of each kind: a bar to the median and a line to the 90th percentile."""
    kinds = tuple(dict.fromkeys(span.kind for span in spans))
    spec: Spec = json.loads(_spans_template(is_dark, kinds, unit))
    spec["height"] = STEP * len({span.step for span in spans})
    spec["datasets"] = {"spans": [vars(span) for span in spans]}
    return spec


@lru_cache(maxsize=4)
def _curves_template(is_dark: bool, groups: tuple[Group, ...], title: str) -> str:
    colour = palette(is_dark)
    names = [name for name, _, _ in groups]
    chart = (
        alt.Chart(_named("steps"))
        .mark_line(interpolate="step-after", strokeWidth=2.2)
        .encode(
            x=alt.X("days:Q", title=title, axis=alt.Axis(tickCount=6, grid=False)),
            y=alt.Y("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", tickCount=5)),
            color=alt.Color(
                "group:N", title=None, scale=alt.Scale(domain=names, range=[colour[tone] for _, tone, _ in groups])
            ),
            strokeDash=alt.StrokeDash(
                "group:N", title=None, scale=alt.Scale(domain=names, range=[list(dash) for _, _, dash in groups])
            ),
            tooltip=[
                alt.Tooltip("group:N", title="Orders"),
                alt.Tooltip("days:Q", title="Days"),
                alt.Tooltip("share:Q", title="Share", format=".1%"),
                alt.Tooltip("watched:Q", title="Under observation", format=","),
            ],
        )
    )
    return charts.finish(alt.layer(chart), colour)


def step_chart(steps: Sequence[Mapping[str, object]], groups: tuple[Group, ...], *, title: str, is_dark: bool) -> Spec:
    """Return shares over days as one stepped line per group.

    A row of `steps` has the fields `group`, `days`, `share` and `watched`.
    """
    spec: Spec = json.loads(_curves_template(is_dark, groups, title))
    spec["datasets"] = {"steps": list(steps)}
    return spec
