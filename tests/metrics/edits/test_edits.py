"""Edits: the preview equals the numbers after the run, changes are recorded, reverting restores the numbers."""

import shutil
from datetime import date, datetime
from typing import Any

import pytest

from ingest import saved_edits
from metrics.edits import edits
from metrics.edits.edits import Edit
from metrics.edits.preview import Change, affected_measures, preview, preview_connection
from metrics.edits.validation import validate_edit
from metrics.errors import BuildFailed, ChangedMeanwhile
from metrics.facts.assumptions import ASSUMPTIONS
from metrics.lists import options
from metrics.measures.catalog import MEASURES
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.store.connection import open_store
from metrics.warehouse import Location, close, reading
from tests.dashboard import small_warehouse

START, END = date(2025, 7, 1), date(2026, 6, 30)
SINCE = date(2020, 1, 1)


@pytest.fixture
def no_ledgers() -> None:
    """Edits reach numbers through fact tables, so all are built here."""


@pytest.fixture
def filled(sample: Location, location: Location) -> Location:
    """A copy of the sample that tests may change."""
    assert sample.folder is not None
    assert location.folder is not None
    shutil.copytree(sample.folder, location.folder)
    return location


def an_edit(feed: str, *key: str, since: date = SINCE, **values: str | None) -> Edit:
    return Edit(feed, key, since, values, note="because")


def save(location: Location, edit: Edit, who: str = "Ada") -> None:
    with reading(location) as connection, open_store(location) as store:
        one = edits.edit_from_row(store, validate_edit(connection, edit))
        rows = edits.merged(edit.feed, edits.rows_of(connection, edit.feed), edits.saved_entries(store, edit.feed))
        edits.save(store, who, one, edits.value_at(edit.feed, rows, one))


def numbers(connection: Any) -> dict[Any, Any]:
    """Return the answers of every measure and every target."""
    view = {"start": START, "end": END}
    asked = [
        *answer(connection, Question(tuple(MEASURES), **view)),
        *answer(connection, Question(("otif",), by=("segment",), **view)),
        *answer(connection, Question(("zone", "zone_sales"), by=("zone",), **view)),
    ]
    return {
        **{
            (one.measure, *one.dimensions.values()): (one.value, one.numerator, one.denominator, one.no_data)
            for one in asked
        },
        **{
            (row["measure"], row["scope"]): (row["target_value"], row["tolerance"])
            for row in options.targets_on(connection, END)
        },
    }


EVERY_KIND = {
    "a stockout cost": an_edit("assumptions", "wait_cost", "all", assumed_value="7"),
    "a fill input": an_edit("assumptions", "fill_back_order_cost", "all", assumed_value="99.5"),
    "a zone cut": an_edit("assumptions", "zone_sales_cut", "all", assumed_value="123456"),
    "a package": an_edit("service_packages", "A", order_fill_min="0.5", lead_time_days_max="9"),
    "a target": an_edit("targets", "otif", "all", target_value="0.99", tolerance="0.001"),
}


def what_is_previewed_is_what_comes(location: Location, kinds: list[str]) -> None:
    with reading(location) as connection:
        first = numbers(connection)
    for kind in kinds:
        edit = EVERY_KIND[kind]
        shown = preview(location, edit, start=START, end=END)
        assert shown.moved, kind
        assert {one.measure for one in shown.moved} <= {*affected_measures(edit)}
        assert all(first[_place(one)] == _told(one.now) for one in shown.moved if not one.of)
        save(location, edit)
    assert shown.others == len(kinds) - 1, "what was saved before comes with it"
    with open_store(location, write=False) as store:
        wrote = {feed: edits.saved_entries(store, feed) for feed in edits.TABLES}
    with preview_connection(location, wrote) as connection:
        foreseen = numbers(connection)
    assert saved_edits.ingest_saved_edits(location=location).outcome == "published"  # type: ignore[union-attr]
    assert waiting(location) == []
    with reading(location) as connection:
        came = numbers(connection)
    assert came == foreseen
    assert came != first
    assert all(came[_place(one)] == _told(one.then) for one in shown.moved if not one.of)
    with open_store(location) as store:
        changed = [change for feed in edits.TABLES for change in edits.changes(store, feed)]
        assert len(changed) == len(kinds)
        for change in changed:
            edits.save(store, "Bo", edits.reverting(store, change), change["after"])
    saved_edits.ingest_saved_edits(location=location)
    with reading(location) as connection:
        assert numbers(connection) == first


def _place(one: Change) -> tuple[str, ...]:
    return (one.measure, *one.of.values())  # type: ignore[arg-type]


def _told(one: Answer | None) -> tuple[Any, ...]:
    assert one is not None
    return one.value, one.numerator, one.denominator, one.no_data


@pytest.mark.long  # several whole runs
def test_edit_preview_equals_the_result_and_undo_restores_the_data(filled: Location) -> None:
    what_is_previewed_is_what_comes(filled, ["a stockout cost", "a zone cut", "a package", "a target"])


@pytest.mark.long
def test_preview_of_every_kind_of_edit_equals_the_result(filled: Location) -> None:
    what_is_previewed_is_what_comes(filled, list(EVERY_KIND))


@pytest.mark.long
@pytest.mark.postgres
def test_edit_preview_equals_the_result_on_a_server(server_location: Location) -> None:
    small_warehouse.publish(server_location, count=30)
    what_is_previewed_is_what_comes(server_location, ["a stockout cost", "a target"])
    close(server_location)


@pytest.mark.long
def test_edit_changes_only_the_measures_listed_in_its_preview(filled: Location) -> None:
    nothing: dict[str, list[Any]] = {feed: [] for feed in edits.TABLES}
    with reading(filled) as connection:
        now = numbers(connection)
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in ASSUMPTIONS:
        groups.setdefault(affected_measures(an_edit("assumptions", name, "all", assumed_value="1")), []).append(name)
    for measures, names in groups.items():
        changed = datetime(2026, 7, 1)
        other = [
            {**an_edit("assumptions", name, "all", assumed_value="0.37").row, "deleted": False, "changed_at": changed}
            for name in names
        ]
        with preview_connection(filled, {**nothing, "assumptions": other}) as connection:
            then = numbers(connection)
        assert {key[0] for key in {**now, **then} if then.get(key) != now.get(key)} <= {*measures}, names


def test_change_history_lists_the_user_and_the_old_and_new_values(filled: Location) -> None:
    edit = EVERY_KIND["a target"]
    with reading(filled) as connection:
        was = edits.value_at("targets", edits.rows_of(connection, "targets"), edit)
    save(filled, edit)
    save(filled, an_edit("targets", "otif", "all", target_value="0.97", tolerance=None), who="Bo")
    with open_store(filled, write=False) as store:
        last, first = edits.changes(store, "targets")
    assert (first["who"], first["what"], first["before"]) == ("Ada", "targets set", was)
    assert (last["who"], last["before"]) == ("Bo", {"target_value": "0.99", "tolerance": "0.001"})
    assert last["after"] == {
        "measure": "otif",
        "scope": "all",
        "valid_from": "2020-01-01",
        "note": "because",
        "was": None,
        "target_value": "0.97",
        "tolerance": None,
    }


def test_second_user_who_changes_the_same_edit_gets_an_error(filled: Location) -> None:
    edit = EVERY_KIND["a target"]
    save(filled, edit)
    with pytest.raises(ChangedMeanwhile, match="Ada"), open_store(filled) as store:
        edits.save(store, "Bo", edit, None)


def test_edit_of_a_failed_run_stays_pending_with_the_reason(filled: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    edit = EVERY_KIND["a stockout cost"]
    save(filled, edit)

    def refuse(*_: object, **__: object) -> None:
        raise BuildFailed("here", "the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr("ingest.pipeline.writing", refuse)
        with pytest.raises(BuildFailed):
            saved_edits.ingest_saved_edits(location=filled)
    assert [one["assumed_value"] for one in waiting(filled)] == [7]
    with open_store(filled, write=False) as store:
        assert "the disk is full" in (edits.failure(store, datetime(2020, 1, 1)) or "")
        assert edits.failure(store, datetime(2100, 1, 1)) is None, "what was written since was not tried yet"


def waiting(location: Location) -> list[Any]:
    with reading(location) as connection, open_store(location, write=False) as store:
        return edits.pending(
            "assumptions", edits.rows_of(connection, "assumptions"), edits.saved_entries(store, "assumptions")
        )


REFUSED = (
    (an_edit("assumptions", "package_share", "all", assumed_value="95"), "25 % is 0.25"),
    (an_edit("assumptions", "wait_cost", "all", assumed_value="lots"), "is not a number"),
    (an_edit("assumptions", "wait_cost", "all", assumed_value=None), "enter a number"),
    (an_edit("assumptions", "wait_cost", "all", assumed_value="nan"), "is out of range: enter a number from 0 to"),
    (an_edit("assumptions", "wait_cost", "all", assumed_value="0.1234567"), "more than 6 decimals"),
    (an_edit("assumptions", "zone_cost_as_share", "all", assumed_value="0.5"), "1 \\(yes\\) or 0 \\(no\\)"),
    (an_edit("assumptions", "weather", "all", assumed_value="1"), "there is no assumption named weather"),
    (an_edit("assumptions", "wait_cost", "segment:Z", assumed_value="1"), "is not in these data"),
    (an_edit("assumptions", "wait_cost", "customer:nobody", assumed_value="1"), "is not in these data"),
    (
        an_edit("assumptions", "wait_cost", "all", since=date(1850, 1, 1), assumed_value="1"),
        "cannot start on 1850-01-01",
    ),
    (an_edit("targets", "otif", "all", target_value="95"), "enter a number from 0 to 1 "),
    (an_edit("targets", "otif", "all", target_value="0.9", tolerance="-1"), "Tolerance"),
    (an_edit("targets", "zone", "all", target_value="1"), "higher or lower is better"),
    (an_edit("service_packages", "Q", order_fill_min="0.9"), "segment 'Q' has neither customers nor a package"),
    (an_edit("service_packages", "A", lead_time_days_max="2.5"), "whole number"),
    (an_edit("service_packages", "A", delivery_window="soon"), "choose one of hour, day, week"),
    (an_edit("service_packages", "A", order_fill_min=""), "fill at least one"),
)


def test_invalid_edit_is_refused_with_a_message(filled: Location) -> None:
    with reading(filled) as connection:
        for edit, why in REFUSED:
            with pytest.raises(ValueError, match=why):
                validate_edit(connection, edit)
        (customer, *_) = options.options(connection, "customer")
        assert (
            validate_edit(
                connection, an_edit("targets", "otif", f"customer:{customer}", target_value=" 0.950 ")
            ).values["target_value"]
            == "0.95"
        )
