"""Receipts above the notified quantity: they are loaded, and the run warns of them. Source: R9 (over-delivery)."""

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from ingest.storage.run_warnings import RunWarning
from metrics.schema import shipment_lines


def find_excess_receipts(connection: Connection, source: str) -> Iterator[RunWarning]:
    """Yield a warning if loaded shipment lines of the source received more than was shipped by their notice."""
    line = shipment_lines.c
    above = (line.source == source, ~line.deleted, line.received_qty > line.shipped_qty)
    rows = connection.scalar(select(func.count()).select_from(shipment_lines).where(*above)) or 0
    if rows:
        first = connection.execute(
            select(line.shipment_id, line.shipment_line_no, line.received_qty, line.shipped_qty)
            .where(*above)
            .order_by(line.shipment_id, line.shipment_line_no)
            .limit(1)
        ).one()
        message = (
            f"{rows:,} {'record' if rows == 1 else 'records'} received more than shipped_qty, for example shipment_id "
            f"{first.shipment_id}, shipment_line_no {first.shipment_line_no}: {first.received_qty.normalize():f} of "
            f"{first.shipped_qty.normalize():f}. They are loaded, and the received quantity counts. "
            "Check received_qty, or the quantity of the notice."
        )
        yield RunWarning("shipment_lines", "received_above_notified", message, rows=rows, column="received_qty")
