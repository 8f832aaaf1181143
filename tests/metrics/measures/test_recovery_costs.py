"""Worked cases of the cost of recovery and of the retained margin."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from metrics.facts import recoveries, recovery_costs
from metrics.facts.money import movements
from tests.support.ask_measures import ALL, billed, built, by, case, halves, one, only, sale, together
from tests.support.builders import invoice, invoice_line, order, order_line, product, shipment, shipment_line
from tests.support.contact_builders import service_cost

filled = only(movements, recoveries, recovery_costs)


def test_r40_the_cost_of_recovery_is_cases_replacements_and_goodwill() -> None:
    """Case 30, replacement goods 40 × 3 = 120 and picking 7, goodwill 25.

    The special request (99) and the case of the good order (50) do not count.
    """
    records = together(
        sale("late", received="2026-03-12"),
        sale("good", received="2026-03-09"),
        billed("late"),
        billed("good"),
        case("late", "2026-03-12T10:00Z", "2026-03-12T12:00Z", "2026-04-02T12:00Z", cost_amount=30),
        case("late", "2026-03-12T11:00Z", kind="special_request", cost_amount=99),
        case("good", "2026-03-12T11:00Z", cost_amount=50),
        {
            "products": [product(unit_cost_amount=3)],
            "orders": [order(order_id="R", order_type="replacement", ordered_at="2026-03-15")],
            "order_lines": [order_line(order_id="R", ordered_qty=40)],
            "shipments": [shipment(shipment_id="R", shipped_at="2026-03-16", received_at="2026-03-18")],
            "shipment_lines": [shipment_line(shipment_id="R", order_id="R", shipped_qty=40)],
            "service_costs": [
                service_cost(order_id="R", amount=7, incurred_on="2026-03-16"),
                service_cost(cost_id="T2", order_id="late", amount=8),
            ],
            "invoices": [
                invoice(invoice_id="G", invoice_kind="credit", credit_reason="goodwill", invoiced_at="2026-04-03")
            ],
            "invoice_lines": [invoice_line(invoice_id="G", order_id="late", billed_qty=5)],
        },
    )
    with built(**records) as connection:
        assert one(connection, "recovery_cost").value == Decimal(30 + 120 + 7 + 25)
        assert one(connection, "recovery_cost", end=date(2026, 3, 31)).value == Decimal(120 + 7)
        assert {name: value for name, (value, _) in by(connection, "recovery_cost", "activity").items()} == {
            "case": Decimal(30), "replacement": Decimal(127), "goodwill": Decimal(25),
        }  # fmt: skip
        assert halves(connection, "late_warned") == (0, 1)  # a replacement is not a sale
    with built(datetime(2026, 3, 20), **records) as connection:
        assert by(connection, "recovery_cost", "activity")["case"] == (
            Decimal(30),
            None,
        )  # an open case counts on its opening day


@pytest.mark.long
def test_retained_margin_covers_the_ninety_days_after_a_failure() -> None:
    """The 90 days after the deadline are 11 March to 8 June. Orders of both days count: 100 × (5 - 3) = 200 each.

    Orders of 10 March and 9 June do not count.
    """
    parts = [sale("F", received="2026-03-20"), billed("F"), {"products": [product(unit_cost_amount=3)]}]
    for day in ("2026-03-10", "2026-03-11", "2026-06-08", "2026-06-09"):
        parts.append(
            {
                "orders": [order(order_id=day, ordered_at=day, promised_by="2026-12-01")],
                "order_lines": [order_line(order_id=day)],
            }
        )
        parts.append(
            {
                "invoices": [invoice(invoice_id=day, invoiced_at=day)],
                "invoice_lines": [invoice_line(invoice_id=day, order_id=day)],
            }
        )
    records = together(*parts)
    with built(datetime(2026, 6, 30), **records) as connection:
        found = one(connection, "retained_margin")
        assert (found.value, found.numerator, found.denominator) == (400.0, Decimal(400), 1)
        assert by(connection, "retained_margin", "recovery") == {"unrecovered": (Decimal(400), 1)}
    with built(datetime(2026, 6, 1), **records) as connection:
        assert one(connection, "retained_margin").denominator == 0  # the ninety days have not passed
    dollars = records | {
        "invoices": [*records["invoices"][:2], *[one | {"currency": "USD"} for one in records["invoices"][2:]]]
    }
    no_rates = frozenset(name for name in ALL if not name.startswith("fx_rates."))
    with built(datetime(2026, 6, 30), mapped=no_rates, **dollars) as connection:
        assert one(connection, "retained_margin").value == 0  # the others are in another currency
    unknown = records | {
        "products": [product(unit_cost_amount=3), product(valid_from="2026-06-01", unit_cost_amount=None)]
    }
    with built(datetime(2026, 6, 30), **unknown) as connection:
        assert one(connection, "retained_margin").denominator == 0  # one order after it has no unit cost
