"""One run, as its six steps: read → map → validate → load → build → publish.

Reading maps as it goes (one pass per object), validation runs on staged rows, and everything from load on is one transaction: a run that
fails anywhere publishes nothing, and the next one starts from what was published before. Source: faults, sections 1 and 2.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Column, Connection, String, Table, delete, func, insert, select, update

from ingest import history, quarantine, tables
from ingest.bulk import insert_rows, temporary
from ingest.errors import MappingRefused, RunAborted
from ingest.expectations import EVENTS
from ingest.handover import clean_rows
from ingest.load import Loaded, changes_everything, load, prove, write_counts
from ingest.quarantine import Rejected
from ingest.read import Reading, SourceObject, read_all, table_of
from ingest.report import FileReport, RuleReport, RunReport
from ingest.scratch import Scratch, scratch
from ingest.source import FeedMap, Mapping, load_mapping
from metrics.consistency import consistency
from metrics.errors import BuyerviewError
from metrics.failpoint import failpoint
from metrics.rebuild import rebuild
from metrics.schema import FEEDS, checks, mapped_columns, restated_quantities, run_files, runs
from metrics.schema import quarantine as quarantine_table
from metrics.warehouse import Build, Location, create_tables, locate, rehearsing, writing

log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
LENIENCE = timedelta(hours=24)
"""With no declared watermark, an event this long after the start of the run is taken for a mistake, not for the future."""


@dataclass(frozen=True)
class Known:
    """What the warehouse knows of earlier runs of this source."""

    next_file_id: int = 1
    next_run_id: int = 1
    taken: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """(feed, sha256, mapping) to the number of rows."""
    latest: dict[tuple[str, str], str] = field(default_factory=dict)
    """(feed, name) to the sha256 last taken under that name."""
    cursors: dict[str, Any] = field(default_factory=dict)


@dataclass
class Run:
    """The state of one run as it goes through the steps."""

    mapping: Mapping
    started_at: datetime
    known: Known
    reading: Reading
    rejected: dict[str, dict[tuple[int, int], Rejected]] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    loaded: Loaded = field(default_factory=Loaded)
    as_of: datetime | None = None

    @property
    def objects(self) -> list[SourceObject]:
        """Objects read in this run."""
        return self.reading.objects


def run(
    mapping_path: str | Path,
    *,
    data_dir: str | Path | None = None,
    dry_run: bool = False,
    location: Location | None = None,
    progress: Progress | None = None,
    now: datetime | None = None,
) -> RunReport:
    """Take in everything the mapping names and publish a new generation; a dry run does the same to a copy, and says what would come of it.

    data_dir: where the mapping's relative paths start (default: its own folder). now: naive UTC, for tests.
    Raises MappingRefused, SourceRefused, RunAborted, WarehouseBusy; then nothing was published, and the history says why.
    """
    place = location or locate()
    started_at = now or datetime.now(UTC).replace(tzinfo=None)
    path = Path(mapping_path)
    tell = progress or (lambda *_: None)
    if dry_run:
        mapping = load_mapping(path)
        with rehearsing(place) as build:
            return _taken_in(build, lambda _: mapping, data_dir, None, started_at, tell)
    try:
        mapping = load_mapping(path)
    except BuyerviewError as error:
        _remember_failure(place, path.name, started_at, error)
        raise
    return run_mapping(mapping.name, lambda _: mapping, data_dir=data_dir, location=place, progress=tell, now=started_at)


def run_mapping(
    source: str,
    mapping_of: Callable[[Connection], Mapping],
    *,
    data_dir: str | Path | None = None,
    location: Location,
    progress: Progress | None = None,
    now: datetime | None = None,
) -> RunReport:
    """Take in what a mapping names that may depend on the generation the run starts from; otherwise as `run`."""
    started_at = now or datetime.now(UTC).replace(tzinfo=None)
    try:
        with writing(location) as build:
            report = _taken_in(build, mapping_of, data_dir, location, started_at, progress or (lambda *_: None))
    except BuyerviewError as error:
        _remember_failure(location, source, started_at, error)
        raise
    _remember(location, source, started_at, report.outcome, report.generation, report.to_json())
    return report


def _taken_in(
    build: Build,
    mapping_of: Callable[[Connection], Mapping],
    data_dir: str | Path | None,
    place: Location | None,
    started_at: datetime,
    tell: Progress,
) -> RunReport:
    """The six steps of a run of `place`, or with None the first five, of a dry one."""
    create_tables(build.connection)
    tables.create_tables(build.connection)
    mapping = mapping_of(build.connection)
    folder = Path(data_dir) if data_dir else mapping.path.parent
    build.save()
    with _begun(build.connection, mapping, folder, place, started_at) as (one, staging):
        read_all(one.reading, tell)
        if not one.objects and one.reading.repeated:
            return _unchanged(one, build)
        tell("validate", 0.0)
        validate(one)
        tell("load", 0.0)
        touched = load_clean(one, staging, build)
        write_ledger(one, build)
    build.save()
    tell("build", 0.0)
    rebuild_facts(one, build, touched)
    prove(build.connection)
    failpoint("ingest.built")
    if place is None:
        return _report(one, "checked", None)
    tell("publish", 0.0)
    report = _report(one, "published", _finish(one, build))
    build.publish()
    failpoint("ingest.published")
    tell("publish", 1.0)
    return report


@contextmanager
def _begun(connection: Connection, mapping: Mapping, folder: Path, place: Location | None, started_at: datetime) -> Iterator[tuple[Run, Scratch]]:
    known = what_is_known(connection, mapping.name)
    with scratch(place.folder if place else None) as staging:
        database = staging.connect()
        prints = {feed: fingerprint(feed_map, mapping) for feed, feed_map in mapping.feeds.items()}

        def seen(feed: str, name: str, sha256: str) -> int | None:
            # A file that went back to what it was is news: without source_updated_at the later run wins.
            if known.latest.get((feed, name), sha256) != sha256:
                return None
            return known.taken.get((feed, sha256, prints[feed]))

        one = Reading(mapping, folder, staging, database, known.cursors, seen)
        try:
            yield Run(mapping, started_at, known, one), staging
        finally:
            one.connection.close()


# --- validate ---------------------------------------------------------------------------------------------------------------------------


def validate(one: Run) -> None:
    """Run every feed's suite; broken rows are noted with all their rules, and left out from here on."""
    from ingest import expectations  # the library behind it takes seconds to import

    database = one.reading.connection
    latest = one.mapping.data_as_of or one.started_at + LENIENCE
    suites = {
        feed: expectations.rules(feed, feed_map, latest_event=latest, time_zone=one.mapping.time_zone) for feed, feed_map in _as_read(one).items()
    }
    for feed, suite in suites.items():
        expectations.create_view(database, feed, suite)
    database.execute("CREATE TABLE broken (feed VARCHAR, row BIGINT)")
    staged = {feed: int((database.execute(f"SELECT count(*) FROM {table_of(feed)}").fetchone() or (0,))[0]) for feed in suites}
    outcomes = expectations.validate(database, suites, staged)
    one.rejected = quarantine.from_reading(one.objects)
    for feed, found in outcomes.items():
        one.rejected.setdefault(feed, {}).update(quarantine.from_outcomes(database, feed, found, one.mapping))
        one.checks.extend(
            {
                "feed": feed,
                "expectation": outcome.rule.name,
                "column_name": outcome.rule.column,
                "rows_checked": outcome.rows_checked,
                "rows_failed": len(outcome.broken),
            }
            for outcome in found
        )
    failpoint("ingest.validate")


def _as_read(one: Run) -> dict[str, FeedMap]:
    """The feeds' mappings with the columns a SELECT returned."""
    return {feed: one.reading.selected.get(feed, feed_map) for feed, feed_map in one.mapping.feeds.items()}


# --- load -------------------------------------------------------------------------------------------------------------------------------


def load_clean(one: Run, staging: Scratch, build: Build) -> Table | None:
    """Merge the clean rows. Returns the table of touched order_ids; None when everything has to be built."""
    connection, first = build.connection, one.known.next_file_id
    arrived = {first + source.number: source.rows_in for source in one.objects}
    for rejected in one.rejected.values():
        for number, _ in rejected:
            arrived[first + number] -= 1
    database = one.reading.connection
    broken = dict(database.execute("SELECT feed, count(*) FROM broken GROUP BY feed").fetchall())
    database.close()
    empty = connection.execute(select(FEEDS["orders"].table.c.order_id).limit(1)).first() is None
    touched = temporary(connection, "touched_orders", Column("order_id", String))
    feeds = {feed: broken.get(feed, 0) for feed in one.mapping.feeds}
    with clean_rows(connection, staging, feeds, source=one.mapping.name, first_file_id=first) as clean:
        one.loaded = load(connection, clean, arrived, run_id=one.known.next_run_id, touched=touched, first_load=empty)
        everything = empty or changes_everything(connection, one.loaded)
        failpoint("ingest.load")
        _note_held(one, clean, connection)
    build.save()
    if build.dialect == "duckdb":
        connection.exec_driver_sql("DETACH staging")
    else:
        # Its planner has no idea of tables filled in this very transaction, and joins them row by row.
        for feed in (*FEEDS, "touched_orders"):
            connection.exec_driver_sql(f"ANALYZE {feed}")
    one.reading.connection = staging.connect()
    return None if everything else touched


def _note_held(one: Run, clean: dict[str, Table], connection: Connection) -> None:
    """Rows that broke a rule across rows, as rejected records."""
    first = one.known.next_file_id
    for feed, held in one.loaded.held.items():
        if not held:
            continue
        table = clean[feed]
        marked = temporary(connection, f"noted_{feed}", Column("file_id", table.c.file_id.type), Column("row_no", table.c.row_no.type))
        insert_rows(connection, marked, ({"file_id": file_id, "row_no": row_no} for file_id, row_no in held))
        keys = [*FEEDS[feed].key, *(name for name in ("order_id", "line_no") if name in table.c and name not in FEEDS[feed].key)]
        found = connection.execute(
            select(table.c.file_id, table.c.row_no, *(table.c[name] for name in keys)).join(
                marked, (marked.c.file_id == table.c.file_id) & (marked.c.row_no == table.c.row_no)
            )
        )
        for row in found.mappings():
            about = held[row["file_id"], row["row_no"]]
            number = row["file_id"] - first
            key = {name: str(row[name]) if row[name] is not None else None for name in FEEDS[feed].key}
            one.rejected.setdefault(feed, {})[number, row["row_no"]] = Rejected(
                number, row["row_no"], about.rules, key, row.get("order_id"), row.get("line_no"), waits_for=about.waits_for
            )
        marked.drop(connection)


# --- the ledger -------------------------------------------------------------------------------------------------------------------------


def write_ledger(one: Run, build: Build) -> None:
    """Quarantine, files, checks, mapped columns, cursors: in the same transaction as the data."""
    connection, run_id, first = build.connection, one.known.next_run_id, one.known.next_file_id
    objects = {source.number: source for source in one.objects}
    for rejected in one.rejected.values():
        quarantine.keep(connection, one.reading.connection, rejected, objects, run_id=run_id, first_file_id=first)
    failpoint("ingest.quarantine")
    insert_rows(connection, run_files, _file_rows(one))
    write_counts(connection, one.loaded.counts)
    _drop_outdated(one, connection)
    one.checks.extend(
        {
            "feed": check.feed,
            "expectation": check.rule,
            "column_name": check.column,
            "rows_checked": check.rows_checked,
            "rows_failed": check.rows_failed,
        }
        for check in one.loaded.checks
    )
    insert_rows(connection, checks, ({"run_id": run_id, **check} for check in one.checks))
    _write_mapped(one, connection)
    _write_taken(one, connection)
    failpoint("ingest.ledger")


def _file_rows(one: Run) -> Iterator[dict[str, Any]]:
    """New files with nothing loaded yet: `write_counts` moves what the load decided."""
    first = one.known.next_file_id
    unreadable = Counter(number for feed in one.rejected.values() for (number, _), row in feed.items() if not _held(one, row))
    for source in one.objects:
        yield {
            "file_id": first + source.number,
            "run_id": one.known.next_run_id,
            "source": one.mapping.name,
            "feed": source.feed,
            "name": source.name,
            "sha256": source.sha256,
            "rows_staged": source.rows_staged,
            "rows_in": source.rows_in,
            "rows_loaded": 0,
            "rows_quarantined": unreadable[source.number],
            "rows_superseded": 0,
        }
    for position, source in enumerate(one.reading.repeated):
        yield {
            "file_id": first + len(one.objects) + position,
            "run_id": one.known.next_run_id,
            "source": one.mapping.name,
            "feed": source.feed,
            "name": source.name,
            "sha256": source.sha256,
            "rows_staged": source.rows_staged,
            "rows_in": source.rows_in,
            "rows_loaded": 0,
            "rows_quarantined": 0,
            "rows_superseded": source.rows_in,
        }


def _held(one: Run, row: Rejected) -> bool:
    file_id = one.known.next_file_id + row.object_no
    return any((file_id, row.row_no) in held for held in one.loaded.held.values())


def _drop_outdated(one: Run, connection: Connection) -> None:
    """Rejected records that a later one has replaced leave the quarantine's count for the superseded one."""
    for file_id, n in quarantine.drop_replaced(connection, one.known.next_run_id, one.known.next_file_id).items():
        moved = {"rows_quarantined": run_files.c.rows_quarantined - n, "rows_superseded": run_files.c.rows_superseded + n}
        connection.execute(update(run_files).where(run_files.c.file_id == file_id).values(moved))


def _write_mapped(one: Run, connection: Connection) -> None:
    connection.execute(delete(mapped_columns).where(mapped_columns.c.source == one.mapping.name))
    insert_rows(
        connection,
        mapped_columns,
        (
            {"source": one.mapping.name, "feed": feed, "column_name": column, "stands_in_for": about.stands_in_for}
            for feed, feed_map in _as_read(one).items()
            for column, about in feed_map.columns.items()
        ),
    )


def _write_taken(one: Run, connection: Connection) -> None:
    first = one.known.next_file_id
    insert_rows(
        connection,
        tables.taken,
        (
            {
                "source": one.mapping.name,
                "feed": source.feed,
                "sha256": source.sha256,
                "mapping": fingerprint(one.mapping.feeds[source.feed], one.mapping),
                "file_id": first + source.number,
            }
            for source in one.objects
            if source.cursor is None
        ),
    )
    for source in one.objects:
        if source.cursor is not None:
            mine = (tables.cursors.c.source == one.mapping.name) & (tables.cursors.c.feed == source.feed)
            connection.execute(delete(tables.cursors).where(mine))
            kind, value = _written(source.cursor)
            connection.execute(insert(tables.cursors).values(source=one.mapping.name, feed=source.feed, kind=kind, value=value))


def _written(cursor: Any) -> tuple[str, str]:
    if isinstance(cursor, datetime):
        return "datetime", cursor.isoformat()
    if isinstance(cursor, date):
        return "date", cursor.isoformat()
    return ("int", str(cursor)) if isinstance(cursor, int) else ("text", str(cursor))


def _read_back(kind: str, value: str) -> Any:
    if kind == "datetime":
        return datetime.fromisoformat(value)
    if kind == "date":
        return date.fromisoformat(value)
    return int(value) if kind == "int" else value


def fingerprint(feed_map: FeedMap, mapping: Mapping) -> str:
    """What of a mapping decides how an object's records are read: the same content under another fingerprint is read again."""
    as_of = None if mapping.store else mapping.data_as_of  # the store's rows are cut at it, and show it themselves
    text = json.dumps([feed_map.model_dump(mode="json"), mapping.time_zone, str(as_of)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def what_is_known(connection: Connection, source: str) -> Known:
    """What earlier runs left: the next numbers, the objects this source has brought, how far its cursors are."""
    files = {row.file_id: row for row in connection.execute(select(run_files.c.file_id, run_files.c.rows_in, run_files.c.name))}
    taken: dict[tuple[str, str, str], int] = {}
    latest: dict[tuple[str, str], str] = {}
    mine = select(tables.taken).where(tables.taken.c.source == source).order_by(tables.taken.c.file_id)
    for row in connection.execute(mine):
        taken[row.feed, row.sha256, row.mapping] = files[row.file_id].rows_in
        latest[row.feed, files[row.file_id].name] = row.sha256
    cursors = {
        row.feed: _read_back(row.kind, row.value) for row in connection.execute(select(tables.cursors).where(tables.cursors.c.source == source))
    }
    last_run = connection.scalar(select(func.max(runs.c.run_id))) or 0
    return Known(max(files, default=0) + 1, last_run + 1, taken, latest, cursors)


# --- build and publish ------------------------------------------------------------------------------------------------------------------


def rebuild_facts(one: Run, build: Build, touched: Table | None) -> None:
    """Bring facts and rollups to the data's watermark: the orders touched, or all of them."""
    connection = build.connection
    one.as_of = one.mapping.data_as_of or latest_event(connection, one.mapping.time_zone) or one.started_at
    as_of = {"run_id": one.known.next_run_id, "data_as_of": one.as_of}
    insert_rows(connection, restated_quantities, ({**as_of, **row} for row in one.loaded.quantities))
    if touched is not None:
        freed = select(quarantine_table.c.order_id).where(
            quarantine_table.c.status.in_(["released", "dropped"]), quarantine_table.c.order_id.is_not(None)
        )
        connection.execute(insert(touched).from_select(["order_id"], freed.distinct()))
    rebuild(connection, as_of=one.as_of, touched=touched.name if touched is not None else None)
    refuse_impossible_numbers(one, connection)


def refuse_impossible_numbers(one: Run, connection: Connection) -> None:
    """Write what must hold of all facts and rollups to the checks; a run whose numbers cannot be is not published (rules P13).

    Raises RunAborted.
    """
    claims = consistency(connection)
    for claim in claims:
        if claim.rows_failed:
            raise RunAborted(
                f"{claim.rows_failed:,} of {claim.rows_checked:,} rows of {claim.table} break {claim.name}: a defect of ours, report it."
            )
    held = [
        {"feed": claim.table, "expectation": claim.name, "column_name": None, "rows_checked": claim.rows_checked, "rows_failed": 0}
        for claim in claims
    ]
    one.checks.extend(held)
    insert_rows(connection, checks, ({"run_id": one.known.next_run_id, **check} for check in held))


NOT_OURS = ("buyer_scorecards", "service_costs")
"""Feeds whose days do not move the watermark: the buyer's own book, and the days costs are booked on."""


def latest_event(connection: Connection, time_zone: str) -> datetime | None:
    """The latest accepted event of all data, naive UTC: a bare date is the end of that day where the source is."""
    found: list[datetime] = []
    for feed, column in ((feed, column) for feed, columns in EVENTS.items() if feed not in NOT_OURS for column in columns):
        table = FEEDS[feed].table
        value, is_date = table.c[column], table.c[f"{column}_is_date"]
        for bare, moment in connection.execute(select(is_date, func.max(value)).where(value.is_not(None)).group_by(is_date)):
            found.append(_end_of_day(moment.date(), time_zone) if bare else moment)
    return max(found, default=None)


def _end_of_day(day: date, time_zone: str) -> datetime:
    following = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(time_zone))
    return following.astimezone(UTC).replace(tzinfo=None) - timedelta(microseconds=1)


def _finish(one: Run, build: Build) -> int:
    build.connection.execute(
        insert(runs).values(
            run_id=one.known.next_run_id,
            source=one.mapping.name,
            started_at=one.started_at,
            finished_at=datetime.now(UTC).replace(tzinfo=None),
            outcome="published",
            data_as_of=one.as_of,
            data_as_of_declared=one.mapping.data_as_of is not None,
            generation=build.number,
        )
    )
    return build.number


# --- what is said of it -----------------------------------------------------------------------------------------------------------------


def _report(one: Run, outcome: str, generation: int | None) -> RunReport:
    first, counts = one.known.next_file_id, one.loaded.counts
    early = Counter(number for feed in one.rejected.values() for (number, _), row in feed.items() if not _held(one, row))
    files = [
        FileReport(
            source.feed,
            source.name,
            source.sha256,
            source.rows_in,
            counts.loaded[first + source.number],
            counts.quarantined[first + source.number] + early[source.number],
            counts.superseded[first + source.number],
        )
        for source in one.objects
    ]
    files += [
        FileReport(source.feed, source.name, source.sha256, source.rows_in, 0, 0, source.rows_in, repeated=True) for source in one.reading.repeated
    ]
    return RunReport(
        run_id=one.known.next_run_id if outcome == "published" else None,
        generation=generation,
        source=one.mapping.name,
        outcome=outcome,
        started_at=one.started_at,
        finished_at=datetime.now(UTC).replace(tzinfo=None),
        data_as_of=one.as_of,
        data_as_of_declared=one.mapping.data_as_of is not None,
        files=tuple(files),
        rules_broken=tuple(_rules_broken(one)),
        checks=len(one.checks),
        checks_failed=sum(1 for check in one.checks if check["rows_failed"]),
        released=one.loaded.released,
        restated=one.loaded.restated,
    )


def _rules_broken(one: Run) -> Iterator[RuleReport]:
    names = {source.number: source.name for source in one.objects}
    found: dict[tuple[str, str, str | None], list[tuple[Rejected, str]]] = {}
    for feed, rejected in one.rejected.items():
        for row in rejected.values():
            for rule in row.rules:
                found.setdefault((feed, rule.rule, rule.column), []).append((row, rule.message))
    for (feed, rule_name, column), rows in sorted(found.items(), key=lambda item: -len(item[1])):
        row, message = min(rows, key=lambda item: (item[0].object_no, item[0].row_no))
        yield RuleReport(feed, rule_name, column, len(rows), message, f"{names[row.object_no]}, record {row.row_no}")


def _unchanged(one: Run, build: Build) -> RunReport:
    """Nothing but repeats: no generation is published, so running twice is running once."""
    return _report(one, "unchanged", build.base.number if build.base else None)


def _remember_failure(place: Location, source: str, started_at: datetime, error: BuyerviewError) -> None:
    _remember(place, source, started_at, "failed", None, {"error": type(error).__name__, "message": str(error)})


def _remember(place: Location, source: str, started_at: datetime, outcome: str, generation: int | None, report: dict[str, object]) -> None:
    history.record(
        place,
        source=source,
        started_at=started_at,
        finished_at=datetime.now(UTC).replace(tzinfo=None),
        outcome=outcome,
        generation=generation,
        report=report,
    )


__all__ = ["MappingRefused", "RunReport", "run"]
