"""The digest in Slack, Teams and webhooks, with a PDF attached, and for the filters of a saved view."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dashboard.reports import digest, digest_extras
from metrics.access import Access, Role
from metrics.errors import SettingRefused, UnknownName
from metrics.store import saved_views
from metrics.store.connection import open_store
from metrics.warehouse import locate
from tests.dashboard.notifications.payloads import check_slack, check_teams
from tests.dashboard.notifications.test_delivery import hook  # noqa: F401 - a fixture
from tests.dashboard.reports.test_digest import START
from tests.dashboard.small_warehouse import AS_OF

IN_A = Access("ann@example.org", Role.VIEWER, (("segment", ("A",)),))


def test_digest_reaches_slack_teams_and_webhooks_in_their_formats(
    small: Path,  # noqa: ARG001 - the warehouse
    hook: tuple[list[Any], str],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BUYERVIEW_NOTIFY_HOSTS", "127.0.0.1")
    for kind in ("slack", "teams", "webhook"):
        monkeypatch.setenv(f"BUYERVIEW_{kind.upper()}_OPS", hook[1])
        digest_extras.send_to_channel(f"{kind}:OPS")
    (_, blocks), (_, card), (_, plain) = hook[0]
    check_slack(blocks)
    check_teams(card)
    view = digest.digest_text(1, (), "http://localhost:8501")
    assert plain["tiles"] == view["tiles"]
    decline = {"title": "Late", "whose": "segment A", "sentence": "70%, 9 pp worse", "link": "http://h/"}
    assert "Late, segment A: 70%, 9 pp worse" in digest_extras.notice({**view, "worse": [decline]}).notes
    for tile in view["tiles"]:
        assert f"{tile['title']}: {tile['value']}" in str(blocks)
        assert tile["value"] in str(card)
    monkeypatch.setenv("BUYERVIEW_SLACK_OPS", f"{hook[1]}/down")
    with pytest.raises(SettingRefused, match="the webhook answered 503"):
        digest_extras.send_to_channel("slack:OPS")


def test_digest_of_a_saved_view_has_its_filters_and_its_report_as_pdf(
    small_home: Path, tmp_path: Path, at_home: Callable[[Path], None]
) -> None:
    at_home(Path(shutil.copytree(small_home, tmp_path / "home")))
    with open_store(locate()) as store:
        query = "period=4W&segment=A&segment=B&measure=otif"
        saved_views.save(store, "Ada", "Mine", "scorecard", query, shared=True, at=AS_OF.replace(tzinfo=None))
        saved_views.save(store, "Ada", "Private", "scorecard", "", shared=False, at=datetime(2026, 1, 1))
    view = digest_extras.saved_view("Mine")
    where, days = view.where, view.days
    assert where == (("segment", ("A", "B")),)
    assert (days[1] - days[0]).days == 27
    for unknown, person in (("Private", ""), ("Private", "Bob"), ("None", "Ada")):
        with pytest.raises(UnknownName):
            digest_extras.saved_view(unknown, person)
    assert digest_extras.saved_view("Private", "Ada").where == ()
    message = digest.made(where, to="", setting={})
    digest_extras.attach_page(message, view, None)
    digest_extras.attach_report(message, where)
    digest_extras.attach_page(message, replace(view, page="levers"), IN_A)
    first, second, third = message.iter_attachments()
    assert third.get_filename() == f"buyerview_levers_{days[0]}_{days[1]}.pdf"
    assert first.get_filename() == f"buyerview_scorecard_{days[0]}_{days[1]}.pdf"
    assert str(START) in str(second.get_filename())
    for attached in (first, second, third):
        assert attached.get_content_type() == "application/pdf"
        assert attached.get_content().startswith(b"%PDF-")
    assert "segment" in message.get_body(("plain",)).get_content().lower()  # type: ignore[union-attr]
