"""`buyerview init` finds the same mapping in the same records, whatever kind of file brings them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import xlsxwriter

from tests.ingest.inference.counting import proposed

TABLES = {
    "orders": "order_no,customer,order_date,promised\nO1,C1,2026-03-02,2026-03-10\nO2,C2,2026-03-03,2026-03-10\n"
    "O3,C1,2026-03-04,2026-03-12\n",
    "order_lines": "order_no,line,product,quantity\nO1,1,P1,10\nO1,2,P2,5\nO2,1,P1,7\nO3,1,P2,3\n",
    "shipments": "shipment_no,shipped,received\nS1,2026-03-08,2026-03-09\nS2,2026-03-09,2026-03-11\n"
    "S3,2026-03-10,2026-03-11\n",
    "shipment_lines": "shipment_no,shipment_line,order_no,line,quantity\n"
    "S1,7,O1,1,10\nS1,8,O1,2,5\nS2,9,O2,1,7\nS3,7,O3,1,3\n",
}
MAPPED = {
    "orders": {
        "order_id": "order_no", "customer_id": "customer", "ordered_at": "order_date", "promised_by": "promised",
    },
    "order_lines": {"order_id": "order_no", "line_no": "line", "product_id": "product", "ordered_qty": "quantity"},
    "shipments": {"shipment_id": "shipment_no", "shipped_at": "shipped", "received_at": "received"},
    "shipment_lines": {
        "shipment_id": "shipment_no", "shipment_line_no": "shipment_line", "order_id": "order_no", "line_no": "line",
        "shipped_qty": "quantity",
    },
}  # fmt: skip


def records(text: str) -> list[dict[str, object]]:
    """Return the records with whole numbers as numbers."""
    rows = csv.DictReader(io.StringIO(text))
    return [{name: int(cell) if cell.isdecimal() else cell for name, cell in row.items()} for row in rows]


def as_gzip(folder: Path) -> None:
    for name, text in TABLES.items():
        (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))


def as_json(folder: Path) -> None:
    for name, text in TABLES.items():
        (folder / f"{name}.json").write_text(json.dumps(records(text)))


def as_parquet(folder: Path) -> None:
    for name, text in TABLES.items():
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records(text)), folder / f"{name}.parquet")


def as_sheets(folder: Path) -> None:
    with xlsxwriter.Workbook(folder / "export.xlsx") as book:
        for name, text in TABLES.items():
            sheet = book.add_worksheet(name)
            rows = records(text)
            for at, row in enumerate([list(rows[0]), *(list(row.values()) for row in rows)]):
                sheet.write_row(at, 0, row)


def as_parts(folder: Path) -> None:
    """Two files per feed, with the month in their names."""
    for name, text in TABLES.items():
        header, *lines = text.splitlines()
        for part, kept in (("2026-02", lines[:1]), ("2026-03", lines[1:])):
            (folder / f"{name}_{part}.csv").write_text("\n".join([header, *kept]) + "\n")


@pytest.mark.every_run("as_sheets", "as_gzip")
@pytest.mark.parametrize("write", [as_gzip, as_json, as_parquet, as_sheets, as_parts])
def test_same_records_get_the_same_mapping_in_every_file_format(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path)
    proposal = proposed(tmp_path)
    mapped = {
        feed: {target: column.source for target, column in one.columns.items()} for feed, one in proposal.feeds.items()
    }
    assert mapped == MAPPED
    assert proposal.questions == ()
    read = proposal.feeds["orders"].origin
    if write is as_parts:
        assert read["read"] == ["orders_*.csv"]
    if write is as_sheets:
        assert read == {"read": ["export.xlsx"], "sheet": "orders"}
