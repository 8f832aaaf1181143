"""Bringing what people wrote into the numbers behind their backs: one run at a time, and one more where something was
saved meanwhile.

The command hands over what does it (pages know nothing of ingest); without one, as in a test, what is saved waits for
`buyerview apply`.
"""

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

BUSY = 75
"""What the command exits with while another run is under way."""
TRIES, PAUSE = 60, 5.0

Apply = Callable[[], tuple[int, str]]
"""Brings it all in; returns an exit status, and what it had to say."""

_guard = threading.Lock()
_apply: Apply | None = None
_running = _again = False


def register(apply: Apply) -> None:
    """From now on this is what brings it in."""
    global _apply
    _apply = apply


def request_apply() -> bool:
    """Have what was saved brought in; False where this server has no way to."""
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


def running() -> bool:
    """Whether it is being brought in now."""
    return _running


def is_available() -> bool:
    """Whether this server brings it in by itself."""
    return _apply is not None


def _work(apply: Apply) -> None:
    global _running, _again
    while True:
        try:
            for _ in range(TRIES):
                status, told = apply()
                if status != BUSY:
                    break
                time.sleep(PAUSE)
            if status:
                log.warning("what was written is not in the numbers: %s", told)
        except Exception:  # whatever it was, the next save is to be tried
            log.exception("what was written is not in the numbers")
        with _guard:
            if not _again:
                _running = False
                return
            _again = False
