"""Grants: kept, changed and removed with an audit trail; ended sign-ins; the last administrator stays."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from metrics.access import Access, Role
from metrics.errors import LastAdministrator, SettingRefused, UnknownName
from metrics.model.access_scope import check_scope
from metrics.store import access, audit
from metrics.store.connection import open_store
from metrics.store.tables import ended_sessions
from metrics.warehouse import Location

NOW = datetime(2026, 7, 1, 12)
NORTH = (("region", ("North", "East")), ("segment", ("A",)))


def test_grants_are_kept_changed_and_removed_and_each_change_is_audited(any_location: Location) -> None:
    with open_store(any_location) as store:
        access.grant(store, "root", Access("Ada@Example.com ", Role.ADMINISTRATOR), at=NOW)
        access.grant(store, "ada@example.com", Access("ben@example.com", Role.VIEWER, NORTH), at=NOW)
        access.grant(store, "ada@example.com", Access("BEN@example.com", Role.EDITOR), at=NOW)
    with open_store(any_location) as store:
        assert access.grants(store) == [
            Access("ada@example.com", Role.ADMINISTRATOR),
            Access("ben@example.com", Role.EDITOR),
        ]
        assert access.access_of(store, "Ben@Example.com") == Access("ben@example.com", Role.EDITOR)
        assert access.access_of(store, "eve@example.com") is None
        access.revoke(store, "ada@example.com", "ben@example.com")
        assert access.access_of(store, "ben@example.com") is None
        trail = audit.entries_of(store, "access ben@example.com")
    assert [(entry["who"], entry["what"]) for entry in reversed(trail)] == [
        ("ada@example.com", "access granted"),
        ("ada@example.com", "access changed"),
        ("ada@example.com", "access revoked"),
    ]
    first, second, last = reversed(trail)
    scope = [["region", ["North", "East"]], ["segment", ["A"]]]
    assert (first["before"], first["after"]) == (None, {"role": "viewer", "scope": scope})
    assert (second["before"], second["after"]) == (first["after"], {"role": "editor", "scope": []})
    assert last["after"] is None


def test_last_administrator_cannot_be_revoked_or_limited(location: Location) -> None:
    with open_store(location) as store:
        access.grant(store, "root", Access("ada", Role.ADMINISTRATOR), at=NOW)
        access.grant(store, "root", Access("ben", Role.ADMINISTRATOR, NORTH), at=NOW)
        for change in (
            lambda: access.revoke(store, "ada", "ADA"),
            lambda: access.grant(store, "ada", Access("ada", Role.EDITOR), at=NOW),
            lambda: access.grant(store, "ada", Access("ada", Role.ADMINISTRATOR, NORTH), at=NOW),
        ):
            with pytest.raises(LastAdministrator, match="another person"):
                change()
        access.grant(store, "ada", Access("ben", Role.ADMINISTRATOR), at=NOW)
        access.revoke(store, "ben", "ada")
        assert [one.person for one in access.grants(store)] == ["ben"]


def test_ended_sign_in_gives_no_access_and_other_sign_ins_stay(location: Location) -> None:
    with open_store(location) as store:
        access.grant(store, "root", Access("ada", Role.ADMINISTRATOR), at=NOW)
        access.end_session(store, "old", at=NOW - access.SESSIONS_KEPT - timedelta(days=1))
        for _ in range(2):
            access.end_session(store, "first", at=NOW)
        assert access.access_of(store, "ada", "first") is None
        assert access.access_of(store, "ada", "second") == Access("ada", Role.ADMINISTRATOR)
        assert store.scalar(select(func.count()).select_from(ended_sessions)) == 1


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201, "zero\u200bwidth"])
def test_name_that_no_sign_in_gives_is_refused(name: str) -> None:
    with pytest.raises(SettingRefused, match="e-mail address"):
        access.person_name(name)


def test_unknown_person_and_dimension_are_named(location: Location) -> None:
    with open_store(location) as store:
        access.grant(store, "root", Access("ada", Role.VIEWER), at=NOW)
        with pytest.raises(UnknownName, match="Did you mean ada"):
            access.revoke(store, "root", "adda")
    with pytest.raises(UnknownName, match="Did you mean region"):
        check_scope((("regio", ("North",)),))
    with pytest.raises(SettingRefused, match="needs a value of region"):
        check_scope((("region", ("",)),))
    check_scope(NORTH)
