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
from metrics.measures.needs import BILLING_FEEDS, CORE_FEEDS, NEEDS_RECEIPT, NEEDS_UNIT_COST, PENDING
from metrics.model.measure import Direction, Measure, Need, Part, Ratio, Survival, Total, Unit
from metrics.sql.dialects import Expression

order = recovery_facts_table.c
cost = recovery_cost_facts_table.c

NEEDS_CHAIN = Need(tuple(sorted(CHAIN)), "no feed: messages or service_cases")
NEEDS_CASE_COSTS = Need(("service_cases.cost_amount",), "no feed: service_cases")
CHAIN_FEEDS = (*CORE_FEEDS, *BILLING_FEEDS, "messages", "service_cases")
_detected = and_(order.failed, order.detected_at.is_not(None))


def _gap(name: str, verb: str, percent: int, seconds: Expression, done: Expression, span: str) -> Measure:
    return Measure(
        name=f"{name}_hours_p{percent}",
        title=f"Recovery: hours to {verb}, P{percent}",
        short=f"{verb.capitalize()} P{percent}",
        unit=Unit.HOURS,
        direction=Direction.LOWER,
        facts=recovery_facts_table,
        date="due_day",
        formula=Survival(seconds, done.is_not(None), seconds.is_not(None), fraction=Decimal(percent) / 100, ticks=HOUR),
        definition=f"Hours within which {percent} % of failures went {span}; those that have not count as waiting "
        "(Kaplan-Meier).",
        numerator=f"the first hour by which {percent} % of them have (Kaplan-Meier)",
        denominator=f"failures on the way {span}",
        exclusions=PENDING,
        source="brief",
        feeds=CHAIN_FEEDS,
        needs=(NEEDS_CHAIN, NEEDS_RECEIPT),
        product_rows=(14,),
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
    return Measure(
        name=f"reorder_{days}",
        title=f"Ordered again within {days} days",
        short=f"Again in {days} days",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=recovery_facts_table,
        date="due_day",
        formula=Survival(order.reorder_days, order.next_day.is_not(None), order.start_day.is_not(None), within=days),
        definition=f"Orders after which the customer ordered again within {days} days, counted from arrival, or from "
        "the deadline where the order was not recovered or never came; those still within their time count as "
        "waiting (Kaplan-Meier). By recovery group it is an association, never an effect.",
        numerator=f"1 - S({days}) (Kaplan-Meier)",
        denominator="judged orders that arrived or had a deadline",
        exclusions=PENDING,
        source="brief",
        feeds=CHAIN_FEEDS,
        needs=(NEEDS_CHAIN, NEEDS_RECEIPT),
        product_rows=(14,),
    )


MEASURES: tuple[Measure, ...] = (
    Measure(
        name="failure_detected_by_us",
        title="Found before the buyer told us",
        short="Found by us",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=recovery_facts_table,
        date="due_day",
        formula=Ratio(
            Part(and_(_detected, order.by_us.is_(True))),
            Part(and_(_detected, order.by_us.is_not(None))),
            Part(and_(_detected, order.by_us.is_(None))),
        ),
        definition="Failures of which the buyer had our notice of delay before raising any case.",
        numerator="failures with a notice of delay before any case",
        denominator="failures detected: with a notice of delay or a case",
        exclusions=f"{PENDING} Failures nobody has detected (they are in failures_undetected).",
        source="own",
        feeds=CHAIN_FEEDS,
        needs=(NEEDS_CHAIN, NEEDS_RECEIPT),
        product_rows=(14,),
    ),
    Measure(
        name="failures_undetected",
        title="Failures nobody has detected",
        short="Undetected",
        unit=Unit.COUNT,
        direction=Direction.LOWER,
        facts=recovery_facts_table,
        date="due_day",
        formula=Total(Part(and_(order.failed, order.detected_at.is_(None)))),
        definition="Orders that failed without a notice of delay or a case by the data's date.",
        numerator="failures without a notice of delay or a case",
        denominator="–",
        exclusions=PENDING,
        source="own",
        feeds=CHAIN_FEEDS,
        needs=(NEEDS_CHAIN, NEEDS_RECEIPT),
        product_rows=(14,),
    ),
    *_gaps(50),
    *_gaps(90),
    Measure(
        name="recovered_share",
        title="Failures recovered",
        short="Recovered",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=recovery_facts_table,
        date="due_day",
        formula=Ratio(Part(and_(order.limit_passed, order.recovery == "recovered")), Part(order.limit_passed)),
        definition=f"Failures settled within {RECOVERY_DAYS} days of their detection, of those whose {RECOVERY_DAYS} "
        "days have passed. One that nobody detected counts from the failure itself, and as not recovered.",
        numerator=f"failures settled within {RECOVERY_DAYS} days",
        denominator=f"failures whose {RECOVERY_DAYS} days have passed",
        exclusions=f"{PENDING} Failures whose {RECOVERY_DAYS} days have not passed.",
        source="brief",
        feeds=CHAIN_FEEDS,
        needs=(NEEDS_CHAIN, NEEDS_RECEIPT),
        product_rows=(14,),
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
        definition="What failures cost to make good: cases of failed orders, goods (at unit cost) and service of "
        "replacement orders, "
        "goodwill credits.",
        numerator="Σ cost of cases, replacement orders and goodwill credits",
        denominator="–",
        exclusions="Amounts without an exchange rate and goods without a unit cost. Special requests and sudden "
        "changes.",
        source="own",
        feeds=("service_cases", "service_costs", *BILLING_FEEDS, "products"),
        product_rows=(14,),
        needs=(NEEDS_CASE_COSTS,),
        short="Recovery cost",
    ),
    Measure(
        name="retained_margin",
        title=f"Margin kept in the {RETAINED_DAYS} days after a failure",
        short="Margin kept",
        unit=Unit.MONEY,
        direction=Direction.HIGHER,
        facts=recovery_facts_table,
        date="due_day",
        formula=Ratio(
            Part(and_(order.failed, order.retained_amount.is_not(None)), order.retained_amount),
            Part(and_(order.failed, order.retained_amount.is_not(None))),
        ),
        definition="Mean margin (billed less credited, less unit cost) of the goods that the customer ordered in the "
        f"{RETAINED_DAYS} days after a failure. By recovery group it is an association, never an effect.",
        numerator=f"Σ margin of goods the customers ordered in the {RETAINED_DAYS} days after their failures",
        denominator=f"failures whose {RETAINED_DAYS} days have passed and whose margins are known",
        exclusions=f"{PENDING} Failures whose {RETAINED_DAYS} days have not passed, and those with goods after them "
        "that have no unit cost or rate.",
        source="own",
        feeds=(*CHAIN_FEEDS, "products"),
        needs=(NEEDS_CHAIN, NEEDS_UNIT_COST),
        product_rows=(14,),
    ),
)
