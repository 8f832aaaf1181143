"""Worlds for the comparison of the SQL with the reference implementation, and their loading into a database."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import pyarrow as pa
from sqlalchemy import BigInteger, Boolean, Connection, Date, DateTime, Integer, Numeric, Table, delete, insert

from metrics.sql.dialects import analyze
from tests.reference.draws import drawn
from tests.reference.random_orders import populated
from tests.reference.random_worlds import World, worlds
from tests.support.all_builders import MAKERS
from tests.support.builders import Records, everything
from tests.support.rule_cases import judged_alike
from tests.support.sql_facts import TABLES, refresh_with_quarantine

WORLDS = 12

HISTORIES = int(os.environ.get("HISTORIES", "500"))

MANY = "HISTORIES" in os.environ

FEW_WORLDS = 2
"""Random worlds of the usual run. All worlds are in the long run."""

SEED = int(os.environ.get("SEED", "1"))

KNOWN_TO_ALL = ("customers", "products", "unit_factors", "policies", "fx_rates", "service_packages", "calendars")
"""Feeds that do not belong to one order."""


def load(connection: Connection, records: Records, as_of: datetime) -> None:
    """Replace the rows of the database with these records, and derive the orders in quarantine at `as_of`."""
    for feed, table in TABLES.items():
        connection.execute(delete(table))
        rows = records.get(feed, [])
        if rows and connection.dialect.name == "duckdb":
            duckdb = connection.connection.driver_connection
            assert duckdb is not None
            duckdb.register("drawn", as_arrow(table, rows))
            duckdb.execute(f"insert into {feed} by name select * from drawn")  # executemany takes a millisecond per row
            duckdb.unregister("drawn")
        elif rows:
            connection.execute(insert(table), rows)
    refresh_with_quarantine(connection, as_of)
    analyze(connection, *TABLES.values())


def as_arrow(table: Table, rows: list[dict[str, Any]]) -> pa.Table:
    """Return the rows as an Arrow table with the column types of the SQL table."""
    kinds = {
        Numeric: None,
        DateTime: pa.timestamp("us"),
        Date: pa.date32(),
        Boolean: pa.bool_(),
        BigInteger: pa.int64(),
        Integer: pa.int64(),
    }
    arrays = {}
    for column in table.columns:
        kind = next((arrow for sql, arrow in kinds.items() if isinstance(column.type, sql)), pa.string())
        if kind is None:
            kind = pa.decimal128(18, getattr(column.type, "scale", 0))
        arrays[column.name] = pa.array([row[column.name] for row in rows], kind)
    return pa.table(arrays)


def explain(world: World, differences: list[str]) -> str:
    """Return the first difference with all rows of its order, so that it can become a test case."""
    order_id = differences[0].split(":")[0].strip("(' ").split("'")[0]
    shown = [
        f"{len(differences)} differences; the first: {differences[0]}",
        f"policy {dict(world.policy)} as_of {world.as_of}",
    ]
    absent = sorted(everything(*MAKERS) - world.mapped)
    shown.append(f"not mapped: {absent}")
    for feed in TABLES:
        for row in world.records.get(feed, []):
            own = row.get("order_id") == order_id or str(row.get("shipment_id", row.get("invoice_id"))).startswith(
                f"{order_id}-"
            )
            if own or feed in KNOWN_TO_ALL:
                values = {
                    name: str(value)
                    for name, value in row.items()
                    if value is not None and name not in ("source", "file_id", "row_no")
                }
                shown.append(f"{feed}: {values}")
    return "\n".join(shown)


def worlds_of_the_cases() -> list[World]:
    """Return the worked examples. Examples with equal inputs share a world."""
    return [
        World(whole.as_of.date(), whole.records, whole.policy, whole.as_of, whole.mapped) for whole, _ in judged_alike()
    ]


def strict_worlds_of_the_cases(at_least: int = 0, at_most: int | None = None) -> list[World]:
    """Return the worked examples by `as_of` and mapped columns, with the strict policy for all.

    at_least, at_most: return only worlds with such a number of orders.
    """
    by_inputs: dict[Any, World] = {}
    for world in worlds_of_the_cases():
        records = by_inputs.setdefault(
            (world.as_of, world.mapped), replace(world, records={feed: [] for feed in TABLES}, policy={})
        ).records
        for feed, rows in world.records.items():
            records[feed].extend(rows)
    sizes = {inputs: len(world.records["orders"]) for inputs, world in by_inputs.items()}
    return [
        world
        for inputs, world in by_inputs.items()
        if at_least <= sizes[inputs] and (at_most is None or sizes[inputs] <= at_most)
    ]


def compare(
    connection: Connection, worlds_to_compare: Iterable[World], differ: Callable[[Connection, World], list[str]]
) -> None:
    for world in worlds_to_compare:
        differences = differ(connection, world)
        assert not differences, explain(world, differences)


def drawn_worlds(number: int, size: int) -> list[World]:
    """Return random worlds, each with this number of random orders."""
    return [drawn_world(start, size) for start in range(SEED * 10_000, SEED * 10_000 + number)]


def many_worlds(number: int, size: int) -> Iterator[World]:
    """Yield random worlds of this size, or those of HISTORIES: worlds of about 830 orders, the same for each test.

    A query on 830 orders takes hardly longer than on 40. Few worlds draw few policies, so there are at least twelve.
    """
    if MANY:
        number = max(WORLDS, HISTORIES // 830)
        size = -(-HISTORIES // number)
    return (drawn_world(start, size) for start in range(SEED * 10_000, SEED * 10_000 + number))


@cache  # drawing takes as long as judging, and tests of both engines compare the same worlds
def drawn_world(start: int, size: int) -> World:
    return populated(drawn(worlds(), 1, start=start)[0], size, start=start)
