"""Section of the cycle-time page: padding of promises against the share of promises kept, by a dimension."""

import json
from functools import lru_cache
from typing import Any

import altair as alt
import streamlit as st

from dashboard.components import cards, charts, formatting, tables, theme
from dashboard.components.reasons import in_plain_words
from dashboard.components.tables import Cell
from dashboard.components.theme import palette
from dashboard.frame import chart_download, links, page, quality_marks
from dashboard.frame.filters import MORE
from dashboard.measure_page.cells import linked, value_cell
from dashboard.measure_page.view import Answers, MeasureView, answers_by
from metrics.lists.rows import Row
from metrics.measures.catalog import MEASURES
from metrics.model.point import range_of
from metrics.policy import MIN_N

SLACK, KEPT = "promise_padding", "on_time"
HEADS = {SLACK: "Padding", "promise_lead": "Promised in", KEPT: "Kept"}
DIMENSIONS = {"segment": "Segment", **{name: label for name, (label, _) in MORE.items() if name != "currency"}}
ROWS_SHOWN = 12
HEIGHT = 270


def padding_against_kept(view: MeasureView) -> None:
    """Draw padding against promises kept as a chart and a table, by the chosen dimension."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.header("Padding against promises kept", anchor=False, width="content")
        by = page.select("Promises by", tuple(DIMENSIONS), DIMENSIONS, key="promises_by", hidden=True)
    measures = tuple(HEADS)
    whole = view.answers
    for name in (SLACK, KEPT):
        if whole[name].value is None and not range_of(whole[name]):
            theme.show_html(
                cards.empty(
                    f"No {(MEASURES[name].short or name).lower()}",
                    formatting.html(in_plain_words(whole[name].no_data or "Nothing in this period.")),
                )
            )
            return
    parts: dict[str, Answers] = {}
    for answer in answers_by(view, measures, by):
        parts.setdefault(answer.dimensions[by] or "", {})[answer.measure] = answer
    known = [
        (name, answers)
        for name, answers in parts.items()
        if _number(answers, SLACK) is not None and answers[KEPT].judged
    ]
    ranked = sorted(known, key=lambda one: (_few(one[1]), _number(one[1], KEPT) or 0, one[0]))
    left, right = st.columns(2, gap="small")
    with left:
        _chart(ranked, whole, by)
    with right:
        _table(ranked, by, view)


def _number(answers: Answers, name: str) -> float | None:
    answer = answers.get(name)
    return None if answer is None or answer.value is None else float(answer.value)


def _few(answers: Answers) -> bool:
    return float(answers[KEPT].denominator or 0) < MIN_N


@lru_cache(maxsize=2)
def _template(is_dark: bool) -> str:
    colour = palette(is_dark)
    low, high = alt.param(name="low", value=0), alt.param(name="high", value=1)
    scale = alt.Scale(domain=[alt.ExprRef("low"), alt.ExprRef("high")], nice=False, zero=False, clamp=True)
    x = alt.X(
        "padding:Q",
        title="Days promised beyond the day asked for",
        scale=alt.Scale(zero=True, padding=18),
        axis=alt.Axis(tickCount=6),
    )
    y = alt.Y("kept:Q", title="Promises kept", scale=scale, axis=alt.Axis(format=".1~%", tickCount=5))
    tips = [
        alt.Tooltip("name:N", title=" "),
        alt.Tooltip("said_padding:N", title="Padding"),
        alt.Tooltip("said_kept:N", title="Kept"),
        alt.Tooltip("of:Q", title="Judged", format=",.0f"),
    ]
    whole, parts, ranges = (alt.Chart(alt.NamedData(name=name)) for name in ("whole", "parts", "ranges"))
    dashed: dict[str, Any] = {"aria": False, "strokeDash": [5, 4], "color": colour["muted"]}
    bounds = ranges.mark_rule(color=colour["muted"], strokeWidth=5, strokeCap="round", opacity=0.55)
    layers = [
        whole.mark_rule(**dashed).encode(x=x),
        whole.mark_rule(**dashed).encode(y=y),
        bounds.encode(x=x, y=alt.Y("lowest:Q", scale=scale), y2="highest:Q", tooltip=tips),
        parts.mark_point(filled=True, size=340, opacity=1, color=colour["accent"], stroke=colour["card"]).encode(
            x=x, y=y, tooltip=tips
        ),
        parts.mark_text(fontSize=11, fontWeight=600, color=colour["on-accent"]).encode(x=x, y=y, text="number:N"),
    ]
    return charts.finish(alt.layer(*layers).add_params(low, high), colour)


def _point(at: int, name: str, answers: Answers) -> Row:
    kept = answers[KEPT]
    lowest, highest = range_of(kept) or (None, None)
    return {
        "number": at,
        "name": name or "(none)",
        "padding": _number(answers, SLACK),
        "kept": _number(answers, KEPT),
        "lowest": lowest,
        "highest": highest,
        "of": float(kept.judged or 0),
        "said_padding": formatting.number(answers[SLACK].value, MEASURES[SLACK].unit),
        "said_kept": cards.value(kept, MEASURES[KEPT]),
    }


def _chart(ranked: list[tuple[str, Answers]], whole: Answers, by: str) -> None:
    """Draw each value with enough judged orders as a point; its number is its row in the table."""
    points = [_point(at, name, answers) for at, (name, answers) in enumerate(ranked, start=1) if not _few(answers)]
    if not points:
        theme.show_html(
            cards.empty(
                "Too few orders to compare",
                f"No value has {MIN_N} judged orders with evidence. Choose a longer period.",
            )
        )
        return
    known = [point for point in points if point["kept"] is not None]
    ranges = [point for point in points if point["lowest"] is not None]
    centre = {"padding": _number(whole, SLACK), "kept": _number(whole, KEPT)}
    reach = [point["kept"] for point in [*known, centre] if point["kept"] is not None]
    reach += [point[end] for point in ranges for end in ("lowest", "highest")]
    pad = (max(reach) - min(reach)) * 0.2 or 0.05
    spec: charts.Spec = json.loads(_template(theme.is_dark()))
    spec["height"] = HEIGHT
    spec["datasets"] = {"parts": known, "ranges": ranges, "whole": [centre] if centre["kept"] is not None else []}
    values = {"low": max(min(reach) - pad, -0.05), "high": min(max(reach) + pad, 1.05)}
    for parameter in spec["params"]:
        parameter["value"] = values.get(parameter["name"], parameter.get("value"))
    alternative = f"Padding against promises kept by {DIMENSIONS[by].lower()}: " + "; ".join(
        f"{point['name']} {point['said_padding']}, {point['said_kept']} kept" for point in points[:ROWS_SHOWN]
    )
    chart_download.export_chart(
        spec,
        key="padding_chart",
        alternative=alternative,
        title=f"Padding against promises kept, by {DIMENSIONS[by].lower()}",
    )
    notes = ["Dashed lines: all in view. Worst is bottom right: long padding, and still many missed promises."]
    if few := len(ranked) - len(points):
        notes.append(f"Not drawn: {formatting.integer(few)} with fewer than {MIN_N} judged orders.")
    if ranges:
        notes.append("Vertical bars: ranges, because too much evidence is missing for one number.")
    st.caption(" ".join(notes))


def _table(ranked: list[tuple[str, Answers]], by: str, view: MeasureView) -> None:
    targets = view.targets
    rows = [
        [
            Cell(f"{at}. {name or '(none)'}"),
            *(
                linked(
                    value_cell(
                        answers.get(measure),
                        MEASURES[measure],
                        quality_marks.target_in_view(targets, measure, ((by, (name,)),)),
                    ),
                    links.drill_down_url(measure, by=by, value=name),
                )
                for measure in HEADS
            ),
        ]
        for at, (name, answers) in enumerate(ranked[:ROWS_SHOWN], start=1)
    ]
    heads = (DIMENSIONS[by], *HEADS.values())
    theme.show_html(
        tables.table(
            heads,
            rows,
            caption="Promises by padding, lead time and how often kept, the least kept first",
            numeric=(1, 2, 3),
        )
    )
    rest = f" The {ROWS_SHOWN} least kept of {formatting.integer(len(ranked))}." if len(ranked) > ROWS_SHOWN else ""
    st.caption(f"Padding uses the day ordered, promises kept the day due.{rest}")
