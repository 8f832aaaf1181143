"""Titles of the five tests, words for reason codes, and texts without internal names."""

import re
from functools import cache

from dashboard.components import formatting
from metrics.facts.assumptions import ASSUMPTIONS
from metrics.measures.catalog import MEASURES
from metrics.model.dimensions import DIMENSIONS, OWN_DIMENSIONS
from metrics.schema import FEEDS

TITLES = {
    "on_time": "On time",
    "complete": "Complete",
    "damage_free": "Damage free",
    "filled_accurately": "Filled accurately",
    "billed_accurately": "Billed accurately",
}

REASONS = {
    "late": "Late",
    "never_received": "Never arrived",
    "too_early": "Arrived too early",
    "short": "Incomplete",
    "damaged": "Arrived damaged",
    "damage_credit": "Credited for damage",
    "returned_damaged": "Returned as damaged",
    "wrong_item": "Wrong product",
    "wrong_place": "Wrong place",
    "over_shipped": "More than ordered",
    "returned_wrong": "Returned as the wrong goods",
    "billed_quantity": "Wrong quantity billed",
    "billed_price": "Wrong price billed",
    "billed_amount": "Billed amount does not add up",
    "billed_tax": "Wrong tax billed",
    "billed_terms": "Wrong payment terms billed",
    "billed_party": "Billed to the wrong party",
    "billed_currency": "Billed in the wrong currency",
    "billed_late": "Billed too late",
    "not_billed": "Never billed",
    "reversed": "Invoice reversed",
    "billing_credit": "Credited for a billing error",
}
"""Words for the reason codes of failed tests."""

_COLUMNS = frozenset(column.name for feed in FEEDS.values() for column in feed.table.c)

UNKNOWNS = {
    "no_feed": "unknown: no feed has the evidence. Map the feed to see this",
    "no_evidence": "unknown: evidence is missing",
    "not_yet_due": "not judged: not due yet",
    "no_anchor": "unknown: the order has neither a promised nor a requested date",
    "nothing_received": "not tested: nothing was received",
    "quarantined": "unknown: a record of this order is in quarantine (see Data quality)",
}


def reason(code: str | None) -> str:
    """Return the words for a reason code, also for a code that is not listed here."""
    return REASONS.get(code or "", formatting.in_words(code or "unknown"))


def in_plain_words(text: str) -> str:
    """Return a text with titles of measures and assumptions, and words for feeds, dimensions and columns.

    What a user writes in a mapping file stays as it is: "invoices.due_on" and "[order_lines]".
    """
    return re.sub(r"(?<![\w.\[/])[a-z]+(?:_[a-z0-9]+)+(?![\w.]*\w)", lambda found: _words_of(found[0]), text)


def column_in_words(feed: str, column: str | None) -> str:
    """Return a column with its feed as words: "Order lines, unit price". Without a column, only the feed."""
    return formatting.in_words(feed) + (f", {column.replace('_', ' ')}" if column else "")


@cache
def _words_of(name: str) -> str:
    words = name.replace("_", " ")
    if name in {*FEEDS, *DIMENSIONS, *OWN_DIMENSIONS}:  # a feed before the measure of the same name
        return words
    titled = MEASURES.get(name) or ASSUMPTIONS.get(name)
    if titled is not None:
        return f"“{titled.title.partition(';')[0]}”"
    return f"“{words}”" if name in _COLUMNS else name
