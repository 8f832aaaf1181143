"""Feed columns that a source maps."""

from sqlalchemy import Connection, and_, literal, not_, select

from metrics.facts.orders.receipts import buyer_collects
from metrics.schema import mapped_columns, orders
from metrics.warehouse.query_cache import cached_per_generation

RECEIVED_AT = "shipments.received_at"
SOURCE_OF_EDITS = "written in Buyerview"
"""The source name of saved edits."""
COLLECTED_BY = frozenset({"orders.delivery_term", "shipments.shipped_at"})


@cached_per_generation
def mapped(connection: Connection) -> frozenset[str]:
    """Return every "feed.column" that some source maps.

    Orders resolved in the dashboard become service cases, but they are no cases that buyers raised about their orders.
    If the buyer collects every order, shipped_at is the receipt, so received_at counts as mapped. Source: R2 (date of
    receipt).
    """
    c = mapped_columns.c
    resolutions = and_(c.source == SOURCE_OF_EDITS, c.feed == "service_cases", c.column_name == "order_id")
    found = connection.execute(select(c.feed, c.column_name).where(not_(resolutions)))
    known = frozenset(f"{feed}.{column}" for feed, column in found)
    if RECEIVED_AT not in known and known >= COLLECTED_BY and _all_collected(connection, known):
        return known | {RECEIVED_AT}
    return known


def _all_collected(connection: Connection, known: frozenset[str]) -> bool:
    """Return whether there are orders, and the buyer collects each of them."""
    collects = buyer_collects(orders.c.delivery_term, known)
    some, delivered = (
        connection.execute(select(literal(1)).select_from(orders).where(~orders.c.deleted, one).limit(1)).first()
        for one in (collects, ~collects)
    )
    return some is not None and delivered is None
