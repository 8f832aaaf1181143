"""Chart templates, the trend chart, and the one call that draws a chart.

Altair builds each template once, because building and checking a chart takes 40 to 80 ms behind a process-wide lock.
Each run only inserts data into the finished Vega-Lite specification. Dates are ordinal text, because some browsers show
them a day off on a time scale.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import altair as alt
import streamlit as st

from dashboard.components import formatting, theme, trend_layers
from dashboard.components.locale import reader
from dashboard.components.status import Status
from dashboard.components.theme import palette
from metrics.model.measure import Direction, Measure, Unit
from metrics.targets.targets import Target

Spec = dict[str, Any]
"""A Vega-Lite specification. Any: nested JSON, of which only a few keys are read here."""

DataRow = dict[str, str | float | bool | None]
"""One row of a chart's data."""

FONT = "Inter, 'Source Sans', sans-serif"
HEIGHT = 270
STATES = {
    Status.ON: ("good-strong", "circle"),
    Status.WATCH: ("watch-strong", "diamond"),
    Status.OFF: ("bad-strong", "triangle-up"),
}
PLAIN = ("accent", "circle")
MANY = 32
"""Periods of a trend above which its points are small, so that they do not hide the line."""
SIZE, SMALL = 80, 18


@dataclass(frozen=True)
class Point:
    """One period of a trend."""

    begins: date
    value: float | None
    status: Status
    partial: bool
    before: float | None = None
    """The measure in the matching prior period."""
    year: float | None = None
    """The measure in the matching period of last year."""
    judged: float | None = None
    """Number of judged rows."""
    bounds: tuple[float, float] | None = None
    """Range of the value if coverage is too low for one number."""
    limits: tuple[float, float] | None = None
    """Natural limits of the period (process behaviour chart)."""
    signal: str = ""
    """Why the value is more than chance, in words; "" if it is not."""
    url: str = ""
    """Address of the rows behind the value."""


@dataclass(frozen=True)
class Flag:
    """A dated note on a trend. begins: first day of its period."""

    begins: date
    text: str
    tooltip: str


def _data(name: str) -> alt.NamedData:
    return alt.NamedData(name=name)


def _axis_format(unit: Unit) -> str:
    return {Unit.SHARE: ".1~%", Unit.DAYS: ".1~f", Unit.RATIO: ".2f"}.get(unit, "~s")


_DAY = "utcFormat(utcParse(datum.value, '%Y-%m-%d'), day)"
_MONTH = "utcFormat(utcParse(datum.value, '%Y-%m-%d'), '%b %Y')"


@lru_cache(maxsize=64)
def _trend_template(
    unit: Unit,
    is_dark: bool,
    has_target: bool,
    has_before: bool,
    has_year: bool,
    has_limits: bool,
    has_flags: bool,
    monthly: bool,
) -> str:
    colour = palette(is_dark)
    defaults: dict[str, Any] = {"low": 0, "high": 1, "ticks": [], "day": "%-d %b"}
    parameters = [alt.param(name=name, value=value) for name, value in defaults.items()]
    scale = alt.Scale(domain=[alt.ExprRef("low"), alt.ExprRef("high")], nice=False, zero=False)
    axis = alt.Axis(
        grid=False,
        labelAngle=0,
        labelExpr=_MONTH if monthly else _DAY,
        values=alt.ExprRef("ticks"),
        labelOverlap=True,
        labelSeparation=8,
    )
    shared = trend_layers.Encodings(
        alt.X("period:O", title=None, scale=alt.Scale(type="point", padding=0.3), axis=axis),
        alt.Y("value:Q", title=None, scale=scale, axis=alt.Axis(format=_axis_format(unit), tickCount=5)),
        scale,
    )
    layers = [
        *(trend_layers.limits(shared, colour) if has_limits else []),
        *trend_layers.reference_lines(shared, colour, has_target, has_before, has_year),
        *trend_layers.value_lines(shared, colour),
        trend_layers.points(shared, has_before, has_year, has_limits),
        trend_layers.ranges(shared, colour),
        trend_layers.right_labels(scale),
        *(trend_layers.flags(shared, colour) if has_flags else []),
    ]
    return finish(alt.layer(*layers).add_params(*parameters), colour)


def finish(chart: alt.LayerChart | alt.FacetChart, colour: dict[str, str]) -> str:
    """Return a chart in the product's style as JSON. The browser makes room for labels right of the plot itself."""
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
    # Padding of the chart, not of its configuration: without it Streamlit takes 20 pixels from the chart's height.
    padding = {"left": 2, "right": 12, "top": 6, "bottom": 4}
    sized = chart.properties(
        height=HEIGHT, width="container", padding=padding, usermeta={"embedOptions": {"actions": False}}
    )
    configured = sized.configure(
        background="transparent",
        font=FONT,
        # Streamlit would show all fields of a mark without a tooltip of its own, and Vega would read them out.
        mark={"tooltip": None, "aria": False},
        axis=axis,
        view={"stroke": None},
        legend={"orient": "top", "labelColor": colour["ink"], "labelFont": FONT, "labelFontSize": 12, "symbolSize": 90},
    )
    return json.dumps(configured.to_dict())


def trend(
    points: Sequence[Point],
    measure: Measure,
    *,
    target: Target | None,
    grain: str,
    is_dark: bool,
    flags: Sequence[Flag] = (),
) -> Spec:
    """Return a measure over time with target, prior period and notes; partial periods are hollow points."""
    colour = palette(is_dark)
    known = [point.value for point in points if point.value is not None]
    before = [point.before for point in points if point.before is not None]
    year = [point.year for point in points if point.year is not None]
    ranges = [bound for point in points if point.bounds for bound in point.bounds]
    limits = [limit for point in points if point.limits for limit in point.limits]
    reach = [*known, *before, *year, *ranges, *limits, *([target.value] if target else [])] or [0.0, 1.0]
    pad = (max(reach) - min(reach)) * 0.18 or abs(reach[0]) * 0.1 or 0.1
    low, high = min(reach) - pad, max(reach) + pad
    rows = [_row(point, measure, target, grain, colour) for point in points]
    noted = {flag.begins.isoformat(): flag for flag in flags}
    spec: Spec = json.loads(
        _trend_template(
            measure.unit,
            is_dark,
            target is not None,
            bool(before),
            bool(year),
            bool(limits),
            bool(flags),
            grain in ("month", "quarter"),
        )
    )
    spec["datasets"] = {
        "main": [{**row, "value": None if row["partial"] else row["value"]} for row in rows],
        "partial": _partial_pieces(rows),
        "points": [
            row if row["partial"] or len(rows) <= MANY else {**row, "size": SMALL}
            for row in rows
            if row["value"] is not None
        ]
        or rows[-1:],
        "signals": [row for row, point in zip(rows, points, strict=True) if point.signal],
        "ranges": [_range(point, grain) for point in points if point.bounds],
        "flags": _flags(points, noted, grain),
        "labels": _labels(points, measure, target, (high - low) * 16 / HEIGHT, colour),
    }
    spec["usermeta"]["rows"] = [
        {**row, **({"note": noted[at].tooltip} if (at := str(row["period"])) in noted else {})} for row in rows
    ]
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


def _row(point: Point, measure: Measure, target: Target | None, grain: str, colour: dict[str, str]) -> DataRow:
    tone, shape = STATES.get(point.status, PLAIN)
    row: DataRow = {
        "period": point.begins.isoformat(),
        "name": formatting.period(point.begins, grain) + (" (partial)" if point.partial else ""),
        "value": point.value,
        "label": formatting.number(point.value, measure.unit),
        "state": point.status.word,
        "partial": point.partial,
        "before": point.before,
        "before_label": formatting.number(point.before, measure.unit),
        "year": point.year,
        "year_label": formatting.number(point.year, measure.unit),
        "judged": point.judged,
        "url": point.url,
        "signal": point.signal or "within the limits",
        "lowest": point.limits[0] if point.limits else None,
        "highest": point.limits[1] if point.limits else None,
        "shape": shape,
        "colour": colour[tone],
        "fill": colour["card"] if point.partial else colour[tone],
        "size": SIZE,
    }
    if target is not None:
        row["target"] = target.value
        row["short"] = None
        if point.value is not None and not point.partial:
            bound = min if measure.direction is Direction.HIGHER else max
            row["short"] = bound(point.value, target.value)
    return row


def _range(point: Point, grain: str) -> DataRow:
    lowest, highest = point.bounds or (0.0, 0.0)
    label = f"between {formatting.number(lowest, Unit.SHARE)} and {formatting.number(highest, Unit.SHARE)}"
    return {
        "period": point.begins.isoformat(),
        "name": formatting.period(point.begins, grain),
        "lowest": lowest,
        "highest": highest,
        "label": label,
    }


def _flags(points: Sequence[Point], noted: Mapping[str, Flag], grain: str) -> list[DataRow]:
    """Return the flags with the level of their labels, so that neighbours do not overlap, and the side of the rule."""
    shown = [(at, noted[day]) for at, point in enumerate(points) if (day := point.begins.isoformat()) in noted]
    return [
        {
            "period": flag.begins.isoformat(),
            "name": formatting.period(flag.begins, grain),
            "text": flag.text,
            "tooltip": flag.tooltip,
            "level": level % trend_layers.LEVELS,
            "is_late": at > len(points) * 0.6,
        }
        for level, (at, flag) in enumerate(shown)
    ]


def _partial_pieces(rows: Sequence[DataRow]) -> list[DataRow]:
    """Return the rows of a dashed line between each partial period and its neighbours."""
    pieces = []
    for at, row in enumerate(rows):
        for other in (at - 1, at + 1):
            if row["partial"] and 0 <= other < len(rows):
                ends = (end for end in (rows[other], row) if end["value"] is not None)
                pieces += [{**end, "piece": f"{at}-{other}"} for end in ends]
    return pieces


def _labels(
    points: Sequence[Point], measure: Measure, target: Target | None, gap: float, colour: dict[str, str]
) -> list[DataRow]:
    """Return the labels at the right end, moved apart if they would overlap."""
    labels: list[tuple[float, str, str]] = []
    latest = next((point for point in reversed(points) if point.value is not None), None)
    if latest is not None and latest.value is not None:
        labels.append((latest.value, formatting.number(latest.value, measure.unit), colour["accent"]))
    if target is not None:
        labels.append((target.value, f"Target {formatting.number(target.value, measure.unit)}", colour["ink"]))
    before = next((point.before for point in reversed(points) if point.before is not None), None)
    if before is not None:
        labels.append((before, "Prior period", colour["muted"]))
    year = next((point.year for point in reversed(points) if point.year is not None), None)
    if year is not None:
        labels.append((year, "Last year", colour["muted"]))
    labels.sort()
    places = [at for at, _, _ in labels]
    for _ in range(50):
        for i in range(len(places) - 1):
            missing = gap - (places[i + 1] - places[i])
            if missing > 0:
                places[i] -= missing / 2
                places[i + 1] += missing / 2
    return [{"at": at, "text": text, "colour": shade} for at, (_, text, shade) in zip(places, labels, strict=True)]


def describe(points: Sequence[Point], measure: Measure, target: Target | None) -> str:
    """Return the alternative text of a trend chart."""
    known = [point for point in points if point.value is not None and not point.partial]
    if not known:
        return f"{measure.title}: no whole period with data"

    def at(point: Point) -> str:
        return f"{formatting.number(point.value, measure.unit)} on {formatting.day(point.begins)}"

    lowest = min(known, key=lambda point: point.value or 0)
    text = f"{measure.title} from {at(known[0])} to {at(known[-1])}; lowest {at(lowest)}"
    return text + (f"; target {formatting.number(target.value, measure.unit)}" if target else "")


def draw(spec: Spec, *, key: str, alternative: str) -> None:
    """Draw a finished specification without Altair and Streamlit's theme, with numbers in the reader's format."""
    spec["config"]["locale"] = {"number": reader().chart}
    height = spec.get("height")
    with theme.room(key, height if isinstance(height, int) else 0):
        st.vega_lite_chart(None, spec, theme=None, key=key, alt=alternative)
