"""Apply saved edits in the background. Only one run is active at a time; edits saved during a run start one more.

The command line registers the function that applies them, because the dashboard must not import ingest. Without it, as
in tests, saved edits wait for `buyerview apply`.
"""

import logging
import threading
import time
from collections.abc import Callable

from dashboard.frame import access, live_refresh
from metrics.access import Action

log = logging.getLogger(__name__)

BUSY = 75
"""Exit code of the command while another run is active."""
TRIES, PAUSE = 60, 5.0
"""Number of attempts while another run is active, and seconds between them."""

Apply = Callable[[], tuple[int, str]]
"""Applies all saved edits; returns the exit code and the output."""

_guard = threading.Lock()
_apply: Apply | None = None
_running = _again = False


def register(apply: Apply) -> None:
    """Register the function that applies saved edits."""
    global _apply
    _apply = apply


def request_apply() -> bool:
    """Start a run that applies saved edits. Return False if no function is registered."""
    global _running, _again
    if _apply is None:
        return False
    with _guard:
        if _running:
            _again = True
        else:
            _running = True
            threading.Thread(target=_work, args=(_apply,), name="apply", daemon=True).start()
    return True


def apply_after_save() -> bool:
    """Start a run after a save. Return False if none starts: the person may not apply edits, or nothing is registered.

    A person without this right saves only. The edit waits until an administrator applies it.
    """
    is_started = access.may(Action.APPLY) and request_apply()
    if is_started:
        live_refresh.expect_data()
    return is_started


def running() -> bool:
    """Return True while a run is active."""
    return _running


def is_available() -> bool:
    """Return True if this server applies saved edits automatically."""
    return _apply is not None


def _work(apply: Apply) -> None:
    global _running, _again
    while True:
        try:
            for _ in range(TRIES):
                status, output = apply()
                if status != BUSY:
                    break
                time.sleep(PAUSE)
            if status:
                log.warning("saved edits were not applied: %s", output)
        except Exception:  # any failure; the next save must still start a run
            log.exception("saved edits were not applied")
        with _guard:
            if not _again:
                _running = False
                return
            _again = False
