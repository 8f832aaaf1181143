"""Clean rows into the canonical tables: merge by key, keep what changed, let orphans wait and go, and prove the ledger.

Portable SQLAlchemy Core, in the caller's transaction. The winner of a key is the newest `source_updated_at` (none counts as oldest), then
the later run, then the later row, whatever the order of arrival. Source: faults, section 1; rules R33, R34.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    String,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    union_all,
    update,
)

from ingest import rules
from ingest.bulk import insert_rows, temporary
from ingest.errors import RunAborted
from ingest.quarantine import BrokenRule, set_status
from ingest.tables import waiting
from metrics.failpoint import failpoint
from metrics.schema import (
    FEEDS,
    PROVENANCE,
    customers,
    invoice_lines,
    order_lines,
    orders,
    quarantine,
    restatements,
    run_files,
    shipment_lines,
)

log = logging.getLogger(__name__)

RowId = tuple[int, int]
"""file_id and row_no: one record, for ever."""


@dataclass
class Counts:
    """What a run does to the ledger, per file_id."""

    loaded: Counter[int] = field(default_factory=Counter)
    quarantined: Counter[int] = field(default_factory=Counter)
    superseded: Counter[int] = field(default_factory=Counter)

    def supersede(self, rows: Iterable[tuple[int, int]]) -> None:
        """Count (file_id, n) rows as superseded that were counted as loaded."""
        for file_id, n in rows:
            self.loaded[file_id] -= n
            self.superseded[file_id] += n


@dataclass
class Held:
    """A row a rule across rows keeps out."""

    rules: list[BrokenRule]
    waits_for: str | None


@dataclass
class Check:
    """One rule across rows in one run, for `checks`."""

    feed: str
    rule: str
    column: str | None
    rows_checked: int
    rows_failed: int


@dataclass
class Loaded:
    """What loading did, for the ledger, the quarantine and the rebuild."""

    counts: Counts = field(default_factory=Counts)
    held: dict[str, dict[RowId, Held]] = field(default_factory=dict)
    """New rows kept out, by feed."""
    checks: list[Check] = field(default_factory=list)
    changed: dict[str, FromClause] = field(default_factory=dict)
    """The rows of each feed that are new or another version than before."""
    released: int = 0
    restated: int = 0


def load(connection: Connection, clean: Mapping[str, Table], arrived: Mapping[int, int], *, run_id: int, touched: Table, first_load: bool) -> Loaded:
    """Merge the clean rows of every feed, parents first, and what waited for them.

    arrived: clean rows per file_id. touched: gets the order_ids whose records changed (left empty by a first load: all are new).
    """
    result = Loaded()
    result.counts.loaded.update(arrived)
    first_file_id = min(arrived, default=0)
    for feed in FEEDS:
        _merge_feed(connection, feed, clean.get(feed), result, run_id=run_id, first_file_id=first_file_id, touched=touched)
        failpoint("ingest.merge")
    if not first_load:
        _touch(connection, result.changed, touched)
    return result


def _merge_feed(connection: Connection, feed: str, clean: Table | None, result: Loaded, *, run_id: int, first_file_id: int, touched: Table) -> None:
    parked = waiting.get(feed)
    old = _row_ids(connection, parked) if parked is not None else set()
    if clean is None and not old:
        return
    arrivals = _arrivals(clean, parked if old else None)
    held = _hold(connection, feed, arrivals, result)
    kept_out = _kept_out(connection, feed, held)
    leaving = _park(connection, clean, parked, old, held, kept_out, result) if parked is not None else set()
    passing = select(arrivals)
    if held:
        passing = passing.where(not_(_matches(kept_out, arrivals).exists()))
    target = FEEDS[feed].table
    if connection.execute(select(target.c.file_id).limit(1)).first() is None:
        _fill(connection, feed, passing, result)
    else:
        _merge(connection, feed, passing, result, run_id=run_id, touched=touched)
    if parked is not None and leaving:
        _leave(connection, parked, leaving)
    kept_out.drop(connection)
    result.held[feed] = {row: one for row, one in held.items() if row[0] >= first_file_id and row not in old}


def _arrivals(clean: Table | None, parked: Table | None) -> FromClause:
    if parked is None:
        assert clean is not None
        return clean
    if clean is None:
        return parked
    return union_all(select(clean), select(*(parked.c[column.name] for column in clean.columns))).subquery("arrivals")


def _row_ids(connection: Connection, table: FromClause) -> set[RowId]:
    return {(row.file_id, row.row_no) for row in connection.execute(select(table.c.file_id, table.c.row_no))}


def _matches(rows: FromClause, other: FromClause) -> Select[Any]:
    return select(literal(1)).where(rows.c.file_id == other.c.file_id, rows.c.row_no == other.c.row_no)


# --- rules across rows ------------------------------------------------------------------------------------------------------------------


def _hold(connection: Connection, feed: str, arrivals: FromClause, result: Loaded) -> dict[RowId, Held]:
    """The arrivals that break a rule across rows, each with all of them. One that only lacks its parent waits."""
    held: dict[RowId, Held] = {}
    waits: dict[RowId, list[str | None]] = {}
    suite = rules.rules(feed, arrivals)
    if not suite:
        return held
    total = connection.scalar(select(func.count()).select_from(arrivals)) or 0
    for rule in suite:
        found = connection.execute(rule.broken).all()
        for file_id, row_no, value in found:
            row = (file_id, row_no)
            one = held.setdefault(row, Held([], None))
            one.rules.append(BrokenRule(rule.name, rule.column, value, rule.do))
            waits.setdefault(row, []).append(f"{rule.waits_for} {value}" if rule.waits_for else None)
        result.checks.append(Check(feed, rule.name, rule.column, total, len(found)))
    for row, reasons in waits.items():
        if None not in reasons:
            held[row].waits_for = "; ".join(str(one) for one in reasons)
    return held


def _kept_out(connection: Connection, feed: str, held: Mapping[RowId, Held]) -> Table:
    table = temporary(connection, f"held_{feed}", Column("file_id", BigInteger), Column("row_no", BigInteger), Column("waits_for", String))
    insert_rows(connection, table, ({"file_id": row[0], "row_no": row[1], "waits_for": one.waits_for} for row, one in held.items()))
    return table


def _park(
    connection: Connection,
    clean: Table | None,
    parked: Table,
    old: set[RowId],
    held: Mapping[RowId, Held],
    kept_out: Table,
    result: Loaded,
) -> set[RowId]:
    """Put rows aside whose parent is missing. Returns those put aside before that can leave now."""
    leaving = {row for row in old if row not in held or held[row].waits_for is None}
    if leaving:
        released = [row for row in leaving if row not in held]
        result.released += set_status(connection, released, "released")
        set_status(connection, (row for row in leaving if row in held), "rejected")
        for file_id, n in Counter(file_id for file_id, _ in released).items():
            result.counts.quarantined[file_id] -= n
            result.counts.loaded[file_id] += n
    if clean is not None and any(one.waits_for is not None for row, one in held.items() if row not in old):
        new = _matches(kept_out, clean).where(kept_out.c.waits_for.is_not(None))
        names = [column.name for column in clean.columns]
        connection.execute(insert(parked).from_select(names, select(clean).where(new.exists())))
    for row in held:
        if row not in old:
            result.counts.loaded[row[0]] -= 1
            result.counts.quarantined[row[0]] += 1
    return leaving


def _leave(connection: Connection, parked: Table, rows: set[RowId]) -> None:
    """After the merge has read them: rows that wait no longer."""
    gone = temporary(connection, "leaving", Column("file_id", BigInteger), Column("row_no", BigInteger))
    insert_rows(connection, gone, ({"file_id": file_id, "row_no": row_no} for file_id, row_no in rows))
    connection.execute(delete(parked).where(_matches(gone, parked).exists()))
    gone.drop(connection)


# --- merge ------------------------------------------------------------------------------------------------------------------------------


def _keys(feed: str, table: FromClause) -> list[ColumnElement[Any]]:
    return [table.c[one] for one in FEEDS[feed].key]


def _same_key(feed: str, left: FromClause, right: FromClause) -> ColumnElement[bool]:
    return and_(*(left.c[one] == right.c[one] for one in FEEDS[feed].key))


def _newest_first(table: FromClause) -> list[ColumnElement[Any]]:
    return [table.c.source_updated_at.desc().nulls_last(), table.c.file_id.desc(), table.c.row_no.desc()]


def _fill(connection: Connection, feed: str, passing: Select[Any], result: Loaded) -> None:
    """Into an empty table: insert, then look once for keys that are there twice, which is the proof that there are none as well."""
    target = FEEDS[feed].table
    connection.execute(insert(target).from_select([column.name for column in target.columns], passing))
    twice = select(*_keys(feed, target)).group_by(*_keys(feed, target)).having(func.count() > 1)
    repeated = temporary(connection, f"repeated_{feed}", *(Column(one, target.c[one].type) for one in FEEDS[feed].key))
    connection.execute(insert(repeated).from_select(list(FEEDS[feed].key), twice))
    failed = 0
    if connection.execute(select(repeated).limit(1)).first() is not None:
        ranked = (
            select(
                target.c.file_id,
                target.c.row_no,
                func.row_number().over(partition_by=_keys(feed, target), order_by=_newest_first(target)).label("place"),
            )
            .join_from(target, repeated, _same_key(feed, target, repeated))
            .subquery()
        )
        losers = temporary(connection, f"losers_{feed}", Column("file_id", BigInteger), Column("row_no", BigInteger))
        connection.execute(insert(losers).from_select(["file_id", "row_no"], select(ranked.c.file_id, ranked.c.row_no).where(ranked.c.place > 1)))
        counted = _per_file(connection, losers)
        failed = sum(n for _, n in counted)
        result.counts.supersede(counted)
        connection.execute(delete(target).where(_matches(losers, target).exists()))
        losers.drop(connection)
        again = select(literal(1)).select_from(target.join(repeated, _same_key(feed, target, repeated)))
        _refuse_doubles(connection, feed, again.group_by(*_keys(feed, target)).having(func.count() > 1))
    repeated.drop(connection)
    total = connection.scalar(select(func.count()).select_from(target)) or 0
    result.checks.append(Check(feed, "key_is_unique", ", ".join(FEEDS[feed].key), total + failed, failed))
    result.changed[feed] = target


def _refuse_doubles(connection: Connection, feed: str, doubles: Select[Any]) -> None:
    if connection.execute(doubles.limit(1)).first() is not None:
        raise RunAborted(f"After the merge {feed} held a key twice: a fault of Buyerview, please report it.")


def _per_file(connection: Connection, table: FromClause, *where: ColumnElement[bool]) -> list[tuple[int, int]]:
    query = select(table.c.file_id, func.count()).where(*where).group_by(table.c.file_id)
    return [(file_id, n) for file_id, n in connection.execute(query)]


def _merge(connection: Connection, feed: str, passing: Select[Any], result: Loaded, *, run_id: int, touched: Table) -> None:
    """Into a table that has rows: the newest version of each key arriving, against the version there is."""
    target = FEEDS[feed].table
    names = [column.name for column in target.columns]
    columns = [Column(column.name, column.type) for column in target.columns]
    incoming = temporary(connection, f"incoming_{feed}", *columns, Column("place", BigInteger))
    rows = passing.subquery()
    place = func.row_number().over(partition_by=_keys(feed, rows), order_by=_newest_first(rows))
    connection.execute(insert(incoming).from_select([*names, "place"], select(*(rows.c[one] for one in names), place)))
    total = connection.scalar(select(func.count()).select_from(incoming)) or 0
    repeated = _per_file(connection, incoming, incoming.c.place > 1)
    result.counts.supersede(repeated)
    result.checks.append(Check(feed, "key_is_unique", ", ".join(FEEDS[feed].key), total, sum(n for _, n in repeated)))
    connection.execute(delete(incoming).where(incoming.c.place > 1))
    met = _meet(connection, feed, incoming)
    outdated = met.c.outcome != "newer"
    result.counts.supersede(_per_file(connection, met, outdated))
    _replace(connection, feed, incoming, met, result, run_id=run_id, touched=touched)
    connection.execute(delete(incoming).where(_matches(met, incoming).where(outdated).exists()))
    connection.execute(insert(target).from_select(names, select(*(incoming.c[one] for one in names))))
    doubles = select(literal(1)).select_from(target.join(incoming, _same_key(feed, target, incoming)))
    _refuse_doubles(connection, feed, doubles.group_by(*_keys(feed, target)).having(func.count() > 1))
    met.drop(connection)
    result.changed[feed] = incoming


def _meet(connection: Connection, feed: str, incoming: Table) -> Table:
    """Every incoming row whose key is there already: which row that is, and whether the incoming one is a repeat, older or newer."""
    target = FEEDS[feed].table
    mine, theirs = incoming.c.source_updated_at, target.c.source_updated_at
    later = or_(incoming.c.file_id > target.c.file_id, and_(incoming.c.file_id == target.c.file_id, incoming.c.row_no > target.c.row_no))
    as_new = or_(mine == theirs, and_(mine.is_(None), theirs.is_(None)))
    newer = or_(mine > theirs, and_(mine.is_not(None), theirs.is_(None)), and_(as_new, later))
    same = and_(*(incoming.c[one].is_not_distinct_from(target.c[one]) for one in _content(feed)))
    outcome = case((and_(same, as_new), "repeat"), (newer, "newer"), else_="older")
    met = temporary(
        connection,
        f"met_{feed}",
        *(Column(one, BigInteger) for one in ("file_id", "row_no", "old_file_id", "old_row_no")),
        Column("outcome", String),
    )
    found = select(incoming.c.file_id, incoming.c.row_no, target.c.file_id, target.c.row_no, outcome)
    joined = found.join_from(incoming, target, _same_key(feed, incoming, target))
    connection.execute(insert(met).from_select([column.name for column in met.columns], joined))
    return met


def _content(feed: str) -> list[str]:
    """The columns whose change is a change of the record."""
    table = FEEDS[feed].table
    return [column.name for column in table.columns if column.name == "deleted" or (column.name not in (*PROVENANCE, *FEEDS[feed].key))]


def _replace(connection: Connection, feed: str, incoming: Table, met: Table, result: Loaded, *, run_id: int, touched: Table) -> None:
    """Take out the versions that newer ones replace, and write down what changes."""
    target = FEEDS[feed].table
    replaced = met.c.outcome == "newer"
    old = and_(met.c.old_file_id == target.c.file_id, met.c.old_row_no == target.c.row_no)
    new = and_(met.c.file_id == incoming.c.file_id, met.c.row_no == incoming.c.row_no)
    content = [*FEEDS[feed].key, *_content(feed)]
    pairs = (
        select(*(target.c[one].label(f"old_{one}") for one in content), *(incoming.c[one].label(f"new_{one}") for one in content))
        .select_from(met.join(target, old).join(incoming, new))
        .where(replaced)
    )
    result.restated += insert_rows(connection, restatements, _restated(feed, run_id, connection.execute(pairs).mappings().all()))
    if "order_id" in target.c:
        # The order it belonged to until now; the one it belongs to from now on is touched by the new version.
        moved = select(target.c.order_id).select_from(target.join(met, old)).where(replaced, target.c.order_id.is_not(None))
        connection.execute(insert(touched).from_select(["order_id"], moved))
    counted = connection.execute(select(met.c.old_file_id, func.count()).where(replaced).group_by(met.c.old_file_id)).all()
    result.counts.supersede((file_id, n) for file_id, n in counted)
    connection.execute(delete(target).where(exists().where(old, replaced)))


def _restated(feed: str, run_id: int, pairs: Iterable[Mapping[Any, Any]]) -> Iterable[dict[str, Any]]:
    for pair in pairs:
        changed = [one for one in _content(feed) if pair[f"old_{one}"] != pair[f"new_{one}"]]
        if changed:
            why = "correction"
            if pair["old_deleted"] != pair["new_deleted"]:
                why = "deletion" if pair["new_deleted"] else "undeletion"
            yield {
                "run_id": run_id,
                "feed": feed,
                "key": as_json({one: pair[f"new_{one}"] for one in FEEDS[feed].key}),
                "before": as_json({one: pair[f"old_{one}"] for one in changed}),
                "after": as_json({one: pair[f"new_{one}"] for one in changed}),
                "why": why,
            }


def as_json(values: Mapping[str, Any]) -> str:
    """Canonical values as JSON, decimals and moments as text."""
    return json.dumps({one: _plain(value) for one, value in values.items()}, ensure_ascii=False)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, datetime | date) else value


# --- which orders -----------------------------------------------------------------------------------------------------------------------


def _touch(connection: Connection, changed: Mapping[str, FromClause], touched: Table) -> None:
    """The orders whose verdicts the changed rows of any feed may change."""
    lines, bills = shipment_lines, invoice_lines
    for feed, rows in changed.items():
        if feed in ("orders", "order_lines", "shipment_lines", "invoice_lines"):
            _add(connection, touched, select(rows.c.order_id))
        elif feed == "shipments":
            _add(connection, touched, select(lines.c.order_id).where(lines.c.shipment_id.in_(select(rows.c.shipment_id))))
        elif feed == "invoices":
            named = select(rows.c.invoice_id).union(select(rows.c.reverses_invoice_id).where(rows.c.reverses_invoice_id.is_not(None)))
            _add(connection, touched, select(bills.c.order_id).where(bills.c.invoice_id.in_(named)))
        elif feed == "customers":
            _add(connection, touched, select(orders.c.order_id).where(orders.c.customer_id.in_(select(rows.c.customer_id))))
        elif feed == "products":
            _add(connection, touched, select(order_lines.c.order_id).where(order_lines.c.product_id.in_(select(rows.c.product_id))))
        elif feed == "policies":
            theirs = select(customers.c.customer_id).where(customers.c.policy_id.in_(select(rows.c.policy_id)))
            _add(connection, touched, select(orders.c.order_id).where(orders.c.customer_id.in_(theirs)))


def _add(connection: Connection, touched: Table, order_ids: Select[tuple[str]]) -> None:
    found = order_ids.distinct().subquery()
    connection.execute(insert(touched).from_select(["order_id"], select(found.c.order_id).where(found.c.order_id.is_not(None))))


# --- the ledger -------------------------------------------------------------------------------------------------------------------------


def write_counts(connection: Connection, counts: Counts) -> None:
    """Move the counts of files of earlier runs; those of this run are written with their rows."""
    for file_id in {*counts.loaded, *counts.quarantined, *counts.superseded}:
        moved = {
            "rows_loaded": counts.loaded[file_id],
            "rows_quarantined": counts.quarantined[file_id],
            "rows_superseded": counts.superseded[file_id],
        }
        if any(moved.values()):
            connection.execute(
                update(run_files).where(run_files.c.file_id == file_id).values({one: run_files.c[one] + n for one, n in moved.items()})
            )


def prove(connection: Connection) -> None:
    """Every row of every file is in exactly one of loaded, quarantined, superseded. Raises RunAborted if not.

    The counts were kept while deciding; here the rows themselves are counted.
    """
    about = {row.file_id: row for row in connection.execute(select(run_files))}
    present: Counter[int] = Counter()
    for feed in FEEDS.values():
        present.update(dict(_per_file(connection, feed.table)))
    kept: Counter[int] = Counter(dict(_per_file(connection, quarantine, quarantine.c.status.in_(["rejected", "waiting"]))))
    wrong = [
        f"{row.name} ({row.feed}): {row.rows_in} rows in, ledger {row.rows_loaded} loaded + {row.rows_quarantined} quarantined + "
        f"{row.rows_superseded} superseded, counted {present[file_id]} loaded, {kept[file_id]} quarantined"
        for file_id, row in about.items()
        if row.rows_loaded + row.rows_quarantined + row.rows_superseded != row.rows_in
        or present[file_id] != row.rows_loaded
        or kept[file_id] != row.rows_quarantined
        or min(row.rows_loaded, row.rows_quarantined, row.rows_superseded) < 0
    ]
    unknown = (set(present) | set(kept)) - set(about)
    if wrong or unknown:
        raise RunAborted(
            "The ledger does not add up: " + "; ".join([*wrong[:5], *(f"file {one} is not in run_files" for one in sorted(unknown)[:5])])
        )
