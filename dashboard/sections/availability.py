"""Sections of the availability page: the buyer's three questions, fill rates, and the products most often short."""

import streamlit as st

from dashboard import queries
from dashboard.components import cards, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Bar
from dashboard.components.reasons import in_plain_words
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, list_file, page
from dashboard.measure_page.headline import headline, nothing_to_show, number, worst_segment
from dashboard.measure_page.view import Answers, MeasureView
from metrics.lists.availability import most_often_short
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Unit
from metrics.model.point import INCONCLUSIVE, range_of

QUESTIONS = ("got_what_wanted", "on_time_requested", "complete", "available_as_wanted")
FILLS = {
    "Orders": ("order_fill_first_pass", "complete"),
    "Order lines": ("line_fill_first_pass", "line_fill_final"),
    "Units": ("unit_fill_first_pass", "unit_fill_final"),
    "Value": ("value_fill_first_pass", "value_fill_final"),
}
"""First-pass and final fill rate, by name."""
SIZE = 10


def availability_headline(view: MeasureView) -> bool:
    """Draw the headline; return False if there is nothing to show."""
    answers = view.answers
    main = view.main if cards.is_told(answers[view.main]) else "complete"
    if answers[main].value is None and nothing_to_show(view, main, "orders judged"):
        return False
    share = number(answers, main)
    first, final = (number(answers, name) for name in FILLS["Orders"])
    has_first = answers["order_fill_first_pass"].value is not None
    met = " of orders met item, date and quantity requested."
    with theme.card("headline"):
        headline(
            view,
            (share, met if main == view.main else " of orders were received complete."),
            ("First-pass fill ", first, ", final ", final, ".") if has_first else (),
            worst_segment(view, main),
            measure=main,
        )
    return True


def questions(view: MeasureView) -> None:
    """Draw the three questions, and the share of orders that meet all of them."""
    answers = view.answers
    st.header("Did I get what I wanted?", anchor=False)
    bars = [
        Bar(
            MEASURES[name].title,
            float(answers[name].value or 0),
            _said(answers, name),
            short=MEASURES[name].short,
        )
        for name in QUESTIONS
        if answers[name].value is not None
    ]
    ranges = [
        f"{cards.title(MEASURES[name])}: {cards.value(answers[name], MEASURES[name])}, {INCONCLUSIVE}."
        for name in QUESTIONS
        if range_of(answers[name])
    ]
    if not bars:
        theme.show_html(
            cards.empty(
                "Not enough data for the three questions",
                formatting.html(in_plain_words(answers[view.main].no_data or "No order is judged in this period.")),
            )
        )
        return
    alternative = "; ".join(f"{bar.name} {bar.label}" for bar in bars)
    chart_download.export_chart(
        chart_types.bar_chart(bars, is_dark=theme.is_dark(), high=1),
        key="questions_chart",
        alternative=alternative,
        title="What, when, how much",
    )
    if ranges:
        st.caption(" ".join(ranges))


def _said(answers: Answers, name: str) -> str:
    answer = answers[name]
    return (
        f"{cards.value(answer, MEASURES[name])} · {formatting.number(answer.numerator)} of "
        f"{formatting.number(answer.denominator)}"
    )


def fills(view: MeasureView) -> None:
    """Draw first-pass and final fill rates."""
    answers = view.answers
    st.header("First-pass and final fill", anchor=False)
    bars = []
    for name, (at_first, in_the_end) in FILLS.items():
        first, final = answers[at_first], answers[in_the_end]
        if final.value is None:
            continue
        value_text = cards.value(final, MEASURES[in_the_end])
        if first.value is not None:
            value_text = f"{cards.value(first, MEASURES[at_first])} → {value_text}"
        bars.append(Bar(name, float(first.value if first.value is not None else final.value), value_text))
    if not bars:
        theme.show_html(
            cards.empty(
                "No fill rate",
                formatting.html(in_plain_words(answers["complete"].no_data or "No order is judged in this period.")),
            )
        )
        return
    alternative = "First-pass and final fill rates: " + "; ".join(f"{bar.name} {bar.label}" for bar in bars)
    chart_download.export_chart(
        chart_types.bar_chart(bars, is_dark=theme.is_dark(), high=1),
        key="fills_chart",
        alternative=alternative,
        title="Fill rates",
    )
    st.caption(
        "Bar: first-pass fill, if shipping dates are known. Figures: first pass (shipped) → final (received). Goods "
        "lost on the way make the final figure lower."
    )


def products(view: MeasureView) -> None:
    """Draw the products with the largest missing value."""
    st.header("Products most often short", anchor=False)
    at = int(st.session_state.get("short_page", 1))
    found = queries.cached(most_often_short, view.generation, view.question, page=at, size=SIZE)
    if not found.total:
        theme.show_html(
            cards.empty(
                "Nothing was missing", "Every goods line due in this period with evidence was received in full."
            )
        )
        return
    rows = [
        [
            Cell(row["name"] or row["product_id"], small=row["product_id"] if row["name"] else ""),
            Cell(
                formatting.number(row["missing_amount"], Unit.MONEY)
                if row["missing_amount"] is not None
                else formatting.DASH
            ),
            Cell(formatting.number(row["missing_qty"], Unit.UNITS), small=row["base_unit"] or "several units"),
            Cell(f"{formatting.integer(row['short_lines'])} of {formatting.integer(row['lines'])}"),
        ]
        for row in found.rows
    ]
    theme.show_html(
        tables.table(
            ("Product", "Value missing", "Quantity missing", "Lines short"),
            rows,
            caption="Products most often short",
            numeric=(1, 2, 3),
            is_page=found.total > len(rows),
        )
    )
    page.pager(
        found.total,
        SIZE,
        key="short_page",
        rows=lambda: queries.read(most_often_short, view.generation, view.question, size=list_file.FILE_ROWS).rows,
    )
