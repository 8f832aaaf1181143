"""Decide what one column leaves open by the other columns: day and month, decimal sign and thousands."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ingest.inference.evidence import Format, Profile
from ingest.inference.tables import Found
from ingest.mapping import formats


def settled(tables: Sequence[Found]) -> list[Found]:
    """Return the tables; a column that can be read in two ways is read like the columns that have one reading.

    The columns of its own table decide, else those of tables of its dialect, else those of all tables. Where they
    disagree, the column stays open.
    """
    everywhere = [profile for table in tables for profile in table.columns.values()]
    alike = {
        dialect: [profile for table in tables if _dialect(table) == dialect for profile in table.columns.values()]
        for dialect in map(_dialect, tables)
    }
    return [
        replace(
            table,
            columns={
                name: _settled(profile, (list(table.columns.values()), alike[_dialect(table)], everywhere))
                for name, profile in table.columns.items()
            },
        )
        for table in tables
    ]


def _dialect(table: Found) -> str:
    return str([table.origin.get(key) for key in ("delimiter", "encoding", "connection")])


def _settled(profile: Profile, groups: Sequence[Sequence[Profile]]) -> Profile:
    for others in groups:
        orders = set(_orders(others))
        if len(profile.moments) > 1 and len(orders) == 1:
            order = orders.pop()
            fitting = tuple(moment for moment in profile.moments if _order(moment) == order)
            profile = replace(profile, moments=fitting or profile.moments)
        signs = {other.numbers[0][0][0] for other in others if len(other.numbers) == 1 and other.whole < other.filled}
        if len(profile.numbers) > 1 and len(signs) == 1:
            sign = signs.pop()
            kept = tuple(number for number in profile.numbers if number[0][0] == sign)
            profile = replace(profile, numbers=kept or profile.numbers)
    return profile


def _orders(profiles: Sequence[Profile]) -> Iterator[str]:
    for profile in profiles:
        if (
            len(profile.moments) == 1
            and profile.is_moment
            and profile.moments[0].form
            and "%m" in profile.moments[0].form
        ):
            order = _order(profile.moments[0])
            if not order.startswith("y"):
                yield order


def _order(one: Format) -> str:
    """Return the order of day, month and year: dmy or mdy."""
    return "".join(code.lower() for code in formats.codes(one.form or "") if code in "dmyY")
