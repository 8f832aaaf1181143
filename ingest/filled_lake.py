"""Publish a lake whose canonical tables another tool fills with Parquet files.

There is no mapping and no quarantine: the rows are used as they are. A file that breaks the data model, or a rule of
values, is refused.
"""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Boolean, Connection, Table, and_, delete, func, insert, literal_column, not_, or_, select

from ingest.errors import RunAborted, SourceRefused
from ingest.runs.watermark import CLOCK_TOLERANCE, latest_event
from ingest.validate.row_rules import rules_of_values
from metrics.errors import SettingRefused
from metrics.rebuild.consistency import check_consistency
from metrics.rebuild.lake_facts import update_facts
from metrics.schema import FEEDS, mapped_columns, metadata, orders, runs
from metrics.sql.dialects import Expression, Rows
from metrics.warehouse import Build, Generation, Lake, Location, writing
from metrics.warehouse.lake import CANONICAL, RUN
from metrics.warehouse.lake_tables import columns_of, create_view, drop_all, is_view, types_of

SOURCE = "lake"
"""Source of the rows in the run history."""


def publish_filled_lake(place: Location, *, time_zone: str, now: datetime | None = None) -> Generation:
    """Build facts from the canonical tables of the lake and publish them.

    time_zone: zone of bare dates, which decides when the last day of the data ends. now: naive UTC, for tests. Raises
    SettingRefused without a lake, or if ingest has loaded records into BUYERVIEW_HOME; SourceRefused for a file that
    breaks the data model; and the errors of a run.
    """
    if place.lake is None:
        raise SettingRefused("BUYERVIEW_LAKE", "it is not set. Write the path of the lake that another tool fills.")
    started_at = now or datetime.now(UTC).replace(tzinfo=None)
    files = {feed: _files(place.lake.folder / CANONICAL / feed) for feed in FEEDS}
    for feed in ("orders", "order_lines"):
        if not files[feed]:
            raise SourceRefused(f"{CANONICAL}/{feed}", "", "there is no Parquet file", "Write the table there.")
    with writing(place) as build:
        connection = build.connection
        present = _show(build, files)
        for feed in FEEDS:
            _refuse_wrong_rows(connection, feed)
        _refuse_broken_rules(connection, place.lake, files, present, started_at + CLOCK_TOLERANCE, time_zone)
        as_of = latest_event(connection, time_zone, present=started_at) or started_at
        update_facts(build, as_of=as_of, touched=None, filled=files)
        for claim in check_consistency(connection):
            if claim.rows_failed:
                reason = f"{claim.rows_failed:,} of {claim.rows_checked:,} rows break the check {claim.name}"
                raise SourceRefused(claim.table, "", reason, "Check the canonical tables.")
        run_id = (connection.scalar(select(func.max(runs.c.run_id))) or 0) + 1
        ended = {"finished_at": datetime.now(UTC).replace(tzinfo=None), "outcome": "published", "data_as_of": as_of}
        number = {"run_id": run_id, "source": SOURCE, "generation": build.number, "data_as_of_declared": False}
        connection.execute(insert(runs).values(started_at=started_at, **number, **ended))
        return build.publish()


def _files(folder: Path) -> list[Path]:
    """Return the Parquet files of another tool. Files of a run are those of Buyerview."""
    found = sorted(folder.rglob("*.parquet"))
    return [file for file in found if not file.relative_to(folder).parts[0].startswith(RUN)]


def _show(build: Build, files: dict[str, list[Path]]) -> dict[str, list[str]]:
    """Show the files of each feed as a view, and note the columns that they have. Return them."""
    connection, feeds = build.connection, [about.table for about in FEEDS.values()]
    metadata.create_all(connection)
    if not is_view(connection, orders) and connection.execute(select(orders.c.order_id).limit(1)).first() is not None:
        why = "it has records that ingest loaded. Choose another folder for a lake that another tool fills."
        raise SettingRefused("BUYERVIEW_HOME", why)
    drop_all(connection, feeds)
    connection.execute(delete(mapped_columns))
    found = {}
    for table in feeds:
        present = columns_of(connection, files[table.name])
        _refuse_wrong_columns(connection, table, present)
        create_view(connection, table, files[table.name], present)
        found[table.name] = [name for name in present if name in table.c]
        if present:
            named = [{"source": SOURCE, "feed": table.name, "column_name": name} for name in found[table.name]]
            connection.execute(insert(mapped_columns), named)
    return found


def _refuse_wrong_columns(connection: Connection, table: Table, present: dict[str, str]) -> None:
    """Raise SourceRefused if a required column is missing or a column has another type than in the data model."""
    for name, wanted in types_of(connection, table).items() if present else ():
        found = present.get(name)
        if found == wanted or (found is None and table.c[name].nullable):
            continue
        reason = f"the type is {found}" if found else "the column is missing"
        do = f"Write it as {wanted}; docs/cluster.md has the data model."
        raise SourceRefused(f"{CANONICAL}/{table.name}", f"column {name}", reason, do)


def _refuse_wrong_rows(connection: Connection, feed: str) -> None:
    """Raise SourceRefused for an empty required value, a moment without its flag, or a key that occurs twice."""
    table, keys = FEEDS[feed].table, _key(feed)
    moments = [
        and_(column.is_not(None), table.c[f"{column.name}_is_date"].is_(None))
        for column in table.c
        if f"{column.name}_is_date" in table.c
    ]
    empty = or_(*[column.is_(None) for column in table.c if not column.nullable], *moments)
    twice = select(*keys).group_by(*keys).having(func.count() > 1)
    for reason, rows in (("a required value is empty", select(*keys).where(empty)), ("the key occurs twice", twice)):
        _refuse_first(connection, feed, rows, reason, "Correct the row.")


def _refuse_broken_rules(
    connection: Connection,
    place: Lake,
    files: dict[str, list[Path]],
    present: dict[str, list[str]],
    latest_event: datetime,
    time_zone: str,
) -> None:
    """Raise SourceRefused for a row that breaks a rule of its values. On Spark, Great Expectations judges the rows.

    The rules are those of ingest, which come without a mapping here. DuckDB looks for the row and the rule.
    """
    suites = {
        feed: rules_of_values(feed, columns, latest_event=latest_event, time_zone=time_zone)
        for feed, columns in present.items()
        if columns
    }
    if place.spark is not None:
        from ingest.validate.expectations import valid_on_spark  # the library behind it takes seconds to import

        rows = sum(connection.scalar(select(func.count()).select_from(FEEDS[feed].table)) or 0 for feed in suites)
        if valid_on_spark(place.spark, {feed: [str(file) for file in files[feed]] for feed in suites}, suites, rows):
            return
    for feed, suite in suites.items():
        if not suite:
            continue
        broken = [not_(literal_column(f"({rule.condition})", Boolean)) for rule in suite]
        counts = connection.execute(
            select(*[func.count().filter(one) for one in broken]).select_from(FEEDS[feed].table)
        )
        for rule, condition, count in zip(suite, broken, counts.one(), strict=True):
            if count:
                reason = f"{count:,} rows break the rule {rule.name} of {rule.column}"
                _refuse_first(connection, feed, select(*_key(feed)).where(condition), reason, rule.do)

    if place.spark is not None:
        raise RunAborted("The validation failed on Spark, but DuckDB finds no row that breaks a rule.")


def _key(feed: str) -> list[Expression]:
    return [FEEDS[feed].table.c[name] for name in FEEDS[feed].key]


def _refuse_first(connection: Connection, feed: str, rows: Rows, reason: str, do: str) -> None:
    """Raise SourceRefused with the key of the first of these rows, if any."""
    first = connection.execute(rows.limit(1)).first()
    if first is not None:
        place = ", ".join(f"{name} {value}" for name, value in zip(FEEDS[feed].key, first, strict=True))
        raise SourceRefused(f"{CANONICAL}/{feed}", place, reason, do)
