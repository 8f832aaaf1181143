"""Records that are gone from a file or query: withdrawn if it is a full extract, else a warning.

The mapping declares a full extract. Without a declaration, the records themselves can show that lines of documents were
deleted (`_shows_deletions`).

A withdrawn record stays in its table with `deleted`, like a record that its source withdraws. It returns with the next
extract that contains it. Source: R33 (duplicates and late records).
"""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    String,
    Table,
    and_,
    cast,
    func,
    insert,
    literal,
    not_,
    select,
    union,
    union_all,
    update,
)

from ingest.errors import SourceRefused
from ingest.load.restatements import as_json
from ingest.load.result import LoadResult
from ingest.load.touched_orders import add_orders
from ingest.mapping.mapping_file import FeedMap
from ingest.quarantine.records import Rejected
from ingest.quarantine.release import delete_waiting, set_status
from ingest.storage.bulk_insert import create_temporary, insert_rows
from ingest.storage.run_warnings import RunWarning
from metrics.schema import FEEDS, quarantine, restatements, run_files
from metrics.sql.dialects import Rows

NAMED = 3
"""Missing records that the warning names."""


@dataclass(frozen=True)
class Extract:
    """What a run read for a feed."""

    feed: str
    feed_map: FeedMap
    source: str
    clean: Table
    rejected: tuple[Rejected, ...]
    names: tuple[str, ...]
    """The objects read in this run."""
    run_id: int
    first_file_id: int


def withdraw_missing(connection: Connection, extract: Extract, result: LoadResult, touched: Table) -> list[RunWarning]:
    """Withdraw loaded records that a full extract lacks, or warn of records that are gone from a file.

    Raises SourceRefused if a declared full extract lacks more records than the limit of the mapping allows.
    """
    feed_map, feed = extract.feed_map, extract.feed
    if feed_map.full is False or feed_map.cursor is not None or not extract.names:
        return []
    unreadable = sum(1 for one in extract.rejected if any(one.key.get(name) is None for name in FEEDS[feed].key))
    if feed_map.full and unreadable:
        message = (
            f"Records of the full extract without a readable key: {unreadable:,}. So no record that it lacks was "
            "withdrawn. Correct these records."
        )
        return [RunWarning(feed, "full_extract_unreadable", message, rows=unreadable)]
    if not feed_map.full and connection.execute(_earlier_files(extract).limit(1)).first() is None:
        return []
    present = _present_keys(connection, extract)
    among = _scope(extract, present)
    gone = _gone(feed, extract.clean, present).where(among)
    # A file of changes lacks almost all records, so they are counted first and stored only if they may be withdrawn.
    count = connection.scalar(select(func.count()).select_from(gone.subquery("gone"))) or 0
    total = _count_before(connection, extract, among, result)
    if feed_map.full:
        _refuse_too_many(extract, count, total)
        if count:
            _withdraw(connection, extract, _stored(connection, feed, gone), result)
        _drop_quarantined(connection, extract, present, result, touched)
        return []
    if not count:
        return []
    keys = _some_keys(connection, gone.subquery("gone"), feed)
    if not unreadable and _within_limit(feed_map, count, total):
        missing = _stored(connection, feed, gone)
        if _shows_deletions(connection, extract, missing):
            _withdraw(connection, extract, missing, result)
            return [_withdrawal(extract, keys, count, total)]
    return [_warning(extract, keys, count, total)]


def _stored(connection: Connection, feed: str, gone: Rows) -> Table:
    """Return a temporary table of the missing records."""
    columns = (Column(column.name, column.type) for column in FEEDS[feed].table.columns)
    missing = create_temporary(connection, f"missing_{feed}", *columns)
    connection.execute(insert(missing).from_select([column.name for column in missing.columns], gone))
    return missing


def _present_keys(connection: Connection, extract: Extract) -> Table:
    """Return the keys of rejected records as text, each with its order."""
    key = FEEDS[extract.feed].key
    table = create_temporary(
        connection,
        f"present_{extract.feed}",
        *(Column(f"key_{column}", String) for column in key),
        Column("of_order", String),
    )
    insert_rows(
        connection,
        table,
        (
            {**{f"key_{column}": row.key.get(column) for column in key}, "of_order": row.order_id}
            for row in extract.rejected
        ),
    )
    return table


def _gone(feed: str, clean: Table, present: Table) -> Rows:
    """Select the loaded records whose key the extract lacks. Outer joins are seven times as fast as two EXISTS."""
    target, key = FEEDS[feed].table, FEEDS[feed].key
    loaded = and_(*(clean.c[column] == target.c[column] for column in key))
    rejected = and_(*(present.c[f"key_{column}"] == cast(target.c[column], String) for column in key))
    return (
        select(target)
        .select_from(target.outerjoin(clean, loaded).outerjoin(present, rejected))
        .where(clean.c[key[0]].is_(None), present.c[f"key_{key[0]}"].is_(None))
    )


def _scope(extract: Extract, present: Table) -> ColumnElement[bool]:
    """Return the condition of the loaded records that the extract should contain."""
    target = FEEDS[extract.feed].table
    mine = and_(target.c.source == extract.source, ~target.c.deleted, target.c.file_id < extract.first_file_id)
    if extract.feed_map.full == "per_order":
        return and_(mine, target.c.order_id.in_(_orders(extract, present)))
    if extract.feed_map.full:
        return mine
    return and_(mine, target.c.file_id.in_(_earlier_files(extract)))


def _count_before(connection: Connection, extract: Extract, among: ColumnElement[bool], result: LoadResult) -> int:
    """Count the records that the extract was expected to contain: stored ones, and ones that this run replaced."""
    stored = connection.scalar(select(func.count()).select_from(FEEDS[extract.feed].table).where(among)) or 0
    replaced = sum(result.counts.superseded[row.file_id] for row in connection.execute(_earlier_files(extract)))
    r = restatements.c
    returned = select(func.count()).where(r.run_id == extract.run_id, r.feed == extract.feed, r.why == "undeletion")
    return stored + replaced - (connection.scalar(returned) or 0)


def _earlier_files(extract: Extract) -> Select[tuple[int]]:
    """Select the earlier readings of the same objects; of a declared full extract, of all its objects."""
    c = run_files.c
    same = [] if extract.feed_map.full else [c.name.in_(extract.names)]
    mine = [c.source == extract.source, c.feed == extract.feed, c.file_id < extract.first_file_id]
    return select(c.file_id).where(*mine, *same)


def _orders(extract: Extract, present: Table) -> Select[tuple[str]]:
    of_rejected = select(present.c.of_order).where(present.c.of_order.is_not(None))
    return select(union(select(extract.clean.c.order_id), of_rejected).subquery("orders_of_extract").c.order_id)


def _shows_deletions(connection: Connection, extract: Extract, missing: Table) -> bool:
    """Tell whether an undeclared extract shows that the missing records were deleted.

    It does if the records are lines of documents, and each document is still in the file with an unchanged line. A file
    of changes lacks unchanged lines, a file of recent documents lacks whole documents, and so does a file that was cut,
    unless only the last lines of its last document are missing. Source: I8, docs/decisions.md (decision 109).
    """
    target, (*document, _) = FEEDS[extract.feed].table, FEEDS[extract.feed].key
    if not document or len(extract.names) > 1:
        return False
    unchanged = (
        select(literal(1))
        .select_from(
            target.join(
                extract.clean, and_(*(extract.clean.c[name] == target.c[name] for name in FEEDS[extract.feed].key))
            )
        )
        .where(
            *(target.c[name] == missing.c[name] for name in document),
            target.c.file_id < extract.first_file_id,  # a changed line has the file of this run
            target.c.source == extract.source,
        )
        .exists()
    )
    return connection.execute(select(literal(1)).select_from(missing).where(not_(unchanged)).limit(1)).first() is None


def _within_limit(feed_map: FeedMap, count: int, total: int) -> bool:
    one_of_many = count == 1 < total and feed_map.full_limit > 0
    return count <= feed_map.full_limit * total or one_of_many


def _refuse_too_many(extract: Extract, count: int, total: int) -> None:
    limit = extract.feed_map.full_limit
    if not _within_limit(extract.feed_map, count, total):
        raise SourceRefused(
            ", ".join(extract.names),
            extract.feed,
            f"it lacks {count:,} of {total:,} loaded records ({count / total:.0%}); the limit is {limit:.0%}",
            f"Check that the extract is complete. If the records are gone, raise full_limit of [{extract.feed}].",
        )


def _withdraw(connection: Connection, extract: Extract, missing: Table, result: LoadResult) -> None:
    feed, target, key = extract.feed, FEEDS[extract.feed].table, FEEDS[extract.feed].key
    keys = connection.execute(select(*(missing.c[column] for column in key))).mappings().all()
    same = and_(missing.c.file_id == target.c.file_id, missing.c.row_no == target.c.row_no)
    connection.execute(update(target).where(select(literal(1)).where(same).exists()).values(deleted=True))
    columns = [column.name for column in target.columns]
    changed = [table for table in (result.changed.get(feed), missing) if table is not None]
    result.changed[feed] = union_all(
        *(select(*(table.c[column] for column in columns)) for table in changed)
    ).subquery()
    result.restated += insert_rows(
        connection,
        restatements,
        (
            {
                "run_id": extract.run_id,
                "feed": feed,
                "key": as_json(dict(row)),
                "before": as_json({"deleted": False}),
                "after": as_json({"deleted": True}),
                "why": "deletion",
            }
            for row in keys
        ),
    )


def _drop_quarantined(
    connection: Connection, extract: Extract, present: Table, result: LoadResult, touched: Table
) -> None:
    """Drop quarantined records of earlier extracts. Those that are still wrong came again in this one."""
    q = quarantine.c
    mine = [
        q.feed == extract.feed,
        q.status.in_(["rejected", "waiting"]),
        q.file_id.in_(_earlier_files(extract)),
    ]
    if extract.feed_map.full == "per_order":
        mine.append(q.order_id.in_(_orders(extract, present)))
    rows = {(row.file_id, row.row_no) for row in connection.execute(select(q.file_id, q.row_no).where(*mine))}
    if rows:
        add_orders(connection, touched, select(q.order_id).where(*mine))
        set_status(connection, rows, "dropped")
        delete_waiting(connection, rows)
        for file_id, n in Counter(file_id for file_id, _ in rows).items():
            result.counts.quarantined[file_id] -= n
            result.counts.superseded[file_id] += n


def _some_keys(connection: Connection, missing: FromClause, feed: str) -> list[str]:
    """Return the first keys of the missing records, each as text."""
    key = [missing.c[name] for name in FEEDS[feed].key]
    found = connection.execute(select(*key).order_by(*key).limit(NAMED))
    return [" / ".join(map(str, row)) for row in found]


def _warning(extract: Extract, keys: list[str], count: int, total: int) -> RunWarning:
    message = (
        f"{_what_is_gone(extract, keys, count, total)} Missing records stay loaded. "
        f"If it is a full extract, write full = true for [{extract.feed}]. If it has changes only, full = false."
    )
    return RunWarning(extract.feed, "records_are_gone", message, extract.names[0], count)


def _withdrawal(extract: Extract, keys: list[str], count: int, total: int) -> RunWarning:
    message = (
        f"{_what_is_gone(extract, keys, count, total)} Missing records were withdrawn, because other lines of their "
        f"documents are still in it, unchanged. If this is right, write full = true for [{extract.feed}]. If it has "
        "changes only, write full = false and read the older file again."
    )
    return RunWarning(extract.feed, "records_were_withdrawn", message, extract.names[0], count)


def _what_is_gone(extract: Extract, keys: list[str], count: int, total: int) -> str:
    names = ", ".join(extract.names)
    named = ", ".join(keys) + (f" and {count - len(keys):,} more" if count > len(keys) else "")
    return f"{names} no longer contains {count:,} of the {total:,} records that it had before: {named}."
