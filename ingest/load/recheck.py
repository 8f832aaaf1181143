"""Recheck and reconvert loaded rows whose parent record or unit has changed.

Source: R12 (unit conversion), R34 (impossible dates).
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    RowMapping,
    Table,
    and_,
    delete,
    insert,
    literal,
    not_,
    or_,
    select,
)

from ingest.load import unit_conversion
from ingest.load.quantity_versions import reconvert_versions
from ingest.load.restatements import content_columns, restated_rows
from ingest.load.result import LoadResult
from ingest.load.touched_orders import add_orders
from ingest.load.waiting_rows import check_rows
from ingest.quarantine.quarantine import quarantine_loaded
from ingest.quarantine.records import RuleBreaks
from ingest.storage.bulk_insert import create_temporary, insert_rows
from ingest.storage.row_ids import RowId, matches, same_row, stored_row_ids
from ingest.storage.tables import original_rows, waiting
from metrics.schema import FEEDS, order_lines, restatements
from metrics.sql.dialects import Rows

PARENT_COLUMNS: dict[str, tuple[str, ...]] = {
    "orders": ("ordered_at", "ordered_at_is_date", "ship_to_time_zone"),
    "order_lines": ("product_id", "line_kind"),
    "shipments": ("shipped_at", "shipped_at_is_date", "received_at", "received_at_is_date"),
    "invoices": ("invoiced_at", "invoiced_at_is_date"),
}
"""Columns of a parent that decide rules or units of its children."""

PARENTS: dict[str, tuple[str, ...]] = {
    "order_lines": ("orders",),
    "shipment_lines": ("orders", "order_lines", "shipments"),
    "invoice_lines": ("orders", "order_lines", "invoices"),
    "promises": ("order_lines",),
    "holds": ("orders",),
    "order_events": ("orders",),
    "returns": ("orders", "order_lines"),
}
"""Feeds whose change may make a loaded row impossible, or convert it to other quantities."""


def note_changed_parents(
    connection: Connection, feed: str, result: LoadResult, pairs: Iterable[RowMapping | Mapping[str, object]]
) -> None:
    """Record the keys of changed rows, so that their children are rechecked."""
    key = FEEDS[feed].key
    rows = [{column: pair[f"new_{column}"] for column in key} for pair in pairs]
    if rows:
        noted = result.stirred.setdefault(feed, [])
        table = create_temporary(
            connection,
            f"stirred_{feed}_{len(noted)}",
            *(Column(column, FEEDS[feed].table.c[column].type) for column in key),
        )
        insert_rows(connection, table, rows)
        noted.append(table)


def recheck_children(
    connection: Connection, feed: str, result: LoadResult, *, run_id: int, first_file_id: int, touched: Table
) -> None:
    """Recheck rows of earlier runs whose parent or product unit this run changed.

    A row that has become impossible goes to quarantine and waits there. A row that converts differently is converted
    again from its original.
    """
    target, affected = FEEDS[feed].table, _affected(feed, result, first_file_id)
    if affected is None or connection.execute(select(target.c.row_no).where(affected).limit(1)).first() is None:
        return
    names = [column.name for column in target.columns]
    rechecked = create_temporary(
        connection, f"again_{feed}", *(Column(column.name, column.type) for column in target.columns)
    )
    originals = original_rows.get(feed)
    present = select(target).where(affected)
    if originals is not None:
        original = (
            select(*(originals.c[name] for name in names)).join(target, same_row(originals, target)).where(affected)
        )
        connection.execute(insert(rechecked).from_select(names, original))
        present = present.where(not_(matches(originals, target).exists()))
    connection.execute(insert(rechecked).from_select(names, present))
    units = unit_conversion.find_units(connection, feed, rechecked)
    rule_breaks = check_rows(connection, feed, rechecked, units, result)
    if rule_breaks:
        if feed in (
            "shipment_lines",
            "invoice_lines",
        ):  # the rest of the document is now shared among fewer orders
            document = FEEDS[feed].key[0]
            add_orders(
                connection,
                touched,
                select(target.c.order_id).where(target.c[document].in_(select(rechecked.c[document]))),
            )
        _quarantine_impossible(connection, feed, rechecked, rule_breaks, result, run_id=run_id)
    if originals is not None:
        _reconvert(connection, feed, rechecked, units, result, run_id=run_id)
    add_orders(connection, touched, select(rechecked.c.order_id))
    if units is not None:
        units.drop(connection)
    rechecked.drop(connection)


def _affected(feed: str, result: LoadResult, first_file_id: int) -> ColumnElement[bool] | None:
    """Return the condition that selects the loaded rows to recheck. None: there are none."""
    target = FEEDS[feed].table
    conditions: list[ColumnElement[bool]] = []
    for parent in PARENTS.get(feed, ()):
        for keys in result.stirred.get(parent, ()):
            stirred = (
                select(literal(1)).where(*(keys.c[column] == target.c[column] for column in FEEDS[parent].key)).exists()
            )
            conditions.append(and_(stirred, target.c.unit.is_not(None)) if feed == "order_lines" else stirred)
    if feed in original_rows:
        for rows in (result.changed[name] for name in ("products", "unit_factors") if name in result.changed):
            measured = select(rows.c.product_id)
            conditions.append(and_(target.c.unit.is_not(None), _counts_product(feed, target, measured)))
    # Rows of this run have already been checked against the current parents.
    return and_(target.c.file_id < first_file_id, or_(*conditions)) if conditions else None


def _counts_product(feed: str, target: Table, measured: Rows) -> ColumnElement[bool]:
    """Return the condition that a row, or its order line, names one of these products."""
    if feed == "order_lines":
        return target.c.product_id.in_(measured)
    line = and_(order_lines.c.order_id == target.c.order_id, order_lines.c.line_no == target.c.line_no)
    of_line = select(literal(1)).where(line, order_lines.c.product_id.in_(measured)).exists()
    return or_(of_line, target.c.product_id.in_(measured)) if feed == "shipment_lines" else of_line


def _quarantine_impossible(
    connection: Connection,
    feed: str,
    rechecked: Table,
    rule_breaks: Mapping[RowId, RuleBreaks],
    result: LoadResult,
    *,
    run_id: int,
) -> None:
    """Move loaded rows that have become impossible to quarantine, where their originals wait."""
    target = FEEDS[feed].table
    out = stored_row_ids(connection, f"out_{feed}", rule_breaks)
    rows = connection.execute(select(rechecked).where(matches(out, rechecked).exists())).mappings().all()
    connection.execute(
        insert(waiting[feed]).from_select(
            [column.name for column in rechecked.columns], select(rechecked).where(matches(out, rechecked).exists())
        )
    )
    quarantine_loaded(connection, feed, rows, rule_breaks, run_id=run_id)
    for table in (target, rechecked, *((original_rows[feed],) if feed in original_rows else ())):
        connection.execute(delete(table).where(matches(out, table).exists()))
    for file_id, _ in rule_breaks:
        result.counts.loaded[file_id] -= 1
        result.counts.quarantined[file_id] += 1
    note_changed_parents(
        connection, feed, result, ({f"new_{one}": value for one, value in row.items()} for row in rows)
    )
    out.drop(connection)


def _reconvert(
    connection: Connection,
    feed: str,
    rechecked: Table,
    units: unit_conversion.Units | None,
    result: LoadResult,
    *,
    run_id: int,
) -> None:
    """Replace rows that now convert to other quantities or prices, and record the changes."""
    target, originals, names = FEEDS[feed].table, original_rows[feed], [column.name for column in rechecked.columns]
    now = create_temporary(
        connection, f"now_{feed}", *(Column(column.name, column.type) for column in rechecked.columns)
    )
    connection.execute(insert(now).from_select(names, unit_conversion.select_converted(feed, rechecked, units)))
    content = [*FEEDS[feed].key, *content_columns(feed)]
    differs = or_(
        *(now.c[content_column].is_distinct_from(target.c[content_column]) for content_column in content_columns(feed))
    )
    pairs = (
        select(
            *(target.c[one].label(f"old_{one}") for one in content),
            *(now.c[one].label(f"new_{one}") for one in content),
        )
        .select_from(now.join(target, same_row(now, target)))
        .where(differs)
    )
    result.restated += insert_rows(
        connection, restatements, restated_rows(feed, run_id, connection.execute(pairs).mappings().all())
    )
    if feed == "order_lines":
        reconvert_versions(connection, target, now)
    for table in (target, originals):
        connection.execute(delete(table).where(matches(now, table).exists()))
    connection.execute(insert(target).from_select(names, select(now)))
    if units is not None:
        connection.execute(
            insert(originals).from_select(names, select(rechecked).where(matches(units.rows, rechecked).exists()))
        )
    now.drop(connection)


def keep_original(
    connection: Connection, feed: str, arrivals: FromClause, converted: Table, kept_out: Table | None
) -> None:
    """Store the originals of converted rows."""
    names = [column.name for column in original_rows[feed].columns]
    rows = select(*(arrivals.c[name] for name in names)).where(matches(converted, arrivals).exists())
    if kept_out is not None:
        rows = rows.where(not_(matches(kept_out, arrivals).exists()))
    connection.execute(insert(original_rows[feed]).from_select(names, rows))


def drop_original(connection: Connection, feed: str) -> None:
    """Delete originals whose row is no longer the current version of its key."""
    if feed in original_rows and connection.execute(select(original_rows[feed].c.row_no).limit(1)).first() is not None:
        target = FEEDS[feed].table
        connection.execute(delete(original_rows[feed]).where(not_(matches(target, original_rows[feed]).exists())))
