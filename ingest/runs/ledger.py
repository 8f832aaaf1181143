"""Run ledger of a run: quarantine, files, checks, mapped columns, warnings, cursors, and the check that it adds up.

It is written in the same transaction as the data. Every row of every file is either loaded, quarantined or superseded.
"""

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import Connection, delete, insert, select, update

from ingest.errors import RunAborted
from ingest.load.result import Counts
from ingest.quarantine import quarantine, release
from ingest.read import cursors
from ingest.read.source_objects import SourceObject
from ingest.runs import clock
from ingest.runs.empty_columns import find_empty_columns
from ingest.runs.excess_receipts import find_excess_receipts
from ingest.runs.run_state import RunState, effective_feeds, fingerprint, was_kept_out
from ingest.storage import tables
from ingest.storage.bulk_insert import insert_rows
from ingest.storage.row_ids import count_per_file
from ingest.storage.run_warnings import RunWarning, replace_warnings
from metrics.lists.alike_keys import alike_keys
from metrics.schema import FEEDS, checks, mapped_columns, run_files
from metrics.schema import quarantine as quarantine_table
from metrics.warehouse import Build
from metrics.warehouse.failpoint import failpoint


def write_ledger(state: RunState, build: Build) -> None:
    """Write quarantine, files, checks, mapped columns and cursors of a run."""
    connection, run_id, first = build.connection, state.known.next_run_id, state.known.next_file_id
    objects = {source.number: source for source in state.objects}
    quarantine.write(
        connection,
        state.reading.connection,
        {row: one for rejected in state.rejected.values() for row, one in rejected.items()},
        objects,
        run_id=run_id,
        first_file_id=first,
        time_zone=state.mapping.time_zone,
    )
    failpoint("ingest.quarantine")
    insert_rows(connection, run_files, _file_rows(state))
    write_counts(connection, state.loaded.counts)
    _drop_outdated(state, connection)
    state.checks.extend(
        {
            "feed": check.feed,
            "expectation": check.rule,
            "column_name": check.column,
            "rows_checked": check.rows_checked,
            "rows_failed": check.rows_failed,
        }
        for check in state.loaded.checks
    )
    insert_rows(connection, checks, ({"run_id": run_id, **check} for check in state.checks))
    _write_mapped(state, connection)
    state.warnings.extend(find_empty_columns(connection, state.mapping.name, effective_feeds(state)))
    state.warnings.extend(_quarantine_warnings(state, connection))
    state.warnings.extend(find_excess_receipts(connection, state.mapping.name))
    objects_read = [(source.feed, source.name) for source in state.objects]
    replace_warnings(connection, state.warnings, run_id=run_id, source=state.mapping.name, objects=objects_read)
    _write_taken(state, connection)
    clock.write_notes(connection, state)
    failpoint("ingest.ledger")


def _quarantine_warnings(state: RunState, connection: Connection) -> Iterator[RunWarning]:
    """Yield warnings about waiting records with alike parents, and about cancellations with an assumed date."""
    for alike_key in alike_keys(connection):
        yield RunWarning(
            alike_key.feed,
            "keys_differ_by_zeros_or_case",
            alike_key.message,
            rows=alike_key.records,
            column=alike_key.column,
        )
    for feed, count in state.assumed_cancellations.items():
        if count:
            many = f"{count:,} {'cancellation has' if count == 1 else 'cancellations have'} no date"
            message = (
                f"{many}: counted as made when the record was last updated (source_updated_at). "
                "Send cancelled_at to be exact."
            )
            yield RunWarning(feed, "cancellation_date_assumed", message, rows=count, column="cancelled_at")


def _file_rows(state: RunState) -> Iterator[dict[str, object]]:
    """Yield the rows of new files, with nothing loaded yet. `write_counts` adds the counts of the load."""
    first = state.known.next_file_id
    unreadable = Counter(
        number for feed in state.rejected.values() for (number, _), row in feed.items() if not was_kept_out(state, row)
    )
    for source in state.objects:
        yield _file_row(state, source, first + source.number, rows_quarantined=unreadable[source.number])
    for file_id, source in enumerate(state.reading.repeated, start=first + len(state.objects)):
        yield _file_row(state, source, file_id, rows_superseded=source.rows_in)


def _file_row(
    state: RunState, source: SourceObject, file_id: int, *, rows_quarantined: int = 0, rows_superseded: int = 0
) -> dict[str, object]:
    return {
        "file_id": file_id,
        "run_id": state.known.next_run_id,
        "source": state.mapping.name,
        "feed": source.feed,
        "name": source.name,
        "sha256": source.sha256,
        "rows_staged": source.rows_staged,
        "rows_in": source.rows_in,
        "rows_loaded": 0,
        "rows_quarantined": rows_quarantined,
        "rows_superseded": rows_superseded,
    }


def _drop_outdated(state: RunState, connection: Connection) -> None:
    """Move the counts of replaced records from quarantined to superseded."""
    for file_id, n in release.drop_replaced(
        connection, state.known.next_run_id, state.known.next_file_id, state.loaded.confirmed
    ).items():
        moved = {
            "rows_quarantined": run_files.c.rows_quarantined - n,
            "rows_superseded": run_files.c.rows_superseded + n,
        }
        connection.execute(update(run_files).where(run_files.c.file_id == file_id).values(moved))


def _write_mapped(state: RunState, connection: Connection) -> None:
    connection.execute(delete(mapped_columns).where(mapped_columns.c.source == state.mapping.name))
    insert_rows(
        connection,
        mapped_columns,
        (
            {"source": state.mapping.name, "feed": feed, "column_name": column, "stands_in_for": about.stands_in_for}
            for feed, feed_map in effective_feeds(state).items()
            for column, about in feed_map.columns.items()
        ),
    )
    matched = [
        {"source": state.mapping.name, "feed": feed, "column_name": "line_no", "stands_in_for": None}
        for feed, feed_map in effective_feeds(state).items()
        if feed_map.match and "line_no" not in feed_map.columns
    ]
    insert_rows(connection, mapped_columns, matched)  # the only line of the order is the line


def _write_taken(state: RunState, connection: Connection) -> None:
    first = state.known.next_file_id
    insert_rows(
        connection,
        tables.rows_read,
        (
            {
                "source": state.mapping.name,
                "feed": source.feed,
                "sha256": source.tail_sha256 or source.sha256,
                "mapping": fingerprint(state.mapping.feeds[source.feed], state.mapping),
                "file_id": first + source.number,
            }
            for source in state.objects
        ),
    )
    for source in state.objects:
        if source.cursor is not None:
            mine = (tables.cursors.c.source == state.mapping.name) & (tables.cursors.c.feed == source.feed)
            connection.execute(delete(tables.cursors).where(mine))
            kind, value = cursors.to_text(source.cursor)
            connection.execute(
                insert(tables.cursors).values(
                    source=state.mapping.name,
                    feed=source.feed,
                    column_name=state.mapping.feeds[source.feed].cursor,
                    kind=kind,
                    value=value,
                )
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
                .values({state: run_files.c[state] + n for state, n in moved.items()})
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
            + "; ".join([*wrong[:5], *(f"file {state} is not in run_files" for state in sorted(unknown)[:5])])
        )
