"""Data quality mark next to a number: rejected records, a number withheld from its target, or late data.

`metrics/lists/quality_marks.py` decides which measures a failed check or a late feed affects.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard import queries
from dashboard.components import formatting
from dashboard.frame import links
from metrics.lists.quality_marks import WITHHELD_SHARE, Mark, quality_marks
from metrics.lists.rows import Row
from metrics.targets.in_view import Where
from metrics.targets.targets import Target, target_for

FEW_WITHHELD = 3
"""From this many withheld measures on, one note replaces the words at each number."""
VISIBLE_SHARE = 0.01
"""Share of a feed's records kept out by one check, above which a measure has a visible mark; below it, a tooltip."""
REFERENCE_FEEDS = (
    "assumptions", "calendars", "customers", "fx_rates", "policies", "products", "service_packages", "targets",
    "unit_factors",
)  # fmt: skip
"""Feeds of a few records that others refer to. A record kept out there lowers the coverage of the orders that need it,
and the tile shows that. Its share of a small feed says nothing about the number.
"""
REASON_TEXT = 5
"""Checks named in a tooltip; the data quality page lists all of them."""


def load_marks(generation: int) -> None:
    """Load the marks for the page of this run."""
    st.session_state["_marks"] = read_marks(generation)


def read_marks(generation: int) -> dict[str, Mark]:
    """Return the marks of all measures. The time is cut to the hour, so that they are computed once an hour."""
    hour = datetime.now(UTC).replace(tzinfo=None, minute=0, second=0, microsecond=0)
    return queries.shared(quality_marks, generation, hour)


def mark_for(measure: str) -> Mark:
    """Return the mark of a measure in the current generation; an empty mark outside a browser session."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return Mark()
    marks: dict[str, Mark] = st.session_state["_marks"]
    return marks.get(measure, Mark())


def mostly_withheld(measures: Sequence[str]) -> bool:
    """Return True if most of the measures are withheld. One note (`withheld_note`) then replaces their words."""
    count = sum(mark_for(name).withheld for name in measures)
    return count >= FEW_WITHHELD and count > len(measures) / 2


def withheld_note(measures: Sequence[str]) -> str:
    """Return the note above measures that are mostly withheld; "" if they are not."""
    if not mostly_withheld(measures):
        return ""
    withheld = [mark_for(name) for name in measures if mark_for(name).withheld]
    count = f"{len(withheld)} of {len(measures)}" if len(withheld) < len(measures) else f"All {len(withheld)}"
    feeds = sorted(
        {
            formatting.in_words(failed.feed).lower()
            for mark in withheld
            for failed in mark.failed
            if failed.share > WITHHELD_SHARE
        }
    )
    named = (
        ", ".join(feeds)
        if len(feeds) <= REASON_TEXT
        else f"{', '.join(feeds[:REASON_TEXT])} and {len(feeds) - REASON_TEXT} more feeds"
    )
    url = formatting.html(links.page_url("data-quality", {}))
    return (
        '<p class="bv bv-held"><i aria-hidden="true">▲</i> '
        f"<span><b>{count} measures are withheld from targets.</b> "
        f"A check rejects more than {formatting.percent(WITHHELD_SHARE, 0)} of the records of {formatting.html(named)}."
        f' <a href="{url}" target="_self">Show data quality</a></span></p>'
    )


def mark_link(measure: str, *, small: bool = False) -> str:
    """Return the mark of a measure as a link to the data quality page, with the failed checks as a tooltip.

    small: omit the word "Withheld", because a note above says it.
    """
    mark = mark_for(measure)
    if not _is_visible(mark):
        return ""
    if mark.withheld:
        css, sign, word = ("bv-mark-small", "▲", "") if small else ("bv-mark-held", "▲", "Withheld")
    elif mark.late:
        css, sign, word = "bv-mark-late", "◆", "Late data"
    else:
        css, sign, word = "", "⚑", formatting.integer(mark.records)
    meaning = "Withheld from its target: too many records are rejected" if mark.withheld else _rejected(mark)
    late = [f"{formatting.in_words(feed.feed)} last received {formatting.moment(feed.last)}" for feed in mark.late]
    tooltip = formatting.html(f"{meaning}. {'; '.join([*_failed_checks(mark), *late])}")
    href = formatting.html(links.page_url("data-quality", {}))
    return (
        f'<a class="bv-mark {css}" href="{href}" target="_self" title="{tooltip}">'
        f'<i aria-hidden="true">{sign}</i> {word}'
        f'<span class="bv-said">, {formatting.html(meaning)}</span></a>'
    )


def _is_visible(mark: Mark) -> bool:
    """Return True if the data quality of a measure is worth a mark next to its number."""
    large = (one for one in mark.failed if one.share > VISIBLE_SHARE and one.feed not in REFERENCE_FEEDS)
    return bool(mark.late) or mark.withheld or any(large)


def tooltip(measure: str) -> str:
    """Return the failed checks of a measure without a visible mark, for the tooltip of its number."""
    mark = mark_for(measure)
    return "" if _is_visible(mark) or not mark.failed else f"{_rejected(mark)}: {'; '.join(_failed_checks(mark))}"


def _rejected(mark: Mark) -> str:
    return f"{formatting.count(mark.records, 'record')} rejected by checks"


def _failed_checks(mark: Mark) -> list[str]:
    named = [
        f"{formatting.integer(failed.records)} of {formatting.in_words(failed.feed).lower()} "
        f"({formatting.in_words(failed.rule).lower()})"
        for failed in mark.failed[:REASON_TEXT]
    ]
    more = len(mark.failed) - REASON_TEXT
    return [*named, f"and {formatting.count(more, 'more check')}"] if more > 0 else named


def target_in_view(targets: list[Row], measure: str, where: Where) -> Target | None:
    """Return the target of a measure for some filters; None while the measure is withheld."""
    return None if mark_for(measure).withheld else target_for(targets, measure, where)
