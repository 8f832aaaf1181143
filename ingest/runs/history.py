"""Run history: every run with its outcome, in the store.

It includes failed runs. They publish no generation, so a generation cannot record them.
"""

import json
import logging
from datetime import UTC, datetime

from sqlalchemy import insert, select
from sqlalchemy.exc import SQLAlchemyError

from metrics.errors import WarehouseError, driver_text
from metrics.redaction import redacted
from metrics.store.connection import open_store
from metrics.store.tables import run_history
from metrics.warehouse import Location

log = logging.getLogger(__name__)


def record(
    location: Location,
    source: str,
    started_at: datetime,
    outcome: str,
    generation: int | None,
    report: dict[str, object],
) -> None:
    """Record a run that ends now. Raises StoreUnusable or WarehouseUnreachable."""
    with open_store(location) as connection:
        connection.execute(
            insert(run_history).values(
                source=_storable(source),
                started_at=started_at,
                finished_at=datetime.now(UTC).replace(tzinfo=None),
                outcome=outcome,
                generation=generation,
                report=_storable(json.dumps(report, ensure_ascii=False)),
            )
        )


def record_failure(location: Location, source: str, started_at: datetime, error: Exception) -> None:
    """Record a failed run. Its error matters more than the history, so an error of the history is only logged."""
    about: dict[str, object] = {"error": type(error).__name__, "message": redacted(str(error))}
    try:
        record(location, source, started_at, "failed", None, about)
    except (WarehouseError, SQLAlchemyError, ImportError, OSError, TypeError, ValueError) as unrecorded:
        log.warning("the run history does not record this run: %s", driver_text(unrecorded))


def _storable(text: str) -> str:
    """Replace surrogates, which come from invalid file names and which no database stores."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def runs(location: Location, *, limit: int = 100) -> list[dict[str, object]]:
    """Return the latest runs, newest first."""
    with open_store(location, write=False) as connection:
        rows = connection.execute(select(run_history).order_by(run_history.c.started_at.desc()).limit(limit))
        return [dict(row) for row in rows.mappings()]
