"""Merge rows into a canonical table by key. The newest version wins, whatever the order of arrival.

The newest version has the latest `source_updated_at` (an empty value counts as oldest). Ties go to the later run, then
to the later row. Source: R33 (duplicates and late records).
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    String,
    Table,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
)

from ingest.errors import RunAborted
from ingest.load.key_conflicts import find_conflicts
from ingest.load.quantity_versions import find_versions
from ingest.load.recheck import PARENT_COLUMNS, note_changed_parents
from ingest.load.restatements import content_columns, restated_rows
from ingest.load.result import Check, LoadResult
from ingest.load.touched_orders import add_orders
from ingest.quarantine.release import confirmed_rejections
from ingest.storage.bulk_insert import create_temporary, insert_rows
from ingest.storage.row_ids import count_per_file, matches, same_row
from metrics.schema import FEEDS, invoice_lines, restatements
from metrics.sql.dialects import Expression, Rows


def fill_empty_table(connection: Connection, feed: str, valid_rows: Rows, result: LoadResult) -> None:
    """Insert rows into an empty table, then delete all but the newest version of each key."""
    target = FEEDS[feed].table
    total = connection.execute(
        insert(target).from_select([column.name for column in target.columns], valid_rows)
    ).rowcount
    twice = select(*_keys(feed, target)).group_by(*_keys(feed, target)).having(func.count() > 1)
    repeated = create_temporary(
        connection, f"repeated_{feed}", *(Column(one, target.c[one].type) for one in FEEDS[feed].key)
    )
    failed = 0
    if connection.execute(insert(repeated).from_select(list(FEEDS[feed].key), twice)).rowcount:
        both = select(target).join(repeated, _same_key(feed, target, repeated)).subquery()
        result.conflicts += find_conflicts(connection, feed, both)
        if feed == "order_lines":
            result.quantities = find_versions(connection, both)
        ranked = (
            select(
                target.c.file_id,
                target.c.row_no,
                func.row_number().over(partition_by=_keys(feed, target), order_by=_newest_first(target)).label("place"),
            )
            .join_from(target, repeated, _same_key(feed, target, repeated))
            .subquery()
        )
        losers = create_temporary(
            connection, f"losers_{feed}", Column("file_id", BigInteger), Column("row_no", BigInteger)
        )
        connection.execute(
            insert(losers).from_select(
                ["file_id", "row_no"], select(ranked.c.file_id, ranked.c.row_no).where(ranked.c.place > 1)
            )
        )
        counted = count_per_file(connection, losers)
        failed = sum(n for _, n in counted)
        result.counts.supersede(counted)
        connection.execute(delete(target).where(matches(losers, target).exists()))
        losers.drop(connection)
        again = select(literal(1)).select_from(target.join(repeated, _same_key(feed, target, repeated)))
        _check_keys_unique(connection, feed, again.group_by(*_keys(feed, target)).having(func.count() > 1))
    repeated.drop(connection)
    result.check(Check(feed, "key_is_unique", ", ".join(FEEDS[feed].key), total, failed))
    result.changed[feed] = target


def merge(
    connection: Connection, feed: str, valid_rows: Rows, result: LoadResult, *, run_id: int, touched: Table
) -> None:
    """Merge rows into a table that has rows. The newest version of each key wins."""
    target = FEEDS[feed].table
    names = [column.name for column in target.columns]
    columns = [Column(column.name, column.type) for column in target.columns]
    incoming = create_temporary(connection, f"incoming_{feed}", *columns, Column("place", BigInteger))
    rows = valid_rows.subquery()
    place = func.row_number().over(partition_by=_keys(feed, rows), order_by=_newest_first(rows))
    connection.execute(
        insert(incoming).from_select([*names, "place"], select(*(rows.c[name] for name in names), place))
    )
    if feed == "order_lines":
        result.quantities = find_versions(connection, incoming, stored=target)
        if result.quantities is not None:  # an older version changes no row, but what is owed
            add_orders(connection, touched, select(result.quantities.c.order_id))
    total = connection.scalar(select(func.count()).select_from(incoming)) or 0
    repeated = count_per_file(connection, incoming, incoming.c.place > 1)
    result.counts.supersede(repeated)
    if repeated:
        again = select(*_keys(feed, incoming)).where(incoming.c.place == 2).subquery()
        both = select(incoming).join(again, _same_key(feed, incoming, again)).subquery()
        result.conflicts += find_conflicts(connection, feed, both)
    result.check(Check(feed, "key_is_unique", ", ".join(FEEDS[feed].key), total, sum(n for _, n in repeated)))
    connection.execute(delete(incoming).where(incoming.c.place > 1))
    matched = _match_stored(connection, feed, incoming)
    repeats = select(incoming).join(matched, same_row(matched, incoming)).where(matched.c.outcome == "repeat")
    result.confirmed |= confirmed_rejections(connection, feed, run_id, repeats.subquery("repeats"))
    outdated = matched.c.outcome != "newer"
    result.counts.supersede(count_per_file(connection, matched, outdated))
    _replace_stored(connection, feed, incoming, matched, result, run_id=run_id, touched=touched)
    connection.execute(delete(incoming).where(matches(matched, incoming).where(outdated).exists()))
    connection.execute(insert(target).from_select(names, select(*(incoming.c[name] for name in names))))
    doubles = select(literal(1)).select_from(target.join(incoming, _same_key(feed, target, incoming)))
    _check_keys_unique(connection, feed, doubles.group_by(*_keys(feed, target)).having(func.count() > 1))
    matched.drop(connection)
    result.changed[feed] = incoming


def _match_stored(connection: Connection, feed: str, incoming: Table) -> Table:
    """Return a table of the incoming rows whose key is already stored.

    It names the stored row, and the outcome: repeat, older or newer.
    """
    target = FEEDS[feed].table
    mine, theirs = incoming.c.source_updated_at, target.c.source_updated_at
    later = or_(
        incoming.c.file_id > target.c.file_id,
        and_(incoming.c.file_id == target.c.file_id, incoming.c.row_no > target.c.row_no),
    )
    as_new = or_(mine == theirs, and_(mine.is_(None), theirs.is_(None)))
    newer = or_(mine > theirs, and_(mine.is_not(None), theirs.is_(None)), and_(as_new, later))
    same = and_(
        *(
            incoming.c[content_column].is_not_distinct_from(target.c[content_column])
            for content_column in content_columns(feed)
        )
    )
    outcome = case((and_(same, as_new), "repeat"), (newer, "newer"), else_="older")
    matched = create_temporary(
        connection,
        f"met_{feed}",
        *(Column(name, BigInteger) for name in ("file_id", "row_no", "old_file_id", "old_row_no")),
        Column("outcome", String),
    )
    found = select(incoming.c.file_id, incoming.c.row_no, target.c.file_id, target.c.row_no, outcome)
    joined = found.join_from(incoming, target, _same_key(feed, incoming, target))
    connection.execute(insert(matched).from_select([column.name for column in matched.columns], joined))
    return matched


def _replace_stored(
    connection: Connection,
    feed: str,
    incoming: Table,
    matched: Table,
    result: LoadResult,
    *,
    run_id: int,
    touched: Table,
) -> None:
    """Delete stored versions that newer versions replace, and record the changes."""
    target = FEEDS[feed].table
    replaced = matched.c.outcome == "newer"
    old = and_(matched.c.old_file_id == target.c.file_id, matched.c.old_row_no == target.c.row_no)
    new = and_(matched.c.file_id == incoming.c.file_id, matched.c.row_no == incoming.c.row_no)
    content = [*FEEDS[feed].key, *content_columns(feed)]
    pairs = (
        select(
            *(target.c[column].label(f"old_{column}") for column in content),
            *(incoming.c[column].label(f"new_{column}") for column in content),
        )
        .select_from(matched.join(target, old).join(incoming, new))
        .where(replaced)
    )
    changes = connection.execute(pairs).mappings().all()
    result.restated += insert_rows(connection, restatements, restated_rows(feed, run_id, changes))
    note_changed_parents(
        connection,
        feed,
        result,
        (
            pair
            for pair in changes
            if any(pair[f"old_{one}"] != pair[f"new_{one}"] for one in PARENT_COLUMNS.get(feed, ()))
        ),
    )
    _touch_orders_of_old_versions(connection, feed, matched, touched)
    counted = connection.execute(
        select(matched.c.old_file_id, func.count()).where(replaced).group_by(matched.c.old_file_id)
    ).all()
    result.counts.supersede((file_id, n) for file_id, n in counted)
    # EXISTS with a condition of its own would group all records of the table first.
    ids = select(matched.c.old_file_id, matched.c.old_row_no).where(replaced)
    connection.execute(delete(target).where(tuple_(target.c.file_id, target.c.row_no).in_(ids)))


def _touch_orders_of_old_versions(connection: Connection, feed: str, matched: Table, touched: Table) -> None:
    """Add the orders that the replaced versions belonged to. The new versions add their own orders."""
    target = FEEDS[feed].table
    replaced = matched.c.outcome == "newer"
    old = and_(matched.c.old_file_id == target.c.file_id, matched.c.old_row_no == target.c.row_no)
    if feed == "payments":
        paid = (
            select(invoice_lines.c.order_id)
            .join(target, target.c.invoice_id == invoice_lines.c.invoice_id)
            .join(matched, old)
        )
        add_orders(connection, touched, paid.where(replaced))
    if feed == "invoices":  # orders of the invoice that the reversal named before change too
        taken_back = (
            select(invoice_lines.c.order_id)
            .join(target, target.c.reverses_invoice_id == invoice_lines.c.invoice_id)
            .join(matched, old)
        )
        add_orders(connection, touched, taken_back.where(replaced))
    if "order_id" in target.c:
        moved = (
            select(target.c.order_id)
            .select_from(target.join(matched, old))
            .where(replaced, target.c.order_id.is_not(None))
        )
        connection.execute(insert(touched).from_select(["order_id"], moved))


def _check_keys_unique(connection: Connection, feed: str, doubles: Rows) -> None:
    if connection.execute(doubles.limit(1)).first() is not None:
        raise RunAborted(
            f"After the merge, {feed} contains a key twice. This is a defect of Buyerview; please report it."
        )


def _keys(feed: str, table: FromClause) -> list[Expression]:
    return [table.c[column] for column in FEEDS[feed].key]


def _same_key(feed: str, left: FromClause, right: FromClause) -> ColumnElement[bool]:
    return and_(*(left.c[column] == right.c[column] for column in FEEDS[feed].key))


def _newest_first(table: FromClause) -> list[Expression]:
    return [table.c.source_updated_at.desc().nulls_last(), table.c.file_id.desc(), table.c.row_no.desc()]
