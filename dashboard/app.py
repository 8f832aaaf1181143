"""The entry Streamlit runs: look, menu, filter bar, banners, live refresh; then the page, which only lays out."""

from contextlib import suppress
from dataclasses import replace

import streamlit as st
from streamlit.errors import StreamlitAPIException

from dashboard import queries
from dashboard.components import cards, formatting, theme
from dashboard.frame import filters, live_refresh, menu, quality_marks, user_name
from metrics.errors import BuyerviewError, GenerationGone
from metrics.lists.data_status import DataStatus, data_status
from metrics.warehouse.generation import Generation

ADDRESS_LIMIT = 2_048
"""A longer part of the address is not one of ours: it is ignored (faults 3.4)."""

st.set_page_config(
    page_title="Buyerview", page_icon=str(theme.ASSETS / "icon.svg"), layout="wide", initial_sidebar_state="auto"
)
st.logo(str(theme.ASSETS / "logo.svg"), size="medium", icon_image=str(theme.ASSETS / "icon.svg"))
theme.style(menu.headings())
for name in list(st.query_params):
    if len(name) + sum(map(len, st.query_params.get_all(name))) > ADDRESS_LIMIT:
        with suppress(StreamlitAPIException):  # bound to a filter, which takes only values it knows
            del st.query_params[name]

st.session_state["_pages"] = menu.build_pages()
page = st.navigation(list(st.session_state["_pages"].values()), expanded=True)
entry = menu.entry(page.title)
if whole := filters.dropped_values(entry.path):
    st.switch_page(page, query_params=whole)


def nothing_published() -> None:
    """The first thing anybody sees: what to do."""
    with theme.card("empty"):
        theme.show_html(
            cards.empty(
                "No data yet",
                "Run <code>buyerview demo</code> to see the product on sample data, or "
                "<code>buyerview ingest mapping.toml</code> with your own. "
                "This page shows the numbers as soon as they are published.",
            )
        )


def banners(status: DataStatus, fallback: str | None) -> None:
    """What a reader must know on every page: an older generation is served, and stand-ins a source declared."""
    if fallback:
        theme.show_html(cards.banner(f"<b>Not the newest data.</b> {formatting.html(fallback)}"))
    declared = [
        f"{one['feed']}.{one['column_name']} is {one['stands_in_for']} ({one['source']})" for one in status.stand_ins
    ]
    if declared:
        theme.show_html(
            cards.banner(
                f"<b>Stand-in{'s' if len(declared) > 1 else ''} declared by the source:</b> {formatting.html('; '.join(declared))}."
            )
        )


def pinned(newest: Generation) -> Generation:
    """The generation to show: the newest, or the one a link names, for as long as the session lasts or until the newest
    is asked for.
    """
    asked = st.query_params.get(live_refresh.PIN) or st.session_state.get("_pin") or ""
    if not asked.isdecimal() or int(asked) == newest.number:
        st.session_state.pop("_pin", None)
        return newest
    st.session_state["_pin"] = st.query_params[live_refresh.PIN] = asked
    return replace(newest, number=int(asked), fallback=None)


def unpin() -> None:
    """Show the newest generation again."""
    st.session_state.pop("_pin", None)
    st.query_params.pop(live_refresh.PIN, None)


def run(generation: Generation, newest: int) -> None:
    """The frame with its page, all of one generation."""
    status = queries.cached(data_status, generation.number)
    as_of = status.data_as_of or generation.published_at
    first = status.first_day or as_of.date()
    st.session_state["_generation"], st.session_state["_frame"] = generation.number, status
    with st.container(gap=None, key="head"):
        st.title(entry.title, anchor=False)
        st.session_state["_subtitle"] = st.empty()
    banners(status, generation.fallback)
    if generation.number != newest:
        theme.show_html(
            cards.banner(f"<b>Numbers as they were in generation {generation.number}.</b> The newest is {newest}.")
        )
        st.button("Show the newest", on_click=unpin)
    link = live_refresh.link_to(generation.number)
    chosen = filters.bar(
        status.options,
        as_of=as_of.date(),
        first=first,
        last=status.last_day or first,
        shown=entry.filtered,
        link=link,
    )
    filters.store_choice(chosen)
    quality_marks.load_marks(generation.number)
    page.run()
    with st.sidebar:
        live_refresh.data_badge(newest, status.data_as_of)
        user_name.remember_user_name()


published: Generation | None = None
try:
    published = queries.current()
    if published is None:
        st.title(entry.title, anchor=False)
        nothing_published()
        with st.sidebar:
            live_refresh.data_badge(None, None)
    else:
        shown = pinned(published)
        with queries.one_generation(shown.number):
            run(shown, published.number)
except GenerationGone as gone:
    if "_pin" not in st.session_state:  # collected between two looks: the newest is there
        st.rerun()
    with theme.card("gone"):
        theme.show_html(cards.empty("That generation is no longer kept", formatting.html(gone)))
        st.button("Show the newest", on_click=unpin, type="primary")
except BuyerviewError as error:
    with theme.card("error"):
        theme.show_html(cards.empty("This page cannot be shown", formatting.html(error)))
    with st.sidebar:  # shows the page again by itself once there is something newer to read
        live_refresh.data_badge(published.number if published else None, None)
