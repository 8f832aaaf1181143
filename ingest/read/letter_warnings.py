"""Warn of letters of a file that may be misread."""

from sqlalchemy import String

from ingest.mapping.mapping_file import FeedMap
from ingest.read.odd_letters import OddLetters
from ingest.read.source_objects import Reading
from ingest.storage.run_warnings import RunWarning
from ingest.storage.scratch_database import quoted, sql_literal
from metrics.schema import FEEDS

DO = {
    "encoding_may_be_utf8": "The whole file is valid UTF-8, and the mapping says {encoding}. If {meant!r} is right, "
    'write encoding = "utf-8" in the mapping',
    "letters_misread": "If {meant!r} is right, a step before the file, or encoding in the mapping, has read UTF-8 as "
    "another encoding. Correct it and send the file again",
    "letters_lost": "A step before the file has replaced letters that it could not write. Send the records again from "
    "the source",
}
"""What to do, by the kind of finding."""


def warn_of_odd_letters(
    reading: Reading, feed: str, feed_map: FeedMap, odd: OddLetters | None, object_name: str
) -> None:
    """Add a warning about odd letters of the last staged object, with the column of the example."""
    if odd is None:
        return
    table = f"{quoted(f'stage_{feed}')} WHERE _object = {len(reading.objects) - 1}"
    texts = [
        one
        for one, mapped in feed_map.columns.items()
        if mapped.column and isinstance(FEEDS[feed].table.c[one].type, String)
    ]
    has = ", ".join(f"bool_or(contains({quoted(one)}, {sql_literal(odd.example)}))" for one in texts)
    seen = reading.connection.execute(f"SELECT {has} FROM {table}").fetchone() if texts else None
    column = next((one for one, some in zip(texts, seen or (), strict=True) if some), None)
    do = DO[odd.code].format(meant=odd.meant, encoding=feed_map.encoding)
    message = (
        f"{odd.count:,} {'word' if odd.count == 1 else 'words'} of {object_name} may be misread, for example "
        f"{odd.example!r}{f' in {column}' if column else ''}. {do}."
    )
    reading.warnings.append(RunWarning(feed, odd.code, message, object_name, odd.count, column))
