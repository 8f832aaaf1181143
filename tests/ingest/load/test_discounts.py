"""I9: discounts, vouchers and deductions are lines of their own. R17 (services, fees and discounts)."""

from decimal import Decimal

from sqlalchemy import select

from metrics.facts.orders import order_facts_table
from metrics.schema import order_lines
from metrics.warehouse import reading
from tests.ingest.files import Source, add, kept

LINES = (
    "no,pos,item,qty,price,kind\n"
    "O1,1,P1,10,10,goods\nO1,2,VOUCHER,1,-20,discount\n"
    "O2,1,P1,7,10,goods\nO2,2,VOUCHER,-1,20,fee\n"
    "O2,3,P2,-1,10,goods\nO2,4,P2,1,-5,service\n"
)
BILLS = (
    "invoice_id,invoice_line_no,order_id,line_no,billed_qty,unit_price_amount,line_amount\n"
    "I1,1,O1,1,10,10,100\nI1,2,O1,2,1,-20,-20\nI1,3,,,1,-3,-3\n"
    "I2,1,O2,1,7,10,70\nI2,2,O2,2,-1,20,-20\nI2,3,O1,1,-1,10,-10\n"
)
SENT = "delivery,item,no,pos,qty\nS1,1,O1,1,10\nS2,1,O2,1,7\n"


def test_i9_discount_line_is_billed_and_not_counted_as_goods(any_source: Source) -> None:
    """O1: 10 at 10 less a voucher of 20 is 80. A negative fee is a discount; goods and services stay positive.

    A deduction without an order line loads. A negative bill of goods does not.
    """
    any_source.write("order_lines.csv", LINES)
    any_source.write("shipment_lines.csv", SENT)
    any_source.columns["order_lines"].update(unit_price_amount="'price'", line_kind="'kind'")
    add(any_source, "invoices", "invoice_id,invoiced_at\nI1,2026-03-10\nI2,2026-03-12\n")
    add(any_source, "invoice_lines", BILLS)
    any_source.take_in()
    with reading(any_source.location) as connection:
        stored = connection.execute(
            select(order_lines.c.ordered_qty, order_lines.c.unit_price_amount)
            .where(order_lines.c.line_kind == "discount")
            .order_by(order_lines.c.order_id)
        )
        assert [tuple(row) for row in stored] == [(1, -20), (1, -20)], "-1 at 20 is 1 at -20"
        rejected = [(one.feed, one.row_no) for one in kept(connection)]
        assert rejected == [("invoice_lines", 6), ("order_lines", 5), ("order_lines", 6)]
        facts = order_facts_table.c
        orders = {row.order_id: row for row in connection.execute(select(order_facts_table))}
        assert (facts.on_time.name, orders["O1"].on_time, orders["O1"].complete) == ("on_time", True, True)
        assert (orders["O1"].ordered_amount, orders["O1"].line_count) == (Decimal(80), 2)


def test_i9_billed_discount_is_judged_like_a_billed_fee(source: Source) -> None:
    """O1 bills its voucher of 20 as agreed, as -1 at 20. O2 bills 10 of 20."""
    source.write(
        "order_lines.csv",
        "no,pos,item,qty,price,kind\nO1,1,P1,10,10,goods\nO1,2,V,1,-20,discount\nO2,1,P1,7,10,goods\nO2,2,V,-1,20,fee\n",
    )
    source.write("shipment_lines.csv", SENT)
    source.columns["order_lines"].update(unit_price_amount="'price'", line_kind="'kind'")
    add(source, "invoices", "invoice_id,invoiced_at\nI1,2026-03-10\nI2,2026-03-12\n")
    add(
        source,
        "invoice_lines",
        "invoice_id,invoice_line_no,order_id,line_no,billed_qty,unit_price_amount,line_amount\n"
        "I1,1,O1,1,10,10,100\nI1,2,O1,2,-1,20,-20\nI2,1,O2,1,7,10,70\nI2,2,O2,2,1,-10,-10\n",
    )
    source.take_in()
    with reading(source.location) as connection:
        assert kept(connection) == []
        facts = order_facts_table.c
        found = connection.execute(
            select(facts.billed_accurately, facts.billed_accurately_reason, facts.billed_amount).order_by(
                facts.order_id
            )
        )
        assert [tuple(row) for row in found] == [(True, None, 80), (False, "billed_price", 60)]
