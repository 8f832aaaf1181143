"""Build the facts of records in an empty DuckDB, and ask measures of them, for worked cases."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, create_engine, select
from sqlalchemy.pool import StaticPool

from metrics.facts.registry import FACT_TABLES
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.rebuild import rebuild
from tests.support.all_builders import MAKERS
from tests.support.builders import (
    Row,
    everything,
    invoice,
    invoice_line,
    order,
    order_line,
    records,
    shipment,
    shipment_line,
)
from tests.support.contact_builders import service_case
from tests.support.engines import memory
from tests.support.sql_facts import build

AS_OF = datetime(2026, 4, 30, 23, 59, 59, 999999)
"""The end of 30 April 2026, as in the worked examples of the rules."""
ALL = everything(*MAKERS)


STORED_BUILDS = 4
_stored: OrderedDict[str, Engine] = OrderedDict()
"""The last builds by their inputs. Several tests of a module ask about the same records."""


@contextmanager
def built(
    as_of: datetime = AS_OF, *, mapped: frozenset[str] = ALL, url: str | None = None, **feeds: Iterable[Row]
) -> Iterator[Connection]:
    """Yield a connection to the facts and rollups of these records, judged at `as_of`.

    By default, all columns of all feeds are mapped. Equal inputs share a build. Changes of a test are rolled back.
    """
    made = records(**feeds)
    if url:
        engine = create_engine(url, poolclass=StaticPool)
        with engine.connect() as connection:
            build(connection, made, as_of, mapped)
            yield connection
        engine.dispose()
        return
    tables = [fact_table.table.name for fact_table in rebuild.FACT_TABLES]
    inputs = repr((as_of, sorted(mapped), tables, made))
    if inputs not in _stored:
        engine = memory()
        with engine.connect() as connection:
            build(connection, made, as_of, mapped)
            connection.commit()
        _stored[inputs] = engine
        if len(_stored) > STORED_BUILDS:
            _stored.popitem(last=False)  # closed when no connection uses it any more
    _stored.move_to_end(inputs)
    with _stored[inputs].connect() as connection:
        yield connection


def one(connection: Connection, measure: str, **question: Any) -> Answer:
    """Return the answer to a question without a breakdown."""
    (found,) = answer(connection, Question((measure,), **question))
    return found


def halves(connection: Connection, measure: str, **question: Any) -> tuple[object, object]:
    """Return the numerator and the denominator of the answer."""
    found = one(connection, measure, **question)
    return found.numerator, found.denominator


def by(
    connection: Connection, measure: str, dimension: str, **question: Any
) -> dict[str | None, tuple[object, object]]:
    """Return the numerator and the denominator for each value of a dimension."""
    return {
        found.dimensions[dimension]: (found.numerator, found.denominator)
        for found in answer(connection, Question((measure,), by=(dimension,), **question))
    }


def fact_rows(connection: Connection, table: Table, *key: str) -> dict[Any, dict[str, Any]]:
    """Return the rows of a fact table by key. A key of one column is its bare value."""
    rows = [dict(row) for row in connection.execute(select(table)).mappings()]
    return {row[key[0]] if len(key) == 1 else tuple(row[name] for name in key): row for row in rows}


def sale(
    order_id: str, *, received: str | None = None, notice: str | None = None, **values: object
) -> dict[str, list[Row]]:
    """Return an order of 100, promised for 10 March 2026, received on a day or not at all."""
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
    """Return the records of several parts together."""
    names = {name for part in parts for name in part}
    return {name: [row for part in parts for row in part.get(name, [])] for name in names}


def only(*modules: ModuleType) -> Callable[..., Any]:
    """Return a fixture for a test module that uses only the fact tables of these modules.

    Builds fill these tables and the tables that they read. Filling all tables takes most of the time of a worked case.
    """
    wanted = [fact_table for module in modules for fact_table in module.FACT_TABLES]
    for fact_table in wanted:  # the list grows by the tables that a module reads
        named = vars(sys.modules[fact_table.select_rows.__module__]).values()
        read = [table for table in named if isinstance(table, Table)]
        wanted += [
            other for other in FACT_TABLES if other not in wanted and any(other.table is table for table in read)
        ]

    @pytest.fixture(scope="module", autouse=True)
    def filled() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                rebuild, "FACT_TABLES", tuple(fact_table for fact_table in FACT_TABLES if fact_table in wanted)
            )
            yield

    return filled


def billed(order_id: str, **values: object) -> dict[str, list[Row]]:
    """Return a correct bill of 11 March, 100 at 5.00."""
    return {
        "invoices": [invoice(invoice_id=order_id, invoiced_at="2026-03-11")],
        "invoice_lines": [invoice_line(invoice_id=order_id, order_id=order_id, **values)],
    }


def case(
    order_id: str, opened: str, acknowledged: str | None = None, resolved: str | None = None, **values: object
) -> dict[str, list[Row]]:
    given = {
        "case_id": f"case of {order_id} {opened}",
        "order_id": order_id,
        "opened_at": opened,
        "acknowledged_at": acknowledged,
    }
    return {"service_cases": [service_case(**(given | {"resolved_at": resolved} | values))]}
