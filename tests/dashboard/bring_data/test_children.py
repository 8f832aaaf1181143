"""Child processes: results, messages, limits of time and memory, and cancelling."""

import threading
import time
from pathlib import Path

import pytest

from dashboard.bring_data import children
from dashboard.bring_data.children import Finished


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small program in place of `buyerview`; its first argument says what it does."""
    path = tmp_path / "program.py"
    path.write_text(
        "import sys, time\n"
        "what = sys.argv[1]\n"
        "if what == 'print': print('{\"a\": 1}')\n"
        "if what == 'fail': print('noise\\nbuyerview: x://u:secret@h is down', file=sys.stderr); sys.exit(65)\n"
        "if what == 'sleep': time.sleep(60)\n"
        "if what == 'spin':\n"
        "    while True: pass\n"
        "if what == 'memory': bytearray(1 << 40)\n"
        "if what == 'busy':\n"
        "    import pathlib; seen = pathlib.Path(__file__).with_name('seen')\n"
        "    if not seen.exists(): seen.touch(); print('buyerview: busy', file=sys.stderr); sys.exit(75)\n"
        "    print('second')\n"
    )
    monkeypatch.setattr(children, "ENTRY", path)
    return path


def run(name: str, what: str, seconds: int = 20) -> Finished:
    ended: list[Finished] = []
    event = threading.Event()

    def done(finished: Finished) -> None:
        ended.append(finished)
        event.set()

    assert children.start(name, "Work", [what], seconds=seconds, done=done)
    assert event.wait(30)
    return ended[0]


def test_results_and_messages_of_children_without_their_secrets(
    program: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run("a", "print") == Finished(0, '{"a": 1}\n', "")
    monkeypatch.setattr(children, "BUSY_SECONDS", 0.0)
    assert run("a", "busy").output == "second\n", "a child that finds the warehouse busy runs again"
    failed = run("b", "fail")
    assert (failed.status, failed.error) == (65, "x://u:***@h is down")


def test_a_child_over_its_limit_of_time_or_memory_ends_with_a_message(program: Path) -> None:  # noqa: ARG001
    assert "too much time or memory" in run("c", "sleep", seconds=1).error
    assert "too much time or memory" in run("d", "spin", seconds=1).error
    assert run("e", "memory").error == children.FAILED


def test_a_source_has_one_job_at_a_time_which_can_be_cancelled(program: Path) -> None:  # noqa: ARG001
    ended: list[Finished] = []
    assert children.start("f", "Work", ["sleep"], seconds=60, done=ended.append)
    assert not children.start("f", "Work", ["print"], seconds=60, done=ended.append)
    began = time.monotonic()
    while not ended:
        children.cancel("f")
        time.sleep(0.05)
        assert time.monotonic() - began < 20
    assert ended[0].error == children.CANCELLED
