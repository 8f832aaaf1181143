"""Service recovery: found, answered, settled; and whether the buyer ordered again. Source: the brief; rules, section 4
(i).

The curves of no failure, recovered and unrecovered are shown as data and never summarised as an effect: published
evidence on whether a good recovery beats no failure is mixed, and who was recovered was nobody's experiment.
"""

from decimal import Decimal

from sqlalchemy import and_

from metrics.facts.recoveries import CHAIN, RECOVERY_DAYS, recovery_facts_table
from metrics.facts.recovery_costs import recovery_cost_facts_table
from metrics.facts.retention import RETAINED_DAYS
from metrics.measures.formulas import HOUR
from metrics.measures.needs import BILLING_FEEDS, CORE_FEEDS, NEEDS_RECEIPT, PENDING
from metrics.model.measure import Direction, Formula, Measure, Need, Part, Ratio, Survival, Total, Unit
from metrics.sql.dialects import Expression

order = recovery_facts_table.c
cost = recovery_cost_facts_table.c

NEEDS_CHAIN = Need(tuple(sorted(CHAIN)), "no feed: messages or service_cases")
NEEDS_UNIT_COST = Need(("products.unit_cost_amount",), "no data: unit_cost_amount (map products.unit_cost_amount)")
NEEDS_COSTS = Need(("service_cases.cost_amount",), "no feed: service_cases")
CHAIN_FEEDS = (*CORE_FEEDS, *BILLING_FEEDS, "messages", "service_cases")
_detected = and_(order.failed, order.detected_at.is_not(None))


def _measure(
    name: str, title: str, formula: Formula, definition: str, numerator: str, denominator: str, *, unit: Unit = Unit.SHARE,
    direction: Direction = Direction.HIGHER, exclusions: str = PENDING, source: str = "own", needs: tuple[Need, ...] = (NEEDS_CHAIN, NEEDS_RECEIPT),
    feeds: tuple[str, ...] = CHAIN_FEEDS, short: str = "",
) -> Measure:  # fmt: skip
    return Measure(
        name=name, title=title, unit=unit, direction=direction, facts=recovery_facts_table, date="due_day", formula=formula, definition=definition,
        numerator=numerator, denominator=denominator, exclusions=exclusions, source=source, feeds=feeds, product_rows=(14,), needs=needs, short=short,
    )  # fmt: skip


def _gap(name: str, verb: str, percent: int, seconds: Expression, done: Expression, span: str) -> Measure:
    return _measure(
        f"{name}_hours_p{percent}",
        f"Recovery: hours to {verb}, P{percent}",
        Survival(seconds, done.is_not(None), seconds.is_not(None), fraction=Decimal(percent) / 100, ticks=HOUR),
        f"Hours within which {percent} % of failures went {span}; those that have not count as waiting (Kaplan-Meier).",
        f"the first hour by which {percent} % of them have (Kaplan-Meier)",
        f"failures on the way {span}",
        unit=Unit.HOURS,
        direction=Direction.LOWER,
        source="brief",
        short=f"{verb.capitalize()} P{percent}",
    )


def _gaps(percent: int) -> tuple[Measure, ...]:
    return (
        _gap(
            "detect",
            "detect",
            percent,
            order.detect_seconds,
            order.detected_at,
            "from failing to being detected (below 0: told before it failed)",
        ),
        _gap(
            "acknowledge",
            "acknowledge",
            percent,
            order.acknowledge_seconds,
            order.acknowledged_at,
            "from detected to acknowledged",
        ),
        _gap("resolve", "resolve", percent, order.resolve_seconds, order.resolved_at, "from acknowledged to settled"),
    )


def _reorder(days: int) -> Measure:
    return _measure(
        f"reorder_{days}",
        f"Ordered again within {days} days",
        Survival(order.reorder_days, order.next_day.is_not(None), order.start_day.is_not(None), within=days),
        f"Orders after which the customer ordered again within {days} days, counted from arrival, or from the deadline where the order was "
        "not recovered or never came; those still within their time count as waiting (Kaplan-Meier). By recovery group it is an association, "
        "never an effect.",
        f"1 - S({days}) (Kaplan-Meier)",
        "judged orders that arrived or had a deadline",
        source="brief",
        short=f"Again in {days} days",
    )


MEASURES: tuple[Measure, ...] = (
    _measure(
        "failure_detected_by_us",
        "Found before the buyer told us",
        Ratio(
            Part(and_(_detected, order.by_us.is_(True))),
            Part(and_(_detected, order.by_us.is_not(None))),
            Part(and_(_detected, order.by_us.is_(None))),
        ),
        "Failures of which the buyer had our notice of delay before raising any case.",
        "failures with a notice of delay before any case",
        "failures detected: with a notice of delay or a case",
        exclusions=f"{PENDING} Failures nobody has detected (they are in failures_undetected).",
        short="Found by us",
    ),
    _measure(
        "failures_undetected",
        "Failures nobody has detected",
        Total(Part(and_(order.failed, order.detected_at.is_(None)))),
        "Orders that failed without a notice of delay or a case by the data's date.",
        "failures without a notice of delay or a case",
        "–",
        unit=Unit.COUNT,
        direction=Direction.LOWER,
        short="Undetected",
    ),
    *_gaps(50),
    *_gaps(90),
    _measure(
        "recovered_share",
        "Failures recovered",
        Ratio(Part(and_(order.limit_passed, order.recovery == "recovered")), Part(order.limit_passed)),
        f"Failures settled within {RECOVERY_DAYS} days of their detection, of those whose {RECOVERY_DAYS} days have passed. One that nobody detected "
        "counts from the failure itself, and as not recovered.",
        f"failures settled within {RECOVERY_DAYS} days",
        f"failures whose {RECOVERY_DAYS} days have passed",
        exclusions=f"{PENDING} Failures whose {RECOVERY_DAYS} days have not passed.",
        source="brief",
        short="Recovered",
    ),
    _reorder(30),
    _reorder(60),
    _reorder(90),
    Measure(
        name="recovery_cost",
        title="Cost of recovery",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=recovery_cost_facts_table,
        date="cost_day",
        formula=Total(Part(cost.amount.is_not(None), cost.amount)),
        definition="What failures cost to make good: cases of failed orders, goods (at unit cost) and service of replacement orders, "
        "goodwill credits.",
        numerator="Σ cost of cases, replacement orders and goodwill credits",
        denominator="–",
        exclusions="Amounts without an exchange rate and goods without a unit cost. Special requests and sudden changes.",
        source="own",
        feeds=("service_cases", "service_costs", *BILLING_FEEDS, "products"),
        product_rows=(14,),
        needs=(NEEDS_COSTS,),
        short="Recovery cost",
    ),
    _measure(
        "retained_margin",
        f"Margin kept in the {RETAINED_DAYS} days after a failure",
        Ratio(
            Part(and_(order.failed, order.retained_amount.is_not(None)), order.retained_amount),
            Part(and_(order.failed, order.retained_amount.is_not(None))),
        ),
        f"Mean margin (billed less credited, less unit cost) of the goods that the customer ordered in the {RETAINED_DAYS} days after a failure. "
        "By recovery group it is an association, never an effect.",
        f"Σ margin of goods the customers ordered in the {RETAINED_DAYS} days after their failures",
        f"failures whose {RETAINED_DAYS} days have passed and whose margins are known",
        unit=Unit.MONEY,
        exclusions=f"{PENDING} Failures whose {RETAINED_DAYS} days have not passed, and those with goods after them that have no unit cost or rate.",
        needs=(NEEDS_CHAIN, NEEDS_UNIT_COST),
        feeds=(*CHAIN_FEEDS, "products"),
        short="Margin kept",
    ),
)
