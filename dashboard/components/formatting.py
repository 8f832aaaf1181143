"""Numbers, dates, durations and source text as shown on screen.

Source text (a customer's name, a reason, a record) reaches a page only through `html` or `markdown`, or as a cell of a
grid. Numbers and dates follow the reader's conventions, times the business time zone (`locale.py`). Exports use none of
this. Nothing here calculates with measures.
"""

import html as _html
import math
import re
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from dashboard.components.locale import reader, zone
from metrics.facts.process_steps import STEPS
from metrics.model.measure import Unit
from metrics.model.share import Share

DASH = "–"
"""Shown for a missing number, never 0 and never 100%. Source: P6 (empty is null)."""

MINUS = "−"

UNIT_NAMES = {Unit.DAYS: "days", Unit.HOURS: "hours", Unit.YEARS: "years"}
"""Ends of the names of columns with these units, in files."""

LONG_HOURS = 1_000
"""From this many hours on, a duration is shown in days."""

Number = float | int | Decimal | None


class Shown(str):
    """A text with the exact value behind it, which tables sort by and write to files. unit: "days", "hours", ..."""

    exact: object
    unit: str

    def __new__(cls, text: str, exact: object = None, unit: str = "") -> "Shown":
        """Return the text with its value."""
        shown = super().__new__(cls, text)
        shown.exact, shown.unit = exact, unit
        return shown


def html(text: object) -> str:
    """Escape text for HTML; None becomes a dash."""
    return DASH if text is None or text == "" else _html.escape(str(text), quote=True)


_LINKED = re.compile(r"(https?:|www|@)(?=[/.\w])", re.IGNORECASE)
"""Beginnings that Streamlit's Markdown turns into links after it has removed the escapes."""
_APART = "\u2060"
"""Word joiner: invisible, and no part of an address."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&@/])")


def markdown(text: object) -> str:
    """Escape text for Markdown, including links and emoji codes; line breaks become spaces."""
    if text is None:
        return DASH
    return _MARKDOWN.sub(r"\\\1", _LINKED.sub(rf"\1{_APART}", re.sub(r"\s+", " ", str(text))))


def missing(value: Number) -> bool:
    """Return True if there is no number to show."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def number(value: Number, unit: Unit = Unit.COUNT) -> str:
    """Return a measure's value with its unit: 93.8%, 7.2 days, 12,480, 1.4M."""
    if value is None or missing(value):
        return DASH
    text = _with_unit(float(value), unit).replace("-", MINUS)
    return Shown(text, value, UNIT_NAMES.get(unit, ""))


def _with_unit(value: float, unit: Unit) -> str:
    if unit is Unit.SHARE:
        return _share(value)
    if unit is Unit.DAYS:
        return f"{integer(value, 1)} days"
    if unit is Unit.HOURS:
        return f"{integer(value, 1)} h" if abs(value) < LONG_HOURS else f"{integer(value / 24, 1)} days"
    if unit is Unit.YEARS:
        return f"{integer(value, 2)} years"
    return integer(value, 2) if unit is Unit.RATIO else compact(value)


def integer(value: float | int | Decimal, places: int = 0) -> str:
    """Return a grouped number with a fixed number of decimals: 1,234.5 or 1.234,5."""
    return Shown(reader().write(f"{value:,.{places}f}"), value)


def _share(value: float) -> str:
    if 0.9995 <= value < 1:
        return f">{percent(0.999)}"  # "100%" is reserved for all
    if 0 < value < 0.0005:
        return f"<{percent(0.001)}"
    return percent(value)


def percent(value: float, places: int = 1) -> str:
    """Return a share as a percentage: 93.8%."""
    return Shown(f"{integer(value * 100, places)}%", value)


def share(one: Share, places: int = 1) -> str:
    """Return a share of a list as a percentage; a dash without a value."""
    return DASH if one.value is None else percent(one.value, places)


def percent_range(low: float, high: float, places: int = 1) -> str:
    """Return a range of shares: 86.6–88.3%."""
    return f"{percent(low, places).removesuffix('%')}–{percent(high, places)}"


def compact(value: float) -> str:
    """Return a count or an amount: whole below ten thousand, then k, M and B."""
    size = abs(value)
    for limit, divisor, suffix in ((1e9, 1e9, "B"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if size >= limit:
            scaled = value / divisor
            return f"{integer(scaled, 1 if abs(scaled) < 100 else 0)}{suffix}"
    return integer(value)


def difference(value: Number, unit: Unit = Unit.COUNT) -> str:
    """Return the size of a change without its sign: 1.2 pp, 0.4 days, 310."""
    if value is None or missing(value):
        return DASH
    size = abs(float(value))
    if unit is Unit.SHARE:
        return f"{integer(size * 100, 1)} pp"
    return number(size, unit)


def quantity(value: Number) -> str:
    """Return a quantity exactly, without trailing zeros: 12, 0.9996."""
    if value is None or missing(value):
        return DASH
    text = f"{Decimal(str(value)):,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return Shown(reader().write(text).replace("-", MINUS), value)


def cents(value: Number) -> Decimal:
    """Round an amount half up to cents. All amounts use it, so that a list and an order page show the same cents."""
    return Decimal(str(value)).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def money(value: Number, currency: str | None = None) -> str:
    """Return an amount with cents and currency: 1,234.50 EUR."""
    if value is None or missing(value):
        return DASH
    amount = cents(value)
    text = integer(amount, 2).replace("-", MINUS)
    return Shown(f"{text} {currency}", f"{amount} {currency}") if currency else Shown(text, amount)


def price(value: Number) -> str:
    """Return a unit price with two decimals, or up to four if they are not zero."""
    if value is None or missing(value):
        return DASH
    exact = Decimal(str(value)).quantize(Decimal("0.0001"))
    text = f"{exact:,f}"
    return Shown(reader().write(text[:-2] if text.endswith("00") else text.rstrip("0")), value)


def agreeing(value: Number, singular: str, plural: str) -> str:
    """Return the words that agree with a number shown before them: "order is" for 1, else "orders are"."""
    return singular if value == 1 else plural


def count(value: int, singular: str, plural: str | None = None) -> str:
    """Return a count with its noun: 1 order, 2,310 orders."""
    return Shown(f"{integer(value)} {agreeing(value, singular, plural or singular + 's')}", value)


def day(value: date | None, *, year: bool = True) -> str:
    """Return a calendar day in the reader's order: 3 Mar 2026, or Mar 3, 2026, or 2026 Mar 3."""
    if value is None:
        return DASH
    order = reader().order
    short = f"{value.day} {value:%b}" if order == "dmy" else f"{value:%b} {value.day}"
    long = {"dmy": f"{short} {value:%Y}", "mdy": f"{short}, {value:%Y}", "ymd": f"{value:%Y} {short}"}[order]
    return Shown(long if year else short, value)


def moment(value: datetime | None, is_date: bool | None = False) -> str:
    """Return a UTC instant in the business time zone; only the day if the source gave a bare date."""
    if value is None:
        return DASH
    if is_date:
        return day(value.date())
    local = value.replace(tzinfo=UTC).astimezone(zone())
    return Shown(f"{day(local.date())} {local:%H:%M %Z}", value)


def moments(begun: datetime, ended: datetime) -> str:
    """Return a time span: 3 Mar 2026 09:00 – 11:30 CET. A shared day and a shared time zone appear only once."""
    first, last = (at.replace(tzinfo=UTC).astimezone(zone()) for at in (begun, ended))
    shared = f" {last:%Z}" if first.tzname() == last.tzname() else ""
    end = f"{last:%H:%M %Z}" if first.date() == last.date() else moment(ended)
    return f"{moment(begun).removesuffix(shared)} – {end}"


def date_range(start: date, end: date) -> str:
    """Return a range of days: 6 Apr – 5 Jul 2026."""
    same = start.year == end.year
    if reader().order == "ymd":
        return f"{day(start)} – {day(end, year=not same)}"
    return f"{day(start, year=not same)} – {day(end)}"


def period(start: date, grain: str) -> str:
    """Return a period's name: week of 6 Apr 2026, April 2026, Q2 2026."""
    if grain == "month":
        return f"{start:%B %Y}"
    if grain == "quarter":
        return f"Q{(start.month + 2) // 3} {start.year}"
    return f"week of {day(start)}" if grain == "week" else day(start)


def age(then: datetime, now: datetime) -> str:
    """Return a past moment's age: just now, 12 min ago, 3 h ago, 2 days ago."""
    elapsed = max(now - then, timedelta())
    if elapsed < timedelta(minutes=1):
        return "just now"
    if elapsed < timedelta(hours=1):
        return f"{int(elapsed / timedelta(minutes=1))} min ago"
    if elapsed < timedelta(days=2):
        return f"{int(elapsed / timedelta(hours=1))} h ago"
    return f"{elapsed.days} days ago"


def in_words(name: str) -> str:
    """Return a code as words: never_received becomes Never received."""
    words = re.sub(r"\bqty\b", "quantity", name.replace("_", " ")).strip().capitalize()
    text = re.sub(r"\b(otif|edi|fca|exw|fx)\b", lambda match: match[0].upper(), words, flags=re.IGNORECASE)
    return Shown(text, name)


def step(code: str | int) -> str:
    """Return the name of one of the 13 steps, given its number or its two digits: "9  Pick"."""
    if not str(code).isdecimal() or int(code) not in STEPS:
        return "When promised" if str(code) == "00" else str(code)
    name = STEPS[int(code)]
    return f"{int(code)}  {name[:1].upper()}{name[1:]}"


def plain(value: object) -> str:
    """Return a field of a record as exact text; None becomes a dash."""
    if isinstance(value, Decimal):
        return quantity(value)
    if isinstance(value, datetime):
        return moment(value)
    return DASH if value is None else str(value)


def duration(seconds: int) -> str:
    """Return a duration in its two largest units: 35 min, 4 h 10 min, 3 days 2 h."""
    return Shown(_duration(max(seconds, 0) // 60), seconds, "seconds")


def _duration(minutes: int) -> str:
    hours, days = minutes // 60, minutes // 1440
    if days >= 2:
        rest = hours - days * 24
        return f"{days} days" + (f" {rest} h" if rest else "")
    if hours:
        rest = minutes - hours * 60
        return f"{hours} h" + (f" {rest} min" if rest and hours < 10 else "")
    return f"{minutes} min"
