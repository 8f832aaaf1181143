"""Definition ladder: the same orders under stricter and stricter definitions of a good order.

Each rung keeps the tests of the rungs above it and adds one. From rung to rung, passed orders only fall and failed
orders only grow, so rates cannot rise. An order fails a rung as soon as one of its tests fails, whatever the others
are. A rung without its data is skipped. A missing date never drops a test: without a requested date the later tests
are judged by the first promise.

Source: docs/rules.md, Definition ladder.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, FromClause, and_, case, false, func, or_, select

from metrics.facts.anchor_dates import anchor_facts_table
from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import order_facts_table
from metrics.model.point import share_answer
from metrics.model.question import Answer
from metrics.model.statistics import wilson
from metrics.policy import STRICT, Anchor, Policy, Timing
from metrics.queries.affected_orders import changed_by_later_promise, other_tests_changed_by_request
from metrics.queries.what_if import View, judge_under, judged_again
from metrics.schema import Row
from metrics.sql.dialects import Expression, Rows

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
class Judged:
    """The values of an order under the strict policy and the policies of L1, L2 and L5, and the number of such orders.

    strict: also `order_type`, `arrived` (all its goods settled) and `cut` (the buyer cancelled a part in time).
    """

    strict: Row
    three_days: Row
    current: Row
    by_request: Row
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
        _by_facts(connection, seen, policies, has_request=has_request)
        if is_strict
        else _by_judging(connection, seen, policies)
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


def _by_facts(
    connection: Connection, view: View, policies: tuple[Policy, Policy, Policy], *, has_request: bool
) -> Iterator[Judged]:
    """Yield the orders in view by the verdicts of the fact tables. Equal orders are counted together.

    The fact tables have the verdicts by every date. Only two kinds of orders are judged again: those that the tolerance
    of L1 can change, and those of which the requested date can change another test than `on_time`.
    """
    three_days, _, by_request = policies
    by_tolerance = changed_by_later_promise(connection, three_days)
    rows = _rows_of_facts(view, by_tolerance, has_request=has_request).subquery("in_view")
    order_id = case((or_(rows.c.judge_three_days, rows.c.judge_by_request), rows.c.order_id))
    values = [column for column in rows.c if column.name != "order_id"]
    grouped = select(order_id, func.count(), *values).group_by(order_id, *values)
    found = connection.execute(grouped).all()
    names = [column.name for column in values]
    flagged = {
        flag: [row[0] for row in found if row[2 + names.index(flag)]]
        for flag in ("judge_three_days", "judge_by_request")
    }
    later = judged_again(connection, three_days, flagged["judge_three_days"], _TIMING)
    requested = judged_again(connection, by_request, flagged["judge_by_request"], (*_TIMING, *_OTHER_TESTS))
    equal: Counter[tuple[Any, ...]] = Counter()  # Any: values of any column
    for one, orders, *stored in found:
        equal[tuple(stored), later.get(one), requested.get(one)] += orders
    for (stored, three, request), orders in equal.items():
        yield _judged(dict(zip(names, stored, strict=True)), three, request, orders)


_TIMING = ("state", "on_time")
_OTHER_TESTS = ("complete", "filled_accurately", "damage_free", "billed_accurately")


def _rows_of_facts(view: View, by_tolerance: Rows, *, has_request: bool) -> Rows:
    """Select the sale orders in view with their stored verdicts, and flags for those to judge again.

    by_tolerance: the orders that L1 may judge differently.
    """
    o, a = order_facts_table.c, anchor_facts_table.c
    requested = (a.state_requested, a.on_time_requested) if has_request else (o.state, o.on_time)
    all_judged = and_(*[state == "judged" for state in (o.state, a.state_current, requested[0])])
    tolerance = by_tolerance.subquery("orders_by_tolerance")
    tables: FromClause = order_facts_table.join(anchor_facts_table, a.order_id == o.order_id)
    tables = tables.outerjoin(tolerance, tolerance.c.order_id == o.order_id)
    by_request: Expression = false()
    if has_request:
        tests = other_tests_changed_by_request().subquery("orders_by_request")
        tables = tables.outerjoin(tests, tests.c.order_id == o.order_id)
        by_request = and_(all_judged, tests.c.order_id.is_not(None))
    return (
        select(
            *(o.order_id, o.state, o.order_type, o.on_time, *[o[name] for name in _OTHER_TESTS]),
            o.settled_at.is_not(None).label("arrived"),
            (o.owed_qty < o.ordered_qty).label("cut"),
            *(a.state_current, a.on_time_current),
            *(requested[0].label("state_requested"), requested[1].label("on_time_requested")),
            and_(all_judged, tolerance.c.order_id.is_not(None)).label("judge_three_days"),
            by_request.label("judge_by_request"),
        )
        .select_from(tables)
        .where(*view.conditions())
    )


def _judged(
    row: Row, three_days: tuple[Any, ...] | None, by_request: tuple[Any, ...] | None, orders: int
) -> Judged:  # Any: values of any column
    """Return the values of a row of `_rows_of_facts`. Values that were judged again replace the stored ones."""
    current = {"state": row["state_current"], "on_time": row["on_time_current"]}
    requested = row | {"state": row["state_requested"], "on_time": row["on_time_requested"]}
    return Judged(
        strict=row,
        three_days=current if three_days is None else dict(zip(_TIMING, three_days, strict=True)),
        current=current,
        by_request=requested if by_request is None else dict(zip((*_TIMING, *_OTHER_TESTS), by_request, strict=True)),
        orders=orders,
    )


def _by_judging(connection: Connection, view: View, policies: Sequence[Policy]) -> Iterator[Judged]:
    """Yield the orders in view, judged again under every policy."""
    columns = ("state", "order_type", "settled_at", "ordered_qty", "owed_qty", "on_time", *_OTHER_TESTS)
    for strict, (three_days, current, by_request), orders in judge_under(connection, policies, view, columns):
        own = {"arrived": strict["settled_at"] is not None, "cut": strict["owed_qty"] < strict["ordered_qty"]}
        yield Judged(strict | own, three_days, current, by_request, orders)


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
