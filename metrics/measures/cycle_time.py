"""Order cycle time: how long from order to arrival, and how dependable. Source: the brief; SCOR RS.1.1; rules, section
4 (c), R30.
"""

from decimal import Decimal

from sqlalchemy import and_

from metrics.facts.cycle_times import cycle_facts_table
from metrics.facts.open_orders import open_order_facts_table
from metrics.facts.orders import order_facts_table
from metrics.facts.orders.conditions import ARRIVED, LATE
from metrics.measures.formulas import HOUR
from metrics.measures.needs import CORE_FEEDS, NEEDS_PROMISE, NEEDS_RECEIPT, PENDING
from metrics.model.measure import Direction, Measure, Need, Part, Percentile, Ratio, Spread, Survival, Unit

o = order_facts_table.c
clock = cycle_facts_table.c
NOT_ARRIVED = "Orders that are not sales, and orders of which a line has not arrived at all."
_known = o.cycle_days.is_not(None)
_complete = and_(clock.complete, clock.cycle_days.is_not(None))


NEEDS_LEAD_TIME = Need(("service_packages.lead_time_days_max",), "no feed: service_packages")
NEEDS_STOPS = Need(
    ("holds.placed_at", "order_events.started_at", "service_packages.lead_time_days_max"),
    "no feed: holds, order_events, service_packages",
)
NEEDS_CALENDAR = Need(("calendars.opens_at",), "no feed: calendars")
DATE_ONLY = (
    "Orders that are not sales, that have not arrived, or of which the order or the last needed receipt came as "
    "a bare date."
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
        definition=f"The days within which {percent} % of the orders that arrived had arrived (nearest rank).",
        numerator=f"the ⌈{percent / 100:g}·n⌉-th smallest number of days",
        denominator="orders with every goods line received at least in part",
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
        definition="Mean days from the local day of the order to the local day its last needed goods arrived.",
        numerator="Σ days from order to arrival",
        denominator="orders with every goods line received at least in part",
        exclusions=NOT_ARRIVED,
        source="brief; SCOR RS.1.1",
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
        denominator="orders with every goods line received at least in part",
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
        definition="Standard deviation of the days from order to arrival as a share of their mean.",
        numerator="standard deviation / mean",
        denominator="orders with every goods line received at least in part",
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
        title="Arrived beyond promise",
        short="Beyond promise",
        unit=Unit.SHARE,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="due_day",
        formula=Ratio(Part(LATE), Part(ARRIVED)),
        definition="Orders of which some line settled after its deadline, of the orders that arrived.",
        numerator="arrived orders with a line settled after its deadline",
        denominator="judged orders that arrived",
        exclusions=f"{PENDING} Orders that have not arrived.",
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
        definition="Mean days from the start of the net clock to arrival. The clock of an order placed longer ahead "
        "than its package's lead time starts that many days before the day wanted; without a package or a day "
        "wanted, the day it was placed.",
        numerator="Σ days from the net clock's start to arrival",
        denominator="orders with every goods line received at least in part",
        exclusions=NOT_ARRIVED,
        source="brief; SCOR RS.1.1",
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
        definition="Mean hours elapsed from order to arrival; nothing stops this clock.",
        numerator="Σ hours from order to arrival",
        denominator="orders that arrived, with a time of day at both ends",
        exclusions=DATE_ONLY,
        source="SCOR; own",
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
        definition="Mean hours from order to arrival, less the wait for a day asked for further ahead than the "
        "package's lead time, and less holds for the buyer's data or credit (without a feed of holds: the time "
        "between two attempts at step 2 or 10).",
        numerator="Σ hours from order to arrival less dwell less holds",
        denominator="orders that arrived, with a time of day at both ends",
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
        definition="Mean working hours from order to arrival by the calendar of the place delivered to. What comes in "
        "after hours starts at the next opening.",
        numerator="Σ working hours from order to arrival",
        denominator="orders that arrived, with a time of day at both ends",
        exclusions=f"{DATE_ONLY} Orders with a local day that their calendar does not name.",
        source="own",
        feeds=(*CORE_FEEDS, "calendars"),
        needs=(NEEDS_RECEIPT, NEEDS_CALENDAR),
        product_rows=(4, 12, 13),
    ),
    Measure(
        name="cycle_median_open",
        title="Median with open orders",
        short="Median, open too",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=open_order_facts_table,
        date="ordered_day",
        formula=Survival(
            open_order_facts_table.c.wait_days,
            open_order_facts_table.c.arrived,
            open_order_facts_table.c.wait_days.is_not(None),
        ),
        definition="The days within which half of the orders had arrived, open orders counted as still waiting at the "
        "data's own date (Kaplan-Meier).",
        numerator="orders that arrived",
        denominator="orders that arrived or are still open",
        exclusions="Orders that are not sales, and excused cancellations.",
        source="own",
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
        definition="Mean days from order to the arrival of the last of everything that was owed.",
        numerator="Σ days from order to the last needed receipt of complete orders",
        denominator="orders of which all that was owed has come",
        exclusions="Orders that are not sales, and orders that are not complete (shown).",
        source="own",
        feeds=CORE_FEEDS,
        needs=(NEEDS_RECEIPT,),
        product_rows=(4, 12, 13),
    ),
    Measure(
        name="days_late",
        title="Days late, late orders",
        short="Days late",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="due_day",
        formula=Ratio(Part(LATE, o.days_late), Part(LATE)),
        definition="Mean days from due day to arrival of the orders that arrived late. Early orders never offset late "
        "ones.",
        numerator="Σ days from due day to arrival of late orders",
        denominator="orders that arrived late",
        exclusions=f"{PENDING} Orders that came in time or not at all.",
        source="own",
        feeds=CORE_FEEDS,
        needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
        product_rows=(4, 12, 13),
    ),
)
