"""Stockouts: their number, their outcomes, and their expected cost, observed and assumed.

Source: docs/rules.md, stockouts; R38 (stockouts).
"""

from sqlalchemy import and_

from metrics.facts.stockout_events import OPEN, OUTCOMES, UNORDERED
from metrics.facts.stockouts import stockout_facts_table
from metrics.measures.fill_rate import LINE_SOURCES
from metrics.measures.needs import (
    CORE_FEEDS,
    NEEDS_BILLS,
    NEEDS_CURRENCY,
    NEEDS_FIRST_DUE,
    NEEDS_PRICE,
    NEEDS_SHIPPED,
    NEEDS_UNIT_COST,
    RECEIVED,
    SHIPPED,
    STOCKOUT_ASSUMPTIONS,
    known_by_order,
)
from metrics.measures.stockout_costs import (
    SMALL,
    TITLES,
    answer_assumed_unit_cost,
    answer_rate,
    answer_unit_cost,
    total_cost,
)
from metrics.model.dimensions import SHARED_DIMENSIONS
from metrics.model.measure import Direction, Measure, Need, Part, Ratio, Study, Total, Unit, Window
from metrics.sql.dialects import Expression

s = stockout_facts_table.c


NEEDS_UNORDERED = Need(("stockouts.wanted_at",))
NEEDS_LINES = (Need((SHIPPED, RECEIVED)), NEEDS_FIRST_DUE)
"""A line is short at its first promise, or at receipt if no source maps shipped_at."""
NEEDS_EVENTS = tuple(Need((*need.any_of, *NEEDS_UNORDERED.any_of)) for need in NEEDS_LINES)
"""A stockout is a short line, or demand that never became an order."""
NEEDS_EXTRA = Need(("shipments.freight_amount", "service_costs.amount"), "cost of a second delivery")

EXCLUDED = (
    "Pending lines, excused cancellations, services and fees, orders that are not sales, lines of orders on credit "
    "hold at the first promise, and lines whose first-pass fill is unknown."
)
_with_outcome = s.outcome != OPEN
LOSS_WINDOW = (Window("loss window", s.provisional.is_(True)),)
"""Until the buyer's horizon has passed, a stockout can still turn into a lost buyer."""


def _count(
    *,
    name: str,
    title: str,
    short: str,
    condition: Expression,
    definition: str,
    needs: tuple[Need, ...] = NEEDS_EVENTS,
) -> Measure:
    return Measure(
        name=name,
        title=title,
        short=short,
        unit=Unit.COUNT,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Total(Part(condition)),
        definition=definition,
        numerator="stockouts",
        denominator="none: a count",
        exclusions=EXCLUDED,
        source="Coyle",
        feeds=(*CORE_FEEDS, "stockouts"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=needs,
        product_rows=(3,),
    )


def _share(outcome: str) -> Measure:
    return Measure(
        name=f"outcome_share_{outcome}",
        title=f"Stockouts where {TITLES[outcome]}",
        short=outcome.replace("_", " ").capitalize(),
        unit=Unit.SHARE,
        direction=Direction.NEITHER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Ratio(Part(s.outcome == outcome), Part(_with_outcome)),
        definition=(
            f"Stockouts where {TITLES[outcome]}, as a share of stockouts whose outcome is known. Provisional outcomes "
            "are included, although the buyer may still be lost."
        ),
        numerator=f"stockouts whose outcome is {outcome}",
        denominator="stockouts with an outcome",
        exclusions=f"{EXCLUDED} Also open stockouts (stockouts_open).",
        source="own definition",
        feeds=(*CORE_FEEDS, "stockouts"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=NEEDS_EVENTS,
        windows=LOSS_WINDOW,
        product_rows=(3,),
    )


_COSTS = {
    "waited": ("the assumed cost of the wait (0 unless given)", ()),
    "back_ordered": ("the extra freight and handling of the order's later consignments", (NEEDS_SHIPPED, NEEDS_EXTRA)),
    "sale_lost": ("the margin of the short quantity", (NEEDS_PRICE, NEEDS_CURRENCY, NEEDS_UNIT_COST)),
    "buyer_lost": (
        "the margin of the short quantity, plus the buyer's margin of the 12 months before times the assumed years, "
        "once per buyer, on the last stockout",
        (NEEDS_PRICE, NEEDS_UNIT_COST, NEEDS_BILLS),
    ),
}


def _cost(outcome: str) -> Measure:
    what, needs = _COSTS[outcome]
    of_whole = {"back_ordered": "the extra cost", "buyer_lost": "the buyer's future margin"}
    known = and_(s.outcome == outcome, s.cost_amount.is_not(None))
    return Measure(
        name=f"stockout_cost_{outcome}",
        title=f"Cost of a stockout where {TITLES[outcome]}",
        short=f"Cost {outcome.replace('_', ' ')}",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Ratio(Part(known, s.cost_amount), Part(known)),
        definition=f"Mean of {what}, for stockouts where {TITLES[outcome]} and the cost is known.",
        numerator=f"Σ {what}",
        denominator=f"stockouts whose outcome is {outcome} and whose cost is known",
        exclusions=f"{EXCLUDED} Also stockouts whose price, unit cost or exchange rate is unknown.",
        source="Coyle",
        feeds=(*CORE_FEEDS, "stockouts", "products", "service_costs", "assumptions"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=(*NEEDS_EVENTS, *needs),
        windows=LOSS_WINDOW,
        refused=known_by_order(of_whole[outcome]) if outcome in of_whole else (),
        product_rows=(3,),
    )


_COSTED = (*NEEDS_EVENTS, NEEDS_PRICE, NEEDS_CURRENCY, NEEDS_UNIT_COST)
_OBSERVED_TEXT = (
    "p_waited × wait cost + p_back_ordered × extra freight and handling + p_sale_lost × margin of the short "
    "quantity + p_buyer_lost × (that margin + the buyer's margin of the 12 months before × assumed years, once per "
    "buyer). Shares p and costs are observed."
)

BORROWED = "parts with few stockouts borrow shares and costs from all stockouts"
SCOPED = "each part can have its own assumptions"

MEASURES = (
    _count(
        name="stockout_events",
        title="Stockouts",
        short="Stockouts",
        condition=s.outcome.is_not(None),
        definition=(
            "Order lines not shipped in full by the first promised date, and recorded demand that never became an "
            "order."
        ),
    ),
    _count(
        name="stockouts_of_lines",
        title="Stockouts of order lines",
        short="On lines",
        condition=s.stockout_source.in_(LINE_SOURCES),
        definition=(
            "Order lines not shipped in full by the first promised date. If no source maps shipped_at: lines not "
            "received in full."
        ),
        needs=NEEDS_LINES,
    ),
    _count(
        name="stockouts_unordered",
        title="Stockouts before an order",
        short="Before an order",
        condition=s.stockout_source == UNORDERED,
        definition="Demand that found no stock and never became an order line (feed stockouts).",
        needs=(NEEDS_UNORDERED,),
    ),
    _count(
        name="stockouts_open",
        title="Open stockouts",
        short="Open",
        condition=s.outcome == OPEN,
        definition=(
            "Stockouts whose goods have neither arrived nor been cancelled, while the buyer's horizon has not passed. "
            "After it they are lost sales."
        ),
        needs=NEEDS_LINES,
    ),
    _count(
        name="stockouts_provisional",
        title="Stockouts with a provisional outcome",
        short="Provisional",
        condition=and_(_with_outcome, s.provisional.is_(True)),
        definition="Stockouts with an outcome whose buyer has not reordered, while the buyer's horizon has not passed.",
    ),
    _count(
        name="stockouts_contradicted",
        title="Lost buyers who ordered again",
        short="Contradicted",
        condition=s.contradicted.is_(True),
        definition=(
            "Stockouts that the feed stockouts records as buyer_lost, although the buyer has ordered since. They count "
            "as waited if the buyer ordered the product, else as a lost sale."
        ),
        needs=(Need(("stockouts.outcome",)),),
    ),
    Measure(
        name="stockout_rate",
        title="Lines with a stockout",
        short="Stockout rate",
        unit=Unit.SHARE,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Study(answer_rate, SHARED_DIMENSIONS, periods=True),
        definition=(
            "Order lines not shipped in full by the first promised date, as a share of judged goods lines. Demand "
            "before an order is not included."
        ),
        numerator="stockouts of order lines",
        denominator="judged goods lines whose first-pass fill is known",
        exclusions=EXCLUDED,
        source="own definition",
        feeds=CORE_FEEDS,
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=NEEDS_LINES,
        product_rows=(3,),
    ),
    *[_share(outcome) for outcome in OUTCOMES],
    *[_cost(outcome) for outcome in OUTCOMES],
    Measure(
        name="stockout_unit_cost",
        title="Expected cost per stockout",
        short="Unit cost",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Study(answer_unit_cost, (*SHARED_DIMENSIONS, "stockout_source"), periods=True),
        definition=(
            f"{_OBSERVED_TEXT} Groups with fewer than {SMALL} stockouts draw their shares towards the overall shares "
            "of the period: (count + 20 × overall share) / (n + 20). The shares shown elsewhere are not adjusted."
        ),
        numerator="Σ expected cost of the stockouts with an outcome",
        denominator="stockouts with an outcome",
        exclusions=EXCLUDED,
        source="Coyle",
        feeds=(*CORE_FEEDS, "stockouts", "products", "service_costs", "assumptions"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=_COSTED,
        windows=LOSS_WINDOW,
        refused=known_by_order("the cost of a back-order or a lost buyer"),
        product_rows=(3,),
        estimate=BORROWED,
    ),
    Measure(
        name="stockout_unit_cost_assumed",
        title="Expected cost per stockout, assumed",
        short="Unit cost assumed",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Study(answer_assumed_unit_cost, (*SHARED_DIMENSIONS, "stockout_source"), periods=True),
        definition=(
            "Expected cost per stockout with assumed shares and costs (assumptions stockout_*). The preset of 2,132.50 "
            "is illustrative. Compare it with the observed cost."
        ),
        numerator="Σ assumed share × assumed cost",
        denominator="one stockout",
        exclusions=EXCLUDED,
        source="Coyle",
        feeds=(*CORE_FEEDS, "stockouts", "assumptions"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=NEEDS_EVENTS,
        product_rows=(3,),
        estimate=SCOPED,
    ),
    Measure(
        name="stockout_total_cost",
        title="Cost of stockouts",
        short="Stockout cost",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Study(total_cost("stockout_unit_cost"), (*SHARED_DIMENSIONS, "stockout_source"), periods=True),
        definition=("Stockouts × observed expected cost per stockout."),
        numerator="stockouts × expected cost per stockout",
        denominator="stockouts",
        exclusions=EXCLUDED,
        source="Coyle",
        feeds=(*CORE_FEEDS, "stockouts", "products", "service_costs", "assumptions"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=_COSTED,
        windows=LOSS_WINDOW,
        refused=known_by_order("the cost of a back-order or a lost buyer"),
        product_rows=(3,),
        estimate=BORROWED,
    ),
    Measure(
        name="stockout_total_cost_assumed",
        title="Cost of stockouts, assumed",
        short="Stockout cost assumed",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=stockout_facts_table,
        date="event_day",
        formula=Study(total_cost("stockout_unit_cost_assumed"), (*SHARED_DIMENSIONS, "stockout_source"), periods=True),
        definition=(
            "Stockouts × assumed expected cost per stockout. The preset is illustrative. Compare it with the observed "
            "cost."
        ),
        numerator="stockouts × assumed cost per stockout",
        denominator="stockouts",
        exclusions=EXCLUDED,
        source="Coyle",
        feeds=(*CORE_FEEDS, "stockouts", "assumptions"),
        assumptions=STOCKOUT_ASSUMPTIONS,
        needs=NEEDS_EVENTS,
        product_rows=(3,),
        estimate=SCOPED,
    ),
)
