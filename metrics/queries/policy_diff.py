"""Policy diff: the orders whose verdict changes between two policies, and the policy key that changes it.

Both policies judge the same orders of the same generation at the same instant.

Source: docs/rules.md, Policy diff.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from sqlalchemy import Connection

from metrics.facts.mapped_columns import mapped
from metrics.policy import STRICT, Anchor, Policy
from metrics.queries.what_if import View, judge_under
from metrics.schema import Row

VERDICTS = ("on_time", "complete", "otif", "damage_free", "filled_accurately", "billed_accurately", "perfect_order")
COMBINED = "only together"
"""Rule of an order whose verdict no single key changes."""

Verdict = bool | None


@dataclass(frozen=True)
class Flip:
    """One order whose verdict differs: both verdicts, the keys that change it alone, and both reasons for not being
    true.
    """

    order_id: str
    before: Verdict
    after: Verdict
    rule: str
    reason_before: str | None
    reason_after: str | None


@dataclass(frozen=True)
class Diff:
    """Two policies compared on the orders judged under both.

    judged: orders judged under both. only_first, only_other: orders judged under one policy only (not compared).
    numerators: orders that are true under each policy; denominators: true or false. counts: orders per pair of
    verdicts, unchanged ones included. An order that becomes unknown is counted there and is no flip. no_data: the
    reason why nothing can be compared.
    """

    verdict: str
    keys: tuple[str, ...]
    judged: int
    only_first: int
    only_other: int
    numerators: tuple[int, int]
    denominators: tuple[int, int]
    counts: dict[tuple[Verdict, Verdict], int]
    flips: list[Flip]
    no_data: str | None = None

    @property
    def unknown(self) -> tuple[int, int]:
        """Return the orders whose verdict is unknown under each policy."""
        return self.judged - self.denominators[0], self.judged - self.denominators[1]

    @property
    def became_unknown(self) -> int:
        """Return the orders whose verdict is known under the first policy only."""
        return sum(number for (before, after), number in self.counts.items() if before is not None and after is None)


_TIMED = ("on_time", "otif", "perfect_order")
"""Verdicts that need the anchor date."""
_ANCHOR_COLUMN = {
    Anchor.REQUESTED: "requested_by",
    Anchor.FIRST_PROMISE: "promised_by",
    Anchor.CURRENT_PROMISE: "promised_by",
}


def state_of(verdict: str) -> str:
    """Return the column with the state that a verdict goes by. Source: R17 (services and fees)."""
    return "billing_state" if verdict == "billed_accurately" else "state"


def changed_keys(first: Policy, other: Policy) -> tuple[str, ...]:
    """Return the policy keys in which two policies differ."""
    return tuple(field.name for field in fields(Policy) if getattr(first, field.name) != getattr(other, field.name))


def policy_diff(
    connection: Connection, other: Policy, *, first: Policy = STRICT, verdict: str = "otif", view: View | None = None
) -> Diff:
    """Compare two policies order by order. Raises ValueError for a verdict that is not in VERDICTS."""
    if verdict not in VERDICTS:
        raise ValueError(f"unknown verdict {verdict!r}: use one of {', '.join(VERDICTS)}")
    keys = changed_keys(first, other)
    if missing := _missing_anchor(connection, (first, other), verdict, keys):
        return Diff(verdict, keys, 0, 0, 0, (0, 0), (0, 0), {}, [], no_data=f"no data: {missing}")
    # One policy per changed key, to name the rule that flips an order. A single key is the other policy itself.
    single = [replace(first, **{key: getattr(other, key)}) for key in keys] if len(keys) > 1 else []
    state = state_of(verdict)
    columns = (state, verdict, *([f"{verdict}_reason"] if verdict != "perfect_order" else []))
    strict_first = first == STRICT
    policies = [*([] if strict_first else [first]), other, *single]
    counts: Counter[tuple[Verdict, Verdict]] = Counter()
    flips: list[Flip] = []
    only_first = only_other = 0
    for stored, rejudged, number in judge_under(connection, policies, view or View(), columns):
        before, after, alone = (
            (stored, rejudged[0], rejudged[1:]) if strict_first else (rejudged[0], rejudged[1], rejudged[2:])
        )
        states = before[state] == "judged", after[state] == "judged"
        if states != (True, True):
            only_first += number if states == (True, False) else 0
            only_other += number if states == (False, True) else 0
            continue
        counts[before[verdict], after[verdict]] += number
        if before[verdict] is not after[verdict] and after[verdict] is not None:
            flips.append(_flip(stored["order_id"], verdict, before, after, keys, alone))
    found = Diff(
        verdict=verdict,
        keys=keys,
        judged=sum(counts.values()),
        only_first=only_first,
        only_other=only_other,
        numerators=(_count(counts, 0, True), _count(counts, 1, True)),
        denominators=(
            _count(counts, 0, True) + _count(counts, 0, False),
            _count(counts, 1, True) + _count(counts, 1, False),
        ),
        counts=dict(counts),
        flips=flips,
    )
    if found.denominators[0] and not found.denominators[1]:
        return replace(found, flips=[], no_data="no data: under the other policy every verdict is unknown")
    return found


def _missing_anchor(
    connection: Connection, policies: Sequence[Policy], verdict: str, keys: Sequence[str]
) -> str | None:
    """Return the column of an anchor date that no source maps, if the comparison needs it."""
    if verdict not in _TIMED and "anchor" not in keys:
        return None
    columns = {name.partition(".")[2] for name in mapped(connection) if name.startswith(("orders.", "order_lines."))}
    wanted = (_ANCHOR_COLUMN[policy.anchor] for policy in policies)
    return next((column for column in wanted if column not in columns), None)


def _count(counts: Counter[tuple[Verdict, Verdict]], side: int, verdict: Verdict) -> int:
    return sum(number for pair, number in counts.items() if pair[side] is verdict)


def _flip(order_id: str, verdict: str, before: Row, after: Row, keys: Sequence[str], alone: Sequence[Row]) -> Flip:
    rules = (
        [
            key
            for key, row in zip(keys, alone, strict=True)
            if row[state_of(verdict)] == "judged" and row[verdict] is after[verdict]
        ]
        if alone
        else list(keys)
    )
    reason = f"{verdict}_reason"
    return Flip(
        order_id,
        before[verdict],
        after[verdict],
        ", ".join(rules) or COMBINED,
        before.get(reason),
        after.get(reason),
    )
