"""Freshness in the sidebar, and the page running again by itself once a new generation is published."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import streamlit as st

from dashboard import queries
from dashboard.components import formatting, theme
from metrics.errors import BuyerviewError
from metrics.warehouse import Generation

PIN = "v"
"""Part of the address that names the generation to show."""
SECONDS = 5
"""How often `CURRENT` is looked at: a file of a few bytes."""


@st.fragment(run_every=SECONDS)
def data_badge(newest: int | None, as_of: datetime | None) -> None:
    """Which data the page shows; runs the whole page again when another generation is published than the `newest` it
    knew of.
    """
    try:
        now = queries.current()
    except BuyerviewError:  # it says so on the page; look again at the next tick
        theme.show_html('<div class="bv-side" role="status"><p>The warehouse cannot be read just now …</p></div>')
        return
    if (now.number if now else None) != newest:
        st.rerun(scope="app")
    theme.show_html(_side(now, as_of))


def link_to(generation: int) -> str:
    """An address that shows these very numbers later: what is chosen, and the generation."""
    chosen = {name: st.query_params.get_all(name) for name in st.query_params if name != PIN}
    return f"{st.context.url or ''}?{urlencode({**chosen, PIN: generation}, doseq=True)}"


def _side(now: Generation | None, as_of: datetime | None) -> str:
    if now is None:
        return '<div class="bv-side" role="status"><p>Waiting for the first data …</p></div>'
    lines = [
        f"<p><b>Data as of {formatting.html(formatting.moment(as_of))}</b></p>" if as_of else "",
        f"<p>Published {formatting.age(now.published_at, datetime.now(UTC))} · generation {now.number}</p>",
        "<p>Updates by itself</p>",
    ]
    return f'<div class="bv-side" role="status" data-generation="{now.number}">{"".join(lines)}</div>'
