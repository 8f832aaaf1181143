"""The menu: its pages in order, its headings, and links to pages. `menu_entries.py` lists the pages."""

from dataclasses import replace
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard.frame import access
from dashboard.frame.menu_entries import ENTRIES, Entry
from metrics.access import Access

FOLDER = Path(__file__).resolve().parents[2] / "pages"
"""Next to `dashboard`, both in the source tree and in an installed wheel."""
PAGES_ONLY = "_pages_only"
"""Session key: this run only registers the pages. A page can be chosen without a browser only after such a run."""


def in_order(*, has_data: bool) -> list[Entry]:
    """Return the entries in menu order. Without data, the pages that need none come first, in a group of their own."""
    if has_data:
        return list(ENTRIES)
    first = [entry for entry in ENTRIES if entry.without_data]
    grouped = [replace(entry, group="" if at else "Start") for at, entry in enumerate(first)]
    return [*grouped, *(entry for entry in ENTRIES if not entry.without_data)]


def _is_listed(entry: Entry, reader: Access) -> bool:
    if entry.needs is None:
        return entry.listed
    return access.signed_in() is not None and reader.may(entry.needs)


def build_pages(reader: Access, *, has_data: bool) -> dict[str, StreamlitPage]:
    """Return the pages by path, for the menu and for links. The menu lists those that the reader may open.

    The menu is a single list with headings made by `headings`, because Streamlit 1.67 breaks the list markup of a menu
    with sections.
    """
    return {
        entry.path: st.Page(
            FOLDER / entry.file,
            title=entry.title,
            icon=entry.icon,
            default=not entry.path,
            url_path=entry.path or None,
            help=entry.summary,
            visibility="visible" if _is_listed(entry, reader) else "hidden",
        )
        for entry in in_order(has_data=has_data)
    }


def headings(reader: Access, *, has_data: bool) -> str:
    """Return the style rules that put a heading above the first page of each group."""
    listed = [entry for entry in in_order(has_data=has_data) if _is_listed(entry, reader)]
    places = [(at, entry.group) for at, entry in enumerate(listed, start=1) if entry.group]
    return "".join(
        f'[data-testid="stSidebarNavItems"] > li:nth-child({at})::before{{content:"{group}"}}' for at, group in places
    )


def entry_of_file(name: str) -> Entry:
    """Return the entry of a page by the name of its file, such as "recovery"."""
    return next(entry for entry in ENTRIES if entry.file == f"{name}.py")


def entry(title: str) -> Entry:
    """Return the entry of a page by its title."""
    return next(entry for entry in ENTRIES if entry.title == title)


def link(path: str, label: str, *, query: dict[str, str] | None = None) -> None:
    """Draw a link to another page that keeps the filters."""
    st.page_link(
        st.session_state["_pages"][path],
        label=label,
        icon=":material/arrow_forward:",
        icon_position="right",
        query_params=query,
        width="content",
    )
