"""The work pages: assignments, comments and resolutions are stored and shown to other users."""

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components import formatting, locale
from dashboard.orders.work_panel import likely_moments
from metrics.lists.failed_orders import failed_orders
from metrics.store import work_items
from metrics.store.connection import open_store
from metrics.store.work_items import Item
from metrics.warehouse import Location, reading
from tests.dashboard.conftest import Open, markup

DUE = {"period": "All"}
AT = datetime(2026, 6, 20, 9)


@pytest.fixture
def desk(small_home: Path, tmp_path: Path, at_home: Callable[[Path], None]) -> Location:
    """A copy of the small warehouse that tests may change."""
    home = tmp_path / "desk"
    shutil.copytree(small_home, home)
    at_home(home)
    return Location(folder=home)


def write(at: AppTest, name: str = "Ada") -> AppTest:
    return at.text_input(key="who").set_value(name).run()


def item(place: Location, order_id: str) -> Item:
    with open_store(place) as store:
        return work_items.item(store, order_id)


def test_several_orders_can_be_assigned_at_once_and_the_list_shows_the_owner(desk: Location, open_page: Open) -> None:
    at = open_page("failed_orders", **DUE)
    at.checkbox(key="work_all").check().run()
    at.button(key="work_assign_go").click().run()
    assert "Enter your name" in markup(at)
    write(at)
    at.button(key="work_assign_go").click().run()
    assert not at.exception
    with reading(desk) as connection:
        first = [row["order_id"] for row in failed_orders(connection, sort="deadline", resolved=False, size=25).rows]
    with open_store(desk) as store:
        assert work_items.order_ids(store, owner="Ada") == sorted(first)
    assert markup(at).count("<b>Ada</b>") == 25
    at = open_page("failed_orders", show="unassigned", **DUE)
    assert "<b>Ada</b>" not in markup(at)
    assert not at.exception


def test_resolving_an_order_on_its_page_removes_it_from_the_open_list(desk: Location, open_page: Open) -> None:
    at = write(open_page("order_story", order="HAND-LATE"), "Bo")
    at.text_area(key="work_text_HAND-LATE").set_value("called <b>them</b>")
    at.button(key="FormSubmitter:work_comment_HAND-LATE-Add comment").click().run()
    assert "called &lt;b&gt;them&lt;/b&gt;" in markup(at)
    at.radio(key="work_remedy_HAND-LATE").set_value("credited")
    at.text_input(key="work_note_HAND-LATE").set_value("freight credited")
    at.button(key="FormSubmitter:work_resolving_HAND-LATE-Resolve order").click().run()
    assert not at.exception
    done = item(desk, "HAND-LATE")
    assert (done.status, done.remedy, done.remedy_note, done.resolved_by) == (
        "resolved",
        "credited",
        "freight credited",
        "Bo",
    )
    assert "Resolved by Bo, credited: freight credited" in markup(at)
    shown = {
        show: markup(open_page("failed_orders", show=show, sort="late", reason="late", **DUE))
        for show in ("open", "resolved")
    }
    assert "Credited</span>" in shown["resolved"]
    assert "Credited</span>" not in shown["open"]
    at = open_page("order_story", order="HAND-LATE")
    at.button(key="work_reopen").click().run()
    assert item(desk, "HAND-LATE").status == "open"


def test_resolution_times_are_entered_in_the_business_time_zone(
    desk: Location, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(locale.ZONE, "Europe/Berlin")
    at = write(open_page("order_story", order="HAND-LATE"), "Bo")
    at.radio(key="work_remedy_HAND-LATE").set_value("credited")
    for name, minute in (("detected", 10), ("acknowledged", 20), ("resolved", 30)):
        field = at.datetime_input(key=f"work_{name}_at_HAND-LATE")
        assert field.label.endswith("(CEST)")
        field.set_value(datetime(2026, 6, 20, 9, minute))
    at.button(key="FormSubmitter:work_resolving_HAND-LATE-Resolve order").click().run()
    done = item(desk, "HAND-LATE")
    assert (done.detected_at, done.resolved_at) == (datetime(2026, 6, 20, 7, 10), datetime(2026, 6, 20, 7, 30))
    assert "09:30 CEST" in markup(at)


def test_assigned_order_can_be_resolved_with_the_default_times_of_the_form(desk: Location, open_page: Open) -> None:
    """Assigning sets the moment of detection. The form offers the earlier moment of the buyer's message as well."""
    at = write(open_page("order_story", order="HAND-LATE"), "Bo")
    at.button(key="work_take").click().run()
    assert at.radio(key="work_remedy_HAND-LATE").value is None
    at.button(key="FormSubmitter:work_resolving_HAND-LATE-Resolve order").click().run()
    assert [error.value for error in at.error] == [formatting.markdown("Choose a remedy.")]
    at.radio(key="work_remedy_HAND-LATE").set_value("replaced")
    at.button(key="FormSubmitter:work_resolving_HAND-LATE-Resolve order").click().run()
    assert not at.error
    assert item(desk, "HAND-LATE").status == "resolved"


def test_resolving_with_times_out_of_order_shows_an_error(desk: Location, open_page: Open) -> None:
    at = write(open_page("order_story", order="HAND-LATE"), "Bo")
    at.radio(key="work_remedy_HAND-LATE").set_value("replaced")
    at.datetime_input(key="work_resolved_at_HAND-LATE").set_value(datetime(2020, 1, 1))
    at.button(key="FormSubmitter:work_resolving_HAND-LATE-Resolve order").click().run()
    assert [error.value for error in at.error] == [
        formatting.markdown("The times are out of order: detected, then buyer informed, then resolved.")
    ]
    assert item(desk, "HAND-LATE").status == "open"


def test_default_resolution_times_are_in_chronological_order() -> None:
    nine, ten, noon = (datetime(2026, 6, 20, hour) for hour in (9, 10, 12))
    assert likely_moments(noon, (ten, None), (None, nine)) == {
        "detected": nine,
        "acknowledged": nine,
        "resolved": noon,
    }
    assert likely_moments(nine, (None, None), (None, None)) == dict.fromkeys(
        ("detected", "acknowledged", "resolved"), nine
    )
    assert likely_moments(nine, (ten, nine), (noon, None)) == {
        "detected": nine,
        "acknowledged": noon,
        "resolved": noon,
    }


def test_second_save_of_the_same_order_is_rejected_and_names_the_first_user(desk: Location, open_page: Open) -> None:
    at = write(open_page("order_story", order="HAND-SHORT"), "Bo")
    with open_store(desk) as store:
        work_items.assign(store, "Ada", [Item("HAND-SHORT")], "Ada", at=AT)
    at.button(key="work_take").click().run()
    assert "Ada changed order HAND-SHORT" in markup(at)
    assert item(desk, "HAND-SHORT").owner == "Ada"


def test_order_missing_from_the_data_is_shown_with_its_saved_edits(desk: Location, open_page: Open) -> None:
    with open_store(desk) as store:
        work_items.assign(store, "Ada", [Item("GONE-1", customer="Acme & Sons")], "Ada", at=AT)
    at = open_page("order_story", order="GONE-1")
    assert not at.exception
    assert "no longer in the data" in markup(at)
    assert "Acme &amp; Sons" in markup(at)
    assert "no longer in the data:</b> <a" in markup(open_page("failed_orders", show="open", **DUE))


def test_order_search_matches_part_of_the_order_number(desk: Location, open_page: Open) -> None:  # noqa: ARG001
    assert "HAND-DAMAGED" in markup(open_page("order_story", order="damag"))
    assert "No order chosen" in markup(open_page("order_story"))


def test_order_list_is_shown_if_the_store_cannot_be_read(desk: Location, open_page: Open) -> None:
    assert desk.folder is not None
    (desk.folder / "store.sqlite").write_text("no database at all, though long enough to be looked at " * 20)
    at = open_page("failed_orders", **DUE)
    assert not at.exception
    assert "cannot be read or written" in markup(at)
    assert 'class="bv bv-item"' in markup(at)


def test_orders_at_risk_and_order_story_name_the_missing_feed(desk: Location, open_page: Open) -> None:  # noqa: ARG001
    at = open_page("at_risk")
    assert not at.exception
    assert "No feed: order events" in markup(at) + " ".join(caption.value for caption in at.caption).replace("\\", "")
    assert "No feed: order events" in markup(open_page("order_story", order="HAND-LATE"))


def test_resolved_and_open_orders_add_up_to_all_failed_orders(desk: Location) -> None:
    with reading(desk) as connection:
        whole = failed_orders(connection, size=500)
        ids = [row["order_id"] for row in whole.rows]
        done = failed_orders(connection, resolved=True, done=ids[:3], size=500)
        to_do = failed_orders(connection, resolved=False, done=ids[:3], size=500)
        assert [row["order_id"] for row in done.rows] == ids[:3]
        assert [row["order_id"] for row in to_do.rows] == ids[3:]
        assert failed_orders(connection, among=(), size=500).total == 0
        assert failed_orders(connection, among=ids[:5], but=ids[4:], size=500).total == 4
