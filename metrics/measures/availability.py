"""Product availability: did I get what I wanted, when I wanted it, in the quantity I wanted; and how much of what was
wanted came, at first pass and in the end. Source: the brief; rules, section 4 (b), R8.
"""

from sqlalchemy import and_, func

from metrics.facts.availability import availability_facts_table
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.measures.formulas import judged
from metrics.measures.needs import CORE_FEEDS, NEEDS_PRICE, NEEDS_RECEIPT, NEEDS_SHIPPED, PENDING
from metrics.model.measure import Direction, Measure, Need, Part, Ratio, Unit
from metrics.sql.dialects import Expression
from metrics.sql.exchange_rates import converted

o = order_facts_table.c
line = order_line_facts_table.c
three = availability_facts_table.c

NEEDS_REQUEST = Need(
    ("orders.requested_by", "order_lines.requested_by"), "no data: requested_by (map it in orders or order_lines)"
)
NEEDS_PRODUCT = Need(("shipment_lines.product_id",), "no data: product sent (map shipment_lines.product_id)")
FIRST = "left the dock by the first promise, of the product ordered"
FINAL = "received by now, right product or agreed substitute"

_held = func.coalesce(line.complete_reason == "quarantined", False)
_goods = line.state == "judged"
_final_known = and_(_goods, line.filled_qty == line.filled_most_qty, ~_held)
_first_known = and_(_goods, line.first_pass_qty.is_not(None))
_priced = and_(func.coalesce(line.owed_amount > 0, False), line.rate.is_not(None))


def _reporting(amount: Expression) -> Expression:
    """An amount of an order line in the reporting currency, at the rate of the order's day (R25); itself while no rates
    are fed.
    """
    return converted(amount, line.rate)


def _fill(
    name: str,
    title: str,
    short: str,
    formula: Ratio,
    what: str,
    how: str,
    *,
    orders: bool,
    needs: tuple[Need, ...],
    source: str,
) -> Measure:
    final = name.endswith("final")
    return Measure(
        name=name,
        title=title,
        short=short,
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=order_facts_table if orders else order_line_facts_table,
        date="due_day",
        formula=formula,
        definition=f"{what} {FINAL if final else FIRST}, of {how}.",
        numerator=f"{what.lower()} {FINAL if final else FIRST}",
        denominator=f"{how}, where that is known",
        exclusions=PENDING,
        source=source,
        feeds=CORE_FEEDS,
        product_rows=(2, 13),
        needs=needs,
    )


def _question(
    name: str, title: str, short: str, formula: Ratio, definition: str, halves: tuple[str, str], needs: tuple[Need, ...]
) -> Measure:
    return Measure(
        name=name,
        title=title,
        short=short,
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=availability_facts_table,
        date="due_day",
        formula=formula,
        definition=definition,
        numerator=halves[0],
        denominator=halves[1],
        exclusions=PENDING,
        source="brief",
        feeds=CORE_FEEDS,
        product_rows=(2, 13),
        needs=needs,
    )


def _lines(
    name: str, title: str, short: str, formula: Ratio, definition: str, halves: tuple[str, str], need: Need, source: str
) -> Measure:
    return Measure(
        name=name,
        title=title,
        short=short,
        unit=Unit.SHARE,
        direction=Direction.LOWER,
        facts=order_line_facts_table,
        date="due_day",
        formula=formula,
        definition=definition,
        numerator=halves[0],
        denominator=halves[1],
        exclusions=PENDING,
        source=source,
        feeds=CORE_FEEDS,
        product_rows=(2, 13),
        needs=(need,),
    )


_all = three.state_all == "judged"

MEASURES = (
    _question(
        "got_what_wanted", "Did I get what I wanted?", "Got what", judged(three.got_what, three.state),
        "Orders of which every goods line has a counted unit, of the right product and at the right place. An order of which nothing was received "
        "did not get what it wanted.",
        ("orders whose every goods line brought what was wanted", "judged orders of which that is known"), (NEEDS_RECEIPT,),
    ),
    _question(
        "got_when_wanted", "When I wanted it?", "Got when", judged(three.got_when, three.state_all),
        "Orders on time by the date the buyer asked for, whatever was promised.",
        ("orders on time by the request", "orders judged by the request whose verdict is known"), (NEEDS_REQUEST, NEEDS_RECEIPT),
    ),
    _question(
        "got_quantity_wanted", "In the quantity I wanted?", "Got quantity", judged(three.got_quantity, three.state),
        "Orders of which every line was received in the quantity owed, however late.",
        ("orders received complete", "judged orders of which that is known"), (NEEDS_RECEIPT,),
    ),
    _question(
        "available_as_wanted", "Available as wanted: all three", "As wanted",
        Ratio(
            Part(and_(_all, three.got_all.is_(True))), Part(and_(_all, three.all_known)), Part(and_(_all, three.got_all.is_(None))), Part(_all),
        ),
        "Orders that brought what was wanted, when it was wanted and in the quantity wanted; decided order by order.",
        ("orders with all three true", "orders judged by the request of which all three are known"), (NEEDS_REQUEST, NEEDS_RECEIPT),
    ),
    _fill(
        "order_fill_first_pass", "Order fill, first pass", "Order fill 1st", judged(o.first_pass_full, o.state),
        "Orders with every line in full", "judged orders", orders=True, needs=(NEEDS_SHIPPED,), source="brief; glossaria",
    ),
    _fill(
        "order_fill_final", "Order fill, final", "Order fill", judged(o.complete, o.state),
        "Orders with every line in full", "judged orders", orders=True, needs=(NEEDS_RECEIPT,), source="brief; glossaria",
    ),
    _fill(
        "line_fill_first_pass", "Line fill, first pass", "Line fill 1st", judged(line.first_pass_full, line.state),
        "Order lines in full", "judged goods lines", orders=False, needs=(NEEDS_SHIPPED,), source="glossaria; AtliQ (LIFR)",
    ),
    _fill(
        "line_fill_final", "Line fill, final", "Line fill", judged(line.complete, line.state),
        "Order lines in full", "judged goods lines", orders=False, needs=(NEEDS_RECEIPT,), source="glossaria; AtliQ (LIFR)",
    ),
    _fill(
        "unit_fill_first_pass", "Unit fill, first pass", "Unit fill 1st",
        Ratio(Part(_first_known, line.first_pass_qty), Part(_first_known, line.owed_qty), Part(and_(_goods, ~_first_known), line.owed_qty)),
        "Units", "units owed on judged goods lines", orders=False, needs=(NEEDS_SHIPPED,), source="glossaria; AtliQ (VOFR)",
    ),
    _fill(
        "unit_fill_final", "Unit fill, final", "Unit fill",
        Ratio(Part(_final_known, line.filled_qty), Part(_final_known, line.owed_qty), Part(and_(_goods, ~_final_known), line.owed_qty)),
        "Units", "units owed on judged goods lines", orders=False, needs=(NEEDS_RECEIPT,), source="glossaria; AtliQ (VOFR)",
    ),
    _fill(
        "value_fill_first_pass", "Value fill, first pass", "Value fill 1st",
        Ratio(
            Part(and_(_first_known, _priced), _reporting(line.first_pass_amount)),
            Part(and_(_first_known, _priced), _reporting(line.owed_amount)),
            Part(and_(_goods, ~_first_known, _priced), _reporting(line.owed_amount)),
        ),
        "Value", "value owed on judged, priced goods lines", orders=False, needs=(NEEDS_PRICE, NEEDS_SHIPPED), source="RightChain",
    ),
    _fill(
        "value_fill_final", "Value fill, final", "Value fill",
        Ratio(
            Part(and_(_final_known, _priced), _reporting(line.filled_amount)),
            Part(and_(_final_known, _priced), _reporting(line.owed_amount)),
            Part(and_(_goods, ~_final_known, _priced), _reporting(line.owed_amount)),
        ),
        "Value", "value owed on judged, priced goods lines", orders=False, needs=(NEEDS_PRICE, NEEDS_RECEIPT), source="RightChain",
    ),
    _lines(
        "substitution_share", "Filled by substitute", "Substituted", Ratio(Part(and_(_goods, line.substituted.is_(True))), Part(_goods)),
        "Order lines of which some was filled by another product that the buyer agreed to.",
        ("goods lines with a counted substitute", "judged goods lines"), NEEDS_PRODUCT, "glossaria",
    ),
    _lines(
        "back_order_share", "Back-ordered", "Back-ordered",
        Ratio(
            Part(and_(_goods, line.back_ordered.is_(True))), Part(and_(_goods, line.back_ordered.is_not(None))),
            Part(and_(_goods, line.back_ordered.is_(None))),
        ),
        "Order lines that were short at first pass and whose rest was shipped later.",
        ("goods lines short at first pass, the rest shipped later", "judged goods lines whose first pass is known"), NEEDS_SHIPPED, "brief",
    ),
)  # fmt: skip
