"""The fingerprint of a number: twelve digits that change whenever anything that decided the number changes.

Source: P11 (fingerprint).
"""

import hashlib
import json
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal

from metrics.access import EVERYTHING, Scope
from metrics.model.measure import Measure
from metrics.model.question import Question
from metrics.policy import Policy

RULE_BOOK = "1"
"""Version of the rule book. A changed rule increases it, with a line in the changelog."""


def fingerprint(
    measure: Measure,
    question: Question,
    *,
    policy: Policy,
    as_of: datetime,
    generation: int,
    bucket: date | None = None,
    scope: Scope = EVERYTHING,
) -> str:
    """Return the first 12 hex digits of the SHA-256 of everything that decides one answer.

    That is: definition, policy, filters, period, instant, generation and row scope.
    """
    decided = {
        "rule_book": RULE_BOOK,
        "measure": measure.name,
        "measure_version": measure.version,
        "policy": asdict(policy),
        "by": sorted(question.by),
        "grain": question.grain,
        "start": question.start,
        "end": question.end,
        "filters": sorted((name, sorted(values)) for name, values in question.where),
        "bucket": bucket,
        "as_of": as_of,
        "generation": generation,
    }
    if scope:
        decided["scope"] = sorted((name, sorted(values)) for name, values in scope)
    if question.date is not None:
        decided["date"] = question.date
    return hashlib.sha256(canonical_text(decided).encode()).hexdigest()[:12]


def canonical_text(value: object) -> str:
    """Return JSON with sorted keys and no spaces; decimals, dates and instants as strings."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_text)


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no canonical form")
