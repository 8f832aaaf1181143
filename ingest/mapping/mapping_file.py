"""Parse and check a mapping file (TOML): the feeds of a source, their origins and their columns.

Opens only the mapping file. Reports all its problems at once, each with the key, the nearest valid name and what to
write instead. docs/mapping-reference.md describes the keys.
"""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy import URL

from ingest.errors import MappingRefused
from ingest.mapping import file_kinds, formats
from ingest.mapping.feed_checks import problems_of_records
from ingest.mapping.file_kinds import Kind
from ingest.mapping.file_options import file_problems
from ingest.mapping.nearest import nearest as nearest
from ingest.mapping.nearest import shown as shown
from ingest.mapping.toml_file import read_toml
from metrics.schema import FEEDS, Feed

T = TypeVar("T", bound=BaseModel)

REQUIRED_FEEDS = ("orders", "order_lines", "shipments", "shipment_lines")
"""Feeds that every mapping needs. Without invoices, billing measures show "no feed"."""
DEFAULTS = {
    "orders": {"order_type": "sale"},
    "order_lines": {"line_kind": "goods"},
    "invoices": {"invoice_kind": "invoice"},
    **{name: {"valid_from": "1900-01-01"} for name, feed in FEEDS.items() if "valid_from" in feed.key},
}
"""Values of columns that are not mapped. There are no other defaults."""
DERIVED = ("ship_to_time_zone", "time_zone_assumed", "deleted", "source", "file_id", "row_no")
"""Not-null columns that ingest fills if the mapping does not."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ColumnMap(_Table):
    """Source of a canonical column, and the format of its text."""

    column: str | None = Field(default=None, alias="from")
    value: str | None = None
    sql: str | None = None
    format: str | None = None
    decimal: Annotated[str, Field(pattern=r"^[.,]$")] = "."
    thousands: Annotated[str, Field(max_length=1)] = ""
    day: bool | None = None
    """True: date-times are read as their local day. False: they stay instants, also if all are midnights."""
    codes: dict[str, str] | None = None
    upper: bool = False
    strip_zeros: bool = False
    pad: Annotated[int | None, Field(ge=1, le=100)] = None
    """Length to which a text is filled with zeros on the left, after `upper` and `strip_zeros`."""
    stands_in_for: str | None = None

    @property
    def changes_text(self) -> bool:
        """Return True if the source's text is loaded in another form."""
        return self.upper or self.strip_zeros or self.pad is not None


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _as_column(value: object) -> object:
    return {"from": value} if isinstance(value, str) else value


def _as_text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str | dict) or value is None else str(value)


class Origin(_Table):
    """Origin of records: files, a database query, or a SELECT over staged rows."""

    read: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    connection: str | None = None
    query: str | None = None
    cursor: str | None = None
    cursor_start: datetime | date | int | float | str | None = None
    select: str | None = None
    sheet: str | None = None
    encoding: str = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Field(max_length=1)] = '"'
    escape: Annotated[str, Field(max_length=1)] = ""
    final_newline: Literal["required", "optional"] = "required"
    kind: Kind | None = None
    skip_rows: Annotated[int, Field(ge=0, le=1000)] | None = None
    header_row: Annotated[int, Field(ge=1, le=1000)] | None = None
    footer: Annotated[int, Field(ge=0, le=1000)] | Annotated[str, Field(min_length=1)] | None = None
    may_be_empty: bool = False
    settle: Annotated[float, Field(ge=0, le=3600)] | None = None
    """Seconds that a file must not have changed; default 5 for patterns, 0 for names."""
    manifest: str | None = None
    """Name of a JSON file inside the data folder with rows, bytes and SHA-256 of every file."""
    done: str | None = None
    """Name of the marker that shows that a file is complete; `*` is the file's name."""


class FeedMap(Origin):
    """A feed: its origin, and its columns by canonical name."""

    columns: dict[str, Annotated[ColumnMap, BeforeValidator(_as_column)]] = Field(default_factory=dict)
    same_key: Literal["last", "sum", "first_filled", "refuse"] | None = None
    """How different records of one file and key are combined. None: the last one is loaded, with a warning."""
    full: bool | Literal["per_order"] | None = None
    """True: the feed is read whole in every run, and what is missing is withdrawn. per_order: whole for each order."""
    full_limit: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Largest share of loaded records that a full extract may withdraw."""
    fill_down: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    """Columns whose empty cells take the value of the record above."""
    match: Literal["only line"] | None = None
    """only line: a record that names an order and no line belongs to the order's only line."""


class _SourceTable(_Table):
    name: Annotated[str, Field(min_length=1)]
    time_zone: str
    data_as_of: Annotated[str | None, BeforeValidator(_as_text)] = None


class Mapping(_Table):
    """A mapping file without problems."""

    path: Path
    name: str
    time_zone: str
    data_as_of: datetime | None
    """The declared watermark, naive UTC."""
    feeds: dict[str, FeedMap]
    staged: dict[str, Origin]
    store: InstanceOf[URL] | None = Field(default=None, repr=False)
    """Database of the built-in mapping (ingest/saved_edits.py). Its watermark is the watermark of the data."""


def load_mapping(path: Path) -> Mapping:
    """Parse and check the mapping file at `path`. Raises MappingRefused with all its problems."""
    file_name = path.name or str(path)
    try:
        return _checked(path, file_name, read_toml(path, file_name))
    except RecursionError:
        raise MappingRefused(file_name, ["tables or lists are nested too deeply; write one level"]) from None


def _checked(path: Path, file_name: str, raw: dict[str, object]) -> Mapping:
    problems: list[str] = []
    source = _parse(_SourceTable, raw.get("source"), "source", problems) if "source" in raw else None
    if "source" not in raw:
        problems.append('[source] is missing: write [source] with name = "…" and time_zone = "Europe/Berlin"')
    feeds = {
        name: feed
        for name, table in raw.items()
        if name not in ("source", "staged") and (feed := _parse_feed(name, table, problems)) is not None
    }
    staged_raw = raw.get("staged", {})
    if not isinstance(staged_raw, dict):
        problems.append("staged: write [staged.NAME] with a table for each name")
    staged = {
        name: origin
        for name, table in (staged_raw.items() if isinstance(staged_raw, dict) else ())
        if (origin := _parse(Origin, table, f"staged.{name}", problems)) is not None
        and _check_origin(f"staged.{name}", origin, problems)
    }
    problems.extend(
        f"[{name}] is missing; every mapping needs the feeds {', '.join(REQUIRED_FEEDS)}"
        for name in REQUIRED_FEEDS
        if name not in raw
    )
    problems.extend(
        f"[{name}] is mapped without [{other}]; map both or neither"
        for name, other in (("invoices", "invoice_lines"), ("invoice_lines", "invoices"))
        if name in raw and other not in raw
    )
    as_of = _watermark(source, problems) if source else None
    if problems or source is None:
        raise MappingRefused(file_name, problems)
    return Mapping(
        path=path.resolve(),
        name=source.name,
        time_zone=source.time_zone,
        data_as_of=as_of,
        feeds=in_feed_order(feeds),
        staged=staged,
    )


def in_feed_order(feeds: dict[str, FeedMap]) -> dict[str, FeedMap]:
    """Return the feeds with parents before children."""
    return {name: feeds[name] for name in FEEDS if name in feeds}


def mappable(feed: Feed) -> tuple[str, ...]:
    """Return the columns of a feed that a mapping may name.

    Columns that ingest fills and the `_is_date` flags are left out.
    """
    return tuple(
        column.name
        for column in feed.table.columns
        if not column.name.endswith("_is_date")
        and column.name not in ("source", "file_id", "row_no", "time_zone_assumed")
    )


def required(name: str) -> tuple[str, ...]:
    """Return the columns of a feed that a mapping must name."""
    feed = FEEDS[name]
    # A fraction replaces the factor: ingest/mapping/feed_checks.py checks that one of them is mapped.
    return tuple(
        column
        for column in mappable(feed)
        if not feed.table.c[column].nullable
        and column not in DERIVED
        and column not in DEFAULTS.get(name, {})
        and (name, column) != ("unit_factors", "factor")
    )


def _parse(model: type[T], table: object, key: str, problems: list[str]) -> T | None:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        for one in error.errors():
            problems.append(_problem(model, key, one))
        return None


def _problem(model: type[BaseModel], key: str, error: ErrorDetails) -> str:
    place = ".".join([key, *(str(part) for part in error["loc"])])
    if error["type"] == "extra_forbidden":
        inside = ColumnMap if "columns" in error["loc"] else model
        known = [field.alias or name for name, field in inside.model_fields.items()]
        return f"{place}: unknown key{nearest(str(error['loc'][-1]), known)}"
    if error["type"] == "missing":
        return f"{place}: missing; add {error['loc'][-1]} = …"
    return f"{place}: {error['msg']} (found {repr(error['input'])[:200]})"


def _parse_feed(name: str, table: object, problems: list[str]) -> FeedMap | None:
    if name not in FEEDS:
        problems.append(f"[{name}]: unknown feed{nearest(name, [*FEEDS, 'source', 'staged'])}")
        return None
    feed = _parse(FeedMap, table, name, problems)
    if feed is None or not _check_origin(name, feed, problems):
        return feed
    known = mappable(FEEDS[name])
    for column, one in feed.columns.items():
        if column not in known:
            problems.append(f"{name}.columns.{column}: unknown column{nearest(column, known)}")
        given = [
            key for key, value in (("from", one.column), ("value", one.value), ("sql", one.sql)) if value is not None
        ]
        if len(given) != 1:
            problems.append(
                f"{name}.columns.{column}: write exactly one of from, value, sql (found {', '.join(given) or 'none'})"
            )
        if one.format and (wrong := formats.problem(one.format)):
            problems.append(f"{name}.columns.{column}.format: {one.format!r}: {wrong}")
        if one.day is not None and column in known and f"{column}_is_date" not in FEEDS[name].table.c:
            problems.append(f"{name}.columns.{column}.day: only moments take it; remove it")
        if one.thousands and one.thousands == one.decimal:
            problems.append(
                f"{name}.columns.{column}: decimal and thousands are both {one.decimal!r}; use two different signs"
            )
    problems.extend(problems_of_records(name, feed))
    if feed.select is None:
        for column in required(name):
            if column not in feed.columns:
                problems.append(f'{name}.columns.{column}: must be mapped; add {column} = "NAME IN THE SOURCE"')
    return feed


def _check_origin(key: str, origin: Origin, problems: list[str]) -> bool:
    before = len(problems)
    given = [
        name
        for name, value in (("read", origin.read), ("connection", origin.connection), ("select", origin.select))
        if value
    ]
    if len(given) != 1:
        problems.append(f"{key}: write exactly one of read, connection, select (found {', '.join(given) or 'none'})")
    if origin.connection and not origin.connection.startswith("env:"):
        problems.append(
            f'{key}.connection: write "env:NAME" and set that environment variable to the URL, '
            "so that the file contains no secret"
        )
    if origin.connection and not origin.query:
        problems.append(f'{key}.query: missing; add query = "select …"')
    if origin.query and not origin.connection:
        problems.append(f'{key}.connection: missing; add connection = "env:NAME" next to query')
    if (origin.cursor is None) != (origin.cursor_start is None):
        problems.append(f"{key}: set cursor and cursor_start together (the first run binds cursor_start as :cursor)")
    if origin.cursor and (key.startswith("staged.") or origin.select):
        problems.append(f"{key}.cursor: a SELECT needs all its rows in every run; remove cursor and cursor_start")
    if origin.cursor and ":cursor" not in (origin.query or ""):
        problems.append(
            f"{key}.cursor: the query must use it; write e.g. "
            f"… where {origin.cursor} >= :cursor order by {origin.cursor}"
        )
    if origin.manifest is not None and (Path(origin.manifest).is_absolute() or ".." in Path(origin.manifest).parts):
        problems.append(f"{key}.manifest: {origin.manifest!r} leaves the data folder; write a path inside it")
    if origin.skip_rows is not None and origin.header_row is not None:
        problems.append(f"{key}: skip_rows and header_row say the same; keep one of them")
    problems.extend(
        file_problems(key, origin.read, origin.encoding, (origin.delimiter, origin.quote, origin.escape), origin.done)
    )
    for pattern in origin.read:
        if file_kinds.kind_of(pattern, origin.kind) is None:
            problems.append(file_kinds.problem(key, pattern))
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            problems.append(
                f"{key}.read: {pattern!r} leaves the data folder; write a path inside it, "
                "and name the folder with --data"
            )
    return len(problems) == before


def _watermark(source: _SourceTable, problems: list[str]) -> datetime | None:
    try:
        zone = zoneinfo.ZoneInfo(source.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, such as Europe
        known = sorted(zoneinfo.available_timezones())
        problems.append(
            f"source.time_zone: {source.time_zone!r} is not an IANA time zone{nearest(source.time_zone, known)[:200]}"
        )
        return None
    if source.data_as_of is None:
        return None
    try:
        moment = datetime.fromisoformat(source.data_as_of)
        if len(source.data_as_of) <= 10:  # a bare date means the end of that day
            following = datetime.combine(moment.date() + timedelta(days=1), time(), zone)
            return following.astimezone(UTC).replace(tzinfo=None) - timedelta(microseconds=1)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        problems.append(
            f'source.data_as_of: {source.data_as_of!r} is not an ISO date-time; write e.g. "2026-06-30T23:59:59Z"'
        )
        return None
