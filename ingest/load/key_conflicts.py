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
    group = [*(rows.c[one] for one in key), rows.c.file_id, rows.c.source_updated_at]

    def above(name: str) -> ColumnElement[Any]:  # Any: a column of any type
        return func.lag(rows.c[name]).over(partition_by=group, order_by=rows.c.row_no)

    pairs = select(
        *(rows.c[one] for one in (*key, "file_id", "row_no", *content)),
        above("row_no").label("above"),
        *(above(one).label(f"above_{one}") for one in content),
    ).subquery()
    differs = {one: pairs.c[one].is_distinct_from(pairs.c[f"above_{one}"]) for one in content}
    wrong = and_(pairs.c.above.is_not(None), or_(*differs.values()))
    keys = select(*(pairs.c[one] for one in (*key, "file_id"))).where(wrong).distinct().subquery()
    result = []
    for file_id, count in connection.execute(select(keys.c.file_id, func.count()).group_by(keys.c.file_id)).all():
        first = select(
            *(pairs.c[one] for one in (*key, "row_no", "above")),
            *(flag.label(f"differs_{one}") for one, flag in differs.items()),
        )
        first = first.where(wrong, pairs.c.file_id == file_id).order_by(pairs.c.row_no).limit(1)
        result.append(KeyConflict(feed, file_id, count, _example(feed, connection.execute(first).mappings().one())))
    return result


def _example(feed: str, pair: RowMapping) -> str:
    named = ", ".join(f"{one} {pair[one]}" for one in FEEDS[feed].key)
    columns = [one for one in content_columns(feed) if pair[f"differs_{one}"] and not one.endswith("_is_date")]
    return f"{named}: records {pair['above']} and {pair['row_no']} differ in {', '.join(columns)}"


def report_conflicts(
    connection: Connection, conflicts: list[KeyConflict], feeds: Mapping[str, FeedMap], names: Mapping[int, str]
) -> list[RunWarning]:
    """Return a warning for each conflict in a feed that declares no `same_key`.

    names: the object of each file_id of this run. Raises SourceRefused if the feed declares `refuse`.
    """
    result = []
    for one in conflicts:
        declared = feeds[one.feed].same_key if one.feed in feeds else None
        stored = select(run_files.c.name).where(run_files.c.file_id == one.file_id)
        name = str(names.get(one.file_id) or connection.scalar(stored))
        counted = "1 key occurs" if one.keys == 1 else f"{one.keys:,} keys occur"
        found = f"{counted} more than once in {name}, and the records differ ({one.example})"
        if declared == "refuse":
            do = f'Correct the file, or declare another same_key for [{one.feed}]: "last", "sum" or "first_filled".'
            raise SourceRefused(name, one.feed, found, do)
        if declared != "last":
            do = (
                f"Only the last record of each key was loaded. Declare how [{one.feed}] combines them: "
                'same_key = "last", "sum", "first_filled" or "refuse"; or map a key that tells them apart.'
            )
            result.append(RunWarning(one.feed, "same_key_differs", f"{found}. {do}", name, one.keys))
    return result
