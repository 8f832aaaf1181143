"""Runs, files, checks, quarantine, restatements and feeds."""

import json
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, case, func, select

from metrics.lists.rows import Listing, Row, rows_of
from metrics.schema import checks, mapped_columns, quarantine, restatements, run_files, run_warnings, runs

RULES_READ = 50_000
"""Most quarantined records read to count broken rules. Their rules are JSON, which the engines read differently."""


# --- run ledger -------------------------------------------------------------------------------------------------------
def run_history(connection: Connection, *, page: int = 1, size: int = 20) -> Listing:
    """Return the published runs, newest first, each with its rows by outcome."""
    counts = (
        select(
            run_files.c.run_id,
            func.count().label("files"),
            *(
                func.sum(run_files.c[name]).label(name)
                for name in ("rows_in", "rows_loaded", "rows_quarantined", "rows_superseded")
            ),
        )
        .group_by(run_files.c.run_id)
        .subquery()
    )
    listing = (
        select(runs, *(column for column in counts.c if column.name != "run_id"))
        .join(counts, counts.c.run_id == runs.c.run_id, isouter=True)
        .order_by(runs.c.run_id.desc())
        .limit(size)
        .offset((page - 1) * size)
    )
    return Listing(
        rows=rows_of(connection, listing),
        total=int(connection.execute(select(func.count()).select_from(runs)).scalar_one()),
    )


def files_of_run(connection: Connection, run_id: int) -> list[Row]:
    """Return the source objects of a run, one per feed, with row counts."""
    return rows_of(connection, select(run_files).where(run_files.c.run_id == run_id).order_by(run_files.c.file_id))


def checks_of_run(connection: Connection, run_id: int) -> list[Row]:
    """Return the expectations of a run: failed ones first, then by feed."""
    table = checks.c
    failing = case((table.rows_failed > 0, 0), else_=1)
    return rows_of(
        connection,
        select(checks)
        .where(table.run_id == run_id)
        .order_by(failing, table.rows_failed.desc(), table.feed, table.expectation),
    )


def quarantine_counts(connection: Connection) -> list[Row]:
    """Return the number of quarantined records by `feed` and `status`."""
    table = quarantine.c
    counted = select(table.feed.label("feed"), table.status.label("status"), func.count().label("records")).group_by(
        table.feed, table.status
    )
    return sorted(rows_of(connection, counted), key=lambda row: (-row["records"], row["feed"], row["status"]))


def broken_rules(connection: Connection) -> list[Row]:
    """Return the rules that quarantined records broke: `feed`, `rule`, `column`, `records`, the most frequent first.

    A record that broke two rules counts under both. Reads the first `RULES_READ` records.
    """
    table = quarantine.c
    open_records = select(table.feed, table.rules, func.count().label("records")).where(
        table.status.in_(("rejected", "waiting"))
    )
    found: Counter[tuple[str, str, str]] = Counter()
    for row in rows_of(connection, open_records.group_by(table.feed, table.rules).limit(RULES_READ)):
        for rule in {(load.get("rule") or "", load.get("column") or "") for load in json.loads(row["rules"])}:
            found[(row["feed"], *rule)] += int(row["records"])
    return [
        {"feed": feed, "rule": rule, "column": column, "records": records}
        for (feed, rule, column), records in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]


def quarantined(
    connection: Connection,
    *,
    feeds: Sequence[str] = (),
    statuses: Sequence[str] = (),
    rule: str | None = None,
    page: int = 1,
    size: int = 25,
) -> Listing:
    """Return quarantined records as received, with every broken rule (`rules` as a list), newest run first."""
    table = quarantine.c
    view: list[ColumnElement[bool]] = []
    if feeds:
        view.append(table.feed.in_(list(feeds)))
    if statuses:
        view.append(table.status.in_(list(statuses)))
    if rule:
        view.append(table.rules.contains(json.dumps(rule, ensure_ascii=False), autoescape=True))
    order = (table.run_id.desc(), table.file_id, table.row_no)
    rows = rows_of(connection, select(quarantine).where(*view).order_by(*order).limit(size).offset((page - 1) * size))
    for row in rows:
        row["rules"] = json.loads(row["rules"])
    total = connection.execute(select(func.count()).select_from(quarantine).where(*view)).scalar_one()
    return Listing(rows=rows, total=int(total))


def restated_records(connection: Connection, *, page: int = 1, size: int = 25) -> Listing:
    """Return the records whose values a later record changed, newest run first."""
    table = restatements.c
    listing = (
        select(restatements).order_by(table.run_id.desc(), table.feed, table.key).limit(size).offset((page - 1) * size)
    )
    return Listing(
        rows=rows_of(connection, listing),
        total=int(connection.execute(select(func.count()).select_from(restatements)).scalar_one()),
    )


def warnings(connection: Connection) -> list[Row]:
    """Return the present warnings about loaded records, newest run first."""
    c = run_warnings.c
    return rows_of(
        connection, select(run_warnings).order_by(c.run_id.desc(), c.feed, c.code, c.object_name, c.column_name)
    )


def stand_ins(connection: Connection) -> list[Row]:
    """Return the stand-ins that sources declared: `source`, `feed`, `column_name`, `stands_in_for`."""
    table = mapped_columns.c
    declared = table.stands_in_for.is_not(None)
    return rows_of(
        connection, select(mapped_columns).where(declared).order_by(table.source, table.feed, table.column_name)
    )


def mapped_feeds(connection: Connection) -> set[str]:
    """Return the feeds that at least one source maps. Measures of other feeds show "no feed"."""
    return {row["feed"] for row in rows_of(connection, select(mapped_columns.c.feed).distinct())}


def freshness(connection: Connection) -> Row:
    """Return the last run and the end of the data: `data_as_of`, `data_as_of_declared`, `finished_at`, `source`, ...;
    {} without a run.
    """
    latest = select(runs).order_by(runs.c.run_id.desc()).limit(1)
    return next(iter(rows_of(connection, latest)), {})


def feed_rows(connection: Connection) -> list[Row]:
    """Return the rows per feed: `feed`, `rows_loaded`, `rows_in` ..., the last run that delivered rows, and its end
    (`last_came`, UTC).
    """
    table = run_files.c
    counted = select(
        table.feed.label("feed"),
        func.sum(table.rows_in).label("rows_in"),
        func.sum(table.rows_loaded).label("rows_loaded"),
        func.sum(table.rows_quarantined).label("rows_quarantined"),
        func.sum(table.rows_superseded).label("rows_superseded"),
        func.max(table.run_id).label("last_run"),
        func.max(runs.c.finished_at).label("last_came"),
    ).join(runs, runs.c.run_id == table.run_id, isouter=True)
    return sorted(rows_of(connection, counted.group_by(table.feed)), key=lambda row: row["feed"])
