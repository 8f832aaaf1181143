"""Date formats are judged by their codes: spellings of an hour, zone abbreviations, formats that name no day."""

from collections.abc import Iterator
from datetime import datetime

import duckdb
import pytest

from ingest.mapping import formats
from ingest.mapping.columns import staging_columns
from ingest.mapping.mapping_file import FeedMap
from ingest.storage.scratch_database import Connection


@pytest.fixture(scope="module")
def engine() -> Iterator[Connection]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    yield connection
    connection.close()


def typed(
    engine: Connection, column: str, about: dict[str, object], text: str, *, zone: str = "Europe/Berlin", feed: str = ""
) -> tuple[object, ...]:
    """Return value, is_date (for a moment) and whether the text fits."""
    feed_map = FeedMap.model_validate({"read": "x.csv", "columns": {column: {"from": "t", **about}}})
    wanted = [
        one
        for one in staging_columns(feed or "orders", feed_map, time_zone=zone, suspicious=False)
        if one.name in (column, f"{column}_is_date", f"ok_{column}")
    ]
    row = engine.execute(f"SELECT {', '.join(one.sql for one in wanted)} FROM (SELECT ?::VARCHAR AS t)", [text])
    return row.fetchone() or ()


@pytest.mark.parametrize(
    ("form", "text", "value", "is_date"),
    [
        ("%-m/%-d/%Y %-I:%M %p", "1/10/2026 9:05 PM", datetime(2026, 1, 10, 20, 5), False),
        ("%d.%m.%Y %-H:%M", "10.01.2026 9:05", datetime(2026, 1, 10, 8, 5), False),
        ("%Y-%m-%d %T", "2026-01-10 09:05:00", datetime(2026, 1, 10, 8, 5), False),
        ("%c", "2026-01-10 09:05:00", datetime(2026, 1, 10, 8, 5), False),
        ("%x", "2026-01-10", datetime(2026, 1, 10), True),
        ("%d.%m.%Y %%H", "10.01.2026 %H", datetime(2026, 1, 10), True),
        ("%Y-%j", "2026-010", datetime(2026, 1, 10), True),
        ("%G-W%V-%u", "2026-W02-6", datetime(2026, 1, 10), True),
    ],
)
def test_a_format_has_a_time_if_one_of_its_codes_is_a_time(
    engine: Connection, form: str, text: str, value: datetime, is_date: bool
) -> None:
    assert typed(engine, "promised_by", {"format": form}, text) == (value, is_date, True)


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        ("%Y %j", "2026 366", None),
        ("%Y %j", "2024 366", datetime(2024, 12, 31)),
        ("%Y %j", "2100 366", None),
        ("%y%j", "26366", None),
        ("%-j/%y", "5/26", datetime(2026, 1, 5)),
        ("%Y-%jT%H:%M:%S%z", "2026-366T00:30:00+01:00", None),
        ("%Y-%jT%H:%M:%S%z", "2026-365T00:30:00+01:00", datetime(2026, 12, 30, 23, 30)),
        ("%Y %W %w", "2026 53 1", None),
        ("%Y %W %w", "2026 51 1", datetime(2026, 12, 21)),
        ("%G-W%V-%u", "2025-W53-1", None),
        ("%G-W%V-%u", "2026-W53-5", datetime(2027, 1, 1)),
    ],
)
def test_a_day_or_week_that_the_year_does_not_have_does_not_fit(
    engine: Connection, form: str, text: str, value: datetime | None
) -> None:
    found = typed(engine, "promised_by", {"format": form}, text)
    assert (found[0], found[-1]) == (value, value is not None)


@pytest.mark.parametrize(
    ("text", "zone", "value"),
    [
        ("2026-07-01 10:00 PDT", "Europe/Berlin", datetime(2026, 7, 1, 17)),
        ("2026-07-01 10:00 PST", "Europe/Berlin", datetime(2026, 7, 1, 18)),
        ("2026-01-01 10:00 pst", "Europe/Berlin", datetime(2026, 1, 1, 18)),
        ("2026-07-01 10:00 CEST", "Europe/Berlin", datetime(2026, 7, 1, 8)),
        ("2026-07-01 10:00 CET", "Europe/Berlin", datetime(2026, 7, 1, 9)),
        ("2026-07-01 10:00 Z", "Europe/Berlin", datetime(2026, 7, 1, 10)),
        ("2026-07-01 10:00 America/New_York", "Europe/Berlin", datetime(2026, 7, 1, 14)),
        ("2026-07-01 10:00 CST", "America/New_York", datetime(2026, 7, 1, 16)),
        ("2026-07-01 10:00 CST", "Asia/Shanghai", datetime(2026, 7, 1, 2)),
        ("2026-07-01 10:00 IST", "Asia/Kolkata", datetime(2026, 7, 1, 4, 30)),
    ],
)
def test_time_zone_abbreviation_is_read_as_its_utc_offset(
    engine: Connection, text: str, zone: str, value: datetime
) -> None:
    assert typed(engine, "promised_by", {"format": "%Y-%m-%d %H:%M %Z"}, text, zone=zone) == (value, False, True)


@pytest.mark.parametrize("text", ["2026-07-01 10:00 CST", "2026-07-01 10:00 IST", "2026-07-01 10:00 XYZ"])
def test_ambiguous_time_zone_abbreviation_does_not_fit_its_type(engine: Connection, text: str) -> None:
    assert typed(engine, "promised_by", {"format": "%Y-%m-%d %H:%M %Z"}, text)[-1] is False
    assert "CST or IST" in formats.zone_advice("%H %Z")


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("%d.%m.%Y %k:%M", "unknown code %k"),
        ("%Y-%m-%d %", "unknown code %"),
        ("%-Y-%m-%d", "unknown code %-Y"),
        ("%m/%Y", "no complete day"),
        ("%H:%M", "no complete day"),
        ("%Y-%m-%d %-I:%M", "%I is an hour of 12 hours"),
        ("%Y-%m-%d %z", "a zone but no hour"),
    ],
)
def test_a_format_that_cannot_be_read_exactly_is_a_problem_of_the_mapping(form: str, reason: str) -> None:
    assert reason in (formats.problem(form) or "")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-10T23:30:00", datetime(2026, 3, 10)),
        ("2026-03-10T23:30:00Z", datetime(2026, 3, 11)),  # 00:30 on 11 March in Berlin
        ("2026-03-10", datetime(2026, 3, 10)),
    ],
)
def test_day_reads_a_date_time_as_its_local_day(engine: Connection, text: str, day: datetime) -> None:
    assert typed(engine, "promised_by", {"day": True}, text) == (day, True, True)


def test_a_day_column_takes_the_local_day_of_an_instant(engine: Connection) -> None:
    about: dict[str, object] = {"format": "%Y-%m-%d %H:%M %z"}
    found = typed(engine, "incurred_on", about, "2026-03-10 23:30 +0000", feed="service_costs")
    assert found == (datetime(2026, 3, 11).date(), True)
