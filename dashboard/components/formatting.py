"""How a number, a day and a piece of data text are written: one place for all of them.

Data text (a customer's name, a reason, a record as it came) reaches a page only through `html` or `markdown`, or as a
cell of a grid. Numbers and dates are written as the reader writes them (`reader.py`), moments in the business time
zone; exports use none of this. No arithmetic on measures.
"""

import html as _html
import math
import re
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from dashboard.components.locale import reader, zone
from metrics.facts.process_steps import STEPS
from metrics.model.measure import Unit

DASH = "–"
"""What stands where there is no number (rules P6: never 0, never 100 %)."""

MINUS = "−"

Number = float | int | Decimal | None


def html(text: object) -> str:
    """Text made safe for HTML; None becomes a dash."""
    return DASH if text is None or text == "" else _html.escape(str(text), quote=True)


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&@/])")


def markdown(text: object) -> str:
    """Text made safe for Markdown, links and emoji codes included; line breaks become spaces."""
    return DASH if text is None else _MARKDOWN.sub(r"\\\1", re.sub(r"\s+", " ", str(text)))


def missing(value: Number) -> bool:
    """Whether there is no number to show."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def number(value: Number, unit: Unit = Unit.COUNT) -> str:
    """A measure's value as people read it: 93.8%, 7.2 days, 12,480, 1.4M."""
    if value is None or missing(value):
        return DASH
    text = {
        Unit.SHARE: _share,
        Unit.DAYS: lambda v: f"{integer(v, 1)} days",
        Unit.HOURS: lambda v: f"{integer(v, 1)} h",
        Unit.YEARS: lambda v: f"{integer(v, 2)} years",
        Unit.RATIO: lambda v: integer(v, 2),
        Unit.MONEY: compact,
    }.get(unit, compact)(float(value))
    return text.replace("-", MINUS)


def integer(value: float | int | Decimal, places: int = 0) -> str:
    """A number with so many decimals, grouped, as the reader writes it: 1,234.5 or 1.234,5."""
    return reader().write(f"{value:,.{places}f}")


def _share(value: float) -> str:
    if 0.9995 <= value < 1:
        return f">{percent(0.999)}"  # 100 % is said of all, not of nearly all
    if 0 < value < 0.0005:
        return f"<{percent(0.001)}"
    return percent(value)


def percent(value: float, places: int = 1) -> str:
    """A share as a percentage: 93.8%."""
    return f"{integer(value * 100, places)}%"


def compact(value: float) -> str:
    """A count or an amount: whole below ten thousand, then k, M and B."""
    size = abs(value)
    for limit, divisor, suffix in ((1e9, 1e9, "B"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if size >= limit:
            scaled = value / divisor
            return f"{integer(scaled, 1 if abs(scaled) < 100 else 0)}{suffix}"
    return integer(value)


def difference(value: Number, unit: Unit = Unit.COUNT) -> str:
    """The size of a change, without its sign: 1.2 pp, 0.4 days, 310."""
    if value is None or missing(value):
        return DASH
    size = abs(float(value))
    if unit is Unit.SHARE:
        return f"{integer(size * 100, 1)} pp"
    return number(size, unit)


def quantity(value: Number) -> str:
    """A quantity exactly as it is, without needless zeros: 12, 0.9996."""
    if value is None or missing(value):
        return DASH
    text = f"{Decimal(str(value)):,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return reader().write(text).replace("-", MINUS)


def cents(value: Number) -> Decimal:
    """An amount to its cents, halves up: the one rounding of amounts, so that a list and a story never differ by a
    cent.
    """
    return Decimal(str(value)).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def money(value: Number, currency: str | None = None) -> str:
    """An amount with its cents and its currency: 1,234.50 EUR."""
    if value is None or missing(value):
        return DASH
    text = integer(cents(value), 2).replace("-", MINUS)
    return f"{text} {currency}" if currency else text


def price(value: Number) -> str:
    """A unit price: at least two decimals, all four where they say something."""
    if value is None or missing(value):
        return DASH
    exact = Decimal(str(value)).quantize(Decimal("0.0001"))
    text = f"{exact:,f}"
    return reader().write(text[:-2] if text.endswith("00") else text.rstrip("0"))


def count(value: int, one: str, many: str | None = None) -> str:
    """A count with its noun: 1 order, 2,310 orders."""
    return f"{integer(value)} {one if value == 1 else many or one + 's'}"


def day(value: date | None, *, year: bool = True) -> str:
    """A calendar day: 3 Mar 2026, or Mar 3, 2026, or 2026 Mar 3, as the reader orders them."""
    if value is None:
        return DASH
    order = reader().order
    short = f"{value.day} {value:%b}" if order == "dmy" else f"{value:%b} {value.day}"
    if not year:
        return short
    return {"dmy": f"{short} {value:%Y}", "mdy": f"{short}, {value:%Y}", "ymd": f"{value:%Y} {short}"}[order]


def moment(value: datetime | None, is_date: bool | None = False) -> str:
    """An instant, kept in UTC, in the business time zone; or the day alone where it came as a bare date."""
    if value is None:
        return DASH
    if is_date:
        return day(value.date())
    told = value.replace(tzinfo=UTC).astimezone(zone())
    return f"{day(told.date())} {told:%H:%M %Z}"


def moments(begun: datetime, ended: datetime) -> str:
    """From one instant to another, the day and the zone said once where they are the same: 3 Mar 2026 09:00 – 11:30
    CET.
    """
    first, last = (one.replace(tzinfo=UTC).astimezone(zone()) for one in (begun, ended))
    told, shared = moment(ended), f" {last:%Z}" if first.tzname() == last.tzname() else ""
    return f"{moment(begun).removesuffix(shared)} – {f'{last:%H:%M %Z}' if first.date() == last.date() else told}"


def date_range(start: date, end: date) -> str:
    """A period: 6 Apr – 5 Jul 2026."""
    same = start.year == end.year
    if reader().order == "ymd":
        return f"{day(start)} – {day(end, year=not same)}"
    return f"{day(start, year=not same)} – {day(end)}"


def period(start: date, grain: str) -> str:
    """A period's name: week of 6 Apr 2026, April 2026, Q2 2026."""
    if grain == "month":
        return f"{start:%B %Y}"
    if grain == "quarter":
        return f"Q{(start.month + 2) // 3} {start.year}"
    return f"week of {day(start)}" if grain == "week" else day(start)


def age(then: datetime, now: datetime) -> str:
    """How long ago: just now, 12 min ago, 3 h ago, 2 days ago."""
    gone = max(now - then, timedelta())
    if gone < timedelta(minutes=1):
        return "just now"
    if gone < timedelta(hours=1):
        return f"{int(gone / timedelta(minutes=1))} min ago"
    if gone < timedelta(days=2):
        return f"{int(gone / timedelta(hours=1))} h ago"
    return f"{gone.days} days ago"


def in_words(name: str) -> str:
    """A code as words: never_received becomes Never received."""
    said = name.replace("_", " ").strip().capitalize()
    return re.sub(r"\b(otif|edi|fca|exw)\b", lambda found: found[0].upper(), said, flags=re.IGNORECASE)


def step(code: str | int) -> str:
    """One of the 13 steps as people name it, by its number or the two digits it is stored as: 9  Pick."""
    if not str(code).isdecimal() or int(code) not in STEPS:
        return "When promised" if str(code) == "00" else str(code)
    said = STEPS[int(code)]
    return f"{int(code)}  {said[:1].upper()}{said[1:]}"


def plain(value: Any) -> str:
    """A cell of a record as text: exact, None as a dash."""
    if isinstance(value, Decimal):
        return quantity(value)
    if isinstance(value, datetime):
        return moment(value)
    return DASH if value is None else str(value)


def duration(seconds: int) -> str:
    """A duration in the two units that matter: 35 min, 4 h 10 min, 3 days 2 h."""
    minutes = max(seconds, 0) // 60
    hours, days = minutes // 60, minutes // 1440
    if days >= 2:
        rest = hours - days * 24
        return f"{days} days" + (f" {rest} h" if rest else "")
    if hours:
        rest = minutes - hours * 60
        return f"{hours} h" + (f" {rest} min" if rest and hours < 10 else "")
    return f"{minutes} min"
