"""Rejected records: the rules they break, their keys, and their original text."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ingest.mapping.mapping_file import Mapping as SourceMapping
from ingest.mapping.mapping_file import nearest
from ingest.quarantine.values import read_columns, without_broken
from ingest.read.csv_records import records_by_number
from ingest.read.layout import TOTALS
from ingest.read.source_objects import SourceObject
from ingest.read.staging import staging_table
from ingest.storage.bulk_insert import batches
from ingest.storage.scratch_database import Connection as Staging
from ingest.storage.scratch_database import quoted
from ingest.validate.expectations import Outcome
from ingest.validate.row_rules import RowRule
from metrics.schema import FEEDS

PIECE = 20_000
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class BrokenRule:
    """A rule that a record breaks."""

    rule: str
    column: str | None
    value: str | None
    message: str


@dataclass
class RuleBreaks:
    """The cross-row rules that a record breaks, and the row each rule waits for (None: the rule does not wait)."""

    rules: list[BrokenRule] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)

    def add(self, rule: str, column: str, value: str | None, message: str, parent: str | None) -> None:
        """Add a broken rule. parent: the feed whose row is missing; None if the rule does not wait."""
        self.rules.append(BrokenRule(rule, column, value, message))
        self.reasons.append(f"{parent} {value}" if parent else None)

    @property
    def waits_for(self) -> str | None:
        """The rows it waits for. None: a stored row contradicts it, so other rows alone do not help."""
        return "; ".join(str(reason) for reason in self.reasons) if None not in self.reasons else None


@dataclass
class Rejected:
    """A record to quarantine."""

    object_no: int
    row_no: int
    rules: list[BrokenRule] = field(default_factory=list)
    key: dict[str, str | None] = field(default_factory=dict)
    order_id: str | None = None
    line_no: str | None = None
    raw: str | None = None
    waits_for: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    """Its typed columns, as far as they could be read."""


def unreadable_records(objects: Iterable[SourceObject]) -> dict[str, dict[tuple[int, int], Rejected]]:
    """Return the records that could not be read, by feed and (object number, row number)."""
    result: dict[str, dict[tuple[int, int], Rejected]] = {}
    for source in objects:
        for broken in source.broken:
            do = f"The record {broken.problem}. Write one field per column, quoted where needed."
            rejected = Rejected(
                source.number, broken.row_no, [BrokenRule("record_is_readable", None, None, do)], raw=broken.raw
            )
            result.setdefault(source.feed, {})[source.number, broken.row_no] = rejected
    return result


def rule_breaking_records(
    staging: Staging, feed: str, outcomes: Iterable[Outcome], mapping: SourceMapping
) -> dict[tuple[int, int], Rejected]:
    """Return the staged rows that break row rules, each with all rules it breaks.

    Adds their staged row numbers to the table `broken`.
    """
    by_row: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        for row in outcome.broken:
            by_row.setdefault(row, []).append(outcome)
    columns, readable = _names(feed), read_columns(feed)
    result: dict[tuple[int, int], Rejected] = {}
    for piece in batches(sorted(by_row), PIECE):
        staging.execute("INSERT INTO broken SELECT ?, unnest(?::BIGINT[])", [feed, piece])
        listed = ", ".join(
            [*(f"CAST(s.{quoted(one)} AS VARCHAR)" for one in columns), *(f"s.{quoted(one)}" for one in readable)]
        )
        query = (
            f"SELECT s.rowid, s._object, s.rowid + s._shift, {listed} FROM {quoted(staging_table(feed))} AS s "
            "JOIN broken AS b ON b.feed = ? AND b.row = s.rowid WHERE s.rowid BETWEEN ? AND ?"
        )
        for row, number, row_no, *values in staging.execute(query, [feed, piece[0], piece[-1]]).fetchall():
            named = dict(zip(columns, values[: len(columns)], strict=True))
            typed = dict(zip(readable, values[len(columns) :], strict=True))
            rules = [
                BrokenRule(
                    one.rule.name,
                    _source_column(mapping, feed, one.rule.column),
                    None,
                    _do(one.rule, named.get(one.rule.column)),
                )
                for one in by_row[row]
            ]
            result[number, row_no] = Rejected(
                number,
                row_no,
                rules,
                {one: named[one] for one in FEEDS[feed].key},
                named.get("order_id"),
                named.get("line_no"),
                values=without_broken(feed, typed, {one.rule.column for one in by_row[row]}),
            )
    return result


def _do(rule: RowRule, value: str | None) -> str:
    return rule.do + nearest(value or "", rule.known) if rule.known else rule.do


def _names(feed: str) -> list[str]:
    columns = FEEDS[feed].table.c
    return list(dict.fromkeys([*FEEDS[feed].key, *(name for name in ("order_id", "line_no") if name in columns)]))


def _source_column(mapping: SourceMapping, feed: str, column: str) -> str | None:
    if column == "ok_text":
        return None
    one = mapping.feeds[feed].columns.get(column)
    return one.column if one is not None and one.column is not None else column


def rules_as_json(rules: Iterable[BrokenRule], record: Mapping[str, str | None]) -> str:
    """Return broken rules as JSON, each with the value from the record."""
    listed = [
        {
            "rule": one.rule,
            "column": one.column,
            "value": one.value if one.value is not None else _value(one, record),
            "message": one.message,
        }
        for one in rules
    ]
    return json.dumps(listed, ensure_ascii=False)


def _value(rule: BrokenRule, record: Mapping[str, str | None]) -> str | None:
    if rule.column is not None:
        return record.get(rule.column)
    # The rule covers all texts. Name the first text that breaks it.
    return next((f"{column}: {value!r}" for column, value in record.items() if value and not value.isprintable()), None)


def storable_text(text: str | None) -> str | None:
    """Make control characters visible. PostgreSQL text cannot contain U+0000."""
    return None if text is None else CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def repeats_header_or_totals(record: Mapping[str, str | None], rules: Iterable[BrokenRule]) -> bool:
    """Return True for a row that is no record: it repeats the header, or gives totals. Such a row names no order.

    A row of totals starts with a word such as `Total` and lacks a value that every record has.
    record: source column to text. rules: the rules that the row breaks.
    """
    cells = [(name.strip(), value.strip()) for name, value in record.items() if value and value.strip()]
    if not cells:
        return False
    incomplete = any(one.rule.endswith("_is_there") for one in rules)
    return all(name == value for name, value in cells) or (incomplete and TOTALS.match(cells[0][1]) is not None)


def fetch_records(staging: Staging, source: SourceObject, wanted: set[int]) -> dict[int, dict[str, str | None]]:
    """Return the original records with these numbers: source column to text."""
    if not wanted:
        return {}
    if source.text_table is not None:
        cursor = staging.execute(
            f"SELECT * FROM {quoted(source.text_table)} WHERE _row_no IN (SELECT unnest(?::BIGINT[])) ORDER BY _row_no",
            [sorted(wanted)],
        )
        columns = [str(one[0]) for one in cursor.description]
        at = columns.index("_row_no")
        shown = [(n, name) for n, name in enumerate(columns) if n != at and not name.startswith("typed:")]
        return {row[at]: {name: row[n] for n, name in shown} for row in cursor.fetchall()}
    assert source.path is not None
    assert source.origin is not None
    assert source.layout is not None
    return records_by_number(source.path, source.origin, source.layout, wanted, by_line=source.lines_are_records)
