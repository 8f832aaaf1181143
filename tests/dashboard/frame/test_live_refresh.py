"""Status of the data in the sidebar."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.components import theme
from dashboard.frame import live_refresh, menu
from metrics.warehouse import Generation


def test_sidebar_shows_the_age_of_the_data_next_to_the_age_of_the_publish() -> None:
    now = datetime.now(UTC)
    ended = (now - timedelta(days=153)).replace(tzinfo=None)
    shown = live_refresh._side(Generation(7, None, now, None), ended)
    assert "<p>153 days ago</p>" in shown
    assert "Published just now · Data version 7" in shown


class RerunError(Exception):
    """The page runs again."""


def test_open_page_runs_again_if_the_system_switches_to_dark(monkeypatch: pytest.MonkeyPatch) -> None:
    def rerun(*, scope: str) -> None:
        raise RerunError(scope)

    monkeypatch.setattr(theme, "is_dark", lambda: True)
    monkeypatch.setattr(live_refresh, "_show_failed_downloads", lambda: None)
    monkeypatch.setattr(live_refresh.st, "rerun", rerun)
    monkeypatch.setattr(live_refresh.queries, "current", lambda: None)
    with pytest.raises(RerunError, match="app"):
        live_refresh._badge(None, None, is_dark=False)
    live_refresh._badge(None, None, is_dark=True)


def test_without_data_the_menu_begins_with_the_pages_that_need_none() -> None:
    first = menu.in_order(has_data=False)
    assert [(entry.path, entry.group) for entry in first[:4]] == [
        ("bring-data", "Start"),
        ("definitions", ""),
        ("access", ""),
        ("", "Overview"),
    ]
