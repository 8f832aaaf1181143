"""The parts of the stockouts page: how often we had none, what the buyer did then, and what it cost as observed and as
assumed.
"""

from decimal import Decimal

import streamlit as st

from dashboard.components import cards, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Bar
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, links
from dashboard.frame.filters import Filters
from dashboard.measure_page import headline, measure_table
from dashboard.measure_page.measure_table import Answers
from metrics.facts.stockout_events import OPEN, OUTCOMES
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Unit

NAME = "stockouts"
MAIN = "stockout_rate"
TILES = (MAIN, "stockout_events", "stockout_unit_cost", "stockout_total_cost")
SAID = {
    "waited": "The buyer waited",
    "back_ordered": "It came as a back-order",
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


def outcomes(filters: Filters) -> None:
    """Draw the page's answer: the sentence, the tiles, what buyers did and what it cost."""
    answers = headline.answers_in_view(NAME, filters)
    if not answers["stockout_events"].value and headline.nothing_to_show(answers, MAIN, filters, "stockouts"):
        return
    with theme.card("said"):
        _said(answers, filters)
    if not answers["stockout_events"].value:
        return
    headline.tiles(filters, TILES, answers)
    counts: Counts = {}
    for one in measure_table.answers_for([MEASURES[name] for name in COUNTS], filters, "outcome"):
        counts.setdefault(one.dimensions["outcome"] or "", {})[one.measure] = one
    left, right = st.columns(2, gap="small")
    with left, theme.card("outcomes", height="stretch"):
        _outcomes(answers, counts)
    with right, theme.card("costs", height="stretch"):
        _costs(answers, counts)


def _said(answers: Answers, filters: Filters) -> None:
    """The page in a few sentences."""
    events = answers["stockout_events"].value
    if not events:
        headline.headline_card(
            MAIN,
            answers,
            filters,
            "Every line due in this period left whole by its first promise, of those where that is known.",
        )
        return
    noun = "stockout" if events == 1 else "stockouts"
    sentences = [f"{headline.number(answers, 'stockout_events')} {noun}"]
    sentences[0] += f", {headline.number(answers, MAIN)} of the lines due." if answers[MAIN].value is not None else "."
    if answers["stockout_unit_cost"].value is not None:
        each, assumed, whole = (
            headline.number(answers, f"stockout_{name}") for name in ("unit_cost", "unit_cost_assumed", "total_cost")
        )
        sentences.append(f"Each costs {each} as observed ({assumed} as assumed), all of them {whole}.")
    headline.headline_card(MAIN, answers, filters, *sentences, headline.worst(NAME, MAIN, filters))


def _outcomes(answers: Answers, counts: Counts) -> None:
    """What buyers did: how often, and the measure's own share, which is of the stockouts that are settled."""
    st.header("What happened to the buyer", anchor=False)
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
    told = "; ".join(f"{one.name} {one.said}" for one in bars)
    chart_download.export_chart(
        chart_types.bar_chart(bars, is_dark=theme.is_dark()),
        key="outcomes_chart",
        alternative=told,
        title="What happened to the buyer each time",
    )
    told_of = (
        f"Shares are of the {formatting.number(settled)} that are settled."
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
    if told_of:
        st.caption(told_of.strip())


def _costs(answers: Answers, counts: Counts) -> None:
    """What each outcome cost, and what a stockout costs as observed beside as assumed."""
    st.header("What it cost", anchor=False)
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
    heads = ("Outcome", "Stockouts", "Provisional", "Cost each", "Cost of all known")
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
            ("Expected cost", "As observed", "As assumed"),
            expected,
            caption="Expected cost, observed and assumed",
            numeric=(1, 2),
        )
    )
    st.caption(
        "Assumed: the shares and costs under “Numbers assumed” below; what comes preset there is an illustration, not "
        "your business."
    )


def _linked(answers: Answers, measure: str, outcome: str) -> Cell:
    """A count of one outcome as a link to its stockouts; none is 0, since each outcome is looked for."""
    value = answers[measure].value if measure in answers else 0
    if not value:
        return Cell("0")
    return Cell(
        markup=f'<a href="{formatting.html(links.drill_down_url(measure, by="outcome", value=outcome))}" '
        f'target="_self">{formatting.number(value)}</a>'
    )


def _figure(answers: Answers, measure: str) -> Cell:
    """A sum of money exactly, as a link to what it is made of; a dash says on hover why there is none."""
    answer = answers[measure]
    if answer.value is None:
        return measure_table.cell(answer, MEASURES[measure])
    href = formatting.html(links.drill_down_url(measure))
    return Cell(markup=f'<a href="{href}" target="_self">{formatting.money(Decimal(str(answer.value)))}</a>')
