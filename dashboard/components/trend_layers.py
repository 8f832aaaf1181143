"""Layers of the trend chart: limits, reference lines, values, points, ranges and labels."""

from dataclasses import dataclass
from typing import Any

import altair as alt

SPOKEN: dict[str, Any] = {"aria": True, "description": alt.ExprRef("datum.name + ': ' + datum.label")}
"""Properties of marks that screen readers read out, after the description of the chart."""

LEVELS, LINE = 3, 14
"""Labels of neighbouring notes are on different levels; height of a level in pixels."""


@dataclass(frozen=True)
class Encodings:
    """Axes that the layers of a trend share."""

    x: alt.X
    y: alt.Y
    scale: alt.Scale

    def column(self, name: str) -> alt.Y:
        """The vertical axis for another column."""
        return alt.Y(f"{name}:Q", title=None, scale=self.scale)


def limits(shared: Encodings, colour: dict[str, str]) -> list[alt.Chart]:
    """Return the natural limits of the periods as a band with two lines, and a ring around each signal."""
    whole = alt.Chart(alt.NamedData(name="main")).encode(x=shared.x)
    band = whole.mark_area(opacity=0.09, color=colour["muted"]).encode(y=shared.column("lowest"), y2="highest:Q")
    lines = [
        whole.mark_line(color=colour["muted"], strokeWidth=1, opacity=0.7).encode(y=shared.column(name))
        for name in ("lowest", "highest")
    ]
    rings = alt.Chart(alt.NamedData(name="signals")).mark_point(
        filled=False, color=colour["ink"], size=230, strokeWidth=1.5, opacity=1
    )
    return [band, *lines, rings.encode(x=shared.x, y=shared.y)]


def reference_lines(
    shared: Encodings, colour: dict[str, str], has_target: bool, has_before: bool, has_year: bool
) -> list[alt.Chart]:
    """Return the target with its shortfall, the prior period and last year."""
    whole = alt.Chart(alt.NamedData(name="main")).encode(x=shared.x)
    layers: list[alt.Chart] = []
    if has_target:  # shades only the shortfall, because the axis may not start at zero
        shortfall = whole.mark_area(opacity=0.14, color=colour["bad-strong"])
        layers.append(shortfall.encode(y=shared.column("short"), y2="target:Q"))
        line = whole.mark_line(color=colour["ink"], strokeDash=[5, 4], strokeWidth=1.3, opacity=0.75)
        layers.append(line.encode(y=alt.Y("target:Q", scale=shared.scale)))
    if has_before:
        line = whole.mark_line(color=colour["muted"], strokeWidth=1.4, strokeDash=[2, 3])
        layers.append(line.encode(y=shared.column("before")))
    if has_year:
        line = whole.mark_line(color=colour["muted"], strokeWidth=1.2, strokeDash=[9, 4])
        layers.append(line.encode(y=shared.column("year")))
    return layers


def value_lines(shared: Encodings, colour: dict[str, str]) -> list[alt.Chart]:
    """Return the line of whole periods and the dashed line to partial ones."""
    whole = alt.Chart(alt.NamedData(name="main")).encode(x=shared.x)
    partial = alt.Chart(alt.NamedData(name="partial")).mark_line(
        color=colour["accent"], strokeWidth=1.8, strokeDash=[3, 3]
    )
    return [
        whole.mark_line(color=colour["accent"], strokeWidth=2.4).encode(y=shared.y),
        partial.encode(x=shared.x, y=shared.y, detail="piece:N"),
    ]


def points(shared: Encodings, has_before: bool, has_year: bool, has_limits: bool) -> alt.Chart:
    """Return the points, with their tooltips and the addresses of their rows."""
    tips = [
        alt.Tooltip("name:N", title="Period"),
        alt.Tooltip("label:N", title="Value"),
        alt.Tooltip("state:N", title="Status"),
    ]
    tips += [alt.Tooltip("before_label:N", title="Prior period")] if has_before else []
    tips += [alt.Tooltip("year_label:N", title="Last year")] if has_year else []
    tips += [alt.Tooltip("signal:N", title="Signal")] if has_limits else []
    tips += [alt.Tooltip("judged:Q", title="Judged", format=",.0f")]
    marks = alt.Chart(alt.NamedData(name="points")).mark_point(**SPOKEN, filled=True, strokeWidth=1.8, opacity=1)
    points: alt.Chart = marks.encode(
        x=shared.x,
        y=shared.y,
        tooltip=tips,
        href=alt.Href("url:N"),
        shape=alt.Shape("shape:N", scale=None),
        fill=alt.Fill("fill:N", scale=None),
        stroke=alt.Stroke("colour:N", scale=None),
        size=alt.Size("size:Q", scale=None),
    )
    return points


def ranges(shared: Encodings, colour: dict[str, str]) -> alt.Chart:
    """Return a bar from the lowest to the highest possible value of each period without one number."""
    bounds = alt.Chart(alt.NamedData(name="ranges")).mark_rule(
        color=colour["muted"], strokeWidth=5, strokeCap="round", opacity=0.55
    )
    lowest = alt.Y("lowest:Q", scale=shared.scale)
    tips = [alt.Tooltip("name:N", title="Period"), alt.Tooltip("label:N", title="Range")]
    ranges: alt.Chart = bounds.encode(x=shared.x, y=lowest, y2="highest:Q", tooltip=tips)
    return ranges


def flags(shared: Encodings, colour: dict[str, str]) -> list[alt.LayerChart | alt.Chart]:
    """Return the dated notes: a rule at the period, and the beginning of the text at the top."""
    whole = alt.Chart(alt.NamedData(name="flags"))
    tips = [alt.Tooltip("name:N", title="Period"), alt.Tooltip("tooltip:N", title="Note")]
    layers = [whole.mark_rule(color=colour["ink"], strokeDash=[3, 2], opacity=0.75).encode(x=shared.x, tooltip=tips)]
    for level in range(LEVELS):
        for is_late in (False, True):
            of_level = whole.transform_filter(f"datum.level == {level} && datum.is_late == {str(is_late).lower()}")
            text = of_level.mark_text(
                align="right" if is_late else "left",
                baseline="top",
                dx=-4 if is_late else 4,
                fontSize=11,
                limit=alt.ExprRef("width > 500 ? 170 : 90"),
                color=colour["ink"],
            )
            layers.append(text.encode(x=shared.x, y=alt.value(level * LINE), text="text:N", tooltip=tips))
    return layers


def right_labels(scale: alt.Scale) -> alt.Chart:
    """Return the labels at the right end of the lines."""
    text = alt.Chart(alt.NamedData(name="labels")).mark_text(align="left", baseline="middle", dx=10, fontSize=11.5)
    labels: alt.Chart = text.encode(
        x=alt.value(alt.expr("width")),
        y=alt.Y("at:Q", scale=scale),
        text="text:N",
        color=alt.Color("colour:N", scale=None),
    )
    return labels
