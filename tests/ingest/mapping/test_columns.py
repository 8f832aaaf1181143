"""Conversion of text to types: moments of every form, daylight saving, numbers; compared with Python's calendar."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import duckdb
import pytest

from ingest.mapping.columns import staging_columns, to_utc
from ingest.mapping.mapping_file import FeedMap
from ingest.storage.scratch_database import Connection


@pytest.fixture
def engine() -> Iterator[Connection]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    yield connection
    connection.close()


def typed(engine: Connection, feed: str, column: str, about: dict[str, object], text: str | None) -> tuple[object, ...]:
    """Return the value (for a moment, also whether it is a bare date) and whether the text is valid."""
    feed_map = FeedMap.model_validate({"read": "x.csv", "columns": {column: {"from": "t", **about}}})
    wanted = [
        one
        for one in staging_columns(feed, feed_map, time_zone="Europe/Berlin", suspicious=False)
        if one.name in (column, f"{column}_is_date", f"ok_{column}")
    ]
    row = engine.execute(
        f"SELECT {', '.join(one.sql for one in wanted)} FROM (SELECT ?::VARCHAR AS t)", [text]
    ).fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("text", "value", "is_date"),
    [
        ("2026-03-05", datetime(2026, 3, 5), True),
        ("2026-03-05T10:00", datetime(2026, 3, 5, 9), False),
        ("2026-07-05 10:00:00", datetime(2026, 7, 5, 8), False),
        ("2026-03-05T10:00:00Z", datetime(2026, 3, 5, 10), False),
        ("2026-03-05T10:00:00+05:30", datetime(2026, 3, 5, 4, 30), False),
        ("2026-03-05T10:00:00+0530", datetime(2026, 3, 5, 4, 30), False),
        ("2026-03-05 10:00:00-08", datetime(2026, 3, 5, 18), False),
        ("2026-03-05T10:00:00.123456789Z", datetime(2026, 3, 5, 10, 0, 0, 123456), False),
        # 02:30 does not exist on 29 March, so it moves forward by the gap. On 25 October it exists twice, and the
        # earlier instant counts.
        ("2026-03-29T02:30:00", datetime(2026, 3, 29, 1, 30), False),
        ("2026-10-25T02:30:00", datetime(2026, 10, 25, 0, 30), False),
    ],
)
def test_timestamp_is_read_as_a_utc_instant_or_a_bare_date(
    engine: Connection, text: str, value: datetime, is_date: bool
) -> None:
    assert typed(engine, "orders", "promised_by", {}, text) == (value, is_date, True)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30",
        "2026-03-05T24:00:00",
        "2026-03-05T10",
        "05.03.2026",
        "2026/03/05",
        "epoch",
        "2026-03-05 10:00 UTC",
        " 2026-03-05",
        "2026-03-05T10:00:00+99:00",
    ],
)
def test_invalid_timestamp_does_not_fit_its_type(engine: Connection, text: str) -> None:
    assert typed(engine, "orders", "promised_by", {}, text)[-1] is False


def test_empty_value_is_read_as_null_and_fits_its_type(engine: Connection) -> None:
    assert typed(engine, "orders", "promised_by", {}, None) == (None, None, True)
    assert typed(engine, "order_lines", "ordered_qty", {}, None) == (None, True)


@pytest.mark.parametrize(
    ("form", "text", "value", "is_date"),
    [
        ("%d.%m.%Y", "05.03.2026", datetime(2026, 3, 5), True),
        ("%A, %B %-d, %Y", "Thursday, March 5, 2026", datetime(2026, 3, 5), True),
        ("%d.%m.%Y %H:%M", "05.03.2026 10:00", datetime(2026, 3, 5, 9), False),
        ("%d.%m.%Y %H:%M %z", "05.03.2026 10:00 +0500", datetime(2026, 3, 5, 5), False),
    ],
)
def test_only_the_declared_format_is_accepted(
    engine: Connection, form: str, text: str, value: datetime, is_date: bool
) -> None:
    assert typed(engine, "orders", "promised_by", {"format": form}, text) == (value, is_date, True)
    assert typed(engine, "orders", "promised_by", {"format": form}, "2026-03-05")[-1] is False


@pytest.mark.parametrize(
    ("about", "text", "value"),
    [
        ({}, "12.5", "12.5000"),
        ({}, "-3", "-3.0000"),
        ({}, "1.50000", "1.5000"),
        ({"decimal": ","}, "12,5", "12.5000"),
        ({"decimal": ",", "thousands": "."}, "1.234.567,89", "1234567.8900"),
        ({"thousands": ","}, "1,234", "1234.0000"),
    ],
)
def test_number_is_read_exactly(engine: Connection, about: dict[str, object], text: str, value: str) -> None:
    number, fits = typed(engine, "order_lines", "ordered_qty", about, text)
    assert (str(number), fits) == (value, True)


@pytest.mark.parametrize(
    ("about", "text"),
    [({"decimal": ","}, "1.5"), ({"decimal": ",", "thousands": "."}, "1.23,5"), ({}, "1,5"), ({}, "1.23456")],
)
def test_number_in_another_notation_does_not_fit_its_type(
    engine: Connection, about: dict[str, object], text: str
) -> None:
    assert typed(engine, "order_lines", "ordered_qty", about, text)[-1] is False


def test_an_unlisted_code_does_not_fit(engine: Connection) -> None:
    about: dict[str, object] = {"codes": {"E": "edi"}}
    assert typed(engine, "orders", "channel", about, "E") == ("edi", True)
    assert typed(engine, "orders", "channel", about, "X") == (None, False)


@pytest.mark.parametrize(
    "zone",
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca", "Pacific/Apia"],
)
def test_local_times_are_converted_to_utc_like_python_zoneinfo(engine: Connection, zone: str) -> None:
    query = (
        f"SELECT l, {to_utc('l', zone)} FROM (SELECT TIMESTAMP '2010-06-01' + n * INTERVAL 15 MINUTE AS l FROM "
        "range(80000) AS r(n))"
    )
    wrong = [
        local
        for local, instant in engine.execute(query).fetchall()
        if local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None) != instant
    ]
    assert wrong == []
