"""Stage source objects in the typed tables `stage_<feed>` of the scratch database: one row per readable record.

A CSV is staged in one pass. Other kinds, and everything that a mapping's SQL reads, become a text table first. Rules
are not checked here.
"""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from ingest.mapping.mapping_file import FeedMap
from ingest.read import text_tables
from ingest.read.csv_scan import CsvScan, refuse_unreadable
from ingest.read.discounts import stage_discounts
from ingest.read.empty_feeds import check_empty
from ingest.read.fill_down import fill_down
from ingest.read.find_files import refuse_changed, scan_files
from ingest.read.fractions import stage_fractions
from ingest.read.manifest import check_files, check_rows
from ingest.read.mapping_sql import needs_sandbox, stage_for_sandbox
from ingest.read.same_key import combine_same_keys
from ingest.read.source_objects import Reading, SourceObject
from ingest.read.stage_text import query_rows, read_query, stage_text, to_text
from ingest.read.staging import create_staging, stage_csv, staging_table
from ingest.storage.scratch_database import quoted
from metrics.warehouse.failpoint import failpoint

Progress = Callable[[str, float], None]
"""Called with the name of the current step and its progress (0 to 1)."""


def read_all(reading: Reading, progress: Progress) -> None:
    """Stage every feed of the mapping. Raises SourceRefused or MappingRefused; then the run publishes nothing."""
    mapping = reading.mapping
    files = scan_files(reading)
    check_files(reading, files)
    staged = stage_for_sandbox(reading, files) if needs_sandbox(mapping) else {}
    for position, (feed, feed_map) in enumerate(mapping.feeds.items()):
        progress(f"read {feed}", position / len(mapping.feeds))
        create_staging(reading.connection, feed, feed_map, mapping.time_zone)
        if feed in staged:
            stage_text(reading, feed, staged[feed])
        elif feed_map.connection:
            stage_text(reading, feed, [read_query(reading, reading.connection, feed, feed_map)])
        else:
            for path, object_name, file_scan in files[feed]:
                _stage_file(reading, feed, feed_map, path, object_name, file_scan)
        check_rows(reading, feed, feed_map)
        check_empty(reading, feed, feed_map)
        if reading.skip_unchanged_extract(feed):
            reading.connection.execute(f"DELETE FROM {quoted(staging_table(feed))}")
        fill_down(reading, feed, reading.selected.get(feed, feed_map))
        combine_same_keys(reading, feed, feed_map)
        if feed == "order_lines":
            stage_discounts(reading)
        elif feed == "unit_factors":
            stage_fractions(reading)
        failpoint("ingest.read")
    refuse_changed(reading, files)
    progress("read", 1.0)


def _stage_file(
    reading: Reading, feed: str, feed_map: FeedMap, path: Path, object_name: str, file_scan: "Future[CsvScan] | None"
) -> None:
    with refuse_unreadable(object_name):
        if file_scan is not None:
            stage_csv(reading, feed, feed_map, path, object_name, file_scan.result())
            return
        sha256 = text_tables.file_hash(path)
        rows = reading.read_before(feed, object_name, sha256)
        if rows is not None:
            reading.repeated.append(SourceObject(-1, feed, object_name, sha256, rows, rows))
            return
        table = reading.next_table()
        read = to_text(reading, reading.connection, table, path, feed_map, object_name, feed)
    stage_text(reading, feed, [query_rows(table, object_name, read, path=path, origin=feed_map)])
