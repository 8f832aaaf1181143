"""Baseline of ingest: load the same CSV files into typed DuckDB tables, without rules, quarantine, merge or facts.

One pass per feed. Text columns stay as they are; other columns are TRY_CAST to the type of the feed's column. A value
that does not fit becomes null. A record that the reader cannot parse is dropped without a message. Moments are
TIMESTAMPs. The tables are in a file and checkpointed, and DuckDB uses the same number of threads, as in ingest.
"""

from pathlib import Path

import duckdb
from sqlalchemy import Boolean, Date, DateTime, Integer, Numeric

from ingest.mapping.mapping_file import FeedMap, load_mapping
from ingest.storage.scratch_database import CASTS_STAY
from metrics.schema import FEEDS
from metrics.warehouse.instances import THREADS_OF_RUN, threads


def load(mapping_file: Path, database: Path) -> int:
    """Load every feed and return the number of rows."""
    mapping = load_mapping(mapping_file)
    rows = 0
    with duckdb.connect(str(database), config={"threads": threads() or THREADS_OF_RUN, **CASTS_STAY}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for feed, feed_map in mapping.feeds.items():
            connection.execute(f"CREATE TABLE {feed} AS {_select(feed, feed_map, mapping_file.parent)}")
            rows += (connection.execute(f"SELECT count(*) FROM {feed}").fetchone() or (0,))[0]
        connection.execute("CHECKPOINT")
    return rows


def _select(feed: str, feed_map: FeedMap, folder: Path) -> str:
    files = ", ".join(f"'{path}'" for pattern in feed_map.read for path in sorted(folder.glob(pattern)))
    listed = [
        f"{_typed(feed, column, mapped.column, mapped.decimal)} AS {column}"
        for column, mapped in feed_map.columns.items()
        if mapped.column
    ]
    return (
        f"SELECT {', '.join(listed)} FROM read_csv([{files}], header = true, all_varchar = true, "
        f"delim = '{feed_map.delimiter}', ignore_errors = true)"
    )


def _typed(feed: str, column: str, source: str, decimal: str) -> str:
    kind, text = FEEDS[feed].table.c[column].type, f'"{source}"'
    if decimal == ",":
        text = f"replace({text}, ',', '.')"
    if isinstance(kind, DateTime):
        return f"TRY_CAST({text} AS TIMESTAMP)"
    if isinstance(kind, Numeric):
        return f"TRY_CAST({text} AS DECIMAL({kind.precision}, {kind.scale}))"
    for sort, word in ((Boolean, "BOOLEAN"), (Date, "DATE"), (Integer, "BIGINT")):
        if isinstance(kind, sort):
            return f"TRY_CAST({text} AS {word})"
    return text
