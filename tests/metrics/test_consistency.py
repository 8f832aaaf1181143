"""Numbers that cannot be are found before they are published (rules P13)."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, update

from metrics.consistency import consistency
from metrics.facts import order_facts_table, order_line_facts_table
from metrics.rollup import ROLLUPS
from tests.metrics.test_query import history, publish, together


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("duckdb:///:memory:")
    with engine.connect() as opened:
        publish(opened, together(history(0), history(1, came="2026-03-12"), history(2, came=None, left=None)))
        yield opened
    engine.dispose()


def broken(connection: Connection) -> dict[str, int]:
    return {one.name: one.rows_failed for one in consistency(connection) if one.rows_failed}


def test_what_was_built_is_consistent_and_was_looked_at(connection: Connection) -> None:
    assert broken(connection) == {}
    assert {one.rows_checked for one in consistency(connection) if not one.table.startswith("rollup")} == {3}
    assert len(consistency(connection)) == 9 + len(ROLLUPS)


@pytest.mark.parametrize(
    ("table", "values", "claim"),
    [
        (order_facts_table, {"on_time": False, "otif": True}, "otif_is_on_time_and_complete"),  # OTIF above OT, as once published
        (order_facts_table, {"billed_accurately": False}, "perfect_order_passes_every_test"),
        (order_facts_table, {"damage_free": False, "perfect_order": None}, "failed_test_is_no_perfect_order"),
        (order_line_facts_table, {"filled_qty": 101, "filled_most_qty": 101}, "filled_qty_between_0_and_owed"),  # fill of 103.53 %, as once published
        (order_line_facts_table, {"first_pass_qty": -1}, "first_pass_qty_between_0_and_owed"),
    ],
)
def test_a_number_that_cannot_be_is_found(connection: Connection, table: Any, values: dict[str, Any], claim: str) -> None:
    connection.execute(update(table).where(table.c.order_id == "O0").values(**values))
    assert broken(connection).get(claim) == 1


def test_a_rollup_that_lost_a_row_is_found(connection: Connection) -> None:
    table = ROLLUPS[0].table
    connection.execute(update(table).values(rows_summed=table.c.rows_summed + 1))
    assert broken(connection)["sums_every_row"] >= 1
