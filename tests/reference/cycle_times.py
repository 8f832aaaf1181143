"""The clocks of an order in plain Python: business time, the net clock, spread, the open tail, the slack ledger (R26 to
R28, R30, section 4 (c)).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from tests.reference.verdicts import (
    Judge,
    OrderJudgement,
    Promise,
    Row,
    day_ends,
    day_starts,
    event,
    local_day,
    shifted,
)

Interval = tuple[datetime, datetime]

STEPS = range(2, 12)
"""The order-to-cash steps that have a budget: from entering the order to receiving it at the customer's."""
MIN_N = 20


def overlap(one: Interval, other: Interval) -> timedelta:
    return max(timedelta(0), min(one[1], other[1]) - max(one[0], other[0]))


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time as intervals that do not meet, so that nothing is counted twice."""
    whole: list[Interval] = []
    for begins, ends in sorted(intervals):
        if whole and begins <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(whole[-1][1], ends))
        elif ends > begins:
            whole.append((begins, ends))
    return whole


def business_time(clock: Interval, calendars: Sequence[Row], names: Sequence[str], zone: str) -> timedelta | None:
    """The open hours inside an interval by the first of these calendars that exists (R26); None where it does not name
    every local day of it.

    An order of a closed hour needs no case of its own: nothing is open until the next opening.
    """
    chosen = next((name for name in names if any(row["calendar_id"] == name for row in calendars)), None)
    days = {row["day"]: row for row in calendars if row["calendar_id"] == chosen}
    first, last = local_day(clock[0], zone), local_day(clock[1], zone)
    needed = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    if any(day not in days for day in needed):
        return None
    hours = [(days[day]["opens_at"], days[day]["closes_at"]) for day in needed if days[day]["opens_at"] is not None]
    return sum((overlap(clock, open_hours) for open_hours in hours), timedelta(0))


def buyers_holds(
    order_id: str, holds: Sequence[Row] | None, events: Sequence[Row], zone: str, until: datetime
) -> list[Interval]:
    """When an order waited for the buyer's data or credit (R28): its holds, or without that feed the time between two
    attempts at step 2 or 10.
    """
    if holds is not None:
        found = []
        for row in holds:
            placed, released = event(row, "placed_at", zone), event(row, "released_at", zone)
            if (
                row["order_id"] == order_id
                and row["kind"] in ("credit", "data")
                and row["caused_by"] == "buyer"
                and placed is not None
            ):
                found.append((placed, min(until, released or until)))
        return merged(found)
    waits = []
    for step in (2, 10):
        attempts = sorted(
            (row for row in events if row["order_id"] == order_id and row["step"] == step),
            key=lambda row: row["event_no"],
        )
        for one, following in pairwise(attempts):
            ended, began = event(one, "finished_at", zone), event(following, "started_at", zone)
            if ended is not None and began is not None:
                waits.append((ended, began))
    return merged(waits)


def net_day(ordered: date, requested: date | None, lead_days: int | None) -> date:
    """The day the net clock starts: ordered ahead, it waits until the lead time before the day wanted (R27)."""
    return ordered if requested is None or lead_days is None else max(ordered, requested - timedelta(days=lead_days))


def net_start(request: Promise, lead_days: int, zone: str) -> datetime:
    """The instant of that: a bare date (and a day's last microsecond, which is taken for one) gives the start of its
    day.
    """
    asked = local_day(request.ends(zone), zone)
    if request.ends(zone) == day_ends(asked, zone):
        return day_starts(asked - timedelta(days=lead_days), zone)
    return shifted(request.value, -lead_days, zone)


def net_time(clock: Interval, dwell: timedelta, stopped: Sequence[Interval]) -> timedelta:
    """The clock's time less what the order waited for its day, less the holds after that (R27, R28)."""
    begins = min(clock[1], clock[0] + dwell)
    return clock[1] - begins - sum((overlap((begins, clock[1]), one) for one in merged(stopped)), timedelta(0))


def clean_order_at(order_id: str, events: Sequence[Row], zone: str) -> datetime | None:
    """When the order was first without a fault: the last end of step 2 (R28)."""
    ends = [event(row, "finished_at", zone) for row in events if row["order_id"] == order_id and row["step"] == 2]
    return max((end for end in ends if end is not None), default=None)


def clocks(judge: Judge, found: OrderJudgement, order: Row) -> dict[str, int | None]:
    """Every clock of one sale, in days and seconds (R26 to R28); an order that has not arrived has none."""
    zone = order["ship_to_time_zone"]
    names = ("cycle_days_net", "cycle_seconds", "cycle_seconds_net", "held_seconds", "business_seconds")
    said: dict[str, int | None] = dict.fromkeys(names)
    customer = judge.version("customers", "customer_id", order["customer_id"], found.ordered_day) or {}
    package = judge.version("service_packages", "service_segment", customer.get("service_segment"), found.ordered_day)
    lead_days = package["lead_time_days_max"] if package else None
    if found.arrived_day is not None:
        wanted = local_day(found.request.ends(zone), zone) if found.request else None
        said["cycle_days_net"] = max(0, (found.arrived_day - net_day(found.ordered_day, wanted, lead_days)).days)
    if found.clock is None:
        return said
    dwell = timedelta(0)
    if found.request is not None and lead_days is not None:
        dwell = max(dwell, net_start(found.request, lead_days, zone) - found.clock[0])
    holds = judge.rows("holds", found.order_id) if judge.fed("holds") else None
    begun = [
        row
        for row in judge.rows("order_events", found.order_id)
        if (at := event(row, "started_at", zone)) is None or at <= judge.as_of
    ]
    stopped = buyers_holds(found.order_id, holds, begun, zone, found.clock[1])
    net = net_time(found.clock, dwell, stopped)
    begins = min(found.clock[1], found.clock[0] + dwell)
    calendars = judge.feeds.get("calendars", [])
    worked = business_time(
        found.clock, calendars, [name for name in (order["ship_to"], "ship_to", "default") if name], zone
    )
    said["cycle_seconds"] = seconds(found.clock[1] - found.clock[0])
    said["cycle_seconds_net"] = seconds(net)
    said["held_seconds"] = seconds(found.clock[1] - begins - net)
    said["business_seconds"] = None if worked is None else seconds(worked)
    return said


def seconds(length: timedelta) -> int:
    return length // timedelta(seconds=1)


# ---------------------------------------------------------------- spread and the open tail (R30)


def sample_sd(values: Sequence[float]) -> float | None:
    """With n - 1; nothing for fewer than two."""
    if len(values) < 2:
        return None
    mean = Fraction(sum(map(Fraction, values)), 1) / len(values)
    return math.sqrt(sum((Fraction(value) - mean) ** 2 for value in values) / (len(values) - 1))


def nearest_rank(values: Sequence[float], share: Fraction) -> float | None:
    """The ceil(p n)-th smallest."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else None


def survival(durations: Iterable[tuple[int, bool]]) -> list[tuple[int, Fraction]]:
    """Kaplan-Meier: (duration, whether it ended) to the share still open after each duration at which one ended."""
    seen = list(durations)
    share, curve = Fraction(1), []
    for at in sorted({duration for duration, ended in seen if ended}):
        open_then = sum(1 for duration, _ in seen if duration >= at)
        ended_then = sum(1 for duration, ended in seen if ended and duration == at)
        share *= 1 - Fraction(ended_then, open_then)
        curve.append((at, share))
    return curve


def survival_median(durations: Iterable[tuple[int, bool]]) -> int | None:
    """The first duration with at most half still open; None if it never comes to that."""
    return next((at for at, share in survival(durations) if share <= Fraction(1, 2)), None)


def beyond_promise(lateness: Sequence[int]) -> Fraction | None:
    """The share that arrived after its promise: early ones never offset (R30)."""
    return Fraction(sum(1 for days in lateness if days > 0), len(lateness)) if lateness else None


# ---------------------------------------------------------------- the slack ledger (section 4 (c))


@dataclass(frozen=True)
class Slack:
    """What is left of an order's time when it is taken and after each observed step, in hours, and where its promise
    died.
    """

    at_order: Fraction
    after: Mapping[int, Fraction]
    died_at: int | None
    """The step from which slack stays below 0; 0: when promised; None: it never died."""


def slack(deadline: Fraction, finished: Mapping[int, Fraction], budgets: Mapping[int, Fraction]) -> Slack:
    """Hours from the order's taking to its deadline and to the end of each observed step; a step without a budget has
    none to give.
    """
    at_order = deadline - sum(budgets.values(), Fraction(0))
    after = {
        step: deadline - end - sum((budget for later, budget in budgets.items() if later > step), Fraction(0))
        for step, end in sorted(finished.items())
        if step in STEPS
    }
    points = [(0, at_order), *after.items()]
    died_at = None
    for step, left in reversed(points):
        if left >= 0:
            break
        died_at = step
    return Slack(at_order, after, died_at)


def budgets(finishes: Sequence[Mapping[int, Fraction]]) -> dict[int, Fraction]:
    """The median hours each step takes from the previous observed one's end (the order's taking: 0), over on-time
    orders (nearest rank).

    A missing step's time falls to the next one that was observed.
    """
    taken: dict[int, list[Fraction]] = {}
    for finished in finishes:
        before = Fraction(0)
        for step in sorted(one for one in finished if one in STEPS):
            taken.setdefault(step, []).append(finished[step] - before)
            before = finished[step]
    return {step: sorted(lengths)[math.ceil(Fraction(len(lengths), 2)) - 1] for step, lengths in taken.items()}


def budgets_of_segment(on_time: Sequence[tuple[str, Mapping[int, Fraction]]], segment: str) -> dict[int, Fraction]:
    """Budgets over the on-time orders of a segment, or of everybody where it has too few."""
    own = [finished for theirs, finished in on_time if theirs == segment]
    return budgets(own if len(own) >= MIN_N else [finished for _, finished in on_time])
