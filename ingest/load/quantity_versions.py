"""Versions of an order line's record, for its owed quantity.

The owed quantity depends on the first quantity and on later ones (R14, quantity changes). `restated_quantities` keeps
every version of a line that has several, with its place among them, so that the order of arrival does not matter: a
version counts even if a newer one of the same run replaces it, or if an older one arrives after it. Records of one file
without different `source_updated_at` are no versions: `same_key` combines them.
"""

from datetime import datetime
from decimal import ROUND_HALF_UP

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    FromClause,
    String,
    Table,
    and_,
    case,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union_all,
)

from ingest.load.unit_conversion import QUANTITY_STEP
from ingest.storage.bulk_insert import create_temporary, insert_rows
from metrics.schema import QTY, restated_quantities, run_files, runs

KEY = ("order_id", "line_no")
_CONTENT = (*KEY, "ordered_qty", "unit", "source_updated_at", "deleted", "file_id", "row_no")


def find_versions(connection: Connection, incoming: FromClause, *, stored: FromClause | None = None) -> Table | None:
    """Return a table of all versions, incoming and stored, of the lines that have several.

    It has the columns of `_CONTENT`, and `stored`. None: no line has several versions.
    """
    group = [incoming.c[name] for name in (*KEY, "file_id", "source_updated_at")]
    last = func.row_number().over(partition_by=group, order_by=incoming.c.row_no.desc())
    arrived = select(*[incoming.c[name] for name in _CONTENT], last.label("place")).subquery("arrived")
    new = select(*[arrived.c[name] for name in _CONTENT], false().label("stored")).where(arrived.c.place == 1)
    if stored is None:
        version = new.subquery("versions")
    else:
        here = select(literal(1)).where(*[incoming.c[name] == stored.c[name] for name in KEY]).exists()
        known = select(*[stored.c[name] for name in _CONTENT], true().label("stored")).where(here).cte("known")
        same = [arrived.c[name] == known.c[name] for name in KEY] + [
            arrived.c[name].is_not_distinct_from(known.c[name])
            for name in ("ordered_qty", "source_updated_at", "deleted")
        ]
        changed = new.where(~select(literal(1)).where(*same).exists())  # a repeated record is no version
        version = union_all(changed, select(*known.c)).subquery("versions")
    v, r = version.c, restated_quantities.c
    withdrawn = case((v.deleted, 1), else_=0)
    several = or_(
        func.min(v.ordered_qty) < func.max(v.ordered_qty),
        func.min(v.source_updated_at) < func.max(v.source_updated_at),
        and_(func.count(v.source_updated_at) > 0, func.count(v.source_updated_at) < func.count()),
        func.min(withdrawn) < func.max(withdrawn),
    )
    differing = select(v.order_id, v.line_no).group_by(v.order_id, v.line_no).having(several)
    lines = differing.union(select(r.order_id, r.line_no)).subquery("lines_of_versions")
    again = [r[name] == v[name] for name in (*KEY, "file_id", "row_no", "deleted")]
    found = create_temporary(
        connection,
        "quantity_versions",
        *[Column(name, String) for name in KEY],
        Column("ordered_qty", QTY),
        Column("unit", String),
        Column("source_updated_at", DateTime),
        Column("deleted", Boolean),
        *[Column(name, BigInteger) for name in ("file_id", "row_no")],
        Column("stored", Boolean),
    )
    rows = (
        select(*v)
        .join_from(version, lines, and_(*[lines.c[name] == v[name] for name in KEY]))
        .where(~select(literal(1)).where(*again).exists())
    )
    if connection.execute(insert(found).from_select([*_CONTENT, "stored"], rows)).rowcount:
        return found
    found.drop(connection)
    return None


def store_versions(connection: Connection, found: Table, *, run_id: int, as_of: datetime) -> None:
    """Store the versions of `find_versions`, and drop its table.

    An incoming version counts by this run, and a stored one by the run that loaded it.
    """
    f, r = found.c, restated_quantities.c
    earlier = (
        select(run_files.c.file_id, runs.c.run_id, runs.c.data_as_of)
        .join(runs, runs.c.run_id == run_files.c.run_id)
        .where(runs.c.data_as_of.is_not(None))
        .subquery("earlier_runs")
    )
    values = {
        "run_id": func.coalesce(earlier.c.run_id, literal(run_id, BigInteger)),
        "data_as_of": func.coalesce(earlier.c.data_as_of, literal(as_of, DateTime)),
        "before_qty": f.ordered_qty,
        "after_qty": f.ordered_qty,
    }
    columns = [values[column.name] if column.name in values else f[column.name] for column in r]
    rows = select(*columns).outerjoin_from(found, earlier, and_(f.stored, earlier.c.file_id == f.file_id))
    connection.execute(insert(restated_quantities).from_select([column.name for column in r], rows))
    found.drop(connection)


def reconvert_versions(connection: Connection, target: FromClause, now: FromClause) -> None:
    """Convert the stored versions of lines that a corrected factor converts to another quantity.

    target: the order lines before, now: after. A version in another unit keeps its quantity. Source: R12 (unit
    conversion).
    """
    r = restated_quantities.c
    same = and_(*[now.c[name] == target.c[name] for name in ("file_id", "row_no")])
    lines = (
        select(*[now.c[name] for name in (*KEY, "unit")], target.c.ordered_qty.label("old"), now.c.ordered_qty)
        .join_from(now, target, same)
        .where(now.c.ordered_qty != target.c.ordered_qty, target.c.ordered_qty > 0)
        .subquery("reconverted")
    )
    match = and_(*[lines.c[name] == r[name] for name in (*KEY, "unit")])
    rows = connection.execute(
        select(*r, lines.c.old, lines.c.ordered_qty.label("new")).join_from(restated_quantities, lines, match)
    ).mappings()
    converted = []
    for row in rows.all():
        quantity = (row["after_qty"] * row["new"] / row["old"]).quantize(QUANTITY_STEP, ROUND_HALF_UP)
        converted.append({**row, "before_qty": quantity, "after_qty": quantity})
    if converted:
        connection.execute(delete(restated_quantities).where(select(literal(1)).where(match).exists()))
        insert_rows(connection, restated_quantities, converted)
