"""Charts: each is a template built once through Altair; a run only puts data into it and hands the finished Vega-Lite
on.

Building and checking a chart with Altair costs 40 to 80 ms behind a process-wide lock; putting data into a template
costs a fraction of one (design, screens). No Streamlit here but the one call that draws. Dates reach a chart as ordinal
text: on a time scale some browsers show them a day off.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import altair as alt
import streamlit as st

from dashboard.components import formatting
from dashboard.components.locale import reader
from dashboard.components.status import Status
from dashboard.components.theme import palette
from metrics.model.measure import Direction, Measure, Unit
from metrics.targets.targets import Target

Spec = dict[str, Any]
"""A chart as a Vega-Lite specification. Any: JSON of any depth."""

FONT = "Inter, 'Source Sans', sans-serif"
HEIGHT = 270
LABEL_WIDTH = 92
"""Room for labels right of the plot."""
STATES = {
    Status.ON: ("good-strong", "circle"),
    Status.WATCH: ("watch-strong", "diamond"),
    Status.OFF: ("bad-strong", "triangle-up"),
}
PLAIN = ("accent", "circle")


@dataclass(frozen=True)
class Point:
    """One period of a trend."""

    begins: date
    value: float | None
    standing: Status
    partial: bool
    before: float | None = None
    """The same measure in the matching period before."""
    year: float | None = None
    """The same measure in the matching period of last year."""
    of: float | None = None
    """How many it was judged on."""
    between: tuple[float, float] | None = None
    """What the value lies between, where too little is known for one number."""


def _data(name: str) -> alt.NamedData:
    return alt.NamedData(name=name)


def _axis_format(unit: Unit) -> str:
    return {Unit.SHARE: ".1~%", Unit.DAYS: ".1~f", Unit.RATIO: ".2f"}.get(unit, "~s")


_DAY = "utcFormat(utcParse(datum.value, '%Y-%m-%d'), day)"
_MONTH = "utcFormat(utcParse(datum.value, '%Y-%m-%d'), '%b %Y')"


@lru_cache(maxsize=64)
def _trend_template(
    unit: Unit, is_dark: bool, has_target: bool, has_before: bool, has_year: bool, monthly: bool
) -> str:
    colour = palette(is_dark)
    low, high, ticks = (
        alt.param(name="low", value=0),
        alt.param(name="high", value=1),
        alt.param(name="ticks", value=[]),
    )
    day = alt.param(name="day", value="%-d %b")
    scale = alt.Scale(domain=[alt.ExprRef("low"), alt.ExprRef("high")], nice=False, zero=False)
    y = alt.Y("value:Q", title=None, scale=scale, axis=alt.Axis(format=_axis_format(unit), tickCount=5))
    x = alt.X(
        "period:O",
        title=None,
        scale=alt.Scale(type="point", padding=0.3),
        axis=alt.Axis(
            grid=False,
            labelAngle=0,
            labelExpr=_MONTH if monthly else _DAY,
            values=alt.ExprRef("ticks"),
            labelOverlap=True,
        ),
    )
    whole = alt.Chart(_data("main")).encode(x=x)
    layers: list[alt.Chart] = []
    if has_target:  # only the shortfall is shaded: the ink is the message, and the axis may be cut
        layers.append(
            whole.mark_area(opacity=0.14, color=colour["bad-strong"]).encode(
                y=alt.Y("short:Q", title=None, scale=scale), y2="target:Q"
            )
        )
        layers.append(
            whole.mark_line(color=colour["ink"], strokeDash=[5, 4], strokeWidth=1.3, opacity=0.75).encode(
                y=alt.Y("target:Q", scale=scale)
            )
        )
    if has_before:
        layers.append(
            whole.mark_line(color=colour["muted"], strokeWidth=1.4, strokeDash=[2, 3]).encode(
                y=alt.Y("before:Q", title=None, scale=scale)
            )
        )
    if has_year:
        layers.append(
            whole.mark_line(color=colour["muted"], strokeWidth=1.2, strokeDash=[9, 4]).encode(
                y=alt.Y("year:Q", title=None, scale=scale)
            )
        )
    layers.append(whole.mark_line(color=colour["accent"], strokeWidth=2.4).encode(y=y))
    layers.append(
        alt.Chart(_data("partial"))
        .mark_line(color=colour["accent"], strokeWidth=1.8, strokeDash=[3, 3])
        .encode(x=x, y=y, detail="piece:N")
    )
    tips = [
        alt.Tooltip("name:N", title="Period"),
        alt.Tooltip("said:N", title="Value"),
        alt.Tooltip("state:N", title="State"),
    ]
    tips += [alt.Tooltip("before_said:N", title="Period before")] if has_before else []
    tips += [alt.Tooltip("year_said:N", title="Last year")] if has_year else []
    tips += [alt.Tooltip("of:Q", title="Judged", format=",.0f")]
    layers.append(
        alt.Chart(_data("points"))
        .mark_point(filled=True, strokeWidth=1.8, opacity=1)
        .encode(
            x=x,
            y=y,
            tooltip=tips,
            shape=alt.Shape("shape:N", scale=None),
            fill=alt.Fill("fill:N", scale=None),
            stroke=alt.Stroke("colour:N", scale=None),
            size=alt.Size("size:Q", scale=None),
        )
    )
    bounds = alt.Chart(_data("ranges")).mark_rule(
        aria=False, color=colour["muted"], strokeWidth=5, strokeCap="round", opacity=0.55
    )
    layers.append(bounds.encode(x=x, y=alt.Y("lowest:Q", scale=scale), y2="highest:Q", tooltip=["name:N", "said:N"]))
    layers.append(
        alt.Chart(_data("labels"))
        .mark_text(align="left", baseline="middle", dx=10, fontSize=11.5)
        .encode(
            x=alt.value(alt.expr("width")),
            y=alt.Y("at:Q", scale=scale),
            text="text:N",
            color=alt.Color("colour:N", scale=None),
        )
    )
    return finish(alt.layer(*layers).add_params(low, high, ticks, day), colour)


def finish(chart: alt.LayerChart | alt.FacetChart, colour: dict[str, str], *, legend: bool = False) -> str:
    """A chart in the product's look, as JSON; `legend`: above it, and no room for labels on the right."""
    axis = {
        "labelColor": colour["muted"],
        "gridColor": colour["line"],
        "domain": False,
        "ticks": False,
        "labelPadding": 8,
        "labelFont": FONT,
        "labelFontSize": 11.5,
        "titleColor": colour["muted"],
        "titleFont": FONT,
        "titleFontWeight": "normal",
    }
    # Padding of its own, not configured: Streamlit gives what has none 20 pixels below, out of the chart's height.
    padding = {"left": 2, "right": 12 if legend else LABEL_WIDTH, "top": 6, "bottom": 4}
    sized = chart.properties(
        height=HEIGHT, width="container", padding=padding, usermeta={"embedOptions": {"actions": False}}
    )
    configured = sized.configure(
        background="transparent",
        font=FONT,
        axis=axis,
        view={"stroke": None},
        legend={"orient": "top", "labelColor": colour["ink"], "labelFont": FONT, "labelFontSize": 12, "symbolSize": 90},
    )
    return json.dumps(configured.to_dict())


def trend(
    points: Sequence[Point], measure: Measure, *, target: Target | None, grain: str, is_dark: bool
) -> dict[str, Any]:
    """A measure over time with its target, the period before and partial periods hollow: a Vega-Lite specification with
    its data.
    """
    colour = palette(is_dark)
    known = [point.value for point in points if point.value is not None]
    before = [point.before for point in points if point.before is not None]
    year = [point.year for point in points if point.year is not None]
    ranges = [bound for point in points if point.between for bound in point.between]
    reach = [*known, *before, *year, *ranges, *([target.value] if target else [])] or [0.0, 1.0]
    pad = (max(reach) - min(reach)) * 0.18 or abs(reach[0]) * 0.1 or 0.1
    low, high = min(reach) - pad, max(reach) + pad
    rows = [_row(point, measure, target, grain, colour) for point in points]
    spec = json.loads(
        _trend_template(
            measure.unit, is_dark, target is not None, bool(before), bool(year), grain in ("month", "quarter")
        )
    )
    spec["datasets"] = {
        "main": [{**row, "value": None if row["partial"] else row["value"]} for row in rows],
        "partial": _partial_pieces(rows),
        "points": [row for row in rows if row["value"] is not None and (len(rows) <= 32 or row["partial"])]
        or rows[-1:],
        "ranges": [_range(point, grain) for point in points if point.between],
        "labels": _labels(points, measure, target, (high - low) * 16 / HEIGHT, colour),
    }
    every = max(1, round(len(points) / 7))
    day = "%-d %b" if reader().order == "dmy" else "%b %-d"
    values = {
        "low": low,
        "high": high,
        "day": day,
        "ticks": [point.begins.isoformat() for point in reversed(points)][::every],
    }
    for parameter in spec["params"]:
        parameter["value"] = values.get(parameter["name"], parameter.get("value"))
    return spec


def _row(point: Point, measure: Measure, target: Target | None, grain: str, colour: dict[str, str]) -> dict[str, Any]:
    state, shape = STATES.get(point.standing, PLAIN)
    row: dict[str, Any] = {
        "period": point.begins.isoformat(),
        "name": formatting.period(point.begins, grain) + (" (partial)" if point.partial else ""),
        "value": point.value,
        "said": formatting.number(point.value, measure.unit),
        "state": point.standing.word,
        "partial": point.partial,
        "before": point.before,
        "before_said": formatting.number(point.before, measure.unit),
        "year": point.year,
        "year_said": formatting.number(point.year, measure.unit),
        "of": point.of,
        "shape": shape,
        "colour": colour[state],
        "fill": colour["card"] if point.partial else colour[state],
        "size": 80,
    }
    if target is not None:
        row["target"] = target.value
        falls_short = point.value is not None and not point.partial
        bound = min if measure.direction is Direction.HIGHER else max
        row["short"] = bound(point.value, target.value) if falls_short else None  # type: ignore[type-var]
    return row


def _range(point: Point, grain: str) -> dict[str, Any]:
    lowest, highest = point.between or (0.0, 0.0)
    said = f"between {formatting.number(lowest, Unit.SHARE)} and {formatting.number(highest, Unit.SHARE)}"
    return {
        "period": point.begins.isoformat(),
        "name": formatting.period(point.begins, grain),
        "lowest": lowest,
        "highest": highest,
        "said": said,
    }


def _partial_pieces(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A dashed piece between each partial period and its neighbours."""
    pieces = []
    for at, row in enumerate(rows):
        for other in (at - 1, at + 1):
            if row["partial"] and 0 <= other < len(rows):
                pieces += [{**one, "piece": f"{at}-{other}"} for one in (rows[other], row) if one["value"] is not None]
    return pieces


def _labels(
    points: Sequence[Point], measure: Measure, target: Target | None, gap: float, colour: dict[str, str]
) -> list[dict[str, Any]]:
    """Labels at the right end, pushed apart where they would overlap."""
    found: list[tuple[float, str, str]] = []
    latest = next((point for point in reversed(points) if point.value is not None), None)
    if latest is not None and latest.value is not None:
        found.append((latest.value, formatting.number(latest.value, measure.unit), colour["accent"]))
    if target is not None:
        found.append((target.value, f"Target {formatting.number(target.value, measure.unit)}", colour["ink"]))
    before = next((point.before for point in reversed(points) if point.before is not None), None)
    if before is not None:
        found.append((before, "Period before", colour["muted"]))
    year = next((point.year for point in reversed(points) if point.year is not None), None)
    if year is not None:
        found.append((year, "Last year", colour["muted"]))
    found.sort()
    places = [at for at, _, _ in found]
    for _ in range(50):
        for i in range(len(places) - 1):
            lacking = gap - (places[i + 1] - places[i])
            if lacking > 0:
                places[i] -= lacking / 2
                places[i + 1] += lacking / 2
    return [{"at": at, "text": text, "colour": shade} for at, (_, text, shade) in zip(places, found, strict=True)]


def describe(points: Sequence[Point], measure: Measure, target: Target | None) -> str:
    """A trend in one sentence, for those who do not see it."""
    known = [point for point in points if point.value is not None and not point.partial]
    if not known:
        return f"{measure.title}: no whole period with data"
    lowest = min(known, key=lambda point: point.value or 0)
    told = (
        f"{measure.title} from {formatting.number(known[0].value, measure.unit)} on {formatting.day(known[0].begins)}"
    )
    told += f" to {formatting.number(known[-1].value, measure.unit)} on {formatting.day(known[-1].begins)}"
    told += f"; lowest {formatting.number(lowest.value, measure.unit)} on {formatting.day(lowest.begins)}"
    return told + (f"; target {formatting.number(target.value, measure.unit)}" if target else "")


def draw(spec: dict[str, Any], *, key: str, alternative: str) -> None:
    """Draw a finished specification: no Altair, no theme of Streamlit's, numbers as the reader writes them."""
    spec["config"]["locale"] = {"number": reader().chart}
    st.vega_lite_chart(None, spec, theme=None, key=key, alt=alternative)
