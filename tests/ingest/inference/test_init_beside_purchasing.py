"""`buyerview init` on a whole ERP: purchases look like sales, and may never be mapped as such."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.ingest.inference.counting import proposed


def write(folder: Path, name: str, header: str, rows: Iterable[tuple[object, ...]]) -> None:
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def day(month: int, number: int) -> str:
    return f"2026-{month:02}-{number % 9 + 1:02}"


def write_purchases(folder: Path) -> None:
    write(
        folder, "purchase_orders", "order_no,supplier,buyer,order_date,expected_date,status",
        ((f"PO{i}", f"V{i % 7}", f"B{i % 3}", day(1, i), day(2, i), "open") for i in range(60)),
    )  # fmt: skip
    write(
        folder, "purchase_order_lines", "order_no,line,item,quantity,price",
        ((f"PO{i}", j + 1, f"R{j}", 3, 2.5) for i in range(60) for j in range(3)),
    )  # fmt: skip
    write(
        folder,
        "goods_receipts",
        "receipt_no,order_no,receipt_date",
        ((f"GR{i}", f"PO{i}", day(2, i)) for i in range(50)),
    )
    write(
        folder, "suppliers", "supplier,name,city,terms", ((f"V{i}", f"Vendor {i}", "Bonn", "30 days") for i in range(7))
    )


def write_sales(folder: Path) -> None:
    write(
        folder, "sales_orders", "order_no,customer,order_date,due_date,order_status,order_total,salesperson",
        ((f"SO{i}", f"C{i % 11}", day(1, i), day(2, i), "open", 99.5 + i, "Ann") for i in range(70)),
    )  # fmt: skip
    write(
        folder, "sales_order_lines", "order_no,line,item,quantity,price,reserved_qty,warehouse",
        ((f"SO{i}", j + 1, f"P{j}", 4, 12.5, 4, "W1") for i in range(70) for j in range(2)),
    )  # fmt: skip
    write(
        folder, "deliveries", "delivery_no,order_no,delivery_date,carrier,weight",
        ((f"D{i}", f"SO{i}", day(2, i), "DHL", 4.2) for i in range(60)),
    )  # fmt: skip
    write(
        folder, "delivery_lines", "delivery_no,line,order_no,order_line,item,quantity,batch",
        ((f"D{i}", j + 1, f"SO{i}", j + 1, f"P{j}", 4, "L1") for i in range(60) for j in range(2)),
    )  # fmt: skip
    write(folder, "stock_levels", "item,quantity,location,updated", ((f"P{j}", j, "W1", day(2, j)) for j in range(30)))
    write(
        folder, "picks", "pick_no,order_no,line,picked_qty,picked_at",
        ((f"PK{i}", f"SO{i}", 1, 4, day(2, i)) for i in range(60)),
    )  # fmt: skip


def test_sales_are_mapped_and_two_dates_are_questions(tmp_path: Path) -> None:
    write_purchases(tmp_path)
    write_sales(tmp_path)
    proposal = proposed(tmp_path)
    mapped = {
        feed: {target: column.source for target, column in one.columns.items()} for feed, one in proposal.feeds.items()
    }
    assert mapped == {
        "orders": {"order_id": "order_no", "customer_id": "customer", "ordered_at": "order_date"},
        "order_lines": {
            "order_id": "order_no", "line_no": "line", "product_id": "item", "ordered_qty": "quantity",
            "unit_price_amount": "price",
        },
        "shipments": {"shipment_id": "delivery_no", "carrier": "carrier"},
        "shipment_lines": {
            "shipment_id": "delivery_no", "shipment_line_no": "line", "order_id": "order_no", "line_no": "order_line",
            "product_id": "item", "shipped_qty": "quantity",
        },
    }  # fmt: skip
    assert {feed: one.table for feed, one in proposal.feeds.items()}["orders"] == "sales_orders.csv"
    assert [question.key for question in proposal.questions] == ["orders: due_date", "shipments: delivery_date"]
    assert proposal.unused["purchase_orders.csv"] == "its records are purchases, not sales"


@pytest.mark.long
def test_purchases_alone_are_no_orders(tmp_path: Path) -> None:
    write_purchases(tmp_path)
    assert proposed(tmp_path, yes=True).feeds == {}
