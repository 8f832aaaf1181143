"""Verify an export after a run. It names a changed assumption and a rejected record as the causes, and nothing else."""

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Executable, delete, update

from ingest import saved_edits
from metrics.edits import edits
from metrics.edits.edits import Edit
from metrics.edits.validation import validate_edit
from metrics.model.question import Question
from metrics.provenance.provenance import provenance, rows_hash
from metrics.provenance.run_chain import check_runs
from metrics.provenance.verify import Verified, verify
from metrics.queries.answer_table import answer_table
from metrics.schema import run_files, runs
from metrics.store.connection import open_store
from metrics.warehouse import Location, close, reading, writing
from tests.dashboard import small_warehouse
from tests.ingest.files import LINES, ORDERS, SHIPMENTS, Source

SINCE = date(2020, 1, 1)
Export = tuple[list[str], list[tuple[Any, ...]], dict[str, Any]]


def export(location: Location, question: Question) -> Export:
    with reading(location) as connection:
        answers, recorded = answer_table(connection, question), provenance(connection, question)
    columns, rows = list(answers.columns), answers.rows
    return columns, rows, {**recorded, "rows_sha256": rows_hash(columns, rows)}


def assume(location: Location, value: str) -> None:
    edit = Edit("assumptions", ("wait_cost", "all"), SINCE, {"assumed_value": value}, note="asked the planner")
    with reading(location) as connection, open_store(location) as store:
        one = edits.edit_from_row(store, validate_edit(connection, edit))
        rows = edits.merged(edit.feed, edits.rows_of(connection, edit.feed), edits.saved_entries(store, edit.feed))
        edits.save(store, "Ada", one, edits.value_at(edit.feed, rows, one))
    report = saved_edits.ingest_saved_edits(location=location)
    assert report is not None
    assert report.outcome == "published"


def moved(result: Verified) -> dict[str | None, dict[str, tuple[str | None, str | None]]]:
    return {one.row["measure"]: one.columns for one in result.now}


class TestAssumption:
    """Fact tables are built, because assumptions reach numbers through them."""

    @pytest.fixture
    def no_ledgers(self) -> None:
        """Fact tables are not needed here."""

    @pytest.fixture
    def filled(self, location: Location) -> Iterator[Location]:
        small_warehouse.publish(location, count=20)
        yield location
        close(location)

    def test_verify_names_an_assumption_changed_since_with_old_and_new_value(self, filled: Location) -> None:
        assume(filled, "7")
        question = Question(("stockout_cost_waited", "otif", "failed_orders"))
        file = export(filled, question)
        assume(filled, "9")
        result = verify(filled, *file)
        assert result.is_genuine
        assert result.own == []
        before, after = moved(result)["stockout_cost_waited"]["value"]
        assert float(after or 0) / float(before or 0) == pytest.approx(9 / 7)
        assert set(moved(result)) == {"stockout_cost_waited"}, "nothing else moved"
        assert all(not changes for one in result.now for changes in one.orders.values()), (
            "no record of an order changed"
        )
        ((feed, (change,)),) = result.elsewhere.items()
        assert (feed, change.how, json.loads(change.key)["assumption"]) == ("assumptions", "correction", "wait_cost")
        assert [float(json.loads(one or "{}")["assumed_value"]) for one in (change.before, change.after)] == [7, 9]


QUESTION = Question(("otif", "orders"), by=("customer",), start=date(2026, 3, 1), end=date(2026, 3, 31))


@pytest.mark.long
def test_verify_names_a_record_rejected_since_with_its_rule_and_order(source: Source) -> None:
    source.take_in()
    file = export(source.location, QUESTION)
    source.write("orders.csv", ORDERS + "O3,C3,2026-03-02,2026-03-10\n")
    source.write("order_lines.csv", LINES + "O1,3,P1,many\n")
    source.take_in(now=datetime(2026, 6, 2))
    result = verify(source.location, *file)
    assert result.is_genuine
    named = {one.row["customer"]: one.orders for one in result.now}
    assert {order for orders in named.values() for order in orders} == {"O1", "O3"}
    (held,) = named["C1"]["O1"]
    assert (held.feed, held.how) == ("order_lines", "put into quarantine")
    assert (held.after or "").startswith("qty 'many': Write a plain number")
    assert {one.feed for one in named["C3"]["O3"]} == {"orders"}


@pytest.mark.long
def test_verify_does_not_list_a_rejected_version_that_changes_nothing(source: Source) -> None:
    source.take_in()
    file = export(source.location, QUESTION)
    source.write("shipments.csv", SHIPMENTS.replace("S1,2026-03-08,2026-03-09", "S1,2026-03-08,soon"))
    source.take_in(now=datetime(2026, 6, 2))
    result = verify(source.location, *file)
    assert (result.is_genuine, result.newest, result.now, result.elsewhere) == (True, result.generation + 1, [], {})


@pytest.mark.long
def test_c25_a_run_ledger_that_was_changed_by_hand_is_reported(source: Source) -> None:
    for customer in ("C1", "C3", "C4"):
        source.write("orders.csv", ORDERS.replace("O1,C1", f"O1,{customer}"))
        assert source.take_in().outcome == "published"
    tampered: list[tuple[Executable, tuple[int, ...]]] = [
        (update(runs).where(runs.c.run_id == 2).values(data_as_of=datetime(2020, 1, 1)), (2,)),
        (update(run_files).where(run_files.c.run_id == 2).values(sha256="0" * 64), (2,)),
        (delete(run_files).where(run_files.c.run_id == 1), (1,)),
        (delete(runs).where(runs.c.run_id == 2), (2, 3)),
        (update(runs).where(runs.c.run_id == 3).values(sha256=None), (3,)),
    ]
    with writing(source.location) as build:
        chain = check_runs(build.connection)
        assert (chain.entries, chain.without_hash, chain.broken) == (3, 0, ())
        for statement, broken in tampered:
            build.connection.execute(statement)
            assert check_runs(build.connection).broken == broken, str(statement)
            build.connection.rollback()
    close(source.location)
