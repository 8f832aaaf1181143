"""Load records into canonical tables, and build or query facts with the real SQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert

from metrics.facts.orders import order_facts, order_line_facts
from metrics.policy import Policy
from metrics.rebuild.rebuild import rebuild
from metrics.schema import FEEDS, mapped_columns, metadata, quarantine, restated_quantities
from metrics.sql.local_days import refresh_local_days
from tests.support.builders import Records, Row

Facts = tuple[dict[tuple[str, str], Row], dict[str, Row]]

TABLES = {name: feed.table for name, feed in FEEDS.items()} | {
    "quarantine": quarantine,
    "restated_quantities": restated_quantities,
}
"""Tables of records: the feeds, and the tables of ingest that judging reads."""


def load(connection: Connection, records: Records) -> None:
    """Replace the rows of the canonical tables with these records."""
    metadata.create_all(connection)
    for name, table in TABLES.items():
        connection.execute(delete(table))
        if rows := records.get(name):
            connection.execute(insert(table), rows)
    refresh_local_days(connection)


def build(connection: Connection, records: Records, as_of: datetime, mapped: frozenset[str]) -> None:
    """Load the records, store the mapped columns, and build facts and rollups.

    Then `metrics.queries.answer` can answer questions.
    """
    load(connection, records)
    connection.execute(delete(mapped_columns))
    pairs = [name.split(".") for name in sorted(mapped)]
    connection.execute(
        insert(mapped_columns), [{"source": "test", "feed": feed, "column_name": column} for feed, column in pairs]
    )
    rebuild(connection, as_of=as_of, touched=None)


def ask(connection: Connection, policy: Mapping[str, Any], as_of: datetime, mapped: frozenset[str]) -> Facts:
    """Return line facts by (order_id, line_no) and order facts by order_id, without storing them."""
    judged_by = Policy(**policy)
    lines = connection.execute(order_line_facts(judged_by, as_of, mapped)).mappings()
    by_line = {(row["order_id"], row["line_no"]): dict(row) for row in lines}
    orders = connection.execute(order_facts(judged_by, as_of, mapped)).mappings()
    return by_line, {row["order_id"]: dict(row) for row in orders}
