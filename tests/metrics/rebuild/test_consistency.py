"""Consistency checks find impossible numbers before they are published. Source: P13 (consistency checks)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table, select, update

from ingest import pipeline
from ingest.errors import RunAborted
from metrics import warehouse
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.queries.rollups import ROLLUPS
from metrics.rebuild.consistency import ConsistencyCheck, check_consistency
from metrics.schema import checks
from metrics.warehouse import Location
from tests.ingest.files import Source
from tests.metrics.queries.test_answer import history, publish, together
from tests.support.ask_measures import only
from tests.support.engines import memory

filled = only()


@pytest.fixture(scope="module")
def published() -> Iterator[Connection]:
    """Facts of three orders, committed."""
    engine = memory()
    with engine.connect() as opened:
        publish(opened, together(history(0), history(1, came="2026-03-12"), history(2, came=None, left=None)))
        opened.commit()
        yield opened
    engine.dispose()


@pytest.fixture
def connection(published: Connection) -> Iterator[Connection]:
    """The facts of three orders. Changes are rolled back after the test."""
    yield published
    published.rollback()


def small_source(folder: Path) -> Source:
    """Return a source of two orders and its empty warehouse."""
    (folder / "data").mkdir()
    return Source(folder / "data", Location(folder=folder / "home")).write_all()


def broken(connection: Connection) -> dict[str, int]:
    return {check.name: check.rows_failed for check in check_consistency(connection) if check.rows_failed}


def test_built_facts_are_consistent_and_all_rows_are_checked(connection: Connection) -> None:
    assert broken(connection) == {}
    assert {check.rows_checked for check in check_consistency(connection) if not check.table.startswith("rollup")} == {
        3
    }
    assert len(check_consistency(connection)) == 9 + len(ROLLUPS)


@pytest.mark.parametrize(
    ("table", "values", "claim"),
    [
        (
            order_facts_table,
            {"on_time": False, "otif": True},
            "otif_is_on_time_and_complete",
        ),  # OTIF above on-time
        (order_facts_table, {"billed_accurately": False}, "perfect_order_passes_every_test"),
        (order_facts_table, {"damage_free": False, "perfect_order": None}, "failed_test_is_no_perfect_order"),
        (
            order_line_facts_table,
            {"filled_qty": 101, "filled_most_qty": 101},
            "filled_qty_between_0_and_owed",
        ),  # a fill rate above 100 %
        (order_line_facts_table, {"first_pass_qty": -1}, "first_pass_qty_between_0_and_owed"),
    ],
)
def test_an_impossible_number_is_found(
    connection: Connection, table: Table, values: dict[str, object], claim: str
) -> None:
    connection.execute(update(table).where(table.c.order_id == "O0").values(**values))
    assert broken(connection).get(claim) == 1


def test_rollup_with_a_wrong_row_count_is_found(connection: Connection) -> None:
    table = ROLLUPS[0].table
    connection.execute(update(table).values(rows_summed=table.c.rows_summed + 1))
    assert broken(connection)["sums_every_row"] >= 1


def test_a_run_with_impossible_numbers_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = small_source(tmp_path)
    monkeypatch.setattr(
        pipeline,
        "check_consistency",
        lambda _connection: [ConsistencyCheck("otif_is_on_time_and_complete", "order_facts", 10, 1)],
    )
    with pytest.raises(RunAborted, match="1 of 10 rows of order_facts break the check otif_is_on_time_and_complete"):
        source.take_in()
    assert warehouse.current(source.location) is None


def test_a_published_run_stores_its_checks(tmp_path: Path) -> None:
    source = small_source(tmp_path)
    source.take_in()
    with warehouse.reading(source.location) as connection:
        stored = connection.execute(
            select(checks.c.rows_checked, checks.c.rows_failed).where(checks.c.feed == "order_facts")
        ).all()
    warehouse.close(source.location)
    assert len(stored) == 3
    assert all(checked > 0 and failed == 0 for checked, failed in stored)
