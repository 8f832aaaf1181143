"""Numbers and dates in the reader's format, and moments in the business time zone. Exports use neither."""

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

import pytest

from dashboard.components import cards, formatting, locale
from dashboard.components.locale import PLAIN, conventions
from dashboard.sections import stockouts_calculator
from metrics.errors import SettingRefused
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Unit
from metrics.model.question import Answer
from tests.dashboard.conftest import ROOT

Reads = Callable[[str], None]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Act as a reader with this language."""

    def go(tag: str) -> None:
        monkeypatch.setattr(formatting, "reader", lambda: conventions(tag))

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
def test_numbers_and_dates_follow_the_reader_locale(
    tag: str, number: str, money: str, share: str, day: str, span: str, reads: Reads
) -> None:
    reads(tag)
    assert formatting.number(1234.5, Unit.DAYS) == number
    assert formatting.money(Decimal("-1234567.5"), "EUR") == money
    assert formatting.number(0.938, Unit.SHARE) == share
    assert formatting.day(date(2026, 3, 3)) == day
    assert formatting.date_range(date(2026, 3, 30), date(2026, 6, 28)) == span


def test_every_number_format_follows_the_reader_locale(reads: Reads) -> None:
    reads("de-DE")
    assert formatting.quantity(Decimal("12.5000")) == "12,5"
    assert formatting.quantity(Decimal("-1234567.25")) == "−1.234.567,25"
    assert formatting.price(Decimal("0.1234")) == "0,1234"
    assert formatting.count(12345, "order") == "12.345 orders"
    assert formatting.number(1_400_000, Unit.COUNT) == "1,4M"
    assert formatting.number(0.9997, Unit.SHARE) == ">99,9%"
    assert formatting.difference(-0.012, Unit.SHARE) == "1,2 pp"


def test_calculator_and_small_shares_follow_the_reader_locale(reads: Reads) -> None:
    reads("de-DE")
    case = {name: Decimal(str(value)) for name, value in stockouts_calculator.PRESETS["Paper2Go"].items()}
    assert "1.552.500" in stockouts_calculator.result(stockouts_calculator.calculate(case))
    few = Answer({}, None, "otif", 0.5, denominator=4, low=0.15, high=0.85)
    assert cards.too_few_text(few, MEASURES["otif"]) == "Only 4 orders (likely range 15–85%)"


def test_screens_have_one_percentage_format() -> None:
    """93.8%, written by `formatting`: no space before the sign, and no format of Python's own."""
    other = re.compile(r"""\d %[\s"'.,)]|:,?\.\d%}""")
    files = [file for folder in ("dashboard", "pages") for file in (ROOT / folder).rglob("*.py")]
    assert [file.name for file in files if other.search(file.read_text())] == []


def test_numbers_use_the_default_format_without_a_reader_locale() -> None:
    assert locale.reader() == PLAIN
    assert formatting.number(1234.5, Unit.DAYS) == "1,234.5 days"


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (None, "30 Mar 2026 23:30 UTC"),
        ("Europe/Berlin", "31 Mar 2026 01:30 CEST"),
        ("America/New_York", "30 Mar 2026 19:30 EDT"),
    ],
)
def test_timestamp_is_shown_in_the_business_time_zone(
    zone: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(locale.ZONE, raising=False)
    if zone:
        monkeypatch.setenv(locale.ZONE, zone)
    assert formatting.moment(datetime(2026, 3, 30, 23, 30)) == expected
    assert formatting.moment(datetime(2026, 3, 30), is_date=True) == "30 Mar 2026"


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (datetime(2026, 3, 28, 10, 15), "28 Mar 2026 10:30 – 11:15 CET"),
        (datetime(2026, 3, 28, 23, 30), "28 Mar 2026 10:30 – 29 Mar 2026 00:30 CET"),
        (datetime(2026, 3, 30, 8), "28 Mar 2026 10:30 CET – 30 Mar 2026 10:00 CEST"),
    ],
)
def test_time_range_is_shown_in_one_time_zone(ended: datetime, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(locale.ZONE, "Europe/Berlin")
    assert formatting.moments(datetime(2026, 3, 28, 9, 30), ended) == expected


def test_business_time_is_converted_to_utc_and_nonexistent_times_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(locale.ZONE, "Europe/Berlin")
    assert locale.to_business_time(datetime(2026, 3, 30, 8)) == datetime(2026, 3, 30, 10)
    assert locale.to_utc(datetime(2026, 3, 30, 10)) == datetime(2026, 3, 30, 8)
    assert locale.to_utc(datetime(2026, 10, 25, 2, 30)) == datetime(2026, 10, 25, 0, 30), (
        "of two half past twos the first"
    )
    with pytest.raises(ValueError, match="does not exist in Europe/Berlin"):
        locale.to_utc(datetime(2026, 3, 29, 2, 30))


def test_unknown_time_zone_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(locale.ZONE, "Mars/Olympus")
    with pytest.raises(SettingRefused, match="Europe/Berlin"):
        formatting.moment(datetime(2026, 3, 30))
