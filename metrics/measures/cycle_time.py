"""Order cycle time: how long from order to arrival, and how dependable. Source: the brief; SCOR RS.1.1; rules, section
4 (c), R30.
"""

from decimal import Decimal

from sqlalchemy import Table, and_

from metrics.facts.cycle_times import cycle_facts_table
from metrics.facts.open_orders import open_order_facts_table
from metrics.facts.orders import order_facts_table
from metrics.facts.orders.conditions import ARRIVED, LATE
from metrics.measures.needs import CORE_FEEDS, NEEDS_PROMISE, NEEDS_RECEIPT, PENDING
from metrics.model.measure import Direction, Formula, Measure, Need, Part, Percentile, Ratio, Spread, Survival, Unit
from metrics.sql.dialects import Expression

o = order_facts_table.c
clock = cycle_facts_table.c
SECONDS_AN_HOUR = 3600
NOT_ARRIVED = "Orders that are not sales, and orders of which a line has not arrived at all."
_known = o.cycle_days.is_not(None)
_complete = and_(clock.complete, clock.cycle_days.is_not(None))


def _time(
    name: str, title: str, formula: Formula, definition: str, *, unit: Unit = Unit.DAYS, date: str = "arrived_day",
    numerator: str, denominator: str = "orders with every goods line received at least in part", exclusions: str = NOT_ARRIVED,
    source: str = "Coyle", needs: tuple[Need, ...] = (NEEDS_RECEIPT,), rows: tuple[int, ...] = (4, 12, 13), short: str = "",
    facts: Table = order_facts_table, feeds: tuple[str, ...] = CORE_FEEDS,
) -> Measure:  # fmt: skip
    return Measure(
        name=name, title=title, unit=unit, direction=Direction.LOWER, facts=facts, date=date, formula=formula, definition=definition,
        numerator=numerator, denominator=denominator, exclusions=exclusions, source=source, feeds=feeds, product_rows=rows, needs=needs, short=short,
    )  # fmt: skip


NEEDS_LEAD_TIME = Need(("service_packages.lead_time_days_max",), "no feed: service_packages")
NEEDS_STOPS = Need(
    ("holds.placed_at", "order_events.started_at", "service_packages.lead_time_days_max"),
    "no feed: holds, order_events, service_packages",
)
NEEDS_CALENDAR = Need(("calendars.opens_at",), "no feed: calendars")
DATE_ONLY = "Orders that are not sales, that have not arrived, or of which the order or the last needed receipt came as a bare date."


def _hours(
    name: str, title: str, seconds: Expression, definition: str, *, numerator: str, exclusions: str = DATE_ONLY, source: str,
    needs: tuple[Need, ...] = (), feeds: tuple[str, ...] = (), short: str,
) -> Measure:  # fmt: skip
    """A mean of hours, kept in whole seconds."""
    return _time(
        name, title, Ratio(Part(seconds.is_not(None), seconds), Part(seconds.is_not(None)), ticks=SECONDS_AN_HOUR), definition,
        unit=Unit.HOURS, numerator=numerator, denominator="orders that arrived, with a time of day at both ends", exclusions=exclusions,
        source=source,
        needs=(NEEDS_RECEIPT, *needs), feeds=(*CORE_FEEDS, *feeds), short=short, facts=cycle_facts_table,
    )  # fmt: skip


def _percentile(name: str, percent: int) -> Measure:
    return _time(
        name,
        f"Order cycle time, P{percent}",
        Percentile(Decimal(percent) / 100, o.cycle_days),
        f"The days within which {percent} % of the orders that arrived had arrived (nearest rank).",
        numerator=f"the ⌈{percent / 100:g}·n⌉-th smallest number of days",
        short=f"Cycle P{percent}",
    )


MEASURES = (
    _time(
        "cycle_days",
        "Order cycle time",
        Ratio(Part(_known, o.cycle_days), Part(_known)),
        "Mean days from the local day of the order to the local day its last needed goods arrived.",
        numerator="Σ days from order to arrival",
        source="brief; SCOR RS.1.1",
        short="Cycle time",
    ),
    _time(
        "cycle_sd",
        "Order cycle time, spread",
        Spread(o.cycle_days),
        "Sample standard deviation of the days from order to arrival.",
        numerator="√(Σ(days - mean)² / (n - 1))",
        short="Cycle spread",
    ),
    _time(
        "cycle_cv",
        "Order cycle time, relative spread",
        Spread(o.cycle_days, relative=True),
        "Standard deviation of the days from order to arrival as a share of their mean.",
        unit=Unit.RATIO,
        numerator="standard deviation / mean",
        short="Cycle CV",
    ),
    _percentile("cycle_p50", 50),
    _percentile("cycle_p90", 90),
    _percentile("cycle_p95", 95),
    _time(
        "beyond_promise",
        "Arrived beyond promise",
        Ratio(Part(LATE), Part(ARRIVED)),
        "Orders of which some line settled after its deadline, of the orders that arrived.",
        unit=Unit.SHARE,
        date="due_day",
        numerator="arrived orders with a line settled after its deadline",
        denominator="judged orders that arrived",
        exclusions=f"{PENDING} Orders that have not arrived.",
        needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
        short="Beyond promise",
    ),
    _time(
        "cycle_days_net",
        "Order cycle time, net",
        Ratio(Part(clock.cycle_days_net.is_not(None), clock.cycle_days_net), Part(clock.cycle_days_net.is_not(None))),
        "Mean days from the start of the net clock to arrival. The clock of an order placed longer ahead than its package's lead time starts that "
        "many days before the day wanted; without a package or a day wanted, the day it was placed.",
        numerator="Σ days from the net clock's start to arrival",
        source="brief; SCOR RS.1.1",
        needs=(NEEDS_RECEIPT, NEEDS_LEAD_TIME),
        short="Net cycle time",
        facts=cycle_facts_table,
        feeds=(*CORE_FEEDS, "service_packages"),
    ),
    _hours(
        "cycle_hours",
        "Cycle time, gross",
        clock.cycle_seconds,
        "Mean hours elapsed from order to arrival; nothing stops this clock.",
        numerator="Σ hours from order to arrival",
        source="SCOR; own",
        short="Cycle hours",
    ),
    _hours(
        "cycle_hours_net",
        "Cycle time, net",
        clock.cycle_seconds_net,
        "Mean hours from order to arrival, less the wait for a day asked for further ahead than the package's lead time, and less holds for the "
        "buyer's data or credit (without a feed of holds: the time between two attempts at step 2 or 10).",
        numerator="Σ hours from order to arrival less dwell less holds",
        source="SCOR; Open Reference RS12",
        needs=(NEEDS_STOPS,),
        feeds=("holds", "order_events", "service_packages"),
        short="Net hours",
    ),
    _hours(
        "cycle_business_hours",
        "Cycle time, working hours",
        clock.business_seconds,
        "Mean working hours from order to arrival by the calendar of the place delivered to. What comes in after hours starts at the next opening.",
        numerator="Σ working hours from order to arrival",
        exclusions=f"{DATE_ONLY} Orders with a local day that their calendar does not name.",
        source="own",
        needs=(NEEDS_CALENDAR,),
        feeds=("calendars",),
        short="Working hours",
    ),
    _time(
        "cycle_median_open",
        "Median with open orders",
        Survival(
            open_order_facts_table.c.wait_days,
            open_order_facts_table.c.arrived,
            open_order_facts_table.c.wait_days.is_not(None),
        ),
        "The days within which half of the orders had arrived, open orders counted as still waiting at the data's own date (Kaplan-Meier).",
        date="ordered_day",
        numerator="orders that arrived",
        denominator="orders that arrived or are still open",
        exclusions="Orders that are not sales, and excused cancellations.",
        source="own",
        short="Median, open too",
        facts=open_order_facts_table,
    ),
    _time(
        "completion_days",
        "Time to complete",
        Ratio(Part(_complete, clock.cycle_days), Part(_complete)),
        "Mean days from order to the arrival of the last of everything that was owed.",
        numerator="Σ days from order to the last needed receipt of complete orders",
        denominator="orders of which all that was owed has come",
        exclusions="Orders that are not sales, and orders that are not complete (shown).",
        source="own",
        short="Time to complete",
        facts=cycle_facts_table,
    ),
    _time(
        "days_late",
        "Days late, late orders",
        Ratio(Part(LATE, o.days_late), Part(LATE)),
        "Mean days from due day to arrival of the orders that arrived late. Early orders never offset late ones.",
        date="due_day",
        numerator="Σ days from due day to arrival of late orders",
        denominator="orders that arrived late",
        exclusions=f"{PENDING} Orders that came in time or not at all.",
        source="own",
        needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
        short="Days late",
    ),
)
