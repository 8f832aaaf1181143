"""Numbers that cannot be are found before they are published (rules P13)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from ingest import pipeline
from ingest.errors import RunAborted
from metrics import warehouse
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.queries.rollups import ROLLUPS
from metrics.rebuild.consistency import ConsistencyCheck, check_consistency
from metrics.schema import checks
from metrics.warehouse import Location
from tests.metrics.queries.test_answer import history, publish, together
from tests.support.engines import memory

SMALL = Path(__file__).parents[3] / "sample_data" / "small" / "mapping.toml"


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = memory()
    with engine.connect() as opened:
        publish(opened, together(history(0), history(1, came="2026-03-12"), history(2, came=None, left=None)))
        yield opened
    engine.dispose()


def broken(connection: Connection) -> dict[str, int]:
    return {one.name: one.rows_failed for one in check_consistency(connection) if one.rows_failed}


def test_what_was_built_is_consistent_and_was_looked_at(connection: Connection) -> None:
    assert broken(connection) == {}
    assert {one.rows_checked for one in check_consistency(connection) if not one.table.startswith("rollup")} == {3}
    assert len(check_consistency(connection)) == 9 + len(ROLLUPS)


@pytest.mark.parametrize(
    ("table", "values", "claim"),
    [
        (
            order_facts_table,
            {"on_time": False, "otif": True},
            "otif_is_on_time_and_complete",
        ),  # OTIF above OT, as once published
        (order_facts_table, {"billed_accurately": False}, "perfect_order_passes_every_test"),
        (order_facts_table, {"damage_free": False, "perfect_order": None}, "failed_test_is_no_perfect_order"),
        (
            order_line_facts_table,
            {"filled_qty": 101, "filled_most_qty": 101},
            "filled_qty_between_0_and_owed",
        ),  # fill of 103.53 %, as once published
        (order_line_facts_table, {"first_pass_qty": -1}, "first_pass_qty_between_0_and_owed"),
    ],
)
def test_a_number_that_cannot_be_is_found(
    connection: Connection, table: Any, values: dict[str, Any], claim: str
) -> None:
    connection.execute(update(table).where(table.c.order_id == "O0").values(**values))
    assert broken(connection).get(claim) == 1


def test_a_rollup_that_lost_a_row_is_found(connection: Connection) -> None:
    table = ROLLUPS[0].table
    connection.execute(update(table).values(rows_summed=table.c.rows_summed + 1))
    assert broken(connection)["sums_every_row"] >= 1


def test_a_run_whose_numbers_cannot_be_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Location(folder=tmp_path)
    monkeypatch.setattr(
        pipeline,
        "check_consistency",
        lambda _connection: [ConsistencyCheck("otif_is_on_time_and_complete", "order_facts", 10, 1)],
    )
    with pytest.raises(RunAborted, match="1 of 10 rows of order_facts break otif_is_on_time_and_complete"):
        pipeline.run(SMALL, location=place)
    assert warehouse.current(place) is None


def test_a_published_run_says_what_was_checked(tmp_path: Path) -> None:
    place = Location(folder=tmp_path)
    pipeline.run(SMALL, location=place)
    with warehouse.reading(place) as connection:
        found = connection.execute(
            select(checks.c.rows_checked, checks.c.rows_failed).where(checks.c.feed == "order_facts")
        ).all()
    warehouse.close(place)
    assert len(found) == 3
    assert all(checked > 0 and failed == 0 for checked, failed in found)
