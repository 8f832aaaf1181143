"""The edit form: only previewed edits are saved; saved edits are shown, stored and can be reverted."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert
from streamlit.testing.v1 import AppTest

from dashboard.editing import background_apply
from ingest import saved_edits
from metrics.edits import edits
from metrics.edits.edits import Edit
from metrics.store.connection import open_store
from metrics.store.tables import run_history
from metrics.warehouse import locate
from tests.dashboard.conftest import Open, markup


@pytest.fixture
def own(small_home: Path, at_home: Callable[[Path], None], tmp_path: Path) -> Path:
    """A copy of the small warehouse that tests may change."""
    folder = tmp_path / "home"
    shutil.copytree(small_home, folder)
    at_home(folder)
    return folder


@pytest.fixture
def no_apply(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """These pages run without a server around them."""
    monkeypatch.setattr(background_apply, "_apply", None)
    return


def typed(at: AppTest, value: str) -> AppTest:
    at.text_input(key="targets_otif_all_target_value").set_value(value)
    next(button for button in at.button if button.label == "Preview edit").click()
    return at.run()


def saves(at: AppTest) -> list[str]:
    return [button.key for button in at.button if (button.key or "").endswith("_save")]


@pytest.mark.usefixtures("own", "no_apply")
def test_target_edit_is_previewed_saved_listed_and_undone(open_page: Open) -> None:
    at = open_page("definitions", target="otif")
    assert not at.exception
    assert not saves(at), "nothing to save before it was previewed"
    typed(at, "950")
    assert "950% is out of range: enter a percentage from 0 to 100" in markup(at)
    assert not saves(at)
    typed(at, "99")
    assert not at.exception
    assert "target 90.0%" in markup(at)
    assert "target 99.0%" in markup(at)
    with open_store(locate(), write=False) as store:
        assert edits.saved_entries(store, "targets") == [], "a preview writes nothing"

    at.button(key="targets_save").click().run()
    assert "Enter your name first" in markup(at)
    at.text_input(key="who").set_value("Ada")
    at.button(key="targets_save").click().run()
    assert not at.exception
    assert "1 pending edit" in markup(at)
    with open_store(locate(), write=False) as store:
        (change,) = edits.changes(store, "targets")
    assert change["who"] == "Ada"
    assert change["after"]["was"]["target_value"] == "0.9"
    assert "90% → 99%" in markup(at)

    with open_store(locate()) as store:
        at_that = {"started_at": change["at"], "finished_at": change["at"] + timedelta(seconds=9), "outcome": "failed"}
        store.execute(
            insert(run_history).values(source=edits.SOURCE, report='{"message": "the disk is full"}', **at_that)
        )
    at.run()
    assert "The last update failed: the disk is full" in markup(at)

    at.button(key="targets_revert").click().run()
    assert not at.exception
    assert "Edit removed" in markup(at)
    at.button(key="targets_save").click().run()
    with open_store(locate(), write=False) as store:
        assert [one["deleted"] for one in edits.saved_entries(store, "targets")] == [True]
    assert "pending edit" not in markup(at), "nothing waits: all is as the numbers have it"


@pytest.mark.every_run("packages-packages")
@pytest.mark.usefixtures("own", "no_apply")
@pytest.mark.parametrize(
    ("page", "kind"), [("stockouts", "assumptions"), ("profitability", "zones"), ("packages", "packages")]
)
def test_every_kind_of_edit_can_be_previewed_on_its_page(page: str, kind: str, open_page: Open) -> None:
    at = open_page(page)
    assert not at.exception
    next(button for button in at.button if button.form_id == f"{kind}_form").click()
    at.run()
    assert not at.exception
    assert saves(at) == [f"{kind}_save"]


@pytest.mark.usefixtures("own", "no_apply")
def test_edit_rejected_by_a_run_shows_the_reason_and_can_be_undone(open_page: Open) -> None:
    """An edit stored without the form, by an older form or another program: the run rejects the row and publishes the
    rest.
    """
    bad = Edit(
        "targets", ("otif", "all"), date(2026, 1, 1), {"target_value": "0.8", "tolerance": "-1"}, note="typed elsewhere"
    )
    with open_store(locate()) as store:
        edits.save(store, "Ada", bad, None)
    report = saved_edits.ingest_saved_edits(location=locate())
    assert report is not None
    assert report.outcome == "published"
    at = open_page("definitions", target="otif")
    assert not at.exception
    html = markup(at)
    assert "1 pending edit" in html
    assert "targets otif all from 2026-01-01: target 80%, tolerance -100%</b> was rejected." in html
    next(one for one in at.button if (one.key or "").startswith("targets_rejected_")).click().run()
    assert not at.exception
    at.text_input(key="who").set_value("Ada")
    at.button(key="targets_save").click().run()
    assert not at.exception
    assert "was rejected" not in markup(at)
    assert "pending edit" not in markup(at)


def wait_until(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not done() and time.monotonic() < until:
        time.sleep(0.01)
    assert done()


@pytest.mark.usefixtures("no_apply")
def test_edits_saved_during_a_run_start_one_more_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not background_apply.request_apply(), "nobody has set how"
    gate, ran = threading.Event(), []
    answers = iter([(0, ""), (background_apply.BUSY, "busy"), (0, "")])

    def apply() -> tuple[int, str]:
        ran.append(1)
        gate.wait(5)
        return next(answers)

    monkeypatch.setattr(background_apply, "PAUSE", 0.0)
    background_apply.register(apply)
    for _ in range(5):
        assert background_apply.request_apply()
    assert background_apply.running()
    gate.set()
    wait_until(lambda: not background_apply.running())
    assert len(ran) == 3, (
        "the first, and one more for all others, which was tried again while another run was under way"
    )


@pytest.mark.usefixtures("no_apply")
def test_failed_background_run_does_not_block_the_next_run() -> None:
    def apply() -> tuple[int, str]:
        raise ValueError("a defect")

    background_apply.register(apply)
    for _ in range(2):
        background_apply.request_apply()
        wait_until(lambda: not background_apply.running())
