"""Reason codes of failed and unknown tests, in words."""

from dashboard.components import formatting

TITLES = {
    "on_time": "On time",
    "complete": "Complete",
    "damage_free": "Damage free",
    "filled_accurately": "Filled accurately",
    "billed_accurately": "Billed accurately",
}

REASONS = {
    "late": "Arrived late",
    "never_received": "Never arrived",
    "too_early": "Arrived too early",
    "short": "Not all of it came",
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
    "reversed": "Invoice taken back",
    "billing_credit": "Credited for a billing error",
}
"""Reason codes of the facts in a reader's words."""

UNKNOWNS = {
    "no_feed": "not known: no feed brings the evidence. Map the feed to see this",
    "no_evidence": "not known yet: the proof is missing",
    "not_yet_due": "not judged yet: it is not due",
    "no_anchor": "not known: neither a promise nor a request says when it was due",
    "nothing_received": "not tested: nothing was received",
    "quarantined": "not known: a record of this order is in quarantine (see Data quality)",
}


def reason(code: str | None) -> str:
    """A reason code in words, whether known here or not."""
    return REASONS.get(code or "", formatting.in_words(code or "unknown"))
