"""Ledgers kept up by difference equal those made anew. Each case is one thing a row depends on beyond the records of
its own order; all cases are judged together, and that each of them changes some row is asserted too, so that none
passes for having changed nothing.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, Table, insert, select

from metrics.facts import recoveries, stockouts
from metrics.facts.money import movements
from metrics.facts.money.table import money_facts_table
from metrics.facts.order_intervals import segment_intervals_table
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.recoveries import recovery_facts_table
from metrics.facts.stockouts import stockout_facts_table
from metrics.queries.rollups import ROLLUPS
from metrics.rebuild.rebuild import rebuild
from metrics.schema import run_files
from tests.metrics.rebuild.test_rebuild import touched_orders
from tests.support import builders
from tests.support.ask_measures import ALL, AS_OF, built, only, together
from tests.support.sql_facts import load

filled = only(movements, stockouts, recoveries)

Parts = dict[str, list[builders.Row]]
LATEST = {
    "file_id": 2,
    "run_id": 2,
    "source": "test",
    "feed": "stockouts",
    "name": "two",
    "sha256": "-",
} | dict.fromkeys(("rows_staged", "rows_in", "rows_loaded", "rows_quarantined", "rows_superseded"), 0)
"""A run that brought file 2."""
LATER = datetime(2026, 5, 10, 12)
KEPT = (
    order_facts_table,
    order_line_facts_table,
    money_facts_table,
    segment_intervals_table,
    stockout_facts_table,
    recovery_facts_table,
)


@dataclass(frozen=True)
class Case:
    """Records before and after, the orders that ingest would call touched, and the tables in which rows of the case are
    others then.

    Every id of a case begins with its name.
    """

    name: str
    before: Parts
    after: Parts
    touched: tuple[str, ...] = ()
    changes: tuple[Table, ...] = (money_facts_table,)
    always: Parts = field(default_factory=dict)


def sold(order_id: str, customer_id: str, **values: Any) -> Parts:
    """An order of 100 P at 5.00, cost 3.00 each."""
    return {
        "orders": [builders.order(order_id=order_id, customer_id=customer_id, **values)],
        "order_lines": [builders.order_line(order_id=order_id)],
    }


def billed(invoice_id: str, *order_ids: str, **values: Any) -> Parts:
    """An invoice with the lines of these orders."""
    lines = [
        builders.invoice_line(invoice_id=invoice_id, invoice_line_no=str(i), order_id=order_id)
        for i, order_id in enumerate(order_ids, 1)
    ]
    return {"invoices": [builders.invoice(invoice_id=invoice_id, **values)], "invoice_lines": lines}


def carried(shipment_id: str, freight: int, **shipped: int) -> Parts:
    """A consignment received on 9 March, with the quantity it carried for each order."""
    header = builders.shipment(
        shipment_id=shipment_id,
        shipped_at="2026-03-02",
        received_at="2026-03-09",
        freight_amount=freight,
        currency="EUR",
    )
    lines = [
        builders.shipment_line(
            shipment_id=shipment_id, shipment_line_no=str(i), order_id=order_id, shipped_qty=n, received_qty=n
        )
        for i, (order_id, n) in enumerate(shipped.items(), 1)
    ]
    return {"shipments": [header], "shipment_lines": lines}


def costs(cost_id: str, **values: Any) -> Parts:
    return {"service_costs": [builders.service_cost(cost_id=cost_id, **values)]}


def of_customer(name: str, **values: Any) -> Parts:
    """A buyer, in a segment of their own: no gap of theirs changes with that of others."""
    return {"customers": [builders.customer(**{"customer_id": name, "service_segment": name} | values)]}


def reversal(invoice_id: str, reverses: str, **values: Any) -> Parts:
    """A reversal without lines of its own."""
    return {
        "invoices": [
            builders.invoice(invoice_id=invoice_id, invoice_kind="reversal", reverses_invoice_id=reverses, **values)
        ]
    }


MONEY = (
    # The row that counts the invoice is the first order's; when that order goes it is the second's.
    Case(
        "header",
        sold("header1", "header"),
        sold("header1", "header", deleted=True),
        ("header1",),
        always=together(sold("header2", "header"), billed("header", "header1", "header2")),
    ),
    # What is new has no rows yet to be found by.
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
                builders.service_case(
                    case_id="newcase", order_id="newcase1", customer_id="newcase", cost_amount=7, currency="EUR"
                )
            ]
        },
        ("newcase1",),
        always=sold("newcase1", "newcase"),
    ),
    # A line leaves an invoice, and nothing names both any more.
    Case(
        "left",
        billed("left", "left1", "left2"),
        billed("left", "left2"),
        ("left1",),
        always=together(sold("left1", "left"), sold("left2", "left")),
    ),
    # Freight is shared by quantity: what is shipped for one order moves the other's part.
    Case(
        "shared",
        carried("shared", 90, shared1=50, shared2=100),
        carried("shared", 90, shared1=80, shared2=100),
        ("shared1",),
        always=together(sold("shared1", "shared"), sold("shared2", "shared")),
    ),
    # The second order is charged freight by a cost of its own, which must be seen although only the first order
    # changed.
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
    # Of two reversals of one invoice only the first takes it back; it goes, and the other one does.
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
    # A cost goes from one order to another.
    Case(
        "moved",
        costs("movedT", order_id="moved1", customer_id="moved"),
        costs("movedT", order_id="moved2", customer_id="moved"),
        ("moved1", "moved2"),
        always=together(sold("moved1", "moved"), sold("moved2", "moved", channel="web")),
    ),
    # Costs without an order, or with one nobody knows, stand in their customer's segment of the day.
    Case(
        "segment",
        of_customer("segment"),
        of_customer("segment", service_segment="B"),
        always=together(
            costs("segmentT", order_id=None, customer_id="segment"),
            costs("segmentU", order_id="segment?", customer_id="segment"),
        ),
    ),
    # A case without an order is not counted beside a service cost of the same work.
    Case(
        "settled",
        {},
        costs("settledT", order_id=None, customer_id="settled", activity="case"),
        always={
            "service_cases": [
                builders.service_case(
                    case_id="settled", order_id=None, customer_id="settled", cost_amount=7, currency="EUR"
                )
            ]
        },
    ),
)
"""What money rows depend on."""


def short(order_id: str, customer_id: str, **values: Any) -> Parts:
    """An order of which only 60 of the 100 left by its promise."""
    part = {
        "shipments": [builders.shipment(shipment_id=f"{order_id}S", shipped_at="2026-03-05", received_at="2026-03-09")],
        "shipment_lines": [
            builders.shipment_line(shipment_id=f"{order_id}S", order_id=order_id, shipped_qty=60, received_qty=60)
        ],
    }
    return together(sold(order_id, customer_id, **values), part)


def on_days(customer_id: str, *days: str, **values: Any) -> Parts:
    """Orders of these days that came in full."""
    placed = [
        sold(f"{customer_id}{i}", customer_id, ordered_at=day, promised_by="2026-06-01", **values)
        for i, day in enumerate(days)
    ]
    return together(*placed)


def wanted(stockout_id: str, customer_id: str, **values: Any) -> Parts:
    return {"stockouts": [builders.stockout(stockout_id=stockout_id, customer_id=customer_id, **values)]}


STOCKOUTS = (
    # Another order of the buyer, before the event: it is the third day, from which on their own gap counts.
    Case(
        "earlier",
        {},
        sold("earlier9", "earlier", ordered_at="2026-02-01"),
        ("earlier9",),
        (stockout_facts_table,),
        together(short("earlier1", "earlier"), on_days("earlier", "2026-02-20")),
    ),
    # An order that goes to another buyer is missed by the one it was of.
    Case(
        "gone",
        sold("gone9", "gone", ordered_at="2026-02-01"),
        sold("gone9", "gone2", ordered_at="2026-02-01"),
        ("gone9",),
        (stockout_facts_table,),
        together(short("gone1", "gone"), on_days("gone", "2026-02-20"), of_customer("gone2")),
    ),
    # The gap of the segment changes with an order of somebody else in it.
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
    # What a back-order cost is a share of a consignment's freight, which another buyer's order moves.
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
    # What an order of years ago was billed is the margin of a lost buyer.
    Case(
        "lost",
        {},
        billed("lostI", "lost0", invoiced_at="2026-02-25"),
        ("lost0",),
        (stockout_facts_table, money_facts_table),
        together(short("lost9", "lost"), on_days("lost", "2026-02-20", "2026-02-23", "2026-02-26")),
    ),
    # Demand before any order names none: it is found by having come with the run, and so is the buyer it was said to be
    # of before.
    Case("newly", {}, wanted("newlyX", "newly", file_id=2), (), (stockout_facts_table,)),
    Case(
        "meant",
        wanted("meantX", "meant"),
        wanted("meantX", "meant2", file_id=2),
        (),
        (stockout_facts_table,),
        together(of_customer("meant2")),
    ),
    # A buyer who never ordered is in another segment.
    Case(
        "region",
        of_customer("region"),
        of_customer("region", region="South", file_id=2),
        (),
        (stockout_facts_table,),
        wanted("regionX", "region"),
    ),
)
"""What stockouts depend on: the other orders of their buyer, the segment, consignments, and records that name no order.
"""


def late(order_id: str, customer_id: str, received: str = "2026-03-12", **values: Any) -> Parts:
    """An order received whole, two days after it was promised where nothing else is said."""
    part = {
        "shipments": [builders.shipment(shipment_id=order_id, shipped_at=received, received_at=received)],
        "shipment_lines": [builders.shipment_line(shipment_id=order_id, order_id=order_id)],
    }
    return together(sold(order_id, customer_id, **values), part)


def raised(name: str, opened: str, resolved: str | None) -> Parts:
    """A complaint about the case's first order."""
    moments = {"opened_at": opened, "acknowledged_at": opened, "resolved_at": resolved}
    return {"service_cases": [builders.service_case(case_id=name, order_id=f"{name}1", customer_id=name, **moments)]}


RECOVERIES = (
    # The buyer's next order comes to be known.
    Case(
        "next",
        {},
        sold("next9", "next", ordered_at="2026-03-20"),
        ("next9",),
        (recovery_facts_table,),
        late("next1", "next"),
    ),
    # It turns out to be another buyer's.
    Case(
        "theirs",
        sold("theirs9", "theirs", ordered_at="2026-03-20"),
        sold("theirs9", "theirs2", ordered_at="2026-03-20"),
        ("theirs9",),
        (recovery_facts_table,),
        together(late("theirs1", "theirs"), of_customer("theirs2")),
    ),
    # It is billed: within the days after the failure, that is what was retained.
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
"""What recoveries depend on: the other orders of the buyer."""
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
"""An assumption has every event made anew, so that it would hide the others."""
ASSUMED_THEN = tuple(
    replace(one, after=one.before | {"assumptions": [builders.assumption(assumption="wait_cost", assumed_value=9, valid_from="2026-05-02")]},
            before={"assumptions": [builders.assumption(assumption="wait_cost", assumed_value=9, valid_from="2026-05-02")]})
    for one in ASSUMED
)  # fmt: skip
"""It was known, and is valid from a later day on."""

TIME = (
    # The buyer did not come back by the day the horizon ended.
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
    # Nothing failed, but nobody has ordered since, and time goes on.
    Case(
        "silent",
        {},
        {},
        changes=(recovery_facts_table,),
        always=together(
            late("silent1", "silent", promised_by="2026-03-13"), billed("silent", "silent1", invoiced_at="2026-03-13")
        ),
    ),
    # Somebody has, and the failure, told of long after, is settled: its limit passes.
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
    # The days whose margin is counted as retained pass.
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
    # All of that is long ago, but the case is still open.
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
    # What was wanted on the day of the former as_of had not ended by then.
    Case(
        "sameday", {}, {}, changes=(stockout_facts_table,), always=wanted("samedayX", "sameday", wanted_at="2026-05-01")
    ),
    # A cost is known before the day it is booked on has ended; with it goes the freight it charges.
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
    # The 30th of April ends in Los Angeles after it has in the source's zone.
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
"""What time alone changes, though no record does."""


def contents(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    return {table.name: sorted(map(tuple, connection.execute(select(table))), key=repr) for table in KEPT}


def of_case(case: Case, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row for row in rows if any(isinstance(value, str) and value.startswith(case.name) for value in row)]


def world(cases: tuple[Case, ...], *, after: bool) -> Parts:
    own = {
        row["customer_id"] for case in cases for part in (case.always, case.before) for row in part.get("customers", ())
    }
    buyers = [of_customer(case.name) for case in cases if case.name not in own]
    return together(
        {"products": [builders.product(unit_cost_amount=3)]},
        *buyers,
        *[part for case in cases for part in (case.always, case.after if after else case.before)],
    )


@pytest.mark.parametrize(
    ("cases", "as_of"),
    [(MONEY + STOCKOUTS + RECOVERIES, AS_OF), (ASSUMED, AS_OF), (ASSUMED_THEN, LATER), (TIME, LATER)],
)
def test_what_rows_depend_on(cases: tuple[Case, ...], as_of: datetime) -> None:
    with built(AS_OF, mapped=ALL - builders.everything("fx_rates"), **world(cases, after=False)) as connection:
        before = contents(connection)
        load(connection, builders.records(**world(cases, after=True)))
        connection.execute(insert(run_files).values(LATEST))
        touched = touched_orders(connection, [order_id for case in cases for order_id in case.touched])
        rebuild(connection, as_of=as_of, touched=touched.name)
        by_difference = contents(connection)
        rebuild(connection, as_of=as_of, touched=None)
        anew = contents(connection)
    for case in cases:
        for table in KEPT:
            assert of_case(case, by_difference[table.name]) == of_case(case, anew[table.name]), (case.name, table.name)
        for table in case.changes:
            assert of_case(case, before[table.name]) != of_case(case, anew[table.name]), (case.name, table.name)
    assert by_difference == anew


def test_tables_of_an_earlier_version_are_made_anew() -> None:
    """Even where no record changed: a ledger that lacks a column, and a rollup that has one that no measure needs any
    more.
    """
    rollup = ROLLUPS[0].table
    with built(**short("O", "C")) as connection:
        before = contents(connection)
        connection.exec_driver_sql("ALTER TABLE stockout_facts DROP COLUMN gap_is_own")
        connection.exec_driver_sql(f"ALTER TABLE {rollup.name} ADD COLUMN of_old BIGINT")
        rebuild(connection, as_of=AS_OF, touched=touched_orders(connection, []).name)
        assert contents(connection) == before
        # rows have no names
        assert "of_old" not in connection.exec_driver_sql(f"SELECT * FROM {rollup.name}").keys()  # noqa: SIM118
        assert connection.execute(select(rollup)).all()
