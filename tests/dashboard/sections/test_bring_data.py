"""Bring your data: the page in each state of a source, without the child processes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.bring_data import children, sources
from dashboard.bring_data.sources import Source
from dashboard.sections import bring_data
from tests.dashboard.conftest import Open, markup

EVIL = "<b>x</b>.csv"
ZONE = {
    "key": "source.time_zone", "text": "in which time zone?", "choices": ["UTC"], "best": "UTC", "zone": True,
    "samples": [],
}  # fmt: skip
COLUMN = {
    "key": "orders.promised_by", "text": "which column is orders.promised_by?", "zone": False, "best": "Due",
    "choices": ["Due", "Wish", "none of them"], "samples": ["2026-03-01, 2026-03-02", "2026-04-01"],
}  # fmt: skip
FOUND = {
    "recognised": "", "questions": [ZONE, COLUMN], "lacking": [], "unused": {},
    "tables": [{"name": EVIL, "read": [EVIL], "rows": 12, "columns": ["a", "b"]}],
    "feeds": [
        {"feed": "orders", "table": EVIL, "unmapped": {"mood": "no evidence"},
         "columns": [{"column": "order_id", "source": "No", "evidence": "12 of 12 filled"}]}
    ],
}  # fmt: skip
FILE = {"feed": "orders", "name": EVIL, "rows_in": 12, "rows_loaded": 11, "rows_quarantined": 1, "rows_superseded": 0}
RULE = {"feed": "orders", "rule": "no_such_date", "column": "ordered_at", "rows": 1, "message": "it is no date",
        "example": "record 3"}  # fmt: skip
REPORT = {"files": [FILE], "rules_broken": [RULE], "warnings": [], "generation": 7, "outcome": "published"}
TRIAL = {
    "report": REPORT, "measures": 3,
    "verdicts": [
        {"measure": "on_time", "value": 0.75, "numerator": 9, "denominator": 12, "no_data": None},
        {"measure": "damage_free", "value": None, "numerator": None, "denominator": None, "no_data": "no feed: x"},
    ],
    "missing": [{"columns": ["returns.quantity"], "new_feeds": ["returns"], "measures": ["damage_free"]}],
}  # fmt: skip


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Words of the commands that the page starts. None of them runs."""
    words: list[list[str]] = []
    monkeypatch.setattr(children, "start", lambda _name, _title, asked, **_: words.append(list(asked)))
    return words


@pytest.fixture
def page(tmp_path: Path, at_home: Callable[[Path], None], open_page: Open) -> Callable[..., AppTest]:
    """Open the page of an empty warehouse, with one source in the state that the files give."""
    home = tmp_path / "home"
    home.mkdir()
    at_home(home)

    def go(**files: dict[str, object]) -> AppTest:
        source = sources.load("orders") or sources.create("orders.csv")
        sources.write_mapping(source, "[source]\n")
        for name, values in files.items():
            sources.write(source.folder, name, {**(source.about if name == "about" else {}), **values})
        return open_page("bring_data", source="orders")

    return go


def loaded() -> Source:
    source = sources.load("orders")
    assert source is not None
    return source


def button(at: AppTest, label: str) -> bool:
    return any(one.label == label for one in at.button)


def test_questions_have_choices_with_sample_values_and_their_answers_start_another_reading(
    page: Callable[..., AppTest], started: list[list[str]]
) -> None:
    at = page(found=FOUND)
    assert not at.exception
    assert at.radio[0].options == ["Due", "Wish", "none of them"]
    assert "2026" in str(at.radio[0].proto.captions)
    assert EVIL not in markup(at)
    at.radio[0].set_value("Wish")
    at.selectbox[0].set_value("Europe/Rome")
    next(one for one in at.button if one.label == "Show the result").click().run()
    assert loaded().answers == {"source.time_zone": "Europe/Rome", "orders.promised_by": "Wish"}
    assert [words[0] for words in started] == ["init"]
    assert not button(at, "Publish data")


def test_preview_shows_verdicts_and_rejected_records_and_publishes_on_request(
    page: Callable[..., AppTest], started: list[list[str]]
) -> None:
    at = page(found={**FOUND, "questions": []}, trial=TRIAL)
    shown = markup(at)
    assert '<span data-trial="on_time">75.0%</span>' in shown
    assert "1</strong> of 12 records is rejected" in shown
    assert "it is no date" in shown
    assert "returns.quantity" in shown
    assert not started
    next(one for one in at.button if one.label == "Publish data").click().run()
    assert [words[0] for words in started] == ["ingest"]


def test_published_source_shows_its_run_and_a_failed_step_its_reason(page: Callable[..., AppTest]) -> None:
    run = {**REPORT, "ended": 1_790_000_000}
    at = page(found={**FOUND, "questions": []}, trial=TRIAL, run=run, about={"published": True})
    assert "Published as data version 7" in markup(at)
    assert "data version 7" in markup(at).partition("Kept sources")[2]
    assert not button(at, "Publish data")
    at = page(about={"error": f"{EVIL} is damaged", "published": False})
    assert "&lt;b&gt;x&lt;/b&gt;.csv is damaged" in markup(at)
    assert EVIL not in markup(at)


def test_files_without_the_needed_feeds_show_what_is_missing_and_nothing_to_publish(
    page: Callable[..., AppTest],
) -> None:
    lacking = {"questions": [ZONE], "feeds": [], "tables": [], "lacking": ["orders", "shipments"],
               "unused": {EVIL: "no records"}}  # fmt: skip
    at = page(found={**FOUND, **lacking})
    assert "Needed and not found: orders, shipments" in markup(at)
    assert not at.selectbox
    assert not button(at, "Publish data")
    assert button(at, "Discard source")
    next(one for one in at.button if one.label == "Discard source").click().run()
    assert sources.kept() == []
    assert not at.exception


def test_edited_mapping_is_refused_with_the_reason_or_tried(
    page: Callable[..., AppTest], started: list[list[str]]
) -> None:
    at = page(found={**FOUND, "questions": []})
    at.text_area[0].set_value('[orders]\nconnection = "sqlite:///x"')
    next(one for one in at.button if one.label == "Check mapping").click().run()
    assert "that the administrator has set" in markup(at)
    assert (loaded().mapping, started) == ("[source]\n", [])
    at.text_area[0].set_value('[source]\nname = "x"')
    next(one for one in at.button if one.label == "Check mapping").click().run()
    assert loaded().mapping == '[source]\nname = "x"'
    assert [words[0] for words in started] == ["trial"]


def test_a_person_without_the_right_sees_no_upload(
    page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bring_data, "may_publish", lambda: False)
    at = page(found=FOUND, trial=TRIAL)
    assert "You may not publish data" in markup(at)
    assert not at.button
    assert "75.0%" not in markup(at)


def test_published_data_show_their_last_run_and_mapped_and_missing_columns(page_of_small: Open) -> None:
    at = page_of_small("bring_data")
    assert not at.exception
    shown = markup(at)
    mapped = shown.partition("Mapped columns of the published data")[2]
    assert "received_at" in mapped
    assert any("Last run" in one.value and "quarantined" in one.value for one in at.caption)
