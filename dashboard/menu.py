"""The pages in the menu's order. A page is one file under `pages/` and one entry here; a test finds a file this list lacks."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

FOLDER = Path(__file__).resolve().parent.parent / "pages"
"""Beside `dashboard` both in the source tree and where the wheel is installed."""


@dataclass(frozen=True)
class Entry:
    """One page of the menu; `filtered`: the filter bar stands above it."""

    file: str
    title: str
    icon: str
    path: str
    says: str
    filtered: bool = True


ENTRIES = (
    Entry("scorecard.py", "Scorecard", ":material/speed:", "", "Is service good? For whom not, since when, and why?"),
    Entry("failed_orders.py", "Failed orders", ":material/error:", "failed-orders", "Orders that failed the buyer, and each one's story."),
    Entry("export.py", "Export", ":material/download:", "export", "Any measure by any dimension, as CSV, Excel, Parquet or JSON."),
    Entry("data_quality.py", "Data quality", ":material/verified:", "data-quality", "Runs, checks, what was rejected and why.", filtered=False),
    Entry("definitions.py", "Definitions", ":material/menu_book:", "definitions", "What every number means.", filtered=False),
)


def pages() -> dict[str, st.Page]:  # type: ignore[valid-type]  # st.Page is a class with a lower-case home
    """The pages by path, for the menu and for links. (The menu is flat: a sectioned one breaks list markup in Streamlit 1.67.)"""
    return {
        entry.path: st.Page(
            FOLDER / entry.file, title=entry.title, icon=entry.icon, default=not entry.path, url_path=entry.path or None, help=entry.says
        )
        for entry in ENTRIES
    }


def entry(title: str) -> Entry:
    """The entry of a page by its title."""
    return next(one for one in ENTRIES if one.title == title)


def link(path: str, label: str, *, query: dict[str, str] | None = None) -> None:
    """A link to another page, with the filters as they are."""
    st.page_link(st.session_state["_pages"][path], label=label, icon=":material/arrow_forward:", icon_position="right", query_params=query)
