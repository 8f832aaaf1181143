"""Roles on pages: what a person may not do is not offered, and refused if forced; the page of access."""

import shutil
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.frame import access as lookups
from metrics.access import Access, Role
from metrics.store import access, audit, notes
from metrics.store.connection import open_store
from metrics.warehouse import Location
from tests.dashboard.conftest import Open, markup

Become = Callable[[Role | None], None]
WRITING = {"Assign orders", "Unassign", "Save view", "Save rule", "Preview edit", "Give access", "Remove access"}
OFFERED = {
    Role.VIEWER: set[str](),
    Role.AGENT: {"Assign orders", "Unassign"},
    Role.ANALYST: {"Assign orders", "Unassign", "Save view", "Save rule"},
    Role.EDITOR: WRITING - {"Give access", "Remove access"},
    Role.ADMINISTRATOR: WRITING,
}
PAGES = ("failed_orders", "views_and_alerts", "definitions", "access")


@pytest.fixture
def place(small_home: Path, tmp_path: Path, at_home: Callable[[Path], None]) -> Location:
    """A copy of the small warehouse, with an administrator, so that tests can write."""
    shutil.copytree(small_home, tmp_path / "home")
    at_home(tmp_path / "home")
    location = Location(folder=tmp_path / "home")
    with open_store(location) as store:
        access.grant(store, "test", Access("ada@example.com", Role.ADMINISTRATOR), at=datetime(2026, 7, 1))
    return location


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    """Return a function that signs ben in with a role; None: without access."""
    held: list[Role | None] = [None]
    monkeypatch.setattr(lookups, "signed_in", lambda: ("ben@example.com", ""))
    monkeypatch.setattr(lookups, "look_up", lambda *_: Access("ben@example.com", held[0]) if held[0] else None)

    def go(role: Role | None) -> None:
        held[0] = role

    return go


def labels(at: AppTest) -> set[str]:
    return {button.label for button in at.button}


def test_each_role_is_offered_what_it_may_do(place: Location, become: Become, open_page: Open) -> None:  # noqa: ARG001
    for role in Role:
        become(role)
        found = set[str]()
        for page in PAGES:
            at = open_page(page)
            assert not at.exception
            assert "Your name" not in {field.label for field in at.text_input}
            found |= labels(at) & WRITING
        assert found == OFFERED[role], role


def test_click_is_refused_if_the_role_has_changed_since_the_page_was_drawn(
    place: Location, become: Become, open_page: Open
) -> None:
    become(Role.ADMINISTRATOR)
    at = open_page("access")
    at.text_input(key="access_person").set_value("eve@example.com")
    become(Role.EDITOR)
    next(button for button in at.button if button.label == "Give access").click().run()
    assert "ben@example.com may not give access" in markup(at)
    with open_store(place) as store:
        assert [one.person for one in access.grants(store)] == ["ada@example.com"]


def test_page_without_access_shows_nothing_of_the_data(
    place: Location,  # noqa: ARG001
    become: Become,
    open_page: Open,
) -> None:
    become(None)
    at = open_page()
    assert "Your access has ended" in markup(at)
    assert not at.button
    assert 'data-measure="' not in markup(at)


@pytest.mark.usefixtures("place")
def test_access_that_ends_while_a_page_is_drawn_is_no_raw_error(
    become: Become, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Access ends after each look-up of a page run in turn."""
    become(Role.ADMINISTRATOR)
    found, looked_up = lookups.look_up("ben@example.com", ""), list[str]()
    for last in range(1, 100):
        looked_up.clear()
        monkeypatch.setattr(
            lookups,
            "look_up",
            lambda person, _, last=last: looked_up.append(person) or found if len(looked_up) < last else None,
        )
        at = open_page("definitions")
        assert not at.exception
        if len(looked_up) < last:
            break
    assert 2 < last < 100


def test_access_given_and_removed_on_the_page_is_in_the_audit_trail_under_the_signed_in_name(
    place: Location, become: Become, open_page: Open
) -> None:
    become(Role.ADMINISTRATOR)
    at = open_page("access")
    at.text_input(key="access_person").set_value(" Cleo@Example.com")
    at.selectbox(key="access_role").set_value("agent")
    at.multiselect(key="access_in_segment").set_value(["A"])
    next(button for button in at.button if button.label == "Give access").click().run()
    with open_store(place) as store:
        assert access.access_of(store, "cleo@example.com") == Access(
            "cleo@example.com", Role.AGENT, (("segment", ("A",)),)
        )
    assert "segment A" in markup(at)
    assert at.button(key="access_revoke").disabled  # nobody is preselected
    at.selectbox(key="access_revoked").set_value("cleo@example.com").run()
    assert at.button(key="access_revoke").disabled  # not confirmed yet
    at.checkbox(key="access_sure_cleo@example.com").check().run()
    at.button(key="access_revoke").click().run()
    with open_store(place) as store:
        assert access.access_of(store, "cleo@example.com") is None
        changes = audit.latest_entries(store, "access", limit=2)
    assert [(one["who"], one["what"]) for one in changes] == [
        ("ben@example.com", "access revoked"),
        ("ben@example.com", "access granted"),
    ]
    at.selectbox(key="access_revoked").set_value("ada@example.com").run()
    at.checkbox(key="access_sure_ada@example.com").check().run()
    at.button(key="access_revoke").click().run()
    assert "only administrator without a scope" in markup(at)


def test_note_of_an_agent_is_a_mark_a_flag_and_a_row_for_everybody_who_sees_its_rows(
    place: Location, become: Become, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(Role.VIEWER)
    assert "Save note" not in labels(open_page("drill_down", measure="otif"))
    become(Role.AGENT)
    at = open_page("drill_down", measure="otif", days="2026-06-08..2026-06-14")
    save = next(button for button in at.button if button.label == "Save note")
    save.click().run()
    assert "Enter the text of the note." in markup(at)
    at.text_area(key="note_text_0").set_value("Strike <b>at</b> the port")
    next(button for button in at.button if button.label == "Save note").click().run()
    assert "Strike &lt;b&gt;at&lt;/b&gt; the port" in markup(at)
    with open_store(place) as store:
        (saved,) = notes.notes(store, ())
    assert (saved.measure, saved.who, saved.days) == ("otif", "ben@example.com", (date(2026, 6, 8), date(2026, 6, 14)))

    become(Role.VIEWER)
    at = open_page(measure="otif")
    assert 'data-measure="otif"' in markup(at)
    assert "✎</i> 1" in markup(at).split('data-measure="otif"')[1].split("</li>")[0]
    (rows,) = (rows for chart in at.get("vega_lite_chart") for rows in chart.proto.datasets if rows.name == "flags")
    flags = pa.ipc.open_stream(rows.data.data).read_all().to_pylist()
    assert [(one["period"], one["text"]) for one in flags] == [("2026-06-08", "Strike <b>at</b> the port")]
    assert "Strike &lt;b&gt;" in markup(open_page("views_and_alerts"))
    in_a = Access("ben@example.com", Role.VIEWER, (("segment", ("A",)),))
    monkeypatch.setattr(lookups, "look_up", lambda *_: in_a)
    assert "Strike" not in markup(open_page("views_and_alerts"))
