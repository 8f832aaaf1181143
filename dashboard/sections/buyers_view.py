"""Sections of the buyer's view: the five tests, the tests that fail together, and their trend."""

import streamlit as st

from dashboard import queries
from dashboard.components import cards, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Bar
from dashboard.components.status import Status
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, menu
from dashboard.measure_page.headline import headline, nothing_to_show, number, worst_segment
from dashboard.measure_page.trend import load_trend, trend_section, with_trend
from dashboard.measure_page.view import MeasureView
from metrics.lists.buyers_view import failure_combinations
from metrics.lists.rows import VERDICTS
from metrics.measures.catalog import MEASURES
from metrics.model.point import INCONCLUSIVE, range_of
from metrics.model.share import share

COMBINATIONS_SHOWN = 7
TONES = {Status.ON: "good-strong", Status.WATCH: "watch-strong", Status.OFF: "bad-strong"}


def buyers_view_headline(view: MeasureView) -> bool:
    """Draw the headline: perfect orders and the most frequent failure. Return False if there is nothing to show."""
    answers = view.answers
    if all(answers[name].value is None and not answers[name].judged for name in VERDICTS) and nothing_to_show(
        view, "otif", "judged orders"
    ):
        return False
    main = next((name for name in (view.main, "otif", *VERDICTS) if cards.is_told(answers[name])), view.main)
    known = [(float(answers[name].value or 0), name) for name in VERDICTS if answers[name].value is not None]
    least, worst = min(known, default=(1.0, ""))
    with theme.card("headline"):
        headline(
            view,
            (number(answers, main), f" {MEASURES[main].title.lower()}."),
            (
                f"Most frequent failure: {cards.title(MEASURES[worst]).lower()} (",
                number(answers, worst),
                " pass).",
            )
            if least < 1
            else (),
            worst_segment(view, main),
            measure=main,
        )
    return True


def five_tests(view: MeasureView) -> None:
    """Draw the five tests as bars, each against its target, with the range of incomplete shares."""
    answers = view.answers
    st.header("The five tests and the perfect order", anchor=False)
    bars, texts, ranges = [], [], list[str]()
    partly: list[tuple[float, str]] = []
    for name in (*VERDICTS, view.main):
        answer, measure = answers[name], MEASURES[name]
        if answer.value is None:
            if range_of(answer) is not None:
                ranges.append(f"{cards.title(measure)}: {cards.value(answer, measure)}, {INCONCLUSIVE}.")
            continue
        stands = cards.status_of(answer, measure, view.target(name))
        value_text = f"{stands.shape} {cards.value(answer, measure)}".strip()
        if (
            answer.coverage is not None
            and float(answer.coverage) < 1
            and answer.worst is not None
            and answer.best is not None
        ):
            value_text += (
                f" ({formatting.integer(float(answer.worst) * 100, 1)}–{formatting.percent(float(answer.best))})"
            )
            partly.append((float(answer.coverage), cards.title(measure).lower()))
        bars.append(Bar(cards.title(measure), float(answer.value), value_text, tone=TONES.get(stands, "accent")))
        texts.append(f"{cards.title(measure)} {value_text}, {stands.word}")
    if not bars:
        if ranges:
            theme.show_html(cards.empty("Not enough evidence for one number", formatting.html(" ".join(ranges))))
        else:
            theme.show_html(
                cards.empty("No judged orders in this period", "Choose another period, or remove a filter.")
            )
        return
    chart_download.export_chart(
        chart_types.bar_chart(bars, is_dark=theme.is_dark(), high=1),
        key="tests_chart",
        alternative="; ".join(texts),
        title="The five tests",
    )
    note = "● on target, ◆ watch, ▲ off target."
    if partly:
        coverage, title = min(partly)
        note += (
            f" In brackets: the possible range, because evidence is missing. Lowest coverage: {title}, "
            f"{formatting.percent(coverage)}."
        )
    st.caption(" ".join((note, *ranges)))


def failing_together(view: MeasureView) -> None:
    """Draw the combinations of failed tests. Each order counts once, so that the rows add up to the failed orders."""
    found = queries.cached(failure_combinations, view.generation, view.question)
    st.header("Which tests fail together", anchor=False)
    if not found:
        theme.show_html(cards.empty("No known failure", "No judged order in view is known to have failed a test."))
        return
    whole = sum(orders for _, orders in found)
    rows = [
        [
            Cell(
                " + ".join(cards.title(MEASURES[name]) for name in names),
                small="alone" if len(names) == 1 else "together",
            ),
            Cell(formatting.integer(orders)),
            Cell(formatting.share(share(orders, whole))),
        ]
        for names, orders in found[:COMBINATIONS_SHOWN]
    ]
    rest = sum(orders for _, orders in found[COMBINATIONS_SHOWN:])
    if rest:
        rows.append(
            [
                Cell(formatting.count(len(found) - COMBINATIONS_SHOWN, "other combination")),
                Cell(formatting.integer(rest)),
                Cell(formatting.share(share(rest, whole))),
            ]
        )
    rows.append([Cell("All failed orders"), Cell(formatting.integer(whole)), Cell("100.0%")])
    theme.show_html(
        tables.table(
            ("Tests failed", "Orders", "Of failed"),
            rows,
            caption="Tests that failed together",
            numeric=(1, 2),
            total=True,
        )
    )
    menu.link("failed-orders", "Open the failed orders", query={"show": "all"})


def perfect_order_trend(view: MeasureView) -> None:
    """Draw the perfect order, or one of the five tests, over the periods in view."""
    shown = (view.main, *VERDICTS)
    offered = with_trend(shown, view.answers)
    if offered:
        with theme.card("trend"):
            names = {name: cards.title(MEASURES[name]) for name in shown}
            trend_section(load_trend(view, shown), offered, names)
