"""Records put through the real SQL in an empty DuckDB, and measures asked of them: what a hand-worked case needs, in
one line.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Connection, Table, create_engine, select
from sqlalchemy.pool import StaticPool

from metrics.facts.registry import FACT_TABLES
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.rebuild import rebuild
from tests.support.builders import MAKERS, Row, everything, order, order_line, records, shipment, shipment_line
from tests.support.engines import memory
from tests.support.sql_facts import build

AS_OF = datetime(2026, 4, 30, 23, 59, 59, 999999)
"""The end of 30 April 2026, as in the rule book's examples."""
ALL = everything(*MAKERS)


@contextmanager
def built(
    as_of: datetime = AS_OF, *, mapped: frozenset[str] = ALL, url: str | None = None, **feeds: Iterable[Row]
) -> Iterator[Connection]:
    """A connection to the facts, ledgers and rollups of these records, judged at as_of; every column of every feed is
    mapped unless said.
    """
    engine = create_engine(url, poolclass=StaticPool) if url else memory()
    with engine.connect() as connection:
        build(connection, records(**feeds), as_of, mapped)
        yield connection
    engine.dispose()


def one(connection: Connection, measure: str, **question: Any) -> Answer:
    """The one answer to a question that is not broken down."""
    (found,) = answer(connection, Question((measure,), **question))
    return found


def halves(connection: Connection, measure: str, **question: Any) -> tuple[object, object]:
    """Numerator and denominator of the one answer."""
    found = one(connection, measure, **question)
    return found.numerator, found.denominator


def by(
    connection: Connection, measure: str, dimension: str, **question: Any
) -> dict[str | None, tuple[object, object]]:
    """Numerator and denominator of each value of a dimension."""
    return {
        found.dimensions[dimension]: (found.numerator, found.denominator)
        for found in answer(connection, Question((measure,), by=(dimension,), **question))
    }


def ledger(connection: Connection, table: Table, *key: str) -> dict[Any, dict[str, Any]]:
    """Rows of a ledger by its key (the bare value where the key is one column)."""
    rows = [dict(row) for row in connection.execute(select(table)).mappings()]
    return {row[key[0]] if len(key) == 1 else tuple(row[name] for name in key): row for row in rows}


def sale(
    order_id: str, *, received: str | None = None, notice: str | None = None, **values: object
) -> dict[str, list[Row]]:
    """An order of 100 promised for 10 March 2026, received on a day (or not at all)."""
    return {
        "orders": [order(order_id=order_id, **values)],
        "order_lines": [order_line(order_id=order_id)],
        "shipments": [
            shipment(shipment_id=order_id, shipped_at="2026-03-02", received_at=received, notice_sent_at=notice)
        ]
        if received
        else [],
        "shipment_lines": [shipment_line(shipment_id=order_id, order_id=order_id)] if received else [],
    }


def together(*parts: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Records of several parts as one."""
    names = {name for part in parts for name in part}
    return {name: [row for part in parts for row in part.get(name, [])] for name in names}


def only(*modules: ModuleType) -> Callable[..., Any]:
    """A fixture for a test module that asks of these ledgers alone: builds fill them and what they read, and leave the
    others empty.

    Filling all of them is most of what a hand-worked case costs.
    """
    wanted = [ledger for module in modules for ledger in module.FACT_TABLES]
    for ledger in wanted:  # grows: what a ledger's module reads of others
        named = vars(sys.modules[ledger.select_rows.__module__]).values()
        read = [table for table in named if isinstance(table, Table)]
        wanted += [
            other for other in FACT_TABLES if other not in wanted and any(other.table is table for table in read)
        ]

    @pytest.fixture(scope="module", autouse=True)
    def filled() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rebuild, "FACT_TABLES", tuple(ledger for ledger in FACT_TABLES if ledger in wanted))
            yield

    return filled
