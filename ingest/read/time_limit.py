"""End a query of a source that takes too long."""

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from ingest.errors import SourceRefused
from metrics.errors import SettingRefused

SETTING = "BUYERVIEW_QUERY_SECONDS"
SECONDS = 3600.0
"""Longest time of a query without the setting."""


@contextmanager
def time_limit(database: Connection, object_name: str) -> Iterator[None]:
    """Cancel what a connection is doing after the limit. Raises SourceRefused then."""
    seconds = limit()
    ended = threading.Event()

    def cancel() -> None:
        ended.set()
        driver = database.connection.driver_connection
        # sqlite3 and DuckDB name it interrupt; psycopg, oracledb and most other drivers name it cancel.
        stop = getattr(driver, "interrupt", None) or getattr(driver, "cancel", None)
        with contextlib.suppress(Exception):
            stop() if stop is not None else database.invalidate()

    timer = threading.Timer(seconds, cancel)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        if ended.is_set():
            do = f"Make the query cheaper, or raise {SETTING}."
            raise SourceRefused(object_name, "", f"the query took longer than {seconds:g} seconds", do) from None
        raise
    finally:
        timer.cancel()


def statement_seconds(rows: int) -> float:
    """Return how long a statement of a mapping may take over that number of staged rows."""
    return limit(60 + rows / 20_000)


def limit(default: float = SECONDS) -> float:
    """Return the longest time of a statement, in seconds. Raises SettingRefused if the setting is no number."""
    setting = os.environ.get(SETTING, "")
    with contextlib.suppress(ValueError):
        seconds = float(setting or default)
        if seconds > 0:
            return min(seconds, threading.TIMEOUT_MAX)
    raise SettingRefused(SETTING, f"{setting!r} is no number of seconds above 0.")
