"""Publish a lake whose canonical tables another tool fills with Parquet files.

There is no mapping and no quarantine: the rows are used as they are. A file that breaks the data model is refused.
"""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Table, and_, delete, func, insert, or_, select

from ingest.errors import SourceRefused
from ingest.runs.watermark import latest_event
from metrics.errors import SettingRefused
from metrics.rebuild.consistency import check_consistency
from metrics.rebuild.lake_facts import update_facts
from metrics.schema import FEEDS, mapped_columns, metadata, orders, runs
from metrics.warehouse import Build, Generation, Location, writing
from metrics.warehouse.lake import CANONICAL, RUN
from metrics.warehouse.lake_tables import columns_of, create_view, drop_all, is_view

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
        _show(build, files)
        for feed in FEEDS:
            _refuse_wrong_rows(connection, feed)
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


def _show(build: Build, files: dict[str, list[Path]]) -> None:
    """Show the files of each feed as a view, and note the columns that they have."""
    connection, feeds = build.connection, [about.table for about in FEEDS.values()]
    metadata.create_all(connection)
    if not is_view(connection, orders) and connection.execute(select(orders.c.order_id).limit(1)).first() is not None:
        why = "it has records that ingest loaded. Choose another folder for a lake that another tool fills."
        raise SettingRefused("BUYERVIEW_HOME", why)
    drop_all(connection, feeds)
    connection.execute(delete(mapped_columns))
    for table in feeds:
        present = columns_of(connection, files[table.name])
        _refuse_wrong_columns(connection, table, present)
        create_view(connection, table, files[table.name], present)
        named = [{"source": SOURCE, "feed": table.name, "column_name": name} for name in present if name in table.c]
        if named:
            connection.execute(insert(mapped_columns), named)


def _refuse_wrong_columns(connection: Connection, table: Table, present: dict[str, str]) -> None:
    """Raise SourceRefused if a required column is missing or a column has another type than in the data model."""
    for column in table.c if present else ():
        wanted = column.type.compile(connection.dialect)
        if not column.nullable and column.name not in present:
            reason = "the column is missing"
        elif column.name in present and not _same_type(present[column.name], wanted):
            reason = f"the type is {present[column.name]}"
        else:
            continue
        do = f"Write it as {wanted}; docs/cluster.md has the data model."
        raise SourceRefused(f"{CANONICAL}/{table.name}", f"column {column.name}", reason, do)


def _same_type(found: str, wanted: str) -> bool:
    """Return if DuckDB describes a type of the data model by this text."""
    names = {"NUMERIC": "DECIMAL", "TEXT": "VARCHAR", " WITHOUT TIME ZONE": "", " ": ""}
    for name, described in names.items():
        wanted = wanted.replace(name, described)
    return found.replace(" ", "") == wanted


def _refuse_wrong_rows(connection: Connection, feed: str) -> None:
    """Raise SourceRefused for an empty required value, a moment without its flag, or a key that occurs twice."""
    table, keys = FEEDS[feed].table, [FEEDS[feed].table.c[name] for name in FEEDS[feed].key]
    moments = [
        and_(column.is_not(None), table.c[f"{column.name}_is_date"].is_(None))
        for column in table.c
        if f"{column.name}_is_date" in table.c
    ]
    empty = or_(*[column.is_(None) for column in table.c if not column.nullable], *moments)
    twice = select(*keys).group_by(*keys).having(func.count() > 1)
    for reason, rows in (("a required value is empty", select(*keys).where(empty)), ("the key occurs twice", twice)):
        first = connection.execute(rows.limit(1)).first()
        if first is not None:
            place = ", ".join(f"{key.name} {value}" for key, value in zip(keys, first, strict=True))
            raise SourceRefused(f"{CANONICAL}/{feed}", place, reason, "Correct the row.")
