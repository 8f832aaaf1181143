"""Service recovery: failures detected, acknowledged and settled, and customers that reordered.

The curves of no failure, recovered and unrecovered show data, never an effect. Published evidence is mixed on a good
recovery being better than no failure, and recovery was never assigned at random. Source: docs/rules.md, service
recovery.
"""

from decimal import Decimal

from sqlalchemy import and_

from metrics.facts.recoveries import CHAIN, RECOVERY_DAYS, recovery_facts_table
from metrics.facts.recovery_costs import recovery_cost_facts_table
from metrics.facts.retention import RETAINED_DAYS
from metrics.measures.formulas import DAY, HOUR
from metrics.measures.needs import (
    BILLING_FEEDS,
    CORE_FEEDS,
    NEEDS_BILLED_QTY,
    NEEDS_BILLS,
    NEEDS_MESSAGES,
    NEEDS_RECEIPT,
    NEEDS_RESOLVED,
    NEEDS_UNIT_COST,
    PENDING,
)
from metrics.model.measure import Direction, Measure, Need, Part, Ratio, Survival, Total, Unit, Window
from metrics.sql.dialects import Expression

order = recovery_facts_table.c
cost = recovery_cost_facts_table.c

NEEDS_CHAIN = Need(tuple(sorted(CHAIN)))
NEEDS_NOTICES = Need((("messages.order_id", "messages.kind", "messages.sent_at"),))
NEEDS_CASES_OF_ORDERS = Need(("service_cases.order_id",))
"""Without the buyers' cases, every detected failure would be detected by us."""
NEEDS_ACKNOWLEDGED = Need(("service_cases.acknowledged_at",), when="service_cases.opened_at")
NEEDS_CASE_COSTS = Need(("service_cases.cost_amount",))
CHAIN_FEEDS = (*CORE_FEEDS, *BILLING_FEEDS, "messages", "service_cases")
_in_recovery = and_(order.failed, ~order.limit_passed, order.detect_seconds <= RECOVERY_DAYS * DAY)
"""Open failures. One detected later than the recovery days is not open, so that it does not make a year provisional."""
_detected = and_(order.failed, order.detected_at.is_not(None))


def _gap(
    *,
    name: str,
    verb: str,
    percent: int,
    seconds: Expression,
    done: Expression,
    span: str,
    needs: tuple[Need, ...] = (),
) -> Measure:
    return Measure(
        name=f"{name}_hours_p{percent}",
        title=f"Recovery: hours to {verb}, P{percent}",
        short=f"{verb.capitalize()} P{percent}",
        unit=Unit.HOURS,
        direction=Direction.LOWER,
        facts=recovery_facts_table,
        date="due_day",
        formula=Survival(seconds, done.is_not(None), seconds.is_not(None), fraction=Decimal(percent) / 100, ticks=HOUR),
        definition=(
            f"Hours within which {percent}% of failures went {span}. The others count as still waiting (Kaplan-Meier)."
        ),
        numerator=f"the first hour by which {percent}% of them have (Kaplan-Meier)",
        denominator=f"failures on the way {span}",
        exclusions=PENDING,
        source="docs/rules.md, service recovery",
        feeds=CHAIN_FEEDS,
        needs=(NEEDS_CHAIN, *needs, NEEDS_RECEIPT),
        product_rows=(14,),
    )


def _gaps(percent: int) -> tuple[Measure, ...]:
    return (
        _gap(
            name="detect",
            verb="detect",
            percent=percent,
            seconds=order.detect_seconds,
            done=order.detected_at,
            span="from failure to detection (below 0: the buyer was warned before it failed)",
        ),
        _gap(
            name="acknowledge",
            verb="acknowledge",
            percent=percent,
            seconds=order.acknowledge_seconds,
            done=order.acknowledged_at,
            span="from detection to acknowledgement",
        ),
        _gap(
            name="resolve",
            verb="resolve",
            percent=percent,
            seconds=order.resolve_seconds,
            done=order.resolved_at,
            span=("from acknowledgement to settlement"),
            needs=(NEEDS_ACKNOWLEDGED, NEEDS_RESOLVED),
        ),
    )


def _reorder(days: int) -> Measure:
    return Measure(
        name=f"reorder_{days}",
        title=f"Reordered within {days} days",
        short=f"Reordered, {days} days",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=recovery_facts_table,
        date="due_day",
        formula=Survival(order.reorder_days, order.next_day.is_not(None), order.start_day.is_not(None), within=days),
        definition=(
            f"Orders after which the customer reordered within {days} days of arrival, or of the deadline if the order "
            "was not recovered or never arrived. Customers still within that time count as waiting (Kaplan-Meier). By "
            "recovery group, it is an association, never an effect."
        ),
        numerator=f"1 - S({days}) (Kaplan-Meier)",
        denominator="judged orders of known customers that arrived or had a deadline",
        exclusions=PENDING,
        source="docs/rules.md, service recovery",
        feeds=CHAIN_FEEDS,
        needs=(NEEDS_CHAIN, NEEDS_RECEIPT),
        product_rows=(14,),
    )


MEASURES: tuple[Measure, ...] = (
    Measure(
        name="failure_detected_by_us",
        title="Detected by us first",
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
        definition="Failures for which we sent a notice of delay before the buyer raised a case.",
        numerator="failures with a notice of delay before any case",
        denominator="failures detected by a notice of delay or a case",
        exclusions=f"{PENDING} Also undetected failures (failures_undetected counts them).",
        source="own definition",
        feeds=CHAIN_FEEDS,
        needs=(NEEDS_CHAIN, NEEDS_MESSAGES, NEEDS_NOTICES, NEEDS_CASES_OF_ORDERS, NEEDS_RECEIPT),
        product_rows=(14,),
    ),
    Measure(
        name="failures_undetected",
        title="Undetected failures",
        short="Undetected",
        unit=Unit.COUNT,
        direction=Direction.LOWER,
        facts=recovery_facts_table,
        date="due_day",
        formula=Total(Part(and_(order.failed, order.detected_at.is_(None)))),
        definition="Orders that failed without a notice of delay or a case by the end of the data.",
        numerator="failures without a notice of delay or a case",
        denominator="–",
        exclusions=PENDING,
        source="own definition",
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
        windows=(Window("recovery window", _in_recovery),),
        definition=(
            f"Failures settled within {RECOVERY_DAYS} days of detection, as a share of failures older than that. An "
            "undetected failure counts from the day of the failure, and as not recovered."
        ),
        numerator=f"failures settled within {RECOVERY_DAYS} days",
        denominator=f"failures whose {RECOVERY_DAYS} days have passed",
        exclusions=f"{PENDING} Also failures whose {RECOVERY_DAYS} days have not passed.",
        source="docs/rules.md, service recovery",
        feeds=CHAIN_FEEDS,
        needs=(NEEDS_CHAIN, NEEDS_RESOLVED, NEEDS_RECEIPT),
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
        definition=(
            "Cost of resolving failures: cases of failed orders, goods (at unit cost) and service of replacement "
            "orders, and goodwill credits."
        ),
        numerator="Σ cost of cases, replacement orders and goodwill credits",
        denominator="–",
        exclusions="Amounts without an exchange rate, goods without a unit cost, special requests and sudden changes.",
        source="own definition",
        feeds=("service_cases", "service_costs", *BILLING_FEEDS, "products"),
        product_rows=(14,),
        needs=(NEEDS_CASE_COSTS,),
        short="Recovery cost",
    ),
    Measure(
        name="retained_margin",
        title=f"Margin retained in the {RETAINED_DAYS} days after a failure",
        short="Margin retained",
        unit=Unit.MONEY,
        direction=Direction.HIGHER,
        facts=recovery_facts_table,
        date="due_day",
        formula=Ratio(
            Part(and_(order.failed, order.retained_amount.is_not(None)), order.retained_amount),
            Part(and_(order.failed, order.retained_amount.is_not(None))),
        ),
        definition=(
            "Mean margin (billed less credited, less unit cost) of the goods that the customer ordered in the "
            f"{RETAINED_DAYS} days after a failure. By recovery group, it is an association, never an effect."
        ),
        numerator=f"Σ margin of goods that customers ordered in the {RETAINED_DAYS} days after their failures",
        denominator=f"failures whose {RETAINED_DAYS} days have passed and whose margins are known",
        exclusions=(
            f"{PENDING} Also failures whose {RETAINED_DAYS} days have not passed, and failures followed by goods "
            "without a unit cost or exchange rate."
        ),
        source="own definition",
        feeds=(*CHAIN_FEEDS, "products"),
        needs=(NEEDS_CHAIN, NEEDS_RECEIPT, NEEDS_BILLS, NEEDS_BILLED_QTY, NEEDS_UNIT_COST),
        product_rows=(14,),
    ),
)
