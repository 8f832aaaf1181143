"""A wrong clock: what it rejects is tried again, what it publishes heals, and one that is behind publishes nothing."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text

from ingest.errors import ClockRefused
from ingest.runs import history
from metrics.schema import runs
from metrics.warehouse import current, reading
from tests.ingest.files import NOW, ORDERS, Source, kept, ledger, rows

BEHIND = datetime(2020, 1, 1)
AHEAD = datetime(2031, 6, 1)


def watermark(source: Source) -> datetime | None:
    with reading(source.location) as connection:
        found: datetime | None = connection.scalar(select(runs.c.data_as_of).order_by(runs.c.run_id.desc()).limit(1))
        return found


def test_records_rejected_because_of_a_slow_clock_are_loaded_after_its_correction(any_source: Source) -> None:
    """Trust, T1: with the clock in 2020 both orders and shipments have not happened. The files do not change."""
    first = any_source.take_in(now=BEHIND)
    assert [file.rows_loaded for file in first.files if file.feed in ("orders", "shipments")] == [0, 0]

    second = any_source.take_in()

    assert second.outcome == "published"
    assert {file.feed: file.rows_loaded for file in second.files}["orders"] == 2
    with reading(any_source.location) as connection:
        assert [row["order_id"] for row in rows(connection, "orders")] == ["O1", "O2"]
        assert len(rows(connection, "shipment_lines")) == 3
        assert {row.status for row in kept(connection)} <= {"dropped", "released"}
        assert all(sum(counts[1:]) == counts[0] for counts in ledger(connection).values())
    assert watermark(any_source) == datetime(2026, 3, 11, 22, 59, 59, 999999), "the end of the last day in Berlin"
    third = any_source.take_in()
    assert third.outcome == "unchanged", "nothing is left to try again"
    assert third.data_as_of == watermark(any_source)


@pytest.mark.long
def test_run_with_a_clock_before_the_last_publish_is_refused(source: Source) -> None:
    source.take_in()
    source.write("orders.csv", ORDERS + "O3,C1,2026-03-04T10:00:00,2026-03-10\n")
    for now in (BEHIND, NOW - timedelta(days=1), NOW - timedelta(minutes=2)):
        with pytest.raises(ClockRefused, match="Correct the clock"):
            source.take_in(now=now)
    generation = current(source.location)
    assert generation is not None
    assert generation.number == 1
    assert [run["outcome"] for run in history.runs(source.location)].count("failed") == 3
    assert source.take_in(now=NOW + timedelta(days=1)).outcome == "published"


@pytest.mark.long  # several whole runs
def test_watermark_set_by_a_fast_clock_is_corrected_by_the_next_run(any_source: Source) -> None:
    """A clock in 2031 accepts the impossible order of 2031. The right clock does not take its date as the present."""
    any_source.write("orders.csv", ORDERS + "O3,C1,2031-01-01T10:00:00,2031-01-10\n")
    any_source.take_in(now=AHEAD)
    assert watermark(any_source) == datetime(2031, 1, 1, 9)

    any_source.write("order_lines.csv", "no,pos,item,qty\nO1,1,P1,10\nO1,2,P2,5\nO2,1,P1,8\n")
    any_source.take_in()

    assert watermark(any_source) == datetime(2026, 3, 11, 22, 59, 59, 999999)


@pytest.mark.long  # several whole runs
def test_watermark_is_never_later_than_now(source: Source) -> None:
    """Events within a day after the clock are accepted, and a date of today ends tonight. Neither is the present."""
    source.write("orders.csv", ORDERS + "O3,C1,2026-06-01T20:00:00,2026-06-10\n")
    source.take_in()
    assert watermark(source) == NOW
    source.write("shipments.csv", "delivery,left,proof\nS1,2026-03-08,2026-03-09\nS2,2026-03-09,2026-06-01\n")
    source.take_in(now=NOW + timedelta(hours=9))
    assert watermark(source) == NOW + timedelta(hours=9)


@pytest.mark.long  # several whole runs
def test_pulled_rows_rejected_because_of_the_clock_are_pulled_again(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor is past the rejected row, so only an earlier cursor returns it."""
    database = f"sqlite:///{tmp_path / 'erp.sqlite'}"
    with create_engine(database).begin() as erp:
        erp.execute(text("create table o (no text, customer text, placed text, promised text, version integer)"))
        erp.execute(text("insert into o values ('O1','C1','2026-03-02T10:00:00','2026-03-10',1)"))
        erp.execute(text("insert into o values ('O2','C2','2026-06-05T10:00:00','2026-06-10',2)"))
    monkeypatch.setenv("ERP", database)
    source.origin["orders"] = (
        'connection = "env:ERP"\nquery = "select * from o where version > :cursor order by version"\n'
        'cursor = "version"\ncursor_start = 0'
    )
    source.take_in()
    with reading(source.location) as connection:
        assert [row["order_id"] for row in rows(connection, "orders")] == ["O1"]
    source.take_in(now=NOW + timedelta(days=6))
    with reading(source.location) as connection:
        assert [row["order_id"] for row in rows(connection, "orders")] == ["O1", "O2"]
        assert {row.status for row in kept(connection) if row.feed == "orders"} == {"dropped"}
    assert [file.rows_in for file in source.take_in(now=NOW + timedelta(days=7)).files if file.feed == "orders"] == [0]
