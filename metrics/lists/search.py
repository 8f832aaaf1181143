"""Search for an order, a customer or a product by its number or the beginning of its name.

Every condition is a range of text, so that an index or the order of a file can serve it. Nothing searches inside words.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select, union_all

from metrics.facts.orders import order_facts_table
from metrics.schema import customers, products

ORDER, CUSTOMER, PRODUCT = "order", "customer", "product"
LAST_CHARACTER = "\U0010ffff"
"""Sorts after every other character on both kinds of warehouse."""


@dataclass(frozen=True)
class Match:
    """An order, customer or product. `name` is its second line: the customer of an order, else its name."""

    kind: str
    key: str
    name: str


def search(connection: Connection, text: str, *, limit: int = 6) -> list[Match]:
    """Return orders, customers and products whose number or name begins with a text: `limit` of each kind at most.

    An exact number comes first in its kind. Numbers match as typed or in capitals; names match in any case.
    """
    text = text.strip()
    if not text:
        return []
    facts = order_facts_table.c
    return [
        *_matches(connection, ORDER, _by_key(facts.order_id, facts.customer_name, text, limit)),
        *_matches(connection, CUSTOMER, _by_key_or_name(customers, "customer_id", text, limit)),
        *_matches(connection, PRODUCT, _by_key_or_name(products, "product_id", text, limit)),
    ]


def _matches(connection: Connection, kind: str, found: Select[str, str]) -> list[Match]:
    return [Match(kind, str(key), str(name or "")) for key, name in connection.execute(found)]


def _begins(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    return column.between(text, text + LAST_CHARACTER)


def _by_key(key: ColumnElement[str], name: ColumnElement[str], text: str, limit: int) -> Select[str, str]:
    spellings = dict.fromkeys((text, text.upper()))
    parts = [
        select(key.label("key"), name.label("name")).where(_begins(key, one)).order_by(key).limit(limit).subquery()
        for one in spellings
    ]
    found = union_all(*[select(part) for part in parts]).subquery()
    return select(found.c.key, found.c.name).distinct().order_by(found.c.key).limit(limit)


def _by_key_or_name(table: Table, key_name: str, text: str, limit: int) -> Select[str, str]:
    """Return the SELECT of a table with versions, one row per key."""
    key, name, alive = table.c[key_name], table.c.name, table.c.deleted.is_(False)
    ways = [
        *[_begins(key, one) for one in dict.fromkeys((text, text.upper()))],
        _begins(func.lower(name), text.lower()),
    ]
    parts = [select(key.label("key"), name.label("name")).where(alive, way) for way in ways]
    found = union_all(*parts).subquery()
    one = select(found.c.key, func.max(found.c.name).label("name")).group_by(found.c.key)
    return one.order_by(found.c.key).limit(limit)
