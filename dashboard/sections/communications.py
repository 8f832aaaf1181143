"""Sections of the communications page: notice of late orders, messages by phase, and the four dimensions of service."""

import streamlit as st

from dashboard import queries
from dashboard.components import cards, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Bar
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, links
from dashboard.measure_page.cells import value_cell
from dashboard.measure_page.headline import headline, missing_feeds, nothing_to_show, number, worst_segment
from dashboard.measure_page.tiles import tiles
from dashboard.measure_page.view import Answers, MeasureView, answers_by
from metrics.lists.communications import IN_TIME, notice_buckets
from metrics.measures.catalog import MEASURES
from metrics.model.question import Answer
from metrics.model.share import share

PHASES = {"pre": "Before", "during": "During", "post": "After"}
DIMENSIONS = {
    "Time": ("cycle_p50", "cycle_p90"),
    "Dependability: cycle time": ("beyond_promise", "on_time"),
    "Dependability: safe delivery": ("damage_free",),
    "Dependability: correct orders": ("filled_accurately", "billed_accurately"),
    "Communications": ("ack_on_time", "late_warned", "post_reply_on_time"),
    "Convenience": ("responsiveness", "special_met", "responsiveness_hours"),
}
"""The four dimensions of service and their measures."""


def communications_headline(view: MeasureView) -> None:
    """Draw the headline and the tiles."""
    answers = view.answers
    if nothing_to_show(view, view.main, "late orders with a notice due"):
        return
    warned, late = number(answers, view.main), number(answers, view.main, part="out_of")
    notice_hours = answers["notice_hours"].value
    ahead = (", median notice ", number(answers, "notice_hours")) if notice_hours is not None else ()
    buyers = formatting.agreeing(answers[view.main].denominator, "buyer was", "buyers were")
    timely, right = number(answers, "info_timely"), number(answers, "info_accurate")
    with theme.card("headline"):
        headline(
            view,
            (warned, " of ", late, f" late {buyers} warned before the deadline", *ahead, "."),
            (timely, " of all messages due were sent in time. ", right, " of the messages sent were correct."),
            worst_segment(view, view.main),
        )
    tiles(view)


def notice(view: MeasureView) -> None:
    """Draw late orders by the time between the first notice of delay and the deadline."""
    st.header("Warned before the due date", anchor=False)
    if missing_feeds("messages"):
        return
    found = queries.cached(notice_buckets, view.generation, view.question)
    total = sum(found.values())
    if not total:
        theme.show_html(cards.empty("No late order", "No order due in this period is known to be late."))
        return
    bars = [
        Bar(
            name[:1].upper() + name[1:],
            orders,
            f"{formatting.integer(orders)} · {formatting.share(share(orders, total), 0)}",
            tone=_tone(name),
        )
        for name, orders in found.items()
        if orders or name != "not known when"
    ]
    alternative = "Late orders by notice given: " + "; ".join(f"{name} {orders}" for name, orders in found.items())
    chart_download.export_chart(
        chart_types.bar_chart(bars, is_dark=theme.is_dark(), high=total),
        key="notice_chart",
        alternative=alternative,
        title="Late orders by notice given",
    )
    st.caption(f"{formatting.count(total, 'late order')}, by the first notice of delay.")


def _tone(band: str) -> str:
    return "good-strong" if band in IN_TIME else "muted" if band == "not known when" else "bad-strong"


def phases(view: MeasureView) -> None:
    """Draw messages before, during and after the transaction: sent in time, and correct."""
    st.header("Before, during, after", anchor=False)
    if missing_feeds("messages"):
        return
    shown = ("info_timely", "info_accurate")
    found: dict[tuple[str, str], Answers] = {}
    for answer in answers_by(view, shown, "phase", "message_kind"):
        if answer.judged or answer.denominator:
            place = answer.dimensions["phase"] or "", answer.dimensions["message_kind"] or ""
            found.setdefault(place, {})[answer.measure] = answer
    if not found:
        theme.show_html(cards.empty("No messages", "No message was sent or due in this period. Choose another period."))
        return
    order = list(PHASES)
    ranked = sorted(
        found.items(), key=lambda one: (order.index(one[0][0]) if one[0][0] in order else len(order), one[0][1])
    )
    rows = []
    for (phase, kind), answers in ranked:
        cells = [
            _linked(answers.get(measure), measure, (("phase", phase), ("message_kind", kind))) for measure in shown
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
        tables.table(
            ("Message", "Due", "In time", "Correct"), rows, caption="Messages by phase and kind", numeric=(1, 2, 3)
        )
    )


def _linked(answer: Answer | None, name: str, at: tuple[tuple[str, str], ...]) -> Cell:
    one = value_cell(answer, MEASURES[name])
    return (
        Cell(markup=f'<a href="{formatting.html(links.drill_down_url(name, at=at))}" target="_self">{one.markup}</a>')
        if answer is not None
        else one
    )


def dimensions(view: MeasureView) -> None:
    """Draw the four dimensions of service with their measures; a measure without data shows the missing feed."""
    st.header("The four dimensions of service", anchor=False)
    names = tuple(name for shown in DIMENSIONS.values() for name in shown)
    answers = {answer.measure: answer for answer in answers_by(view, names)}
    rows = [
        [Cell(dimension), Cell(markup="".join(_line(name, answers[name]) for name in shown))]
        for dimension, shown in DIMENSIONS.items()
    ]
    theme.show_html(
        tables.table(("Dimension", "Measures"), rows, caption="Time, dependability, communications, convenience")
    )
    st.caption(
        "Time and dependability also have their own pages. Packages define the promise of each segment for all four."
    )


def _line(name: str, answer: Answer) -> str:
    """Return a measure with its value, or with the reason if it has none."""
    value_text = (
        f"<strong>{_linked(answer, name, ()).markup}</strong>"
        if answer.value is not None
        else f'<span class="bv-muted">{formatting.html(cards.why_missing(answer).removeprefix("no data: "))}</span>'
    )
    return f"<div>{formatting.html(MEASURES[name].title)}: {value_text}</div>"
