"""Sections of the data quality page: headline, failed checks, feeds; data_quality_records.py has its record lists."""

from collections.abc import Iterable
from datetime import UTC, datetime

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, tables, theme
from dashboard.components.reasons import column_in_words
from dashboard.components.tables import Cell
from dashboard.frame import links, page, quality_marks
from metrics.lists.data_quality import feed_rows
from metrics.lists.quality_marks import WITHHELD_SHARE, Failed, Late
from metrics.lists.rows import Row
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Unit
from metrics.model.share import share

CHECKS_SHOWN = 8
"""Checks listed at once; the others are folded."""
NAMED = 4
"""Measures listed next to a check; the others are folded."""


def _feeds() -> list[Row]:
    return queries.cached(feed_rows, page.generation())


def _touched() -> dict[Failed, list[str]]:
    """Return the failed checks with the measures they affect.

    Checks that withhold measures come first, then the checks that keep the most records out.
    """
    found: dict[Failed, list[str]] = {}
    for name in MEASURES:
        for check in quality_marks.mark_for(name).failed:
            found.setdefault(check, []).append(name)
    return dict(
        sorted(
            found.items(), key=lambda one: (one[0].share <= WITHHELD_SHARE, -one[0].records, one[0].feed, one[0].rule)
        )
    )


def _late() -> dict[str, Late]:
    return {feed.feed: feed for name in MEASURES for feed in quality_marks.mark_for(name).late}


def headline() -> str:
    """Return the headline as markup: data date, records kept out, withheld measures, late feeds, reconciliation."""
    status, touched, late = page.data_status(), _touched(), _late()
    rows = _feeds()
    came, kept_out = (sum(int(row[name]) for row in rows) for name in ("rows_in", "rows_quarantined"))
    concerned = {name for names in touched.values() for name in names}
    withheld = [name for name in concerned if quality_marks.mark_for(name).withheld]
    wrong = [row for row in rows if not reconciliation(row)]
    declared = "as the source declared" if status.data_as_of_declared else "the latest accepted event"
    sentences = [f"Data as of <strong>{formatting.html(formatting.moment(status.data_as_of))}</strong>, {declared}."]
    part = formatting.share(share(kept_out, came), 2)
    verbs = formatting.agreeing(kept_out, "is kept out and affects", "are kept out and affect")
    sentences.append(
        f"<strong>{formatting.integer(came - kept_out)}</strong> of {formatting.integer(came)} records were accepted; "
        f"{formatting.integer(kept_out)} "
        f"({part}) {verbs} {formatting.count(len(concerned), 'measure')}."
        if kept_out
        else f"All <strong>{formatting.integer(came)}</strong> records were accepted."
    )
    sentences.append(
        f"<strong>{formatting.count(len(withheld), 'measure')} withheld from targets</strong>: too many records are "
        "kept out."
        if withheld
        else ""
    )
    sentences.append(
        f"Late: {formatting.html(', '.join(formatting.in_words(feed).lower() for feed in late))}." if late else ""
    )
    sentences.append("All rows reconciled." if not wrong else f"<strong>{len(wrong)} feeds do not reconcile.</strong>")
    return f'<div class="bv bv-headline"><span>{" ".join(sentence for sentence in sentences if sentence)}</span></div>'


def checks() -> None:
    """Draw the checks that keep records out, each with the measures it affects."""
    st.header("Failed checks and affected measures", anchor=False)
    touched = _touched()
    if not touched:
        theme.show_html(cards.empty("No failed checks", "No record is kept out of any measure."))
        return
    listed = [*touched.items()]
    theme.show_html(_checks(listed[:CHECKS_SHOWN]))
    if len(listed) > CHECKS_SHOWN:
        with st.expander(f"{formatting.count(len(listed) - CHECKS_SHOWN, 'more check')}"):
            theme.show_html(_checks(listed[CHECKS_SHOWN:]))
    st.caption(
        f"If checks keep out more than {formatting.percent(WITHHELD_SHARE, 0)} of a feed's records, its measures are "
        "shown but withheld from targets."
    )


def _checks(listed: list[tuple[Failed, list[str]]]) -> str:
    rows = [
        [
            Cell(formatting.in_words(one.rule), small=column_in_words(one.feed, one.column)),
            Cell(formatting.integer(one.records)),
            Cell(markup=_share(one)),
            Cell(formatting.integer(len(names))),
            Cell(markup=_named(names)),
        ]
        for one, names in listed
    ]
    heads = ("Check", "Kept out", "Share of feed", "Measures", "Affected measures")
    return tables.table(heads, rows, caption="Failed checks and affected measures", numeric=(1, 2, 3))


def _share(one: Failed) -> str:
    shown = formatting.html(formatting.number(one.share, Unit.SHARE))
    return _state(False, "", f'{shown}<span class="bv-said">, withheld</span>') if one.share > WITHHELD_SHARE else shown


def _named(names: list[str]) -> str:
    first, rest = _links(names[:NAMED]), names[NAMED:]
    more = f"<details><summary>and {len(rest)} more</summary>{_links(rest)}</details>" if rest else ""
    return f'<div class="bv-long">{first}{more}</div>'


def _links(names: Iterable[str]) -> str:
    return ", ".join(
        f'<a href="{formatting.html(links.page_url("definitions", {"measure": name}))}" '
        f'target="_self">{formatting.html(MEASURES[name].title)}</a>'
        for name in names
    )


def reconciliation(row: Row) -> bool:
    """Return whether each row of a feed is loaded, quarantined or superseded, and only one of them."""
    return bool(row["rows_in"] == row["rows_loaded"] + row["rows_quarantined"] + row["rows_superseded"])


def feeds() -> None:
    """Draw the feeds: last received, rows by outcome, and unmapped feeds."""
    st.header("Feeds", anchor=False)
    late, now = _late(), datetime.now(UTC).replace(tzinfo=None)
    rows = [
        [
            Cell(formatting.in_words(row["feed"])),
            Cell(markup=_came(row, late.get(row["feed"]), now)),
            *(
                Cell(formatting.integer(int(row[name])))
                for name in ("rows_in", "rows_loaded", "rows_quarantined", "rows_superseded")
            ),
            Cell(markup=_state(reconciliation(row), "yes", "no")),
        ]
        for row in _feeds()
    ]
    heads = ("Feed", "Last received", "Rows in", "Loaded", "Quarantined", "Superseded", "Reconciled")
    theme.show_html(
        tables.table(
            heads,
            rows,
            caption="Feeds, when they were last received, and their rows over all runs",
            numeric=(2, 3, 4, 5),
        )
    )
    lacking = sorted({feed for measure in MEASURES.values() for feed in measure.feeds} - page.data_status().feeds)
    if lacking:
        st.caption(
            f"No source maps {formatting.markdown(', '.join(lacking))}. Measures that need these feeds show which."
        )


def _came(row: Row, late: Late | None, now: datetime) -> str:
    last = row["last_came"]
    if last is None:
        return formatting.DASH
    age_text = f'<span title="{formatting.html(formatting.moment(last))}">{formatting.age(last, now)}</span>'
    return f"{age_text} {_state(False, '', 'late')}" if late else age_text


def _state(right: bool, good: str, bad: str) -> str:
    css, shape, word = ("bv-on", "●", good) if right else ("bv-off", "▲", bad)
    return f'<span class="bv-state {css}"><i aria-hidden="true">{shape}</i>{word}</span>'
