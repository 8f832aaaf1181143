"""Settings that keep strangers out, and refusal to start without them."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.server.start import insecure_settings
from metrics.errors import WarehouseUnreachable
from tests.dashboard.conftest import ROOT, Open, markup

SETTINGS = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("server", "address", "127.0.0.1"),
        ("server", "enableCORS", True),
        ("server", "enableXsrfProtection", True),
        ("server", "enableStaticServing", False),
        ("server", "enableAgentApi", False),
        ("server", "maxMessageSize", 50),
        ("browser", "gatherUsageStats", False),
        ("client", "showErrorDetails", "none"),
        ("client", "toolbarMode", "minimal"),
        ("client", "disableDataExport", True),
    ],
)
def test_streamlit_setting_has_the_required_value(section: str, name: str, value: object) -> None:
    assert SETTINGS[section][name] == value


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    code = "from dashboard.server.start import _check_settings; _check_settings()"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_start_accepts_the_shipped_settings() -> None:
    assert start().returncode == 0


def test_host_of_another_machine_is_refused_without_a_sign_in() -> None:
    refused = start(BUYERVIEW_ALLOWED_HOSTS="dash.example.com")
    assert refused.returncode != 0
    assert "BUYERVIEW_AUTH=oidc" in refused.stderr


GOOD = {
    "server.allowedHosts": ["localhost"],
    "server.enableCORS": True,
    "server.enableXsrfProtection": True,
    "server.enableAgentApi": False,
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("server.allowedHosts", []),
        ("server.allowedHosts", ["*"]),
        ("server.enableCORS", False),
        ("server.enableXsrfProtection", False),
        ("server.enableAgentApi", True),
    ],
)
def test_insecure_setting_is_named_in_the_error(name: str, value: object) -> None:
    assert insecure_settings(GOOD.__getitem__) is None
    assert name in str(insecure_settings({**GOOD, name: value}.__getitem__))


def test_damaged_warehouse_shows_a_message_without_a_traceback(
    tmp_path: Path, at_home: Callable[[Path], None], open_page: Open
) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "CURRENT").write_text("not what was published")
    at_home(folder)
    at = open_page()
    assert not at.exception
    assert "Buyerview cannot show this page" in markup(at)


@pytest.mark.parametrize(("failures", "shown"), [(1, "No data yet"), (99, "Buyerview cannot show this page")])
def test_page_retries_a_failed_server_once_and_then_shows_an_error(
    failures: int,
    shown: str,
    tmp_path: Path,
    at_home: Callable[[Path], None],
    open_page: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trust, T14: a reader saw the raw error of a server that restarted."""
    at_home(tmp_path)
    left = iter([True] * failures)

    def current() -> None:
        if next(left, False):
            raise WarehouseUnreachable("the server", "it is starting up")

    monkeypatch.setattr("dashboard.queries.current", current)
    at = open_page()
    assert not at.exception
    assert shown in markup(at)


def test_a_click_waits_for_the_thread_of_its_session() -> None:
    """A second thread would write the session at the same time, and could drop the click."""
    assert SETTINGS["runner"]["fastReruns"] is False
