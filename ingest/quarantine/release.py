"""Drop or release quarantined records."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    FromClause,
    String,
    Table,
    and_,
    cast,
    delete,
    exists,
    literal,
    not_,
    or_,
    select,
    update,
)

from ingest.storage.bulk_insert import create_temporary, insert_rows
from ingest.storage.row_ids import RowId
from ingest.storage.tables import waiting
from metrics.schema import FEEDS, quarantine, run_files
from metrics.sql.dialects import Rows


def drop_replaced(
    connection: Connection, run_id: int, first_file_id: int, confirmed: Collection[RowId] = ()
) -> dict[int, int]:
    """Drop quarantined records of earlier runs that later records replace. Returns their number per file_id.

    A record is replaced if its key was loaded, confirmed or rejected again, or if its object was read again.
    """
    q = quarantine.c
    # A full extract may have dropped a confirmed record already.
    rejected = select(q.file_id, q.row_no).where(q.status == "rejected", q.run_id < run_id)
    still_open = {(row.file_id, row.row_no) for row in connection.execute(rejected)} if confirmed else set()
    dropped: set[RowId] = {*still_open.intersection(confirmed), *_sent_again(connection, run_id, first_file_id)}
    for feed, about in FEEDS.items():
        dropped.update(_of_same_key(connection, feed, run_id, about.table, later=True))
    for feed, waiting_table in waiting.items():
        for row in connection.execute(_replaced_waiting_rows(feed, waiting_table)):
            (dropped.add if row.is_outdated else dropped.discard)((row.file_id, row.row_no))
    set_status(connection, dropped, "dropped")
    delete_waiting(connection, dropped)
    return dict(Counter(file_id for file_id, _ in dropped))


def confirmed_rejections(connection: Connection, feed: str, run_id: int, repeats: FromClause) -> set[RowId]:
    """Return the rejected records of earlier runs whose key came again as it is loaded. The source took them back.

    repeats: the records that came again. A stamped record may be older than the rejected one, so it takes nothing back.
    """
    unstamped = select(repeats).where(repeats.c.source_updated_at.is_(None)).subquery("unstamped")
    return _of_same_key(connection, feed, run_id, unstamped)


def _of_same_key(
    connection: Connection, feed: str, run_id: int, rows: FromClause, *, later: bool = False
) -> set[RowId]:
    """Return the rejected records of earlier runs that have the key of one of these rows.

    later: only those whose file came before the file of that row.
    """
    open_rows = connection.execute(
        select(quarantine.c.file_id, quarantine.c.row_no, quarantine.c.key).where(
            quarantine.c.feed == feed,
            quarantine.c.status == "rejected",
            quarantine.c.run_id < run_id,
            quarantine.c.key.is_not(None),
        )
    ).all()
    key = FEEDS[feed].key
    keyed = [
        {
            "q_file_id": row.file_id,
            "q_row_no": row.row_no,
            **{f"q_{column}": value for column, value in json.loads(row.key).items()},
        }
        for row in open_rows
    ]
    keyed = [row for row in keyed if all(row.get(f"q_{column}") is not None for column in key)]
    if not keyed:
        return set()
    columns: list[Column[Any]] = [  # Any: columns of any SQL type
        Column("q_file_id", BigInteger),
        Column("q_row_no", BigInteger),
        *(Column(f"q_{one}", String) for one in key),
    ]
    rejected = create_temporary(connection, f"rejected_{feed}", *columns)
    insert_rows(connection, rejected, keyed)
    same_key = and_(*(cast(rows.c[one], String) == rejected.c[f"q_{one}"] for one in key))
    found = select(rejected.c.q_file_id, rejected.c.q_row_no).join_from(rejected, rows, same_key)
    if later:
        found = found.where(rows.c.file_id > rejected.c.q_file_id)
    places = {(row.q_file_id, row.q_row_no) for row in connection.execute(found)}
    rejected.drop(connection)
    return places


def _replaced_waiting_rows(feed: str, waiting_table: Table) -> Rows:
    """Select file_id and row_no of waiting rows whose key a later file has loaded, and if it is newer."""
    target = FEEDS[feed].table
    mine, theirs = waiting_table.c.source_updated_at, target.c.source_updated_at
    newer = and_(mine.is_not(None), or_(theirs.is_(None), mine > theirs))
    same_key = and_(*(waiting_table.c[column] == target.c[column] for column in FEEDS[feed].key))
    return (
        select(waiting_table.c.file_id, waiting_table.c.row_no, not_(newer).label("is_outdated"))
        .join_from(waiting_table, target, same_key)
        .where(target.c.file_id > waiting_table.c.file_id)
    )


def delete_waiting(connection: Connection, dropped: Iterable[tuple[int, int]]) -> None:
    """Delete dropped records from the waiting rows."""
    marked = create_temporary(connection, "forgotten", Column("file_id", BigInteger), Column("row_no", BigInteger))
    if insert_rows(connection, marked, ({"file_id": file_id, "row_no": row_no} for file_id, row_no in dropped)):
        for waiting_table in waiting.values():
            match = select(literal(1)).where(
                marked.c.file_id == waiting_table.c.file_id, marked.c.row_no == waiting_table.c.row_no
            )
            connection.execute(delete(waiting_table).where(match.exists()))
    marked.drop(connection)


def _sent_again(connection: Connection, run_id: int, first_file_id: int) -> Iterator[tuple[int, int]]:
    """Yield replaced records of earlier runs.

    Either their key was rejected again, or their object was read again under another mapping.
    """
    again = quarantine.alias("again")
    same = and_(again.c.feed == quarantine.c.feed, again.c.key == quarantine.c.key, again.c.run_id == run_id)
    newer, older = run_files.alias("newer"), run_files.alias("older")
    read_again = (
        select(literal(1))
        .select_from(
            newer.join(
                older,
                and_(newer.c.feed == older.c.feed, newer.c.sha256 == older.c.sha256, newer.c.source == older.c.source),
            )
        )
        .where(
            older.c.file_id == quarantine.c.file_id,
            newer.c.file_id >= first_file_id,
            newer.c.rows_superseded < newer.c.rows_in,
        )
    )
    replaced = select(quarantine.c.file_id, quarantine.c.row_no).where(
        quarantine.c.run_id < run_id,
        or_(
            and_(quarantine.c.status == "rejected", exists(select(literal(1)).where(same))),
            and_(quarantine.c.status.in_(["rejected", "waiting"]), exists(read_again)),
        ),
    )
    yield from ((row.file_id, row.row_no) for row in connection.execute(replaced))


def set_status(connection: Connection, rows: Iterable[tuple[int, int]], status: str) -> int:
    """Set the status of these quarantined records. Returns the number of ids given."""
    marked = create_temporary(connection, "marked", Column("file_id", BigInteger), Column("row_no", BigInteger))
    count = insert_rows(connection, marked, ({"file_id": file_id, "row_no": row_no} for file_id, row_no in rows))
    if count:
        match = select(1).where(marked.c.file_id == quarantine.c.file_id, marked.c.row_no == quarantine.c.row_no)
        connection.execute(update(quarantine).where(match.exists()).values(status=status))
    marked.drop(connection)
    return count
