"""An ingest run in six steps: read, map, validate, load, build, publish.

Reading and mapping take one pass per source object. Validation runs on staged rows. All steps from load on form one
transaction. A run that fails publishes nothing, and the next run starts from the last published data.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Column, Connection, String, Table, insert, select

from ingest.errors import HistoryNotWritten, RunAborted
from ingest.load.clean_rows import clean_rows
from ingest.load.load import load
from ingest.load.quantity_versions import store_versions
from ingest.load.touched_orders import affects_all_orders
from ingest.mapping.mapping_file import Mapping, load_mapping
from ingest.quarantine import records
from ingest.quarantine.records import Rejected
from ingest.quarantine.values import read_columns, without_broken
from ingest.read.read import read_all
from ingest.read.reader_process import ReaderProcess
from ingest.read.source_objects import Reading
from ingest.read.staging import staging_table
from ingest.runs import clock, history
from ingest.runs.earlier_records import report_conflicting_records, withdraw_missing_records
from ingest.runs.ledger import check_balance, write_ledger
from ingest.runs.report import RunReport, build_report
from ingest.runs.run_state import RunState, effective_feeds, fingerprint, previous_runs
from ingest.runs.watermark import last_watermark, latest_event, passed_by_events
from ingest.storage import tables
from ingest.storage.bulk_insert import create_temporary, insert_rows
from ingest.storage.garbage_collection import rare_garbage_collection
from ingest.storage.scratch_database import Scratch, scratch
from ingest.validate import row_rules
from ingest.validate.undated_cancellations import date_cancellations
from metrics.errors import BuyerviewError, WarehouseError
from metrics.provenance.run_chain import hash_of_next
from metrics.queries.outdated import missing_column
from metrics.rebuild.consistency import check_consistency
from metrics.rebuild.lake_facts import update_facts
from metrics.schema import FEEDS, checks, runs
from metrics.sql.dialects import analyze
from metrics.warehouse import Build, Location, copy_for_dry_run, create_tables, locate, writing
from metrics.warehouse.failpoint import failpoint

Progress = Callable[[str, float], None]


def run(
    mapping_path: str | Path,
    *,
    data_dir: str | Path | None = None,
    dry_run: bool = False,
    location: Location | None = None,
    progress: Progress | None = None,
    now: datetime | None = None,
) -> RunReport:
    """Ingest all feeds of a mapping and publish a new generation. A dry run works on a copy and publishes nothing.

    data_dir: the folder where the mapping's relative paths start (default: the mapping's own folder). now: naive UTC,
    for tests. Raises MappingRefused, SourceRefused, ClockRefused, RunAborted or a WarehouseError. Then nothing is
    published, and the run history records the error. Raises HistoryNotWritten after a publish.
    """
    place = location or locate()
    started_at = now or datetime.now(UTC).replace(tzinfo=None)
    path = Path(mapping_path)
    report_progress = progress or (lambda *_: None)
    if dry_run:
        mapping = load_mapping(path)
        with copy_for_dry_run(place) as build:
            return _run_steps(build, lambda _: mapping, data_dir, None, started_at, report_progress)
    try:
        mapping = load_mapping(path)
    except BuyerviewError as error:
        history.record_failure(place, path.name, started_at, error)
        raise
    return run_mapping(
        mapping.name, lambda _: mapping, data_dir=data_dir, location=place, progress=report_progress, now=started_at
    )


def run_mapping(
    source: str,
    mapping_of: Callable[[Connection], Mapping],
    *,
    data_dir: str | Path | None = None,
    location: Location,
    progress: Progress | None = None,
    now: datetime | None = None,
) -> RunReport:
    """Ingest a mapping that depends on the generation the run starts from. See `run` for arguments and errors."""
    started_at = now or datetime.now(UTC).replace(tzinfo=None)
    try:
        with writing(location) as build:
            report = _run_steps(build, mapping_of, data_dir, location, started_at, progress or (lambda *_: None))
    except Exception as error:
        history.record_failure(location, source, started_at, error)
        raise
    try:
        history.record(location, source, started_at, report.outcome, report.generation, report.to_json())
    except WarehouseError as error:
        raise HistoryNotWritten(report.outcome, report.generation, str(error)) from error
    return report


@rare_garbage_collection()
def _run_steps(
    build: Build,
    mapping_of: Callable[[Connection], Mapping],
    data_dir: str | Path | None,
    place: Location | None,
    started_at: datetime,
    report_progress: Progress,
) -> RunReport:
    """Run the six steps on `place`. With None, run the first five, for a dry run.

    Data of an earlier version of Buyerview are rebuilt even if no object is new, so that pages can read them.
    """
    outdated = build.base is not None and missing_column(build.connection) is not None
    create_tables(build.connection)
    tables.create_tables(build.connection)
    mapping = mapping_of(build.connection)
    folder = Path(data_dir) if data_dir else mapping.path.parent
    build.save()
    with _open_run(build.connection, mapping, folder, place, started_at) as (state, staging):
        read_all(state.reading, report_progress)
        if not state.objects and state.reading.repeated and not outdated:
            # All objects were read before. A second run of the same files publishes no generation.
            state.as_of = last_watermark(build.connection)
            return build_report(state, "unchanged", build.base.number if build.base else None)
        report_progress("validate", 0.0)
        validate(state)
        report_progress("load", 0.0)
        touched = load_clean(state, staging, build)
        write_ledger(state, build)
    build.save()
    report_progress("build", 0.0)
    rebuild_facts(state, build, touched)
    check_balance(build.connection)
    failpoint("ingest.built")
    if place is None:
        return build_report(state, "checked", None)
    report_progress("publish", 0.0)
    report = build_report(state, "published", _record_run(state, build))
    build.publish()
    failpoint("ingest.published")
    report_progress("publish", 1.0)
    return report


@contextmanager
def _open_run(
    connection: Connection, mapping: Mapping, folder: Path, place: Location | None, started_at: datetime
) -> Iterator[tuple[RunState, Scratch]]:
    clock.refuse_clock_behind(connection, started_at)
    known = previous_runs(connection, mapping)
    retried, pulls_from = clock.objects_to_retry(connection, mapping, started_at, known.cursors)
    with scratch(place.folder if place else None) as staging, ReaderProcess(staging.folder) as readers:
        database = staging.connect()
        prints = {feed: fingerprint(feed_map, mapping) for feed, feed_map in mapping.feeds.items()}

        def seen(feed: str, name: str, sha256: str) -> int | None:
            # A file that returns to earlier content is read again: without source_updated_at, the later run wins.
            if known.latest.get((feed, name), sha256) != sha256:
                return None
            file_id = known.file_ids.get((feed, sha256, prints[feed]))
            return None if file_id in retried else known.taken.get((feed, sha256, prints[feed]))

        state = Reading(
            mapping,
            folder,
            staging,
            database,
            readers,
            pulls_from,
            seen,
            filled=known.filled,
            last_names=known.last_names,
        )
        try:
            yield RunState(mapping, started_at, known, state), staging
        finally:
            state.connection.close()


def validate(state: RunState) -> None:
    """Run the suite of every feed. Rows that break a rule are rejected, each with all rules it breaks."""
    from ingest.validate import expectations  # the library behind it takes seconds to import

    database = state.reading.connection
    latest = clock.latest_possible_event(state.mapping, state.started_at)
    for feed, feed_map in effective_feeds(state).items():
        state.assumed_cancellations[feed] = date_cancellations(database, feed, feed_map, latest)
    suites = {
        feed: row_rules.rules(feed, feed_map, latest_event=latest, time_zone=state.mapping.time_zone)
        for feed, feed_map in effective_feeds(state).items()
    }
    expectations.judge_rows(database, suites)
    database.execute("CREATE TABLE broken (feed VARCHAR, row BIGINT)")
    staged = {
        feed: int((database.execute(f"SELECT count(*) FROM {staging_table(feed)}").fetchone() or (0,))[0])
        for feed in suites
    }
    check = expectations.validate if state.mapping.store is None else expectations.validate_edits
    outcomes = check(database, suites, staged)
    state.rejected = records.unreadable_records(state.objects)
    for feed, feed_outcomes in outcomes.items():
        state.rejected.setdefault(feed, {}).update(
            records.rule_breaking_records(database, feed, feed_outcomes, state.mapping)
        )
        clock.note_rejections(database, feed, feed_outcomes, state.retry_from)
        state.checks.extend(
            {
                "feed": feed,
                "expectation": outcome.rule.name,
                "column_name": outcome.rule.column,
                "rows_checked": outcome.rows_checked,
                "rows_failed": len(outcome.broken),
            }
            for outcome in feed_outcomes
        )
    failpoint("ingest.validate")


def load_clean(state: RunState, staging: Scratch, build: Build) -> Table | None:
    """Merge the clean rows. Returns the table of touched order_ids, or None if all facts must be rebuilt."""
    connection, first, is_edit = build.connection, state.known.next_file_id, state.mapping.store is not None
    arrived = {first + source.number: source.rows_in for source in state.objects}
    for rejected in state.rejected.values():
        for number, _ in rejected:
            arrived[first + number] -= 1
    database = state.reading.connection
    broken = dict(database.execute("SELECT feed, count(*) FROM broken GROUP BY feed").fetchall())
    database.close()
    empty = connection.execute(select(FEEDS["orders"].table.c.order_id).limit(1)).first() is None
    touched = create_temporary(connection, "touched_orders", Column("order_id", String))
    feeds = {feed: broken.get(feed, 0) for feed in state.mapping.feeds}
    with clean_rows(connection, staging, feeds, source=state.mapping.name, first_file_id=first) as clean:
        state.loaded = load(
            connection,
            clean,
            arrived,
            run_id=state.known.next_run_id,
            touched=touched,
            first_load=empty,
            feeds=state.mapping.feeds if is_edit else FEEDS,  # rows wait for parents, but never for a user edit
            after_merge=withdraw_missing_records(state, clean, connection, touched),
        )
        report_conflicting_records(state, connection)
        everything = empty or affects_all_orders(connection, state.loaded)
        failpoint("ingest.load")
        _reject_rule_breaks(state, clean, connection)
    build.save()
    if build.dialect == "duckdb":
        connection.exec_driver_sql("DETACH staging")
    analyze(connection, touched)
    state.reading.connection = staging.connect()
    return None if everything else touched


def _reject_rule_breaks(state: RunState, clean: dict[str, Table], connection: Connection) -> None:
    """Add rows that break a cross-row rule to the rejected records."""
    first = state.known.next_file_id
    for feed, kept_out in state.loaded.kept_out.items():
        if not kept_out:
            continue
        table = clean[feed]
        marked = create_temporary(
            connection, f"noted_{feed}", Column("file_id", table.c.file_id.type), Column("row_no", table.c.row_no.type)
        )
        insert_rows(connection, marked, ({"file_id": file_id, "row_no": row_no} for file_id, row_no in kept_out))
        keys = dict.fromkeys(
            [*FEEDS[feed].key, *(name for name in ("order_id", "line_no") if name in table.c), *read_columns(feed)]
        )
        rows = connection.execute(
            select(table.c.file_id, table.c.row_no, *(table.c[name] for name in keys)).join(
                marked, (marked.c.file_id == table.c.file_id) & (marked.c.row_no == table.c.row_no)
            )
        )
        for row in rows.mappings():
            breaks = kept_out[row["file_id"], row["row_no"]]
            number = row["file_id"] - first
            key = {name: str(row[name]) if row[name] is not None else None for name in FEEDS[feed].key}
            state.rejected.setdefault(feed, {})[number, row["row_no"]] = Rejected(
                number,
                row["row_no"],
                breaks.rules,
                key,
                row.get("order_id"),
                row.get("line_no"),
                waits_for=breaks.waits_for,
                values=without_broken(feed, dict(row), {rule.column for rule in breaks.rules if rule.column} - {*key}),
            )
        marked.drop(connection)


def rebuild_facts(state: RunState, build: Build, touched: Table | None) -> None:
    """Update facts and rollups to the watermark of the data, for the touched orders or for all (None)."""
    connection = build.connection
    state.as_of = (
        state.mapping.data_as_of
        or latest_event(connection, state.mapping.time_zone, present=state.started_at)
        or state.started_at
    )
    if state.loaded.quantities is not None:
        store_versions(connection, state.loaded.quantities, run_id=state.known.next_run_id, as_of=state.as_of)
    if touched is not None and passed_by_events(connection, state.as_of, before_file=state.known.next_file_id):
        touched = None  # a partial rebuild would miss events between the two watermarks
    feeds = state.loaded.changed_feeds(connection) if state.mapping.store is not None else None
    update_facts(build, as_of=state.as_of, touched=touched.name if touched is not None else None, feeds=feeds)
    refuse_inconsistent_numbers(state, connection)


def refuse_inconsistent_numbers(state: RunState, connection: Connection) -> None:
    """Record the checks of facts and rollups. Raises RunAborted if one fails. Source: P13 (consistency checks)."""
    claims = check_consistency(connection)
    for claim in claims:
        if claim.rows_failed:
            raise RunAborted(
                f"{claim.rows_failed:,} of {claim.rows_checked:,} rows of {claim.table} break the check {claim.name}. "
                "This is a defect of Buyerview; please report it."
            )
    names = ("feed", "expectation", "column_name", "rows_checked", "rows_failed")
    passed: list[dict[str, object]] = [
        dict(zip(names, (claim.table, claim.name, None, claim.rows_checked, 0), strict=True)) for claim in claims
    ]
    state.checks.extend(passed)
    insert_rows(connection, checks, ({"run_id": state.known.next_run_id, **check} for check in passed))


def _record_run(state: RunState, build: Build) -> int:
    values = {
        "run_id": state.known.next_run_id,
        "source": state.mapping.name,
        "started_at": state.started_at,
        "finished_at": datetime.now(UTC).replace(tzinfo=None),
        "outcome": "published",
        "data_as_of": state.as_of,
        "data_as_of_declared": state.mapping.data_as_of is not None,
        "generation": build.number,
    }
    build.connection.execute(insert(runs).values(**values, sha256=hash_of_next(build.connection, values)))
    return build.number
