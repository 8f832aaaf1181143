"""Warnings of a run: facts about the records that no rule rejects, but that a reader of the numbers must know."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, or_

from ingest.storage.bulk_insert import insert_rows
from metrics.schema import run_warnings


@dataclass(frozen=True)
class RunWarning:
    """A warning, for the summary of the run, `--json` and the data quality page."""

    feed: str
    code: str
    """Short name of the kind of warning, for example `same_key_differs`."""
    message: str
    """A sentence about what was found, with the counts, and what to do next."""
    object_name: str | None = None
    """The file or query that the warning is about. None: it is about the feed as a whole."""
    rows: int = 0
    """Number of records concerned."""
    column: str | None = None
    measures: tuple[str, ...] = ()
    """Measures concerned, if the warning names them."""


def replace_warnings(
    connection: Connection,
    warnings: Iterable[RunWarning],
    *,
    run_id: int,
    source: str,
    objects: Iterable[tuple[str, str]],
) -> None:
    """Store the warnings of a run.

    They replace the source's warnings about feeds as a whole, and about the objects read in this run. Warnings about
    other objects stay, because the rows of those objects are still loaded.

    objects: feed and name of every object read in this run.
    """
    table = run_warnings
    read = [and_(table.c.feed == feed, table.c.object_name == name) for feed, name in objects]
    connection.execute(delete(table).where(table.c.source == source, or_(table.c.object_name.is_(None), *read)))
    insert_rows(
        connection,
        table,
        (
            {
                "run_id": run_id,
                "source": source,
                "feed": warning.feed,
                "code": warning.code,
                "object_name": warning.object_name,
                "column_name": warning.column,
                "rows_concerned": warning.rows,
                "message": warning.message,
                "measures": ", ".join(warning.measures) or None,
            }
            for warning in warnings
        ),
    )
