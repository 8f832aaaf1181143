"""Order cycle time: the time from order to arrival, and its spread.

Source: SCOR RS.1.1; docs/rules.md, cycle time; R30 (spread and percentiles).
"""

from decimal import Decimal

from sqlalchemy import and_, func

from metrics.facts.cycle_times import cycle_facts_table
from metrics.facts.open_orders import open_order_facts_table
from metrics.facts.orders import order_facts_table
from metrics.facts.orders.conditions import ARRIVED, LATE
from metrics.measures.formulas import HOUR
from metrics.measures.lateness import LATENESS
from metrics.measures.needs import CORE_FEEDS, NEEDS_PROMISE, NEEDS_RECEIPT, PENDING
from metrics.model.measure import Direction, Measure, Need, Part, Percentile, Ratio, Spread, Survival, Unit

o = order_facts_table.c
clock = cycle_facts_table.c
NOT_ARRIVED = "Orders that are not sales, and orders with a line of which nothing has arrived."
_known = o.cycle_days.is_not(None)
_kept_out = func.coalesce(o.complete_reason == "quarantined", False)
_complete = and_(clock.complete, clock.cycle_days.is_not(None))


NEEDS_LEAD_TIME = Need(("service_packages.lead_time_days_max",))
NEEDS_STOPS = Need(
    (
        "holds.placed_at",
        ("order_events.started_at", "order_events.finished_at"),
        "service_packages.lead_time_days_max",
    ),
    "holds or waits",
)
NEEDS_CALENDAR = Need((("calendars.opens_at", "calendars.closes_at"),))
DATE_ONLY = (
    "Orders that are not sales, orders that have not arrived, and orders whose order time or last needed receipt "
    "is a bare date."
)


def _percentile(name: str, percent: int) -> Measure:
    return Measure(
        name=name,
        title=f"Order cycle time, P{percent}",
        short=f"Cycle P{percent}",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="arrived_day",
        formula=Percentile(Decimal(percent) / 100, o.cycle_days),
        definition=f"The number of days within which {percent}% of the arrived orders arrived (nearest rank).",
        numerator=f"the ⌈{percent / 100:g}·n⌉-th smallest number of days",
        denominator="orders of which every goods line was received at least in part",
        exclusions=NOT_ARRIVED,
        source="Coyle",
        feeds=CORE_FEEDS,
        needs=(NEEDS_RECEIPT,),
        product_rows=(4, 12, 13),
    )


MEASURES = (
    Measure(
        name="cycle_days",
        title="Order cycle time",
        short="Cycle time",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="arrived_day",
        formula=Ratio(Part(_known, o.cycle_days), Part(_known)),
        definition="Mean days from the local day of the order to the local day on which its last needed goods arrived.",
        numerator="Σ days from order to arrival",
        denominator="orders of which every goods line was received at least in part",
        exclusions=NOT_ARRIVED,
        source="SCOR RS.1.1",
        feeds=CORE_FEEDS,
        needs=(NEEDS_RECEIPT,),
        product_rows=(4, 12, 13),
    ),
    Measure(
        name="cycle_sd",
        title="Order cycle time, spread",
        short="Cycle spread",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="arrived_day",
        formula=Spread(o.cycle_days),
        definition="Sample standard deviation of the days from order to arrival.",
        numerator="√(Σ(days - mean)² / (n - 1))",
        denominator="orders of which every goods line was received at least in part",
        exclusions=NOT_ARRIVED,
        source="Coyle",
        feeds=CORE_FEEDS,
        needs=(NEEDS_RECEIPT,),
        product_rows=(4, 12, 13),
    ),
    Measure(
        name="cycle_cv",
        title="Order cycle time, relative spread",
        short="Cycle CV",
        unit=Unit.RATIO,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="arrived_day",
        formula=Spread(o.cycle_days, relative=True),
        definition="Standard deviation of the days from order to arrival, divided by their mean.",
        numerator="standard deviation / mean",
        denominator="orders of which every goods line was received at least in part",
        exclusions=NOT_ARRIVED,
        source="Coyle",
        feeds=CORE_FEEDS,
        needs=(NEEDS_RECEIPT,),
        product_rows=(4, 12, 13),
    ),
    _percentile("cycle_p50", 50),
    _percentile("cycle_p90", 90),
    _percentile("cycle_p95", 95),
    Measure(
        name="beyond_promise",
        title="Arrived after the promise",
        short="After promise",
        unit=Unit.SHARE,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="due_day",
        formula=Ratio(
            Part(and_(LATE, ~_kept_out)), Part(and_(ARRIVED, ~_kept_out)), Part(and_(o.state == "judged", _kept_out))
        ),
        definition="Arrived orders with a line that was settled after its deadline, as a share of arrived orders.",
        numerator="arrived orders with a line settled after its deadline",
        denominator="judged orders that arrived",
        exclusions=f"{PENDING} Also orders that have not arrived.",
        source="Coyle",
        feeds=CORE_FEEDS,
        needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
        product_rows=(4, 12, 13),
    ),
    Measure(
        name="cycle_days_net",
        title="Order cycle time, net",
        short="Net cycle time",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=cycle_facts_table,
        date="arrived_day",
        formula=Ratio(
            Part(clock.cycle_days_net.is_not(None), clock.cycle_days_net), Part(clock.cycle_days_net.is_not(None))
        ),
        definition=(
            "Mean days from the start of the net clock to arrival. If the buyer orders further ahead than the "
            "package's lead time, the clock starts that lead time before the requested day. Without a package or a "
            "requested day, it starts on the day of the order."
        ),
        numerator="Σ days from the start of the net clock to arrival",
        denominator="orders of which every goods line was received at least in part",
        exclusions=NOT_ARRIVED,
        source="SCOR RS.1.1",
        feeds=(*CORE_FEEDS, "service_packages"),
        needs=(NEEDS_RECEIPT, NEEDS_LEAD_TIME),
        product_rows=(4, 12, 13),
    ),
    Measure(
        name="cycle_hours",
        title="Cycle time, gross",
        short="Cycle hours",
        unit=Unit.HOURS,
        direction=Direction.LOWER,
        facts=cycle_facts_table,
        date="arrived_day",
        formula=Ratio(
            Part(clock.cycle_seconds.is_not(None), clock.cycle_seconds),
            Part(clock.cycle_seconds.is_not(None)),
            ticks=HOUR,
        ),
        definition="Mean elapsed hours from order to arrival. Nothing stops this clock.",
        numerator="Σ hours from order to arrival",
        denominator="orders that arrived, with a time of day for both order and arrival",
        exclusions=DATE_ONLY,
        source="SCOR; own definition",
        feeds=(*CORE_FEEDS,),
        needs=(NEEDS_RECEIPT,),
        product_rows=(4, 12, 13),
    ),
    Measure(
        name="cycle_hours_net",
        title="Cycle time, net",
        short="Net hours",
        unit=Unit.HOURS,
        direction=Direction.LOWER,
        facts=cycle_facts_table,
        date="arrived_day",
        formula=Ratio(
            Part(clock.cycle_seconds_net.is_not(None), clock.cycle_seconds_net),
            Part(clock.cycle_seconds_net.is_not(None)),
            ticks=HOUR,
        ),
        definition=(
            "Mean hours from order to arrival, less the wait for a day requested further ahead than the package's lead "
            "time, and less holds for the buyer's data or credit. Without a feed of holds, a hold is the time between "
            "two attempts at step 2 or 10."
        ),
        numerator="Σ hours from order to arrival, less the wait, less holds",
        denominator="orders that arrived, with a time of day for both order and arrival",
        exclusions=DATE_ONLY,
        source="SCOR; Open Reference RS12",
        feeds=(*CORE_FEEDS, "holds", "order_events", "service_packages"),
        needs=(NEEDS_RECEIPT, NEEDS_STOPS),
        product_rows=(4, 12, 13),
    ),
    Measure(
        name="cycle_business_hours",
        title="Cycle time, working hours",
        short="Working hours",
        unit=Unit.HOURS,
        direction=Direction.LOWER,
        facts=cycle_facts_table,
        date="arrived_day",
        formula=Ratio(
            Part(clock.business_seconds.is_not(None), clock.business_seconds),
            Part(clock.business_seconds.is_not(None)),
            ticks=HOUR,
        ),
        definition=(
            "Mean working hours from order to arrival, by the calendar of the ship-to place. An order received after "
            "hours starts at the next opening."
        ),
        numerator="Σ working hours from order to arrival",
        denominator="orders that arrived, with a time of day for both order and arrival",
        exclusions=f"{DATE_ONLY} Also orders with a local day that is missing from their calendar.",
        source="own definition",
        feeds=(*CORE_FEEDS, "calendars"),
        needs=(NEEDS_RECEIPT, NEEDS_CALENDAR),
        product_rows=(4, 12, 13),
    ),
    Measure(
        name="cycle_median_open",
        title="Median cycle time incl. open orders",
        short="Median incl. open",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=open_order_facts_table,
        date="ordered_day",
        formula=Survival(
            open_order_facts_table.c.wait_days,
            open_order_facts_table.c.arrived,
            open_order_facts_table.c.wait_days.is_not(None),
        ),
        definition=(
            "The number of days within which half of the orders arrived. Open orders count as still waiting on the "
            "data's last day (Kaplan-Meier)."
        ),
        numerator="orders that arrived",
        denominator="orders that arrived or are still open",
        exclusions="Orders that are not sales, and excused cancellations.",
        source="own definition",
        feeds=CORE_FEEDS,
        needs=(NEEDS_RECEIPT,),
        product_rows=(4, 12, 13),
    ),
    Measure(
        name="completion_days",
        title="Time to complete",
        short="Time to complete",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=cycle_facts_table,
        date="arrived_day",
        formula=Ratio(Part(_complete, clock.cycle_days), Part(_complete)),
        definition="Mean days from order to the arrival of the last goods owed.",
        numerator="Σ days from order to the last needed receipt of complete orders",
        denominator="orders of which everything owed has arrived",
        exclusions="Orders that are not sales, and orders that are not complete. The page shows their number.",
        source="own definition",
        feeds=CORE_FEEDS,
        needs=(NEEDS_RECEIPT,),
        product_rows=(4, 12, 13),
    ),
    Measure(
        name="days_late",
        title="Days late",
        short="Days late",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="due_day",
        formula=Ratio(Part(LATE, o.days_late), Part(LATE)),
        definition=(
            "Mean days late of late orders. An order is as late as its worst line: the days from the line's due day to "
            "its arrival. Early orders do not offset late orders."
        ),
        version=2,
        numerator="Σ days from due day to arrival of the worst line of each late order",
        denominator="orders that arrived late",
        exclusions=f"{PENDING} Also orders that arrived in time or not at all.",
        source="own definition",
        feeds=CORE_FEEDS,
        needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
        product_rows=(4, 12, 13),
    ),
    *LATENESS,
)
