"""Charts and table of the answers to any question: lines over time, else bars, in panels.

A chart shows only the largest values and lists how many it leaves out. The table has all rows. This module neither
computes numbers nor draws on the page.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import altair as alt

from dashboard.components import cards, charts, formatting
from dashboard.components.theme import palette
from dashboard.frame.filters import Filters
from dashboard.measure_page.cells import WHOLE, dimension_text, halves
from metrics.lists.rows import Row
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Measure, Unit
from metrics.model.point import range_of
from metrics.model.question import Answer, Question

LINES_MOST, BARS_MOST, PANELS_MOST = 6, 15, 6
DIMENSIONS_DRAWN = 2
SERIES = {
    False: ("#2450D6", "#B86A00", "#12855B", "#8A3FC0", "#0E7C9B", "#B3246B"),
    True: ("#86A8FF", "#F0A53A", "#3CC48D", "#C79BF2", "#5CC7E0", "#F58BC0"),
}
"""Colours of lines in the light and the dark theme; each line also has its own shape."""
SHAPES = {"circle": "●", "square": "■", "triangle-up": "▲", "diamond": "◆", "cross": "✚", "triangle-down": "▼"}
BAR_HEIGHT = 25
IS_RANGE = "isValid(datum.low)"
"""Condition on a row: a range replaces the value, because too much evidence is missing."""


@dataclass(frozen=True)
class Panel:
    """A chart: for the page, for a picture (with its legend), and as alternative text."""

    title: str
    spec: charts.Spec
    pictured: charts.Spec
    alternative: str


@dataclass(frozen=True)
class Drawn:
    """The panels of a question, and a note about values they leave out."""

    panels: list[Panel]
    left_out: str = ""
    lines: tuple[str, ...] = ()
    """Names of the lines, for one legend above all panels; empty for a single line."""


def draw(question: Question, answers: Sequence[Answer], filters: Filters, *, measure: str, is_dark: bool) -> Drawn:
    """Return a panel per measure; with two dimensions, a panel per value of the second, for `measure` only.

    There are no panels without a dimension or a grain.
    """
    if not (question.grain or question.by) or len(question.by) > DIMENSIONS_DRAWN:
        return Drawn([])
    first, second = (*question.by, None, None)[:2]
    names = question.measures if second is None else (measure,)
    most = LINES_MOST if question.grain else BARS_MOST
    values, panes = _largest(answers, names, first), _largest(answers, names, second)
    cells = _cells(question, [answer for answer in answers if answer.measure in names])
    titled = (
        [(MEASURES[name], name, None) for name in names]
        if second is None
        else [(MEASURES[measure], measure, pane) for pane in panes]
    )
    panels = []
    for shown, name, pane in titled[:PANELS_MOST]:
        found = {value: cells[name, value, pane] for value in values[:most]}
        title = shown.short or shown.title if second is None else dimension_text(pane)
        panels.append(
            _lines(shown, title, found, filters, question.grain, is_dark)
            if question.grain
            else _bars(shown, title, found, is_dark)
        )
    parts = [(len(values), most, first), (len(titled), PANELS_MOST, second or "measure")]
    cuts = [_cut(count, shown, str(name)) for count, shown, name in parts if count > shown]
    left_out = f"The charts show the largest: {' and '.join(cuts)}. The table and the file have all." if cuts else ""
    return Drawn(
        panels, left_out, tuple(map(dimension_text, values[:most])) if question.grain and len(values) > 1 else ()
    )


def _cut(count: int, shown: int, name: str) -> str:
    noun = "measures" if name == "measure" else f"{formatting.in_words(name).lower()} values"
    return f"{shown} of {count:,} {noun}"


def _largest(answers: Sequence[Answer], names: Sequence[str], dimension: str | None) -> list[str | None]:
    """Return the values of a dimension, the largest denominator first; without a dimension, one unnamed value."""
    if dimension is None:
        return [WHOLE]
    sizes: dict[str | None, float] = defaultdict(float)
    for answer in answers:
        if answer.measure == names[0]:
            sizes[answer.dimensions[dimension]] += abs(float(answer.denominator or answer.value or 0))
    return sorted(sizes, key=lambda value: (-sizes[value], str(value)))


Cells = dict[tuple[str, str | None, str | None], list[Answer]]


def _cells(question: Question, answers: Sequence[Answer]) -> Cells:
    """Answers by measure, value of the first dimension and of the second."""
    found: Cells = defaultdict(list)
    for answer in answers:
        first = answer.dimensions[question.by[0]] if question.by else WHOLE
        second = answer.dimensions[question.by[1]] if len(question.by) > 1 else None
        found[answer.measure, first, second].append(answer)
    return found


def _axis(unit: Unit) -> alt.Axis:
    return alt.Axis(format={Unit.SHARE: ".1~%", Unit.RATIO: ".2~f"}.get(unit, "~s"), tickCount=5)


@lru_cache(maxsize=64)
def _lines_template(unit: Unit, is_dark: bool, with_legend: bool, monthly: bool) -> str:
    named = "%b %Y" if monthly else "%-d %b"
    x = alt.X(
        "period:O",
        title=None,
        scale=alt.Scale(type="point", padding=0.3),
        axis=alt.Axis(
            grid=False,
            labelAngle=0,
            labelOverlap=True,
            labelExpr=f"utcFormat(utcParse(datum.value, '%Y-%m-%d'), '{named}')",
        ),
    )
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=_axis(unit))
    legend = alt.Legend(title=None) if with_legend else None
    colour = alt.Color("series:N", sort=None, scale=alt.Scale(range=list(SERIES[is_dark])), legend=legend)
    shape = alt.Shape("series:N", sort=None, scale=alt.Scale(range=list(SHAPES)), legend=legend)
    tips = [
        alt.Tooltip("series:N", title="Of"),
        alt.Tooltip("name:N", title="Period"),
        alt.Tooltip("value_text:N", title="Value"),
    ]
    base = alt.Chart(alt.NamedData("rows")).encode(x=x, y=y)
    # Colours and shapes of the other layers come with the rows: of three layers with scales a picture would have three
    # legends.
    lines = base.mark_line(strokeWidth=2).encode(detail="series:N", stroke=alt.Stroke("colour:N", scale=None))
    points = base.mark_point(filled=True, size=62, opacity=1).encode(color=colour, shape=shape, tooltip=tips)
    hollow = base.transform_filter("datum.partial").mark_point(
        filled=True, size=18, opacity=1, color=palette(is_dark)["card"]
    )
    hollow = hollow.encode(shape=alt.Shape("shape:N", scale=None))
    interval = base.transform_filter(IS_RANGE).mark_rule(strokeWidth=5, opacity=0.5)
    interval = interval.encode(
        y=alt.Y("low:Q", title=None, scale=alt.Scale(zero=False), axis=_axis(unit)),
        y2="high:Q",
        stroke=alt.Stroke("colour:N", scale=None),
        tooltip=tips,
    )
    return charts.finish(alt.layer(interval, lines, points, hollow), palette(is_dark))


def _lines(
    measure: Measure, title: str, found: dict[str | None, list[Answer]], filters: Filters, grain: str, is_dark: bool
) -> Panel:
    rows = [
        {
            "series": dimension_text(value),
            "colour": SERIES[is_dark][at],
            "shape": list(SHAPES)[at],
            "period": answer.period.isoformat(),
            "name": formatting.period(answer.period, grain)
            + (" (partial)" if filters.period.partial(answer.period, grain) else ""),
            "partial": filters.period.partial(answer.period, grain),
            **_value(answer, measure),
        }
        for at, (value, answers) in enumerate(found.items())
        for answer in answers
        if answer.period is not None
    ]
    plain, pictured = (
        json.loads(_lines_template(measure.unit, is_dark, with_legend, grain in ("month", "quarter")))
        for with_legend in (False, True)
    )
    last = [
        f"{dimension_text(value)} {formatting.number(answers[-1].value, measure.unit)}"
        for value, answers in found.items()
        if answers
    ]
    pictured = pictured if len(found) > 1 else plain
    return Panel(
        title,
        _filled(plain, rows),
        _filled(pictured, rows),
        f"{measure.title} by {grain}; at the end {', '.join(last)}",
    )


@lru_cache(maxsize=64)
def _bars_template(unit: Unit, is_dark: bool) -> str:
    colour = palette(is_dark)
    y = alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=150, grid=False))
    base = alt.Chart(alt.NamedData("rows")).encode(y=y, x=alt.X("value:Q", title=None, axis=_axis(unit)))
    tips = [
        alt.Tooltip("label:N", title="Of"),
        alt.Tooltip("value_text:N", title="Value"),
        alt.Tooltip("of:N", title="Counted"),
    ]
    bar = base.mark_bar(color=colour["accent"], cornerRadiusEnd=3, height={"band": 0.66}).encode(tooltip=tips)
    interval = base.transform_filter(IS_RANGE).mark_bar(color=colour["muted"], opacity=0.55, height={"band": 0.3})
    text = base.mark_text(align="left", dx=6, color=colour["ink"], fontSize=11.5, font=charts.FONT)
    layers = (
        bar,
        interval.encode(x=alt.X("low:Q", title=None, axis=_axis(unit)), x2="high:Q", tooltip=tips),
        text.encode(x="label_at:Q", text="value_text:N"),
    )
    return charts.finish(alt.layer(*layers), colour)


def _bars(measure: Measure, title: str, found: dict[str | None, list[Answer]], is_dark: bool) -> Panel:
    rows = [
        {
            "label": dimension_text(value),
            **_value(answer, measure),
            "of": halves(answer, measure),
        }
        for value, answers in found.items()
        for answer in answers
    ]
    spec = json.loads(_bars_template(measure.unit, is_dark))
    spec["height"] = max(BAR_HEIGHT * len(rows), 2 * BAR_HEIGHT)
    value_text = ", ".join(f"{row['label']} {row['value_text']}" for row in rows[:5])
    filled = _filled(spec, rows)
    return Panel(title, filled, filled, f"{measure.title}: {value_text}{' …' if len(rows) > 5 else ''}")


def _value(answer: Answer, measure: Measure) -> Row:
    """Return the value of an answer, or the bounds that replace it, and where its label stands."""
    low, high = range_of(answer) or (None, None)
    value = None if answer.value is None or low is not None else float(answer.value)
    label_at = value if value is not None else high if high is not None else 0.0
    text = cards.value(answer, measure)
    return {"value": value, "low": low, "high": high, "label_at": label_at, "value_text": text}


def _filled(spec: charts.Spec, rows: list[Row]) -> charts.Spec:
    return {**spec, "datasets": {"rows": rows}}


def legend(lines: Sequence[str], *, is_dark: bool) -> str:
    """Return the legend of all panels as markup."""
    signs = zip(lines, SERIES[is_dark], SHAPES.values(), strict=False)
    items = "".join(
        f'<span><i aria-hidden="true" style="color:{colour};font-style:normal">{sign}</i> '
        f"{formatting.html(name)}</span> "
        for name, colour, sign in signs
    )
    return f'<p class="bv bv-legend">{items}</p>'


def together(panels: Sequence[Panel]) -> charts.Spec:
    """Return all panels as one specification for a picture: two per row, each with its title."""
    if len(panels) == 1:
        return panels[0].pictured
    parts, datasets, ink = [], {}, panels[0].pictured["config"]["legend"]["labelColor"]
    for at, panel in enumerate(panels):
        text = json.dumps(
            {
                name: part
                for name, part in panel.pictured.items()
                if name not in ("config", "datasets", "$schema", "usermeta")
            }
        )
        part = json.loads(text.replace('"name": "rows"', f'"name": "rows{at}"'))
        title = {"text": panel.title, "anchor": "start", "font": charts.FONT, "fontSize": 13, "color": ink}
        parts.append({**part, "width": 360, "title": title})
        datasets[f"rows{at}"] = panel.pictured["datasets"]["rows"]
    whole = {name: panels[0].pictured[name] for name in ("$schema", "config")}
    return {
        **whole,
        "concat": parts,
        "columns": 2,
        "resolve": {"scale": dict.fromkeys(("color", "shape"), "independent")},
        "datasets": datasets,
    }
