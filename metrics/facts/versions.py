"""Versions of a record that is valid from a day on: customers, products, contracts and units.

Source: R35 (valid on order day).
"""

from datetime import date

from sqlalchemy import Date, FromClause, Table, and_, cast, func, literal, select

from metrics.sql.dialects import Expression

_FOR_EVER = date(9999, 12, 31)
"""Day on which the newest version ends."""


def versions(table: Table, keys: tuple[str, ...], names: tuple[str, ...]) -> FromClause:
    """Select all versions of the records of a feed, each with its first day and the first day of the next version.

    keys: columns that identify the record. names: columns of the version to include.
    """
    c = table.c
    following = func.lead(c.valid_from).over(partition_by=[c[key] for key in keys], order_by=c.valid_from)
    until = func.coalesce(following, cast(literal(_FOR_EVER), Date)).label("valid_until")
    return (
        select(*[c[name] for name in (*keys, *names)], c.valid_from, until)
        .where(~c.deleted)
        .subquery(f"{table.name}_versions")
    )


def valid_on(version: FromClause, day: Expression, **keys: Expression) -> Expression:
    """Return the condition that a version applies on a day.

    It contains no OR, because an OR turns DuckDB's hash join into a nested loop.
    """
    return and_(
        *[version.c[name] == key for name, key in keys.items()],
        version.c.valid_from <= day,
        version.c.valid_until > day,
    )
