"""Sections of the definitions page: search, and the definition of every measure, grouped by the page that shows it."""

from collections.abc import Iterable
from functools import lru_cache

import streamlit as st

from dashboard.components import formatting
from dashboard.frame import links
from dashboard.measure_page.view import page_of
from metrics.measures.catalog import MEASURES, PRODUCT_ROWS
from metrics.measures.needs import COLLECTION
from metrics.model.measure import Derived, Measure

DATES = {
    "due_day": "the day the order was due",
    "ordered_day": "the day of the order",
    "arrived_day": "the day the order arrived",
    "settled_day": "the day the line was settled",
}
"""Names of the dates of orders and lines. The date of any other fact table has a comment on its column."""
OPEN_MOST = 3
"""Up to this number of results, all definitions are open."""
COLLECTED = COLLECTION
"""The sentence that many definitions share. The list shows it once."""
VOLUMES = ("", "Volumes")
"""Group of measures without a page: the counts that other measures use."""


def asked() -> Measure | None:
    """Return the measure in the address."""
    return MEASURES.get(st.query_params.get("measure", ""))


def search() -> list[Measure]:
    """Draw the search field; return the measures whose name, title or text has all words typed."""
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


@lru_cache(maxsize=1)
def _pages() -> dict[str, tuple[str, str]]:
    """Return the path and title of the page of each measure."""
    found = {name: page_of(name) for name in MEASURES}
    return {name: (entry.path, entry.title) for name, entry in found.items() if entry is not None}


def listing(measures: list[Measure], feeds: frozenset[str] | None) -> str:
    """Return the definitions by page as markup; each lists its missing feeds. feeds: None before the first data."""
    pages = _pages()
    groups: dict[tuple[str, str], list[Measure]] = {}
    for measure in measures:
        groups.setdefault(pages.get(measure.name, VOLUMES), []).append(measure)
    opened = len(measures) <= OPEN_MOST
    is_found = " open" if len(measures) < len(MEASURES) - 1 else ""
    return "".join(
        f'<details class="bv bv-defs"{is_found}><summary><h2>{formatting.html(title)}</h2>'
        f'<span class="bv-muted">{formatting.count(len(group), "measure")}</span></summary>'
        f"{''.join(_measure(measure, feeds, opened=opened) for measure in group)}</details>"
        for (_, title), group in groups.items()
    )


def _date(measure: Measure) -> str:
    return DATES.get(measure.date) or measure.facts.c[measure.date].comment or formatting.in_words(measure.date).lower()


def _measure(measure: Measure, feeds: frozenset[str] | None, *, opened: bool) -> str:
    """Return the definition of a measure as markup."""
    missing = [feed for feed in measure.feeds if feeds is not None and feed not in feeds]
    feeds_text = _named(measure.feeds) + (f" (no feed: {_named(missing)})" if missing else "")
    rows = [
        ("Counted", formatting.html(measure.numerator)),
        ("Out of", formatting.html(measure.denominator)),
        ("Excluded", formatting.html(measure.exclusions)),
        ("Date", formatting.html(_date(measure))),
        ("Grain", formatting.html(f"one {'order line' if measure.grain == 'line' else measure.grain}")),
        (
            "Unit",
            formatting.html(f"{measure.unit}; {measure.direction}" if measure.direction != "neither" else measure.unit),
        ),
        (
            "Inputs",
            ", ".join(_link(name) for name in measure.formula.inputs)
            if isinstance(measure.formula, Derived)
            else formatting.DASH,
        ),
        ("Feeds", formatting.html(feeds_text)),
        ("Topics", formatting.html("; ".join(PRODUCT_ROWS[row] for row in measure.product_rows))),
        ("Source", formatting.html(measure.source)),
        ("Version", f"{measure.version} (see the changelog)" if measure.version > 1 else "1"),
        ("Links", _links(measure)),
    ]
    described = "".join(f"<dt>{name}</dt><dd>{markup}</dd>" for name, markup in rows if markup != formatting.DASH)
    title = f"<h3>{formatting.html(measure.title)} <code>{measure.name}</code></h3>"
    definition = measure.definition if opened else measure.definition.removesuffix(COLLECTION).rstrip()
    summary = f"<summary>{title}<p>{formatting.html(definition)}</p></summary>"
    is_open = " open" if opened else ""
    return f'<details class="bv-def" id="{measure.name}"{is_open}>{summary}<dl>{described}</dl></details>'


def _named(feeds: Iterable[str]) -> str:
    return ", ".join(formatting.in_words(feed).lower() for feed in feeds)


def _link(name: str) -> str:
    url = formatting.html(links.page_url("definitions", {"measure": name}))
    return f'<a href="{url}" target="_self">{formatting.html(MEASURES[name].title)}</a>'


def _links(measure: Measure) -> str:
    """Return links to the page, the rows, the explanation and the definition of a measure."""
    path, title = _pages().get(measure.name, VOLUMES)
    further_links = [(links.page_url(path, {"measure": measure.name}), title)] if path else []
    further_links.append((links.drill_down_url(measure.name), "Rows behind it"))
    if links.can_explain(measure.name):
        further_links.append((links.explain_url(measure.name), "Why it changed"))
    further_links.append((links.page_url("definitions", {"measure": measure.name}), "Link to this definition"))
    return " · ".join(
        f'<a href="{formatting.html(href)}" target="_self">{formatting.html(text)}</a>' for href, text in further_links
    )
