"""Charts of the pages of measures, made as those of `charts.py` are: a template built once, data put into it.

Rows (a funnel, a ladder, parts that add up) have their name and figure above the bar, so that nothing is cut on a
phone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import altair as alt

from dashboard.components import charts
from dashboard.components.theme import palette

ROW = 42
"""Height of a row: a line of text and its bar."""
NOTE = 19
"""What a second line of text adds to it."""
LETTER = 6.9
"""Width of a letter of a figure."""
STEP = 38
IN_TWO_LINES = r"width > 400 || length(datum.label) < 27 ? datum.label : split(replace(datum.label, /^(.{14,24}?\S*) (.{4,})$/, '$1\n$2'), '\n')"
"""Long names beside an axis of a phone, in Vega's words: cut, they would not say which step it is."""


@dataclass(frozen=True)
class Bar:
    """One row: from `start` to `end`, its name on the left above it and its figure on the right; `tone`: a colour's
    name in the palette.

    total: drawn as a mark at `end` alone, since its length says nothing where the axis is cut. note: a second line,
    below the name, that has the whole width.
    """

    name: str
    end: float
    said: str
    start: float = 0
    tone: str = "accent"
    total: bool = False
    note: str = ""


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
    scale = alt.Scale(domain=[alt.ExprRef("low"), alt.ExprRef("high")], nice=False, zero=False)
    y = alt.Y("row:O", axis=None, sort=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    x = alt.X("start:Q", axis=None, scale=scale)
    tips = [alt.Tooltip("name:N", title=" "), alt.Tooltip("said:N", title="  ")]
    track = alt.Chart(_named("rows")).mark_bar(
        aria=False, height=9, yOffset=below, cornerRadius=4, color=colour["grey-soft"]
    )
    bar = alt.Chart(_named("bars")).mark_bar(height=9, yOffset=below, cornerRadius=3)
    tick = alt.Chart(_named("totals")).mark_tick(
        aria=False, orient="vertical", size=17, thickness=5, yOffset=below, color=colour["ink"]
    )
    room = alt.ExprRef("width - figure")  # what the longest figure on the right leaves of the line
    left = alt.Chart(_named("rows")).mark_text(
        align="left", baseline="middle", yOffset=above, fontSize=12.5, color=colour["ink"], limit=room
    )
    right = alt.Chart(_named("rows")).mark_text(
        align="right", baseline="middle", yOffset=above, fontSize=12.5, fontWeight=600, color=colour["ink"]
    )
    note = alt.Chart(_named("rows")).mark_text(
        aria=False,
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
        left.encode(x=alt.value(0), y=y, text="name:N"),
        right.encode(x=alt.value(alt.expr("width")), y=y, text="said:N"),
        *([note.encode(x=alt.value(0), y=y, text="note:N")] if noted else []),
    ]
    return charts.finish(alt.layer(*layers).add_params(low, high, figure), colour, legend=True)


def bar_chart(bars: Sequence[Bar], *, is_dark: bool, low: float = 0, high: float | None = None) -> dict[str, Any]:
    """Bars below each other in the order given, on one axis from `low` to `high` (the largest, if not given)."""
    colour = palette(is_dark)
    told = [
        {"row": at, "name": one.name, "said": one.said, "start": one.start, "end": one.end, "note": one.note}
        for at, one in enumerate(bars)
    ]
    noted = any(one.note for one in bars)
    spec: dict[str, Any] = json.loads(_rows_template(is_dark, noted))
    spec["height"] = (ROW + NOTE * noted) * len(bars)
    spec["datasets"] = {
        "rows": told,
        "bars": [{**row, "colour": colour[one.tone]} for row, one in zip(told, bars, strict=True) if not one.total],
        "totals": [row for row, one in zip(told, bars, strict=True) if one.total],
    }
    values = {
        "low": low,
        "high": high if high is not None else max([one.end for one in bars] or [1]) or 1,
        "figure": LETTER * max([len(one.said) for one in bars] or [0]) + 14,
    }
    for parameter in spec["params"]:
        parameter["value"] = values[parameter["name"]]
    return spec


@dataclass(frozen=True)
class Span:
    """How long one of two things takes at one step: half of the orders within `half`, nine of ten within `nine`."""

    step: str
    kind: str
    half: float
    nine: float
    said: str


@lru_cache(maxsize=8)
def _spans_template(is_dark: bool, kinds: tuple[str, ...], unit: str) -> str:
    colour = palette(is_dark)
    scale = alt.Scale(zero=True, nice=True)
    limit = alt.ExprRef("width > 400 ? 330 : 170")  # whole names where there is room
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
        alt.Tooltip("kind:N", title="What"),
        alt.Tooltip("said:N", title="How long"),
    ]
    base = alt.Chart(_named("spans")).encode(y=y, yOffset=offset, color=shade)
    whole = base.mark_bar(height=3, opacity=0.55).encode(
        x=alt.X("nine:Q", title=unit, scale=scale, axis=alt.Axis(tickCount=6)), tooltip=tips
    )
    half = base.mark_bar(height=9, cornerRadiusEnd=2).encode(x=alt.X("half:Q", title=unit, scale=scale), tooltip=tips)
    end = base.mark_point(filled=True, size=34, shape="circle", opacity=1).encode(
        x=alt.X("nine:Q", title=unit, scale=scale), tooltip=tips
    )
    return charts.finish(alt.layer(whole, half, end), colour, legend=True)


def range_chart(found: Sequence[Span], *, unit: str, is_dark: bool) -> dict[str, Any]:
    """Steps below each other with the two things that take time at each: a bar to where half are done, a line to where
    nine of ten are.
    """
    kinds = tuple(dict.fromkeys(one.kind for one in found))
    spec: dict[str, Any] = json.loads(_spans_template(is_dark, kinds, unit))
    spec["height"] = STEP * len({one.step for one in found})
    spec["datasets"] = {"spans": [vars(one) for one in found]}
    return spec


@lru_cache(maxsize=4)
def _curves_template(is_dark: bool, groups: tuple[tuple[str, str, tuple[int, int]], ...], title: str) -> str:
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
            tooltip=["group:N", "days:Q", alt.Tooltip("share:Q", format=".1%"), alt.Tooltip("watched:Q", format=",")],
        )
    )
    return charts.finish(alt.layer(chart), colour, legend=True)


def step_chart(
    steps: Sequence[dict[str, Any]], groups: tuple[tuple[str, str, tuple[int, int]], ...], *, title: str, is_dark: bool
) -> dict[str, Any]:
    """Shares over days, one stepped line a group: rows of `group`, `days`, `share` and `watched`; a group is its name,
    tone and dashes.
    """
    spec: dict[str, Any] = json.loads(_curves_template(is_dark, groups, title))
    spec["datasets"] = {"steps": list(steps)}
    return spec
