"""Run ledger: quarantine, files, checks, mapped columns and cursors of a run, and the check that the ledger adds up.

It is written in the same transaction as the data. Every row of every file is either loaded, quarantined or superseded.
"""

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import Connection, delete, insert, select, update

from ingest.errors import RunAborted
from ingest.load.result import Counts
from ingest.quarantine import quarantine, release
from ingest.read.source_objects import SourceObject
from ingest.runs.run_state import RunState, cursor_to_text, effective_feeds, fingerprint, was_kept_out
from ingest.storage import tables
from ingest.storage.bulk_insert import insert_rows
from ingest.storage.row_ids import count_per_file
from metrics.schema import FEEDS, checks, mapped_columns, run_files
from metrics.schema import quarantine as quarantine_table
from metrics.warehouse import Build
from metrics.warehouse.failpoint import failpoint


def write_ledger(one: RunState, build: Build) -> None:
    """Write quarantine, files, checks, mapped columns and cursors of a run."""
    connection, run_id, first = build.connection, one.known.next_run_id, one.known.next_file_id
    objects = {source.number: source for source in one.objects}
    for rejected in one.rejected.values():
        quarantine.write(connection, one.reading.connection, rejected, objects, run_id=run_id, first_file_id=first)
    failpoint("ingest.quarantine")
    insert_rows(connection, run_files, _file_rows(one))
    write_counts(connection, one.loaded.counts)
    _drop_outdated(one, connection)
    one.checks.extend(
        {
            "feed": check.feed,
            "expectation": check.rule,
            "column_name": check.column,
            "rows_checked": check.rows_checked,
            "rows_failed": check.rows_failed,
        }
        for check in one.loaded.checks
    )
    insert_rows(connection, checks, ({"run_id": run_id, **check} for check in one.checks))
    _write_mapped(one, connection)
    _write_taken(one, connection)
    failpoint("ingest.ledger")


def _file_rows(one: RunState) -> Iterator[dict[str, object]]:
    """Yield the rows of new files, with nothing loaded yet. `write_counts` adds the counts of the load."""
    first = one.known.next_file_id
    unreadable = Counter(
        number for feed in one.rejected.values() for (number, _), row in feed.items() if not was_kept_out(one, row)
    )
    for source in one.objects:
        yield _file_row(one, source, first + source.number, rows_quarantined=unreadable[source.number])
    for file_id, source in enumerate(one.reading.repeated, start=first + len(one.objects)):
        yield _file_row(one, source, file_id, rows_superseded=source.rows_in)


def _file_row(
    one: RunState, source: SourceObject, file_id: int, *, rows_quarantined: int = 0, rows_superseded: int = 0
) -> dict[str, object]:
    return {
        "file_id": file_id,
        "run_id": one.known.next_run_id,
        "source": one.mapping.name,
        "feed": source.feed,
        "name": source.name,
        "sha256": source.sha256,
        "rows_staged": source.rows_staged,
        "rows_in": source.rows_in,
        "rows_loaded": 0,
        "rows_quarantined": rows_quarantined,
        "rows_superseded": rows_superseded,
    }


def _drop_outdated(one: RunState, connection: Connection) -> None:
    """Move the counts of replaced records from quarantined to superseded."""
    for file_id, n in release.drop_replaced(connection, one.known.next_run_id, one.known.next_file_id).items():
        moved = {
            "rows_quarantined": run_files.c.rows_quarantined - n,
            "rows_superseded": run_files.c.rows_superseded + n,
        }
        connection.execute(update(run_files).where(run_files.c.file_id == file_id).values(moved))


def _write_mapped(one: RunState, connection: Connection) -> None:
    connection.execute(delete(mapped_columns).where(mapped_columns.c.source == one.mapping.name))
    insert_rows(
        connection,
        mapped_columns,
        (
            {"source": one.mapping.name, "feed": feed, "column_name": column, "stands_in_for": about.stands_in_for}
            for feed, feed_map in effective_feeds(one).items()
            for column, about in feed_map.columns.items()
        ),
    )


def _write_taken(one: RunState, connection: Connection) -> None:
    first = one.known.next_file_id
    insert_rows(
        connection,
        tables.rows_read,
        (
            {
                "source": one.mapping.name,
                "feed": source.feed,
                "sha256": source.sha256,
                "mapping": fingerprint(one.mapping.feeds[source.feed], one.mapping),
                "file_id": first + source.number,
            }
            for source in one.objects
            if source.cursor is None
        ),
    )
    for source in one.objects:
        if source.cursor is not None:
            mine = (tables.cursors.c.source == one.mapping.name) & (tables.cursors.c.feed == source.feed)
            connection.execute(delete(tables.cursors).where(mine))
            kind, value = cursor_to_text(source.cursor)
            connection.execute(
                insert(tables.cursors).values(source=one.mapping.name, feed=source.feed, kind=kind, value=value)
            )


def write_counts(connection: Connection, counts: Counts) -> None:
    """Add the counts of the load to the files of this run and of earlier runs."""
    for file_id in {*counts.loaded, *counts.quarantined, *counts.superseded}:
        moved = {
            "rows_loaded": counts.loaded[file_id],
            "rows_quarantined": counts.quarantined[file_id],
            "rows_superseded": counts.superseded[file_id],
        }
        if any(moved.values()):
            connection.execute(
                update(run_files)
                .where(run_files.c.file_id == file_id)
                .values({one: run_files.c[one] + n for one, n in moved.items()})
            )


def check_balance(connection: Connection) -> None:
    """Raise RunAborted unless every row of every file is either loaded, quarantined or superseded.

    The ledger's counts were computed during the load. This check counts the rows themselves.
    """
    about = {row.file_id: row for row in connection.execute(select(run_files))}
    present: Counter[int] = Counter()
    for feed in FEEDS.values():
        present.update(dict(count_per_file(connection, feed.table)))
    kept: Counter[int] = Counter(
        dict(count_per_file(connection, quarantine_table, quarantine_table.c.status.in_(["rejected", "waiting"])))
    )
    wrong = [
        f"{row.name} ({row.feed}): {row.rows_in} rows in, ledger {row.rows_loaded} loaded + "
        f"{row.rows_quarantined} quarantined + {row.rows_superseded} superseded, "
        f"counted {present[file_id]} loaded, {kept[file_id]} quarantined"
        for file_id, row in about.items()
        if row.rows_loaded + row.rows_quarantined + row.rows_superseded != row.rows_in
        or present[file_id] != row.rows_loaded
        or kept[file_id] != row.rows_quarantined
        or min(row.rows_loaded, row.rows_quarantined, row.rows_superseded) < 0
    ]
    unknown = (set(present) | set(kept)) - set(about)
    if wrong or unknown:
        raise RunAborted(
            "The run ledger does not add up; please report this defect of Buyerview: "
            + "; ".join([*wrong[:5], *(f"file {one} is not in run_files" for one in sorted(unknown)[:5])])
        )
