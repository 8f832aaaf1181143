"""Combine records of one file that have the same key, as the mapping declares in `same_key`.

`first_filled` and `sum` give every record of a key the combined values. The merge then keeps one of them, and counts
the others as repeats. `last` and `refuse` change no record; ingest/load/key_conflicts.py applies them. Equal records
are repeats under every declaration.
"""

from sqlalchemy import Numeric

from ingest.mapping.mapping_file import FeedMap, mappable
from ingest.read.fill_down import copy_cell, is_empty
from ingest.read.source_objects import Reading
from ingest.read.staging import staging_table
from ingest.storage.run_warnings import RunWarning
from ingest.storage.scratch_database import Connection, quoted
from metrics.schema import FEEDS


def combine_same_keys(reading: Reading, feed: str, feed_map: FeedMap) -> None:
    """Combine the staged records of each key and file, if the mapping declares `first_filled` or `sum`."""
    if feed_map.same_key in ("first_filled", "sum"):
        _mark_rows(reading.connection, feed)
        if feed_map.same_key == "first_filled":
            _take_first_filled(reading.connection, feed)
        else:
            _add_up(reading, feed)
        reading.connection.execute("DROP TABLE same_key_rows")


def added_columns(feed: str) -> list[str]:
    """Return the columns that `sum` adds: quantities and amounts, but no price or cost of one unit."""
    return [
        column.name
        for column in FEEDS[feed].table.columns
        if isinstance(column.type, Numeric)
        and (column.name.endswith(("_qty", "_amount")) or column.name == "amount")
        and not column.name.startswith(("unit_", "price_"))
    ]


def _mark_rows(connection: Connection, feed: str) -> None:
    """List the staged rows whose key occurs more than once in their file: row id `r`, and the group `g` of the key."""
    keys, stage = ", ".join(quoted(column) for column in FEEDS[feed].key), quoted(staging_table(feed))
    known = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in FEEDS[feed].key)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE same_key_rows AS SELECT r, g FROM ("
        f"SELECT rowid AS r, min(rowid) OVER same AS g, count(*) OVER same AS n FROM {stage} WHERE {known} "
        f"WINDOW same AS (PARTITION BY _object, {keys})) WHERE n > 1"
    )


def _take_first_filled(connection: Connection, feed: str) -> None:
    """Give all records of a key the first value of each column that is not empty. Any record can withdraw the key."""
    stage = quoted(staging_table(feed))
    for column in mappable(FEEDS[feed]):
        if column in FEEDS[feed].key:
            continue
        chosen = f"CASE WHEN {'deleted' if column == 'deleted' else f'NOT {is_empty(column)}'} THEN r END"
        connection.execute(
            f"UPDATE {stage} AS s SET {copy_cell(feed, column)} FROM ("
            f"SELECT r, min({chosen}) OVER (PARTITION BY g) AS first "
            f"FROM same_key_rows JOIN {stage} AS x ON x.rowid = r"
            f") AS f JOIN {stage} AS t ON t.rowid = f.first WHERE s.rowid = f.r"
        )


def _add_up(reading: Reading, feed: str) -> None:
    """Add the quantities and amounts of the different records of a key.

    Records that differ in anything else cannot be added. They keep their values, `ok_same_key` becomes false, and
    validation rejects them. The same applies if a quantity does not fit its type. A sum with an empty part is empty.
    """
    connection, stage, added = reading.connection, quoted(staging_table(feed)), added_columns(feed)
    columns = [row[0] for row in connection.execute(f"DESCRIBE {stage}").fetchall()]
    own = [one for one in columns if not one.startswith(("ok_", "_"))]
    others = [one for one in own if one not in (*added, *FEEDS[feed].key, "source_updated_at")]
    every = ", ".join(quoted(one) for one in own)
    sums = "".join(f", {_sum(feed, column)} AS {quoted(column)}" for column in added)
    fits = [f"ok_{column}" for column in added if f"ok_{column}" in columns]
    rest = ", ".join(f"'{other}': {quoted(other)}" for other in others)
    whole = "".join(f" AND bool_and({quoted(fit)})" for fit in fits)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE sums AS SELECT g, count(DISTINCT {{{rest}}}) = 1{whole} AS fits, "
        "count(*) - count(*) FILTER (copy = 1) AS repeats, "
        f"max(source_updated_at) AS source_updated_at{sums} FROM ("
        f"SELECT g, row_number() OVER (PARTITION BY g, {every} ORDER BY r) AS copy, x.* "
        f"FROM {stage} AS x JOIN same_key_rows ON x.rowid = r) GROUP BY g"
    )
    new = ", ".join(
        f"{name} = CASE WHEN f.fits THEN f.{name} ELSE s.{name} END"
        for name in map(quoted, (*added, "source_updated_at"))
    )
    connection.execute(
        f"UPDATE {stage} AS s SET {new}, ok_same_key = f.fits FROM same_key_rows AS k JOIN sums AS f ON f.g = k.g "
        "WHERE s.rowid = k.r"
    )
    _warn_of_repeats(reading, feed)
    connection.execute("DROP TABLE sums")


def _sum(feed: str, column: str) -> str:
    """Return SQL for the sum of a column over the different records of a key.

    An empty received quantity is the shipped quantity. Recorded damage counts even if another part has no record.
    """
    as_shipped = (feed, column) == ("shipment_lines", "received_qty")
    value = f"coalesce({column}, shipped_qty)" if as_shipped else quoted(column)
    total = f"TRY_CAST(sum({value}) FILTER (copy = 1) AS DECIMAL(18,4))"
    if as_shipped:
        return f"CASE WHEN count({column}) > 0 THEN {total} END"
    complete = f"count({value}) FILTER (copy = 1) = count(*) FILTER (copy = 1)"
    if column == "damaged_qty":
        complete += f" OR {total} > 0"
    return f"CASE WHEN {complete} THEN {total} END"


def _warn_of_repeats(reading: Reading, feed: str) -> None:
    """Warn of equal records: they were not added."""
    connection, stage = reading.connection, quoted(staging_table(feed))
    found = connection.execute(
        f"SELECT s._object, sum(f.repeats) FROM sums AS f JOIN {stage} AS s ON s.rowid = f.g "
        "WHERE f.repeats > 0 GROUP BY 1"
    ).fetchall()
    for number, repeats in found:
        name = reading.objects[number].name
        reading.warnings.append(
            RunWarning(
                feed,
                "equal_records_not_added",
                f"{repeats:,} records of {name} equal another record of their key in every column. They were taken as "
                "repeats and not added. If they are separate parts, map a key column that tells them apart.",
                rows=int(repeats),
                object_name=name,
            )
        )
