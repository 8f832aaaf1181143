"""The buyer's view: did the order come on time, complete, undamaged, with the right goods, and was it billed right?

Source: the brief; SCOR; rules, section 4 (a).
"""

from sqlalchemy import and_, func, or_

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.measures.formulas import judged, order_share
from metrics.measures.needs import (
    BILLING_FEEDS,
    CORE_FEEDS,
    NEEDS_BILLS,
    NEEDS_DAMAGE,
    NEEDS_PROMISE,
    NEEDS_RECEIPT,
    PENDING,
)
from metrics.model.measure import Direction, Measure, Part, Ratio, Total, Unit
from metrics.sql.dialects import Expression

o = order_facts_table.c
line = order_line_facts_table.c


def _nothing_received(name: str) -> Expression:
    return func.coalesce(o[f"{name}_reason"] == "nothing_received", False)


ON_TIME = order_share(
    "on_time",
    "Orders received on time",
    judged(o.on_time, o.state),
    "Orders of which every line's needed quantity was received by its first promise, at the buyer's local day or instant.",
    "brief; SCOR RL.2.2",
    CORE_FEEDS,
    short="On time",
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
)
COMPLETE = order_share(
    "complete",
    "Orders received complete",
    judged(o.complete, o.state),
    "Orders of which every line was received in the quantity owed, however late.",
    "brief; SCOR RL.2.1",
    CORE_FEEDS,
    short="Complete",
    needs=(NEEDS_RECEIPT,),
)
DAMAGE_FREE = order_share(
    "damage_free",
    "Orders received damage free",
    judged(o.damage_free, o.state, but=_nothing_received("damage_free")),
    "Orders received without recorded damage, damage credit or damage return, once the claims window has passed or no damage is recorded.",
    "brief; SCOR RL.2.4",
    (*CORE_FEEDS, "invoices"),
    short="Damage free",
    exclusions=f"{PENDING} Orders of which nothing was received.",
    needs=(NEEDS_DAMAGE,),
)
FILLED_ACCURATELY = order_share(
    "filled_accurately",
    "Orders filled accurately",
    judged(o.filled_accurately, o.state, but=_nothing_received("filled_accurately")),
    "Orders received with the right products, at the right place and without overage.",
    "brief; SCOR RL.3.33, RL.3.34, RL.3.35",
    CORE_FEEDS,
    short="Filled right",
    exclusions=f"{PENDING} Orders of which nothing was received.",
    needs=(NEEDS_RECEIPT,),
)
BILLED_ACCURATELY = order_share(
    "billed_accurately",
    "Orders billed accurately",
    judged(o.billed_accurately, o.state),
    "Orders of which every line was billed in time, once, in the quantity received, at the agreed price, terms, party and currency; "
    "never reversed or credited for billing.",
    "brief; SCOR RL.2.3, RL.3.11, RL.3.45",
    (*CORE_FEEDS, *BILLING_FEEDS),
    short="Billed right",
    exclusions="Pending orders, excused cancellations, orders that are not sales. Services and fees stay in. Unknown verdicts lower the coverage.",
    needs=(NEEDS_BILLS,),
)
PERFECT_ORDER = order_share(
    "perfect_order",
    "Perfect orders",
    Ratio(
        Part(and_(o.state == "judged", o.perfect_order.is_(True))),
        Part(and_(o.state == "judged", o.perfect_order_known)),
        Part(and_(o.state == "judged", o.perfect_order.is_(None))),
        Part(o.state == "judged"),
    ),
    "Orders that pass all five tests: on time, complete, damage free, filled accurately and billed accurately.",
    "brief; SCOR RL.1.1",
    (*CORE_FEEDS, *BILLING_FEEDS),
    short="Perfect order",
    numerator="orders with all five verdicts true",
    denominator="judged orders with all five verdicts known (nothing received counts as known)",
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT, NEEDS_DAMAGE, NEEDS_BILLS),
)
OTIF = order_share(
    "otif",
    "On time in full",
    judged(o.otif, o.state),
    "Orders of which all that was owed came by the deadline: on time and complete, decided order by order.",
    "McKinsey and TPA 2019; AtliQ",
    CORE_FEEDS,
    short="OTIF",
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
)

OTIF_LINE = Measure(
    name="otif_line",
    title="On time in full, lines",
    unit=Unit.SHARE,
    direction=Direction.HIGHER,
    facts=order_line_facts_table,
    date="due_day",
    formula=judged(line.otif, line.state),
    definition="Order lines of which all that was owed came by the deadline. Never to be read as orders on time in full.",
    numerator="goods lines on time and complete",
    denominator="judged goods lines whose verdict is known",
    exclusions=PENDING,
    source="AtliQ",
    feeds=CORE_FEEDS,
    product_rows=(1,),
    short="OTIF lines",
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
)
_units_known = and_(
    line.state == "judged", line.deadline_at.is_not(None), line.in_window_qty == line.in_window_most_qty,
    func.coalesce(line.on_time_reason != "quarantined", True),
)  # fmt: skip
OTIF_UNIT = Measure(
    name="otif_unit",
    title="On time in full, units",
    unit=Unit.SHARE,
    direction=Direction.HIGHER,
    facts=order_line_facts_table,
    date="due_day",
    formula=Ratio(
        Part(_units_known, line.in_window_qty),
        Part(_units_known, line.owed_qty),
        Part(and_(line.state == "judged", ~_units_known), line.owed_qty),
    ),
    definition="Units received inside the window or by the deadline, of the units owed; never more than owed on any line.",
    numerator="units received in time, capped at owed per line",
    denominator="units owed on judged goods lines whose timely quantity is known",
    exclusions=PENDING,
    source="Walmart (SupplyPike)",
    feeds=CORE_FEEDS,
    product_rows=(1,),
    short="OTIF units",
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
)
_SCOR = (o.complete, o.item_ok, o.overage_ok, o.on_time, o.place_ok, o.billed_accurately, o.damage_free)
"""RL.2.1 = complete, item, overage; RL.2.2 = on_time, place; RL.2.3 = billed; RL.2.4 = damage free."""
SCOR_TRUE = and_(*[part.is_(True) for part in _SCOR])
SCOR_FALSE = or_(o.otif.is_(False), *[part.is_(False) for part in _SCOR])
"""otif stands for the first two: it can be known to fail where neither of them is known."""
PERFECT_ORDER_SCOR4 = order_share(
    "perfect_order_scor4",
    "Perfect orders, SCOR roll-up",
    Ratio(
        Part(and_(o.state == "judged", SCOR_TRUE)),
        Part(and_(o.state == "judged", o.perfect_order_known)),
        Part(and_(o.state == "judged", ~SCOR_TRUE, ~SCOR_FALSE)),
        Part(o.state == "judged"),
    ),
    "Orders that pass SCOR's four: complete with the right items and no overage, on time at the right place, billed accurately, damage free. "
    "The same orders as perfect_order, by another road.",
    "SCOR RL.1.1",
    (*CORE_FEEDS, *BILLING_FEEDS),
    short="Perfect (SCOR)",
    numerator="orders with all four SCOR parts true",
    denominator="judged orders with every part known (nothing received counts as known)",
    needs=PERFECT_ORDER.needs,
)
OVERDUE_OPEN = Measure(
    name="overdue_open",
    title="Overdue and still open",
    unit=Unit.COUNT,
    direction=Direction.LOWER,
    facts=order_line_facts_table,
    date="due_day",
    formula=Total(
        Part(
            and_(
                line.state == "judged",
                line.deadline_at.is_not(None),
                line.complete.is_(False),
                line.owed_qty - line.counted_qty - line.cancelled_short_qty > 0,
            )
        )
    ),
    definition="Goods lines past their deadline that are short and whose remainder nobody has cancelled: what we still owe late, as of the data.",
    numerator="judged goods lines that are short with a remainder still open",
    denominator="none: a count",
    exclusions="Pending lines, lines whose remainder is cancelled, lines with a consignment that may make them complete, orders that are not sales.",
    source="own; rules R15",
    feeds=CORE_FEEDS,
    product_rows=(1,),
    short="Overdue, open",
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
)

MEASURES = (
    PERFECT_ORDER,
    OTIF,
    ON_TIME,
    COMPLETE,
    DAMAGE_FREE,
    FILLED_ACCURATELY,
    BILLED_ACCURATELY,
    OTIF_LINE,
    OTIF_UNIT,
    PERFECT_ORDER_SCOR4,
    OVERDUE_OPEN,
)
