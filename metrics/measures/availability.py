"""Product availability: item, date and quantity requested, and fill rates at first pass and in the end.

Source: docs/rules.md, product availability; R8 (first-pass and final fill).
"""

from sqlalchemy import and_, func, or_

from metrics.facts.availability import availability_facts_table
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.measures.formulas import WITHOUT_QUANTITY, combined, judged, line_amount_converted
from metrics.measures.needs import (
    CORE_FEEDS,
    NEEDS_CURRENCY,
    NEEDS_FIRST_PASS,
    NEEDS_PRICE,
    NEEDS_RECEIPT,
    NEEDS_REQUEST,
    PENDING,
)
from metrics.model.measure import Direction, Measure, Need, Part, Ratio, Unit

o = order_facts_table.c
line = order_line_facts_table.c
three = availability_facts_table.c

NEEDS_PRODUCT = Need((("order_lines.product_id", "shipment_lines.product_id"),), "product ordered and product sent")
NEEDS_AGREEMENT = Need(("shipment_lines.substitution_agreed",))
"""A substitute counts only if the buyer agreed to it."""
FIRST = "shipped by the first promised date, of the product ordered"
FINAL = "received by now, of the right product or an agreed substitute"

_held = func.coalesce(line.complete_reason == "quarantined", False)
_goods = line.state == "judged"
_final_known = and_(_goods, line.filled_qty == line.filled_most_qty, ~_held)
_first_known = and_(_goods, line.first_pass_qty.is_not(None))
_priced = and_(func.coalesce(line.owed_amount > 0, False), line.rate.is_not(None))
_WITHOUT_AMOUNT = (
    Part(and_(_goods, line.in_quarantine, or_(line.owed_amount.is_(None), line.rate.is_(None)))),
    Part(and_(_goods, _priced)),
)


MEASURES = (
    Measure(
        name="got_what_wanted",
        title="Requested item received",
        short="Right item",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=availability_facts_table,
        date="due_day",
        formula=judged(three.got_what, three.state),
        definition=(
            "Orders whose goods lines all have at least one counted unit of the right product at the right place. An "
            "order without any receipt fails."
        ),
        numerator="orders with the right item on every goods line",
        denominator="judged orders for which the answer is known",
        exclusions=PENDING,
        source="docs/rules.md, product availability",
        feeds=CORE_FEEDS,
        needs=(NEEDS_RECEIPT,),
        product_rows=(2, 13),
    ),
    Measure(
        name="available_as_wanted",
        title="Item, date and quantity as requested",
        short="As requested",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=availability_facts_table,
        date="due_day",
        formula=combined(three.got_all, three.state_all),
        definition=(
            "Orders that met the item, the date and the quantity requested. Each order passes or fails as a whole."
        ),
        numerator="orders that met all three",
        denominator="orders judged by the requested date that met all three or failed one",
        exclusions=PENDING,
        source="docs/rules.md, product availability",
        feeds=CORE_FEEDS,
        needs=(NEEDS_REQUEST, NEEDS_RECEIPT),
        product_rows=(2, 13),
    ),
    Measure(
        name="order_fill_first_pass",
        title="Order fill, first pass",
        short="Order fill 1st",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=order_facts_table,
        date="due_day",
        formula=judged(o.first_pass_full, o.state),
        definition=(
            "Orders whose lines were all shipped in full by the first promised date, with the product ordered, as a "
            "share of judged orders."
        ),
        numerator="orders with every line shipped in full by the first promised date, with the product ordered",
        denominator="judged orders for which the answer is known",
        exclusions=PENDING,
        source="glossaria",
        feeds=CORE_FEEDS,
        needs=NEEDS_FIRST_PASS,
        product_rows=(2, 13),
    ),
    Measure(
        name="line_fill_first_pass",
        title="Line fill, first pass",
        short="Line fill 1st",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=order_line_facts_table,
        date="due_day",
        formula=judged(line.first_pass_full, line.state),
        definition=(
            "Order lines shipped in full by the first promised date, with the product ordered, as a share of judged "
            "goods lines."
        ),
        numerator="goods lines shipped in full by the first promised date, with the product ordered",
        denominator="judged goods lines for which the answer is known",
        exclusions=PENDING,
        source="glossaria; AtliQ (LIFR)",
        feeds=CORE_FEEDS,
        needs=NEEDS_FIRST_PASS,
        product_rows=(2, 13),
    ),
    Measure(
        name="line_fill_final",
        title="Line fill, final",
        short="Line fill",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=order_line_facts_table,
        date="due_day",
        formula=judged(line.complete, line.state),
        definition=(
            "Order lines received in full by now, as the right product or an agreed substitute, as a share of judged "
            "goods lines."
        ),
        numerator="goods lines received in full by now, as the right product or an agreed substitute",
        denominator="judged goods lines for which the answer is known",
        exclusions=PENDING,
        source="glossaria; AtliQ (LIFR)",
        feeds=CORE_FEEDS,
        needs=(NEEDS_RECEIPT,),
        product_rows=(2, 13),
    ),
    Measure(
        name="unit_fill_first_pass",
        title="Unit fill, first pass",
        short="Unit fill 1st",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=order_line_facts_table,
        date="due_day",
        formula=Ratio(
            Part(_first_known, line.first_pass_qty),
            Part(_first_known, line.owed_qty),
            Part(and_(_goods, ~_first_known), line.owed_qty),
            weights=WITHOUT_QUANTITY,
        ),
        definition=(
            "Units shipped by the first promised date, of the product ordered, as a share of the units owed on judged "
            "goods lines."
        ),
        numerator="units shipped by the first promised date, of the product ordered",
        denominator="units owed on judged goods lines for which the answer is known",
        exclusions=PENDING,
        source="glossaria; AtliQ (VOFR)",
        feeds=CORE_FEEDS,
        needs=NEEDS_FIRST_PASS,
        product_rows=(2, 13),
    ),
    Measure(
        name="unit_fill_final",
        title="Unit fill, final",
        short="Unit fill",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=order_line_facts_table,
        date="due_day",
        formula=Ratio(
            Part(_final_known, line.filled_qty),
            Part(_final_known, line.owed_qty),
            Part(and_(_goods, ~_final_known), line.owed_qty),
            weights=WITHOUT_QUANTITY,
        ),
        definition=(
            "Units received by now, of the right product or an agreed substitute, as a share of the units owed on "
            "judged goods lines."
        ),
        numerator="units received by now, of the right product or an agreed substitute",
        denominator="units owed on judged goods lines for which the answer is known",
        exclusions=PENDING,
        source="glossaria; AtliQ (VOFR)",
        feeds=CORE_FEEDS,
        needs=(NEEDS_RECEIPT,),
        product_rows=(2, 13),
    ),
    Measure(
        name="value_fill_first_pass",
        title="Value fill, first pass",
        short="Value fill 1st",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=order_line_facts_table,
        date="due_day",
        formula=Ratio(
            Part(and_(_first_known, _priced), line_amount_converted(line.first_pass_amount)),
            Part(and_(_first_known, _priced), line_amount_converted(line.owed_amount)),
            Part(and_(_goods, ~_first_known, _priced), line_amount_converted(line.owed_amount)),
            weights=_WITHOUT_AMOUNT,
        ),
        definition=(
            "Value shipped by the first promised date, of the product ordered, as a share of the value owed on judged, "
            "priced goods lines."
        ),
        numerator="value shipped by the first promised date, of the product ordered",
        denominator="value owed on judged, priced goods lines for which the answer is known",
        exclusions=PENDING,
        source="RightChain",
        feeds=CORE_FEEDS,
        needs=(NEEDS_PRICE, NEEDS_CURRENCY, *NEEDS_FIRST_PASS),
        product_rows=(2, 13),
    ),
    Measure(
        name="value_fill_final",
        title="Value fill, final",
        short="Value fill",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=order_line_facts_table,
        date="due_day",
        formula=Ratio(
            Part(and_(_final_known, _priced), line_amount_converted(line.filled_amount)),
            Part(and_(_final_known, _priced), line_amount_converted(line.owed_amount)),
            Part(and_(_goods, ~_final_known, _priced), line_amount_converted(line.owed_amount)),
            weights=_WITHOUT_AMOUNT,
        ),
        definition=(
            "Value received by now, of the right product or an agreed substitute, as a share of the value owed on "
            "judged, priced goods lines."
        ),
        numerator="value received by now, of the right product or an agreed substitute",
        denominator="value owed on judged, priced goods lines for which the answer is known",
        exclusions=PENDING,
        source="RightChain",
        feeds=CORE_FEEDS,
        needs=(NEEDS_PRICE, NEEDS_CURRENCY, NEEDS_RECEIPT),
        product_rows=(2, 13),
    ),
    Measure(
        name="substitution_share",
        title="Filled by substitute",
        short="Substituted",
        unit=Unit.SHARE,
        direction=Direction.LOWER,
        facts=order_line_facts_table,
        date="due_day",
        formula=Ratio(
            Part(and_(_goods, ~_held, line.substituted.is_(True))),
            Part(and_(_goods, ~_held)),
            Part(and_(_goods, _held)),
        ),
        definition="Order lines that were filled, at least in part, by another product that the buyer agreed to.",
        numerator="goods lines with a counted substitute",
        denominator="judged goods lines",
        exclusions=PENDING,
        source="glossaria",
        feeds=CORE_FEEDS,
        needs=(NEEDS_PRODUCT, NEEDS_AGREEMENT),
        product_rows=(2, 13),
    ),
    Measure(
        name="back_order_share",
        title="Back-ordered",
        short="Back-ordered",
        unit=Unit.SHARE,
        direction=Direction.LOWER,
        facts=order_line_facts_table,
        date="due_day",
        formula=Ratio(
            Part(and_(_goods, line.back_ordered.is_(True))),
            Part(and_(_goods, line.back_ordered.is_not(None))),
            Part(and_(_goods, line.back_ordered.is_(None))),
        ),
        definition="Order lines that were short at first pass and whose remainder was shipped later.",
        numerator="goods lines short at first pass whose remainder was shipped later",
        denominator="judged goods lines whose first-pass fill is known",
        exclusions=PENDING,
        source="docs/rules.md, product availability",
        feeds=CORE_FEEDS,
        needs=NEEDS_FIRST_PASS,
        product_rows=(2, 13),
    ),
)
