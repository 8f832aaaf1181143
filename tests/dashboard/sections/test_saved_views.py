"""Saved views, and the page that lists them with the alert rules."""

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from dashboard.frame import save_view
from metrics.alerts import storage
from metrics.alerts.rules import BELOW, Rule
from metrics.store import saved_views
from metrics.store.connection import open_store
from metrics.warehouse import Location
from tests.dashboard.conftest import Open, markup

AT = datetime(2026, 7, 1)


@pytest.fixture
def desk(small_home: Path, tmp_path: Path, at_home: Callable[[Path], None]) -> Location:
    """A copy of the small warehouse that tests may change."""
    home = Path(shutil.copytree(small_home, tmp_path / "home"))
    at_home(home)
    return Location(folder=home)


def test_saved_view_stores_page_and_filters_without_the_data_version(desk: Location, open_page: Open) -> None:
    at = open_page(segment=["A"], period="26W")
    at.text_input("view_by").input("Ada")
    at.text_input("view_name").input("Half a year of A")
    next(one for one in at.button if one.label == "Save view").click().run()
    with open_store(desk) as store:
        (view,) = saved_views.views(store, "Ada")
    assert (view["name"], view["owner"], view["page"], view["shared"]) == ("Half a year of A", "Ada", "", True)
    assert sorted(view["query"].split("&")) == ["period=26W", "segment=A"]
    html = markup(open_page("views_and_alerts"))
    assert 'href="/?' in html
    assert "Half a year of A" in html
    assert "buyerview digest --view &#x27;Half a year of A&#x27; --pdf" in html


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("", set[str]()),
        ("stockouts", set[str]()),
        ("failed-orders", {"compare", "grain"}),
        ("at-risk", {"period", "dates", "compare", "grain"}),
        ("export", {"compare"}),
    ],
)
def test_saved_view_leaves_out_filters_that_its_page_does_not_use(path: str, missing: set[str]) -> None:
    assert set(save_view._parameters_of_other_pages(path)) == missing


def test_saved_view_names_missing_values_and_private_views_are_hidden_from_others(
    desk: Location, open_page: Open
) -> None:
    with open_store(desk) as store:
        saved_views.save(store, "Ada", "Gone", "stockouts", "segment=Z&measure=never", shared=True, at=AT)
        saved_views.save(store, "Ada", "Mine <i>only</i>", "", "", shared=False, at=AT)
    html = markup(open_page("views_and_alerts"))
    assert "no longer available: segment Z, the measure never" in html
    assert "Mine" not in html


def test_saved_views_can_be_replaced_renamed_and_deleted(desk: Location) -> None:
    with open_store(desk) as store:
        first = saved_views.save(store, "Ada", "A", "", "segment=A", shared=False, at=AT)
        assert saved_views.save(store, "Ada", "A", "", "segment=B", shared=False, at=AT) == first
        other = saved_views.save(store, "Bob", "A", "", "segment=C", shared=True, at=AT)
        assert [view["query"] for view in saved_views.views(store, "Ada")] == ["segment=B", "segment=C"]
        saved_views.rename(store, "Ada", first, "Z", shared=True, at=AT)
        saved_views.remove(store, "Bob", other)
        assert [(view["name"], view["owner"]) for view in saved_views.views(store, "Bob")] == [("Z", "Ada")]


def test_alert_rule_form_shows_past_firings_and_saves_the_rule(
    desk: Location, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = open_page("views_and_alerts")
    assert "No alert rules yet" in markup(at)
    assert "Over the last 26 weeks it would have fired" in markup(at)
    at.text_input("rule_name_0_0").input("Late")
    monkeypatch.setenv("BUYERVIEW_MAIL_FROM", "b@example.com")
    at.text_input("rule_mail_0_0").input("ops@example.org").run()
    at.button("rule_save").click().run()
    assert "outside the allowed domains" in markup(at)
    assert "Enter your name at the top of this form" in markup(at)
    at.text_input(key="who").set_value("Ada").run()
    monkeypatch.setenv("BUYERVIEW_MAIL_DOMAINS", "example.org")
    at.button("rule_save").click().run()
    with open_store(desk) as store:
        (rule,) = storage.rules(store)
    assert at.text_input("rule_name_0_0_next").value == ""
    assert (rule.name, rule.measure, rule.channels) == ("Late", "otif", ("mailto:ops@example.org",))
    assert rule.owner == "Ada"
    assert "inconclusive" in markup(at)
    assert "Late" in markup(at)


def test_alert_rule_can_be_filtered_by_any_dimension_and_has_a_minimum_coverage(
    desk: Location, open_page: Open
) -> None:
    at = open_page("views_and_alerts")
    at.text_input(key="who").set_value("Ada")
    at.text_input("rule_name_0_0").input("A slow carrier")
    at.multiselect("rule_by_0_0").set_value(["carrier", "customer"]).run()
    at.multiselect("rule_carrier_0_0").set_value(["Blitz"])
    at.number_input("rule_known_0_0").set_value(75.0).run()
    at.button("rule_save").click().run()
    with open_store(desk, write=False) as store:
        (rule,) = storage.rules(store)
    assert (rule.where, rule.min_coverage) == ((("carrier", ("Blitz",)),), 0.75)
    at.button("rule_open").click().run()
    assert at.multiselect("rule_carrier_1_1_next").value == ["Blitz"]


def test_invalid_alert_rule_shows_the_reason_and_is_not_saved(desk: Location, open_page: Open) -> None:
    at = open_page("views_and_alerts")
    at.text_input("rule_name_0_0").input("Late")
    at.text_input("rule_mail_0_0").input("nobody").run()
    at.button("rule_save").click().run()
    assert "&#x27;nobody&#x27; is not an e-mail address" in markup(at)
    with open_store(desk) as store:
        assert storage.rules(store) == []


def test_pending_message_shows_the_reason(desk: Location, open_page: Open) -> None:
    with open_store(desk) as store:
        storage.save(store, "Ada", Rule("Late", "gone", BELOW, limit=0.5), at=AT)
        storage.write_message(store, "1", "webhook:OPS", "Alert: Late", {}, due_at=AT)
        storage.mark_failed(store, storage.due_messages(store, AT)[0], "the webhook answered 503", at=AT)
    html = markup(open_page("views_and_alerts"))
    assert "the webhook answered 503" in html
    assert "gone (no longer in the catalogue)" in html
