"""Tables only ingest keeps, in the same warehouse and transaction as the feeds.

What waits for its parent, what was taken before, how far incremental pulls went.
"""

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, Text

from metrics.schema import FEEDS

metadata = MetaData()

WAITING_FEEDS = ("order_lines", "shipment_lines", "invoices", "invoice_lines")
"""Feeds whose rows may wait for a row of another one."""


def _like(feed: str, prefix: str, comment: str) -> Table:
    columns = [Column(column.name, column.type, nullable=True, comment=column.comment) for column in FEEDS[feed].table.columns]
    return Table(f"{prefix}_{feed}", metadata, *columns, comment=comment)


waiting: dict[str, Table] = {
    feed: _like(feed, "waiting", f"one row: one typed row of {feed} that waits for its parent; its record is in quarantine") for feed in WAITING_FEEDS
}

taken = Table(
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
    Column("kind", String, nullable=False, comment="datetime, int or text"),
    Column("value", Text, nullable=False, comment="highest value of the cursor column seen, bound as :cursor in the next run"),
    comment="one row: how far the incremental pulls of one feed have come",
)


def create_tables(connection: Connection) -> None:
    """Create those that are not there yet."""
    metadata.create_all(connection)
