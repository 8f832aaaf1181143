"""Clean rows into the canonical tables: merge by key, keep what changed, let rows that do not fit to others wait and go, and prove the ledger.

Portable SQLAlchemy Core, in the caller's transaction. The winner of a key is the newest `source_updated_at` (none counts as oldest), then
the later run, then the later row, whatever the order of arrival. A row that breaks a rule across rows is tried again in every later run, and
a loaded row whose parent (or whose product's unit) changes is judged again: which of two rows that contradict each other came first decides
nothing. Source: faults, section 1; rules R12, R14, R33, R34.
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

from ingest import rules, units
from ingest.bulk import insert_rows, temporary
from ingest.errors import RunAborted
from ingest.quarantine import Held, put_back, rejudge, set_status
from ingest.tables import as_sent, waiting
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
    stirred: dict[str, list[Table]] = field(default_factory=dict)
    """Keys of loaded rows on which children stand and that are another version now, or gone to quarantine, by feed."""
    quantities: list[dict[str, Any]] = field(default_factory=list)
    """Changes of ordered_qty: order_id, line_no, before_qty, after_qty (rules R14)."""
    released: int = 0
    restated: int = 0

    def check(self, one: Check) -> None:
        """Note a rule's outcome: rows that come in and rows judged again are one check."""
        for other in self.checks:
            if (other.feed, other.rule) == (one.feed, one.rule):
                other.rows_checked += one.rows_checked
                other.rows_failed += one.rows_failed
                return
        self.checks.append(one)


def load(connection: Connection, clean: Mapping[str, Table], arrived: Mapping[int, int], *, run_id: int, touched: Table, first_load: bool) -> Loaded:
    """Merge the clean rows of every feed, parents first, and what waited for them.

    arrived: clean rows per file_id. touched: gets the order_ids whose records changed (left empty by a first load: all are new).
    """
    result = Loaded()
    result.counts.loaded.update(arrived)
    first_file_id = min(arrived, default=0)
    for feed in FEEDS:
        _merge_feed(connection, feed, clean.get(feed), result, run_id=run_id, touched=touched)
        _judge_again(connection, feed, result, run_id=run_id, first_file_id=first_file_id, touched=touched)
        failpoint("ingest.merge")
    if not first_load:
        _touch(connection, result.changed, touched)
    return result


def _merge_feed(connection: Connection, feed: str, clean: Table | None, result: Loaded, *, run_id: int, touched: Table) -> None:
    parked = waiting.get(feed)
    old = _row_ids(connection, parked) if parked is not None else set()
    if clean is not None or old:
        arrivals = _arrivals(clean, parked if old else None)
        found = units.find(connection, feed, arrivals)
        held = _hold(connection, feed, arrivals, found, result)
        kept_out = _kept_out(connection, f"held_{feed}", held)
        new = {row: one for row, one in held.items() if row not in old}
        for file_id, _ in new:
            result.counts.loaded[file_id] -= 1
            result.counts.quarantined[file_id] += 1
        leaving = _park(connection, clean, parked, old, held, kept_out, result) if parked is not None else set()
        passing = units.converted(feed, arrivals, found)
        if held:
            passing = passing.where(not_(_matches(kept_out, arrivals).exists()))
        if found is not None:
            _keep_as_sent(connection, feed, arrivals, found.rows, kept_out)
        target = FEEDS[feed].table
        if connection.execute(select(target.c.file_id).limit(1)).first() is None:
            _fill(connection, feed, passing, result)
        else:
            _merge(connection, feed, passing, result, run_id=run_id, touched=touched)
        if parked is not None and leaving:
            _leave(connection, parked, leaving)
        if found is not None:
            found.drop(connection)
        kept_out.drop(connection)
        result.held[feed] = new
    _forget_as_sent(connection, feed)


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


def _hold(connection: Connection, feed: str, rows: FromClause, found: units.Units | None, result: Loaded) -> dict[RowId, Held]:
    """The rows that break a rule across rows, each with all of them. One that only lacks other rows waits for them."""
    held: dict[RowId, Held] = {}
    suite = [*rules.rules(feed, rows), *(units.rules(feed, rows, found) if found is not None else ())]
    if not suite:
        return held
    total = connection.scalar(select(func.count()).select_from(rows)) or 0
    for rule in suite:
        broken = connection.execute(rule.broken).all()
        for file_id, row_no, value in broken:
            one = held.setdefault((file_id, row_no), Held())
            one.add(rule.name, rule.column, value, rule.do, rule.waits_for)
        result.check(Check(feed, rule.name, rule.column, total, len(broken)))
    return held


def _kept_out(connection: Connection, name: str, held: Iterable[RowId]) -> Table:
    table = temporary(connection, name, Column("file_id", BigInteger), Column("row_no", BigInteger))
    insert_rows(connection, table, ({"file_id": file_id, "row_no": row_no} for file_id, row_no in held))
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
    """Put new rows aside that break a rule across rows. Returns those put aside before that can leave now."""
    leaving = old - set(held)
    if leaving:
        result.released += set_status(connection, leaving, "released")
        for file_id, n in Counter(file_id for file_id, _ in leaving).items():
            result.counts.quarantined[file_id] -= n
            result.counts.loaded[file_id] += n
    rejudge(connection, {row: one for row, one in held.items() if row in old})
    if clean is not None and len(held) > len(held.keys() & old):
        names = [column.name for column in clean.columns]
        connection.execute(insert(parked).from_select(names, select(clean).where(_matches(kept_out, clean).exists())))
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
    result.check(Check(feed, "key_is_unique", ", ".join(FEEDS[feed].key), total + failed, failed))
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
    result.check(Check(feed, "key_is_unique", ", ".join(FEEDS[feed].key), total, sum(n for _, n in repeated)))
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
    found = connection.execute(pairs).mappings().all()
    result.restated += insert_rows(connection, restatements, _restated(feed, run_id, found))
    if feed == "order_lines":
        result.quantities.extend(_requantified(found))
    _stir(connection, feed, result, (pair for pair in found if any(pair[f"old_{one}"] != pair[f"new_{one}"] for one in STIRRING.get(feed, ()))))
    if feed == "payments":
        paid = select(invoice_lines.c.order_id).join(target, target.c.invoice_id == invoice_lines.c.invoice_id).join(met, old)
        _add(connection, touched, paid.where(replaced))
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


def _requantified(pairs: Iterable[Mapping[Any, Any]]) -> Iterable[dict[str, Any]]:
    """Changes of a line's ordered_qty; a withdrawal and its undoing are none. Source: rules R14."""
    for pair in pairs:
        if not pair["old_deleted"] and not pair["new_deleted"] and pair["old_ordered_qty"] != pair["new_ordered_qty"]:
            yield {
                "order_id": pair["new_order_id"],
                "line_no": pair["new_line_no"],
                "before_qty": pair["old_ordered_qty"],
                "after_qty": pair["new_ordered_qty"],
            }


def as_json(values: Mapping[str, Any]) -> str:
    """Canonical values as JSON, decimals and moments as text."""
    return json.dumps({one: _plain(value) for one, value in values.items()}, ensure_ascii=False)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, datetime | date) else value


# --- rows whose parents, or whose units, are others now ---------------------------------------------------------------------------------

STIRRING: dict[str, tuple[str, ...]] = {
    "orders": ("ordered_at", "ordered_at_is_date", "ship_to_time_zone"),
    "order_lines": ("product_id",),
    "shipments": ("shipped_at", "shipped_at_is_date", "received_at", "received_at_is_date"),
    "invoices": ("invoiced_at", "invoiced_at_is_date"),
}
"""Columns a child's rules or units are judged by."""
PARENTS: dict[str, tuple[str, ...]] = {
    "order_lines": ("orders",),
    "shipment_lines": ("orders", "order_lines", "shipments"),
    "invoice_lines": ("orders", "order_lines", "invoices"),
    "promises": ("order_lines",),
    "holds": ("orders",),
    "order_events": ("orders",),
    "returns": ("orders", "order_lines"),
}
"""Feeds whose change may make a loaded row impossible, or turn it into other base units."""


def _stir(connection: Connection, feed: str, result: Loaded, pairs: Iterable[Mapping[Any, Any]]) -> None:
    """Note the keys of loaded rows that children have to be judged by anew."""
    key = FEEDS[feed].key
    rows = [{one: pair[f"new_{one}"] for one in key} for pair in pairs]
    if rows:
        noted = result.stirred.setdefault(feed, [])
        table = temporary(connection, f"stirred_{feed}_{len(noted)}", *(Column(one, FEEDS[feed].table.c[one].type) for one in key))
        insert_rows(connection, table, rows)
        noted.append(table)


def _judge_again(connection: Connection, feed: str, result: Loaded, *, run_id: int, first_file_id: int, touched: Table) -> None:
    """Rows of earlier runs whose parent, or whose product's unit, this run changed: as if they came in now.

    One that has become impossible goes to quarantine and waits there; one that converts otherwise is converted anew from what came.
    """
    target, affected = FEEDS[feed].table, _affected(feed, result, first_file_id)
    if affected is None or connection.execute(select(target.c.row_no).where(affected).limit(1)).first() is None:
        return
    names = [column.name for column in target.columns]
    again = temporary(connection, f"again_{feed}", *(Column(column.name, column.type) for column in target.columns))
    sent = as_sent.get(feed)
    present = select(target).where(affected)
    if sent is not None:
        original = select(*(sent.c[one] for one in names)).join(target, _same_row(sent, target)).where(affected)
        connection.execute(insert(again).from_select(names, original))
        present = present.where(not_(_matches(sent, target).exists()))
    connection.execute(insert(again).from_select(names, present))
    found = units.find(connection, feed, again)
    held = _hold(connection, feed, again, found, result)
    if held:
        if feed in ("shipment_lines", "invoice_lines"):  # what remains of a document that loses lines is shared among fewer orders
            document = FEEDS[feed].key[0]
            _add(connection, touched, select(target.c.order_id).where(target.c[document].in_(select(again.c[document]))))
        _take_out(connection, feed, again, held, result, run_id=run_id)
    if sent is not None:
        _convert_again(connection, feed, again, found, result, run_id=run_id)
    _add(connection, touched, select(again.c.order_id))
    if found is not None:
        found.drop(connection)
    again.drop(connection)


def _affected(feed: str, result: Loaded, first_file_id: int) -> ColumnElement[bool] | None:
    """Which loaded rows of the feed to look at again; None: none."""
    target = FEEDS[feed].table
    conditions: list[ColumnElement[bool]] = []
    for parent in PARENTS.get(feed, ()):
        for keys in result.stirred.get(parent, ()):
            stirred = select(literal(1)).where(*(keys.c[one] == target.c[one] for one in FEEDS[parent].key)).exists()
            conditions.append(and_(stirred, target.c.unit.is_not(None)) if feed == "order_lines" else stirred)
    if feed in as_sent:
        for rows in (result.changed[one] for one in ("products", "unit_factors") if one in result.changed):
            measured = select(rows.c.product_id)
            conditions.append(and_(target.c.unit.is_not(None), _counts_one_of(feed, target, measured)))
    # What came in this run has met its parents as they are now.
    return and_(target.c.file_id < first_file_id, or_(*conditions)) if conditions else None


def _counts_one_of(feed: str, target: Table, measured: Select[Any]) -> ColumnElement[bool]:
    """Whether a row counts one of these products: its own, or its order line's."""
    if feed == "order_lines":
        return target.c.product_id.in_(measured)
    line = and_(order_lines.c.order_id == target.c.order_id, order_lines.c.line_no == target.c.line_no)
    of_line = select(literal(1)).where(line, order_lines.c.product_id.in_(measured)).exists()
    return or_(of_line, target.c.product_id.in_(measured)) if feed == "shipment_lines" else of_line


def _same_row(left: FromClause, right: FromClause) -> ColumnElement[bool]:
    return and_(left.c.file_id == right.c.file_id, left.c.row_no == right.c.row_no)


def _take_out(connection: Connection, feed: str, again: Table, held: Mapping[RowId, Held], result: Loaded, *, run_id: int) -> None:
    """Loaded rows that have become impossible leave for quarantine, where they wait as they came."""
    target = FEEDS[feed].table
    out = _kept_out(connection, f"out_{feed}", held)
    rows = connection.execute(select(again).where(_matches(out, again).exists())).mappings().all()
    connection.execute(insert(waiting[feed]).from_select([one.name for one in again.columns], select(again).where(_matches(out, again).exists())))
    put_back(connection, feed, rows, held, run_id=run_id)
    for table in (target, again, *((as_sent[feed],) if feed in as_sent else ())):
        connection.execute(delete(table).where(_matches(out, table).exists()))
    for file_id, _ in held:
        result.counts.loaded[file_id] -= 1
        result.counts.quarantined[file_id] += 1
    _stir(connection, feed, result, ({f"new_{one}": value for one, value in row.items()} for row in rows))
    out.drop(connection)


def _convert_again(connection: Connection, feed: str, again: Table, found: units.Units | None, result: Loaded, *, run_id: int) -> None:
    """Replace what converts to other quantities or prices than before, and write down what changes."""
    target, sent, names = FEEDS[feed].table, as_sent[feed], [column.name for column in again.columns]
    now = temporary(connection, f"now_{feed}", *(Column(column.name, column.type) for column in again.columns))
    connection.execute(insert(now).from_select(names, units.converted(feed, again, found)))
    content = [*FEEDS[feed].key, *_content(feed)]
    differs = or_(*(now.c[one].is_distinct_from(target.c[one]) for one in _content(feed)))
    pairs = (
        select(*(target.c[one].label(f"old_{one}") for one in content), *(now.c[one].label(f"new_{one}") for one in content))
        .select_from(now.join(target, _same_row(now, target)))
        .where(differs)
    )
    result.restated += insert_rows(connection, restatements, _restated(feed, run_id, connection.execute(pairs).mappings().all()))
    for table in (target, sent):
        connection.execute(delete(table).where(_matches(now, table).exists()))
    connection.execute(insert(target).from_select(names, select(now)))
    if found is not None:
        connection.execute(insert(sent).from_select(names, select(again).where(_matches(found.rows, again).exists())))
    now.drop(connection)


def _keep_as_sent(connection: Connection, feed: str, arrivals: FromClause, converted: Table, kept_out: Table) -> None:
    """Keep rows that are converted as they came, too."""
    names = [column.name for column in as_sent[feed].columns]
    rows = select(*(arrivals.c[one] for one in names)).where(_matches(converted, arrivals).exists(), not_(_matches(kept_out, arrivals).exists()))
    connection.execute(insert(as_sent[feed]).from_select(names, rows))


def _forget_as_sent(connection: Connection, feed: str) -> None:
    """What came of rows that are no longer the present version of their key is of no more use."""
    if feed in as_sent and connection.execute(select(as_sent[feed].c.row_no).limit(1)).first() is not None:
        target = FEEDS[feed].table
        connection.execute(delete(as_sent[feed]).where(not_(_matches(target, as_sent[feed]).exists())))


# --- which orders -----------------------------------------------------------------------------------------------------------------------


def _touch(connection: Connection, changed: Mapping[str, FromClause], touched: Table) -> None:
    """The orders whose verdicts the changed rows of any feed may change."""
    lines, bills = shipment_lines, invoice_lines
    for feed, rows in changed.items():
        if "order_id" in FEEDS[feed].table.c:
            _add(connection, touched, select(rows.c.order_id))
        elif feed == "shipments":
            _add(connection, touched, select(lines.c.order_id).where(lines.c.shipment_id.in_(select(rows.c.shipment_id))))
        elif feed == "invoices":
            named = select(rows.c.invoice_id).union(select(rows.c.reverses_invoice_id).where(rows.c.reverses_invoice_id.is_not(None)))
            _add(connection, touched, select(bills.c.order_id).where(bills.c.invoice_id.in_(named)))
        elif feed == "payments":
            _add(connection, touched, select(bills.c.order_id).where(bills.c.invoice_id.in_(select(rows.c.invoice_id))))
        elif feed == "customers":
            _add(connection, touched, select(orders.c.order_id).where(orders.c.customer_id.in_(select(rows.c.customer_id))))
        elif feed in ("products", "unit_factors"):
            _add(connection, touched, select(order_lines.c.order_id).where(order_lines.c.product_id.in_(select(rows.c.product_id))))
        elif feed == "policies":
            theirs = select(customers.c.customer_id).where(customers.c.policy_id.in_(select(rows.c.policy_id)))
            _add(connection, touched, select(orders.c.order_id).where(orders.c.customer_id.in_(theirs)))


REBUILD_ALL = ("calendars", "fx_rates", "service_packages")
"""Feeds of which one row may change any order."""


def changes_everything(connection: Connection, result: Loaded) -> bool:
    """Whether what came in may change every order, so that no list of orders is worth keeping."""
    return any(
        connection.execute(select(literal(1)).select_from(result.changed[one]).limit(1)).first() for one in REBUILD_ALL if one in result.changed
    )


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
