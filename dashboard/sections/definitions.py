"""The parts of the definitions page: every measure of the catalogue in words, by the page that shows it, each with an
address of its own.
"""

import streamlit as st

from dashboard.components import formatting
from dashboard.frame import links, menu
from dashboard.measure_page.view import measures_of
from metrics.measures.catalog import MEASURES, PRODUCT_ROWS
from metrics.model.measure import Derived, Measure

DATES = {
    "due_day": "the day the order was due",
    "ordered_day": "the day of the order",
    "arrived_day": "the day the order arrived",
    "settled_day": "the day the line was settled",
}
"""What the date of orders and lines is called; a ledger's date has its column's comment."""
OPEN_MOST = 3
"""So few found stand open at once."""
VOLUMES = ("", "Volumes")
"""Where measures stand that have no page of their own: what others are counted in."""


def asked() -> Measure | None:
    """The measure that the address names."""
    return MEASURES.get(st.query_params.get("measure", ""))


def search() -> list[Measure]:
    """Draw the search field; the measures whose name, title or text has all the words typed."""
    typed = st.text_input(
        "Search",
        key="q",
        placeholder="Search measures: otif, fill, cycle …",
        bind="query-params",
        width=360,
        label_visibility="collapsed",
    )
    wanted = (typed or "").casefold().split()
    return [measure for measure in MEASURES.values() if all(word in _words(measure) for word in wanted)]


def _words(measure: Measure) -> str:
    return " ".join(
        (
            measure.name,
            measure.title,
            measure.short,
            measure.definition,
            measure.numerator,
            measure.denominator,
            measure.source,
        )
    ).casefold()


def _pages() -> dict[str, tuple[str, str]]:
    """The address and title of the page that shows each measure."""
    return {name: (entry.path, entry.title) for entry in menu.ENTRIES for name in measures_of(entry)}


def listing(measures: list[Measure], feeds: frozenset[str]) -> str:
    """Measures by their page, each folded to its first sentence; those whose feeds nobody maps say so."""
    pages = _pages()
    groups: dict[tuple[str, str], list[Measure]] = {}
    for measure in measures:
        groups.setdefault(pages.get(measure.name, VOLUMES), []).append(measure)
    opened = len(measures) <= OPEN_MOST
    return "".join(
        '<section class="bv '
        f'bv-defs"><h2>{formatting.html(title)}</h2>{"".join(_measure(measure, feeds, opened=opened) for measure in group)}</section>'
        for (_, title), group in groups.items()
    )


def _date(measure: Measure) -> str:
    return DATES.get(measure.date) or measure.facts.c[measure.date].comment or formatting.in_words(measure.date).lower()


def _measure(measure: Measure, feeds: frozenset[str], *, opened: bool) -> str:
    """One measure with everything that is to be known of it."""
    lacking = [feed for feed in measure.feeds if feed not in feeds]
    brought = ", ".join(measure.feeds) + (f" (no feed: {', '.join(lacking)})" if lacking else "")
    rows = [
        ("Counted", formatting.html(measure.numerator)),
        ("Out of", formatting.html(measure.denominator)),
        ("Left out", formatting.html(measure.exclusions)),
        ("Dated by", formatting.html(_date(measure))),
        ("Grain", formatting.html(f"one {'order line' if measure.grain == 'line' else measure.grain}")),
        (
            "Unit",
            formatting.html(f"{measure.unit}; {measure.direction}" if measure.direction != "neither" else measure.unit),
        ),
        (
            "Made of",
            ", ".join(_link(name) for name in measure.formula.inputs)
            if isinstance(measure.formula, Derived)
            else formatting.DASH,
        ),
        ("Feeds", formatting.html(brought)),
        ("Serves", formatting.html("; ".join(f"{row} {PRODUCT_ROWS[row]}" for row in measure.product_rows))),
        ("Source", formatting.html(measure.source)),
        ("Version", f"{measure.version} (see the changelog)" if measure.version > 1 else "1"),
        ("Shown", _shown(measure)),
    ]
    described = "".join(f"<dt>{name}</dt><dd>{markup}</dd>" for name, markup in rows if markup != formatting.DASH)
    title = f"<h3>{formatting.html(measure.title)} <code>{measure.name}</code></h3><p>{formatting.html(measure.definition)}</p>"
    return f'<details class="bv-def" id="{measure.name}"{" open" if opened else ""}><summary>{title}</summary><dl>{described}</dl></details>'


def _link(name: str) -> str:
    return f'<a href="{formatting.html(links.page_url("definitions", {"measure": name}))}" target="_self">{formatting.html(MEASURES[name].title)}</a>'


def _shown(measure: Measure) -> str:
    """Where it is shown, what is behind it, why it moved, and the address of its definition."""
    path, title = _pages().get(measure.name, VOLUMES)
    further_links = [(links.page_url(path, {"measure": measure.name}), title)] if path else []
    further_links += [
        (links.drill_down_url(measure.name), "the rows behind it"),
        (links.explain_url(measure.name), "why it moved"),
    ]
    further_links.append((links.page_url("definitions", {"measure": measure.name}), "link to this definition"))
    return " · ".join(
        f'<a href="{formatting.html(href)}" target="_self">{formatting.html(text)}</a>' for href, text in further_links
    )
