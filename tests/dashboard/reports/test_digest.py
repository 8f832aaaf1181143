"""The weekly digest: the scorecard's numbers of last week, proven losses only, escaped text, and a picture with a text
alternative.
"""

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from aiosmtpd.controller import Controller

from dashboard.components import changes, formatting
from dashboard.reports import digest
from dashboard.sections.scorecard import TILES
from metrics import warehouse
from metrics.alerts.rules import last_full_period
from metrics.errors import SettingRefused
from metrics.measures.catalog import MEASURES
from metrics.model.question import Answer, Question
from metrics.policy import MIN_N
from metrics.queries import answer
from tests.dashboard.notifications.test_delivery import Mailbox, free_port
from tests.dashboard.small_warehouse import AS_OF

START, END = last_full_period("week", AS_OF.date())


@pytest.fixture
def message(small: Path, monkeypatch: pytest.MonkeyPatch) -> EmailMessage:  # noqa: ARG001 - the warehouse
    monkeypatch.setenv("BUYERVIEW_MAIL_FROM", "buyerview@example.com")
    monkeypatch.setenv("BUYERVIEW_MAIL_DOMAINS", "example.org")
    monkeypatch.setenv("BUYERVIEW_URL", "https://service.example.org/")
    return digest.made(to="ada@example.org")


def parts(message: EmailMessage) -> dict[str, EmailMessage]:
    return {part.get_content_type(): part for part in message.walk()}


def answered(measure: str, segment: str | None, value: float | None, of: int = MIN_N) -> Answer:
    return Answer(
        {} if segment is None else {"segment": segment},
        None,
        measure,
        value,
        numerator=round((value or 0) * of),
        denominator=of,
    )


def test_digest_shows_the_scorecard_numbers_of_last_week(message: EmailMessage) -> None:
    text = parts(message)["text/plain"].get_content()
    with warehouse.reading(warehouse.locate()) as connection:
        found = answer.answer(connection, Question(TILES, start=START, end=END))
    assert formatting.date_range(START, END) in text
    for one in found:
        shown = formatting.number(one.value, MEASURES[one.measure].unit)
        assert f"{digest.cards.title(MEASURES[one.measure])}: {shown}" in text
        assert f">{formatting.html(shown)}</b>" in parts(message)["text/html"].get_content()
    assert "Data version 1" in text
    headline = digest.digest_text(1, (), "https://service.example.org")["headline"]
    assert headline.endswith(".")
    assert headline in text
    assert formatting.html(headline) in parts(message)["text/html"].get_content()


def test_digest_embeds_a_chart_image_with_alt_text(message: EmailMessage) -> None:
    found = parts(message)
    assert found["image/png"].get_content().startswith(b"\x89PNG")
    assert found["image/png"]["Content-ID"] == "<trend>"
    assert found["image/png"].get_content_disposition() == "inline"
    body = found["text/html"].get_content()
    assert 'src="cid:trend"' in body
    assert 'alt="Perfect orders from' in body
    assert "http://" not in body  # nothing is loaded from elsewhere


def test_digest_links_contain_the_dates_and_the_data_version(small: Path) -> None:  # noqa: ARG001
    view = digest.digest_text(1, (("segment", ("A & B",)),), "https://service.example.org")
    asked = parse_qs(urlsplit(view["link"]).query)
    assert asked == {"period": ["Dates"], "dates": [str(START), str(END)], "segment": ["A & B"], "v": ["1"]}
    assert view["tiles"][0]["link"].startswith("https://service.example.org/behind?measure=perfect_order")


def test_digest_lists_only_significant_declines_largest_first() -> None:
    now = [
        answered("otif", None, 0.90),
        answered("otif", "A", 0.60),
        answered("otif", "B", 0.99),
        answered("on_time", "C", 0.10, of=MIN_N - 1),
        answered("on_time", "D", None),
        answered("complete", "new", 0.10),
        answered("cycle_days", None, 9.0),
    ]
    before = [
        answered("otif", None, 0.95),
        answered("otif", "A", 0.90),
        answered("otif", "B", 0.95),
        answered("on_time", "C", 0.90),
        answered("on_time", "D", 0.90),
        answered("cycle_days", None, 7.0),
    ]
    assert [(one.measure, one.segment) for one in digest.worse_measures(now, before)] == [
        ("otif", "A"),
        ("otif", None),
        ("cycle_days", None),
    ]


@pytest.mark.parametrize(("of", "is_listed"), [(100, False), (1_000, True)])
def test_digest_leaves_out_a_decline_that_the_tile_calls_not_significant(of: int, is_listed: bool) -> None:
    """90 to 85 % is 5 pp: with 100 orders each the standard error is 4.7 pp, with 1,000 it is 1.5 pp."""
    now, before = (replace(answered("otif", None, value, of=of), low=0.1, high=0.99) for value in (0.85, 0.90))
    assert bool(digest.worse_measures([now], [before])) is is_listed
    assert ("worse" in changes.change_text(now, before, MEASURES["otif"])) is is_listed


def test_markup_in_data_is_escaped() -> None:
    evil = '<img src=x onerror="alert(1)">'
    tile = {
        "title": evil,
        "value": evil,
        "word": evil,
        "css": "off",
        "against": evil,
        "note": evil,
        "link": '"><script>',
    }
    view = {
        "subject": evil, "under": evil, "headline": evil, "judged": 0, "tiles": [tile], "footer": [evil],
        "link": '"><script>',
        "worse": [{"title": evil, "whose": evil, "sentence": evil, "link": '"><script>'}],
        "reasons": {"title": evil, "rows": [(evil, evil)]},
        "trend": {"alternative": evil},
    }  # fmt: skip
    body = digest.markup(view)
    assert "<img src=x" not in body
    assert "<script" not in body
    assert digest.NO_ORDERS in body
    assert digest.NO_ORDERS in digest.in_words(view)


def test_digest_file_contains_the_complete_email(message: EmailMessage, tmp_path: Path) -> None:
    digest.write(tmp_path / "week.eml", message)
    read = message_from_bytes((tmp_path / "week.eml").read_bytes(), policy=policy.default)
    assert read["To"] == "ada@example.org"
    assert read["Subject"].startswith(f"Service {formatting.date_range(START, END)}: perfect orders")
    assert read["Message-ID"] == message["Message-ID"]
    assert read["Date"]


def test_digest_file_requires_no_settings(small: Path) -> None:  # noqa: ARG001
    assert "localhost:8501" in parts(digest.made(to="", setting={}))["text/plain"].get_content()


def test_digest_is_sent_by_smtp_and_a_missing_server_setting_is_named(
    message: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    monkeypatch.setenv("BUYERVIEW_SMTP", f"smtp://127.0.0.1:{controller.port}")
    try:
        digest.send(message)
    finally:
        controller.stop()
    ((to, taken),) = box.mails
    assert to == ["ada@example.org"]
    assert {part.get_content_type() for part in taken.walk()} >= {"text/plain", "text/html", "image/png"}
    with pytest.raises(SettingRefused, match="was not sent"):
        digest.send(message)
