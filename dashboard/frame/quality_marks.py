"""The mark beside a number: records that failed checks keep out of it, a number that is held, data that is late. ""
where there is none.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard import queries
from dashboard.components import formatting
from dashboard.frame import links
from metrics.lists.quality_marks import WITHHELD_SHARE, Mark, quality_marks
from metrics.targets.targets import Target, target_for

FEW_WITHHELD = 3
"""Fewer held numbers than this each say it themselves."""
REASON_TEXT = 5
"""Checks named in the words on hover; the data quality page has all of them."""


def load_marks(generation: int) -> None:
    """Look the marks up once for the page of this run."""
    st.session_state["_marks"] = read_marks(generation)


def read_marks(generation: int) -> dict[str, Mark]:
    """Return the marks of all measures. The time is cut to the hour, so that they are computed once an hour."""
    hour = datetime.now(UTC).replace(tzinfo=None, minute=0, second=0, microsecond=0)
    return queries.cached_large(quality_marks, generation, hour)


def mark_for(measure: str) -> Mark:
    """What stands beside a measure in the generation shown; nothing while nobody looks."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return Mark()
    found: dict[str, Mark] = st.session_state["_marks"]
    return found.get(measure, Mark())


def mostly_withheld(measures: Sequence[str]) -> bool:
    """Whether most of the numbers that stand together are held: it is then said once, above them (`held`), and each has
    a small mark.
    """
    count = sum(mark_for(name).held for name in measures)
    return count >= FEW_WITHHELD and count > len(measures) / 2


def withheld_note(measures: Sequence[str]) -> str:
    """What stands once above numbers that are mostly held; "" where they are not."""
    if not mostly_withheld(measures):
        return ""
    ours = [mark_for(name) for name in measures if mark_for(name).held]
    count = f"{len(ours)} of these {len(measures)}" if len(ours) < len(measures) else f"All of these {len(ours)}"
    feeds = sorted(
        {
            formatting.in_words(failed.feed).lower()
            for one in ours
            for failed in one.failed
            if failed.share > WITHHELD_SHARE
        }
    )
    named = (
        ", ".join(feeds)
        if len(feeds) <= REASON_TEXT
        else f"{', '.join(feeds[:REASON_TEXT])} and {len(feeds) - REASON_TEXT} more feeds"
    )
    return (
        '<p class="bv bv-held"><i aria-hidden="true">▲</i> '
        f"<span><b>{count} numbers are held:</b> shown, but not judged. "
        f"A check keeps more than {formatting.percent(WITHHELD_SHARE, 0)} of the records out of {formatting.html(named)}. "
        f'<a href="{formatting.html(links.page_url("data-quality", {}))}" target="_self">See which</a></span></p>'
    )


def mark_link(measure: str, *, small: bool = False) -> str:
    """The mark of a measure, which leads to the data quality page; the words on hover say which checks. `small`: "held"
    is said elsewhere.
    """
    one = mark_for(measure)
    if not one.failed and not one.late:
        return ""
    css, sign, word = (
        ("bv-mark-held", "▲", "held")
        if one.held
        else ("bv-mark-late", "◆", "late data")
        if one.late
        else ("", "⚑", formatting.integer(one.records))
    )
    said = "; ".join([*_told(one), *[f"{late.feed} last came {formatting.moment(late.last)}" for late in one.late]])
    meant = (
        "not judged: too many records are kept out"
        if one.held
        else f"{formatting.count(one.records, 'record')} kept out by failed checks"
    )
    if one.held and small:
        css, word = "bv-mark-small", ""
    href = formatting.html(links.page_url("data-quality", {}))
    return (
        f'<a class="bv-mark {css}" href="{href}" target="_self" title="{formatting.html(f"{meant}. {said}")}"><i aria-hidden="true">{sign}</i> {word}'
        f'<span class="bv-said">, {formatting.html(meant)}</span></a>'
    )


def _told(one: Mark) -> list[str]:
    told = [
        f"{formatting.integer(failed.records)} of {failed.feed}: {formatting.in_words(failed.rule).lower()}"
        for failed in one.failed[:REASON_TEXT]
    ]
    return told + ([f"and {len(one.failed) - REASON_TEXT} more checks"] if len(one.failed) > REASON_TEXT else [])


def target_in_view(targets: list[dict[str, Any]], measure: str, where: Any) -> Target | None:
    """The target a number is judged against; none while it is held."""
    return None if mark_for(measure).held else target_for(targets, measure, where)
