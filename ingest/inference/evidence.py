"""Evidence from values: what share of a column's values are numbers, dates and codes, and how its keys match others."""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ingest.mapping import formats
from ingest.mapping.columns import FALSE, ISO_MOMENT, TRUE, text_column, typed_column
from ingest.storage.scratch_database import Connection, quoted, sql_literal

NUMBERS = {
    (".", ""): r"[+-]?\d+(\.\d+)?",
    (",", ""): r"[+-]?\d+(,\d+)?",
    (",", "."): r"[+-]?([1-9]\d{0,2}(\.\d{3})+|\d{1,3})(,\d+)?",
    (".", ","): r"[+-]?([1-9]\d{0,2}(,\d{3})+|\d{1,3})(\.\d+)?",
    (",", " "): r"[+-]?\d{1,3}( \d{3})*(,\d+)?",
    (".", "'"): r"[+-]?\d{1,3}('\d{3})*(\.\d+)?",
}
"""Decimal sign and sign of thousands, and the numbers that are written with them. The first that fits is preferred."""
DAYS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d",
        "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y",
        "%A, %B %d, %Y", "%a, %d %b %Y", "%d. %B %Y")  # fmt: skip
TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %I:%M %p", ", %H:%M",
         " %H:%M:%S.%f", " %H:%M:%S %z", " %H:%M %z", " %H:%M:%S%z")  # fmt: skip
ZONE = r"[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2}"
OFFSET_END = r".*\d\d(Z|[+-]\d\d:?\d\d|[+-]\d\d| [+-]\d{4})"
MOST_VALUES = 400
"""Different values of a column that are looked at one by one."""
LONGEST_LINE_NUMBER = 6
FITS = 0.95
"""Share of values that must fit a type. The rest goes to quarantine."""


@dataclass(frozen=True)
class Format:
    """A format of dates with the number of values it reads. `form` is None for ISO 8601."""

    form: str | None
    parsed: int


@dataclass(frozen=True)
class Profile:
    """Counts of a column's values."""

    rows: int
    filled: int
    distinct: int
    typed: int
    """Values that arrived as numbers, dates or truth values."""
    whole: int
    numbers: tuple[tuple[tuple[str, str], int], ...]
    """Ways to read the values as numbers that read the most of them, with the count."""
    moments: tuple[Format, ...]
    """Formats that read the most values as dates. Two of them: day and month cannot be told apart."""
    with_zone: int
    """Dates with a time and an offset."""
    with_time: int
    zones: int
    longest: int
    values: tuple[tuple[str, int], ...]
    """The most frequent values with their counts."""

    def share(self, count: int) -> float:
        """Return a count as a share of the filled values."""
        return count / self.filled if self.filled else 0.0

    @property
    def unique(self) -> bool:
        """Return True if hardly any value occurs twice."""
        return self.filled > 0 and self.distinct >= 0.98 * self.filled

    def fits(self, count: int) -> bool:
        """Return True if hardly any of the values does not fit: 5 %, or a single one of five or more."""
        return self.share(count) >= FITS or (self.filled >= 5 and count == self.filled - 1)

    def fitting(self, accepts: Callable[[str], bool]) -> int:
        """Return the number of records whose value is accepted, of the most frequent values."""
        return sum(count for value, count in self.values if accepts(value))

    @property
    def looked_at(self) -> int:
        """Records with one of the most frequent values."""
        return sum(count for _, count in self.values)

    def mostly(self, accepts: Callable[[str], bool]) -> bool:
        """Return True if hardly any of the most frequent values is not accepted."""
        count = self.fitting(accepts)
        return self.filled > 0 and self.fits(self.filled - (self.looked_at - count)) and count > 0

    @property
    def is_moment(self) -> bool:
        """Return True if the values are dates, and no plain numbers."""
        return bool(self.moments) and self.fits(self.moments[0].parsed)

    @property
    def is_number(self) -> bool:
        """Return True if the values are numbers."""
        return bool(self.numbers) and self.fits(self.numbers[0][1])

    @property
    def is_line_number(self) -> bool:
        """Return True if the values look like numbers of lines: whole and short."""
        return self.mostly(lambda value: value.isdecimal() and len(value) <= LONGEST_LINE_NUMBER)


def profile(connection: Connection, relation: str, column: str, *, marked: bool) -> Profile:
    """Count what the values of a column can be."""
    name, table = quoted(text_column(column)), quoted(relation)
    values = connection.execute(
        f"SELECT {name}, count(*) FROM {table} WHERE {name} IS NOT NULL "
        f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_VALUES}"
    ).fetchall()
    tried = _plausible_formats([str(value) for value, _ in values])
    typed = f"count({quoted(typed_column(column))})" if marked else "0"
    counts = [
        "count(*)",
        f"count({name})",
        f"count(DISTINCT {name})",
        typed,
        _count(name, r"-?\d+"),
        _count(name, ZONE),
        f"coalesce(max(length({name})), 0)",
        _count(name, OFFSET_END),
        f"count_if(regexp_matches({name}, '\\d:\\d\\d') AND NOT regexp_matches({name}, '[ T]00:00(:00(\\.0+)?)?$'))",
        *(_count(name, pattern) for pattern in NUMBERS.values()),
        *(_parses(name, form) for form in tried),
    ]
    row = connection.execute(f"SELECT {', '.join(counts)} FROM {table}").fetchone() or ()
    rows, filled, distinct, typed_count, whole, zones, longest, with_zone, with_time, *rest = (
        int(one or 0) for one in row
    )
    read = list(zip(tried, rest[len(NUMBERS) :], strict=True))
    return Profile(
        rows, filled, distinct, typed_count, whole, _numbers(filled, whole, rest[: len(NUMBERS)]),
        tuple(Format(form, count) for form, count in _best(read, filled)), with_zone, with_time, zones, longest,
        tuple((str(value), int(count)) for value, count in values),
    )  # fmt: skip


def _count(name: str, pattern: str) -> str:
    return f"count_if(regexp_full_match({name}, {sql_literal(pattern)}))"


def _parses(name: str, form: str | None) -> str:
    if form is None:
        return _count(name, ISO_MOMENT)
    value = formats.parsed(name, form, "UTC")
    return f"count_if(year({value}) BETWEEN 1900 AND 2100)"


def _numbers(filled: int, whole: int, counts: Sequence[int]) -> tuple[tuple[tuple[str, str], int], ...]:
    if whole == filled:
        return (((".", ""), filled),)
    best = max(counts)
    found = [(signs, count) for signs, count in zip(NUMBERS, counts, strict=True) if count == best and count]
    # Without thousands, both forms with that decimal sign read all values. The simple one is enough.
    simple = {signs[0] for signs, _ in found if not signs[1]}
    return tuple((signs, count) for signs, count in found if not signs[1] or signs[0] not in simple)


def _best(read: Sequence[tuple[str | None, int]], filled: int) -> Iterator[tuple[str | None, int]]:
    """Yield the formats that read the most values, but only the first of two that mean the same."""
    best = max((count for _, count in read), default=0)
    if not best or best < 0.5 * filled:
        return
    if read[0][0] is None and read[0][1] == best:
        yield read[0]
        return
    seen = set[tuple[str, ...]]()
    for form, count in read:
        order = tuple(code for code in formats.codes(form or "") if code in "dmYy")
        if count == best and order not in seen:
            seen.add(order)
            yield form, count


def _plausible_formats(values: Sequence[str]) -> list[str | None]:
    """Return ISO 8601 and the formats that have the signs of the values."""
    shapes = {_shape(value) for value in values}
    result: list[str | None] = [None]
    if not shapes:
        return result
    for day, time in itertools.product(DAYS, TIMES):
        if _shape(_example(day + time)) in shapes:
            result.append(day + time)
    return result


def _shape(text: str) -> str:
    """Return a text with numbers as 0, 0000 or 9, and words as a. Formats are tried on values of their shape only."""
    ahead = re.sub(r"-(?=\d\d:?\d\d$)", "+", text.strip())  # an offset of the zone may be behind
    words = re.sub(r"[A-Za-z]{2,}", "a", re.sub(r"(?<=\d)T(?=\d)", "t", ahead))
    return re.sub(r"\d+", lambda found: {4: "0000", 8: "00000000"}.get(len(found[0]), "0"), words)


def _example(form: str) -> str:
    numbers = {"Y": "2022", "f": "123", "z": "+0200"}
    words = {"b": "Nov", "B": "November", "A": "Monday", "a": "Mon", "p": "AM"}
    return re.sub(r"%([A-Za-z])", lambda found: words.get(found[1]) or numbers.get(found[1], "11"), form)


def truth_values(values: Sequence[str]) -> bool:
    """Return True if the loader reads all values as true or false."""
    return all(value.casefold() in (*TRUE, *FALSE) for value in values)


def matched(connection: Connection, child: tuple[str, str], parent: tuple[str, str]) -> tuple[float, float]:
    """Return the share of a column's values that another column has, and the share of the other's values found."""
    (child_table, child_column), (parent_table, parent_column) = child, parent
    inner = f"SELECT DISTINCT {quoted(text_column(child_column))} AS v FROM {quoted(child_table)} WHERE v IS NOT NULL"
    outer = f"SELECT DISTINCT {quoted(text_column(parent_column))} AS v FROM {quoted(parent_table)} WHERE v IS NOT NULL"
    row = connection.execute(
        f"SELECT (SELECT count(*) FROM ({inner})), (SELECT count(*) FROM ({outer})), "
        f"(SELECT count(*) FROM ({inner}) JOIN ({outer}) USING (v))"
    ).fetchone()
    children, parents, both = row or (0, 0, 0)
    return both / children if children else 0.0, both / parents if parents else 0.0


def unique_share(connection: Connection, relation: str, columns: Sequence[str]) -> float:
    """Return the share of records with their own combination of values. Records without a value are left out."""
    names = [quoted(text_column(column)) for column in columns]
    filled = " AND ".join(f"{name} IS NOT NULL" for name in names)
    row = connection.execute(
        f"SELECT count(*), count(DISTINCT row({', '.join(names)})) FROM {quoted(relation)} WHERE {filled}"
    ).fetchone()
    rows, different = row or (0, 0)
    return different / rows if rows else 0.0


def agreeing_share(
    connection: Connection, relation: str, keys: Sequence[str], column: str, *, with_empty: bool = False
) -> float:
    """Return the share of keys whose records agree in a column. with_empty: an empty cell is a value of its own."""
    names = ", ".join(quoted(text_column(key)) for key in keys)
    value = quoted(text_column(column))
    value = f"coalesce({value}, '')" if with_empty else value
    row = connection.execute(
        f"SELECT avg(CASE WHEN n <= 1 THEN 1.0 ELSE 0.0 END) FROM (SELECT count(DISTINCT {value}) AS n "
        f"FROM {quoted(relation)} GROUP BY {names})"
    ).fetchone()
    return float(row[0]) if row and row[0] is not None else 0.0


def equal_share(connection: Connection, relation: str, column: str, other: str) -> float:
    """Return the share of records in which two columns have the same value, of those that have both."""
    one, two = quoted(text_column(column)), quoted(text_column(other))
    row = connection.execute(
        f"SELECT avg(CASE WHEN {one} = {two} THEN 1.0 ELSE 0.0 END) FROM {quoted(relation)} "
        f"WHERE {one} IS NOT NULL AND {two} IS NOT NULL"
    ).fetchone()
    return float(row[0]) if row and row[0] is not None else 0.0


def pairs_matched(connection: Connection, child: tuple[str, str, str], parent: tuple[str, str, str]) -> float:
    """Return the share of a table's pairs of values that another table has: table, first and second column of each."""
    queries = []
    for table, first, second in (child, parent):
        one, two = quoted(text_column(first)), quoted(text_column(second))
        filled = f"{one} IS NOT NULL AND {two} IS NOT NULL"
        queries.append(f"SELECT DISTINCT {one} AS a, {two} AS b FROM {quoted(table)} WHERE {filled}")
    row = connection.execute(
        f"SELECT (SELECT count(*) FROM ({queries[0]})), "
        f"(SELECT count(*) FROM ({queries[0]}) JOIN ({queries[1]}) USING (a, b))"
    ).fetchone()
    children, both = row or (0, 0)
    return both / children if children else 0.0
