"""Load every feed, parents first.

For each feed: keep out the rows that break a cross-row rule, merge the others, and recheck children of changed rows.
"""

from collections.abc import Callable, Collection, Mapping

from sqlalchemy import Connection, FromClause, Select, Table, not_, select, union_all

from ingest.load import unit_conversion
from ingest.load.merge import fill_empty_table, merge
from ingest.load.recheck import drop_original, keep_original, recheck_children
from ingest.load.result import LoadResult
from ingest.load.touched_orders import add_touched_orders
from ingest.load.waiting_rows import check_rows, release, store_waiting
from ingest.mapping.columns import ONLY_LINE
from ingest.storage.row_ids import matches, row_ids, stored_row_ids
from ingest.storage.tables import waiting
from ingest.validate.cross_row_rules import with_only_lines
from metrics.schema import FEEDS
from metrics.warehouse.failpoint import failpoint


def load(
    connection: Connection,
    clean: Mapping[str, Table],
    arrived: Mapping[int, int],
    *,
    run_id: int,
    touched: Table,
    first_load: bool,
    feeds: Collection[str],
    after_merge: Callable[[str, LoadResult], None],
) -> LoadResult:
    """Merge the clean rows of every feed, parents first, and the rows that waited for them.

    arrived: the number of clean rows per file_id. touched: a table that receives the order_ids whose records changed.
    The first load leaves it empty, because all orders are new. feeds: the feeds to load; rows that wait in other feeds
    wait on. after_merge: called with each feed once it is merged.
    """
    result = LoadResult()
    result.counts.loaded.update(arrived)
    first_file_id = min(arrived, default=0)
    for feed in (feed for feed in FEEDS if feed in feeds):
        _merge_feed(connection, feed, clean.get(feed), result, run_id=run_id, touched=touched)
        after_merge(feed, result)
        recheck_children(connection, feed, result, run_id=run_id, first_file_id=first_file_id, touched=touched)
        failpoint("ingest.merge")
    if not first_load:
        add_touched_orders(connection, result.changed, touched)
    return result


def _merge_feed(
    connection: Connection, feed: str, clean: Table | None, result: LoadResult, *, run_id: int, touched: Table
) -> None:
    waiting_table = waiting.get(feed)
    stored_ids = row_ids(connection, waiting_table) if waiting_table is not None else set()
    if clean is not None or stored_ids:
        arrivals = _arrivals(clean, waiting_table if stored_ids else None)
        if feed == "invoice_lines" and connection.execute(_only_lines(arrivals)).first() is not None:
            arrivals = with_only_lines(arrivals)
        units = unit_conversion.find_units(connection, feed, arrivals)
        rule_breaks = check_rows(connection, feed, arrivals, units, result)
        kept_out = stored_row_ids(connection, f"held_{feed}", rule_breaks) if rule_breaks else None
        new = {row: one for row, one in rule_breaks.items() if row not in stored_ids}
        for file_id, _ in new:
            result.counts.loaded[file_id] -= 1
            result.counts.quarantined[file_id] += 1
        leaving = (
            store_waiting(connection, clean, waiting_table, stored_ids, rule_breaks, kept_out, result)
            if waiting_table is not None
            else set()
        )
        valid_rows = unit_conversion.select_converted(feed, arrivals, units)
        if kept_out is not None:
            valid_rows = valid_rows.where(not_(matches(kept_out, arrivals).exists()))
        if units is not None:
            keep_original(connection, feed, arrivals, units.rows, kept_out)
        target = FEEDS[feed].table
        if connection.execute(select(target.c.file_id).limit(1)).first() is None:
            fill_empty_table(connection, feed, valid_rows, result)
        else:
            merge(connection, feed, valid_rows, result, run_id=run_id, touched=touched)
        if waiting_table is not None and leaving:
            release(connection, waiting_table, leaving)
        if units is not None:
            units.drop(connection)
        if kept_out is not None:
            kept_out.drop(connection)
        result.kept_out[feed] = new
    drop_original(connection, feed)


def _only_lines(rows: FromClause) -> Select[tuple[int]]:
    """Select a row that leaves the line number to its order, if there is one."""
    return select(rows.c.row_no).where(rows.c.line_no == ONLY_LINE).limit(1)


def _arrivals(clean: Table | None, waiting_table: Table | None) -> FromClause:
    if waiting_table is None:
        assert clean is not None
        return clean
    if clean is None:
        return waiting_table
    return union_all(select(clean), select(*(waiting_table.c[column.name] for column in clean.columns))).subquery(
        "arrivals"
    )
