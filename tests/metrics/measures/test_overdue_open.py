"""R15 (cancelled remainder): a remainder under half a rounding step is not open (R11, equal quantities)."""

from decimal import Decimal

import pytest

from tests.support.ask_measures import built, one, only, sale

filled = only()


@pytest.mark.every_run("59.9995-1", "59.9996-0")
@pytest.mark.parametrize(("cancelled", "overdue"), [("59.9996", 0), ("59.9995", 1), ("60", 0)])
def test_a_remainder_under_half_a_step_is_not_open(cancelled: str, overdue: int) -> None:
    """100 owed, 40 received, and we cancelled almost 60 of them. The step of the unit is 0.001."""
    records = sale("O", received="2026-03-09")
    records["shipment_lines"][0]["shipped_qty"] = 40
    records["order_lines"][0] |= {
        "cancelled_qty": Decimal(cancelled),
        "cancelled_at": records["shipments"][0]["received_at"],
        "cancelled_at_is_date": True,
        "cancelled_by": "seller",
    }
    with built(**records) as connection:
        assert one(connection, "overdue_open").value == overdue
        assert one(connection, "complete").value == 0
