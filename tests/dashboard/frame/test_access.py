"""Clicks that change something ask for the person's right first, and show their errors."""

import ast
import importlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard import queries
from dashboard.frame import access
from metrics.access import Access, Action, Role, Scope
from metrics.errors import AccessEnded, WarehouseUnreachable

FOLDER = Path(dashboard.__file__).parent
WEST: Scope = (("region", ("West",)),)
GUARDED = access.guarded(Action.APPLY)(lambda: None).__code__
VIEW = {
    "_choose_all",
    "_close_story",
    "_discard",
    "_find",
    "_open",
    "clear",
    "clear_all",
    "draw_frame",
    "open_rule",
    "failed_orders._remove",
    "unpin",
}
"""Functions of clicks that change only what the person sees."""


def clicks() -> Iterator[tuple[str, str]]:
    """Yield the module and the expression of every function that a control calls."""
    for file in sorted(FOLDER.rglob("*.py")):
        module = ".".join(("dashboard", *file.relative_to(FOLDER).with_suffix("").parts))
        for node in ast.walk(ast.parse(file.read_text())):
            is_click = isinstance(node, ast.keyword) and node.arg in ("on_click", "on_change")
            if is_click and not isinstance(node.value, ast.Constant):
                yield module, ast.unparse(node.value)


def test_every_click_that_changes_something_is_guarded() -> None:
    unguarded = []
    for module, function in clicks():
        name = function.rpartition(".")[2]
        if name in VIEW or f"{module.rpartition('.')[2]}.{name}" in VIEW:
            continue
        called = eval(function, vars(importlib.import_module(module)))
        if called.__code__ is not GUARDED:
            unguarded.append(f"{module}: {function}")
    assert unguarded == []


@pytest.mark.parametrize("role", [Role.EDITOR, Role.VIEWER])
def test_error_of_a_click_is_shown_by_the_page(role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, str] = {}
    monkeypatch.setattr(access.st, "session_state", kept)

    @access.guarded(Action.WORK_ORDERS)
    def click() -> None:
        raise WarehouseUnreachable("postgresql://server/db", "the server does not respond")

    with access.acting(Access("ben@example.com", role)):
        click()
    expected = "the server does not respond" if role is Role.EDITOR else "ben@example.com may not work on orders"
    assert expected in access.refusal()
    assert kept == {}


def test_download_reads_with_the_access_at_the_click(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with the access when its page was drawn, and in a thread without a page."""
    known = [Access("ben@example.com", Role.ANALYST), Access("ben@example.com", Role.ANALYST, WEST), None]
    monkeypatch.setattr(access.st, "session_state", {})
    monkeypatch.setattr(access, "signed_in", lambda: ("ben@example.com", "1"))
    monkeypatch.setattr(access, "look_up", lambda *_: known[0])
    download = access.at_download(queries._scope)
    with ThreadPoolExecutor() as threads:
        assert threads.submit(download).result() == ()
        known.pop(0)
        assert threads.submit(download).result() == WEST
        known.pop(0)
        with pytest.raises(AccessEnded):
            threads.submit(download).result()
    assert access.failed_downloads() == [str(AccessEnded("ben@example.com"))]


def test_the_reason_of_a_failed_download_is_shown_once() -> None:
    def page() -> None:
        from dashboard.frame import access, live_refresh

        if "failed" not in access.st.session_state:
            access.st.session_state["failed"] = True
            access.failed_downloads().append("The *process* failed")
        live_refresh._show_failed_downloads()

    shown = AppTest.from_function(page).run()
    assert [message.value for message in shown.toast] == ["**The file was not made.** The \\*process\\* failed"]
    assert len(shown.run().toast) == 0
