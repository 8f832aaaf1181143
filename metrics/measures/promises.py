"""Promises: padding, lead time, promises met and changed, and dependability.

Source: docs/rules.md, buyer's view, cycle time, communications and dependability; R1 (anchor date), R29 (buyer-caused
delay).
"""

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import and_

from metrics.facts.cycle_times import cycle_facts_table
from metrics.facts.orders import order_facts_table
from metrics.measures.formulas import judged
from metrics.measures.needs import (
    CORE_FEEDS,
    NEEDS_ORDER_LINES,
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
NEEDS_WINDOW = Need((("orders.requested_from", "orders.requested_by"),))
NEEDS_PROMISED_WINDOW = Need((("orders.promised_from", "orders.promised_by"),))
"""Windows of whole orders are compared; a promise without a start is outside of every window."""
NEEDS_BASIS = Need(("promises.basis",))
NEEDS_CAUSE = Need(
    (
        ("shipments.attempted_at", "shipments.failure_caused_by"),
        ("order_events.started_at", "service_cases.kind", "service_cases.opened_at"),
    ),
    "cause of a failed delivery",
)

_sale = o.order_type == "sale"
_promised = and_(_sale, o.first_promised_day.is_not(None))
_both = and_(_promised, o.requested_day.is_not(None))
_asked = and_(cycle.window_asked, cycle.window_granted.is_not(None))


NEEDS_CHANGED_BY = {"buyer": (Need(("promises.changed_by",)),)}
"""Without changed_by, the seller made every change."""


def _changes_by(*, who: str, amount: Expression, suffix: str, words: str) -> Measure:
    return Measure(
        name=f"promise_revisions{suffix}",
        title=f"Promise changes per order{words}",
        unit=Unit.RATIO,
        direction=Direction.LOWER,
        facts=cycle_facts_table,
        date="due_day",
        formula=Ratio(Part(cycle.state == "judged", amount), Part(cycle.state == "judged")),
        definition=f"How often the {who} changed a line's promise after the first promise, per order.",
        numerator=f"promises of order lines after the first promise, made by the {who}",
        denominator="judged orders",
        exclusions="Pending orders, excused cancellations, and orders that are not sales.",
        source="own definition",
        feeds=(*CORE_FEEDS, "promises"),
        product_rows=(7, 12),
        needs=(NEEDS_PROMISE_HISTORY, *NEEDS_CHANGED_BY.get(who, ()), NEEDS_ORDER_LINES),
        short=f"Changed by {who}",
    )


def _dependability(answers: Mapping[str, Answer]) -> Result:
    """Return P95 less P50; no data if nothing arrived."""
    slow, usual = answers["cycle_p95"].value, answers["cycle_p50"].value
    if slow is None or usual is None:
        return Result(None, no_data=answers["cycle_p95"].no_data or answers["cycle_p50"].no_data)
    return Result(int(Decimal(slow) - Decimal(usual)))


MEASURES: tuple[Measure, ...] = (
    Measure(
        name="dependability_gap",
        title="Dependability gap (P95 − P50)",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="arrived_day",
        formula=Derived(("cycle_p50", "cycle_p95"), _dependability),
        definition=(
            "The slowest orders (P95) arrive this many days later than the median order (P50). Buyers must plan for "
            "this margin. Compare it with the relative spread and the share that arrived after the promise, before you "
            "look at speed."
        ),
        numerator="P95 less P50 of the days from order to arrival",
        denominator="orders with every goods line received at least in part",
        exclusions="Orders that are not sales, and orders with a line of which nothing has arrived.",
        source="docs/rules.md, communications and dependability",
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
        formula=Ratio(Part(_both, days_between(o.requested_day, o.first_promised_day)), Part(_both)),
        definition=(
            "Mean days from the requested day to the day we first promised. Later changes by the buyer or by us do not "
            "count. A promise earlier than the request counts as a negative number."
        ),
        numerator="Σ days from requested to first promised day",
        denominator="orders with both",
        exclusions=f"{NOT_SALES} Also orders without a requested day or a promised day.",
        source="own definition",
        feeds=("orders", "order_lines"),
        product_rows=(7,),
        needs=(NEEDS_PROMISE, NEEDS_REQUEST, NEEDS_ORDER_LINES),
        short="Padding",
        version=2,
    ),
    Measure(
        name="promise_lead",
        title="Promised lead time",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="ordered_day",
        formula=Ratio(Part(_promised, days_between(o.ordered_day, o.first_promised_day)), Part(_promised)),
        definition=(
            "Mean days from the day of the order to the day we first promised. Later changes by the buyer or by us do "
            "not count."
        ),
        numerator="Σ days from ordered to first promised day",
        denominator="orders with a promise",
        exclusions=f"{NOT_SALES} Also orders without a promise.",
        source="own definition",
        feeds=("orders", "order_lines"),
        product_rows=(7,),
        needs=(NEEDS_PROMISE, NEEDS_ORDER_LINES),
        short="Promised lead time",
        version=2,
    ),
    _changes_by(who="seller", amount=cycle.promise_changes_seller, suffix="", words=""),
    _changes_by(who="buyer", amount=cycle.promise_changes_buyer, suffix="_buyer", words=", by the buyer"),
    Measure(
        name="on_time_basis",
        title="On time, by basis of the promise",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=cycle_facts_table,
        date="due_day",
        formula=judged(cycle.on_time, cycle.state),
        definition=(
            "Orders received on time, for each basis of the promise: available to promise (ATP) or available to "
            "deliver (ATD). Over all orders it is the measure on_time."
        ),
        numerator="orders whose on-time verdict is true",
        denominator="judged orders whose on-time verdict is known",
        exclusions=PENDING,
        source="own definition",
        feeds=(*CORE_FEEDS, "promises"),
        product_rows=(7,),
        needs=(NEEDS_PROMISE, NEEDS_RECEIPT, NEEDS_BASIS),
        short="On time by basis",
        only_by="basis",
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
        definition="Orders promised inside the delivery window that the buyer requested.",
        numerator="orders whose promise lies inside the requested window",
        denominator="orders with a requested window and a promise",
        exclusions=f"{NOT_SALES} Also orders without a requested window. Orders without a promise lower the coverage.",
        source="own definition",
        feeds=("orders",),
        product_rows=(7, 12),
        needs=(NEEDS_WINDOW, NEEDS_PROMISED_WINDOW),
        short="Window granted",
    ),
    Measure(
        name="on_time_attributable",
        title="On time, except delays by the buyer",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=cycle_facts_table,
        date="due_day",
        formula=judged(cycle.on_time_attributable, cycle.state),
        definition=(
            "Orders that are on time, or late only because the buyer refused a delivery attempted by the deadline. "
            "Without evidence of a refusal: the first delivery was attempted by the deadline, and the buyer had a "
            "sudden change before the final receipt."
        ),
        numerator="orders that are on time, or late only because of the buyer",
        denominator="judged orders whose on-time verdict is known",
        exclusions=PENDING,
        source="own definition",
        feeds=(*CORE_FEEDS, "order_events", "service_cases"),
        product_rows=(1, 4),
        needs=(NEEDS_PROMISE, NEEDS_RECEIPT, NEEDS_CAUSE),
        short="On time, our causes",
    ),
)
