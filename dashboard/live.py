"""Freshness in the sidebar, and the page running again by itself once a new generation is published."""

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from dashboard import data, look
from dashboard import format as fmt

SECONDS = 5
"""How often `CURRENT` is looked at: a file of a few bytes."""


@st.fragment(run_every=SECONDS)
def badge(shown: int | None, freshness: dict[str, Any]) -> None:
    """Which data the page shows; runs the whole page again when another generation has been published than the one `shown`."""
    now = data.current()
    if (now.number if now else None) != shown:
        st.rerun(scope="app")
    look.html(_side(now, freshness))


def _side(now: Any, freshness: dict[str, Any]) -> str:
    if now is None:
        return '<div class="bv-side" role="status"><p>Waiting for the first data …</p></div>'
    as_of = freshness.get("data_as_of")
    lines = [
        f"<p><b>Data as of {fmt.html(fmt.moment(as_of))}</b></p>" if as_of else "",
        f"<p>Published {fmt.age(now.published_at, datetime.now(UTC))} · generation {now.number}</p>",
        "<p>Updates by itself</p>",
    ]
    return f'<div class="bv-side" role="status" data-generation="{now.number}">{"".join(lines)}</div>'
