"""A small source on disk: four CSV files and a mapping. Tests change them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from ingest.pipeline import run
from ingest.runs.report import RunReport
from metrics.schema import FEEDS, quarantine, run_files
from metrics.warehouse import Location

NOW = datetime(2026, 6, 1)

ORDERS = "no,customer,placed,promised\nO1,C1,2026-03-02T10:00:00,2026-03-10\nO2,C2,2026-03-03,2026-03-10\n"
LINES = "no,pos,item,qty\nO1,1,P1,10\nO1,2,P2,5\nO2,1,P1,7\n"
SHIPMENTS = "delivery,left,proof\nS1,2026-03-08,2026-03-09\nS2,2026-03-09,2026-03-11\n"
SHIPMENT_LINES = "delivery,item,no,pos,qty\nS1,1,O1,1,10\nS1,2,O1,2,5\nS2,1,O2,1,7\n"

COLUMNS: dict[str, dict[str, str]] = {
    "orders": {"order_id": '"no"', "customer_id": '"customer"', "ordered_at": '"placed"', "promised_by": '"promised"'},
    "order_lines": {"order_id": '"no"', "line_no": '"pos"', "product_id": '"item"', "ordered_qty": '"qty"'},
    "shipments": {"shipment_id": '"delivery"', "shipped_at": '"left"', "received_at": '"proof"'},
    "shipment_lines": {
        "shipment_id": '"delivery"',
        "shipment_line_no": '"item"',
        "order_id": '"no"',
        "line_no": '"pos"',
        "shipped_qty": '"qty"',
    },
}


@dataclass
class Source:
    """A folder with files and a mapping. `take_in` runs the mapping."""

    folder: Path
    location: Location
    columns: dict[str, dict[str, str]] = field(
        default_factory=lambda: {feed: dict(columns) for feed, columns in COLUMNS.items()}
    )
    origin: dict[str, str] = field(default_factory=dict)
    head: str = ""
    """Further lines for [source]."""
    zone: str = "Europe/Berlin"

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def write_all(self) -> Source:
        for name, content in (
            ("orders", ORDERS),
            ("order_lines", LINES),
            ("shipments", SHIPMENTS),
            ("shipment_lines", SHIPMENT_LINES),
        ):
            self.write(f"{name}.csv", content)
        return self

    def mapping(self) -> Path:
        parts = [f'[source]\nname = "test"\ntime_zone = "{self.zone}"\n{self.head}\n']
        for feed, columns in self.columns.items():
            listed = "\n".join(f"{column} = {value}" for column, value in columns.items())
            default = f'read = "{feed}.csv"'
            parts.append(f"[{feed}]\n{self.origin.get(feed, default)}\n[{feed}.columns]\n{listed}\n")
        return self.write("mapping.toml", "\n".join(parts))

    def take_in(self, **options: Any) -> RunReport:
        return run(self.mapping(), location=self.location, **{"now": NOW, **options})


def rows(connection: Connection, feed: str) -> list[dict[str, Any]]:
    """Return the loaded rows of a feed, by key, without provenance."""
    table = FEEDS[feed].table
    hidden = ("file_id", "row_no", "source")
    found = connection.execute(select(table).order_by(*(table.c[one] for one in FEEDS[feed].key))).mappings()
    return [{name: value for name, value in row.items() if name not in hidden} for row in found]


def everything(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every feed."""
    return {feed: rows(connection, feed) for feed in FEEDS}


def kept(connection: Connection) -> list[Any]:
    """Return the quarantine, in order."""
    return list(
        connection.execute(select(quarantine).order_by(quarantine.c.feed, quarantine.c.file_id, quarantine.c.row_no))
    )


def ledger(connection: Connection) -> dict[str, tuple[int, int, int, int]]:
    """Return rows_in, loaded, quarantined and superseded by file name, of the first time each file was read."""
    result: dict[str, tuple[int, int, int, int]] = {}
    for row in connection.execute(select(run_files).order_by(run_files.c.file_id)):
        result.setdefault(row.name, (row.rows_in, row.rows_loaded, row.rows_quarantined, row.rows_superseded))
    return result


def add(source: Source, feed: str, content: str, *, mapped: tuple[str, ...] | None = None) -> None:
    """Add a feed to the source: a CSV with canonical column names.

    mapped: the columns that the mapping names (default: all columns of the feed).
    """
    source.write(f"{feed}.csv", content)
    header = content.partition("\n")[0].split(",")
    source.columns[feed] = {one: f'"{one}"' for one in (mapped or header) if one in FEEDS[feed].table.c}


def with_invoices(source: Source, invoices: str = "", lines: str = "") -> None:
    add(source, "invoices", "invoice_id,invoiced_at\n" + invoices)
    add(source, "invoice_lines", "invoice_id,invoice_line_no,order_id,line_no,line_amount\n" + lines)
