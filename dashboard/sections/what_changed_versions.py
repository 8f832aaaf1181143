"""Sections of the page "What changed" between two data versions: changed numbers, new records, corrected records."""

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, tables, theme
from dashboard.components.status import better_or_worse
from dashboard.components.tables import Cell
from dashboard.frame import links, page
from dashboard.frame.filters import Filters
from dashboard.frame.links import EXPLAINED
from dashboard.orders.records import pairs, record_link
from metrics import warehouse
from metrics.errors import GenerationOutdated
from metrics.measures.catalog import MEASURES
from metrics.model.question import Question
from metrics.model.share import share
from metrics.queries.restatements import FeedDelta, Restated, RestatedKey, compare_generations

MOVED_SHOWN = 30
RECORDS_SHOWN = 50


def choose() -> int | None:
    """Draw the choice of an older data version and return it; None if none is kept."""
    older = [str(number) for number in queries.generations() if number < page.generation()]
    if not older:
        return None
    named = {number: f"data version {number}" for number in older}
    return int(page.select("Compare with", older, named, key="then", width=220))


def changed_numbers(then: int | None, filters: Filters) -> None:
    """Draw the differences between an older data version and the one shown."""
    if then is None:
        hint = (
            "Every run publishes a data version. Older versions are kept for some time; a PostgreSQL server keeps only "
            "the newest."
        )
        with theme.card("none"):
            theme.show_html(cards.empty("No older data version", hint))
        return
    asked = Question(tuple(EXPLAINED), start=filters.start, end=filters.end, where=filters.where)
    try:
        answers, keys, received = queries.shared(
            compare_generations, page.generation(), warehouse.locate(), asked, then
        )
    except GenerationOutdated as outdated:
        hint = (
            f"Another version of Buyerview published it, and it has no {formatting.html(outdated.missing)}. "
            "Choose a newer data version."
        )
        with theme.card("outdated"):
            theme.show_html(cards.empty(f"Data version {then} cannot be compared", hint))
        return
    moved = [answer for answer in answers if _moved(answer)]
    new = sum(one.rows_loaded for one in received)  # every run receives saved edits again, so they do not count
    sentence = (
        '<div class="bv bv-headline"><span>'
        f"<strong>{formatting.integer(len(moved))}</strong> of {formatting.integer(len(answers))} numbers in view "
        f"differ from data version {then}. Later runs loaded "
        f"<strong>{formatting.count(new, 'record')}</strong> (new or changed), "
        f"<strong>{formatting.integer(len(keys))}</strong> of them "
        "corrections of existing records.</span></div>"
    )
    with theme.card("headline"):
        theme.show_html(sentence)
    with theme.card("moved"):
        _numbers(moved, then)
    with theme.card("new"):
        _new_records(received)
    with theme.card("changed"):
        _records(keys)


def _moved(one: Restated) -> bool:
    values = (one.then.value if one.then else None, one.now.value if one.now else None)
    return values[0] != values[1]


def _share(one: Restated) -> float:
    """Return the relative change, for sorting; infinite for numbers that appeared or disappeared."""
    relative = None if one.change is None or one.then is None else share(one.change, one.then.value or 0).value
    return float("inf") if relative is None else abs(relative)


def _numbers(moved: list[Restated], then: int) -> None:
    st.header("Changed numbers", anchor=False)
    if not moved:
        theme.show_html(cards.empty("No changes", "New records do not affect this period and selection."))
        return
    rows = []
    for item in sorted(moved, key=lambda restated: (-_share(restated), restated.measure))[:MOVED_SHOWN]:
        measure = MEASURES[item.measure]
        old, new = (
            formatting.number(answer.value if answer else None, measure.unit) for answer in (item.then, item.now)
        )
        link = f'<a href="{formatting.html(links.drill_down_url(item.measure))}" target="_self">{new}</a>'
        rows.append([Cell(measure.title), Cell(old), Cell(markup=link), Cell(markup=_change(item))])
    theme.show_html(
        tables.table(
            ("Measure", f"Data version {then}", "Now", "Change"), rows, caption="Changed numbers", numeric=(1, 2, 3)
        )
    )
    if len(moved) > MOVED_SHOWN:
        st.caption(f"The {MOVED_SHOWN} largest changes of {formatting.integer(len(moved))}.")


def _change(one: Restated) -> str:
    if one.change is None:
        return "appeared" if one.then is None or one.then.value is None else "disappeared"
    measure = MEASURES[one.measure]
    sign = "+" if one.change > 0 else formatting.MINUS
    judged = better_or_worse(float(one.change), measure.direction) or "muted"
    word = "" if judged == "muted" else f" {judged}"
    return f'<span class="bv-{judged}">{sign}{formatting.difference(one.change, measure.unit)}{word}</span>'


def _new_records(received: list[FeedDelta]) -> None:
    st.header("New records", anchor=False)
    if not received:
        theme.show_html(cards.empty("No new records", "No later run received records."))
        return
    with_changes = [one for one in received if one.rows_loaded or one.rows_quarantined]
    rows = [
        [
            Cell(formatting.in_words(with_change.feed)),
            *(
                Cell(formatting.integer(count))
                for count in (
                    with_change.rows_in,
                    with_change.rows_loaded,
                    with_change.rows_quarantined,
                    with_change.rows_superseded,
                )
            ),
        ]
        for with_change in with_changes
    ]
    heads = ("Feed", "Received", "New or changed", "Quarantined", "Known or replaced")
    if rows:
        theme.show_html(tables.table(heads, rows, caption="Records received since, by feed", numeric=(1, 2, 3, 4)))
    if len(with_changes) < len(received):
        st.caption(f"{formatting.count(len(received) - len(with_changes), 'feed')} had only known records.")


def _records(keys: list[RestatedKey]) -> None:
    st.header("Corrected records", anchor=False)
    if not keys:
        theme.show_html(cards.empty("No corrected records", "New records did not correct existing ones."))
        return
    rows = [
        [
            Cell(formatting.in_words(key.feed), small=key.why),
            Cell(markup=record_link(key.key)),
            Cell(pairs(key.before)),
            Cell(pairs(key.after)),
        ]
        for key in keys[:RECORDS_SHOWN]
    ]
    theme.show_html(tables.table(("Feed", "Record", "Before", "After"), rows, caption="Corrected records"))
    if len(keys) > RECORDS_SHOWN:
        st.caption(f"The first {RECORDS_SHOWN} of {formatting.integer(len(keys))}. Data quality lists all of them.")
