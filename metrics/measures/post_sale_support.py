"""Post-sale support: questions, parts requests and complaints settled; goods returned and the time to credit them.

Source: docs/rules.md, order management influences.
"""

from decimal import Decimal

from metrics.facts.returns import return_facts_table
from metrics.facts.service_cases import AFTER_SALE, case_facts_table
from metrics.measures.communications import case_
from metrics.measures.formulas import HOUR
from metrics.measures.needs import CORE_FEEDS, NEEDS_CASES, NEEDS_ORDER_LINES, NEEDS_RECEIPT, NEEDS_RESOLVED
from metrics.measures.shares import share_of_total
from metrics.model.measure import Direction, Measure, Need, Part, Ratio, Survival, Total, Unit

returned = return_facts_table.c
NEEDS_RETURNS = Need(("returns.return_id",))
_after_sale = case_.case_kind.in_(AFTER_SALE)


def _hours(percent: int) -> Measure:
    return Measure(
        name=f"post_sale_hours_p{percent}",
        title=f"Hours to settle a question or complaint, P{percent}",
        unit=Unit.HOURS,
        direction=Direction.LOWER,
        facts=case_facts_table,
        date="opened_day",
        formula=Survival(
            case_.open_seconds, case_.resolved_at.is_not(None), _after_sale, fraction=Decimal(percent) / 100, ticks=HOUR
        ),
        definition=(
            f"Hours within which {percent}% of questions, parts requests and complaints were settled. Open cases count "
            "as still waiting (Kaplan-Meier)."
        ),
        numerator=f"the first hour by which {percent}% of them are settled (Kaplan-Meier)",
        denominator="questions, parts requests and complaints raised by the end of the data",
        exclusions="None.",
        source="docs/rules.md, order management influences",
        feeds=("service_cases",),
        product_rows=(13,),
        needs=(NEEDS_CASES, NEEDS_RESOLVED),
        short=f"Support P{percent}",
    )


def _handling(percent: int) -> Measure:
    return Measure(
        name=f"return_handling_p{percent}",
        title=f"Return handling time, P{percent}",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=return_facts_table,
        date="announced_day",
        formula=Survival(
            returned.handling_days,
            returned.credited,
            returned.handling_days.is_not(None),
            fraction=Decimal(percent) / 100,
        ),
        definition=(
            f"Days within which {percent}% of returns were credited in full, counted from their announcement. Returns "
            "without a full credit count as still waiting (Kaplan-Meier). A return of several order lines counts once, "
            "under its first line."
        ),
        numerator=f"the first day by which {percent}% of them are credited (Kaplan-Meier)",
        denominator="returns announced by the end of the data",
        exclusions="Returns whose order line is missing.",
        source="docs/rules.md, order management influences",
        feeds=("returns", "orders", "order_lines"),
        product_rows=(13,),
        needs=(NEEDS_RETURNS, Need(("returns.credited_at",)), NEEDS_ORDER_LINES),
        short=f"Return P{percent}",
    )


MEASURES: tuple[Measure, ...] = (
    Measure(
        name="post_sale_support",
        title="Post-sale cases settled",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=case_facts_table,
        date="opened_day",
        formula=Ratio(Part(_after_sale & case_.resolved_at.is_not(None)), Part(_after_sale)),
        definition=(
            "Questions, parts requests and complaints settled by the end of the data, as a share of those raised."
        ),
        numerator="questions, parts requests and complaints settled",
        denominator="questions, parts requests and complaints raised by the end of the data",
        exclusions="None.",
        source="docs/rules.md, order management influences",
        feeds=("service_cases",),
        product_rows=(13,),
        needs=(NEEDS_CASES, NEEDS_RESOLVED),
        short="Cases settled",
    ),
    _hours(50),
    _hours(90),
    Measure(
        name="returned_units",
        title="Units returned",
        unit=Unit.UNITS,
        direction=Direction.LOWER,
        facts=return_facts_table,
        date="due_day",
        formula=Total(Part(returned.goods, returned.returned_qty)),
        definition="Units of goods lines announced for return, by the day they were due.",
        numerator="Σ returned_qty of goods lines of sales",
        denominator="–",
        exclusions="Returns whose order line is missing, services, fees, and orders that are not sales.",
        source="own definition",
        feeds=("returns", *CORE_FEEDS),
        product_rows=(13,),
        needs=(NEEDS_RETURNS, NEEDS_ORDER_LINES),
        short="Units returned",
    ),
    Measure(
        name="return_share",
        title="Share of units returned",
        unit=Unit.SHARE,
        direction=Direction.LOWER,
        facts=return_facts_table,
        date="due_day",
        formula=share_of_total(
            "return_share", "returned_units", "received_units", "return_reason", also=("base_unit",)
        ),
        definition=(
            "Units announced for return, as a share of the units received on the order lines due in the period. By "
            "reason, each value is the reason's share of all units received."
        ),
        numerator="Σ returned_qty of goods lines of sales",
        denominator="units received on goods lines",
        exclusions="Returns whose order line is missing, services, fees, and orders that are not sales.",
        source="docs/rules.md, order management influences",
        feeds=(*CORE_FEEDS, "returns"),
        product_rows=(13,),
        needs=(NEEDS_RETURNS, NEEDS_RECEIPT),
        short="Returned",
    ),
    _handling(50),
    _handling(90),
)
