"""The definition ladder: the same orders under ever stricter definitions of good, most lenient first.

Each rung keeps the tests of the rungs above it and adds one; denominators only grow, so rates cannot rise. Source:
rules, section 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from metrics.facts.mapped_columns import mapped
from metrics.model.statistics import divide, wilson
from metrics.policy import Anchor, Policy, Timing
from metrics.queries.what_if import Row, View, judge_under

Verdict = bool | None


@dataclass(frozen=True)
class Rung:
    """One definition: what it adds, and which orders it is out of."""

    name: str
    adds: str
    base: str
    needs: tuple[tuple[str, ...], ...] = ()
    """Each group: one of these "feed.column"s must be mapped, else the rung is skipped by name."""


_PROMISE = ("orders.promised_by", "order_lines.promised_by")
_REQUEST = ("orders.requested_by", "order_lines.requested_by")
_DAMAGE = ("shipment_lines.damaged_qty", "invoices.credit_reason", "returns.reason")
RUNGS = (
    Rung("L1", "received by the current promise and three days", "arrived orders", (_PROMISE,)),
    Rung("L2", "no tolerance", "arrived orders", (_PROMISE,)),
    Rung("L3", "the first promise instead of the current one", "arrived orders", (_PROMISE,)),
    Rung("L4", "overdue, never arrived, blamed cancellations fail too", "all judged", (_PROMISE,)),
    Rung("L5", "the requested date instead of the promised one", "all judged", (_REQUEST,)),
    Rung("L6", "complete: on time in full as the buyer asked", "all judged", (_REQUEST,)),
    Rung("L7", "filled accurately", "all judged"),
    Rung("L8", "damage free", "all judged", (_DAMAGE,)),
    Rung(
        "L9", "billed accurately: the perfect order as the buyer asked", "all judged", (("invoice_lines.line_amount",),)
    ),
    Rung("L10", "excused buyer cancellations count as failures too", "judged and excused"),
)


@dataclass(frozen=True)
class Level:
    """One rung with its figures; `skipped` names what it lacks instead."""

    rung: Rung
    numerator: int = 0
    denominator: int = 0
    skipped: str | None = None

    @property
    def value(self) -> float | None:
        """The rate; None where there is nothing to divide."""
        return divide(self.numerator, self.denominator)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % Wilson interval."""
        return wilson(self.numerator, self.denominator)


@dataclass(frozen=True)
class Ladder:
    """The rungs on the orders known on every rung shown. dropped: orders in view left out because some rung cannot
    tell.
    """

    steps: tuple[Level, ...]
    orders: int
    dropped: int


@dataclass(frozen=True)
class Findings:
    """The single tests of one order: true, false or unknown."""

    arrived: bool
    excused: bool
    """The buyer cancelled all of it in time."""
    cut: bool
    """The buyer cancelled some of it in time."""
    by_current_and_three_days: Verdict
    by_current: Verdict
    by_first: Verdict
    by_request: Verdict
    complete: Verdict
    filled_accurately: Verdict
    damage_free: Verdict
    billed_accurately: Verdict


def available_rungs(found: Findings) -> dict[str, tuple[bool, Verdict]]:
    """For each rung whether the order is in its base, and whether it passes: the AND of the rung's test and all above
    it (P3).

    An excused order (the buyer cancelled all of it in time) stands on the last rung alone, as a failure.
    """
    added: dict[str, Verdict] = {
        "L1": found.by_current_and_three_days,
        "L2": found.by_current,
        "L3": found.by_first,
        "L4": True,  # only the base grows: what never arrived has failed the tests above
        "L5": found.by_request,
        "L6": found.complete,
        "L7": found.filled_accurately,
        "L8": found.damage_free,
        "L9": found.billed_accurately,
        "L10": not found.cut,
    }
    places: dict[str, tuple[bool, Verdict]] = {}
    passes: Verdict = True
    for name, verdict in added.items():
        inside = (found.arrived or name not in ("L1", "L2", "L3")) and (not found.excused or name == "L10")
        passes = _and(passes, verdict) if not found.excused else False
        places[name] = (inside, passes)
    return places


def _and(one: Verdict, other: Verdict) -> Verdict:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def definition_ladder(connection: Connection, *, view: View | None = None, policy: Policy | None = None) -> Ladder:
    """The ladder over the orders in view, under a policy's own timing (WINDOW's early test joins at L5); the strict one
    by default.
    """
    base = policy or Policy()
    deadline = Policy(under_tolerance_share=base.under_tolerance_share, receipt_event=base.receipt_event)
    current = Policy(**{**vars(deadline), "anchor": Anchor.CURRENT_PROMISE})
    lenient = Policy(**{**vars(current), "late_tolerance_days": 3})
    request = Policy(
        **{
            **vars(deadline),
            "anchor": Anchor.REQUESTED,
            "timing": base.timing,
            "over_tolerance_share": base.over_tolerance_share,
        }
    )
    if base.timing is Timing.WINDOW:
        request = Policy(
            **{
                **vars(request),
                "early_tolerance_days": base.early_tolerance_days,
                "early_tolerance_hours": base.early_tolerance_hours,
            }
        )
    verdicts = ("on_time", "complete", "filled_accurately", "damage_free", "billed_accurately")
    columns = ("state", "order_type", "settled_at", "ordered_qty", "owed_qty", *verdicts)
    known = mapped(connection)
    lacking = {rung.name: _lacks(rung, known) for rung in RUNGS}
    shown = [rung for rung in RUNGS if not lacking[rung.name]]
    numerators, denominators = dict.fromkeys(lacking, 0), dict.fromkeys(lacking, 0)
    orders = dropped = 0
    for strict, (late3, now, asked) in judge_under(connection, (lenient, current, request), view or View(), columns):
        found = _findings(strict, late3, now, asked, lacking)
        if found is None:
            continue
        places = available_rungs(found)
        if any(places[rung.name][0] and places[rung.name][1] is None for rung in shown):
            dropped += 1
            continue
        orders += 1
        for rung in shown:
            inside, passes = places[rung.name]
            denominators[rung.name] += inside
            numerators[rung.name] += inside and passes is True
    steps = [
        Level(rung, skipped=lacking[rung.name])
        if lacking[rung.name]
        else Level(rung, numerators[rung.name], denominators[rung.name])
        for rung in RUNGS
    ]
    return Ladder(tuple(steps), orders, dropped)


def _lacks(rung: Rung, known: frozenset[str]) -> str | None:
    missing = [group for group in rung.needs if not set(group) & known]
    return f"no data: {' or '.join(missing[0])}" if missing else None


def _findings(strict: Row, late3: Row, now: Row, asked: Row, lacking: Mapping[str, str | None]) -> Findings | None:
    """The tests of an order in view; None for one that is neither judged nor excused by its buyer. A rung that is
    skipped tests nothing.
    """
    cut = strict["owed_qty"] < strict["ordered_qty"]
    excused = strict["state"] == "excluded" and strict["order_type"] == "sale" and cut
    if not excused and any(row["state"] != "judged" for row in (strict, late3, now, asked)):
        return None

    def of(rung: str, verdict: Verdict) -> Verdict:
        return True if lacking[rung] else verdict

    return Findings(
        arrived=strict["settled_at"] is not None,
        excused=excused,
        cut=cut,
        by_current_and_three_days=of("L1", late3["on_time"]),
        by_current=of("L2", now["on_time"]),
        by_first=of("L3", strict["on_time"]),
        by_request=of("L5", asked["on_time"]),
        complete=of("L6", asked["complete"]),
        filled_accurately=of("L7", asked["filled_accurately"]),
        damage_free=of("L8", asked["damage_free"]),
        billed_accurately=of("L9", asked["billed_accurately"]),
    )
