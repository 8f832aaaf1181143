"""Sections of the stockouts page: number of stockouts, outcomes for the buyer, observed and assumed cost."""

import streamlit as st

from dashboard.components import cards, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Bar
from dashboard.components.sentences import Sentence
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, links
from dashboard.measure_page.cells import value_cell
from dashboard.measure_page.headline import headline, nothing_to_show, number, worst_segment
from dashboard.measure_page.tiles import tiles
from dashboard.measure_page.view import Answers, MeasureView, answers_by, by_value
from metrics.facts.stockout_events import OPEN, OUTCOMES
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Unit

SAID = {
    "waited": "The buyer waited",
    "back_ordered": "Delivered as a back-order",
    "sale_lost": "The sale was lost",
    "buyer_lost": "The buyer was lost",
    OPEN: "Still open",
}
TONES = {
    "waited": "accent",
    "back_ordered": "watch-strong",
    "sale_lost": "bad-strong",
    "buyer_lost": "bad-strong",
    OPEN: "muted",
}
COUNTS = ("stockout_events", "stockouts_provisional")

Counts = dict[str, Answers]
"""Stockouts, and the provisional ones of them, by outcome."""


def stockouts_headline(view: MeasureView) -> bool:
    """Draw the headline and the tiles; return False if there is no stockout."""
    answers = view.answers
    events = answers["stockout_events"].value
    if not events and nothing_to_show(view, view.main, "stockouts"):
        return False
    with theme.card("headline"):
        if not events:
            headline(
                view, ("Every line due in this period with evidence was shipped in full by its first promised date.",)
            )
            return False
        headline(view, _events(view), _cost(view), worst_segment(view, view.main))
    tiles(view)
    return True


def _events(view: MeasureView) -> Sentence:
    answers = view.answers
    noun = formatting.agreeing(answers["stockout_events"].value, "stockout", "stockouts")
    has_rate = answers[view.main].value is not None
    rate = (", ", number(answers, view.main), " of the lines due.") if has_rate else (".",)
    return number(answers, "stockout_events"), f" {noun}", *rate


def _cost(view: MeasureView) -> Sentence:
    if part := cards.known_part(view.answers["stockout_total_cost"], MEASURES["stockout_total_cost"]):
        return (f"Known cost {part[0]} ({part[1]}).",)
    if view.answers["stockout_unit_cost"].value is None:
        return ()
    observed, assumed, total = (
        number(view.answers, f"stockout_{name}") for name in ("unit_cost", "unit_cost_assumed", "total_cost")
    )
    return "Average cost ", observed, " observed (", assumed, " assumed); total ", total, "."


def by_outcome(view: MeasureView) -> Counts:
    """Return the stockouts and the provisional stockouts by outcome."""
    return by_value(answers_by(view, COUNTS, "outcome"), "outcome")


def outcomes(answers: Answers, counts: Counts) -> None:
    """Draw stockouts by outcome. Shares are of settled stockouts."""
    st.header("Outcome for the buyer", anchor=False)
    events = {
        outcome: int(counts[outcome]["stockout_events"].value or 0) if outcome in counts else 0 for outcome in SAID
    }
    bars, settled = [], None
    for outcome, words in SAID.items():
        share = answers.get(f"outcome_share_{outcome}")
        of_settled = ""
        if share is not None and share.value is not None:
            settled, of_settled = share.denominator, f" · {cards.value(share, MEASURES[share.measure])}"
        bars.append(
            Bar(words, events[outcome], f"{formatting.integer(events[outcome])}{of_settled}", tone=TONES[outcome])
        )
    alternative = "; ".join(f"{bar.name} {bar.label}" for bar in bars)
    chart_download.export_chart(
        chart_types.bar_chart(bars, is_dark=theme.is_dark()),
        key="outcomes_chart",
        alternative=alternative,
        title="Stockouts by outcome",
    )
    told_of = (
        f"Shares are of the {formatting.number(settled)} settled stockouts."
        if settled is not None and events[OPEN]
        else ""
    )
    provisional = sum(
        int(counts[outcome]["stockouts_provisional"].value or 0) for outcome in OUTCOMES if outcome in counts
    )
    if provisional:
        told_of += (
            f" {formatting.integer(provisional)} provisional: the buyer has not ordered again yet and may still "
            "turn out lost."
        )
    contradicted = answers.get("stockouts_contradicted")
    if contradicted is not None and contradicted.value:
        told_of += (
            f" {formatting.number(contradicted.value)} recorded as lost buyers are not counted as such, because the "
            "buyer has ordered since."
        )
    if told_of:
        st.caption(told_of.strip())


def costs(answers: Answers, counts: Counts) -> None:
    """Draw the cost of each outcome, and the expected cost of a stockout, observed and assumed."""
    st.header("Cost", anchor=False)
    rows: list[list[Cell | str]] = []
    for outcome in OUTCOMES:
        cost = answers[f"stockout_cost_{outcome}"]
        rows.append(
            [
                Cell(SAID[outcome]),
                _linked(counts.get(outcome, {}), "stockout_events", outcome),
                _linked(counts.get(outcome, {}), "stockouts_provisional", outcome),
                _figure(answers, cost.measure),
                Cell(formatting.number(cost.numerator, Unit.MONEY) if cost.denominator else formatting.DASH),
            ]
        )
    heads = ("Outcome", "Stockouts", "Provisional", "Cost each", "Total known cost")
    theme.show_html(
        tables.table(heads, rows, caption="Stockouts and their cost by outcome", numeric=range(1, len(heads)))
    )
    expected: list[list[Cell | str]] = [
        [Cell("One stockout"), _figure(answers, "stockout_unit_cost"), _figure(answers, "stockout_unit_cost_assumed")],
        [
            Cell("All stockouts"),
            _figure(answers, "stockout_total_cost"),
            _figure(answers, "stockout_total_cost_assumed"),
        ],
    ]
    theme.show_html(
        tables.table(
            ("Expected cost", "Observed", "Assumed"),
            expected,
            caption="Expected cost, observed and assumed",
            numeric=(1, 2),
        )
    )
    st.caption("Assumed: the shares and costs under “Assumptions” below. Preset values are illustrative.")


def _linked(answers: Answers, measure: str, outcome: str) -> Cell:
    """Return the count of an outcome with a link to its stockouts; 0 without a link."""
    value = answers[measure].value if measure in answers else 0
    if not value:
        return Cell("0")
    return Cell(
        markup=f'<a href="{formatting.html(links.drill_down_url(measure, by="outcome", value=outcome))}" '
        f'target="_self">{formatting.number(value)}</a>'
    )


def _figure(answers: Answers, measure: str) -> Cell:
    """Return an amount with a link to its rows; a known part or a dash shows the reason on hover."""
    answer = answers[measure]
    if answer.value is None:
        return value_cell(answer, MEASURES[measure])
    href = formatting.html(links.drill_down_url(measure))
    return Cell(markup=f'<a href="{href}" target="_self">{formatting.number(answer.value, Unit.MONEY)}</a>')
