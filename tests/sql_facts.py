"""Records put through the real SQL: load them into canonical tables, fill `local_days`, and ask the facts under any policy."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert

from metrics.facts import order_facts, order_line_facts
from metrics.policy import Policy
from metrics.rebuild import refresh_local_days
from metrics.schema import FEEDS, metadata

Facts = tuple[dict[tuple[str, str], dict[str, Any]], dict[str, dict[str, Any]]]


def load(connection: Connection, records: Mapping[str, list[dict[str, Any]]]) -> None:
    """Replace whatever the canonical tables hold by these records."""
    metadata.create_all(connection)
    for name, feed in FEEDS.items():
        connection.execute(delete(feed.table))
        if rows := records.get(name):
            connection.execute(insert(feed.table), rows)
    refresh_local_days(connection)


def ask(connection: Connection, policy: Mapping[str, Any], as_of: datetime, mapped: frozenset[str]) -> Facts:
    """Line facts by (order_id, line_no) and order facts by order_id, of what is loaded."""
    judged_by = Policy(**policy)
    lines = connection.execute(order_line_facts(judged_by, as_of, mapped)).mappings()
    by_line = {(row["order_id"], row["line_no"]): dict(row) for row in lines}
    orders = connection.execute(order_facts(judged_by, as_of, mapped)).mappings()
    return by_line, {row["order_id"]: dict(row) for row in orders}
