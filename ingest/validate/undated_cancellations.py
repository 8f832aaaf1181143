"""Cancellations without a date: they count as made when their record was last updated.

Without that time nobody knows whether the cancellation was in time, and the record goes to quarantine (row_rules.py).
Source: R13 (cancellations).
"""

from datetime import datetime

from ingest.mapping.mapping_file import FeedMap
from ingest.read.staging import staging_table
from ingest.storage.scratch_database import Connection, quoted, sql_literal

FEEDS = ("orders", "order_lines")


def undated(feed: str, feed_map: FeedMap) -> str | None:
    """Return the SQL condition that a staged row has a cancellation without a date. None: the feed has none.

    A cancelled quantity shows a cancellation, and so does a party that cancelled, unless the mapping gives it to all
    records.
    """
    if feed not in FEEDS:
        return None
    evidence = []
    by = feed_map.columns.get("cancelled_by")
    if feed == "order_lines" and "cancelled_qty" in feed_map.columns:
        evidence.append("cancelled_qty > 0")
    if by is not None and by.value is None:
        without_qty = " AND cancelled_qty IS NULL" if feed == "order_lines" else ""
        evidence.append(f"(cancelled_by IS NOT NULL{without_qty})")
    if not evidence:
        return None
    return f"(cancelled_at IS NULL AND ok_cancelled_at AND ({' OR '.join(evidence)}))"


def date_cancellations(connection: Connection, feed: str, feed_map: FeedMap, latest_event: datetime) -> int:
    """Give staged cancellations without a date the time of their record's last update. Return their number.

    latest_event: naive UTC; no event can be later.
    """
    condition = undated(feed, feed_map)
    if condition is None:
        return 0
    where = f"{condition} AND source_updated_at IS NOT NULL"
    table = quoted(staging_table(feed))
    (count,) = connection.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone() or (0,)
    if count:
        latest = f"TIMESTAMP {sql_literal(latest_event.isoformat(sep=' '))}"
        connection.execute(
            f"UPDATE {table} SET cancelled_at = least(source_updated_at, {latest}), cancelled_at_is_date = false "
            f"WHERE {where}"
        )
    return int(count)
