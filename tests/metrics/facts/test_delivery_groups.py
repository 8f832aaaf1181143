"""Delivery groups and overdue orders. Expected values are worked by hand.

Source: R15 (cancelled remainder), R16 (delivery groups), section 4 (a) (buyer's view).
"""

from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import Connection, select

from metrics.facts import delivery_groups
from metrics.facts.delivery_groups import group_facts_table
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.schema import FEEDS
from tests.support.ask_measures import only
from tests.support.builders import (
    Records,
    everything,
    invoice,
    invoice_line,
    order,
    order_line,
    records,
    shipment,
    shipment_line,
)
from tests.support.engines import memory
from tests.support.sql_facts import build

filled = only(delivery_groups)

END_OF_APRIL = datetime(2026, 4, 30, 23, 59, 59, 999999)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    engine = memory()
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_r16_each_delivery_group_is_judged_alone_and_the_order_needs_all(connection: Connection) -> None:
    """Line 1 is due and received on the 5th. Line 2 is due on the 20th and received on the 22nd. Both are billed
    correctly. A fee, due with the order on the 20th, is billed at 12 instead of 10.
    """
    histories = records(
        orders=[order(promised_by="2026-03-20")],
        order_lines=[
            order_line(promised_by="2026-03-05"),
            order_line(line_no="2"),
            order_line(line_no="3", line_kind="fee", ordered_qty=1, unit_price_amount="10"),
        ],
        shipments=[
            shipment(shipped_at="2026-03-04", received_at="2026-03-05"),
            shipment(shipment_id="S2", shipped_at="2026-03-19", received_at="2026-03-22"),
        ],
        shipment_lines=[shipment_line(), shipment_line(shipment_id="S2", line_no="2")],
        invoices=[invoice(invoiced_at="2026-03-06"), invoice(invoice_id="I2", invoiced_at="2026-03-23")],
        invoice_lines=[
            invoice_line(),
            invoice_line(invoice_id="I2", line_no="2"),
            invoice_line(invoice_id="I2", invoice_line_no="2", line_no="3", billed_qty=1, unit_price_amount="12"),
        ],
    )
    build(connection, histories, END_OF_APRIL, everything(*FEEDS))
    g = group_facts_table.c
    groups = connection.execute(
        select(g.deadline_at, g.line_count, g.on_time, g.otif, g.billed_accurately, g.perfect_group).order_by(
            g.deadline_at
        )
    )
    assert [(row[0].day, *row[1:]) for row in groups] == [
        (5, 1, True, True, True, True),
        (20, 1, False, False, False, False),
    ]
    asked = answer(connection, Question(("on_time_group", "on_time", "perfect_group", "perfect_order")))
    assert [(answered.numerator, answered.denominator) for answered in asked] == [(1, 2), (0, 1), (1, 2), (0, 1)]


def short(key: str, **cancelled: object) -> Records:
    """An order of 100, due on the 10th, with 60 received on the 8th."""
    return records(
        orders=[order(order_id=key)],
        order_lines=[order_line(order_id=key, **cancelled)],
        shipments=[shipment(shipment_id=key, shipped_at="2026-03-07", received_at="2026-03-08")],
        shipment_lines=[shipment_line(shipment_id=key, order_id=key, shipped_qty=60)],
    )


def test_r15_a_closed_remainder_is_short_and_no_longer_overdue(connection: Connection) -> None:
    """The orders: never closed, closed by the seller, 30 of 40 closed, cancelled in time by the buyer, cancelled too
    late by the buyer, and not due yet.
    """
    many = [
        short("open"),
        short("closed", cancelled_at="2026-03-12", cancelled_by="seller"),
        short("partly", cancelled_at="2026-03-12", cancelled_by="seller", cancelled_qty=30),
        short("dropped", cancelled_at="2026-03-09", cancelled_by="buyer", cancelled_qty=40),
        short("too late", cancelled_at="2026-03-12", cancelled_by="buyer", cancelled_qty=40),
        records(orders=[order(order_id="ahead", promised_by="2026-05-20")], order_lines=[order_line(order_id="ahead")]),
    ]
    build(
        connection,
        {feed: [row for part in many for row in part[feed]] for feed in many[0]},
        END_OF_APRIL,
        everything(*FEEDS),
    )
    overdue, complete, on_time = answer(connection, Question(("overdue_open", "complete", "on_time")))
    assert overdue.value == 2
    assert (complete.numerator, complete.denominator) == (1, 5)
    assert (on_time.numerator, on_time.denominator) == (5, 5)
