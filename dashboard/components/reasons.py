"""Titles of the five tests, words for reason codes, and texts without internal names."""

import re
from functools import cache

from dashboard.components import formatting
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
    """Return a text with titles of measures, and words for feeds and dimensions, in place of their names.

    The names of columns, such as "invoices.due_on", stay, because mapping files have them.
    """
    return re.sub(r"(?<![\w.])[a-z]+(?:_[a-z0-9]+)+(?![\w.]*\w)", lambda found: _words_of(found[0]), text)


@cache
def _words_of(name: str) -> str:
    if name in MEASURES:
        return f"“{MEASURES[name].title}”"
    return name.replace("_", " ") if name in {*FEEDS, *DIMENSIONS, *OWN_DIMENSIONS} else name
