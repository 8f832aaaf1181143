"""Run history: every run with its outcome, in the store.

It includes failed runs. They publish no generation, so a generation cannot record them.
"""

import json
from datetime import datetime

from sqlalchemy import insert, select

from metrics.store.connection import open_store
from metrics.store.tables import run_history
from metrics.warehouse import Location


def record_run(
    location: Location,
    *,
    source: str,
    started_at: datetime,
    finished_at: datetime,
    outcome: str,
    generation: int | None,
    report: dict[str, object],
) -> None:
    """Record a run."""
    with open_store(location) as connection:
        connection.execute(
            insert(run_history).values(
                source=source,
                started_at=started_at,
                finished_at=finished_at,
                outcome=outcome,
                generation=generation,
                report=json.dumps(report, ensure_ascii=False),
            )
        )


def runs(location: Location, *, limit: int = 100) -> list[dict[str, object]]:
    """Return the latest runs, newest first."""
    with open_store(location, write=False) as connection:
        rows = connection.execute(select(run_history).order_by(run_history.c.started_at.desc()).limit(limit))
        return [dict(row) for row in rows.mappings()]
