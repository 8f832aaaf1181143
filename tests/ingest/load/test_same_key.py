"""I7: one key twice in one file. Equal records are repeats, different ones need a declaration. R33 (duplicates)."""

import json
from decimal import Decimal

import pytest
from sqlalchemy import select

from ingest.errors import MappingRefused, SourceRefused
from metrics.lists.data_quality import warnings
from metrics.schema import orders, shipment_lines
from metrics.warehouse import reading
from tests.ingest.files import Source, kept, ledger, rows

TWICE = (
    "no,customer,placed,promised,cancelled,by\n"
    "O1,C1,2026-03-02T10:00:00,2026-03-10,2026-03-05,buyer\n"
    "O1,C1,2026-03-02T10:00:00,2026-03-10,2026-03-05,buyer\n"
    "O2,C2,2026-03-03,2026-03-10,2026-03-05,buyer\n"
    "O2,,2026-03-03,2026-03-10,,\n"
)
PALLETS = (
    "delivery,item,no,pos,qty\nS1,1,O1,1,6\nS1,1,O1,1,4\nS1,1,O1,1,4\nS1,2,O1,2,5\nS2,1,O2,1,3\nS2,1,O2,2,4\n"
    "S2,2,O2,1,2\nS2,2,O2,1,x\nS2,3,O2,1,1\nS2,3,O2,1,1\n"
)


def repeat_orders(source: Source, keys: str = "") -> None:
    source.write("orders.csv", TWICE)
    source.columns["orders"].update(cancelled_at='"cancelled"', cancelled_by='"by"')
    source.origin["orders"] = f'read = "orders.csv"\n{keys}'


def test_i7_later_record_of_a_repeated_key_is_loaded_with_a_warning_by_default(any_source: Source) -> None:
    any_source.write("orders.csv", TWICE.replace("O2,,", "O2,C2,"))
    any_source.columns["orders"].update(cancelled_at='"cancelled"', cancelled_by='"by"')
    report = any_source.take_in()
    (warning,) = report.warnings
    assert (warning.feed, warning.code, warning.rows, warning.object_name) == (
        "orders", "same_key_differs", 1, "orders.csv",
    )  # fmt: skip
    assert "1 key occurs more than once in orders.csv" in warning.message
    assert "order_id O2: records 3 and 4 differ in cancelled_at, cancelled_by" in warning.message
    assert json.loads(json.dumps(report.to_json(), default=str))["warnings"][0]["code"] == "same_key_differs"
    with reading(any_source.location) as connection:
        assert [row["message"] for row in warnings(connection)] == [warning.message]
        assert connection.execute(select(orders.c.cancelled_by).order_by(orders.c.order_id)).scalars().all() == [
            "buyer",
            None,
        ]
    any_source.write("orders.csv", TWICE.replace("O2,,2026-03-03,2026-03-10,,\n", ""))
    assert any_source.take_in().warnings == ()
    with reading(any_source.location) as connection:
        assert warnings(connection) == [], "the file was read again, and its records no longer differ"


def test_i7_first_filled_takes_the_first_value_of_each_column(any_source: Source) -> None:
    repeat_orders(any_source, 'same_key = "first_filled"')
    assert any_source.take_in().warnings == ()
    with reading(any_source.location) as connection:
        row = rows(connection, "orders")[1]
        assert (row["customer_id"], row["cancelled_by"], row["cancelled_at_is_date"]) == ("C2", "buyer", True)
        assert ledger(connection)["orders.csv"] == (4, 2, 0, 2)
        assert kept(connection) == []


def test_i7_sum_adds_quantities_of_distinct_records_and_rejects_records_that_cannot_be_added(
    any_source: Source,
) -> None:
    """S1/1: 6 + 4 = 10, the repeat of 4 is not added. S2/1 names two order lines; S2/2 has an unreadable quantity.

    S2/3 is twice the same record: it counts once, with a warning.
    """
    any_source.write("shipment_lines.csv", PALLETS)
    any_source.origin["shipment_lines"] = 'read = "shipment_lines.csv"\nsame_key = "sum"'
    report = any_source.take_in()
    assert [(one.code, one.rows) for one in report.warnings] == [("equal_records_not_added", 2)]
    with reading(any_source.location) as connection:
        loaded = connection.execute(
            select(shipment_lines.c.shipment_line_no, shipment_lines.c.shipped_qty).order_by(
                shipment_lines.c.shipment_line_no
            )
        )
        assert [tuple(row) for row in loaded] == [("1", Decimal(10)), ("2", Decimal(5)), ("3", Decimal(1))]
        assert ledger(connection)["shipment_lines.csv"] == (10, 3, 4, 3)
        assert {rule["rule"] for one in kept(connection) for rule in json.loads(one.rules)} == {
            "same_key_adds_up",
            "shipped_qty_fits_type",
        }


def test_i7_refuse_rejects_the_file_and_last_loads_it_without_a_warning(source: Source) -> None:
    repeat_orders(source, 'same_key = "refuse"')
    source.write("orders.csv", TWICE.replace("O2,,", "O2,C2,"))
    with pytest.raises(SourceRefused, match=r"orders.csv, orders: 1 key occurs more than once.*order_id O2"):
        source.take_in()
    source.origin["orders"] = 'read = "orders.csv"\nsame_key = "last"'
    assert source.take_in().warnings == ()


@pytest.mark.long
def test_i7_versions_of_one_key_cause_no_warning(source: Source) -> None:
    source.write(
        "orders.csv",
        "no,customer,placed,promised,changed\nO1,C1,2026-03-02,2026-03-10,2026-03-02\nO1,C1,2026-03-02,2026-03-12,"
        "2026-03-04\nO2,C2,2026-03-03,2026-03-10,2026-03-03\n",
    )
    source.columns["orders"]["source_updated_at"] = '"changed"'
    assert source.take_in().warnings == ()


@pytest.mark.long
def test_i7_fill_down_carries_a_value_to_the_records_below_it(source: Source) -> None:
    """A block ends at a value that does not fit and at a record that cannot be read: O3's lines stay unknown."""
    source.write(
        "order_lines.csv",
        "no,pos,item,qty,due\nO1,1,P1,10,2026-03-09\n,2,P2,5,\nO2,1,P1,7,soon\n,2,P2,1,\nO3\n,3,P3,2,\n",
    )
    source.columns["order_lines"]["promised_by"] = '"due"'
    source.origin["order_lines"] = 'read = "order_lines.csv"\nfill_down = ["order_id", "due"]'
    source.take_in()
    with reading(source.location) as connection:
        lines = [
            (row["order_id"], row["line_no"], str(row["promised_by"])[:10]) for row in rows(connection, "order_lines")
        ]
        assert lines == [("O1", "1", "2026-03-09"), ("O1", "2", "2026-03-09"), ("O2", "2", "None")]
        assert [one.row_no for one in kept(connection) if one.feed == "order_lines"] == [3, 5, 6]
    source.origin["order_lines"] = 'read = "order_lines.csv"\nfill_down = ["order_no"]'
    with pytest.raises(
        MappingRefused, match=r'order_lines.fill_down: .order_no. is not a mapped column; did you mean "order_id"'
    ):
        source.take_in()
