"""A partial rebuild of the fact tables equals a full rebuild.

Each case is one thing that a row depends on beyond the records of its own order. All cases of a group are judged
together. The test also asserts that each case changes a row, because a case without an effect would always pass.
"""

from datetime import date, datetime

import pytest
from sqlalchemy import Column, Connection, Table, insert, select

from metrics.facts import invoices, recoveries, stockouts
from metrics.facts.invoices import invoice_facts_table
from metrics.facts.money import movements
from metrics.facts.money.table import money_facts_table
from metrics.facts.order_intervals import segment_intervals_table
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.recoveries import recovery_facts_table
from metrics.facts.stockouts import stockout_facts_table
from metrics.queries.rollups import ROLLUPS
from metrics.rebuild.rebuild import rebuild
from metrics.schema import run_files
from metrics.warehouse import Location, reading
from tests.metrics.rebuild.case_records import Case, Parts, of_customer, short
from tests.metrics.rebuild.customer_cases import ASSUMED, ASSUMED_THEN, RECOVERIES, STOCKOUTS, TIME
from tests.metrics.rebuild.invoice_cases import INVOICES
from tests.metrics.rebuild.money_cases import MONEY
from tests.metrics.rebuild.test_rebuild import touched_orders
from tests.support import builders
from tests.support.ask_measures import ALL, AS_OF, built, only, together
from tests.support.sql_facts import load

filled = only(invoices, movements, stockouts, recoveries)

LATEST = {
    "file_id": 2,
    "run_id": 2,
    "source": "test",
    "feed": "stockouts",
    "name": "two",
    "sha256": "-",
} | dict.fromkeys(("rows_staged", "rows_in", "rows_loaded", "rows_quarantined", "rows_superseded"), 0)
"""A run that loaded file 2."""
LATER = datetime(2026, 5, 10, 12)
TABLES = (
    order_facts_table,
    order_line_facts_table,
    money_facts_table,
    segment_intervals_table,
    stockout_facts_table,
    recovery_facts_table,
)


def contents(connection: Connection, *tables: Table) -> dict[str, list[tuple[object, ...]]]:
    return {table.name: sorted(map(tuple, connection.execute(select(table))), key=repr) for table in tables or TABLES}


def of_case(case: Case, rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [row for row in rows if any(isinstance(value, str) and value.startswith(case.name) for value in row)]


def world(cases: tuple[Case, ...], *, after: bool) -> Parts:
    own = {
        row["customer_id"] for case in cases for part in (case.always, case.before) for row in part.get("customers", ())
    }
    buyers = [of_customer(case.name) for case in cases if case.name not in own]
    return together(
        {"products": [builders.product(unit_cost_amount=3)]},
        *buyers,
        *[part for case in cases for part in (case.always, case.after if after else case.before)],
    )


@pytest.mark.every_run("cases0-as_of0")
@pytest.mark.parametrize(
    ("cases", "as_of"),
    [(MONEY + STOCKOUTS + RECOVERIES, AS_OF), (ASSUMED, AS_OF), (ASSUMED_THEN, LATER), (TIME, LATER)],
)
def test_a_partial_rebuild_equals_a_full_rebuild(cases: tuple[Case, ...], as_of: datetime) -> None:
    with built(AS_OF, mapped=ALL - builders.everything("fx_rates"), **world(cases, after=False)) as connection:
        before = contents(connection)
        load(connection, builders.records(**world(cases, after=True)))
        connection.execute(insert(run_files).values(LATEST))
        touched = touched_orders(connection, [order_id for case in cases for order_id in case.touched])
        rebuild(connection, as_of=as_of, touched=touched.name)
        in_part = contents(connection)
        rebuild(connection, as_of=as_of, touched=None)
        in_full = contents(connection)
    for case in cases:
        for table in TABLES:
            assert of_case(case, in_part[table.name]) == of_case(case, in_full[table.name]), (case.name, table.name)
        for table in case.changes:
            assert of_case(case, before[table.name]) != of_case(case, in_full[table.name]), (case.name, table.name)
    assert in_part == in_full


def test_a_partial_rebuild_of_invoices_equals_a_full_rebuild() -> None:
    with built(AS_OF, **world(INVOICES, after=False)) as connection:
        before = contents(connection, invoice_facts_table)
        load(connection, builders.records(**world(INVOICES, after=True)))
        connection.execute(insert(run_files).values(LATEST))
        touched = touched_orders(connection, [order_id for case in INVOICES for order_id in case.touched])
        rebuild(connection, as_of=AS_OF, touched=touched.name)
        in_part = contents(connection, invoice_facts_table)
        rebuild(connection, as_of=AS_OF, touched=None)
        in_full = contents(connection, invoice_facts_table)
    for case in INVOICES:
        rows = [of_case(case, tables[invoice_facts_table.name]) for tables in (before, in_part, in_full)]
        assert rows[0] != rows[2], case.name
        assert rows[1] == rows[2], case.name
    assert in_part == in_full


def test_tables_of_an_earlier_version_are_rebuilt() -> None:
    """A fact table lacks a column and a rollup has an unused one. They are rebuilt although no record changed."""
    rollup = ROLLUPS[0].table
    with built(**short("O", "C")) as connection:
        before = contents(connection)
        connection.exec_driver_sql("ALTER TABLE stockout_facts DROP COLUMN gap_is_own")
        connection.exec_driver_sql(f"ALTER TABLE {rollup.name} ADD COLUMN of_old BIGINT")
        rebuild(connection, as_of=AS_OF, touched=touched_orders(connection, []).name)
        assert contents(connection) == before
        rollup_columns = list(connection.exec_driver_sql(f"SELECT * FROM {rollup.name}").keys())
        assert "of_old" not in rollup_columns
        assert connection.execute(select(rollup)).all()


@pytest.mark.parametrize("day", [invoice_facts_table.c.invoiced_day, stockout_facts_table.c.event_day], ids=str)
def test_a_whole_table_is_stored_in_the_order_of_its_days(day: Column[date], sample: Location) -> None:
    with reading(sample) as connection:
        stored = [found for found in connection.scalars(select(day)) if found is not None]
    assert len(stored) > 20
    assert stored == sorted(stored)
