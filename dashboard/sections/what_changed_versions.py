"""The parts of the page that says what changed between two publishes of the data: which numbers moved, and which
records came or changed.
"""

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
from metrics.measures.catalog import MEASURES
from metrics.model.question import Question
from metrics.queries.restatements import FeedDelta, Restated, RestatedKey, compare_generations

MOVED_SHOWN = 30
RECORDS_SHOWN = 50


def choose() -> int | None:
    """Draw the choice of an older generation; None where none is kept."""
    older = [str(number) for number in queries.generations() if number < page.generation()]
    if not older:
        return None
    named = {number: f"generation {number}" for number in older}
    return int(page.select("As published in", older, named, key="then", width=220))


def changed_numbers(then: int | None, filters: Filters) -> None:
    """Draw what differs between an older generation and the one shown."""
    if then is None:
        hint = (
            "Every run publishes one; the ones before the newest are kept for some time (a PostgreSQL server keeps "
            "the newest alone)."
        )
        with theme.card("none"):
            theme.show_html(cards.empty("No older publish is kept", hint))
        return
    asked = Question(tuple(EXPLAINED), start=filters.start, end=filters.end, where=filters.where)
    answers, keys, brought = queries.cached_large(
        compare_generations, page.generation(), warehouse.locate(), asked, then
    )
    moved = [one for one in answers if _moved(one)]
    came, new = (sum(getattr(one, name) for one in brought) for name in ("rows_in", "rows_loaded"))
    said = (
        '<div class="bv bv-headline"><span>'
        f"<strong>{formatting.integer(len(moved))}</strong> of {formatting.integer(len(answers))} numbers in view "
        f"differ from generation {then}. Since then "
        f"{formatting.integer(came)} records came: <strong>{formatting.integer(new)}</strong> new or changed, "
        f"<strong>{formatting.integer(len(keys))}</strong> of them "
        "corrections of what was there.</span></div>"
    )
    with theme.card("said"):
        theme.show_html(said)
    with theme.card("moved"):
        _numbers(moved, then)
    with theme.card("came"):
        _brought(brought)
    with theme.card("changed"):
        _records(keys)


def _moved(one: Restated) -> bool:
    values = (one.then.value if one.then else None, one.now.value if one.now else None)
    return values[0] != values[1]


def _share(one: Restated) -> float:
    """How much of itself a number moved by, to put the strongest first; those that appeared or vanished before all."""
    if one.change is None or one.then is None or not one.then.value:
        return float("inf")
    return abs(float(one.change) / float(one.then.value))


def _numbers(moved: list[Restated], then: int) -> None:
    st.header("Numbers that moved", anchor=False)
    if not moved:
        theme.show_html(
            cards.empty("No number moved", "What came since does not touch the period and the orders in view.")
        )
        return
    rows = []
    for one in sorted(moved, key=lambda one: (-_share(one), one.measure))[:MOVED_SHOWN]:
        measure = MEASURES[one.measure]
        old, new = (formatting.number(answer.value if answer else None, measure.unit) for answer in (one.then, one.now))
        link = f'<a href="{formatting.html(links.drill_down_url(one.measure))}" target="_self">{new}</a>'
        rows.append([Cell(measure.title, small=one.measure), Cell(old), Cell(markup=link), Cell(markup=_change(one))])
    theme.show_html(
        tables.table(
            ("Measure", f"Generation {then}", "Now", "Change"), rows, caption="Numbers that moved", numeric=(1, 2, 3)
        )
    )
    if len(moved) > MOVED_SHOWN:
        st.caption(f"The {MOVED_SHOWN} that moved most of {formatting.integer(len(moved))}.")


def _change(one: Restated) -> str:
    if one.change is None:
        return "appeared" if one.then is None or one.then.value is None else "vanished"
    measure = MEASURES[one.measure]
    sign = "+" if one.change > 0 else formatting.MINUS
    judged = better_or_worse(float(one.change), measure.direction) or "muted"
    return (
        "<span "
        f'class="bv-{judged}">{sign}{formatting.difference(one.change, measure.unit)}{"" if judged == "muted" else f" {judged}"}</span>'
    )


def _brought(brought: list[FeedDelta]) -> None:
    st.header("Records that came", anchor=False)
    if not brought:
        theme.show_html(cards.empty("Nothing came", "No run since brought any records."))
        return
    telling = [one for one in brought if one.rows_loaded or one.rows_quarantined]
    rows = [
        [
            Cell(formatting.in_words(one.feed)),
            *(
                Cell(formatting.integer(count))
                for count in (one.rows_in, one.rows_loaded, one.rows_quarantined, one.rows_superseded)
            ),
        ]
        for one in telling
    ]
    heads = ("Feed", "Came", "New or changed", "Quarantined", "Known or replaced")
    if rows:
        theme.show_html(tables.table(heads, rows, caption="Records that came since, by feed", numeric=(1, 2, 3, 4)))
    if len(telling) < len(brought):
        st.caption(f"{formatting.count(len(brought) - len(telling), 'feed')} brought only what was known already.")


def _records(keys: list[RestatedKey]) -> None:
    st.header("Records that were changed", anchor=False)
    if not keys:
        theme.show_html(
            cards.empty("No record was changed", "What came since added to what was there and corrected nothing.")
        )
        return
    rows = [
        [
            Cell(one.feed, small=one.why),
            Cell(markup=record_link(one.key)),
            Cell(pairs(one.before)),
            Cell(pairs(one.after)),
        ]
        for one in keys[:RECORDS_SHOWN]
    ]
    theme.show_html(tables.table(("Feed", "Record", "Before", "After"), rows, caption="Records changed since"))
    if len(keys) > RECORDS_SHOWN:
        st.caption(f"The first {RECORDS_SHOWN} of {formatting.integer(len(keys))}; data quality lists all of them.")
