"""The buyer's view: five tests of each order, the perfect order, and on time in full (OTIF).

The tests are on time, complete, damage free, filled accurately and billed accurately. Source: SCOR; docs/rules.md,
buyer's view.
"""

from sqlalchemy import and_, func

from metrics.facts.invoices import invoice_facts_table
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.measures.formulas import WITHOUT_QUANTITY, combined, judged, order_share, share_of
from metrics.measures.needs import (
    BILLING_FEEDS,
    CORE_FEEDS,
    NEEDS_ACCURACY,
    NEEDS_BILLS,
    NEEDS_CONSIGNMENTS,
    NEEDS_DAMAGE,
    NEEDS_PROMISE,
    NEEDS_RECEIPT,
    PENDING,
)
from metrics.measures.windows import both_windows, claims_window, invoice_window
from metrics.model.measure import Direction, Measure, Part, Ratio, Total, Unit
from metrics.sql.dialects import Expression

o = order_facts_table.c
line = order_line_facts_table.c
invoice = invoice_facts_table.c


def _nothing_received(name: str) -> Expression:
    return func.coalesce(o[f"{name}_reason"] == "nothing_received", False)


ON_TIME = order_share(
    name="on_time",
    title="Orders received on time",
    short="On time",
    formula=judged(o.on_time, o.state),
    definition=(
        "Orders whose lines were all received in the needed quantity by the first promised date, at the buyer's local "
        "day or time."
    ),
    source="SCOR RL.2.2",
    feeds=CORE_FEEDS,
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
)
COMPLETE = order_share(
    name="complete",
    title="Orders received complete",
    short="Complete",
    formula=judged(o.complete, o.state),
    definition="Orders whose lines were all received in the quantity owed, however late.",
    source="SCOR RL.2.1",
    feeds=CORE_FEEDS,
    needs=(NEEDS_RECEIPT,),
)
DAMAGE_FREE = order_share(
    name="damage_free",
    title="Orders received damage free",
    short="Damage free",
    formula=judged(o.damage_free, o.state, but=_nothing_received("damage_free")),
    definition=(
        "Orders received without damage: no recorded damage, damage credit or damage return. If no damaged quantity is "
        "recorded, the verdict is unknown until the claims window has passed."
    ),
    exclusions=f"{PENDING} Orders of which nothing was received.",
    source="SCOR RL.2.4",
    feeds=(*CORE_FEEDS, "invoices"),
    needs=(NEEDS_RECEIPT, NEEDS_DAMAGE),
    windows=(claims_window(),),
)
FILLED_ACCURATELY = order_share(
    name="filled_accurately",
    title="Orders filled accurately",
    short="Filled accurately",
    formula=judged(o.filled_accurately, o.state, but=_nothing_received("filled_accurately")),
    definition="Orders received with the right products, at the right place and without excess quantity.",
    exclusions=f"{PENDING} Also orders without any receipt.",
    source="SCOR RL.3.33, RL.3.34, RL.3.35",
    feeds=CORE_FEEDS,
    needs=(NEEDS_RECEIPT, NEEDS_ACCURACY),
)
BILLED_ACCURATELY = order_share(
    name="billed_accurately",
    title="Billed accurately",
    short="Billed right",
    formula=judged(o.billed_accurately, o.billing_state),
    definition=(
        "Orders whose lines were all billed on time, once, in the quantity received, and at the agreed price, terms, "
        "party and currency. No invoice was reversed or credited for a billing error."
    ),
    exclusions=(
        "Pending orders, orders that the buyer cancelled in time and that were not billed, and orders that are not "
        "sales. Services and fees are included, also in orders without goods. Unknown verdicts lower the coverage."
    ),
    source="SCOR RL.2.3 (the invoice of its documents), RL.3.11, RL.3.45",
    feeds=(*CORE_FEEDS, *BILLING_FEEDS),
    needs=(NEEDS_BILLS, NEEDS_CONSIGNMENTS),
    windows=(invoice_window(),),
)
INVOICES_RIGHT = Measure(
    name="invoices_right_first_time",
    title="Invoices right first time",
    unit=Unit.SHARE,
    direction=Direction.HIGHER,
    facts=invoice_facts_table,
    date="invoiced_day",
    formula=share_of(invoice.right_first_time, invoice.invoice_id.is_not(None)),
    definition=(
        "Invoices with the agreed price, amount, tax, terms, party and currency, in time and for no more than was "
        "received, that were never reversed or credited for a billing error. Each invoice counts once. Billed "
        "accurately counts orders, and an order also fails if an invoice is missing."
    ),
    numerator="invoices that pass every check",
    denominator="invoices of sales whose checks are all known",
    exclusions="Credits, reversals, invoices that name no order line, and invoices of orders that are not sales.",
    source="own definition; R23 (billing)",
    feeds=(*CORE_FEEDS, *BILLING_FEEDS),
    product_rows=(1,),
    short="Invoices right",
    needs=(NEEDS_BILLS, NEEDS_CONSIGNMENTS),
)
PERFECT_ORDER = order_share(
    name="perfect_order",
    title="Perfect orders",
    short="Perfect order",
    formula=combined(o.perfect_order, o.state),
    definition=(
        "Orders that pass all five tests: on time, complete, damage free, filled accurately and billed accurately."
    ),
    numerator="orders with all five verdicts true",
    denominator="judged orders that pass all five tests or fail one, whatever the other tests are",
    source="SCOR RL.1.1",
    feeds=(*CORE_FEEDS, *BILLING_FEEDS),
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT, NEEDS_ACCURACY, NEEDS_DAMAGE, NEEDS_BILLS),
    windows=both_windows(o.perfect_order),
)
OTIF = order_share(
    name="otif",
    title="On time in full",
    short="OTIF",
    formula=judged(o.otif, o.state),
    definition=(
        "Orders that are both on time and complete: everything owed was received by the deadline. Each order passes or "
        "fails as a whole."
    ),
    source="McKinsey and TPA 2019; AtliQ",
    feeds=CORE_FEEDS,
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
)

ON_TIME_LINE = Measure(
    name="on_time_line",
    title="On time, by line",
    unit=Unit.SHARE,
    direction=Direction.HIGHER,
    facts=order_line_facts_table,
    date="due_day",
    formula=judged(line.on_time, line.state),
    definition=(
        "Order lines received by their own first promised date. Do not compare this share with on time by order: an "
        "order is on time only if all its lines are."
    ),
    numerator="goods lines that are on time",
    denominator="judged goods lines whose verdict is known",
    exclusions=PENDING,
    source="own definition",
    feeds=CORE_FEEDS,
    product_rows=(1,),
    short="On time lines",
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
)
OTIF_LINE = Measure(
    name="otif_line",
    title="On time in full, by line",
    unit=Unit.SHARE,
    direction=Direction.HIGHER,
    facts=order_line_facts_table,
    date="due_day",
    formula=judged(line.otif, line.state),
    definition=(
        "Order lines of which everything owed was received by the deadline. Do not compare this share with OTIF by "
        "order."
    ),
    numerator="goods lines that are on time and complete",
    denominator="judged goods lines whose verdict is known",
    exclusions=PENDING,
    source="AtliQ",
    feeds=CORE_FEEDS,
    product_rows=(1,),
    short="OTIF lines",
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
)
_units_known = and_(
    line.state == "judged",
    line.deadline_at.is_not(None),
    line.in_window_qty == line.in_window_most_qty,
    func.coalesce(line.on_time_reason != "quarantined", True),
)
OTIF_UNIT = Measure(
    name="otif_unit",
    title="On time in full, by unit",
    unit=Unit.SHARE,
    direction=Direction.HIGHER,
    facts=order_line_facts_table,
    date="due_day",
    formula=Ratio(
        Part(_units_known, line.in_window_qty),
        Part(_units_known, line.owed_qty),
        Part(and_(line.state == "judged", ~_units_known), line.owed_qty),
        weights=WITHOUT_QUANTITY,
    ),
    definition=(
        "Share of the units owed that were received inside the window or by the deadline. A line never counts more "
        "than it is owed."
    ),
    numerator="units received in time, at most the units owed per line",
    denominator="units owed on judged goods lines whose quantity in time is known",
    exclusions=PENDING,
    source="Walmart (SupplyPike)",
    feeds=CORE_FEEDS,
    product_rows=(1,),
    short="OTIF units",
    needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
)
OVERDUE_OPEN = Measure(
    name="overdue_open",
    title="Overdue open lines",
    unit=Unit.COUNT,
    direction=Direction.LOWER,
    facts=order_line_facts_table,
    date="due_day",
    formula=Total(Part(line.overdue_open.is_(True))),
    definition=(
        "Goods lines past their deadline that are short and still open: we still owe the remainder, which is at least "
        "half a rounding step."
    ),
    numerator="judged goods lines that are short and whose remainder is still open",
    denominator="none: a count",
    exclusions=(
        "Pending lines, lines whose remainder is cancelled, lines that a consignment under way may complete, and "
        "orders that are not sales."
    ),
    source="own definition; R15 (cancelled remainder)",
    feeds=CORE_FEEDS,
    product_rows=(1,),
    short="Overdue and open",
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
    INVOICES_RIGHT,
    ON_TIME_LINE,
    OTIF_LINE,
    OTIF_UNIT,
    OVERDUE_OPEN,
)
