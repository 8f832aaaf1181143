"""Order cycle time: how long from order to arrival, and how dependable. Source: the brief; SCOR RS.1.1; rules, section 4 (c), R30."""

from decimal import Decimal

from metrics.buyer_view import ARRIVED, LATE, NEEDS_PROMISE, NEEDS_RECEIPT, PENDING, G
from metrics.facts import order_facts_table
from metrics.measure import Direction, Formula, Measure, Need, Part, Percentile, Ratio, Spread, Unit

o = order_facts_table.c
NOT_ARRIVED = "Orders that are not sales, and orders of which a line has not arrived at all."
_known = o.cycle_days.is_not(None)


def _time(
    name: str, title: str, formula: Formula, definition: str, *, unit: Unit = Unit.DAYS, date: str = "arrived_day",
    numerator: str, denominator: str = "orders with every goods line received at least in part", exclusions: str = NOT_ARRIVED,
    source: str = "Coyle", needs: tuple[Need, ...] = (NEEDS_RECEIPT,), rows: tuple[int, ...] = (4, 12, 13), short: str = "",
) -> Measure:  # fmt: skip
    return Measure(
        name=name, title=title, unit=unit, direction=Direction.LOWER, facts=order_facts_table, date=date, formula=formula, definition=definition,
        numerator=numerator, denominator=denominator, exclusions=exclusions, source=source, feeds=G, product_rows=rows, needs=needs, short=short,
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
