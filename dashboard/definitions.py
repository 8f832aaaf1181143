"""The parts of the definitions page: every measure of the catalogue in words."""

import streamlit as st

from dashboard import format as fmt
from metrics.catalog import MEASURES, PRODUCT_ROWS
from metrics.measure import Measure

DATES = {
    "due_day": "the day the order was due",
    "ordered_day": "the day of the order",
    "arrived_day": "the day the order arrived",
    "settled_day": "the day the line was settled",
}
"""What the date of orders and lines is called; a ledger's date has its column's comment."""


def search() -> list[Measure]:
    """Draw the search field; the measures whose name, title or text has all the words typed."""
    typed = st.text_input(
        "Search", key="q", placeholder="Search measures: otif, fill, cycle …", bind="query-params", width=360, label_visibility="collapsed"
    )
    wanted = (typed or "").casefold().split()
    return [measure for measure in MEASURES.values() if all(word in _words(measure) for word in wanted)]


def _words(measure: Measure) -> str:
    return " ".join(
        (measure.name, measure.title, measure.short, measure.definition, measure.numerator, measure.denominator, measure.source)
    ).casefold()


def listing(measures: list[Measure], feeds: set[str]) -> str:
    """Measures one below the other; those whose feeds nobody maps say so."""
    return "".join(_measure(measure, feeds) for measure in measures)


def _date(measure: Measure) -> str:
    return DATES.get(measure.date) or measure.facts.c[measure.date].comment or fmt.words(measure.date).lower()


def _measure(measure: Measure, feeds: set[str]) -> str:
    lacking = [feed for feed in measure.feeds if feed not in feeds]
    brought = ", ".join(measure.feeds) + (f" (no feed: {', '.join(lacking)})" if lacking else "")
    rows = [
        ("Counted", measure.numerator),
        ("Out of", measure.denominator),
        ("Left out", measure.exclusions),
        ("Dated by", _date(measure)),
        ("Grain", f"one {'order line' if measure.grain == 'line' else measure.grain}"),
        ("Unit", f"{measure.unit}; {measure.direction}" if measure.direction != "neither" else str(measure.unit)),
        ("Feeds", brought),
        ("Serves", "; ".join(f"{row} {PRODUCT_ROWS[row]}" for row in measure.product_rows)),
        ("Source", measure.source),
        ("Version", "" if measure.version == 1 else f"{measure.version} (see the changelog)"),
    ]
    described = "".join(f"<dt>{name}</dt><dd>{fmt.html(text)}</dd>" for name, text in rows if text and text != "–")
    return (
        f'<article class="bv bv-def" id="{measure.name}" style="padding:.9rem 0;border-bottom:1px solid var(--bv-line)">'
        f"<h2>{fmt.html(measure.title)} <code>{measure.name}</code></h2><p>{fmt.html(measure.definition)}</p><dl>{described}</dl></article>"
    )
