"""Unit conversion: boxes become pieces exactly, by the factor of the order day, or wait. Source: R12 (units)."""

import json
from decimal import Decimal

import pytest
from sqlalchemy import Connection, select

from metrics.facts.orders import order_facts_table
from metrics.schema import order_lines, restated_quantities, restatements, shipment_lines
from metrics.warehouse import reading
from tests.ingest.files import Source, add, kept, ledger, rows

pytestmark = pytest.mark.long  # every case is a whole run; test_load.py runs the same code each time

ORDERS = """order_id,customer_id,ordered_at,ship_to_time_zone
O1,C1,2026-03-30,Europe/Berlin
O2,C1,2026-03-31T21:59:00Z,Europe/Berlin
O3,C1,2026-03-31T22:00:00Z,Europe/Berlin
O4,C1,2026-04-01T05:00:00Z,America/Los_Angeles
O5,C1,2026-04-01,Europe/Berlin
"""
LINES = "order_id,line_no,product_id,unit,ordered_qty,unit_price_amount\n" + "".join(
    f"O{n},1,P1,box,1,100\n" for n in range(1, 6)
)
FACTORS = "product_id,unit,valid_from,factor\nP1,box,2026-01-01,12\nP1,box,2026-04-01,16\n"
PRODUCTS = "product_id,valid_from,base_unit\nP1,2020-01-01,piece\n"


def in_boxes(source: Source) -> Source:
    """Five orders of one box each around the change of the factor, 31 March to 1 April."""
    add(source, "orders", ORDERS)
    add(source, "order_lines", LINES)
    add(source, "unit_factors", FACTORS)
    add(source, "products", PRODUCTS)
    add(source, "shipments", "shipment_id,shipped_at,received_at\nS1,2026-04-02,2026-04-03\n")
    add(
        source,
        "shipment_lines",
        "shipment_id,shipment_line_no,order_id,line_no,product_id,unit,shipped_qty,received_qty,damaged_qty\nS1,1,O1,1,,box,1,0.5,\n",
    )
    return source


def quantities(connection: Connection) -> dict[str, Decimal]:
    return {row.order_id: row.ordered_qty for row in connection.execute(select(order_lines))}


def broken(connection: Connection) -> dict[tuple[str, str], list[str]]:
    """Return the broken rules of records still in quarantine, by feed and record."""
    return {
        (row.feed, row.status): sorted(one["rule"] for one in json.loads(row.rules))
        for row in kept(connection)
        if row.status != "released"
    }


def test_r12_conversion_uses_the_factor_valid_on_the_local_order_day(any_source: Source) -> None:
    in_boxes(any_source).take_in()
    with reading(any_source.location) as connection:
        # 12 until 31 March, 16 from 1 April. O3 is placed at 00:00 on 1 April in Berlin, O4 at 22:00 on 31 March in Los
        # Angeles.
        factors = {"O1": 12, "O2": 12, "O3": 16, "O4": 12, "O5": 16}
        assert quantities(connection) == factors
        prices = {row["order_id"]: row["unit_price_amount"] for row in rows(connection, "order_lines")}
        # 100 a box is 8.33333333 a piece of 12, and 6.25 of 16.
        assert prices == {order: round(Decimal(100) / factor, 8) for order, factor in factors.items()}
        assert prices["O1"] == Decimal("8.33333333")
        assert {row["unit"] for row in rows(connection, "order_lines")} == {"box"}
        (line,) = rows(connection, "shipment_lines")
        # Shipment lines count by the day of the order, not by that of shipping (2 April).
        assert (line["shipped_qty"], line["received_qty"], line["damaged_qty"]) == (12, 6, None)
        assert kept(connection) == []


def test_r12_row_without_a_conversion_factor_waits(any_source: Source) -> None:
    in_boxes(any_source)
    any_source.write("unit_factors.csv", FACTORS.replace("2026-01-01", "2026-03-31"))
    any_source.take_in()
    with reading(any_source.location) as connection:
        # O1 is ordered on 30 March, before any factor is valid; its shipment line waits for the order line.
        assert sorted(quantities(connection)) == ["O2", "O3", "O4", "O5"]
        assert broken(connection) == {
            ("order_lines", "waiting"): ["unit_has_factor"],
            ("shipment_lines", "waiting"): ["order_line_is_known"],
        }
        assert kept(connection)[0].waits_for == "unit_factors P1 / box / 2026-03-30"
    any_source.write("unit_factors.csv", "product_id,unit,valid_from,factor\nP1,box,2025-01-01,10\n")
    assert any_source.take_in().released == 2
    with reading(any_source.location) as connection:
        assert quantities(connection) == {"O1": 10, "O2": 12, "O3": 16, "O4": 12, "O5": 16}
        assert rows(connection, "shipment_lines")[0]["received_qty"] == 5
        assert ledger(connection)["order_lines.csv"] == (5, 5, 0, 0)


def test_r12_two_factors_valid_from_the_same_day_are_quarantined(source: Source) -> None:
    in_boxes(source).write("unit_factors.csv", FACTORS + "P1,box,2026-01-01,10\n")
    source.take_in()
    with reading(source.location) as connection:
        assert [(row.feed, row.row_no) for row in kept(connection) if "factor_is_single" in row.rules] == [
            ("unit_factors", 1),
            ("unit_factors", 3),
        ]
        assert quantities(connection) == {"O3": 16, "O5": 16}
    source.write("unit_factors.csv", FACTORS)
    source.take_in()
    with reading(source.location) as connection:
        assert quantities(connection) == {"O1": 12, "O2": 12, "O3": 16, "O4": 12, "O5": 16}
        assert broken(connection).keys() == {("unit_factors", "dropped")}


def test_r12_corrected_factor_converts_the_original_quantity_again(any_source: Source) -> None:
    in_boxes(any_source).take_in()
    any_source.write("unit_factors.csv", "product_id,unit,valid_from,factor\nP1,box,2026-01-01,24\n")
    any_source.take_in()
    with reading(any_source.location) as connection:
        assert quantities(connection) == {"O1": 24, "O2": 24, "O3": 16, "O4": 24, "O5": 16}
        assert rows(connection, "shipment_lines")[0]["received_qty"] == 12
        assert rows(connection, "order_lines")[0]["unit_price_amount"] == Decimal("4.16666667")
        reported = [
            row.key
            for row in connection.execute(
                select(restatements).where(restatements.c.feed == "order_lines").order_by(restatements.c.key)
            )
        ]
        assert [json.loads(one)["order_id"] for one in reported] == ["O1", "O2", "O4"]
        # The buyer always wanted one box, so the quantity did not change (R14, quantity changes).
        assert connection.execute(select(restated_quantities)).all() == []
    # The result does not depend on the order in which the factors arrive.
    any_source.write("unit_factors.csv", FACTORS)
    any_source.take_in()
    with reading(any_source.location) as connection:
        assert quantities(connection) == {"O1": 12, "O2": 12, "O3": 16, "O4": 12, "O5": 16}
        assert rows(connection, "order_lines")[0]["unit_price_amount"] == Decimal("8.33333333")


def test_r12_withdrawn_factor_removes_rows_and_a_restored_factor_loads_them_again(any_source: Source) -> None:
    in_boxes(any_source)
    head = "product_id,unit,valid_from,factor,deleted\n"
    for january, withdrawn in (("12", "false"), ("12", "true"), ("12", "false"), ("24", "false")):
        add(any_source, "unit_factors", head + f"P1,box,2026-01-01,{january},{withdrawn}\nP1,box,2026-04-01,16,false\n")
        any_source.take_in()
        with reading(any_source.location) as connection:
            found = quantities(connection)
            assert len(rows(connection, "order_lines")) == len(found)
            assert {order: found.get(order) for order in ("O1", "O2", "O3")} == {
                "O1": None if withdrawn == "true" else int(january),
                "O2": None if withdrawn == "true" else int(january),
                "O3": 16,
            }
            waits = {row.waits_for for row in kept(connection) if row.status == "waiting"}
            missing = {f"unit_factors P1 / box / 2026-03-3{day}" for day in (0, 1)} | {"order_lines O1 / 1"}
            assert waits == (missing if withdrawn == "true" else set())
            assert ledger(connection)["order_lines.csv"] == ((5, 2, 3, 0) if withdrawn == "true" else (5, 5, 0, 0))


def test_r12_later_factor_or_corrected_order_day_triggers_a_new_conversion(any_source: Source) -> None:
    in_boxes(any_source).write("unit_factors.csv", "product_id,unit,valid_from,factor\nP1,box,2026-01-01,12\n")
    any_source.take_in()
    any_source.write("unit_factors.csv", "product_id,unit,valid_from,factor\nP1,box,2026-04-01,16\n")
    any_source.write("orders.csv", ORDERS.replace("O1,C1,2026-03-30", "O1,C1,2026-04-01"))
    any_source.take_in()
    with reading(any_source.location) as connection:
        assert quantities(connection) == {"O1": 16, "O2": 12, "O3": 16, "O4": 12, "O5": 16}
        assert rows(connection, "shipment_lines")[0]["shipped_qty"] == 16


def test_r12_the_base_unit_needs_no_factor(any_source: Source) -> None:
    in_boxes(any_source).write("order_lines.csv", LINES.replace(",box,1,100", ",piece,7,2.5"))
    any_source.write(
        "shipment_lines.csv",
        "shipment_id,shipment_line_no,order_id,line_no,product_id,unit,shipped_qty,received_qty,damaged_qty\nS1,1,O1,1,,,7,,\n",
    )
    any_source.take_in()
    with reading(any_source.location) as connection:
        assert set(quantities(connection).values()) == {7}
        assert connection.execute(select(shipment_lines.c.shipped_qty)).scalar_one() == 7


@pytest.mark.parametrize(
    ("factor", "quantity", "price", "rule"),
    [
        ("0.1", "0.0001", "1", "quantity_converts"),
        ("999999999", "999999999", "1", "quantity_converts"),
        ("0.00000001", "0", "999999999", "price_converts"),
    ],
)
def test_r12_line_whose_converted_quantity_or_price_is_out_of_range_is_quarantined(
    any_source: Source, factor: str, quantity: str, price: str, rule: str
) -> None:
    in_boxes(any_source).write("unit_factors.csv", FACTORS + f"P2,box,2026-01-01,{factor}\n")
    any_source.write("order_lines.csv", LINES + f"O1,2,P2,box,{quantity},{price}\n")
    any_source.take_in()
    with reading(any_source.location) as connection:
        assert broken(connection) == {("order_lines", "rejected"): [rule]}
        assert len(quantities(connection)) == 5


def test_r12_billed_quantities_are_converted_except_charges_without_an_order_line(any_source: Source) -> None:
    in_boxes(any_source)
    add(any_source, "invoices", "invoice_id,invoiced_at\nI1,2026-04-05\n")
    head = "invoice_id,invoice_line_no,order_id,line_no,unit,billed_qty,unit_price_amount,line_amount\n"
    add(any_source, "invoice_lines", head + "I1,1,O1,1,box,1,100,100\nI1,2,,,trip,1,30,30\n")
    any_source.take_in()
    with reading(any_source.location) as connection:
        found = [
            (row["unit"], row["billed_qty"], row["unit_price_amount"], row["line_amount"])
            for row in rows(connection, "invoice_lines")
        ]
        assert found == [("box", 12, Decimal("8.33333333"), 100), ("trip", 1, 30, 30)]


def test_i11_fractions_are_exact_and_other_quantities_are_rounded_to_four_decimals(any_source: Source) -> None:
    """12 and 7 pieces in dozens: 1 and 0.5833. 10 lb are 4.5359237, so 4.5359 kg; 5 x 2 lb count as complete."""
    add(any_source, "orders", "order_id,customer_id,ordered_at,promised_by\nO1,C1,2026-03-02,2026-03-02\n")
    add(any_source, "products", "product_id,base_unit\nEGG,dozen\nNUT,kg\n")
    add(
        any_source,
        "unit_factors",
        "product_id,unit,numerator,denominator,factor\nEGG,piece,1,12,\nNUT,lb,,,0.45359237\nNUT,oz,0.45359237,16,\n"
        "NUT,t,,,\n",
    )
    add(
        any_source,
        "order_lines",
        "order_id,line_no,product_id,unit,ordered_qty,unit_price_amount\nO1,1,EGG,piece,12,0.3\nO1,2,EGG,piece,7,0.1\n"
        "O1,3,NUT,lb,10,1\nO1,4,NUT,oz,16,1\nO1,5,EGG,piece,12,0.3\n",
    )
    add(any_source, "shipments", "shipment_id,shipped_at,received_at\nS1,2026-03-02,2026-03-03\n")
    parts = "".join(f"S1,{number},O1,3,lb,2\n" for number in range(3, 8))
    add(
        any_source,
        "shipment_lines",
        "shipment_id,shipment_line_no,order_id,line_no,unit,shipped_qty\nS1,1,O1,1,piece,12\nS1,2,O1,2,piece,7\n"
        + parts
        + "S1,8,O1,4,oz,16\nS1,9,O1,5,piece,12\n",
    )
    any_source.take_in()
    with reading(any_source.location) as connection:
        lines = rows(connection, "order_lines")
        assert [str(row["ordered_qty"]) for row in lines] == ["1.0000", "0.5833", "4.5359", "0.4536", "1.0000"]
        assert [row["unit_price_amount"] for row in lines][:2] == [Decimal("3.6"), Decimal("1.2")]
        assert broken(connection) == {("unit_factors", "rejected"): ["factor_is_given"]}
        assert connection.execute(select(order_facts_table.c.complete)).scalar_one() is True
        factor = next(row for row in rows(connection, "unit_factors") if row["unit"] == "piece")
        assert (factor["factor"], factor["numerator"], factor["denominator"]) == (Decimal("0.08333333"), 1, 12)


def test_r14_stored_versions_of_a_line_follow_a_corrected_factor(source: Source) -> None:
    """O1 orders one box, then three boxes. A box has 12 pieces at first, and 24 after the correction."""
    in_boxes(source).take_in()
    source.write("order_lines.csv", LINES.replace("O1,1,P1,box,1", "O1,1,P1,box,3"))
    source.take_in()
    for factor, expected in ((12, [12, 36]), (24, [24, 72])):
        source.write("unit_factors.csv", f"product_id,unit,valid_from,factor\nP1,box,2026-01-01,{factor}\n")
        source.take_in()
        with reading(source.location) as connection:
            stored = connection.scalars(select(restated_quantities.c.after_qty).order_by(restated_quantities.c.run_id))
            assert stored.all() == expected
