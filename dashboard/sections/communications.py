"""The parts of the communications page: were late buyers told in time, what was told before, during and after, and the
four dimensions of service.
"""

import streamlit as st

from dashboard import queries
from dashboard.components import cards, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Bar
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, links, page
from dashboard.frame.filters import Filters
from dashboard.measure_page import headline as glance
from dashboard.measure_page import measure_table
from metrics.lists.communications import IN_TIME, notice_buckets
from metrics.measures.catalog import MEASURES
from metrics.model.question import Answer

NAME = "communications"
MAIN = "late_warned"
TILES = (MAIN, "ack_on_time", "post_reply_on_time", "info_accurate")
PHASES = {"pre": "Before", "during": "During", "post": "After"}
DIMENSIONS = {
    "Time": ("cycle_p50", "cycle_p90"),
    "Dependability: cycle time": ("beyond_promise", "on_time"),
    "Dependability: safe delivery": ("damage_free",),
    "Dependability: correct orders": ("filled_accurately", "billed_accurately"),
    "Communications": ("ack_on_time", "late_warned", "post_reply_on_time"),
    "Convenience": ("responsiveness", "special_met", "responsiveness_hours"),
}
"""The four dimensions of service and the measures that say how each stands. Source: design, product row 12."""


def headline(filters: Filters) -> None:
    """Draw the page in a few sentences, and its tiles."""
    answers = glance.answers_in_view(NAME, filters)
    if glance.nothing_to_show(answers, MAIN, filters, "late orders whose buyers could be told"):
        return
    sentences = [
        f"{glance.number(answers, MAIN)} of {glance.number(answers, MAIN, part='out_of')} late buyers were told before "
        "the deadline",
        f", half of those told {glance.number(answers, 'notice_hours')} ahead or more."
        if answers["notice_hours"].value is not None
        else ".",
    ]
    timely, right = (glance.number(answers, name) for name in ("info_timely", "info_accurate"))
    with theme.card("said"):
        glance.headline_card(
            MAIN,
            answers,
            filters,
            "".join(sentences),
            f"Of all messages {timely} were in time, of those sent {right} right.",
            glance.worst(NAME, MAIN, filters),
        )
    glance.tiles(filters, TILES, answers)


def notice(filters: Filters) -> None:
    """Draw how long before the deadline buyers of late orders were told."""
    st.header("Were late buyers told in time?", anchor=False)
    if glance.missing_feeds("messages"):
        return
    found = queries.cached(notice_buckets, page.generation(), glance.question_in_view(filters))
    total = sum(found.values())
    if not total:
        theme.show_html(cards.empty("No late order", "No order due in this period was late."))
        return
    bars = [
        Bar(
            name[:1].upper() + name[1:],
            orders,
            f"{formatting.integer(orders)} · {formatting.percent(orders / total, 0)}",
            tone=_tone(name),
        )
        for name, orders in found.items()
        if orders or name != "not known when"
    ]
    told = "Late orders by the notice given: " + "; ".join(f"{name} {orders}" for name, orders in found.items())
    chart_download.export_chart(
        chart_types.bar_chart(bars, is_dark=theme.is_dark()),
        key="notice_chart",
        alternative=told,
        title="Late orders by the notice given",
    )
    st.caption(f"{formatting.count(total, 'late order')}, by the first notice of delay.")


def _tone(band: str) -> str:
    return "good-strong" if band in IN_TIME else "muted" if band == "not known when" else "bad-strong"


def phases(filters: Filters) -> None:
    """Draw what was told before, during and after the transaction: in time, and right."""
    st.header("Before, during, after", anchor=False)
    if glance.missing_feeds("messages"):
        return
    shown = [MEASURES[name] for name in ("info_timely", "info_accurate")]
    found: dict[tuple[str, str], dict[str, Answer]] = {}
    for one in measure_table.answers_for(shown, filters, "phase", "message_kind"):
        if one.judged or one.denominator:
            found.setdefault((one.dimensions["phase"] or "", one.dimensions["message_kind"] or ""), {})[one.measure] = (
                one
            )
    if not found:
        theme.show_html(cards.empty("No messages", "Nothing was told, or to be told, in this period."))
        return
    order = list(PHASES)
    ranked = sorted(
        found.items(), key=lambda one: (order.index(one[0][0]) if one[0][0] in order else len(order), one[0][1])
    )
    rows = []
    for (phase, kind), answers in ranked:
        cells = [
            _linked(answers.get(measure.name), measure.name, (("phase", phase), ("message_kind", kind)))
            for measure in shown
        ]
        due = answers.get("info_timely")
        rows.append(
            [
                Cell(formatting.in_words(kind), small=PHASES.get(phase, phase)),
                Cell(formatting.number(due.judged if due else None)),
                *cells,
            ]
        )
    theme.show_html(
        tables.table(("Told", "Due", "In time", "Right"), rows, caption="Messages by phase and kind", numeric=(1, 2, 3))
    )


def _linked(answer: Answer | None, name: str, at: tuple[tuple[str, str], ...]) -> Cell:
    one = measure_table.cell(answer, MEASURES[name])
    return (
        Cell(markup=f'<a href="{formatting.html(links.drill_down_url(name, at=at))}" target="_self">{one.markup}</a>')
        if answer is not None
        else one
    )


def dimensions(filters: Filters) -> None:
    """Draw the four dimensions of service, each with the measures that say how it stands; a feed that lacks says so."""
    st.header("The four dimensions of service", anchor=False)
    names = tuple(name for shown in DIMENSIONS.values() for name in shown)
    answers = {one.measure: one for one in measure_table.answers_for([MEASURES[name] for name in names], filters)}
    rows = [
        [Cell(dimension), Cell(markup="".join(_line(name, answers[name]) for name in shown))]
        for dimension, shown in DIMENSIONS.items()
    ]
    theme.show_html(
        tables.table(("Dimension", "How it stands"), rows, caption="Time, dependability, communications, convenience")
    )
    st.caption(
        "Time and dependability have pages of their own; packages say what each segment was promised of all four."
    )


def _line(name: str, answer: Answer) -> str:
    """A measure with its value; where there is none, why."""
    said = (
        _linked(answer, name, ()).markup
        if answer.value is not None
        else f'<span class="bv-muted">{formatting.html(answer.no_data or formatting.DASH)}</span>'
    )
    return f"<div>{formatting.html(MEASURES[name].title)}: <strong>{said}</strong></div>"
