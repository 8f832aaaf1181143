"""User edits enter the numbers by an ordinary run. A resolved order moves recovery by exactly that order."""

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update

from ingest import saved_edits
from metrics.errors import NothingPublished
from metrics.queries.answer import Question, answer
from metrics.schema import runs, service_cases
from metrics.store import tables, work_items
from metrics.store.connection import open_store
from metrics.store.work_items import Item
from metrics.warehouse import Location, close, current, reading
from tests.dashboard import small_warehouse

MEASURES = ("recovered_share", "failures_undetected", "failed_orders")
LATE_CAME = datetime(2026, 6, 13)


@pytest.fixture
def no_ledgers() -> None:
    """Recovery has its own fact table, so all fact tables are built here."""


@pytest.fixture
def filled(location: Location) -> Iterator[Location]:
    small_warehouse.publish(location, count=30)
    yield location
    close(location)


def put_right(location: Location, order_id: str, at: datetime) -> None:
    moments: dict[str, Any] = {"detected_at": LATE_CAME, "acknowledged_at": None, "resolved_at": at}
    with open_store(location) as store:
        work_items.resolve(store, "Ada", work_items.item(store, order_id), remedy="credited", note=None, **moments)


def numbers(location: Location) -> dict[str, tuple[Decimal | None, Decimal | None]]:
    with reading(location) as connection:
        return {one.measure: (one.numerator, one.denominator) for one in answer(connection, Question(MEASURES))}


def test_resolving_an_order_changes_the_recovery_measures_by_that_order_only(filled: Location) -> None:
    with open_store(filled) as store:
        work_items.assign(store, "Ada", [Item("HAND-LATE")], "Ada", at=LATE_CAME)
    assert saved_edits.ingest_saved_edits(location=filled) is None, "nothing was put right"
    assert current(filled).number == 1  # type: ignore[union-attr]
    put_right(filled, "HAND-SHORT", LATE_CAME + timedelta(days=1))
    first = saved_edits.ingest_saved_edits(location=filled)
    assert first is not None
    assert (first.outcome, first.source, first.data_as_of) == (
        "published",
        "written in Buyerview",
        small_warehouse.AS_OF,
    )
    before = numbers(filled)

    put_right(filled, "HAND-LATE", LATE_CAME + timedelta(days=3))
    put_right(
        filled, "HAND-DAMAGED", small_warehouse.AS_OF + timedelta(days=9)
    )  # after the data's watermark: noticed, not yet resolved
    assert saved_edits.ingest_saved_edits(location=filled).outcome == "published"  # type: ignore[union-attr]
    after = numbers(filled)
    assert after["failed_orders"] == before["failed_orders"]
    assert after["recovered_share"][0] - before["recovered_share"][0] == 1  # type: ignore[operator]
    assert after["recovered_share"][1] == before["recovered_share"][1]
    assert before["failures_undetected"][0] - after["failures_undetected"][0] == 2  # type: ignore[operator]

    assert saved_edits.ingest_saved_edits(location=filled).outcome == "unchanged"  # type: ignore[union-attr]
    with reading(filled) as connection:
        assert connection.scalar(select(func.max(runs.c.data_as_of))) == small_warehouse.AS_OF
        found = connection.execute(select(service_cases).order_by(service_cases.c.case_id)).mappings().all()
    assert [(row["case_id"], row["kind"], row["resolved_at"]) for row in found] == [
        ("buyerview:HAND-DAMAGED", None, None),
        ("buyerview:HAND-LATE", None, LATE_CAME + timedelta(days=3)),
        ("buyerview:HAND-SHORT", None, LATE_CAME + timedelta(days=1)),
    ]


def test_saved_edits_are_refused_without_published_data(location: Location) -> None:
    with open_store(location) as store:
        moments: dict[str, Any] = {"detected_at": LATE_CAME, "acknowledged_at": None, "resolved_at": LATE_CAME}
        work_items.resolve(store, "Ada", Item("O1"), remedy="apology", note=None, **moments)
    with pytest.raises(NothingPublished):
        saved_edits.ingest_saved_edits(location=location)


def test_saved_edits_are_validated_without_great_expectations(
    filled: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edits keep the same rules. A case that was answered before it was opened goes to quarantine."""
    put_right(filled, "HAND-LATE", LATE_CAME)
    with open_store(filled) as store:
        store.execute(update(tables.work_items).values(detected_at=LATE_CAME + timedelta(days=1)))
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    report = saved_edits.ingest_saved_edits(location=filled)
    assert report is not None
    assert {(rule.feed, rule.rule, rule.rows) for rule in report.rules_broken} == {
        ("service_cases", "acknowledged_at_not_before_opened_at", 1),
        ("service_cases", "resolved_at_not_before_opened_at", 1),
    }


@pytest.mark.long
@pytest.mark.postgres
def test_server_reads_saved_edits_from_its_own_schema(server_location: Location) -> None:
    small_warehouse.publish(server_location, count=5)
    put_right(server_location, "HAND-LATE", LATE_CAME + timedelta(days=1))
    assert saved_edits.ingest_saved_edits(location=server_location).outcome == "published"  # type: ignore[union-attr]
    assert saved_edits.ingest_saved_edits(location=server_location).outcome == "unchanged"  # type: ignore[union-attr]
    with reading(server_location) as connection:
        assert connection.scalar(select(service_cases.c.resolved_at)) == LATE_CAME + timedelta(days=1)


def test_resolved_orders_are_not_counted_as_cases_raised_by_buyers(filled: Location) -> None:
    """Measures of customer cases still name the missing column, and the first to notice stays unknown."""
    put_right(filled, "HAND-SHORT", LATE_CAME + timedelta(days=1))
    assert saved_edits.ingest_saved_edits(location=filled) is not None
    buyers = ("special_granted", "special_met", "responsiveness", "post_sale_support", "post_sale_hours_p50")
    with reading(filled) as connection:
        found = {
            one.measure: one
            for one in answer(connection, Question((*buyers, "failure_detected_by_us", "recovered_share")))
        }
    assert found["recovered_share"].denominator
    assert found["failure_detected_by_us"].denominator in (None, 0)
    assert {found[name].no_data for name in buyers} == {"no data: kind of case (map service_cases.kind)"}
