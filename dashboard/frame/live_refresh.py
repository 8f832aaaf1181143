"""Data status in the sidebar, and automatic refresh when a new generation is published or the colours change."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import ParamSpec
from urllib.parse import urlencode

import streamlit as st

from dashboard import queries
from dashboard.components import formatting, theme
from dashboard.frame import access
from metrics.errors import BuyerviewError
from metrics.warehouse import Generation

PIN = "v"
"""Query parameter that pins a generation."""
SECONDS = 5
"""Seconds between two reads of `CURRENT`, a file of a few bytes."""
SECONDS_AFTER_SAVE = 0.5
"""The same after a save on this page, so that its effect is soon shown."""
PATIENCE = timedelta(minutes=1)
"""Longest time to read more often after a save."""

P = ParamSpec("P")


def every(seconds: float) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Decorate a function that draws a part of a page: the part is drawn again every few seconds.

    An error is a line in place of the part, because the page, which shows errors, does not run; the next time tries
    again.
    """

    def decorate(draw: Callable[P, None]) -> Callable[P, None]:
        @st.fragment(run_every=seconds)
        @wraps(draw)
        def part(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                draw(*args, **kwargs)
            except BuyerviewError:
                line = '<div class="bv-side" role="status"><p>This cannot be read now. Trying again …</p></div>'
                theme.show_html(line)

        return part

    return decorate


def expect_data() -> None:
    """Look for newer data more often, because a save on this page has started a run."""
    st.session_state["_saved_at"] = datetime.now(UTC)


def data_badge(newest: int | None, as_of: datetime | None) -> None:
    """Draw the status of the data. Rerun the whole page if the newest generation is no longer `newest`, or if the
    viewer's system has switched between light and dark.
    """
    saved_at = st.session_state.get("_saved_at")
    is_expected = saved_at is not None and datetime.now(UTC) - saved_at < PATIENCE
    every(SECONDS_AFTER_SAVE if is_expected else SECONDS)(_badge)(newest, as_of, is_dark=theme.is_dark())


def _show_failed_downloads() -> None:
    """Show why downloads of this session have failed, once, as messages at the edge of the page."""
    failed = access.failed_downloads()
    while failed:
        st.toast(
            f"**The file was not made.** {formatting.markdown(failed.pop(0))}", icon=":material/error:", duration="long"
        )


def _badge(newest: int | None, as_of: datetime | None, *, is_dark: bool) -> None:
    _show_failed_downloads()
    if theme.is_dark() != is_dark:  # our style sheet and charts still have the other colours
        st.rerun(scope="app")
    now = queries.current()
    if (now.number if now else None) != newest:
        st.session_state.pop("_saved_at", None)
        st.rerun(scope="app")
    theme.show_html(_side(now, as_of))


def link_to(generation: int) -> str:
    """Return a permanent link: the current address and the generation."""
    chosen = {name: st.query_params.get_all(name) for name in st.query_params if name != PIN}
    return f"{st.context.url or ''}?{urlencode({**chosen, PIN: generation}, doseq=True)}"


def copy_button(link: str) -> str:
    """Return the button that copies a permanent link; `assets/page.js` copies it."""
    tooltip = "Copy a permanent link: it always shows these numbers, even after newer data is published"
    return (
        f'<button type="button" class="bv bv-button bv-copy" data-link="{formatting.html(link)}" title="{tooltip}">'
        '<span aria-live="polite">Copy link</span></button>'
    )


def _side(now: Generation | None, as_of: datetime | None) -> str:
    if now is None:
        return '<div class="bv-side" role="status"><p>Waiting for the first data …</p></div>'
    clock = datetime.now(UTC)
    lines = [
        f"<p><b>Data as of {formatting.html(formatting.moment(as_of))}</b></p>"
        f"<p>{formatting.age(as_of.replace(tzinfo=UTC), clock).capitalize()}</p>"
        if as_of
        else "",
        f"<p>Published {formatting.age(now.published_at, clock)} · Data version {now.number}</p>",
        "<p>Refreshes automatically</p>",
        '<p><button type="button" class="bv-keys">Keyboard shortcuts (?)</button></p>',
    ]
    return f'<div class="bv-side" role="status" data-generation="{now.number}">{"".join(lines)}</div>'
