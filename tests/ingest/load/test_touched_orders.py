"""Orders that the next run judges again because a record changed."""

from datetime import datetime

import pytest
from sqlalchemy import Connection, column, select, table

from metrics.facts.orders import facts_metadata
from metrics.queries.rollups import rollup_metadata
from tests.ingest.files import ORDERS, Source, add, with_invoices

pytestmark = pytest.mark.long  # every case is a whole run; test_load.py runs the same code each time


@pytest.fixture
def touched_orders(monkeypatch: pytest.MonkeyPatch) -> list[set[str] | None]:
    """Record the orders that each run would judge again, or None for all, instead of judging them."""
    found: list[set[str] | None] = []

    def rebuilt(connection: Connection, *, as_of: datetime, touched: str | None, feeds: object) -> None:
        del as_of, feeds
        facts_metadata.create_all(connection)
        rollup_metadata.create_all(connection)
        found.append(
            None if touched is None else set(connection.scalars(select(column("order_id")).select_from(table(touched))))
        )

    monkeypatch.setattr("metrics.rebuild.lake_facts.rebuild", rebuilt)
    return found


def test_each_feed_causes_only_the_orders_it_affects_to_be_judged_again(
    source: Source, touched_orders: list[set[str] | None]
) -> None:
    with_invoices(source, "I1,2026-03-20\n", "I1,1,O1,1,100\n")
    source.take_in()
    for feed, (content, _) in TOUCHES.items():
        add(source, feed, content)
        source.take_in()
        del source.columns[feed]
    assert touched_orders[0] is None
    assert dict(zip(TOUCHES, touched_orders[1:], strict=True)) == {
        feed: orders for feed, (_, orders) in TOUCHES.items()
    }


def test_payment_moved_to_another_invoice_affects_the_orders_of_both(
    source: Source, touched_orders: list[set[str] | None]
) -> None:
    with_invoices(source, "I1,2026-03-20\nI2,2026-03-20\n", "I1,1,O1,1,100\nI2,1,O2,1,100\n")
    for invoice in ("I1", "I2"):
        add(source, "payments", f"payment_id,invoice_id,paid_at,amount\nZ1,{invoice},2026-04-01,100\n")
        source.take_in()
    assert touched_orders == [None, {"O1", "O2"}]


def test_reversal_moved_to_another_invoice_affects_the_orders_of_both(
    source: Source, touched_orders: list[set[str] | None]
) -> None:
    add(
        source,
        "invoice_lines",
        "invoice_id,invoice_line_no,order_id,line_no,line_amount\nI1,1,O1,1,100\nI2,1,O2,1,100\n",
    )
    invoices = (
        "invoice_id,invoiced_at,invoice_kind,reverses_invoice_id\n"
        "I1,2026-03-20,invoice,\nI2,2026-03-20,invoice,\nR1,2026-03-22,reversal,{}\n"
    )
    for named in ("I1", "I2"):
        add(source, "invoices", invoices.format(named))
        source.take_in()
    assert touched_orders == [None, {"O1", "O2"}]


def test_orders_that_share_a_document_with_newly_rejected_rows_are_judged_again(
    source: Source, touched_orders: list[set[str] | None]
) -> None:
    """S1 carries O1 and O2. A changed order date moves O1's row to quarantine, so O2's share of the freight changes."""
    source.write("shipment_lines.csv", "delivery,item,no,pos,qty\nS1,1,O1,1,10\nS1,2,O2,1,7\n")
    source.take_in()
    source.write("orders.csv", ORDERS.replace("O1,C1,2026-03-02T10:00:00", "O1,C1,2026-03-20"))
    source.take_in()
    assert touched_orders == [None, {"O1", "O2"}]


TOUCHES: dict[str, tuple[str, set[str] | None]] = {
    "promises": ("order_id,line_no,revision_no,promised_by,changed_at\nO1,1,1,2026-03-10,2026-03-02\n", {"O1"}),
    "holds": ("hold_id,order_id,placed_at\nH1,O2,2026-03-04\n", {"O2"}),
    "order_events": ("order_id,step,event_no,started_at\nO1,2,1,2026-03-04\n", {"O1"}),
    "returns": (
        "return_id,return_line_no,order_id,line_no,returned_qty,announced_at\nR1,1,O1,1,1,2026-03-12\n",
        {"O1"},
    ),
    "messages": ("message_id,order_id,customer_id\nM1,O2,\nM2,,C1\n", {"O2"}),
    "service_cases": ("case_id,order_id,customer_id,opened_at\nK1,O2,,2026-02-01\n", {"O2"}),
    "payments": ("payment_id,invoice_id,paid_at,amount\nZ1,I1,2026-04-01,100\n", {"O1"}),
    "unit_factors": ("product_id,unit,factor\nP2,box,12\n", {"O1"}),
    "products": ("product_id\nP1\n", {"O1", "O2"}),
    "customers": ("customer_id,policy_id\nC2,strict\n", {"O2"}),
    "stockouts": ("stockout_id,customer_id,wanted_at\nT1,C1,2026-03-01\n", set()),
    "assumptions": ("assumption,scope,assumed_value\nlost_k,all,4\n", set()),
    "calendars": ("calendar_id,day\ndefault,2026-03-07\n", None),
    "fx_rates": ("currency,on_date,rate,reporting_currency\nUSD,2026-03-01,0.9,EUR\n", None),
    "service_packages": ("service_segment\nA\n", None),
}
"""A row of a feed and the orders that it touches. None means all orders."""
