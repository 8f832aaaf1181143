"""SELECT lists that convert a source's text to the typed columns of a feed.

Every typed column `x` comes with `ok_x`. It is false if there is text that does not fit the type, format or code list.
Validation quarantines such a row; no value silently becomes null. Staging always uses DuckDB, so this is DuckDB SQL.
The conversion happens in the pass that reads the source (docs/speed.md, S1). A check is a CASE, because DuckDB
evaluates every part of an AND or OR for every row, unless it filters.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Boolean, Date, DateTime, Integer, Numeric
from sqlalchemy.types import TypeEngine

from ingest.mapping import formats
from ingest.mapping.mapping_file import DEFAULTS, ColumnMap, FeedMap, mappable
from ingest.storage.scratch_database import quoted, sql_literal
from metrics.schema import FEEDS

ISO_MOMENT = r"\d{4}-\d\d-\d\d([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)?)?"
OFFSET = r"[+-]\d\d(:?\d\d)?$"
ISO_DATE = r"\d{4}-\d\d-\d\d([T ]00:00(:00(\.0+)?)?)?"
WHOLE = r"-?\d{1,9}"
FLOAT_DIGITS = 15
"""A number with more decimals than its column and as many significant digits is a binary float written as text."""
TRUE = ("true", "1", "yes", "y", "t")
FALSE = ("false", "0", "no", "n", "f")
IDENTIFIER_CONTROLS = r"[\x00-\x1F\x7F-\x{9F}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2069}\x{FEFF}]"
TEXT_CONTROLS = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x{9F}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2069}\x{FEFF}]"
ONLY_LINE = "(only line)"
"""Line number of a record that belongs to the only line of its order, until that line is known."""
IDENTIFIERS = (
    "measure",
    "assumption",
    "scope",
    "service_segment",
    "unit",
    "currency",
    "reporting_currency",
    "ship_to_time_zone",
)
"""Identifiers whose column name does not end in _id or _no."""


@dataclass(frozen=True)
class StagedColumn:
    """A column of a feed's staging table: its name, its SQL type, and the SQL that fills it."""

    name: str
    kind: str
    sql: str


def is_identifier(column: str) -> bool:
    """Return True if a text column contains an identifier, so line breaks and tabs are not allowed."""
    return column.endswith(("_id", "_no")) or column in IDENTIFIERS


def staging_columns(
    feed: str, feed_map: FeedMap, *, time_zone: str, suspicious: bool, marked: Collection[str] = ()
) -> list[StagedColumn]:
    """Return the columns of a feed's staging table, in order, filled from the source's columns by name.

    suspicious: the object contains characters that need a check of every text. False skips the check. marked: source
    columns with marks at typed values. Formats of the mapping apply to texts only.
    """
    result: list[StagedColumn] = []
    texts: list[tuple[str, str]] = []
    for column in mappable(FEEDS[feed]):
        kind = FEEDS[feed].table.c[column].type
        mapped = feed_map.columns.get(column) or _default(feed, column)
        source = source_text(mapped, column)
        if column == "line_no" and feed_map.match:
            order = source_text(feed_map.columns.get("order_id"), "order_id")
            unnamed = f"{source} IS NULL AND {order} IS NOT NULL"
            source = f"(CASE WHEN {unnamed} THEN {sql_literal(ONLY_LINE)} ELSE {source} END)"
        mark = typed_column(mapped.column) if mapped is not None and mapped.column in marked and mapped.column else None
        moment = isinstance(kind, DateTime) and f"{column}_is_date" in FEEDS[feed].table.c
        if moment:
            result.extend(_moment(column, source, mapped, time_zone, mark))
        elif isinstance(kind, DateTime):
            value, _, fits = _instant(source, mapped, time_zone, mark)
            result.extend([StagedColumn(column, "TIMESTAMP", value), StagedColumn(f"ok_{column}", "BOOLEAN", fits)])
        else:
            result.extend(_plain(column, kind, source, mapped, time_zone, mark))
        if mapped is not None and mapped.column is not None:
            texts.append((column, quoted(text_column(mapped.column))))
    result.append(StagedColumn("ok_text", "BOOLEAN", _clean_text(texts) if suspicious else "true"))
    if feed_map.same_key == "sum":
        result.append(StagedColumn("ok_same_key", "BOOLEAN", "true"))
    return result


def text_column(name: str) -> str:
    """Return the name of a source's column in a text table.

    Names that text tables use themselves get a blank. It cannot collide, because a header that repeats a name with
    other blanks is refused.
    """
    folded = name.strip().casefold()
    return f"{name} " if folded in ("_row_no", "rowid") or folded.startswith(("sql:", "typed:")) else name


def typed_column(name: str) -> str:
    """Return the name of the column that marks the typed values of a source's column."""
    return f"typed:{name}"


def sql_column(column: str) -> str:
    """Return the name that text staging gives to the result of a column's `sql` expression."""
    return f"sql:{column}"


def _default(feed: str, column: str) -> ColumnMap | None:
    value = DEFAULTS.get(feed, {}).get(column)
    return None if value is None else ColumnMap(value=value)


def source_text(mapped: ColumnMap | None, column: str) -> str:
    """Return the SQL of the text that a column has in the source."""
    if mapped is None:
        return "NULL::VARCHAR"
    if mapped.value is not None:
        return sql_literal(mapped.value)
    text = _text_of(mapped, column)
    if mapped.codes is None:
        return _changed_text(text, mapped)
    cases = " ".join(f"WHEN {sql_literal(code)} THEN {sql_literal(meaning)}" for code, meaning in mapped.codes.items())
    return f"(CASE {text} {cases} END)"


def _text_of(mapped: ColumnMap, column: str) -> str:
    return quoted(text_column(mapped.column) if mapped.column is not None else sql_column(column))


def _changed_text(text: str, mapped: ColumnMap) -> str:
    """Return the SQL of a text in upper case, without leading zeros, or filled with them, as the column declares."""
    if mapped.upper:
        text = f"upper({text})"
    if mapped.strip_zeros:
        stripped = f"ltrim({text}, '0')"
        text = f"(CASE WHEN {stripped} = '' AND {text} <> '' THEN '0' ELSE {stripped} END)"
    if mapped.pad is not None:
        text = f"(CASE WHEN length({text}) < {mapped.pad} THEN lpad({text}, {mapped.pad}, '0') ELSE {text} END)"
    return text


def _is_listed(mapped: ColumnMap | None, column: str) -> str | None:
    """Return the SQL condition that a code is on the code list. None: there is no list."""
    if mapped is None or mapped.codes is None:
        return None
    text = _text_of(mapped, column)
    return f"({text} IS NULL OR {_among(text, mapped.codes)})"


def _among(text: str, words: Iterable[str]) -> str:
    """Return the SQL condition that a text is one of these words.

    It does not use `IN (…)`. With five words or more, DuckDB 1.5 turns that into a join, which loses the order of the
    records. Every row number after it would be wrong.
    """
    return f"list_contains([{', '.join(sql_literal(word) for word in words)}], {text})"


def _plain(
    column: str, kind: TypeEngine[object], source: str, mapped: ColumnMap | None, time_zone: str, mark: str | None
) -> list[StagedColumn]:
    listed = _is_listed(mapped, column)
    if isinstance(kind, Numeric):
        precision, scale = kind.precision or 18, kind.scale or 0
        value, fits = _number(source, mapped, precision, scale, mark)
        typed = f"DECIMAL({precision},{scale})"
    elif isinstance(kind, Integer):
        value, fits = f"TRY_CAST({source} AS INTEGER)", f"regexp_full_match({source}, {sql_literal(WHOLE)})"
        typed = "INTEGER"
    elif isinstance(kind, Boolean):
        low = f"lower({source})"
        value = f"CASE WHEN {_among(low, TRUE)} THEN true WHEN {_among(low, FALSE)} THEN false END"
        fits, typed = _among(low, TRUE + FALSE), "BOOLEAN"
        if column == "deleted":
            value = f"coalesce({value}, false)"
    elif isinstance(kind, Date):
        value, fits = _date(source, mapped, time_zone, mark)
        typed = "DATE"
    elif column == "ship_to_time_zone":
        return [
            StagedColumn(column, "VARCHAR", f"coalesce({source}, {sql_literal(time_zone)})"),
            StagedColumn("time_zone_assumed", "BOOLEAN", f"{source} IS NULL"),
            *([StagedColumn(f"ok_{column}", "BOOLEAN", listed)] if listed else []),
        ]
    else:
        return [
            StagedColumn(column, "VARCHAR", source),
            *([StagedColumn(f"ok_{column}", "BOOLEAN", listed)] if listed else []),
        ]
    if source == "NULL::VARCHAR":
        fits = "true"
    else:
        fits = f"(CASE WHEN {source} IS NULL THEN true WHEN ({value}) IS NULL THEN false ELSE {fits} END)"
    return [
        StagedColumn(column, typed, value),
        StagedColumn(f"ok_{column}", "BOOLEAN", f"{listed} AND {fits}" if listed else fits),
    ]


def _number(source: str, mapped: ColumnMap | None, precision: int, scale: int, mark: str | None) -> tuple[str, str]:
    """Return value and condition of a decimal: an optional minus, digits, and at most `scale` decimals.

    More decimals are allowed if they are zeros. A binary float is rounded to `scale` decimals, also if it arrives as
    text (15 digits and more). Every other text is rejected.
    """
    whole = precision - scale
    point, group = (mapped.decimal, mapped.thousands) if mapped else (".", "")
    digits = rf"\d{{1,{whole}}}" if not group else rf"(\d{{1,{whole}}}|\d{{1,3}}(\Q{group}\E\d{{3}})+)"
    text = f"replace({source}, {sql_literal(group)}, '')" if group else source
    text = f"replace({text}, ',', '.')" if point == "," else text
    fits = _full_match(source, rf"-?{digits}(\Q{point}\E\d{{1,{scale}}}0*)?")
    noise = _full_match(source, rf"-?{digits}\Q{point}\E\d{{{scale + 1},40}}")
    significant = f"length(ltrim(translate({text}, '-.', ''), '0')) >= {FLOAT_DIGITS}"
    value = f"TRY_CAST({text} AS DECIMAL({precision},{scale}))"
    fits = f"(CASE WHEN {fits} THEN true ELSE {noise} AND {significant} END)"
    if mark is None:
        return value, fits
    plain, plain_fits = _number(source, None, precision, scale, None) if mapped else (value, fits)
    rounded = _full_match(source, rf"-?\d{{1,{whole}}}(\.\d+)?")
    return (
        f"(CASE WHEN {quoted(mark)} IS NULL THEN {value} ELSE {plain} END)",
        f"(CASE WHEN {quoted(mark)} IS NULL THEN {fits} WHEN {quoted(mark)} = 2 THEN {rounded} ELSE {plain_fits} END)",
    )


def _date(source: str, mapped: ColumnMap | None, time_zone: str, mark: str | None) -> tuple[str, ...]:
    plain, fits = f"CAST(TRY_CAST({source} AS TIMESTAMP) AS DATE)", _full_match(source, ISO_DATE)
    if mapped is not None and mapped.format:
        value = formats.parsed(source, mapped.format, time_zone)
        if formats.has_zone(mapped.format):
            value = f"timezone({sql_literal(time_zone)}, {value})"
        return _unless_typed(source, mark, (plain, fits), (f"CAST({value} AS DATE)", "true"))
    return plain, fits


def _unless_typed(source: str, mark: str | None, plain: tuple[str, ...], formatted: tuple[str, ...]) -> tuple[str, ...]:
    """Return the formatted expressions, but the plain ones for values that arrived as dates or date-times."""
    if mark is None:
        return formatted
    typed = f"{quoted(mark)} IS NOT NULL AND {_full_match(source, ISO_MOMENT)}"
    return tuple(
        f"(CASE WHEN {typed} THEN {one} ELSE {other} END)" for one, other in zip(plain, formatted, strict=True)
    )


def _full_match(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {sql_literal(pattern)})"


def _moment(column: str, source: str, mapped: ColumnMap | None, time_zone: str, mark: str | None) -> list[StagedColumn]:
    value, is_date, fits = _instant(source, mapped, time_zone, mark)
    if mapped is not None and mapped.day and source != "NULL::VARCHAR":
        value = f"CASE WHEN {is_date} THEN {value} ELSE date_trunc('day', {to_local(value, time_zone)}) END"
        is_date = f"CASE WHEN {is_date} IS NOT NULL THEN true END"
    return [
        StagedColumn(column, "TIMESTAMP", value),
        StagedColumn(f"{column}_is_date", "BOOLEAN", is_date),
        StagedColumn(f"ok_{column}", "BOOLEAN", fits),
    ]


def _instant(source: str, mapped: ColumnMap | None, time_zone: str, mark: str | None = None) -> tuple[str, ...]:
    """Return SQL for the value of a moment, for whether it is a bare date, and for whether the text fits."""
    if source == "NULL::VARCHAR":
        return "NULL::TIMESTAMP", "NULL::BOOLEAN", "true"
    if mapped is not None and mapped.format:
        formatted = _formatted(source, mapped.format, time_zone)
        return formatted if mark is None else _unless_typed(source, mark, _instant(source, None, time_zone), formatted)
    parsed = f"TRY_CAST({source} AS TIMESTAMP)"
    has_offset = f"regexp_matches({source}, {sql_literal(OFFSET)})"
    with_offset = f"TRY_CAST({source} AS TIMESTAMPTZ)"
    without_offset = f"length({source}) = 10 OR ends_with({source}, 'Z')"
    fits = (
        f"(CASE WHEN {source} IS NULL THEN true WHEN {parsed} IS NULL OR NOT {_full_match(source, ISO_MOMENT)} "
        f"THEN false WHEN {without_offset} OR NOT {has_offset} THEN true ELSE {with_offset} IS NOT NULL END)"
    )
    value = (
        f"CASE WHEN {without_offset} THEN {parsed} "
        # A cast to TIMESTAMP silently drops an offset. A cast to TIMESTAMPTZ applies it (the connection uses UTC).
        f"WHEN {has_offset} THEN CAST({with_offset} AS TIMESTAMP) "
        f"ELSE {to_utc(parsed, time_zone)} END"
    )
    return value, f"CASE WHEN {parsed} IS NOT NULL THEN length({source}) = 10 END", fits


def _formatted(source: str, form: str, time_zone: str) -> tuple[str, str, str]:
    parsed = formats.parsed(source, form, time_zone)
    timed = formats.has_time(form)
    value = f"CAST({parsed} AS TIMESTAMP)"
    if timed and not formats.has_zone(form):
        value = to_utc(value, time_zone)
    is_date = f"CASE WHEN {parsed} IS NOT NULL THEN {'false' if timed else 'true'} END"
    return value, is_date, f"({source} IS NULL OR {parsed} IS NOT NULL)"


def to_local(instant: str, time_zone: str) -> str:
    """Return SQL for the local time of a UTC instant."""
    return f"timezone({sql_literal(time_zone)}, timezone('UTC', {instant}))"


def to_utc(local: str, time_zone: str) -> str:
    """Return SQL for the UTC instant of a local time.

    A time that daylight saving skips moves forward by the gap. A repeated time is the earlier instant. DuckDB 1.5 (ICU)
    takes the later instant, so the offset of the day before is tried as well.
    """
    if time_zone in ("UTC", "Etc/UTC"):
        return local
    zone = sql_literal(time_zone)
    now = f"timezone({zone}, {local})"
    before = f"(timezone({zone}, {local} - INTERVAL 1 DAY) + INTERVAL 24 HOUR)"
    return (
        f"CAST(CASE WHEN {now} = {before} THEN {now} "
        f"WHEN timezone({zone}, {now}) <> {local} OR timezone({zone}, {before}) = {local} THEN {before} "
        f"ELSE {now} END AS TIMESTAMP)"
    )


def _clean_text(texts: list[tuple[str, str]]) -> str:
    """Return the SQL condition that no text contains a control, direction or zero-width character.

    Identifiers must not contain a tab or line break either.
    """
    identifiers = [text for column, text in texts if is_identifier(column)]
    others = [text for column, text in texts if not is_identifier(column)]
    parts = [
        f"NOT regexp_matches(concat_ws(' ', {', '.join(group)}), {sql_literal(pattern)})"
        for group, pattern in ((identifiers, IDENTIFIER_CONTROLS), (others, TEXT_CONTROLS))
        if group
    ]
    return " AND ".join(parts) or "true"
