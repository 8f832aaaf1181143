"""Rules about a single row: one suite per feed, built from the lists in rule_lists.py.

Rules about several rows or loaded rows are in cross_row_rules.py.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import Boolean, Date, DateTime, Integer, Numeric, String

from ingest.mapping import formats
from ingest.mapping.mapping_file import FeedMap, mappable
from ingest.storage.scratch_database import quoted, sql_literal
from ingest.validate.rule_lists import (
    ALLOWED_VALUES,
    EVENTS,
    KNOWN_NAMES,
    LIMIT,
    RANGES,
    ROW_CLAIMS,
    SHARES,
    SIGNED,
    TIME_ORDER,
    UPPER_BOUNDS,
)
from ingest.validate.undated_cancellations import undated
from metrics.policy import MOST_DAYS
from metrics.schema import FEEDS

FACTOR = ("unit_factors", "factor")
Kind = Literal["present", "true", "between", "in_set"]


@dataclass(frozen=True)
class RowRule:
    """A rule about every row of a feed."""

    name: str
    column: str
    kind: Kind
    do: str
    """Instruction to the sender of a row that breaks the rule."""
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] = ()
    claim: str | None = None
    """SQL condition over the staged row. False breaks the rule; null does not."""
    known: tuple[str, ...] = ()
    """Valid names. The message suggests the most similar name."""

    @property
    def condition(self) -> str:
        """SQL condition over the staged row, true or false. An empty value breaks only rules of kind `present`."""
        column = quoted(self.column)
        if self.kind == "present":
            return f"{column} IS NOT NULL"
        if self.kind == "between":
            return f"{column} IS NULL OR {column} BETWEEN {self.low!r} AND {self.high!r}"
        if self.kind == "in_set":
            return f"{column} IS NULL OR {column} IN ({', '.join(sql_literal(word) for word in self.allowed)})"
        return f"({self.claim}) IS NOT FALSE"


def rules(feed: str, feed_map: FeedMap, *, latest_event: datetime, time_zone: str) -> tuple[RowRule, ...]:
    """Return all row rules of a feed. Columns that the source does not map have no rules.

    latest_event: naive UTC; no event can be later. time_zone: the zone of bare dates.
    """
    mapped = [column for column in mappable(FEEDS[feed]) if column in feed_map.columns]
    return (
        *_types(feed, feed_map, mapped),
        *_presence(feed, feed_map, mapped),
        *_values(feed, mapped),
        *_order_in_time(feed, mapped, latest_event, time_zone),
        *_cancellations(feed, feed_map),
        RowRule(
            "text_is_clean",
            "ok_text",
            "true",
            "Remove control, direction and zero-width characters from the text.",
            claim="ok_text",
        ),
        *([_adds_up(feed)] if feed_map.same_key == "sum" else ()),
    )


def rules_of_values(feed: str, columns: list[str], *, latest_event: datetime, time_zone: str) -> tuple[RowRule, ...]:
    """Return the row rules of a feed whose rows are typed already, such as those of a lake. See `rules`."""
    found = (*_values(feed, columns), *_order_in_time(feed, columns, latest_event, time_zone))
    return tuple(rule for rule in found if "ok_" not in rule.condition)  # columns of staged rows


def _adds_up(feed: str) -> RowRule:
    do = (
        "The records of this key differ in more than quantities and amounts, or a quantity cannot be read, so they "
        "cannot be added. Correct them, or map a key column that tells them apart."
    )
    return RowRule("same_key_adds_up", FEEDS[feed].key[-1], "true", do, claim="ok_same_key")


def _cancellations(feed: str, feed_map: FeedMap) -> Iterator[RowRule]:
    if condition := undated(feed, feed_map):
        do = (
            "The cancellation has no date, and source_updated_at is empty too. Send cancelled_at, or map "
            "source_updated_at: the cancellation then counts as made when the record was last updated."
        )
        yield RowRule("cancellation_is_dated", "cancelled_at", "true", do, claim=f"NOT {condition}")


def _types(feed: str, feed_map: FeedMap, mapped: Iterable[str]) -> Iterator[RowRule]:
    for column in mapped:
        kind = FEEDS[feed].table.c[column].type
        one = feed_map.columns[column]
        if isinstance(kind, Numeric):
            do = f"Write a plain number with at most {kind.scale} decimals" + (
                f" and {one.decimal!r} as the decimal sign." if one else "."
            )
        elif isinstance(kind, DateTime | Date):
            do = (
                f"Write it in the format {one.format}.{formats.zone_advice(one.format)}"
                if one.format
                else "Write an ISO 8601 date or date-time, e.g. 2026-03-31T14:05:00+02:00."
            )
        elif isinstance(kind, Integer):
            do = "Write a whole number."
        elif isinstance(kind, Boolean):
            do = "Write true or false."
        elif one.codes is not None:
            do = f"Write one of {', '.join(one.codes)}, or add the code to the code list in the mapping."
        else:
            continue
        if one.codes is not None and not isinstance(kind, Numeric | DateTime | Date | Integer | Boolean):
            yield RowRule(f"{column}_is_listed", column, "true", do, claim=f"ok_{column}")
        else:
            yield RowRule(f"{column}_fits_type", column, "true", do, claim=f"ok_{column}")


def _presence(feed: str, feed_map: FeedMap, mapped: Iterable[str]) -> Iterator[RowRule]:
    for column in mapped:
        schema_column = FEEDS[feed].table.c[column]
        # A numerator replaces the factor: the rule factor_is_given covers both.
        if schema_column.nullable or column in ("deleted", "ship_to_time_zone") or (feed, column) == FACTOR:
            continue
        do = "Fill this column. Every record needs it."
        if isinstance(schema_column.type, String) and feed_map.columns[column].codes is None:
            yield RowRule(f"{column}_is_there", column, "present", do)
        else:
            # Text that does not fit its type breaks the type rule only.
            yield RowRule(
                f"{column}_is_there", column, "true", do, claim=f"({quoted(column)} IS NOT NULL OR NOT ok_{column})"
            )


def _values(feed: str, mapped: list[str]) -> Iterator[RowRule]:
    for column in mapped:
        yield from _ranges(feed, column)
        yield from _words(feed, column)
    for rule, column, claim, do in ROW_CLAIMS.get(feed, ()):
        yield RowRule(rule, column, "true", do, claim=claim)
    for low, limits in UPPER_BOUNDS.get(feed, ()):
        if low in mapped:
            yield RowRule(
                f"{low}_not_above",
                low,
                "true",
                f"{low} exceeds {' or, if that is empty, '.join(limits)}. Correct one of the two.",
                claim=f"{quoted(low)} <= coalesce({', '.join(map(quoted, limits))})",
            )


def _ranges(feed: str, column: str) -> Iterator[RowRule]:
    if column in SHARES:
        yield RowRule(
            f"{column}_in_range", column, "between", "Write a share from 0 to 1 (25 % is 0.25).", low=0, high=1
        )
    elif feed == "policies" and column in MOST_DAYS:
        most_days = MOST_DAYS[column]
        yield RowRule(
            f"{column}_in_range",
            column,
            "between",
            f"Write a number of days from 0 to {most_days}.",
            low=0,
            high=most_days,
        )
    elif column in SIGNED.get(feed, ()):
        yield _signed(feed, column)
    elif column.endswith(("_qty", "_amount", "tolerance", "_days", "_hours", "_days_max")):
        yield RowRule(
            f"{column}_in_range",
            column,
            "between",
            "Write a number from 0 to below 1,000,000,000.",
            low=0,
            high=LIMIT - 0.0001,
        )
    if (feed, column) in RANGES:
        least, most, do = RANGES[feed, column]
        yield RowRule(f"{column}_in_range", column, "between", do, low=least, high=most)


def _signed(feed: str, column: str) -> RowRule:
    """Return the range of a column that is negative for discounts only. R17 (services, fees and discounts)."""
    name = quoted(column)
    sign = f"({name} >= 0 OR line_kind = 'discount') AND " if feed == "order_lines" else ""
    do = "Write a number from 0 to below 1,000,000,000. It may be negative if line_kind is discount."
    return RowRule(f"{column}_in_range", column, "true", do, claim=f"{sign}abs({name}) < {LIMIT}")


def _words(feed: str, column: str) -> Iterator[RowRule]:
    if (feed, column) in KNOWN_NAMES:
        names, do = KNOWN_NAMES[feed, column]
        claim = f"{quoted(column)} IN ({', '.join(sql_literal(one) for one in names)})"
        yield RowRule(f"{column}_is_known", column, "true", do, claim=claim, known=names)
    if (feed, column) in ALLOWED_VALUES:
        allowed = ALLOWED_VALUES[feed, column]
        yield RowRule(
            f"{column}_in_set",
            column,
            "in_set",
            f"Write one of {', '.join(allowed)}, or map it with `codes`.",
            allowed=allowed,
        )
    if column == "currency":
        claim = "regexp_full_match(currency, '[A-Z]{3}')"
        yield RowRule(
            "currency_is_code", column, "true", "Write a three-letter ISO 4217 code such as EUR.", claim=claim
        )
    if column == "ship_to_time_zone":
        zones = ", ".join(sql_literal(available_timezone) for available_timezone in sorted(available_timezones()))
        yield RowRule(
            "zone_is_known",
            column,
            "true",
            "Write an IANA zone such as Europe/Berlin, or leave it empty.",
            claim=f"ship_to_time_zone IN ({zones})",
        )
    if column == "scope":
        claim = "regexp_full_match(scope, 'all|segment:.+|customer:.+')"
        yield RowRule("scope_is_known", column, "true", "Write all, segment:NAME or customer:ID.", claim=claim)


def _order_in_time(feed: str, mapped: list[str], latest_event: datetime, time_zone: str) -> Iterator[RowRule]:
    table = FEEDS[feed].table
    for column in mapped:
        if isinstance(table.c[column].type, DateTime | Date):
            # The default of valid_from, and dates that mean "no limit", precede all orders.
            early = "1900-01-01" if column == "valid_from" else "1990-01-01"
            claim = f"{quoted(column)} >= TIMESTAMP '{early}' AND {quoted(column)} < TIMESTAMP '2100-01-01'"
            yield RowRule(
                f"{column}_is_plausible",
                column,
                "true",
                "Write a date from 1990 to 2099. Leave it empty if there is none.",
                claim=claim,
            )
    for first, second in TIME_ORDER.get(feed, ()):
        if first in mapped and second in mapped:
            yield RowRule(
                f"{second}_not_before_{first}",
                second,
                "true",
                f"{second} is before {first}. Correct one of the two.",
                claim=not_before(second, first),
            )
    local_day = (latest_event + (ZoneInfo(time_zone).utcoffset(latest_event) or timedelta())).date()
    for column in EVENTS.get(feed, ()):
        if column in mapped:
            by_day, by_instant = (
                f"{quoted(column)} <= TIMESTAMP '{latest}'" for latest in (local_day, latest_event.isoformat(sep=" "))
            )
            is_day = isinstance(table.c[column].type, Date)
            claim = by_day if is_day else f"CASE WHEN {quoted(f'{column}_is_date')} THEN {by_day} ELSE {by_instant} END"
            do = (
                f"It is after {latest_event.isoformat()}Z, the latest possible event. Correct it. If it is right, "
                "correct data_as_of in the mapping or the machine's clock; a later run tries the record again from its "
                "file. If the file is gone, send it again."
            )
            yield RowRule(f"{column}_has_happened", column, "true", do, claim=claim)


def not_before(later: str, earlier: str) -> str:
    """Return the SQL condition that `later` is not before `earlier`.

    Two bare dates or two instants are compared exactly. A date and an instant are compared by day, with one day of
    tolerance.
    """
    return (
        f"CASE WHEN {quoted(f'{later}_is_date')} = {quoted(f'{earlier}_is_date')} "
        f"THEN {quoted(later)} >= {quoted(earlier)} "
        f"ELSE date_trunc('day', {quoted(later)}) >= date_trunc('day', {quoted(earlier)}) - INTERVAL 1 DAY END"
    )
