"""Entry point of Streamlit: style, menu, filter bar, banners and live refresh, then the page."""

from contextlib import suppress
from dataclasses import replace

import streamlit as st
from streamlit.errors import StreamlitAPIException

from dashboard import queries
from dashboard.components import cards, formatting, latency, theme
from dashboard.frame import (
    access,
    address,
    filters,
    links,
    live_refresh,
    menu,
    messages,
    notes,
    page_pdf,
    quality_marks,
    search,
    user_name,
)
from dashboard.frame.error_text import error_text
from dashboard.frame.menu_entries import Filter
from dashboard.sign_in import Mode, read_settings
from metrics.errors import AccessEnded, BuyerviewError, GenerationGone, StorageFailed, WarehouseUnreachable
from metrics.lists.data_status import DataStatus, data_status
from metrics.warehouse.generation import Generation

ADDRESS_LIMIT = 2_048
"""Longest query parameter, in characters. Longer ones are not Buyerview's and are removed."""

st.set_page_config(
    page_title="Buyerview", page_icon=str(theme.ASSETS / "icon.svg"), layout="wide", initial_sidebar_state="auto"
)
st.logo(str(theme.ASSETS / "logo.svg"), size="medium", icon_image=str(theme.ASSETS / "icon.svg"))


def no_access(error: BuyerviewError) -> None:
    """Draw the card of a person whose access has ended or cannot be checked."""
    with theme.card("ended"):
        title = "Your access has ended" if isinstance(error, AccessEnded) else "Buyerview cannot check your access"
        link = '<a href="/" target="_self">Open the dashboard again</a>'
        theme.show_html(cards.empty(title, f"{formatting.html(error)}<br>{link}"))


try:
    allowed = access.current_access()
except BuyerviewError as error:
    theme.style()
    no_access(error)
    st.stop()
published: Generation | None = None
failure: BuyerviewError | None = None
try:
    published = queries.current()
except BuyerviewError as error:
    failure = error
has_data = published is not None or failure is not None
theme.style(menu.headings(allowed, has_data=has_data))
theme.page_script()
for name in list(st.query_params):
    if len(name) + sum(map(len, st.query_params.get_all(name))) > ADDRESS_LIMIT:
        with suppress(StreamlitAPIException):  # a filter has bound it, and ignores unknown values
            del st.query_params[name]

st.session_state["_pages"] = menu.build_pages(allowed, has_data=has_data)
page = st.navigation(list(st.session_state["_pages"].values()), expanded=True)
if st.session_state.pop(menu.PAGES_ONLY, False):
    st.stop()
entry = menu.entry(page.title)
st.set_page_config(page_title=f"{entry.title} · Buyerview")
if whole := address.dropped_values(entry.path):
    st.switch_page(page, query_params=whole)


titled: list[str] = []
"""The title, once this run has drawn it."""


def head(generation: int | None = None) -> None:
    """Draw the title unless it is drawn, keep a place for the subtitle, and draw the search in a generation."""
    if titled:
        return
    titled.append(entry.title)
    with st.container(horizontal=True, vertical_alignment="top", gap="small", key="head"):
        with st.container(gap=None, key="head_title"):
            st.title(entry.title, anchor=False)
            st.session_state["_subtitle"] = st.empty()
        st.session_state["_pdf"] = st.container(key="page_pdf", width="content")
        if generation is not None:
            search.search_field(generation)


def nothing_published() -> None:
    """Draw the first page of an empty installation."""
    with theme.card("empty"):
        theme.show_html(
            cards.empty(
                "No data yet",
                f"This page shows: {formatting.html(entry.summary[:1].lower() + entry.summary[1:])}<br>"
                "Bring your data here in the browser. On the command line, <code>buyerview demo</code> loads sample "
                "data, and <code>buyerview init</code> and <code>buyerview ingest mapping.toml</code> load your own. "
                "This page refreshes as soon as data is published.",
            )
        )
        with st.container(horizontal=True, horizontal_alignment="center"):
            menu.link("bring-data", "Bring your data")


def banners(status: DataStatus, fallback: str | None) -> None:
    """Draw the banners of every page: older data, an ignored version, a refused click, declared stand-ins."""
    if fallback:
        theme.show_html(cards.banner(f"<b>The warehouse is damaged.</b> {formatting.html(fallback)}"))
    asked = st.query_params.get(live_refresh.PIN, "")
    if asked and not asked.isdecimal():
        named = formatting.html(asked)
        theme.show_html(cards.banner(f"<b>Data version ignored:</b> {named} is not a number. You see the newest data."))
    if refused := access.refusal():
        theme.show_html(f'<div role="alert">{cards.banner(formatting.html(refused))}</div>')
    declared = [
        f"{row['feed']}.{row['column_name']} is {row['stands_in_for']} ({row['source']})" for row in status.stand_ins
    ]
    if declared:
        theme.show_html(
            cards.banner(
                f"<b>Stand-in{'s' if len(declared) > 1 else ''} declared by the source:</b> "
                f"{formatting.html('; '.join(declared))}."
            )
        )


def pinned(newest: Generation) -> Generation:
    """Return the generation to show: the newest, or the one of a permanent link until the user leaves it."""
    asked = st.query_params.get(live_refresh.PIN) or st.session_state.get("_pin") or ""
    if not asked.isdecimal() or int(asked) == newest.number:
        st.session_state.pop("_pin", None)
        return newest
    st.session_state["_pin"] = st.query_params[live_refresh.PIN] = asked
    return replace(newest, number=int(asked), fallback=None)


def unpin() -> None:
    """Return to the newest generation."""
    st.session_state.pop("_pin", None)
    st.query_params.pop(live_refresh.PIN, None)


def narrowing() -> tuple[Filter, ...]:
    """Return the filters that narrow this page. A drill-down may show a number that does not follow the period."""
    ignored = {Filter.PERIOD} if entry.path == links.DRILL_DOWN and links.drill_down_ignores_period() else set()
    return tuple(one for one in entry.filters if one not in ignored)


def run(generation: Generation, newest: int) -> None:
    """Draw the frame and the page from one generation."""
    messages.forget_interrupted()
    with st.sidebar:  # before the page, so that a person who leaves it early is remembered too
        user_name.remember_user_name()
    status = queries.cached(data_status, generation.number)
    as_of = status.data_as_of or generation.published_at
    first = status.first_day or as_of.date()
    st.session_state["_generation"], st.session_state["_frame"] = generation.number, status
    head(generation.number)
    banners(status, generation.fallback)
    if generation.number != newest:
        theme.show_html(cards.banner(f"<b>You see data version {generation.number}.</b> The newest is {newest}."))
        st.button("Show newest data", on_click=unpin)
    link = live_refresh.link_to(generation.number)
    chosen = filters.bar(
        status.options,
        as_of=as_of.date(),
        first=first,
        last=status.last_day or first,
        shown=narrowing(),
        link=link,
    )
    address.store_choice(chosen)
    quality_marks.load_marks(generation.number)
    notes.forget()
    page.run()
    with st.session_state["_pdf"]:
        page_pdf.button(entry, generation.number)
    with st.sidebar:
        live_refresh.data_badge(newest, status.data_as_of)
        sign_out()
    messages.remove_shown()


def sign_out() -> None:
    """Draw the signed-in person, and the button that ends the sign-in."""
    named = access.signed_in()
    if named is None:
        return
    theme.show_html(f'<div class="bv-side"><p><b>{formatting.html(named[0])}</b></p><p>Role: {allowed.role}</p></div>')
    if read_settings().mode is Mode.OIDC and st.button("Sign out", icon=":material/logout:", key="sign_out"):
        st.logout()


def show_error(error: BuyerviewError) -> None:
    """Draw the page of an error. It refreshes once newer data can be read."""
    head()
    with theme.card("error"):
        theme.show_html(cards.empty("Buyerview cannot show this page", error_text(error)))
    with st.sidebar:
        live_refresh.data_badge(published.number if published else None, None)


try:
    if failure is not None:
        raise failure
    if published is None:
        st.session_state.pop("_generation", None)
        head()
        page.run() if entry.without_data else nothing_published()
        with st.sidebar:
            live_refresh.data_badge(None, None)
    else:
        shown = pinned(published)
        with latency.measured(), queries.reading_as(allowed.scope), queries.one_generation(shown.number):
            run(shown, published.number)
except GenerationGone as gone:
    if "_pin" not in st.session_state:  # removed between two reads; the newest exists
        st.rerun()
    head()
    with theme.card("gone"):
        kept = ", ".join(map(str, gone.kept)) or "none"
        theme.show_html(
            cards.empty("This data version has been deleted", f"Version {gone.number} is not kept. Available: {kept}.")
        )
        st.button("Show newest data", on_click=unpin, type="primary")
except (WarehouseUnreachable, StorageFailed) as error:
    # The server may have restarted in the middle of the page: draw the page once more before showing an error.
    if not st.session_state.pop("_retried", False):
        st.session_state["_retried"] = True
        st.rerun()
    show_error(error)
except AccessEnded as error:  # since the page began
    no_access(error)
except BuyerviewError as error:
    show_error(error)
else:
    st.session_state.pop("_retried", None)
