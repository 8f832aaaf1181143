"""The caches of the dashboard: one entry per function, generation and arguments."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection
from streamlit.runtime.caching.hashing import UserHashError

from dashboard import queries
from metrics.access import EVERYTHING, Scope
from metrics.lists.cycle_time import cycle_day_counts, promised_day_counts
from metrics.lists.failed_orders import order_counts
from metrics.model.question import Question
from metrics.queries.scope import scope_of
from tests.dashboard.conftest import ROOT
from tests.dashboard.small_warehouse import publish

CALLS: list[tuple[str, int]] = []


def first_list(connection: Connection, question: Question, *, size: int = 1) -> str:
    CALLS.append(("first", int(connection.info["generation"])))
    return f"first {question.by} {size}"


def second_list(connection: Connection, question: Question, *, size: int = 1) -> str:
    CALLS.append(("second", int(connection.info["generation"])))
    return f"second {question.by} {size}"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("cached", [queries.cached, queries.shared])
def test_cache_separates_functions_with_equal_arguments(cached: Callable[..., str]) -> None:
    CALLS.clear()
    for _ in range(2):
        assert cached(first_list, 1, Question(()), size=3) == "first () 3"
        assert cached(second_list, 1, Question(()), size=3) == "second () 3"
    assert CALLS == [("first", 1), ("second", 1)]
    assert cached(first_list, 1, Question(()), size=4) == "first () 4"
    assert cached(first_list, 1, Question((), by=("segment",)), size=4) == "first ('segment',) 4"


@pytest.mark.usefixtures("small")
def test_cached_lists_of_cycle_days_and_promised_days_differ() -> None:
    taken, promised = (
        queries.cached(function, 1, Question(())) for function in (cycle_day_counts, promised_day_counts)
    )
    assert taken
    assert promised
    assert taken != promised


@pytest.mark.usefixtures("small")
def test_cache_rejects_a_function_without_a_unique_name() -> None:
    with pytest.raises(UserHashError, match="has no unique name"):
        queries.cached(lambda connection: connection.info["generation"], 1)


def test_cache_reads_a_new_data_version(tmp_path: Path, at_home: Callable[[Path], None]) -> None:
    home = tmp_path / "home"
    publish(home, count=30, seed=2)
    at_home(home)
    before = queries.cached(order_counts, 1)
    CALLS.clear()
    queries.cached(first_list, 1, Question(()))
    publish(home, count=45, seed=5)
    queries.cached(first_list, 2, Question(()))
    assert CALLS == [("first", 1), ("first", 2)]
    assert sum(queries.cached(order_counts, 2).values()) > sum(before.values())
    assert queries.cached(order_counts, 1) == before
    (old,), (new,) = (queries.answers(number, Question(("judged_orders",))) for number in (1, 2))
    assert old.value != new.value


@pytest.mark.usefixtures("small")
def test_a_shared_result_is_not_copied() -> None:
    first, again = (queries.shared(cycle_day_counts, 1, Question(())) for _ in range(2))
    assert first is again
    assert first == queries.cached(cycle_day_counts, 1, Question(()))


def visible_rows(connection: Connection) -> tuple[Scope, int]:
    CALLS.append(("rows", int(connection.info["generation"])))
    return scope_of(connection), sum(order_counts(connection).values())


@pytest.mark.usefixtures("small")
def test_two_persons_with_different_scopes_never_share_a_result() -> None:
    first: Scope = (("segment", ("A",)),)
    other: Scope = (("segment", ("no such segment",)),)
    CALLS.clear()
    for rows in (EVERYTHING, first, other, first):
        with queries.reading_as(rows), queries.one_generation(1):
            assert queries.cached(visible_rows, 1)[0] == rows
            assert queries.shared(visible_rows, 1)[0] == rows
    assert len(CALLS) == 6
    with queries.reading_as(other):
        assert queries.cached(visible_rows, 1) == (other, 0)
        (nothing,) = queries.answers(1, Question(("judged_orders",)))
    (every,) = queries.answers(1, Question(("judged_orders",)))
    assert nothing.value == 0
    assert every.value


@pytest.mark.usefixtures("small")
def test_with_sign_in_a_read_without_a_scope_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUYERVIEW_AUTH", "oidc")
    with pytest.raises(RuntimeError, match="name the rows"):
        queries.cached(visible_rows, 1)


def test_pages_read_the_warehouse_through_the_scope_of_the_person() -> None:
    """Edit forms and monitoring read all rows. A person with a scope gets neither."""
    root = Path(__file__).parents[2]
    opened = {
        file.relative_to(root).as_posix()
        for folder in ("dashboard", "pages")
        for file in (root / folder).rglob("*.py")
        if re.search(
            r"warehouse\.(reading|preview)\(|from metrics\.warehouse import .*\b(reading|preview)\b", file.read_text()
        )
    }
    assert opened == {"dashboard/editing/form.py", "dashboard/editing/state.py", "dashboard/server/monitoring.py"}


def test_import_before_the_server_runs_prints_no_warning() -> None:
    words = [sys.executable, "-c", "import dashboard.queries"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("", "")
