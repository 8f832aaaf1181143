"""Reference implementation of clocks: business time, net time, spread, open orders and slack.

Source: R26 (working time), R27 (orders placed ahead), R28 (holds), R30 (spread and percentiles).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from tests.reference.dates import Promise, day_ends, day_starts, event, local_day, shifted
from tests.reference.inputs import Inputs, Row
from tests.reference.judgements import OrderJudgement

Interval = tuple[datetime, datetime]

STEPS = range(2, 12)
"""Steps with a budget, from order entry to receipt at the customer."""
MIN_N = 20


def overlap(first: Interval, second: Interval) -> timedelta:
    return max(timedelta(0), min(first[1], second[1]) - max(first[0], second[0]))


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the same time as disjoint intervals, so that no time counts twice."""
    whole: list[Interval] = []
    for begins, ends in sorted(intervals):
        if whole and begins <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(whole[-1][1], ends))
        elif ends > begins:
            whole.append((begins, ends))
    return whole


def business_time(clock: Interval, calendars: Sequence[Row], names: Sequence[str], zone: str) -> timedelta | None:
    """Return the open hours in an interval, by the first existing calendar (R26, working time).

    Return None if the calendar lacks a local day of the interval.
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
    """Return the time in which an order waited for the buyer's data or credit (R28, holds).

    Without holds, it is the time between two attempts at step 2 or 10.
    """
    if holds is not None:
        stopped = []
        for row in holds:
            placed, released = event(row, "placed_at", zone), event(row, "released_at", zone)
            if (
                row["order_id"] == order_id
                and row["kind"] in ("credit", "data")
                and row["caused_by"] == "buyer"
                and placed is not None
            ):
                stopped.append((placed, min(until, released or until)))
        return merged(stopped)
    waits = []
    for step in (2, 10):
        attempts = sorted(
            (row for row in events if row["order_id"] == order_id and row["step"] == step),
            key=lambda row: row["event_no"],
        )
        for attempt, following in pairwise(attempts):
            ended, began = event(attempt, "finished_at", zone), event(following, "started_at", zone)
            if ended is not None and began is not None:
                waits.append((ended, began))
    return merged(waits)


def net_day(ordered: date, requested: date | None, lead_days: int | None) -> date:
    """Return the day on which the net clock starts: at the earliest the lead time before the requested day.

    Source: R27 (orders placed ahead).
    """
    return ordered if requested is None or lead_days is None else max(ordered, requested - timedelta(days=lead_days))


def net_start(request: Promise, lead_days: int, zone: str) -> datetime:
    """Return the instant at which the net clock starts.

    A bare date, or the last microsecond of a day, gives the start of its day.
    """
    asked = local_day(request.ends(zone), zone)
    if request.ends(zone) == day_ends(asked, zone):
        return day_starts(asked - timedelta(days=lead_days), zone)
    return shifted(request.value, -lead_days, zone)


def net_time(clock: Interval, dwell: timedelta, stopped: Sequence[Interval]) -> timedelta:
    """Return the net time: without the wait before the net start and without later holds (R27, R28)."""
    begins = min(clock[1], clock[0] + dwell)
    return clock[1] - begins - sum((overlap((begins, clock[1]), hold) for hold in merged(stopped)), timedelta(0))


def clean_order_at(order_id: str, events: Sequence[Row], zone: str) -> datetime | None:
    """Return the last end of step 2: the order is then without errors (R28, holds)."""
    ends = [event(row, "finished_at", zone) for row in events if row["order_id"] == order_id and row["step"] == 2]
    return max((end for end in ends if end is not None), default=None)


def clocks(inputs: Inputs, judgement: OrderJudgement, order: Row) -> dict[str, int | None]:
    """Return all clocks of a sale in days and seconds, each None before arrival.

    Source: R26 (working time), R27 (orders placed ahead), R28 (holds).
    """
    zone = order["ship_to_time_zone"]
    names = ("cycle_days_net", "cycle_seconds", "cycle_seconds_net", "held_seconds", "business_seconds")
    columns: dict[str, int | None] = dict.fromkeys(names)
    customer = inputs.version("customers", "customer_id", order["customer_id"], judgement.ordered_day) or {}
    package = inputs.version(
        "service_packages", "service_segment", customer.get("service_segment"), judgement.ordered_day
    )
    lead_days = package["lead_time_days_max"] if package else None
    if judgement.arrived_day is not None:
        wanted = local_day(judgement.request.ends(zone), zone) if judgement.request else None
        columns["cycle_days_net"] = max(
            0, (judgement.arrived_day - net_day(judgement.ordered_day, wanted, lead_days)).days
        )
    if judgement.clock is None:
        return columns
    dwell = timedelta(0)
    if judgement.request is not None and lead_days is not None:
        dwell = max(dwell, net_start(judgement.request, lead_days, zone) - judgement.clock[0])
    holds = inputs.rows("holds", judgement.order_id) if inputs.fed("holds") else None
    begun = [
        row
        for row in inputs.rows("order_events", judgement.order_id)
        if (at := event(row, "started_at", zone)) is None or at <= inputs.as_of
    ]
    stopped = buyers_holds(judgement.order_id, holds, begun, zone, judgement.clock[1])
    net = net_time(judgement.clock, dwell, stopped)
    begins = min(judgement.clock[1], judgement.clock[0] + dwell)
    calendars = inputs.feeds.get("calendars", [])
    worked = business_time(
        judgement.clock, calendars, [name for name in (order["ship_to"], "ship_to", "default") if name], zone
    )
    columns["cycle_seconds"] = seconds(judgement.clock[1] - judgement.clock[0])
    columns["cycle_seconds_net"] = seconds(net)
    columns["held_seconds"] = seconds(judgement.clock[1] - begins - net)
    columns["business_seconds"] = None if worked is None else seconds(worked)
    return columns


def seconds(length: timedelta) -> int:
    return length // timedelta(seconds=1)


def sample_sd(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation, or None for fewer than two values."""
    if len(values) < 2:
        return None
    mean = Fraction(sum(map(Fraction, values)), 1) / len(values)
    return math.sqrt(sum((Fraction(value) - mean) ** 2 for value in values) / (len(values) - 1))


def nearest_rank(values: Sequence[float], share: Fraction) -> float | None:
    """Return the ceil(p n)-th smallest value."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else None


def survival(durations: Iterable[tuple[int, bool]]) -> list[tuple[int, Fraction]]:
    """Return the Kaplan-Meier curve: each duration with an end, and the share still open after it."""
    seen = list(durations)
    share, curve = Fraction(1), []
    for at in sorted({duration for duration, ended in seen if ended}):
        open_then = sum(1 for duration, _ in seen if duration >= at)
        ended_then = sum(1 for duration, ended in seen if ended and duration == at)
        share *= 1 - Fraction(ended_then, open_then)
        curve.append((at, share))
    return curve


def survival_median(durations: Iterable[tuple[int, bool]]) -> int | None:
    """Return the first duration with at most half still open, or None."""
    return next((at for at, share in survival(durations) if share <= Fraction(1, 2)), None)


def beyond_promise(lateness: Sequence[int]) -> Fraction | None:
    """Return the share that arrived after its promise. Early orders do not offset late ones (R30)."""
    return Fraction(sum(1 for days in lateness if days > 0), len(lateness)) if lateness else None


@dataclass(frozen=True)
class Slack:
    """Slack of an order in hours: at the order, after each observed step, and the step that missed the promise."""

    at_order: Fraction
    after: Mapping[int, Fraction]
    missed_step: int | None
    """The step after which slack stays below 0. 0 means at the order, None means never."""


def slack(deadline: Fraction, finished: Mapping[int, Fraction], budgets: Mapping[int, Fraction]) -> Slack:
    """Return the slack at the order and after each observed step that has a budget."""
    at_order = deadline - sum(budgets.values(), Fraction(0))
    after = {
        step: deadline - end - sum((budget for later, budget in budgets.items() if later > step), Fraction(0))
        for step, end in sorted(finished.items())
        if step in STEPS
    }
    points = [(0, at_order), *after.items()]
    missed_step = None
    for step, left in reversed(points):
        if left >= 0:
            break
        missed_step = step
    return Slack(at_order, after, missed_step)


def budgets(finishes: Sequence[Mapping[int, Fraction]]) -> dict[int, Fraction]:
    """Return the budget of each step: its median hours over on-time orders (nearest rank).

    A step's hours start at the end of the previous observed step, or at the order. The time of a missing step counts
    for the next observed step.
    """
    taken: dict[int, list[Fraction]] = {}
    for finished in finishes:
        before = Fraction(0)
        for step in sorted(done for done in finished if done in STEPS):
            taken.setdefault(step, []).append(finished[step] - before)
            before = finished[step]
    return {step: sorted(lengths)[math.ceil(Fraction(len(lengths), 2)) - 1] for step, lengths in taken.items()}


def budgets_of_segment(on_time: Sequence[tuple[str, Mapping[int, Fraction]]], segment: str) -> dict[int, Fraction]:
    """Return the budgets of a segment's on-time orders, or of all orders if the segment has too few."""
    own = [finished for theirs, finished in on_time if theirs == segment]
    return budgets(own if len(own) >= MIN_N else [finished for _, finished in on_time])
