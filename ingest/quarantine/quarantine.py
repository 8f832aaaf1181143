"""Rejected records: as they came, with every rule each one broke and what to do about it. Also how one leaves quarantine again.

`waiting` rows leave when their parent arrives, `rejected` ones that only contradicted another row when that one is corrected (`released`);
either leaves when a later record of its key is loaded (`dropped`).
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Select, String, Table, and_, cast, delete, exists, literal, not_, or_, select, update

from ingest.mapping.mapping_file import Mapping as SourceMapping
from ingest.mapping.mapping_file import nearest
from ingest.read import csv_file
from ingest.read.source_objects import SourceObject
from ingest.read.staging import table_of
from ingest.storage.bulk_insert import insert_rows, temporary
from ingest.storage.scratch_database import Connection as Staging
from ingest.storage.scratch_database import name
from ingest.storage.tables import waiting
from ingest.validate.expectations import Outcome
from ingest.validate.row_rules import Rule
from metrics.schema import FEEDS, quarantine, run_files

PIECE = 20_000
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class BrokenRule:
    """One rule one record broke."""

    rule: str
    column: str | None
    value: str | None
    message: str


@dataclass
class RuleBreaks:
    """A record that rules across rows keep out: every rule it broke, and for each the rows it waits for (None: it waits for none)."""

    rules: list[BrokenRule] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)

    def add(self, rule: str, column: str, value: str | None, message: str, parent: str | None) -> None:
        """One more broken rule. parent: the feed a missing row of which broke it."""
        self.rules.append(BrokenRule(rule, column, value, message))
        self.reasons.append(f"{parent} {value}" if parent else None)

    @property
    def waits_for(self) -> str | None:
        """What it waits for; None: other rows alone will not do, one that is there contradicts it."""
        return "; ".join(str(one) for one in self.reasons) if None not in self.reasons else None


@dataclass
class Rejected:
    """One record to be kept in quarantine."""

    object_no: int
    row_no: int
    rules: list[BrokenRule] = field(default_factory=list)
    key: dict[str, str | None] = field(default_factory=dict)
    order_id: str | None = None
    line_no: str | None = None
    raw: str | None = None
    waits_for: str | None = None


def from_reading(objects: Iterable[SourceObject]) -> dict[str, dict[tuple[int, int], Rejected]]:
    """Records that could not be read at all, by feed and (object number, row number)."""
    result: dict[str, dict[tuple[int, int], Rejected]] = {}
    for one in objects:
        for broken in one.broken:
            do = f"the record {broken.problem}: write it with one field per column, quoted where needed."
            rejected = Rejected(one.number, broken.row_no, [BrokenRule("record_is_readable", None, None, do)], raw=broken.raw)
            result.setdefault(one.feed, {})[one.number, broken.row_no] = rejected
    return result


def from_outcomes(staging: Staging, feed: str, outcomes: Iterable[Outcome], mapping: SourceMapping) -> dict[tuple[int, int], Rejected]:
    """Staged rows that broke an expectation, each with all of them; their staged row numbers go to the table `broken`."""
    by_row: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        for row in outcome.broken:
            by_row.setdefault(row, []).append(outcome)
    columns = _names(feed)
    result: dict[tuple[int, int], Rejected] = {}
    for piece in _pieces(sorted(by_row)):
        staging.execute("INSERT INTO broken SELECT ?, unnest(?::BIGINT[])", [feed, piece])
        listed = ", ".join(f"CAST(s.{name(one)} AS VARCHAR)" for one in columns)
        query = (
            f"SELECT s.rowid, s._object, s.rowid + s._shift, {listed} FROM {name(table_of(feed))} AS s "
            "JOIN broken AS b ON b.feed = ? AND b.row = s.rowid WHERE s.rowid BETWEEN ? AND ?"
        )
        for row, number, row_no, *values in staging.execute(query, [feed, piece[0], piece[-1]]).fetchall():
            named = dict(zip(columns, values, strict=True))
            rules = [
                BrokenRule(one.rule.name, _source_column(mapping, feed, one.rule.column), None, _do(one.rule, named.get(one.rule.column)))
                for one in by_row[row]
            ]
            result[number, row_no] = Rejected(
                number, row_no, rules, {one: named[one] for one in FEEDS[feed].key}, named.get("order_id"), named.get("line_no")
            )
    return result


def _do(rule: Rule, value: str | None) -> str:
    return rule.do + nearest(value or "", rule.known) if rule.known else rule.do


def _names(feed: str) -> list[str]:
    columns = FEEDS[feed].table.c
    return list(dict.fromkeys([*FEEDS[feed].key, *(one for one in ("order_id", "line_no") if one in columns)]))


def _source_column(mapping: SourceMapping, feed: str, column: str) -> str | None:
    if column == "ok_text":
        return None
    one = mapping.feeds[feed].columns.get(column)
    return one.column if one is not None and one.column is not None else column


def write(
    connection: Connection,
    staging: Staging,
    rejected: Mapping[tuple[int, int], Rejected],
    objects: Mapping[int, SourceObject],
    *,
    run_id: int,
    first_file_id: int,
) -> None:
    """Write the records to `quarantine`, each as it came."""

    def rows() -> Iterator[dict[str, Any]]:
        for number in sorted({number for number, _ in rejected}):
            mine = sorted(row_no for other, row_no in rejected if other == number)
            for piece in _pieces(mine):
                wanted = {row_no for row_no in piece if rejected[number, row_no].raw is None}
                records = fetch_records(staging, objects[number], wanted)
                for row_no in piece:
                    yield _row(rejected[number, row_no], records.get(row_no, {}), objects[number], run_id, first_file_id)

    insert_rows(connection, quarantine, rows())


def _row(one: Rejected, record: dict[str, str | None], source: SourceObject, run_id: int, first_file_id: int) -> dict[str, Any]:
    key = one.key if any(value is not None for value in one.key.values()) else None
    return {
        "file_id": first_file_id + one.object_no,
        "run_id": run_id,
        "feed": source.feed,
        "object_name": source.name,
        "row_no": one.row_no,
        "key": json.dumps(key, ensure_ascii=False) if key else None,
        "order_id": _storable(one.order_id),
        "line_no": _storable(one.line_no),
        "record": _storable(one.raw) if one.raw is not None else json.dumps(record, ensure_ascii=False),
        "rules": _as_json(one.rules, record),
        "status": "waiting" if one.waits_for else "rejected",
        "waits_for": one.waits_for,
    }


def _as_json(rules: Iterable[BrokenRule], record: Mapping[str, str | None]) -> str:
    listed = [
        {"rule": one.rule, "column": one.column, "value": one.value if one.value is not None else _value(one, record), "message": one.message}
        for one in rules
    ]
    return json.dumps(listed, ensure_ascii=False)


def _value(rule: BrokenRule, record: Mapping[str, str | None]) -> str | None:
    if rule.column is not None:
        return record.get(rule.column)
    # A rule about all texts: name the first one at fault.
    return next((f"{column}: {value!r}" for column, value in record.items() if value and not value.isprintable()), None)


def _storable(text: str | None) -> str | None:
    """Text with control characters made visible: a server's text cannot hold U+0000."""
    return None if text is None else CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def fetch_records(staging: Staging, source: SourceObject, wanted: set[int]) -> dict[int, dict[str, str | None]]:
    """The records of these numbers as they came: source column to text."""
    if not wanted:
        return {}
    if source.text_table is not None:
        cursor = staging.execute(
            f"SELECT * FROM {name(source.text_table)} WHERE _row_no IN (SELECT unnest(?::BIGINT[])) ORDER BY _row_no", [sorted(wanted)]
        )
        columns = [one[0] for one in cursor.description]
        return {row[0]: dict(zip(columns[1:], row[1:], strict=True)) for row in cursor.fetchall()}
    assert source.path is not None
    assert source.origin is not None
    return csv_file.records(source.path, source.origin, wanted, by_line=source.lines_are_records)


def drop_replaced(connection: Connection, run_id: int, first_file_id: int) -> dict[int, int]:
    """Mark as dropped what earlier runs kept out and a later record has replaced: the key was loaded, or rejected again, or the object read anew.

    Returns how many per file_id.
    """
    dropped: set[tuple[int, int]] = set(_sent_again(connection, run_id, first_file_id))
    for feed, about in FEEDS.items():
        open_rows = connection.execute(
            select(quarantine.c.file_id, quarantine.c.row_no, quarantine.c.key).where(
                quarantine.c.feed == feed, quarantine.c.status == "rejected", quarantine.c.run_id < run_id, quarantine.c.key.is_not(None)
            )
        ).all()
        keyed = [
            {"q_file_id": row.file_id, "q_row_no": row.row_no, **{f"q_{column}": value for column, value in json.loads(row.key).items()}}
            for row in open_rows
        ]
        keyed = [row for row in keyed if all(row.get(f"q_{column}") is not None for column in about.key)]
        if not keyed:
            continue
        columns: list[Column[Any]] = [
            Column("q_file_id", BigInteger),
            Column("q_row_no", BigInteger),
            *(Column(f"q_{one}", String) for one in about.key),
        ]
        held = temporary(connection, f"rejected_{feed}", *columns)
        insert_rows(connection, held, keyed)
        same_key = and_(*(cast(about.table.c[one], String) == held.c[f"q_{one}"] for one in about.key))
        found = connection.execute(
            select(held.c.q_file_id, held.c.q_row_no).join_from(held, about.table, same_key).where(about.table.c.file_id > held.c.q_file_id)
        )
        dropped.update((row.q_file_id, row.q_row_no) for row in found)
        held.drop(connection)
    for feed, parked in waiting.items():
        for file_id, row_no, outdated in connection.execute(_met(feed, parked)):
            (dropped.add if outdated else dropped.discard)((file_id, row_no))
    set_status(connection, dropped, "dropped")
    _forget(connection, dropped)
    return dict(Counter(file_id for file_id, _ in dropped))


def _met(feed: str, parked: Table) -> Select[Any]:
    """file_id and row_no of parked rows whose key a later file has loaded, and whether that is the newer version."""
    target = FEEDS[feed].table
    mine, theirs = parked.c.source_updated_at, target.c.source_updated_at
    newer = and_(mine.is_not(None), or_(theirs.is_(None), mine > theirs))
    same_key = and_(*(parked.c[one] == target.c[one] for one in FEEDS[feed].key))
    return select(parked.c.file_id, parked.c.row_no, not_(newer)).join_from(parked, target, same_key).where(target.c.file_id > parked.c.file_id)


def _forget(connection: Connection, dropped: Iterable[tuple[int, int]]) -> None:
    """Records that were dropped are not tried again."""
    marked = temporary(connection, "forgotten", Column("file_id", BigInteger), Column("row_no", BigInteger))
    if insert_rows(connection, marked, ({"file_id": file_id, "row_no": row_no} for file_id, row_no in dropped)):
        for parked in waiting.values():
            match = select(literal(1)).where(marked.c.file_id == parked.c.file_id, marked.c.row_no == parked.c.row_no)
            connection.execute(delete(parked).where(match.exists()))
    marked.drop(connection)


def _sent_again(connection: Connection, run_id: int, first_file_id: int) -> Iterator[tuple[int, int]]:
    """Records of earlier runs that were rejected and whose key was again, or that were kept out and whose object was read under another mapping."""
    again = quarantine.alias("again")
    same = and_(again.c.feed == quarantine.c.feed, again.c.key == quarantine.c.key, again.c.run_id == run_id)
    newer, older = run_files.alias("newer"), run_files.alias("older")
    anew = (
        select(literal(1))
        .select_from(newer.join(older, and_(newer.c.feed == older.c.feed, newer.c.sha256 == older.c.sha256, newer.c.source == older.c.source)))
        .where(older.c.file_id == quarantine.c.file_id, newer.c.file_id >= first_file_id, newer.c.rows_superseded < newer.c.rows_in)
    )
    found = select(quarantine.c.file_id, quarantine.c.row_no).where(
        quarantine.c.run_id < run_id,
        or_(
            and_(quarantine.c.status == "rejected", exists(select(literal(1)).where(same))),
            and_(quarantine.c.status.in_(["rejected", "waiting"]), exists(anew)),
        ),
    )
    yield from ((row.file_id, row.row_no) for row in connection.execute(found))


def update_reasons(connection: Connection, held: Mapping[tuple[int, int], RuleBreaks]) -> None:
    """Say of records that are in quarantine still what they break and wait for by now."""
    for row in _open(connection, held):
        one = held[row.file_id, row.row_no]
        if row.waits_for != one.waits_for:
            mine = and_(quarantine.c.file_id == row.file_id, quarantine.c.row_no == row.row_no)
            connection.execute(update(quarantine).where(mine).values(_judgement(one)))


def quarantine_loaded(
    connection: Connection, feed: str, rows: Iterable[Mapping[Any, Any]], held: Mapping[tuple[int, int], RuleBreaks], *, run_id: int
) -> None:
    """Loaded rows that have become impossible into quarantine: the record as it came if it is there from before, else its columns as text."""
    again = {(row.file_id, row.row_no) for row in _open(connection, held)}
    for file_id, row_no in again:
        mine = and_(quarantine.c.file_id == file_id, quarantine.c.row_no == row_no)
        connection.execute(update(quarantine).where(mine).values(run_id=run_id, **_judgement(held[file_id, row_no])))
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
                "key": json.dumps({one: str(row[one]) for one in FEEDS[feed].key}, ensure_ascii=False),
                "order_id": row.get("order_id"),
                "line_no": row.get("line_no"),
                "record": json.dumps({one: None if value is None else str(value) for one, value in row.items()}, ensure_ascii=False),
                **_judgement(held[row["file_id"], row["row_no"]]),
            }
            for row in rows
            if (row["file_id"], row["row_no"]) not in again
        ),
    )


def _open(connection: Connection, rows: Iterable[tuple[int, int]]) -> list[Any]:
    """file_id, row_no and waits_for of those of the rows that quarantine has a record of."""
    marked = temporary(connection, "asked", Column("file_id", BigInteger), Column("row_no", BigInteger))
    count = insert_rows(connection, marked, ({"file_id": file_id, "row_no": row_no} for file_id, row_no in rows))
    same = and_(marked.c.file_id == quarantine.c.file_id, marked.c.row_no == quarantine.c.row_no)
    found = list(connection.execute(select(quarantine.c.file_id, quarantine.c.row_no, quarantine.c.waits_for).join(marked, same))) if count else []
    marked.drop(connection)
    return found


def _judgement(one: RuleBreaks) -> dict[str, str | None]:
    return {"rules": _as_json(one.rules, {}), "status": "waiting" if one.waits_for else "rejected", "waits_for": one.waits_for}


def set_status(connection: Connection, rows: Iterable[tuple[int, int]], status: str) -> int:
    """Give the quarantined records of these (file_id, row_no) another status. Returns how many there were."""
    marked = temporary(connection, "marked", Column("file_id", BigInteger), Column("row_no", BigInteger))
    count = insert_rows(connection, marked, ({"file_id": file_id, "row_no": row_no} for file_id, row_no in rows))
    if count:
        match = select(1).where(marked.c.file_id == quarantine.c.file_id, marked.c.row_no == quarantine.c.row_no)
        connection.execute(update(quarantine).where(match.exists()).values(status=status))
    marked.drop(connection)
    return count


def _pieces(values: list[int]) -> Iterator[list[int]]:
    remaining = iter(values)
    while piece := list(islice(remaining, PIECE)):
        yield piece
