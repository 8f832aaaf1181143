"""Text of an error for its card: titles in place of names, and links to what the reader may have meant."""

import difflib

from dashboard.components import formatting
from dashboard.components.reasons import in_plain_words
from dashboard.frame import links
from metrics.errors import BuyerviewError, UnknownName
from metrics.measures.catalog import MEASURES, canonical

SUGGESTED = 3
"""Measures suggested in place of an unknown one."""


def error_text(error: BuyerviewError) -> str:
    """Return the text of an error as markup. Only errors about names change their words."""
    if not isinstance(error, UnknownName):
        return formatting.html(error)
    if error.kind != "measure":
        return formatting.html(in_plain_words(str(error)))
    typed = error.name.strip().lower().replace(" ", "_")
    close = difflib.get_close_matches(typed, error.known, n=2 * SUGGESTED)  # an alias may repeat a measure
    similar = list(dict.fromkeys(map(canonical, close)))[:SUGGESTED]
    text = f"There is no measure named “{formatting.html(error.name)}”."
    if similar:
        named = "; ".join(_link(MEASURES[name].title, {"measure": name}) for name in similar)
        text += f" Did you mean: {named}?"
    return f"{text} {_link('Definitions', {})} lists all measures."


def _link(text: str, asked: dict[str, str | list[str]]) -> str:
    address = formatting.html(links.page_url("definitions", asked))
    return f'<a href="{address}" target="_self">{formatting.html(text)}</a>'
