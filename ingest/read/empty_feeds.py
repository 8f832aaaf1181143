"""Feeds without records: noted, and refused if the feed had records before."""

from ingest.errors import SourceRefused
from ingest.mapping.mapping_file import FeedMap
from ingest.read.source_objects import Reading
from ingest.storage.run_warnings import RunWarning


def check_empty(reading: Reading, feed: str, feed_map: FeedMap) -> None:
    """Note a feed whose objects have no records.

    Pulls by a cursor and feeds with `may_be_empty` can be empty. Raises SourceRefused if earlier runs had records: an
    export that failed often writes its header only.
    """
    read = [source for source in reading.objects if source.feed == feed]
    everything = read + [source for source in reading.repeated if source.feed == feed]
    if not read or feed_map.cursor or feed_map.may_be_empty or reading.mapping.store is not None:
        return
    if any(source.rows_in for source in everything):
        empty = [source.name for source in read if not source.rows_in]
    elif feed in reading.filled:
        raise SourceRefused(
            ", ".join(source.name for source in read),
            "",
            f"[{feed}] has no records, but earlier runs had records",
            f"Send the complete records. If they can be missing, write may_be_empty = true in [{feed}].",
        )
    else:
        empty = [source.name for source in read]
    reading.warnings.extend(
        RunWarning(feed, "no_records", f"{name} has no records; check its export", name) for name in empty
    )
