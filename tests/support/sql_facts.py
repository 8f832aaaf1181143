"""Load records into canonical tables, and build or query facts with the real SQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert

from metrics.facts.orders import in_quarantine, order_facts, order_line_facts
from metrics.policy import Policy
from metrics.rebuild.rebuild import rebuild
from metrics.schema import FEEDS, mapped_columns, metadata, quarantine, quarantine_values, restated_quantities
from metrics.sql.local_days import refresh_local_days
from tests.support.builders import Records, Row

Facts = tuple[dict[tuple[str, str], Row], dict[str, Row]]

TABLES = {name: feed.table for name, feed in FEEDS.items()} | {
    "quarantine": quarantine,
    "quarantine_values": quarantine_values,
    "restated_quantities": restated_quantities,
}
"""Tables of records: the feeds, and the tables of ingest that judging reads."""


LATER = datetime(2027, 1, 1)


def load(connection: Connection, records: Records, as_of: datetime = LATER) -> None:
    """Replace the rows of the canonical tables with these records.

    as_of: the day on which quarantined records without a date count.
    """
    _load_records(connection, records)
    refresh_with_quarantine(connection, as_of)


def _load_records(connection: Connection, records: Records) -> None:
    metadata.create_all(connection)
    for name, table in TABLES.items():
        connection.execute(delete(table))
        if rows := records.get(name):
            connection.execute(insert(table), rows)


def refresh_with_quarantine(connection: Connection, as_of: datetime) -> None:
    """Derive the orders in quarantine and the local days, as a rebuild does."""
    for table in in_quarantine.TABLES:
        table.create(connection, checkfirst=True)
    in_quarantine.refresh(connection, as_of).drop(connection)
    refresh_local_days(connection, more=(in_quarantine.orders_in_quarantine, in_quarantine.lines_in_quarantine))


def build(connection: Connection, records: Records, as_of: datetime, mapped: frozenset[str]) -> None:
    """Load the records, store the mapped columns, and build facts and rollups.

    Then `metrics.queries.answer` can answer questions.
    """
    _load_records(connection, records)
    connection.execute(delete(mapped_columns))
    pairs = [name.split(".") for name in sorted(mapped)]
    connection.execute(
        insert(mapped_columns), [{"source": "test", "feed": feed, "column_name": column} for feed, column in pairs]
    )
    rebuild(connection, as_of=as_of, touched=None)


def ask(
    connection: Connection, policy: Mapping[str, Any], as_of: datetime, mapped: frozenset[str], *, lines: bool = True
) -> Facts:
    """Return line facts by (order_id, line_no) and order facts by order_id, without storing them.

    Without `lines` there are no line facts. Planning their statement takes half of the time.
    """
    judged_by = Policy(**policy)
    refresh_with_quarantine(connection, as_of)
    by_line = {}
    if lines:
        found = connection.execute(order_line_facts(judged_by, as_of, mapped)).mappings()
        by_line = {(row["order_id"], row["line_no"]): dict(row) for row in found}
    orders = connection.execute(order_facts(judged_by, as_of, mapped)).mappings()
    return by_line, {row["order_id"]: dict(row) for row in orders}
