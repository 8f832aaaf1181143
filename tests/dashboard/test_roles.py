"""Roles on pages: what a person may not do is not offered, and refused if forced; the page of access."""

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.frame import access as lookups
from metrics.access import Access, Role
from metrics.store import access, audit
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
    at.selectbox(key="access_revoked").set_value("cleo@example.com").run()
    at.button(key="access_revoke").click().run()
    with open_store(place) as store:
        assert access.access_of(store, "cleo@example.com") is None
        changes = audit.latest_entries(store, "access", limit=2)
    assert [(one["who"], one["what"]) for one in changes] == [
        ("ben@example.com", "access revoked"),
        ("ben@example.com", "access granted"),
    ]
    at.selectbox(key="access_revoked").set_value("ada@example.com").run()
    at.button(key="access_revoke").click().run()
    assert "only administrator without a scope" in markup(at)
