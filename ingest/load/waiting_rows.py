"""Keep out rows that break a cross-row rule, store them, and release them once the rule holds.

Source: R33 (duplicates and late records).
"""

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, Connection, FromClause, Table, delete, func, insert, select

from ingest.load import unit_conversion
from ingest.load.result import Check, LoadResult
from ingest.quarantine.quarantine import update_reasons
from ingest.quarantine.records import RuleBreaks
from ingest.quarantine.release import set_status
from ingest.storage.bulk_insert import create_temporary, insert_rows
from ingest.storage.row_ids import RowId, matches
from ingest.validate import cross_row_rules


def check_rows(
    connection: Connection, feed: str, rows: FromClause, found: unit_conversion.Units | None, result: LoadResult
) -> dict[RowId, RuleBreaks]:
    """Return the rows that break cross-row rules, each with all rules it breaks.

    A row that only lacks other rows waits for them.
    """
    held: dict[RowId, RuleBreaks] = {}
    suite = [
        *cross_row_rules.rules(feed, rows),
        *(unit_conversion.rules(feed, rows, found) if found is not None else ()),
    ]
    if not suite:
        return held
    total = connection.scalar(select(func.count()).select_from(rows)) or 0
    for rule in suite:
        broken = connection.execute(rule.broken).all()
        for file_id, row_no, value in broken:
            one = held.setdefault((file_id, row_no), RuleBreaks())
            one.add(rule.name, rule.column, value, rule.do, rule.waits_for)
        result.check(Check(feed, rule.name, rule.column, total, len(broken)))
    return held


def store_waiting(
    connection: Connection,
    clean: Table | None,
    parked: Table,
    old: set[RowId],
    held: Mapping[RowId, RuleBreaks],
    kept_out: Table,
    result: LoadResult,
) -> set[RowId]:
    """Store new rows that break a cross-row rule. Returns the stored rows that no longer break any."""
    leaving = old - set(held)
    if leaving:
        result.released += set_status(connection, leaving, "released")
        for file_id, n in Counter(file_id for file_id, _ in leaving).items():
            result.counts.quarantined[file_id] -= n
            result.counts.loaded[file_id] += n
    update_reasons(connection, {row: one for row, one in held.items() if row in old})
    if clean is not None and len(held) > len(held.keys() & old):
        names = [column.name for column in clean.columns]
        connection.execute(insert(parked).from_select(names, select(clean).where(matches(kept_out, clean).exists())))
    return leaving


def release(connection: Connection, parked: Table, rows: set[RowId]) -> None:
    """Delete rows that no longer wait. Call it after the merge has read them."""
    gone = create_temporary(connection, "leaving", Column("file_id", BigInteger), Column("row_no", BigInteger))
    insert_rows(connection, gone, ({"file_id": file_id, "row_no": row_no} for file_id, row_no in rows))
    connection.execute(delete(parked).where(matches(gone, parked).exists()))
    gone.drop(connection)
