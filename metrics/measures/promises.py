"""Promises: padded, early enough, kept and changed; dependability before speed. Source: the brief; rules, section 4
(a), (c), (g), R1, R29.
"""

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import and_

from metrics.facts.cycle_times import cycle_facts_table
from metrics.facts.orders import order_facts_table
from metrics.measures.formulas import judged
from metrics.measures.needs import (
    CORE_FEEDS,
    NEEDS_PROMISE,
    NEEDS_PROMISE_HISTORY,
    NEEDS_RECEIPT,
    NEEDS_REQUEST,
    PENDING,
)
from metrics.model.measure import Derived, Direction, Measure, Need, Part, Ratio, Result, Unit
from metrics.model.question import Answer
from metrics.sql.dialects import Expression, days_between

o = order_facts_table.c
cycle = cycle_facts_table.c
NOT_SALES = "Orders that are not sales."
NEEDS_WINDOW = Need(("orders.requested_from",), "no data: requested_from (map orders.requested_from)")
NEEDS_BASIS = Need(("promises.basis",), "no feed: promises (map promises.basis)")
NEEDS_ATTEMPT = Need(
    ("shipments.attempted_at", "order_events.started_at"), "no feed: order_events (or map shipments.attempted_at)"
)
NEEDS_CAUSE = Need(
    ("shipments.failure_caused_by", "service_cases.kind"), "no feed: service_cases (or map shipments.failure_caused_by)"
)

_sale = o.order_type == "sale"
_promised = and_(_sale, o.promised_day.is_not(None))
_both = and_(_promised, o.requested_day.is_not(None))
_asked = and_(cycle.window_asked, cycle.window_granted.is_not(None))


def _changes_by(who: str, amount: Expression, suffix: str, words: str) -> Measure:
    return Measure(
        name=f"promise_revisions{suffix}",
        title=f"Promise changes per order{words}",
        unit=Unit.RATIO,
        direction=Direction.LOWER,
        facts=cycle_facts_table,
        date="due_day",
        formula=Ratio(Part(cycle.state == "judged", amount), Part(cycle.state == "judged")),
        definition=f"How often the {who} changed the promise of a line after the first one, per order.",
        numerator=f"promises of order lines after the first, made by the {who}",
        denominator="judged orders",
        exclusions="Pending orders, excused cancellations, orders that are not sales.",
        source="own",
        feeds=(*CORE_FEEDS, "promises"),
        product_rows=(7, 12),
        needs=(NEEDS_PROMISE_HISTORY,),
        short=f"Changed by {who}",
    )


def _dependability(answers: Mapping[str, Answer]) -> Result:
    """How far the slow tail lies from the middle; nothing arrived is no data."""
    slow, usual = answers["cycle_p95"].value, answers["cycle_p50"].value
    if slow is None or usual is None:
        return Result(None, no_data=answers["cycle_p95"].no_data or answers["cycle_p50"].no_data)
    return Result(int(Decimal(slow) - Decimal(usual)))


MEASURES: tuple[Measure, ...] = (
    Measure(
        name="dependability_gap",
        title="Dependability",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="arrived_day",
        formula=Derived(("cycle_p50", "cycle_p95"), _dependability),
        definition="How many days later the slowest orders arrive (P95) than the middle one (P50): what a buyer must "
        "plan for beyond the usual. "
        "Read it beside the relative spread and the share beyond promise, and before speed.",
        numerator="P95 less P50 of the days from order to arrival",
        denominator="orders with every goods line received at least in part",
        exclusions="Orders that are not sales, and orders of which a line has not arrived at all.",
        source="brief",
        feeds=CORE_FEEDS,
        product_rows=(4, 12),
        needs=(NEEDS_RECEIPT,),
        short="P95 less P50",
    ),
    Measure(
        name="promise_padding",
        title="Promise padding",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="ordered_day",
        formula=Ratio(Part(_both, days_between(o.requested_day, o.promised_day)), Part(_both)),
        definition="Mean days from the day asked for to the day promised; a promise before the wish counts below 0.",
        numerator="Σ days from requested to promised day",
        denominator="orders with both",
        exclusions=f"{NOT_SALES} Orders without a requested or without a promised day.",
        source="own",
        feeds=("orders", "order_lines"),
        product_rows=(7,),
        needs=(NEEDS_PROMISE, NEEDS_REQUEST),
        short="Padding",
    ),
    Measure(
        name="promise_lead",
        title="Promised lead time",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="ordered_day",
        formula=Ratio(Part(_promised, days_between(o.ordered_day, o.promised_day)), Part(_promised)),
        definition="Mean days from the day ordered to the day promised.",
        numerator="Σ days from ordered to promised day",
        denominator="orders with a promise",
        exclusions=f"{NOT_SALES} Orders without a promise.",
        source="own",
        feeds=("orders", "order_lines"),
        product_rows=(7,),
        needs=(NEEDS_PROMISE,),
        short="Promised lead time",
    ),
    _changes_by("seller", cycle.promise_changes_seller, "", ""),
    _changes_by("buyer", cycle.promise_changes_buyer, "_buyer", ", by the buyer"),
    Measure(
        name="promise_kept",
        title="Promises kept",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=cycle_facts_table,
        date="due_day",
        formula=judged(cycle.on_time, cycle.state),
        definition="Orders received on time, to be read by what their first promise stood on: available to promise "
        "(ATP) or to deliver (ATD).",
        numerator="orders whose on-time verdict is true",
        denominator="judged orders whose on-time verdict is known",
        exclusions=PENDING,
        source="brief; own",
        feeds=(*CORE_FEEDS, "promises"),
        product_rows=(7,),
        needs=(NEEDS_PROMISE, NEEDS_RECEIPT, NEEDS_BASIS),
        short="Promises kept",
    ),
    Measure(
        name="window_granted",
        title="Requested window granted",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=cycle_facts_table,
        date="ordered_day",
        formula=Ratio(
            Part(and_(cycle.window_asked, cycle.window_granted.is_(True))),
            Part(_asked),
            Part(and_(cycle.window_asked, cycle.window_granted.is_(None))),
        ),
        definition="Orders promised inside the delivery window that the buyer asked for.",
        numerator="orders promised from its start at the earliest to its end at the latest",
        denominator="orders with a requested window and a promise",
        exclusions=f"{NOT_SALES} Orders without a requested window. Those without any promise lower the coverage.",
        source="brief; own",
        feeds=("orders",),
        product_rows=(7, 12),
        needs=(NEEDS_WINDOW, NEEDS_PROMISE),
        short="Window granted",
    ),
    Measure(
        name="on_time_attributable",
        title="On time, our causes only",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=cycle_facts_table,
        date="due_day",
        formula=judged(cycle.on_time_attributable, cycle.state),
        definition="Orders on time, or late only because the buyer turned away a delivery tried by the deadline "
        "(without that evidence: the first "
        "delivery was tried by the deadline and the buyer had a sudden change before the final receipt).",
        numerator="orders on time, or late by the buyer's own doing",
        denominator="judged orders whose on-time verdict is known",
        exclusions=PENDING,
        source="own",
        feeds=(*CORE_FEEDS, "order_events", "service_cases"),
        product_rows=(1, 4),
        needs=(NEEDS_PROMISE, NEEDS_RECEIPT, NEEDS_ATTEMPT, NEEDS_CAUSE),
        short="On time, our causes",
    ),
)
