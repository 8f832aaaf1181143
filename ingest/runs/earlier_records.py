"""Compare the records of a run with each other and with those of earlier runs."""

from collections.abc import Callable

from sqlalchemy import Connection, Table

from ingest.load.full_extract import Extract, withdraw_missing
from ingest.load.key_conflicts import report_conflicts
from ingest.load.result import LoadResult
from ingest.runs.run_state import RunState


def withdraw_missing_records(
    state: RunState, clean: dict[str, Table], connection: Connection, touched: Table
) -> Callable[[str, LoadResult], None]:
    """Return a function that withdraws the records that the full extract of a merged feed lacks.

    It warns of records that are gone from other files, and raises SourceRefused if too many are missing.
    """

    def withdraw(feed: str, result: LoadResult) -> None:
        if feed in clean:
            extract = Extract(
                feed,
                state.mapping.feeds[feed],
                state.mapping.name,
                clean[feed],
                tuple(state.rejected.get(feed, {}).values()),
                tuple(source.name for source in state.objects if source.feed == feed),
                state.known.next_run_id,
                state.known.next_file_id,
            )
            state.warnings.extend(withdraw_missing(connection, extract, result, touched))

    return withdraw


def report_conflicting_records(state: RunState, connection: Connection) -> None:
    """Warn of different records of one file and key. Raises SourceRefused if the mapping refuses them."""
    names = {state.known.next_file_id + source.number: source.name for source in state.objects}
    state.warnings.extend(report_conflicts(connection, state.loaded.conflicts, state.mapping.feeds, names))
