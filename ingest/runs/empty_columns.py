"""Mapped columns that are empty in all records, with the measures that depend on them. Source: P3 (three values)."""

from collections.abc import Iterator, Mapping
from functools import cache

from sqlalchemy import Connection, func, literal, select

from ingest.mapping.mapping_file import FeedMap
from ingest.storage.run_warnings import RunWarning
from metrics.lists.quality_marks import columns_behind
from metrics.measures.catalog import MEASURES
from metrics.schema import FEEDS
from metrics.sql.dialects import count_if

NAMED = 5
"""Measures that the message names."""
SAMPLE = 1_000
"""Records that are searched first, all columns at once. Few columns remain to be searched one by one."""
BOOKKEEPING = ("deleted", "source_updated_at")


def find_empty_columns(connection: Connection, source: str, feeds: Mapping[str, FeedMap]) -> Iterator[RunWarning]:
    """Yield a warning for each mapped column without a value in any loaded record of the source."""
    for feed, feed_map in feeds.items():
        table = FEEDS[feed].table
        mine = (table.c.source == source, ~table.c.deleted)
        names = [name for name, about in feed_map.columns.items() if about.value is None and name not in BOOKKEEPING]
        filled = {
            name: ~table.c.time_zone_assumed if name == "ship_to_time_zone" else table.c[name].is_not(None)
            for name in names
        }
        if not names:
            continue
        sample = select(*[condition.label(name) for name, condition in filled.items()]).where(*mine).limit(SAMPLE)
        some = sample.subquery()
        counted = connection.execute(select(func.count(), *[count_if(flag).label(flag.name) for flag in some.c])).one()
        seen = dict(zip(names, counted[1:], strict=True))
        found = {name: bool(seen[name]) for name in names}
        if not counted[0] or all(found.values()):
            continue
        rows = int(counted[0])
        if rows == SAMPLE:
            has_value = [
                select(literal(1)).select_from(table).where(*mine, filled[name]).exists().label(name)
                for name in names
                if not found[name]
            ]
            found |= connection.execute(select(*has_value)).mappings().one()
            if all(found.values()):
                continue
            rows = connection.scalar(select(func.count()).select_from(table).where(*mine)) or 0
        for name in names:
            if not found[name]:
                yield _warning(feed, name, rows)


@cache
def _measures_by_column() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, measure in MEASURES.items():
        for column in columns_behind(measure):
            found.setdefault(column, []).append(name)
    return found


def _warning(feed: str, column: str, rows: int) -> RunWarning:
    measures = tuple(_measures_by_column().get(f"{feed}.{column}", ()))
    named = ", ".join(measures[:NAMED]) + (f" and {len(measures) - NAMED} more" if len(measures) > NAMED else "")
    concerned = f"{len(measures)} measures depend on it: {named}. " if measures else "No measure depends on it. "
    message = (
        f"{column} is mapped and empty in all {rows:,} loaded records. {concerned}"
        "Map the column that has the values, or remove it from the mapping if the source does not know them."
    )
    return RunWarning(feed, "column_is_empty", message, rows=rows, column=column, measures=measures)
