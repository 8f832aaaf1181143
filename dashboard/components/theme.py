"""Colours, stylesheet and card container: everything that Streamlit's theme cannot express.

The colours follow the theme in use, light or dark.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

ASSETS = Path(__file__).resolve().parents[1] / "assets"

LIGHT = {
    "page": "#F4F6FA",
    "card": "#FFFFFF",
    "ink": "#172033",
    "muted": "#55607A",
    "line": "#E1E6EF",
    "track": "#DDE2EC",
    "accent": "#2450D6",
    "accent-soft": "#E4EBFD",
    "good": "#0B6B48",
    "good-soft": "#DFF4EA",
    "good-strong": "#12855B",
    "watch": "#8A4B00",
    "watch-soft": "#FDEFD6",
    "watch-strong": "#B86A00",
    "bad": "#A81F2D",
    "bad-soft": "#FCE4E6",
    "bad-strong": "#CC2F3D",
    "grey-soft": "#EDF0F5",
    "on-accent": "#FFFFFF",
    "edge": "rgb(16 24 40 / .14)",
    "shadow": "0 1px 2px rgb(16 24 40 / .05)",
}
DARK = {
    "page": "#0C121E",
    "card": "#151D2E",
    "ink": "#E6EAF3",
    "muted": "#A3AEC6",
    "line": "#27324A",
    "track": "#33405C",
    "accent": "#86A8FF",
    "accent-soft": "#1B2A52",
    "good": "#6FDBAF",
    "good-soft": "#10352B",
    "good-strong": "#3CC48D",
    "watch": "#F7BF6B",
    "watch-soft": "#3A2A10",
    "watch-strong": "#F0A53A",
    "bad": "#FF9AA2",
    "bad-soft": "#43191F",
    "bad-strong": "#F26D78",
    "grey-soft": "#1E283C",
    "on-accent": "#0C121E",
    "edge": "rgb(134 168 255 / .2)",
    "shadow": "none",
}


def is_dark() -> bool:
    """Return True if the viewer uses the dark theme."""
    return (st.context.theme.type or "light") == "dark"


def palette(is_dark: bool) -> dict[str, str]:
    """Return the colours by their meaning."""
    return DARK if is_dark else LIGHT


@lru_cache(maxsize=2)
def _sheet(is_dark: bool, more: str) -> str:
    colours = ";".join(f"--bv-{name}:{value}" for name, value in palette(is_dark).items())
    return f"<style>:root{{{colours}}}\n{(ASSETS / 'app.css').read_text()}\n{more}</style>"


def style(more: str = "") -> None:
    """Draw the style element, with the rules of `more` at its end."""
    st.html(_sheet(is_dark(), more))


@lru_cache(maxsize=1)
def _page_script() -> str:
    return f"<script>{(ASSETS / 'page.js').read_text()}</script>"


def page_script() -> None:
    """Add the script of tables, the link and the shortcuts; a page runs it once."""
    with st.container(key="page_script"):
        st.html(_page_script(), unsafe_allow_javascript=True)


def card(name: str, *, height: Literal["content", "stretch"] = "content") -> DeltaGenerator:
    """Return a bordered container, to be used in a `with` statement."""
    return st.container(border=True, key=f"card_{name}", height=height)


def room(key: str, pixels: int) -> DeltaGenerator:
    """Return a container with a least height, so that an element that the browser draws late does not move the page."""
    name = "room_" + re.sub(r"[^\w-]", "-", key, flags=re.ASCII)
    st.html(f"<style>.st-key-{name} {{ min-height: {pixels}px; }}</style>")
    return st.container(key=name)


def show_html(body: str, *, width: Literal["stretch", "content"] = "stretch") -> None:
    """Draw markup made by `cards` and `tables`, in which `formatting.html` has escaped all data."""
    if body:  # Streamlit refuses an empty text
        st.html(body, width=width)
