"""`buyerview init` on one flat extract: a SELECT for each feed, hand-worked verdicts, the published AtliQ figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
import xlsxwriter

from ingest.inference.writing import mapping_text
from ingest.pipeline import run
from metrics.queries.answer import Question, answer
from metrics.warehouse import Location, reading
from tests.ingest.inference.counting import counted, proposed
from tests.ingest.mapping.test_examples import data

HEADER = (
    "Sales Order", "Line", "Customer No.", "Customer Name", "Segment", "Order Date", "Promised Date", "Item Code",
    "Item Description", "Ordered Qty", "Unit Price", "Delivery Note", "Ship Date", "Delivered On", "Delivered Qty",
    "Invoice No.", "Invoice Date", "Invoiced Qty", "Invoice Amount", "Sales Rep Mood",
)  # fmt: skip
ALPHA, BETA = ("C1", "Alpha", "A"), ("C2", "Beta", "B")
NONE: tuple[None, ...] = (None, None, None, None)


def on(day: int) -> date:
    return date(2026, 3, day)


ROWS: Sequence[tuple[object, ...]] = (
    ("SO1", 10, *ALPHA, on(2), on(10), "P1", "Bolt", 10, 2.5, "DN1", on(8), on(9), 10, "IN1", on(9), 10, 25, "ok"),
    # Two deliveries of one order line: 4 by the promise, the last one two days later.
    ("SO1", 20, *ALPHA, on(2), on(10), "P2", "Nut", 5, 1, "DN1", on(8), on(9), 4, "IN1", on(9), 5, 5, "meh"),
    ("SO1", 20, *ALPHA, on(2), on(10), "P2", "Nut", 5, 1, "DN2", on(11), on(12), 1, *NONE, "bad"),
    ("SO2", 10, *BETA, on(3), on(10), "P1", "Bolt", 7, 2.5, "DN3", on(9), on(11), 7, "IN2", on(12), 7, 17.5, "ok"),
    # Billed 4 nuts, 3 arrived.
    ("SO3", 10, *BETA, on(4), on(12), "P2", "Nut", 3, 1, "DN4", on(9), on(11), 3, "IN3", on(12), 4, 4, "ok"),
    ("SO4", 10, *ALPHA, on(5), on(13), "P1", "Bolt", 2, 2.5, *NONE, *NONE, "ok"),
)
TRUTH = {
    "orders": {"order_id": "Sales Order", "customer_id": "Customer No.", "ordered_at": "Order Date"},
    "order_lines": {
        "order_id": "Sales Order", "line_no": "Line", "product_id": "Item Code", "ordered_qty": "Ordered Qty",
        "unit_price_amount": "Unit Price", "promised_by": "Promised Date",
    },
    "shipments": {"shipment_id": "Delivery Note", "shipped_at": "Ship Date", "received_at": "Delivered On"},
    "shipment_lines": {
        "shipment_id": "Delivery Note", "order_id": "Sales Order", "line_no": "Line", "product_id": "Item Code",
        "shipped_qty": "Delivered Qty", "shipment_line_no": "shipment_line_no",
    },
    "invoices": {"invoice_id": "Invoice No.", "invoiced_at": "Invoice Date"},
    "invoice_lines": {
        "invoice_id": "Invoice No.", "order_id": "Sales Order", "line_no": "Line", "billed_qty": "Invoiced Qty",
        "line_amount": "Invoice Amount", "invoice_line_no": "invoice_line_no",
    },
    "customers": {"customer_id": "Customer No.", "name": "Customer Name", "service_segment": "Segment"},
    "products": {"product_id": "Item Code", "name": "Item Description"},
}  # fmt: skip


def write_workbook(path: Path) -> None:
    """Write the extract below a title row, with a totals row and another sheet."""
    with xlsxwriter.Workbook(path) as book:
        sheet, notes = book.add_worksheet("Report"), book.add_worksheet("Notes")
        notes.write(0, 0, "made by finance")
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write(0, 0, "Sales and deliveries 2026")
        sheet.write_row(2, 0, HEADER)
        for at, row in enumerate(ROWS, start=3):
            for place, value in enumerate(row):
                if isinstance(value, date):
                    sheet.write_datetime(at, place, value, day)
                elif value is not None:
                    sheet.write(at, place, value)
        sheet.write(3 + len(ROWS), 0, "Total")
        sheet.write(3 + len(ROWS), 9, 32)


@pytest.mark.long
def test_flat_workbook_is_mapped_to_eight_feeds_with_the_expected_verdicts(tmp_path: Path, location: Location) -> None:
    write_workbook(tmp_path / "Sales report.xlsx")
    result = counted(proposed(tmp_path), TRUTH)
    assert (result.wrong, result.asked, result.unmapped) == ([], [], [])
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(mapping_text(proposed(tmp_path, yes=True)), encoding="utf-8")
    report = run(mapping, location=location)
    assert {file.feed: (file.rows_in, file.rows_loaded) for file in report.files} == {
        "orders": (4, 4), "order_lines": (5, 5), "shipments": (4, 4), "shipment_lines": (5, 5), "invoices": (3, 3),
        "invoice_lines": (4, 4), "customers": (2, 2), "products": (2, 2),
    }  # fmt: skip
    with reading(location) as connection:
        verdicts = answer(connection, Question(measures=("on_time", "complete", "billed_accurately")))
    # SO1: a line arrived late, billed right. SO2: late, billed right. SO3: on time, billed wrong. SO4 is not due yet.
    assert {one.measure: (one.numerator, one.denominator) for one in verdicts} == {
        "on_time": (1, 3),
        "complete": (3, 3),
        "billed_accurately": (2, 3),
    }


@pytest.mark.long
def test_atliq_is_mapped_without_a_question_and_gives_the_published_figures(tmp_path: Path, location: Location) -> None:
    folder = data("atliq")
    truth = {
        "orders": {"order_id": "order_id", "customer_id": "customer_id", "ordered_at": "order_placement_date"},
        "order_lines": {
            "order_id": "order_id", "line_no": "line_no", "product_id": "product_id", "ordered_qty": "order_qty",
            "promised_by": "agreed_delivery_date",
        },
        "shipments": {"shipment_id": "shipment_id", "received_at": "actual_delivery_date"},
        "shipment_lines": {
            "shipment_id": "shipment_id", "shipment_line_no": "shipment_line_no", "order_id": "order_id",
            "line_no": "line_no", "product_id": "product_id", "shipped_qty": "delivery_qty",
        },
        "customers": {"customer_id": "customer_id", "name": "customer_name", "city": "city"},
        "products": {"product_id": "product_id", "name": "product_name", "category": "category"},
    }  # fmt: skip
    proposal = proposed(folder)
    result = counted(proposal, truth)
    assert (result.wrong, result.asked, result.unmapped) == ([], [], [])
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(mapping_text(proposal), encoding="utf-8")
    run(mapping, data_dir=folder, location=location)
    with reading(location) as connection:
        verdicts = answer(connection, Question(measures=("on_time", "complete", "otif", "line_fill_final")))
    assert {one.measure: (one.numerator, one.denominator) for one in verdicts} == {
        "on_time": (18730, 31729),
        "complete": (16747, 31729),
        "otif": (9208, 31729),
        "line_fill_final": (37661, 57096),
    }


def test_missing_feeds_of_a_folder_with_unrelated_files_are_listed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Call Anna about the price list.\nThen lunch.\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "people.csv").write_text("employee_id,birth_date,title\n1,1948-12-08,Ms\n2,1952-02-19,Dr\n")
    (tmp_path / "states.csv").write_text("state_id,state_name\n1,Alabama\n2,Alaska\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "orders.csv").write_text("order_id,customer,colour\nO1,C1,red\nO2,C2,blue\n")
    proposal = proposed(tmp_path, yes=True)
    assert proposal.feeds == {}
    assert list(proposal.lacking()) == ["orders", "order_lines", "shipments", "shipment_lines"]
    assert proposal.unused["orders.csv"] == "named like orders, but it has no ordered_at"
    assert set(proposal.unused) == {
        "notes.txt", "empty.csv", "people.csv", "states.csv", "picture.png", "orders.csv"
    }  # fmt: skip
