"""Write and update quarantined records: the original record, the rules it breaks, and what to do.

`waiting` records are released when their parent arrives. `rejected` records that contradict another record are released
when that record is corrected. Both are dropped when a later record of the same key loads (release.py).
"""

import json
from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import BigInteger, Column, Connection, Row, RowMapping, and_, select, update

from ingest.quarantine.records import (
    PIECE,
    Rejected,
    RuleBreaks,
    fetch_records,
    repeats_header_or_totals,
    rules_as_json,
    storable_text,
)
from ingest.quarantine.values import stored_values, without_broken
from ingest.read.source_objects import SourceObject
from ingest.storage.bulk_insert import batches, create_temporary, insert_rows
from ingest.storage.scratch_database import Connection as Staging
from metrics.schema import FEEDS, quarantine, quarantine_values, run_files


def write(
    connection: Connection,
    staging: Staging,
    rejected: Mapping[tuple[int, int], Rejected],
    objects: Mapping[int, SourceObject],
    *,
    run_id: int,
    first_file_id: int,
    time_zone: str,
) -> None:
    """Write rejected records to `quarantine`, each in its original form, with its readable values.

    time_zone: the declared zone of the source.
    """

    def rows() -> Iterator[dict[str, object]]:
        for number in sorted({number for number, _ in rejected}):
            mine = sorted(row_no for other, row_no in rejected if other == number)
            for piece in batches(mine, PIECE):
                wanted = {row_no for row_no in piece if rejected[number, row_no].raw is None}
                records = fetch_records(staging, objects[number], wanted)
                for row_no in piece:
                    yield _row(
                        rejected[number, row_no], records.get(row_no, {}), objects[number], run_id, first_file_id
                    )

    insert_rows(connection, quarantine, rows())
    insert_rows(
        connection,
        quarantine_values,
        (
            {"file_id": first_file_id + number, "row_no": row_no, **stored_values(one.values, time_zone)}
            for (number, row_no), one in rejected.items()
            if one.values
        ),
    )


def _row(
    rejected: Rejected, record: dict[str, str | None], source: SourceObject, run_id: int, first_file_id: int
) -> dict[str, object]:
    named = not repeats_header_or_totals(record, rejected.rules)
    key = rejected.key if named and any(value is not None for value in rejected.key.values()) else None
    return {
        "file_id": first_file_id + rejected.object_no,
        "run_id": run_id,
        "feed": source.feed,
        "object_name": source.name,
        "row_no": rejected.row_no,
        "key": json.dumps(key, ensure_ascii=False) if key else None,
        "order_id": storable_text(rejected.order_id) if named else None,
        "line_no": storable_text(rejected.line_no) if named else None,
        "record": storable_text(rejected.raw) if rejected.raw is not None else json.dumps(record, ensure_ascii=False),
        "rules": rules_as_json(rejected.rules, record),
        "status": "waiting" if rejected.waits_for else "rejected",
        "waits_for": rejected.waits_for,
    }


def update_reasons(connection: Connection, rule_breaks: Mapping[tuple[int, int], RuleBreaks]) -> None:
    """Update the broken rules of records that stay in quarantine."""
    for row in _open_records(connection, rule_breaks):
        breaks = rule_breaks[row.file_id, row.row_no]
        if row.waits_for != breaks.waits_for:
            mine = and_(quarantine.c.file_id == row.file_id, quarantine.c.row_no == row.row_no)
            connection.execute(update(quarantine).where(mine).values(_reasons(breaks)))


def quarantine_loaded(
    connection: Connection,
    feed: str,
    rows: Iterable[RowMapping],
    rule_breaks: Mapping[tuple[int, int], RuleBreaks],
    *,
    run_id: int,
) -> None:
    """Quarantine loaded rows that have become impossible.

    Uses the original record if quarantine already has it, otherwise the row's columns as text.
    """
    already_quarantined = {(row.file_id, row.row_no) for row in _open_records(connection, rule_breaks)}
    for file_id, row_no in already_quarantined:
        mine = and_(quarantine.c.file_id == file_id, quarantine.c.row_no == row_no)
        connection.execute(
            update(quarantine).where(mine).values(run_id=run_id, **_reasons(rule_breaks[file_id, row_no]))
        )
    rows = [row for row in rows if (row["file_id"], row["row_no"]) not in already_quarantined]
    insert_rows(
        connection,
        quarantine_values,
        (
            {"file_id": row["file_id"], "row_no": row["row_no"], **_values_of_loaded(feed, row, rule_breaks)}
            for row in rows
        ),
    )
    names = {row.file_id: row.name for row in connection.execute(select(run_files.c.file_id, run_files.c.name))}
    insert_rows(
        connection,
        quarantine,
        (
            {
                "file_id": row["file_id"],
                "run_id": run_id,
                "feed": feed,
                "object_name": names[row["file_id"]],
                "row_no": row["row_no"],
                "key": json.dumps({column: str(row[column]) for column in FEEDS[feed].key}, ensure_ascii=False),
                "order_id": row.get("order_id"),
                "line_no": row.get("line_no"),
                "record": json.dumps(
                    {one: None if value is None else str(value) for one, value in row.items()}, ensure_ascii=False
                ),
                **_reasons(rule_breaks[row["file_id"], row["row_no"]]),
            }
            for row in rows
        ),
    )


def _values_of_loaded(
    feed: str, row: RowMapping, rule_breaks: Mapping[tuple[int, int], RuleBreaks]
) -> dict[str, object]:
    broken = {rule.column for rule in rule_breaks[row["file_id"], row["row_no"]].rules if rule.column}
    return stored_values(without_broken(feed, dict(row), broken - set(FEEDS[feed].key)), None)


def _open_records(connection: Connection, rows: Iterable[tuple[int, int]]) -> list[Row[int, int, str]]:
    """Return file_id, row_no and waits_for of the rows that have a quarantine record."""
    rows = list(rows)
    if not rows:
        return []
    marked = create_temporary(connection, "asked", Column("file_id", BigInteger), Column("row_no", BigInteger))
    insert_rows(connection, marked, ({"file_id": file_id, "row_no": row_no} for file_id, row_no in rows))
    same = and_(marked.c.file_id == quarantine.c.file_id, marked.c.row_no == quarantine.c.row_no)
    records = connection.execute(
        select(quarantine.c.file_id, quarantine.c.row_no, quarantine.c.waits_for).join(marked, same)
    ).all()
    marked.drop(connection)
    return list(records)


def _reasons(breaks: RuleBreaks) -> dict[str, str | None]:
    return {
        "rules": rules_as_json(breaks.rules, {}),
        "status": "waiting" if breaks.waits_for else "rejected",
        "waits_for": breaks.waits_for,
    }
