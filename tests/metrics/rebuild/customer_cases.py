"""Cases in which rows of stockouts and recoveries depend on other orders of the customer, on assumptions or on time."""

from dataclasses import replace

from metrics.facts.money.table import money_facts_table
from metrics.facts.order_intervals import segment_intervals_table
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.recoveries import recovery_facts_table
from metrics.facts.stockouts import stockout_facts_table
from tests.metrics.rebuild.case_records import (
    Case,
    Parts,
    billed,
    carried,
    costs,
    late,
    of_customer,
    on_days,
    raised,
    short,
    sold,
    wanted,
)
from tests.support import builders
from tests.support.ask_measures import together

STOCKOUTS = (
    # A new order before the event is the third order day of the buyer, so their own gap counts.
    Case(
        "earlier",
        {},
        sold("earlier9", "earlier", ordered_at="2026-02-01"),
        ("earlier9",),
        (stockout_facts_table,),
        together(short("earlier1", "earlier"), on_days("earlier", "2026-02-20")),
    ),
    # An order moves to another buyer.
    Case(
        "gone",
        sold("gone9", "gone", ordered_at="2026-02-01"),
        sold("gone9", "gone2", ordered_at="2026-02-01"),
        ("gone9",),
        (stockout_facts_table,),
        together(short("gone1", "gone"), on_days("gone", "2026-02-20"), of_customer("gone2")),
    ),
    # An order of another buyer changes the median gap of the segment.
    Case(
        "median",
        {},
        together(sold("medianb9", "medianb", ordered_at="2026-02-02")),
        ("medianb9",),
        (stockout_facts_table, segment_intervals_table),
        together(
            of_customer("median", service_segment="median"),
            of_customer("medianb", service_segment="median"),
            short("median1", "median"),
            on_days("medianb", "2026-02-01", "2026-02-11"),
        ),
    ),
    # The cost of a back-order is a share of a shipment's freight, which another buyer's order changes.
    Case(
        "beside",
        {},
        {
            "shipment_lines": [
                builders.shipment_line(shipment_id="besideT", shipment_line_no="3", order_id="besideb1", shipped_qty=60)
            ]
        },
        ("besideb1",),
        (stockout_facts_table, money_facts_table),
        together(
            of_customer("besideb"),
            short("beside1", "beside"),
            on_days("beside", "2026-03-11"),
            sold("besideb1", "besideb"),
            {
                "shipments": [
                    builders.shipment(
                        shipment_id="besideT",
                        shipped_at="2026-03-15",
                        received_at="2026-03-20",
                        freight_amount=50,
                        currency="EUR",
                    )
                ],
                "shipment_lines": [
                    builders.shipment_line(shipment_id="besideT", order_id="beside1", shipped_qty=40, received_qty=40),
                    builders.shipment_line(
                        shipment_id="besideT", shipment_line_no="2", order_id="besideb1", shipped_qty=40
                    ),
                ],
            },
        ),
    ),
    # The invoice of an old order is part of the margin of a lost buyer.
    Case(
        "lost",
        {},
        billed("lostI", "lost0", invoiced_at="2026-02-25"),
        ("lost0",),
        (stockout_facts_table, money_facts_table),
        together(short("lost9", "lost"), on_days("lost", "2026-02-20", "2026-02-23", "2026-02-26")),
    ),
    # The run loaded the demand without an order, so it is found, and so is its former buyer.
    Case("newly", {}, wanted("newlyX", "newly", file_id=2), (), (stockout_facts_table,)),
    Case(
        "meant",
        wanted("meantX", "meant"),
        wanted("meantX", "meant2", file_id=2),
        (),
        (stockout_facts_table,),
        together(of_customer("meant2")),
    ),
    # A buyer without orders moves to another region.
    Case(
        "region",
        of_customer("region"),
        of_customer("region", region="South", file_id=2),
        (),
        (stockout_facts_table,),
        wanted("regionX", "region"),
    ),
)
"""Changes of stockouts by other orders of the buyer, the segment, shipments, and records without an order."""


RECOVERIES = (
    # The buyer's next order is loaded.
    Case(
        "next",
        {},
        sold("next9", "next", ordered_at="2026-03-20"),
        ("next9",),
        (recovery_facts_table,),
        late("next1", "next"),
    ),
    # The next order moves to another buyer.
    Case(
        "theirs",
        sold("theirs9", "theirs", ordered_at="2026-03-20"),
        sold("theirs9", "theirs2", ordered_at="2026-03-20"),
        ("theirs9",),
        (recovery_facts_table,),
        together(late("theirs1", "theirs"), of_customer("theirs2")),
    ),
    # The next order is billed. Its margin counts as retained.
    Case(
        "retained",
        {},
        billed("retained", "retained9", invoiced_at="2026-03-22"),
        ("retained9",),
        (recovery_facts_table,),
        together(
            late("retained1", "retained", ordered_at="2026-01-03", promised_by="2026-01-05"),
            sold("retained9", "retained"),
        ),
    ),
    Case(
        "answered",
        {},
        raised("answered", "2026-03-12", None),
        ("answered1",),
        (recovery_facts_table,),
        late("answered1", "answered"),
    ),
)
"""Changes of recoveries by other orders of the buyer."""
ASSUMED = (
    Case(
        "assumed",
        {},
        {"assumptions": [builders.assumption(assumption="wait_cost", assumed_value=9, file_id=2)]},
        (),
        (stockout_facts_table,),
        together(
            sold("assumed1", "assumed"),
            {
                "shipments": [
                    builders.shipment(shipment_id="assumed", shipped_at="2026-03-15", received_at="2026-03-20")
                ]
            },
            {"shipment_lines": [builders.shipment_line(shipment_id="assumed", order_id="assumed1")]},
        ),
    ),
)
"""A new assumption. It makes all stockouts stale, so it is tested separately."""
_FROM_LATER: Parts = {
    "assumptions": [builders.assumption(assumption="wait_cost", assumed_value=9, valid_from="2026-05-02")]
}
ASSUMED_THEN = tuple(replace(case, after=case.before | _FROM_LATER, before=_FROM_LATER) for case in ASSUMED)
"""A known assumption that becomes valid later."""

TIME = (
    # The horizon ends and the buyer has not ordered again.
    Case(
        "horizon",
        {},
        {},
        changes=(stockout_facts_table,),
        always=together(
            short("horizon9", "horizon", ordered_at="2026-04-20", promised_by="2026-04-25"),
            on_days("horizon", "2026-04-14", "2026-04-16", "2026-04-18"),
        ),
    ),
    # Nothing failed, and the wait for the next order grows.
    Case(
        "silent",
        {},
        {},
        changes=(recovery_facts_table,),
        always=together(
            late("silent1", "silent", promised_by="2026-03-13"), billed("silent", "silent1", invoiced_at="2026-03-13")
        ),
    ),
    # The buyer has ordered again. The failure was detected late and is resolved, and its limit passes.
    Case(
        "limit",
        {},
        {},
        changes=(recovery_facts_table,),
        always=together(
            late("limit1", "limit", "2026-01-12", ordered_at="2026-01-05", promised_by="2026-01-10"),
            raised("limit", "2026-04-26", "2026-04-27"),
            on_days("limit", "2026-01-20"),
        ),
    ),
    # The period of the retained margin ends.
    Case(
        "followed",
        {},
        {},
        changes=(recovery_facts_table,),
        always=together(
            late("followed1", "followed", "2026-02-05", ordered_at="2026-01-20", promised_by="2026-02-03"),
            raised("followed", "2026-02-05", "2026-02-06"),
            sold("followed9", "followed"),
            billed("followed", "followed9", invoiced_at="2026-03-02"),
        ),
    ),
    # All moments are long ago, but the case is still open.
    Case(
        "open",
        {},
        {},
        changes=(recovery_facts_table,),
        always=together(
            late("open1", "open", "2026-01-12", ordered_at="2026-01-05", promised_by="2026-01-10"),
            raised("open", "2026-01-12", None),
            on_days("open", "2026-01-20"),
        ),
    ),
    # The day of the demand is the day of the previous as_of, which had not ended.
    Case(
        "sameday", {}, {}, changes=(stockout_facts_table,), always=wanted("samedayX", "sameday", wanted_at="2026-05-01")
    ),
    # A cost was loaded before the end of its booking day. It replaces the freight.
    Case(
        "booked",
        {},
        {},
        always=together(
            sold("booked1", "booked"),
            carried("booked", 30, booked1=100),
            costs("bookedT", order_id="booked1", activity="freight", incurred_on="2026-05-04"),
        ),
    ),
    # 30 April ends in Los Angeles later than in the time zone of the source.
    Case(
        "west",
        {},
        {},
        changes=(money_facts_table, order_facts_table, order_line_facts_table),
        always=together(
            sold("west1", "west", ship_to_time_zone="America/Los_Angeles", promised_by="2026-06-01"),
            billed("west", "west1", invoiced_at="2026-04-30"),
            {"shipments": [builders.shipment(shipment_id="west", shipped_at="2026-04-29", received_at="2026-04-30")]},
            {"shipment_lines": [builders.shipment_line(shipment_id="west", order_id="west1")]},
        ),
    ),
)
"""Changes by time alone."""
