"""Quantities of an order line that several versions of its record give, for restated quantities.

The owed quantity depends on the first quantity and on later ones (R14, quantity changes), so a version counts even if a
newer version of the same run replaces it, and even if an older version arrives after a newer one. Records of one file
without different `source_updated_at` are no versions: `same_key` combines them.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import BigInteger, Connection, FromClause, RowMapping, and_, func, literal, select, union_all

from metrics.schema import restated_quantities, run_files, runs

KEY = ("order_id", "line_no")
_CONTENT = (*KEY, "ordered_qty", "deleted", "source_updated_at", "file_id", "row_no")


def quantity_changes(
    connection: Connection, incoming: FromClause, *, stored: FromClause | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the changes of ordered_qty among the incoming versions and the stored version of each line.

    A version from which the line was deleted, and the versions before it, do not count.
    """
    for key, versions in groupby(_differing(connection, incoming, stored), lambda row: tuple(row[one] for one in KEY)):
        yield from _changes(connection, dict(zip(KEY, key, strict=True)), list(versions))


def _differing(connection: Connection, incoming: FromClause, stored: FromClause | None) -> Sequence[RowMapping]:
    """Return the versions of the lines whose quantity differs between them, oldest first."""
    group = [incoming.c[name] for name in (*KEY, "file_id", "source_updated_at")]
    last = func.row_number().over(partition_by=group, order_by=incoming.c.row_no.desc())
    arrived = literal(0, BigInteger).label("stored")
    rows = [select(*[incoming.c[name] for name in _CONTENT], arrived, last.label("place"))]
    if stored is not None:
        here = select(literal(1)).where(*[incoming.c[name] == stored.c[name] for name in KEY]).exists()
        one = literal(1, BigInteger)
        rows.append(select(*[stored.c[name] for name in _CONTENT], one.label("stored"), one.label("place")).where(here))
    version = union_all(*rows).subquery("versions")
    v = version.c
    lines = (
        select(v.order_id, v.line_no)
        .where(v.place == 1)
        .group_by(v.order_id, v.line_no)
        .having(func.min(v.ordered_qty) < func.max(v.ordered_qty))
        .subquery("differing_lines")
    )
    found = (
        select(version)
        .join(lines, and_(*[lines.c[name] == v[name] for name in KEY]))
        .where(v.place == 1)
        .order_by(v.order_id, v.line_no, v.source_updated_at.nulls_first(), v.file_id, v.row_no)
    )
    return connection.execute(found).mappings().all()


def _changes(connection: Connection, key: dict[str, str], versions: list[RowMapping]) -> Iterator[dict[str, Any]]:
    """Yield the changes of one line from the first version to each later one, as if each had its own run."""
    deleted = max((place for place, row in enumerate(versions) if row["deleted"]), default=-1)
    versions = versions[deleted + 1 :]
    known = next((place for place, row in enumerate(versions) if row["stored"]), 0)
    first = versions[0]["ordered_qty"] if versions else None
    earlier = {"before_qty": first}
    if known:  # the stored version is newer than one that arrives now
        run = _run_of(connection, versions[known]["file_id"])
        if _has_changed_before(connection, key):
            yield key | earlier | {"after_qty": first}  # a version in between: it counts if it arrives by the deadline
        elif versions[known]["ordered_qty"] != first:
            yield key | earlier | {"after_qty": versions[known]["ordered_qty"]} | run
    for row in versions[1:]:
        if not row["stored"] and row["ordered_qty"] != first:
            yield key | earlier | {"after_qty": row["ordered_qty"]}


def _run_of(connection: Connection, file_id: int) -> dict[str, Any]:
    """Return the run that loaded a file, and its watermark."""
    loaded = select(runs.c.run_id, runs.c.data_as_of).join(run_files, run_files.c.run_id == runs.c.run_id)
    found = connection.execute(loaded.where(run_files.c.file_id == file_id, runs.c.data_as_of.is_not(None))).first()
    return {} if found is None else dict(found._mapping)


def _has_changed_before(connection: Connection, key: dict[str, str]) -> bool:
    r = restated_quantities.c
    changed = select(literal(1)).where(*[r[name] == value for name, value in key.items()]).limit(1)
    return connection.execute(changed).first() is not None
