"""Tables that only ingest uses, in the same warehouse and transaction as the feeds.

They contain waiting rows, originals of converted rows, objects read before, and cursors of incremental pulls.
"""

from sqlalchemy import BigInteger, Column, Connection, DateTime, MetaData, String, Table, Text

from metrics.errors import SettingRefused
from metrics.schema import FEEDS, orders
from metrics.warehouse import missing_columns
from metrics.warehouse.lake_tables import is_view

metadata = MetaData()

WAITING_FEEDS = (
    "order_lines",
    "shipment_lines",
    "invoices",
    "invoice_lines",
    "promises",
    "holds",
    "order_events",
    "payments",
    "quotes",
    "quote_options",
    "messages",
    "service_cases",
    "returns",
    "service_costs",
)
"""Feeds with cross-row rules that later rows may satisfy. Every later run checks the rows that break one."""
CONVERTED_FEEDS = ("order_lines", "shipment_lines", "invoice_lines")
"""Feeds whose rows may name a unit."""


def _like(feed: str, prefix: str, comment: str) -> Table:
    columns = [
        Column(column.name, column.type, nullable=True, comment=column.comment) for column in FEEDS[feed].table.columns
    ]
    return Table(f"{prefix}_{feed}", metadata, *columns, comment=comment)


waiting: dict[str, Table] = {
    feed: _like(
        feed,
        "waiting",
        f"one row: one typed row of {feed}, in its own unit, kept out by a cross-row rule; its record is in quarantine",
    )
    for feed in WAITING_FEEDS
}

original_rows: dict[str, Table] = {
    feed: _like(
        feed,
        "as_sent",
        f"one row: one row of {feed} as it came, in its own unit; the feed's table has it converted (R12)",
    )
    for feed in CONVERTED_FEEDS
}

rows_read = Table(
    "taken_objects",
    metadata,
    Column("source", String, nullable=False, comment="name of the mapping"),
    Column("feed", String, nullable=False),
    Column("sha256", String, nullable=False, comment="of the object's content"),
    Column("mapping", String, nullable=False, comment="SHA-256 of the feed's part of the mapping it was read with"),
    Column("file_id", BigInteger, nullable=False, comment="run_files.file_id"),
    comment="one row: one object one feed has taken; the same content under the same mapping is not taken again",
)

cursors = Table(
    "cursors",
    metadata,
    Column("source", String, nullable=False, comment="name of the mapping"),
    Column("feed", String, nullable=False),
    Column("column_name", String, comment="the cursor column; null in rows of earlier versions"),
    Column("kind", String, nullable=False, comment="type of the value: datetime, date, int, decimal, bytes, text ..."),
    Column(
        "value",
        Text,
        nullable=False,
        comment="highest value of the cursor column seen, bound as :cursor in the next run",
    ),
    comment="one row: how far the incremental pulls of one feed have come",
)


clock_rejections = Table(
    "clock_rejections",
    metadata,
    Column("file_id", BigInteger, nullable=False, comment="run_files.file_id"),
    Column("source", String, nullable=False, comment="name of the mapping"),
    Column("feed", String, nullable=False),
    Column("name", String, nullable=False, comment="of the object"),
    Column("retry_from", DateTime, nullable=False, comment="UTC; the end of the data from which a record may pass"),
    Column("cursor_kind", String, comment="type of the cursor the object was pulled from"),
    Column("cursor_value", Text, comment="that cursor; a later run pulls from there again"),
    comment="one row: one object with records that were rejected because they had not happened yet",
)


def create_tables(connection: Connection) -> None:
    """Create the missing tables and columns. Raises SettingRefused if another tool fills the canonical tables."""
    if connection.dialect.name == "duckdb" and is_view(connection, orders):
        why = "another tool fills its lake. Run `buyerview build`, or choose another folder for this run."
        raise SettingRefused("BUYERVIEW_HOME", why)
    missing_columns.create_tables(connection, metadata)
