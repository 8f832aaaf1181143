"""Product availability: how much of what was wanted came, at first pass and in the end. Source: the brief; rules, section 4 (b), R8."""

from sqlalchemy import and_, func

from metrics.buyer_view import NEEDS_RECEIPT, PENDING, G, judged
from metrics.facts import order_facts_table, order_line_facts_table
from metrics.measure import Direction, Measure, Need, Part, Ratio, Unit

o = order_facts_table.c
line = order_line_facts_table.c

NEEDS_SHIPPED = Need(("shipments.shipped_at",), "no data: shipped_at (map shipments.shipped_at)")
NEEDS_PRICE = Need(("order_lines.unit_price_amount",), "no feed: prices (map order_lines.unit_price_amount)")
FIRST = "left the dock by the first promise, of the product ordered"
FINAL = "received by now, right product or agreed substitute"

_held = func.coalesce(line.complete_reason == "quarantined", False)
_goods = line.state == "judged"
_final_known = and_(_goods, line.filled_qty == line.filled_most_qty, ~_held)
_first_known = and_(_goods, line.first_pass_qty.is_not(None))
_priced = func.coalesce(line.owed_amount > 0, False)


def _fill(name: str, title: str, short: str, formula: Ratio, what: str, how: str, *, orders: bool, needs: tuple[Need, ...], source: str) -> Measure:
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
        feeds=G,
        product_rows=(2, 13),
        needs=needs,
    )


MEASURES = (
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
            Part(and_(_first_known, _priced), line.first_pass_amount),
            Part(and_(_first_known, _priced), line.owed_amount),
            Part(and_(_goods, ~_first_known, _priced), line.owed_amount),
        ),
        "Value", "value owed on judged, priced goods lines", orders=False, needs=(NEEDS_PRICE, NEEDS_SHIPPED), source="RightChain",
    ),
    _fill(
        "value_fill_final", "Value fill, final", "Value fill",
        Ratio(
            Part(and_(_final_known, _priced), line.filled_amount),
            Part(and_(_final_known, _priced), line.owed_amount),
            Part(and_(_goods, ~_final_known, _priced), line.owed_amount),
        ),
        "Value", "value owed on judged, priced goods lines", orders=False, needs=(NEEDS_PRICE, NEEDS_RECEIPT), source="RightChain",
    ),
)  # fmt: skip
