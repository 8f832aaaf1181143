"""Records of one file that have the same key and differ, although no version decides between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, RowMapping, and_, func, or_, select

from ingest.errors import SourceRefused
from ingest.load.restatements import content_columns
from ingest.mapping.mapping_file import FeedMap
from ingest.storage.run_warnings import RunWarning
from metrics.schema import FEEDS, run_files


@dataclass(frozen=True)
class KeyConflict:
    """The records of one file that have the same key, no different `source_updated_at`, and different contents."""

    feed: str
    file_id: int
    keys: int
    """Number of keys."""
    example: str
    """Key, record numbers and columns of the first pair."""


def find_conflicts(connection: Connection, feed: str, rows: FromClause) -> list[KeyConflict]:
    """Return the conflicts among rows whose key occurs more than once, one per file."""
    key, content = FEEDS[feed].key, content_columns(feed)
    group = [*(rows.c[column] for column in key), rows.c.file_id, rows.c.source_updated_at]

    def above(name: str) -> ColumnElement[Any]:  # Any: a column of any type
        return func.lag(rows.c[name]).over(partition_by=group, order_by=rows.c.row_no)

    pairs = select(
        *(rows.c[column] for column in (*key, "file_id", "row_no", *content)),
        above("row_no").label("above"),
        *(above(column).label(f"above_{column}") for column in content),
    ).subquery()
    differs = {column: pairs.c[column].is_distinct_from(pairs.c[f"above_{column}"]) for column in content}
    wrong = and_(pairs.c.above.is_not(None), or_(*differs.values()))
    keys = select(*(pairs.c[column] for column in (*key, "file_id"))).where(wrong).distinct().subquery()
    result = []
    for file_id, count in connection.execute(select(keys.c.file_id, func.count()).group_by(keys.c.file_id)).all():
        first = select(
            *(pairs.c[column] for column in (*key, "row_no", "above")),
            *(flag.label(f"differs_{one}") for one, flag in differs.items()),
        )
        first = first.where(wrong, pairs.c.file_id == file_id).order_by(pairs.c.row_no).limit(1)
        result.append(KeyConflict(feed, file_id, count, _example(feed, connection.execute(first).mappings().one())))
    return result


def _example(feed: str, pair: RowMapping) -> str:
    named = ", ".join(f"{column} {pair[column]}" for column in FEEDS[feed].key)
    columns = [
        content_column
        for content_column in content_columns(feed)
        if pair[f"differs_{content_column}"] and not content_column.endswith("_is_date")
    ]
    return f"{named}: records {pair['above']} and {pair['row_no']} differ in {', '.join(columns)}"


def report_conflicts(
    connection: Connection, conflicts: list[KeyConflict], feeds: Mapping[str, FeedMap], names: Mapping[int, str]
) -> list[RunWarning]:
    """Return a warning for each conflict in a feed that declares no `same_key`.

    names: the object of each file_id of this run. Raises SourceRefused if the feed declares `refuse`.
    """
    result = []
    for conflict in conflicts:
        declared = feeds[conflict.feed].same_key if conflict.feed in feeds else None
        stored = select(run_files.c.name).where(run_files.c.file_id == conflict.file_id)
        name = str(names.get(conflict.file_id) or connection.scalar(stored))
        counted = "1 key occurs" if conflict.keys == 1 else f"{conflict.keys:,} keys occur"
        found = f"{counted} more than once in {name}, and the records differ ({conflict.example})"
        if declared == "refuse":
            do = (
                f'Correct the file, or declare another same_key for [{conflict.feed}]: "last", "sum" or "first_filled".'
            )
            raise SourceRefused(name, conflict.feed, found, do)
        if declared != "last":
            do = (
                f"Only the last record of each key was loaded. Declare how [{conflict.feed}] combines them: "
                'same_key = "last", "sum", "first_filled" or "refuse"; or map a key that tells them apart.'
            )
            result.append(RunWarning(conflict.feed, "same_key_differs", f"{found}. {do}", name, conflict.keys))
    return result
