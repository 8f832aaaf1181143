"""Search field in the head of every page: orders, customers and products. The key `/` focuses it.

A fragment draws it, so that typing runs only the search and not the page.
"""

from itertools import groupby

import streamlit as st

from dashboard import queries
from dashboard.components import formatting, theme
from dashboard.frame import access, links
from metrics.errors import BuyerviewError
from metrics.lists.search import CUSTOMER, ORDER, PRODUCT, Match, search

HEADINGS = {ORDER: "Orders", CUSTOMER: "Customers", PRODUCT: "Products"}
LONGEST = 80
PAUSE = "250ms"
"""Pause in typing after which the search runs."""

KEYS = """<script>
if (!window.buyerviewSearch) {
  window.buyerviewSearch = true;
  const field = () => document.querySelector(".st-key-search_text input");
  document.addEventListener("keydown", event => {
    const at = event.target, typing = at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && field()) {
      event.preventDefault(); field().focus(); field().select();
    } else if (event.key === "Enter" && at === field()) {
      const until = Date.now() + 5000, open = () => {
        const found = document.querySelector(".bv-found");
        if (found && at.value.trim() && found.dataset.text === at.value.trim()) found.querySelector("a")?.click();
        else if (Date.now() < until) setTimeout(open, 50);
      };
      open();
    } else if (event.key === "Escape" && at === field()) at.blur();
  });
}
</script>"""
"""Keys: `/` focuses the field, Enter opens the first match once it belongs to the typed text, Escape leaves."""


@st.fragment
def search_field(generation: int) -> None:
    """Draw the field and, below it, the matches of the typed text."""
    with st.container(key="search", gap=None, width=320):
        typed = st.text_input(
            "Search orders, customers and products",
            key="search_text",
            max_chars=LONGEST,
            placeholder="Search order, customer, product  ( / )",
            icon=":material/search:",
            label_visibility="collapsed",
            live=PAUSE,
            autocomplete="off",
        )
        text = (typed or "").strip()
        if text:
            theme.show_html(_found(text, generation))
    with st.container(key="search_keys"):
        st.html(KEYS, unsafe_allow_javascript=True)


def url(match: Match) -> str:
    """Return the address that a match opens: timeline, page of the customer, or failed orders with the product."""
    if match.kind == ORDER:
        return links.order_story_url(match.key)
    if match.kind == CUSTOMER:
        return links.customer_url(match.key)
    return links.page_url("failed-orders", {"product": match.key})


def _found(text: str, generation: int) -> str:
    try:
        with queries.reading_as(access.current_access().scope):  # typing runs only this fragment
            matches = queries.cached(search, generation, text)
    except BuyerviewError as error:
        return f'<div class="bv bv-found" role="status"><p>{formatting.html(error)}</p></div>'
    groups = "".join(
        f"<h2>{HEADINGS[kind]}</h2><ul>{''.join(map(_item, group))}</ul>"
        for kind, group in groupby(matches, key=lambda match: match.kind)
    )
    none = "" if matches else "<p>No order, customer or product begins with this text. Check the spelling.</p>"
    return (
        f'<div class="bv bv-found" role="status" aria-label="Search results" data-text="{formatting.html(text)}">'
        f"{groups}{none}</div>"
    )


def _item(match: Match) -> str:
    small = f'<span class="bv-small">{formatting.html(match.name)}</span>' if match.name else ""
    key, address = formatting.html(match.key), formatting.html(url(match))
    return f'<li><a href="{address}" target="_self"><b>{key}</b>{small}</a></li>'
