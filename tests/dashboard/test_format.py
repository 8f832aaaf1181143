"""Numbers and dates as the reader writes them, moments in the business time zone, exports in neither."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

import pytest

from dashboard import format as fmt
from dashboard import reader
from dashboard.reader import PLAIN, conventions
from metrics.errors import SettingRefused
from metrics.measure import Unit

Reads = Callable[[str], None]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Be a reader of a language."""

    def go(tag: str) -> None:
        monkeypatch.setattr(fmt, "reader", lambda: conventions(tag))

    return go


@pytest.mark.parametrize(
    ("tag", "number", "money", "share", "day", "span"),
    [
        ("en-GB", "1,234.5 days", "−1,234,567.50 EUR", "93.8%", "3 Mar 2026", "30 Mar – 28 Jun 2026"),
        ("en-US", "1,234.5 days", "−1,234,567.50 EUR", "93.8%", "Mar 3, 2026", "Mar 30 – Jun 28, 2026"),
        ("de-DE", "1.234,5 days", "−1.234.567,50 EUR", "93,8%", "3 Mar 2026", "30 Mar – 28 Jun 2026"),
        ("fr-FR", "1\u202f234,5 days", "−1\u202f234\u202f567,50 EUR", "93,8%", "3 Mar 2026", "30 Mar – 28 Jun 2026"),
        ("en-IN", "1,234.5 days", "−12,34,567.50 EUR", "93.8%", "3 Mar 2026", "30 Mar – 28 Jun 2026"),
        ("ja-JP", "1,234.5 days", "−1,234,567.50 EUR", "93.8%", "2026 Mar 3", "2026 Mar 30 – Jun 28"),
        ("tlh", "1,234.5 days", "−1,234,567.50 EUR", "93.8%", "3 Mar 2026", "30 Mar – 28 Jun 2026"),
    ],
)
def test_numbers_and_dates_are_written_as_the_reader_does(tag: str, number: str, money: str, share: str, day: str, span: str, reads: Reads) -> None:
    reads(tag)
    assert fmt.number(1234.5, Unit.DAYS) == number
    assert fmt.money(Decimal("-1234567.5"), "EUR") == money
    assert fmt.number(0.938, Unit.SHARE) == share
    assert fmt.day(date(2026, 3, 3)) == day
    assert fmt.span(date(2026, 3, 30), date(2026, 6, 28)) == span


def test_every_form_of_a_number_is_the_readers(reads: Reads) -> None:
    reads("de-DE")
    assert fmt.quantity(Decimal("12.5000")) == "12,5"
    assert fmt.quantity(Decimal("-1234567.25")) == "−1.234.567,25"
    assert fmt.price(Decimal("0.1234")) == "0,1234"
    assert fmt.count(12345, "order") == "12.345 orders"
    assert fmt.number(1_400_000, Unit.COUNT) == "1,4M"
    assert fmt.number(0.9997, Unit.SHARE) == ">99,9%"
    assert fmt.difference(-0.012, Unit.SHARE) == "1,2 pp"


def test_without_a_reader_numbers_are_plain() -> None:
    assert reader.reader() == PLAIN
    assert fmt.number(1234.5, Unit.DAYS) == "1,234.5 days"


@pytest.mark.parametrize(
    ("zone", "told"), [(None, "30 Mar 2026 23:30 UTC"), ("Europe/Berlin", "31 Mar 2026 01:30 CEST"), ("America/New_York", "30 Mar 2026 19:30 EDT")]
)
def test_a_moment_is_told_in_the_business_time_zone(zone: str | None, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(reader.ZONE, raising=False)
    if zone:
        monkeypatch.setenv(reader.ZONE, zone)
    assert fmt.moment(datetime(2026, 3, 30, 23, 30)) == told
    assert fmt.moment(datetime(2026, 3, 30), is_date=True) == "30 Mar 2026"


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (datetime(2026, 3, 28, 10, 15), "28 Mar 2026 10:30 – 11:15 CET"),
        (datetime(2026, 3, 28, 23, 30), "28 Mar 2026 10:30 – 29 Mar 2026 00:30 CET"),
        (datetime(2026, 3, 30, 8), "28 Mar 2026 10:30 CET – 30 Mar 2026 10:00 CEST"),
    ],
)
def test_a_span_of_time_is_told_in_one_zone(ended: datetime, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(reader.ZONE, "Europe/Berlin")
    assert fmt.moments(datetime(2026, 3, 28, 9, 30), ended) == told


def test_a_moment_is_chosen_by_the_clocks_of_the_business_and_kept_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(reader.ZONE, "Europe/Berlin")
    assert reader.here(datetime(2026, 3, 30, 8)) == datetime(2026, 3, 30, 10)
    assert reader.in_utc(datetime(2026, 3, 30, 10)) == datetime(2026, 3, 30, 8)
    assert reader.in_utc(datetime(2026, 10, 25, 2, 30)) == datetime(2026, 10, 25, 0, 30), "of two half past twos the first"
    with pytest.raises(ValueError, match="never was in Europe/Berlin"):
        reader.in_utc(datetime(2026, 3, 29, 2, 30))


def test_a_zone_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(reader.ZONE, "Mars/Olympus")
    with pytest.raises(SettingRefused, match="Europe/Berlin"):
        fmt.moment(datetime(2026, 3, 30))
