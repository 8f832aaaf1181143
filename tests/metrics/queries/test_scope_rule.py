"""The rule of a row scope by hand: records with an order, records without one, and documents of several orders."""

from datetime import datetime
from decimal import Decimal

import pytest
from sqlalchemy import Connection, select

from metrics import warehouse
from metrics.access import Scope
from metrics.facts.money.table import money_facts_table
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.queries.scope import reading
from metrics.warehouse import Location
from tests.support import all_builders, builders, contact_builders
from tests.support.sql_facts import build

APRIL_END = datetime(2026, 4, 30, 23, 59, 59, 999999)
MAPPED = builders.everything(*all_builders.MAKERS) - builders.everything("fx_rates")
IN_A, IN_B = "2026-03-05", "2026-03-20"
"""Days on which customer C was in segment A and in segment B."""
RECORDS = builders.records(
    customers=[
        builders.customer(service_segment="A"),
        builders.customer(service_segment="B", valid_from="2026-03-10"),
        builders.customer(customer_id="D", service_segment="B"),
    ],
    products=[builders.product(unit_cost_amount=3)],
    orders=[
        builders.order(order_id="O1", channel="web"),
        builders.order(order_id="O2", customer_id="D", channel="edi"),
    ],
    order_lines=[builders.order_line(order_id=one) for one in ("O1", "O2")],
    shipments=[
        builders.shipment(
            shipped_at="2026-03-08",
            received_at="2026-03-09",
            notice_sent_at="2026-03-08",
            freight_amount=100,
            currency="EUR",
        )
    ],
    shipment_lines=[
        builders.shipment_line(shipment_line_no=one, order_id=one, shipped_qty=pieces)
        for one, pieces in (("O1", 1), ("O2", 3))
    ],
    invoices=[builders.invoice(due_on="2026-04-09")],
    invoice_lines=[builders.invoice_line(invoice_line_no=one, order_id=one) for one in ("O1", "O2")],
    payments=[contact_builders.payment(amount=1_200)],
    messages=[
        contact_builders.message(message_id="of O1", order_id="O1"),
        contact_builders.message(message_id="of O2", order_id="O2", customer_id="D"),
        contact_builders.message(message_id="in A", order_id=None, due_at=IN_A, sent_at=IN_A),
        contact_builders.message(message_id="in B", order_id=None, due_at=IN_B, sent_at=IN_B),
    ],
    service_cases=[
        contact_builders.service_case(case_id="of O1", order_id="O1", acknowledged_at=None),
        contact_builders.service_case(case_id="in A", order_id=None, opened_at=IN_A),
        contact_builders.service_case(case_id="in B", order_id=None, opened_at=IN_B),
    ],
    service_costs=[
        contact_builders.service_cost(cost_id="of O1", order_id="O1"),
        contact_builders.service_cost(cost_id="in A", order_id=None, incurred_on=IN_A),
        contact_builders.service_cost(cost_id="in B", order_id=None, incurred_on=IN_B),
    ],
    quotes=[
        contact_builders.quote(quote_id="became O1", order_id="O1"),
        contact_builders.quote(quote_id="in A"),
        contact_builders.quote(quote_id="in B", asked_at=IN_B, answered_at=IN_B),
    ],
    stockouts=[
        contact_builders.stockout(stockout_id="in A", wanted_at=IN_A),
        contact_builders.stockout(stockout_id="in B", wanted_at=IN_B),
    ],
    buyer_scorecards=[
        contact_builders.scorecard(order_id="O1"),
        contact_builders.scorecard(order_id="O2", due_by=IN_A),  # C's own number: O2 is an order of D
        contact_builders.scorecard(order_id="P9", due_by=IN_B),
    ],
)
FACTS = {
    "messages": ("message_id", "message_facts", "message_id"),
    "service_cases": ("case_id", "case_facts", "case_id"),
    "service_costs": ("cost_id", "money_facts WHERE source = 'service_cost'", "document_id"),
    "quotes": ("quote_id", "quote_facts", "quote_id"),
    "stockouts": ("stockout_id", "stockout_facts WHERE order_id IS NULL", "stockout_id"),
    "buyer_scorecards": ("order_id", "book_facts WHERE theirs", "order_id"),
}
"""Each feed with the column of its keys, and where its facts have them."""


def visible(connection: Connection, feed: str) -> set[str]:
    """Return the keys of the visible records of a feed. Their facts are the same."""
    key, facts, of_facts = FACTS[feed]
    records = set(connection.exec_driver_sql(f"SELECT {key} FROM {feed}").scalars())
    assert set(connection.exec_driver_sql(f"SELECT {of_facts} FROM {facts}").scalars()) == records, feed
    return records


@pytest.mark.long
def test_records_without_an_order_and_documents_of_several_orders(any_location: Location) -> None:
    with warehouse.writing(any_location) as made:
        build(made.connection, RECORDS, APRIL_END, MAPPED)
        made.publish()
    check_records_without_an_order(any_location)
    check_documents_of_several_orders(any_location)


def check_records_without_an_order(place: Location) -> None:
    """They are visible by their customer on their day. A dimension of orders hides them all.

    C changes from segment A to B after its order.
    """
    expected: dict[Scope, dict[str, set[str]]] = {
        (("segment", ("A",)),): {
            **{key: {"of O1", "in A"} for key in ("messages", "service_cases", "service_costs")},
            "quotes": {"became O1", "in A"},
            "stockouts": {"in A"},
            "buyer_scorecards": {"O1", "O2"},
        },
        (("segment", ("B",)), ("customer", ("C",))): {
            **{key: {"in B"} for key in ("messages", "service_cases", "service_costs", "quotes", "stockouts")},
            "buyer_scorecards": {"P9"},
        },
        (("channel", ("web",)),): {
            **{key: {"of O1"} for key in ("messages", "service_cases", "service_costs")},
            "buyer_scorecards": {"O1"},
        },
        (("currency", ("EUR",)),): {
            "messages": {"of O1", "of O2"},
            **{key: {"of O1"} for key in ("service_cases", "service_costs")},
            "buyer_scorecards": {"O1"},
        },
        (("channel", ("(none)",)),): {},
    }
    for scope, keys in expected.items():
        with reading(place, scope) as scoped:
            assert {feed: visible(scoped, feed) for feed in FACTS} == {key: set() for key in FACTS} | keys, scope


def check_documents_of_several_orders(place: Location) -> None:
    """They count if all their orders are visible.

    O1 has 1 of the 4 pieces of the shipment, so its share of the freight of 100 is 25. It stays its share.
    """
    m = money_facts_table.c
    documents = ("shipment_facts", "invoice_facts", "payment_facts")
    for scope, shares in (
        ((("channel", ("web",)),), {"O1": Decimal(25)}),
        ((("channel", ("edi",)),), {"O2": Decimal(75)}),
        ((("channel", ("web", "edi")),), {"O1": Decimal(25), "O2": Decimal(75)}),
        ((("channel", ("(several)",)),), {}),
    ):
        with reading(place, scope) as scoped:
            freight = select(m.order_id, m.amount).where(m.source == "freight")
            assert {row.order_id: row.amount for row in scoped.execute(freight)} == shares
            question = Question(("cost_to_serve",), where=(("activity", ("freight",)),))
            assert (answer(scoped, question)[0].value or 0) == sum(shares.values())
            carried = scoped.exec_driver_sql("SELECT order_id FROM shipment_lines JOIN shipments USING (shipment_id)")
            assert set(carried.scalars()) == {*shares}
            for table in documents:
                found = scoped.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
                assert found == (len(shares) == 2), (scope, table)
