"""Definition ladder: the same orders under stricter and stricter definitions of a good order.

Each rung keeps the tests of the rungs above it and adds one. From rung to rung, passed orders only fall and failed
orders only grow, so rates cannot rise. An order fails a rung as soon as one of its tests fails, whatever the others
are. A rung without its data is skipped. A missing date never drops a test: without a requested date the later tests
are judged by the first promise.

Source: docs/rules.md, Definition ladder.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from metrics.facts.mapped_columns import mapped
from metrics.model.point import share_answer
from metrics.model.question import Answer
from metrics.model.statistics import wilson
from metrics.policy import STRICT, Anchor, Policy, Timing
from metrics.queries.ladder_orders import Judged, by_facts, by_judging
from metrics.queries.what_if import View

Verdict = bool | None


@dataclass(frozen=True)
class Rung:
    """One definition: the test it adds and the orders it is a share of."""

    name: str
    adds: str
    base: str
    needs: tuple[tuple[str, ...], ...] = ()
    """Groups of "feed.column". At least one column of each group must be mapped, or the rung is skipped."""


_PROMISE = ("orders.promised_by", "order_lines.promised_by")
_REQUEST = ("orders.requested_by", "order_lines.requested_by")
_DAMAGE = ("shipment_lines.damaged_qty", "invoices.credit_reason", "returns.reason")
RUNGS = (
    Rung("L1", "received by the current promise and three days", "arrived orders", (_PROMISE,)),
    Rung("L2", "no tolerance", "arrived orders", (_PROMISE,)),
    Rung("L3", "the first promise instead of the current one", "arrived orders", (_PROMISE,)),
    Rung("L4", "overdue, never arrived, blamed cancellations fail too", "all judged", (_PROMISE,)),
    Rung("L5", "the requested date instead of the promised one", "all judged", (_REQUEST,)),
    Rung("L6", "complete: on time in full as the buyer asked", "all judged"),
    Rung("L7", "filled accurately", "all judged"),
    Rung("L8", "damage free", "all judged", (_DAMAGE,)),
    Rung(
        "L9", "billed accurately: the perfect order as the buyer asked", "all judged", (("invoice_lines.line_amount",),)
    ),
    Rung("L10", "excused buyer cancellations count as failures too", "judged and excused"),
)


@dataclass(frozen=True)
class Level:
    """One rung with its figures. `skipped` names the data it lacks instead.

    numerator: orders that pass; denominator: orders that pass or fail; unknown: the others of its base.
    """

    rung: Rung
    numerator: int = 0
    denominator: int = 0
    unknown: int = 0
    skipped: str | None = None

    @property
    def answer(self) -> Answer:
        """The share of passed orders, judged like any combined measure. Source: P7 (point, coverage and range)."""
        blank = Answer({}, None, self.rung.name, None)
        return share_answer(blank, self.numerator, self.denominator, self.unknown, combined=True)

    @property
    def value(self) -> float | None:
        """The rate, or None if the base is empty or its range replaces the rate."""
        return None if self.answer.value is None else float(self.answer.value)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % Wilson interval of the rate."""
        return None if self.value is None else wilson(self.numerator, self.denominator)


@dataclass(frozen=True)
class Ladder:
    """The rungs, and the number of orders in view that are judged or excused."""

    steps: tuple[Level, ...]
    orders: int


@dataclass(frozen=True)
class Findings:
    """The single tests of one order: true, false or unknown."""

    arrived: bool
    excused: bool
    """The buyer cancelled the whole order in time."""
    cut: bool
    """The buyer cancelled a part of the order in time."""
    by_current_and_three_days: Verdict
    by_current: Verdict
    by_first: Verdict
    by_request: Verdict
    complete: Verdict
    filled_accurately: Verdict
    damage_free: Verdict
    billed_accurately: Verdict


def available_rungs(findings: Findings) -> dict[str, tuple[bool, Verdict]]:
    """Return for each rung whether the order is in its base, and whether it passes: its test and all tests above (P3).

    An excused order is in the base of the last rung only, as a failure.

    Source: P3 (three values).
    """
    added: dict[str, Verdict] = {
        "L1": findings.by_current_and_three_days,
        "L2": findings.by_current,
        "L3": findings.by_first,
        "L4": True,  # only the base grows: orders that never arrived failed the tests above
        "L5": findings.by_request,
        "L6": findings.complete,
        "L7": findings.filled_accurately,
        "L8": findings.damage_free,
        "L9": findings.billed_accurately,
        "L10": not findings.cut,
    }
    rungs: dict[str, tuple[bool, Verdict]] = {}
    passes: Verdict = True
    for name, verdict in added.items():
        in_base = (findings.arrived or name not in ("L1", "L2", "L3")) and (not findings.excused or name == "L10")
        passes = _and(passes, verdict) if not findings.excused else False
        rungs[name] = (in_base, passes)
    return rungs


def _and(one: Verdict, other: Verdict) -> Verdict:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def definition_ladder(connection: Connection, *, view: View | None = None, policy: Policy | None = None) -> Ladder:
    """Return the ladder of the orders in view.

    policy: its tolerances, receipt event and timing apply; the early test of WINDOW joins at L5. Default: the strict
    policy.
    """
    known = mapped(connection)
    lacking = {rung.name: _lacks(rung, known) for rung in RUNGS}
    counts = {rung.name: Counter[Verdict]() for rung in RUNGS}
    orders = 0
    has_request, seen = not lacking["L5"], view or View()
    policies = _policies(policy or STRICT, has_request=has_request)
    is_strict = policies == _policies(STRICT, has_request=has_request)
    of_view = (
        by_facts(connection, seen, policies, has_request=has_request)
        if is_strict
        else by_judging(connection, seen, policies)
    )
    for judged in of_view:
        findings = _findings(judged, lacking)
        if findings is None:
            continue
        orders += judged.orders
        for name, (in_base, passes) in available_rungs(findings).items():
            if in_base:
                counts[name][passes] += judged.orders
    return Ladder(
        tuple(
            Level(rung, skipped=lacking[rung.name])
            if lacking[rung.name]
            else Level(_worded(rung, lacking), count[True], count[True] + count[False], count[None])
            for rung in RUNGS
            for count in (counts[rung.name],)
        ),
        orders,
    )


def _policies(base: Policy, *, has_request: bool) -> tuple[Policy, Policy, Policy]:
    """Return the policies of L1, of L2, and of L5 and later. Without a request, the last has the first promise."""
    deadline = Policy(under_tolerance_share=base.under_tolerance_share, receipt_event=base.receipt_event)
    current = replace(deadline, anchor=Anchor.CURRENT_PROMISE)
    request = replace(
        deadline,
        anchor=Anchor.REQUESTED if has_request else Anchor.FIRST_PROMISE,
        timing=base.timing,
        over_tolerance_share=base.over_tolerance_share,
    )
    if base.timing is Timing.WINDOW:
        request = replace(
            request, early_tolerance_days=base.early_tolerance_days, early_tolerance_hours=base.early_tolerance_hours
        )
    return replace(current, late_tolerance_days=3), current, request


def _worded(rung: Rung, lacking: Mapping[str, str | None]) -> Rung:
    """Return a rung whose text claims only the tests that the ladder has."""
    claims_request, claims_all = lacking["L5"] is None, not any(lacking.values())
    if rung.name == "L6" and not claims_request:
        return replace(rung, adds="complete: on time in full" if not lacking["L3"] else "complete")
    return replace(rung, adds="billed accurately") if rung.name == "L9" and not claims_all else rung


def _lacks(rung: Rung, known: frozenset[str]) -> str | None:
    missing = [group for group in rung.needs if not set(group) & known]
    return f"no data: {' or '.join(missing[0])}" if missing else None


def _findings(judged: Judged, lacking: Mapping[str, str | None]) -> Findings | None:
    """The tests of an order in view; None if it is neither judged nor excused.

    A skipped rung counts as passed. If L5 is skipped, its early test joins at L6.
    """
    strict, three_days, current, by_request = judged.strict, judged.three_days, judged.current, judged.by_request
    excused = strict["state"] == "excluded" and strict["order_type"] == "sale" and strict["cut"]
    if not excused and any(row["state"] != "judged" for row in (strict, three_days, current, by_request)):
        return None

    def unless_skipped(rung: str, verdict: Verdict) -> Verdict:
        return True if lacking[rung] else verdict

    return Findings(
        arrived=strict["arrived"],
        excused=excused,
        cut=strict["cut"],
        by_current_and_three_days=unless_skipped("L1", three_days["on_time"]),
        by_current=unless_skipped("L2", current["on_time"]),
        by_first=unless_skipped("L3", strict["on_time"]),
        by_request=unless_skipped("L5", by_request["on_time"]),
        complete=_and(by_request["complete"], by_request["on_time"] if lacking["L5"] and not lacking["L3"] else True),
        filled_accurately=unless_skipped("L7", by_request["filled_accurately"]),
        damage_free=unless_skipped("L8", by_request["damage_free"]),
        billed_accurately=unless_skipped("L9", by_request["billed_accurately"]),
    )
