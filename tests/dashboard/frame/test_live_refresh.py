"""Status of the data in the sidebar."""

from datetime import UTC, datetime, timedelta

from dashboard.frame import live_refresh
from metrics.warehouse import Generation


def test_sidebar_shows_the_age_of_the_data_next_to_the_age_of_the_publish() -> None:
    now = datetime.now(UTC)
    ended = (now - timedelta(days=153)).replace(tzinfo=None)
    shown = live_refresh._side(Generation(7, None, now, None), ended)
    assert "<p>153 days ago</p>" in shown
    assert "Published just now · Data version 7" in shown
