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
    connection: Connection, feed: str, rows: FromClause, units: unit_conversion.Units | None, result: LoadResult
) -> dict[RowId, RuleBreaks]:
    """Return the rows that break cross-row rules, each with all rules it breaks.

    A row that only lacks other rows waits for them.
    """
    rule_breaks: dict[RowId, RuleBreaks] = {}
    suite = [
        *cross_row_rules.rules(feed, rows),
        *(unit_conversion.rules(feed, rows, units) if units is not None else ()),
    ]
    if not suite:
        return rule_breaks
    total = connection.scalar(select(func.count()).select_from(rows)) or 0
    for rule in suite:
        broken = connection.execute(rule.broken).all()
        for file_id, row_no, value in broken:
            breaks = rule_breaks.setdefault((file_id, row_no), RuleBreaks())
            breaks.add(rule.name, rule.column, value, rule.do, rule.waits_for)
        result.check(Check(feed, rule.name, rule.column, total, len(broken)))
    return rule_breaks


def store_waiting(
    connection: Connection,
    clean: Table | None,
    waiting_table: Table,
    stored_ids: set[RowId],
    rule_breaks: Mapping[RowId, RuleBreaks],
    kept_out: Table | None,
    result: LoadResult,
) -> set[RowId]:
    """Store new rows that break a cross-row rule. Returns the stored rows that no longer break any."""
    leaving = stored_ids - set(rule_breaks)
    if leaving:
        result.released += set_status(connection, leaving, "released")
        for file_id, n in Counter(file_id for file_id, _ in leaving).items():
            result.counts.quarantined[file_id] -= n
            result.counts.loaded[file_id] += n
    update_reasons(connection, {row: one for row, one in rule_breaks.items() if row in stored_ids})
    if clean is not None and kept_out is not None and len(rule_breaks) > len(rule_breaks.keys() & stored_ids):
        names = [column.name for column in clean.columns]
        connection.execute(
            insert(waiting_table).from_select(names, select(clean).where(matches(kept_out, clean).exists()))
        )
    return leaving


def release(connection: Connection, waiting_table: Table, rows: set[RowId]) -> None:
    """Delete rows that no longer wait. Call it after the merge has read them."""
    released = create_temporary(connection, "leaving", Column("file_id", BigInteger), Column("row_no", BigInteger))
    insert_rows(connection, released, ({"file_id": file_id, "row_no": row_no} for file_id, row_no in rows))
    connection.execute(delete(waiting_table).where(matches(released, waiting_table).exists()))
    released.drop(connection)
