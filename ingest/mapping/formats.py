"""Date formats: their codes, their problems, and the SQL that reads a text with them.

The codes are those of DuckDB's strptime. A format is judged by its codes: `%-I` is an hour, `%%H` is not.
"""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ingest.storage.scratch_database import sql_literal

CODE = re.compile(r"%(-?)(.?)", re.DOTALL)
KNOWN = frozenset("abcdfghjmnpuwxyzABGHIMSTUVWXYZ%")
UNPADDED = frozenset("djmyHIMS")
"""Codes that may have a `-`."""
TIME = frozenset("cfgnpzHIMSTXZ")
"""Codes that make a format a date-time."""
WHOLE_DAYS = (
    ({"c"}, {"x"}),
    ({"y", "Y"}, {"b", "B", "h", "m"}, {"d"}),
    ({"y", "Y"}, {"j"}),
    ({"y", "Y"}, {"U", "W"}, {"a", "A", "u", "w"}),
    ({"G"}, {"V"}, {"a", "A", "u", "w"}),
)
"""Sets of codes that name a day: a code of each set is needed. The first entry needs only a code of either set."""
OFFSETS = {
    **dict.fromkeys(("UTC", "GMT", "WET", "Z"), "+00:00"),
    **dict.fromkeys(("CET", "WEST"), "+01:00"),
    **dict.fromkeys(("EET", "CEST"), "+02:00"),
    **dict.fromkeys(("EEST", "MSK"), "+03:00"),
    **dict.fromkeys(("JST", "KST"), "+09:00"),
    "AWST": "+08:00",
    "ACST": "+09:30",
    "ACDT": "+10:30",
    "AEST": "+10:00",
    "AEDT": "+11:00",
    "NZST": "+12:00",
    "NZDT": "+13:00",
    "HST": "-10:00",
    "AKST": "-09:00",
    "AKDT": "-08:00",
    "PST": "-08:00",
    "PDT": "-07:00",
    "MST": "-07:00",
    "MDT": "-06:00",
    "EST": "-05:00",
    "EDT": "-04:00",
}
"""Zone abbreviations with one meaning. DuckDB reads PST as the time of California, daylight saving included."""
AMERICAN = {"CST": "-06:00", "CDT": "-05:00", "AST": "-04:00", "ADT": "-03:00"}
"""Abbreviations with several meanings. They are read for sources in America, or in a zone that uses them."""


_TEXT_OF = {
    **dict.fromkeys("aAbBhp", "[A-Za-z.]+"),
    **dict.fromkeys("YG", r"\d{1,4}"),
    **dict.fromkeys("fgn", r"\d{1,9}"),
    **dict.fromkeys("cxTX", r"[\d:.\s-]+"),
    "j": r"\d{1,3}",
    "z": r"[+-]?[\d:]+",
    "Z": "[A-Za-z/_+-]+",
    "%": "%",
}
"""Regular expressions of the codes' texts; all other codes are one or two digits."""


def codes(form: str) -> list[str]:
    """Return the codes of a format without `%`, for example `-I`."""
    return [dash + letter for dash, letter in CODE.findall(form)]


def has_time(form: str) -> bool:
    """Return True if a text of this format has a time of day."""
    return not TIME.isdisjoint(code.lstrip("-") for code in codes(form))


def has_zone(form: str) -> bool:
    """Return True if a text of this format names its zone or offset."""
    return not {"z", "Z"}.isdisjoint(codes(form))


def problem(form: str) -> str | None:
    """Return what is wrong with a format and what to write. None: nothing is wrong."""
    for dash, letter in CODE.findall(form):
        if letter not in KNOWN or letter == "" or (dash and letter not in UNPADDED):
            return f"unknown code %{dash}{letter}; use DuckDB's strptime codes, for example %d.%m.%Y %H:%M"
    found = {code.lstrip("-") for code in codes(form)}
    if not found & {"c", "x"} and not any(all(found & one for one in sets) for sets in WHOLE_DAYS[1:]):
        return "it names no complete day; add year, month and day, for example %Y-%m-%d"
    if "I" in found and "p" not in found:
        return "%I is an hour of 12 hours; add %p for AM or PM, or write %H for 24 hours"
    if found & {"z", "Z"} and not found & {"H", "I", "T", "X", "c"}:
        return "it has a zone but no hour; add the hour, or remove the zone"
    if found & {"z", "Z"} and found & {"U", "V", "W"}:
        return "it has a week and a zone; send the month and the day of the month"
    return None


def parsed(source: str, form: str, time_zone: str) -> str:
    """Return SQL for the value of a text: TIMESTAMP, or TIMESTAMPTZ if the format has a zone. Null: it does not fit.

    DuckDB reads day 366 of 2026, or a week 53 that the year does not have, as a day of the next year. They do not fit.
    """
    value = _parsed(source, form, time_zone)
    year_codes = [code for code in ("G", "Y", "y") if code in {one.lstrip("-") for one in codes(form)}]
    day, year = _number(source, form, "j"), _number(source, form, *year_codes)
    if day is not None:
        leap = f"({year} % 4 = 0 AND ({year} % 100 <> 0 OR {year} % 400 = 0))"
        return f"(CASE WHEN {day} < 366 OR {leap} THEN {value} END)"
    if {"U", "V", "W"} & set(codes(form)):
        of_value = f"CAST(strftime({value}, '%{year_codes[0]}') AS INTEGER)"
        return f"(CASE WHEN {of_value} = {year} THEN {value} END)"
    return value


def _number(source: str, form: str, *wanted: str) -> str | None:
    """Return SQL for the number that a text has in place of the first of these codes; None without such a code."""
    pattern, start, found = r"^\s*", 0, False
    for match in CODE.finditer(form):
        text = _TEXT_OF.get(match[2], r"\d{1,2}")
        is_wanted = not found and match[2] in wanted[:1]
        found = found or is_wanted
        pattern += _literal(form[start : match.start()]) + (f"({text})" if is_wanted else text)
        start = match.end()
    return f"TRY_CAST(regexp_extract({source}, {sql_literal(pattern)}, 1) AS INTEGER)" if found else None


def _literal(text: str) -> str:
    return r"\s*".join(re.escape(part) for part in re.split(r"\s+", text))


def _parsed(source: str, form: str, time_zone: str) -> str:
    if "Z" not in codes(form):
        return f"try_strptime({source}, {sql_literal(form)})"
    offsets = abbreviations(time_zone)
    pattern = rf"(?i)(^|[^A-Za-z])({'|'.join(sorted(offsets, key=len, reverse=True))})([^A-Za-z]|$)"
    name = f"upper(regexp_extract({source}, {sql_literal(pattern)}, 2))"
    cases = " ".join(f"WHEN {sql_literal(one)} THEN {sql_literal(offset)}" for one, offset in offsets.items())
    with_offset = rf"regexp_replace({source}, {sql_literal(pattern)}, '\1' || (CASE {name} {cases} END) || '\3')"
    numeric = re.sub(r"%(%|Z)", lambda found: "%z" if found[1] == "Z" else "%%", form)
    # A name such as America/New_York has a slash. DuckDB reads it; other abbreviations do not fit.
    return (
        f"(CASE WHEN {name} <> '' THEN try_strptime({with_offset}, {sql_literal(numeric)}) "
        f"WHEN regexp_matches({source}, '[A-Za-z]/[A-Za-z]') THEN try_strptime({source}, {sql_literal(form)}) END)"
    )


def zone_advice(form: str) -> str:
    """Return the zones that `%Z` reads, as a sentence for the sender. Empty for other formats."""
    if "Z" not in codes(form):
        return ""
    return (
        f" Write the zone as a name such as Europe/Berlin, as an offset (%z), or as one of {', '.join(OFFSETS)}. "
        "Abbreviations with several meanings, such as CST or IST, are read only in a zone that uses them."
    )


def abbreviations(time_zone: str) -> dict[str, str]:
    """Return the zone abbreviations that a source in this zone may write, with their offsets."""
    result = dict(OFFSETS)
    if time_zone.startswith(("America/", "US/", "Canada/")):
        result |= AMERICAN
    zone = ZoneInfo(time_zone)
    for month in (1, 7):
        moment = datetime(2026, month, 1, 12, tzinfo=UTC).astimezone(zone)
        name, offset = moment.tzname() or "", moment.utcoffset() or timedelta()
        if re.fullmatch("[A-Za-z]{2,5}", name):
            minutes = int(offset.total_seconds()) // 60
            result[name.upper()] = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    return result
