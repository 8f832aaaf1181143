"""Row scope: a person sees exactly what a warehouse with only the allowed rows has."""

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from metrics import warehouse
from metrics.access import Scope
from metrics.errors import UnknownName
from metrics.facts.orders import facts_metadata, facts_state
from metrics.lists import data_quality, drill_down, failed_orders, options, order_story
from metrics.lists.data_status import data_status
from metrics.measures.catalog import MEASURES, has_dimension
from metrics.model.access_scope import OF_CUSTOMER as CUSTOMER_COLUMNS
from metrics.model.access_scope import SCOPE_COLUMNS
from metrics.model.dimensions import DIMENSIONS
from metrics.model.measure import Percentile, Ratio, Total
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.queries.outdated import DECLARED
from metrics.queries.rollups import rollup_metadata
from metrics.queries.scope import reading
from metrics.queries.scope_comparisons import OF_ALL_ORDERS, OF_CUSTOMERS
from metrics.queries.scope_conditions import Stored
from metrics.queries.scope_records import PUBLIC
from metrics.queries.scope_rows import views
from metrics.rebuild.rebuild import rebuild
from metrics.targets.in_view import targets_in_view
from metrics.warehouse import Location
from metrics.warehouse.instances import LOCKED_SETTINGS, THREADS_OF_RUN, new_engine
from metrics.warehouse.query_cache import CACHE_KEY
from tests.support.every_case import EVERY_CASE
from tests.support.tries import Tries

BY_ORDER = (
    "orders",
    "order_lines",
    "shipment_lines",
    "promises",
    "holds",
    "order_events",
    "returns",
    "restated_quantities",
)
OF_ORDER = "order_id IN (FROM kept_orders)"
OF_CUSTOMER = "customer_id IN (FROM kept_customers)"

LATEST = (
    "SELECT * FROM customers WHERE NOT deleted QUALIFY valid_from = max(valid_from) OVER (PARTITION BY customer_id)"
)


@contextmanager
def holding_only(place: Location, folder: Path, scope: Scope) -> Iterator[Connection]:
    """Copy a warehouse, delete the records outside a scope, and judge the rest again."""
    generation = warehouse.current(place)
    assert generation is not None
    assert generation.file is not None
    file = folder / "only.duckdb"
    shutil.copy(generation.file, file)
    with duckdb.connect(str(file), config={**LOCKED_SETTINGS, "threads": THREADS_OF_RUN}) as driver:
        _delete_others(driver, scope)
    with duckdb.connect(str(file), config={**LOCKED_SETTINGS, "threads": THREADS_OF_RUN}) as driver:
        driver.execute("SET TimeZone = 'UTC'")
        engine = new_engine(driver, poolclass=StaticPool)
        with engine.begin() as connection:
            rebuild(connection, as_of=connection.scalar(select(facts_state.c.as_of)), touched=None)
        with engine.connect() as connection:
            connection.info.update({CACHE_KEY: {}, "generation": generation.number})
            yield connection


def _delete_others(driver: duckdb.DuckDBPyConnection, scope: Scope) -> None:
    among = {name: "(" + ", ".join(f"'{value}'" for value in values) + ")" for name, values in scope}
    managed = f"customer_id IN (SELECT customer_id FROM ({LATEST}) WHERE account_manager IN {{}})"
    own = [
        managed.format(values) if name == "account_manager" else f"{SCOPE_COLUMNS[name]} IN {values}"
        for name, values in among.items()
    ]
    driver.execute(f"CREATE TEMP TABLE kept_orders AS SELECT order_id FROM order_facts WHERE {' AND '.join(own)}")
    ordering = "SELECT DISTINCT customer_id FROM order_facts JOIN kept_orders USING (order_id)"
    of_customers = {*among} <= {*CUSTOMER_COLUMNS}
    counted = " AND ".join(own) if of_customers else "false"  # facts without an order
    matching = [
        managed.format(among[name]) if name == "account_manager" else f"coalesce({column}, '(none)') IN {among[name]}"
        for name, column in CUSTOMER_COLUMNS.items()
        if name in among
    ]
    allowed = f"SELECT customer_id FROM {{}} WHERE {of_customers} AND {' AND '.join(matching or ['false'])}"
    any_record = allowed.format("(FROM customers WHERE NOT deleted)")
    driver.execute(f"CREATE TEMP TABLE kept_customers AS {ordering} UNION {any_record}")
    driver.execute(f"CREATE TEMP TABLE allowed_customers AS {allowed.format(f'({LATEST})')}")
    in_quarantine = "SELECT q.feed, v.document_id FROM kept_orders JOIN quarantine q USING (order_id)"
    named = f"{in_quarantine} JOIN quarantine_values v USING (file_id, row_no) WHERE v.document_id IS NOT NULL"
    driver.execute(f"CREATE TEMP TABLE kept_documents AS {named}")
    of_feed = "(SELECT document_id FROM kept_documents WHERE feed = '{}')"
    of_customer = (
        "SELECT 1 FROM quarantine_values v WHERE (v.file_id, v.row_no) = (quarantine.file_id, quarantine.row_no)"
        " AND v.customer_id IN (FROM {})"
    )
    named_customer = "scope NOT LIKE 'customer:%' OR substr(scope, 10) IN (FROM kept_customers)"
    without_order = f"order_id IS NULL AND invoice_id IN (SELECT invoice_id FROM invoice_lines WHERE {OF_ORDER})"
    either = f"{OF_ORDER} OR (order_id IS NULL AND {{}} IN (SELECT {{}} FROM {{}} WHERE {counted}))"
    of_card = "(order_id, customer_id) IN (SELECT (order_id, customer_id) FROM {} WHERE {})"
    keep = {
        "quarantine": f"{OF_ORDER} OR (order_id IS NULL AND feed = 'customers' AND EXISTS "
        f"({of_customer.format('kept_customers')})) "
        f"OR (order_id IS NULL AND EXISTS ({of_customer.format('allowed_customers')}))",
        "quarantine_values": "(file_id, row_no) IN (SELECT (file_id, row_no) FROM quarantine)",
        **dict.fromkeys(BY_ORDER, OF_ORDER),
        "messages": either.format("message_id", "message_id", "message_facts"),
        "service_cases": either.format("case_id", "case_id", "case_facts"),
        "service_costs": either.format("cost_id", "document_id", "(FROM money_facts WHERE source = 'service_cost')"),
        "quotes": f"quote_id IN (SELECT quote_id FROM quote_facts WHERE {counted})",
        "customers": OF_CUSTOMER,
        "stockouts": f"stockout_id IN (SELECT stockout_id FROM stockout_facts WHERE {counted})",
        "buyer_scorecards": f"{of_card.format('order_facts', ' AND '.join(own))} "
        f"OR {of_card.format('book_facts', f'NOT ours AND {counted}')}",
        **dict.fromkeys(("targets", "assumptions"), named_customer),
        "invoice_lines": f"{OF_ORDER} OR ({without_order})",
        "invoices": "invoice_id IN (SELECT invoice_id FROM invoice_lines) "
        f"OR invoice_id IN {of_feed.format('invoice_lines')} "
        "OR reverses_invoice_id IN (SELECT invoice_id FROM invoice_lines)",
        "shipments": "shipment_id IN (SELECT shipment_id FROM shipment_lines) "
        f"OR shipment_id IN {of_feed.format('shipment_lines')}",
        "payments": "invoice_id IN (SELECT invoice_id FROM invoice_lines)",
        "quote_options": "quote_id IN (SELECT quote_id FROM quotes)",
    }
    for table, condition in keep.items():
        driver.execute(f"DELETE FROM {table} WHERE NOT coalesce({condition}, false)")


def answers(connection: Connection, by: tuple[str, ...], grain: str | None) -> dict[Any, Answer]:
    """Return the answers of all measures with these dimensions."""
    names = tuple(name for name, measure in MEASURES.items() if all(has_dimension(measure, one) for one in by))
    found = answer(connection, Question(names, by=by, grain=grain))
    return {(*one.dimensions.values(), one.period, one.measure): _rounded(one) for one in found}


def _rounded(one: Answer) -> Answer:
    """Round the numbers of an answer: sums of floats depend on the order of the rows."""
    parts = {field.name: getattr(one, field.name) for field in fields(one)}
    numbers = {name: float(f"{part:.9g}") for name, part in parts.items() if isinstance(part, float | Decimal)}
    return replace(one, **numbers)


def lists(connection: Connection) -> dict[str, Any]:
    """Return everything that the pages list."""
    failed = failed_orders.failed_orders(connection, size=1_000)
    ids = [row["order_id"] for row in failed.rows]
    with_rows = Question(("on_time",))
    return {
        "failed orders": failed,
        "reasons": failed_orders.failure_reasons(connection),
        "counts": failed_orders.order_counts(connection),
        "nearest day": failed_orders.nearest_day(connection, date(2026, 1, 1)),
        "options": {name: options.options(connection, name) for name in DIMENSIONS},
        "status": replace(data_status(connection), feeds=frozenset()),
        "quarantine": data_quality.quarantined(connection, size=10_000),
        "rules": data_quality.broken_rules(connection),
        "search": order_story.search_order_ids(connection, "1", limit=10_000),
        "story": [order_story.order_records(connection, one) for one in ids[:10]],
        "context": [order_story.order_context(connection, one) for one in ids[:10]],
        "behind": drill_down.drill_down(connection, with_rows, "unknown", size=1_000),
        "targets": targets_in_view(connection, start=date(2026, 1, 1), end=date(2026, 6, 30), where=()),
    }


def assert_equal(place: Location, scope: Scope, folder: Path, *, deep: bool) -> int:
    """Compare the fact tables, measures and lists of a scope with those of a warehouse of its records.

    Return the number of its judged orders.
    """
    with reading(place, scope) as scoped, holding_only(place, folder, scope) as only:
        for table in facts_metadata.sorted_tables:
            columns = [column for column in table.c if column.name not in ("file_id", "row_no", "run_id")]
            found = sorted(map(repr, scoped.execute(select(*columns))))
            assert found == sorted(map(repr, only.execute(select(*columns)))), table.name
        questions = [((), None), *((("segment",), None), (("customer",), None), ((), "month")) * deep]
        for by, grain in questions:
            assert answers(scoped, by, grain) == answers(only, by, grain), by
        listed, expected = lists(scoped), lists(only)
        for name, rows in expected.items():
            assert listed[name] == rows, name
        return int(listed["counts"]["judged"])


@pytest.mark.long
def test_a_scope_shows_what_a_warehouse_of_its_rows_has(sample: Location, tmp_path: Path) -> None:
    """Most customers of the scope are partly visible: they have orders of other channels."""
    assert assert_equal(sample, (("channel", ("web", "edi")),), tmp_path, deep=False) > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(32) if EVERY_CASE else [0])
def test_drawn_scopes_show_what_a_warehouse_of_their_rows_has(
    seed: int, sample: Location, tmp_path: Path, tries: Tries
) -> None:
    draw, scope = random.Random(seed), []
    with reading(sample) as connection:
        for name in draw.sample(sorted(SCOPE_COLUMNS), draw.choice((1, 1, 2))):
            table, column = ("customers", name) if name == "account_manager" else ("order_facts", SCOPE_COLUMNS[name])
            found = f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY 1"
            values = connection.exec_driver_sql(found).scalars().all()
            scope.append((name, tuple(draw.sample(values, max(1, len(values) // 2)))))
    assert_equal(sample, tuple(scope), tmp_path, deep=True)
    tries.add()


@pytest.mark.long
@pytest.mark.parametrize("where", [(("region", ("North",)),), (("segment", ("A", "B")), ("channel", ("edi", "web")))])
def test_a_scope_gives_the_numbers_of_the_same_filter(sample: Location, where: Scope) -> None:
    """Measures that compare orders are left out: a filter compares with all orders, a scope with the visible ones."""
    names = tuple(
        name
        for name, measure in MEASURES.items()
        if isinstance(measure.formula, Ratio | Total | Percentile)
        and all(measure.facts is not one.table for one in (*OF_ALL_ORDERS, *OF_CUSTOMERS))
        and all(has_dimension(measure, one) for one, _ in where)
    )

    def numbers(connection: Connection, question: Question) -> list[tuple[object, ...]]:
        found = answer(connection, question)
        return [(one.measure, one.dimensions, one.value, one.numerator, one.denominator) for one in found]

    with reading(sample) as whole, reading(sample, where) as scoped:
        for by in ((), ("segment",)):
            expected = numbers(whole, Question(names, by=by, where=where))
            assert numbers(scoped, Question(names, by=by)) == expected


def test_nothing_outside_the_scope_exists(sample: Location) -> None:
    with reading(sample) as whole:
        outside, customer = whole.exec_driver_sql(
            "SELECT min(order_id), max(customer_id) FROM order_facts WHERE region = 'North'"
        ).one()
        tables = set(whole.exec_driver_sql("SELECT table_name FROM information_schema.tables").scalars())
    with reading(sample, (("region", ("West",)),)) as scoped:
        with pytest.raises(DBAPIError):
            scoped.exec_driver_sql("SELECT no_column FROM orders")
        scoped.rollback()  # the rows stay limited after an error
        assert order_story.order_records(scoped, outside) is None
        assert order_story.search_order_ids(scoped, outside) == []
        assert order_story.missing_orders(scoped, [outside]) == [outside]
        assert options.options(scoped, "region") == ["West"]
        assert customer not in options.options(scoped, "customer")
        for name in sorted(tables - {*PUBLIC}):
            for word in (outside, customer):
                found = f"SELECT * FROM {name} t WHERE t::TEXT LIKE '%{word}%'"
                assert scoped.exec_driver_sql(found).all() == [], (name, word)


def test_a_table_without_a_rule_is_empty() -> None:
    stored = {name: frozenset(table.c.keys()) for name, table in DECLARED.items()}
    found = {
        name: str(rows)
        for name, rows in views(Stored("place", {**stored, "later": frozenset({"order_id"})}, ("region",)))
    }
    empty = {name for name, text in found.items() if text.endswith("WHERE false")}
    whole = {name for name, text in found.items() if text.endswith("WHERE true") or "WHERE" not in text}
    by_month = {name for name in rollup_metadata.tables if name.endswith("_customer")}
    assert empty == {
        "later",
        "scope_managed",
        "restatements",
        "run_warnings",
        "segment_gaps",
        "step_budgets",
        *by_month,
    }
    assert whole == {*PUBLIC, "checks"}


@pytest.mark.parametrize("name", ["regio", "carrier"])
def test_a_scope_of_an_unknown_dimension_is_refused(name: str, sample: Location) -> None:
    with pytest.raises(UnknownName):
        reading(sample, ((name, ("North",)),))
