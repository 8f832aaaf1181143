"""Start the server from any folder. Has no slow imports, so that the command line can import it."""

import os
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from dashboard.sign_in import LOOPBACK, PERSON_HEADER, SESSION_HEADER, Mode, check_host, read_settings

ROOT = Path(__file__).resolve().parents[2]
LONGEST_MESSAGE = 1 << 20
"""Most bytes of a message of a browser. Clicks and texts are short, and files come by HTTP. uvicorn takes 16 MB."""
READY_WITHIN = 120.0
"""Seconds to wait for the server to accept requests."""


class ServerRefused(RuntimeError):  # noqa: N818 - all errors of Buyerview are named by the event
    """A setting of the server is insecure. The text names the setting and the remedy."""


def serve(*, host: str = "127.0.0.1", port: int = 8501, ready: Callable[[str], None] | None = None) -> None:
    """Serve the dashboard until interrupted. Call `ready` once with the URL as soon as pages can be opened.

    Port 0 means any free port. Raises ServerRefused or SettingRefused if a setting is insecure, OSError if the port is
    in use.
    """
    check_host(read_settings().mode, host)
    if port == 0:
        with socket.socket() as probe:
            probe.bind((host, 0))
            port = probe.getsockname()[1]
    _change_to_settings_folder()
    _check_settings()
    import uvicorn

    from dashboard.server.header_timeout import PromptProtocol

    if ready is not None:
        shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::") else host
        threading.Thread(target=_announce, args=(f"http://{shown}:{port}", ready), daemon=True).start()
    uvicorn.run(
        "dashboard.server.asgi:app",
        host=host,
        port=port,
        http=PromptProtocol,
        ws="websockets-sansio",
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # the gate must see who connects, not who a header names
        ws_max_size=LONGEST_MESSAGE,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        timeout_graceful_shutdown=3,
    )


def _change_to_settings_folder() -> None:
    """Change to the source tree, whose `.streamlit` folder has the settings. An installed copy stays where it is.

    Streamlit reads `.streamlit` in the working folder, or next to `dashboard/app.py`. A relative BUYERVIEW_HOME becomes
    absolute first.
    """
    if (ROOT / ".streamlit" / "config.toml").is_file():
        home = os.environ.get("BUYERVIEW_HOME")
        if home:
            os.environ["BUYERVIEW_HOME"] = str(Path(home).expanduser().resolve())
        os.chdir(ROOT)


def _check_settings() -> None:
    """Read the settings. Raises ServerRefused for an insecure one.

    Streamlit reads STREAMLIT_… variables only in `streamlit run`, so Buyerview has its own variable for hosts behind a
    proxy.
    """
    from streamlit import config

    from dashboard.bring_data.sources import upload_limit

    # An installed copy has its settings there. Streamlit 1.67 has no public way to set the path.
    config._main_script_path = str(ROOT / "dashboard" / "app.py")
    config.get_config_options(force_reparse=True)
    config.set_option("server.maxUploadSize", upload_limit())
    sign_in = read_settings()
    if sign_in.mode is not Mode.NONE:  # Streamlit compares names only; the gate compares ports too
        names = [urlsplit(f"//{host}").hostname for host in (urlsplit(sign_in.origin).netloc, *sign_in.hosts)]
        config.set_option("server.allowedHosts", [*names, *LOOPBACK])
        config.set_option("server.trustedUserHeaders", {PERSON_HEADER: "person", SESSION_HEADER: "session"})
    if sign_in.provider is not None:
        config.set_option("server.cookieSecret", sign_in.provider.cookie_secret)
    why = insecure_settings(config.get_option)
    if why is not None:
        raise ServerRefused(why)


def insecure_settings(setting: Callable[[str], object]) -> str | None:
    """Return the first insecure setting with its remedy; None if all are secure."""
    hosts = setting("server.allowedHosts")
    if not isinstance(hosts, Sequence) or not hosts or "*" in hosts:
        return (
            "server.allowedHosts must list host names, without '*': set BUYERVIEW_ALLOWED_HOSTS=dashboard.example.com"
        )
    for name in ("server.enableCORS", "server.enableXsrfProtection"):
        if not setting(name):
            return f"{name} must be on, because other web pages could read this dashboard"
    if setting("server.enableAgentApi"):
        return "server.enableAgentApi must be off, because it bypasses the browser's protections"
    return None


def _announce(address: str, ready: Callable[[str], None]) -> None:
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=2):
                break
        except urllib.error.HTTPError:
            break  # the server is up
        except OSError:
            time.sleep(0.1)
    ready(address)
