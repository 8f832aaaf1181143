"""Start the dashboard's server from any folder. Imports nothing slow, so that the command line can import it."""

import os
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN = 120.0
HOSTS = "BUYERVIEW_ALLOWED_HOSTS"
"""Environment: the hosts pages may be opened under, with commas; default this machine only."""


class ServerRefused(RuntimeError):  # noqa: N818 - named by what happened
    """The server's settings are not safe to start with; the text says which and what to set."""


def serve(*, host: str = "127.0.0.1", port: int = 8501, ready: Callable[[str], None] | None = None) -> None:
    """Serve the dashboard until interrupted. `ready` is called once with the address when pages can be opened.

    Port 0 takes a free one. Raises ServerRefused if the settings would let strangers in, OSError if the port is taken.
    """
    if port == 0:
        with socket.socket() as probe:
            probe.bind((host, 0))
            port = probe.getsockname()[1]
    _stand_where_settings_are()
    _check_settings()
    import uvicorn

    if ready is not None:
        threading.Thread(
            target=_announce, args=(f"http://{'localhost' if host == '127.0.0.1' else host}:{port}", ready), daemon=True
        ).start()
    uvicorn.run(
        "dashboard.server.asgi:app",
        host=host,
        port=port,
        ws="websockets-sansio",
        log_level="warning",
        access_log=False,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        timeout_graceful_shutdown=3,
    )


def _stand_where_settings_are() -> None:
    """Streamlit reads `.streamlit` of the working folder, or (installed) the one beside `dashboard/app.py`.

    In a source tree it is the project's, so go there, after making the warehouse's folder independent of where we
    stood.
    """
    if (ROOT / ".streamlit" / "config.toml").is_file():
        home = os.environ.get("BUYERVIEW_HOME")
        if home:
            os.environ["BUYERVIEW_HOME"] = str(Path(home).expanduser().resolve())
        os.chdir(ROOT)


def _check_settings() -> None:
    """Read the settings, and refuse to start where one that keeps strangers out has been loosened (faults 3.4).

    Streamlit reads its STREAMLIT_… variables for `streamlit run` only, so the hosts behind a proxy have a variable of
    ours.
    """
    from streamlit import config

    config._main_script_path = str(
        ROOT / "dashboard" / "app.py"
    )  # where an installed copy keeps its settings; Streamlit 1.67 has no public way
    config.get_config_options(force_reparse=True)
    hosts = [host.strip() for host in os.environ.get(HOSTS, "").split(",") if host.strip()]
    if hosts:
        config.set_option("server.allowedHosts", hosts)
    why = insecure_settings(config.get_option)
    if why is not None:
        raise ServerRefused(why)


def insecure_settings(setting: Callable[[str], Any]) -> str | None:
    """Which setting lets strangers in, and what to set instead; None where none does."""
    hosts = setting("server.allowedHosts")
    if not hosts or "*" in hosts:
        return f"server.allowedHosts must name the hosts pages are opened under, not be empty or '*': set {HOSTS}=dashboard.example.com"
    for name in ("server.enableCORS", "server.enableXsrfProtection"):
        if not setting(name):
            return f"{name} must stay on: without it other web pages can read this dashboard"
    if setting("server.enableAgentApi"):
        return "server.enableAgentApi must stay off: it answers without a browser's protections"
    return None


def _announce(address: str, ready: Callable[[str], None]) -> None:
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=2):
                break
        except urllib.error.HTTPError:
            break  # it answers
        except OSError:
            time.sleep(0.1)
    ready(address)
