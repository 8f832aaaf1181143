"""Cases in which rows of the money facts depend on records other than those of their own order."""

from tests.metrics.rebuild.case_records import Case, billed, carried, costs, of_customer, reversal, sold
from tests.support import contact_builders
from tests.support.ask_measures import together

MONEY = (
    # The row of the invoice belongs to the first order. When that order is deleted, it belongs to the second.
    Case(
        "header",
        sold("header1", "header"),
        sold("header1", "header", deleted=True),
        ("header1",),
        always=together(sold("header2", "header"), billed("header", "header1", "header2")),
    ),
    # New records have no fact rows that could show what is stale.
    Case(
        "newbill",
        {},
        billed("newbill", "newbill1"),
        ("newbill1",),
        always=sold("newbill1", "newbill"),
    ),
    Case(
        "newfreight",
        {},
        carried("newfreight", 30, newfreight1=100),
        ("newfreight1",),
        always=sold("newfreight1", "newfreight"),
    ),
    Case(
        "newcase",
        {},
        {
            "service_cases": [
                contact_builders.service_case(
                    case_id="newcase", order_id="newcase1", customer_id="newcase", cost_amount=7, currency="EUR"
                )
            ]
        },
        ("newcase1",),
        always=sold("newcase1", "newcase"),
    ),
    # A line is removed from an invoice. No record links the two orders any more.
    Case(
        "left",
        billed("left", "left1", "left2"),
        billed("left", "left2"),
        ("left1",),
        always=together(sold("left1", "left"), sold("left2", "left")),
    ),
    # Freight is shared by quantity. A shipped quantity of one order changes the share of the other.
    Case(
        "shared",
        carried("shared", 90, shared1=50, shared2=100),
        carried("shared", 90, shared1=80, shared2=100),
        ("shared1",),
        always=together(sold("shared1", "shared"), sold("shared2", "shared")),
    ),
    # The second order has a freight cost of its own. It must be found although only the first order changed.
    Case(
        "charged",
        carried("charged", 90, charged1=50, charged2=100),
        carried("charged", 90, charged1=80, charged2=100),
        ("charged1",),
        always=together(
            sold("charged1", "charged"),
            sold("charged2", "charged"),
            costs("chargedT", order_id="charged2", activity="freight"),
        ),
    ),
    Case(
        "costfreight",
        {},
        costs("costfreightT", order_id="costfreight1", activity="freight"),
        ("costfreight1",),
        always=together(sold("costfreight1", "costfreight"), carried("costfreight", 30, costfreight1=100)),
    ),
    # Only the first of two reversals of an invoice counts. It is deleted, and the second one counts.
    Case(
        "reversed",
        reversal("reversedR1", "reversed", invoiced_at="2026-03-12"),
        reversal("reversedR1", "reversed", invoiced_at="2026-03-12", deleted=True),
        ("reversed1",),
        always=together(
            sold("reversed1", "reversed"),
            billed("reversed", "reversed1"),
            reversal("reversedR2", "reversed", invoiced_at="2026-03-14"),
        ),
    ),
    # A cost moves from one order to another.
    Case(
        "moved",
        costs("movedT", order_id="moved1", customer_id="moved"),
        costs("movedT", order_id="moved2", customer_id="moved"),
        ("moved1", "moved2"),
        always=together(sold("moved1", "moved"), sold("moved2", "moved", channel="web")),
    ),
    # Costs without a known order belong to the customer's segment on the day.
    Case(
        "segment",
        of_customer("segment"),
        of_customer("segment", service_segment="B"),
        always=together(
            costs("segmentT", order_id=None, customer_id="segment"),
            costs("segmentU", order_id="segment?", customer_id="segment"),
        ),
    ),
    # A case without an order does not count if a service cost covers the same work.
    Case(
        "settled",
        {},
        costs("settledT", order_id=None, customer_id="settled", activity="case"),
        always={
            "service_cases": [
                contact_builders.service_case(
                    case_id="settled", order_id=None, customer_id="settled", cost_amount=7, currency="EUR"
                )
            ]
        },
    ),
)
"""Changes of money facts."""
