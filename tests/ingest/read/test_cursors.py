"""I2: incremental pulls by a cursor of any orderable type, from real databases.

Source: docs/mapping-reference.md, example 3.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from sqlalchemy import select

from ingest.errors import SourceRefused
from ingest.runs.report import RunReport
from ingest.storage.tables import cursors
from metrics.warehouse import reading
from tests.ingest.files import LINES, Source
from tests.support import postgres
from tests.support.every_case import EVERY_CASE

CHANGED = "update erp set placed = '2026-03-04', {} where no = 'O2'"

TYPES = {
    "timestamptz": ("2020-01-01T00:00:00", "'2026-03-02 10:00:00+00'", "'2026-03-02 11:00:00+00'"),
    "timestamp": ("2020-01-01T00:00:00", "'2026-03-02 10:00:00'", "'2026-03-02 11:00:00'"),
    "date": ("2020-01-01", "'2026-03-02'", "'2026-03-03'"),
    "numeric(20,0)": ("0", "101", "102"),
    "numeric(12,3)": ("0.5", "101.125", "101.250"),
    "bigint": ("0", "30000000000", "30000000001"),
    "varchar": ("''", "'v-09'", "'v-10'"),
    "uuid": (
        "'00000000-0000-0000-0000-000000000000'",
        "'00000000-0000-0000-0000-00000000000a'",
        "'00000000-0000-0000-0000-00000000000b'",
    ),
}
"""Column types: cursor_start in TOML, and the values of O1 and O2 as SQL."""

EVERY_TYPE = pytest.param((), marks=pytest.mark.long, id="all")  # three whole runs for each type


def only(types: dict[str, tuple[str, str, str]], chosen: tuple[str, ...]) -> dict[str, tuple[str, str, str]]:
    """Return the chosen types, or all types if none is chosen."""
    return {kind: types[kind] for kind in chosen} if chosen else types


def pull(source: Source, column: str, start: str, monkeypatch: pytest.MonkeyPatch, url: str) -> RunReport:
    """Pull the orders of the table `erp` by one of its columns."""
    monkeypatch.setenv("ERP_URL", url)
    source.columns["orders"] = {"order_id": "'no'", "customer_id": "'customer'", "ordered_at": "'placed'"}
    source.origin["orders"] = (
        f'connection = "env:ERP_URL"\nquery = "select * from erp where {column} >= :cursor order by {column}"\n'
        f'cursor = "{column}"\ncursor_start = {start}'
    )
    return source.take_in()


def pulls_again(
    source: Source, types: dict[str, tuple[str, str, str]], monkeypatch: pytest.MonkeyPatch, url: str,
    execute: Callable[[str], Any],
) -> None:  # fmt: skip
    """Pull three times by a column of each type: everything, then the last order again, then a change."""
    listed = ", ".join(f"c{number} {kind}" for number, kind in enumerate(types))
    execute(f"create table erp (no varchar(9), customer varchar(9), placed varchar(30), {listed})")
    for order, place in (("O1", 1), ("O2", 2)):
        values = ", ".join(one[place] for one in types.values())
        execute(f"insert into erp values ('{order}', 'C1', '2026-03-01', {values})")
    for number, (kind, (start, low, high)) in enumerate(types.items()):
        source.head = ""
        name = f"c{number}"
        read = [pull(source, name, start, monkeypatch, url) for _ in range(2)]
        execute(CHANGED.format(f"{name} = {high}").replace("2026-03-04", f"2026-03-{10 + number}"))
        read.append(pull(source, name, start, monkeypatch, url))
        orders = [next(file for file in report.files if file.feed == "orders") for report in read]
        assert [file.rows_in for file in orders] == [2, 1, 1], (kind, low)
        assert [file.name for file in orders] == ["ERP_URL: orders"] * 3
        assert read[1].outcome == "unchanged", f"{kind}: O2 came again as it was"
        assert orders[2].rows_loaded == 1, f"{kind}: the change of O2 replaces its record"


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.parametrize("chosen", [("timestamptz", "bytea"), *([EVERY_TYPE] if EVERY_CASE else ())])
def test_i2_cursor_of_any_type_continues_the_pull_from_postgresql(
    chosen: tuple[str, ...], source: Source, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = only({**TYPES, "bytea": ('"0x00"', r"'\x0000000000000a00'", r"'\x0000000000000a01'")}, chosen)
    with psycopg.connect(postgres.plain(postgres_database), autocommit=True) as database:
        pulls_again(source, types, monkeypatch, postgres_database, lambda sql: database.execute(sql.encode()))


@pytest.mark.long
@pytest.mark.parametrize("chosen", [("date", "numeric(12,3)"), *([EVERY_TYPE] if EVERY_CASE else ())])
def test_i2_cursor_of_any_type_continues_the_pull_from_duckdb(
    chosen: tuple[str, ...], source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = only({**TYPES, "blob": ('"0x00"', r"'\x00\x0A'::blob", r"'\x00\x0B'::blob")}, chosen)

    def execute(sql: str) -> None:
        with duckdb.connect(str(tmp_path / "erp.duckdb")) as database:
            database.execute(sql)

    pulls_again(source, types, monkeypatch, f"duckdb:///{tmp_path / 'erp.duckdb'}", execute)


@pytest.mark.long
@pytest.mark.parametrize("chosen", [("datetime",), *([EVERY_TYPE] if EVERY_CASE else ())])
def test_i2_cursor_of_any_type_continues_the_pull_from_sqlite(
    chosen: tuple[str, ...], source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = {
        "datetime": ("2026-03-02T10:00:00", "'2026-03-02 10:00:00'", "'2026-03-02 11:00:00'"),
        "date": ("2026-03-02", "'2026-03-02'", "'2026-03-03'"),
        "integer": ("0", "30000000000", "30000000001"),
        "real": ("0.5", "1.25", "1.5"),
        "text": ("''", "'v-09'", "'v-10'"),
        "blob": ('"0x00"', "x'000a'", "x'000b'"),
    }
    with sqlite3.connect(tmp_path / "erp.sqlite", isolation_level=None) as database:
        pulls_again(source, only(types, chosen), monkeypatch, f"sqlite:///{tmp_path / 'erp.sqlite'}", database.execute)
    database.close()


@pytest.mark.postgres
def test_i2_cursor_start_without_a_time_zone_uses_the_zone_of_the_source(
    source: Source, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source is in Berlin, the server's own zone is Kolkata: 00:00 in Berlin is 23:00 UTC of the day before."""
    with psycopg.connect(postgres.plain(postgres_database), autocommit=True) as database:
        database.execute(
            "create table erp (no text, customer text, placed text, at timestamptz);"
            "insert into erp values ('O1', 'C1', '2026-03-01', '2026-03-01 22:59+00'),"
            " ('O2', 'C1', '2026-03-01', '2026-03-01 23:00+00')"
        )
    report = pull(source, "at", "2026-03-02T00:00:00", monkeypatch, postgres_database)
    assert [file.rows_in for file in report.files if file.feed == "orders"] == [1]
    with reading(source.location) as connection:
        stored = connection.execute(select(cursors)).one()
    assert (stored.feed, stored.column_name, stored.kind) == ("orders", "at", "datetime")
    assert stored.value.startswith("2026-03-02T04:30:00+05:30"), "the instant as the server returns it"


def test_i2_every_failure_names_feed_column_and_remedy(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'erp.sqlite'}"
    with sqlite3.connect(tmp_path / "erp.sqlite", isolation_level=None) as database:
        database.execute("create table erp (no, customer, placed, mixed, rowver integer)")
        database.execute("insert into erp values ('O1', 'C1', '2026-03-01', 1, 5), ('O2', 'C1', '2026-03-01', 'x', 6)")
    database.close()
    with pytest.raises(SourceRefused, match=r"ERP_URL: orders, cursor 'mixed'.*int and str.*cast it in the query"):
        pull(source, "mixed", "0", monkeypatch, url)
    with pytest.raises(SourceRefused, match=r"ERP_URL: orders, cursor 'rowvers'.*Give cursor_start the type"):
        pull(source, "rowvers", "0", monkeypatch, url)
    source.columns["orders"] = {"order_id": "'no'", "customer_id": "'customer'", "ordered_at": "'placed'"}
    source.origin["orders"] = (
        'connection = "env:ERP_URL"\nquery = "select no, customer, placed from erp where rowver >= :cursor"\n'
        'cursor = "rowver"\ncursor_start = 0'
    )
    with pytest.raises(SourceRefused, match=r"does not return this column.*Add it to the SELECT"):
        source.take_in()


@pytest.mark.long
def test_i16_select_is_named_after_its_sources_and_ignores_changes_of_other_sources(source: Source) -> None:
    def read_by_select() -> None:
        for feed in ("orders", "order_lines"):
            source.origin[feed] = f"select = '''select * from all_{feed}'''"
        source.head = "".join(
            f'[staged.{name}]\nread = "{file}.csv"\n'
            for name, file in (("all_orders", "orders"), ("all_order_lines", "order_lines"), ("spare", "shipments"))
        )

    read_by_select()
    first = source.take_in()
    assert {file.feed: file.name for file in first.files if file.feed in ("orders", "order_lines")} == {
        "orders": "select over orders.csv",
        "order_lines": "select over order_lines.csv",
    }
    source.write("order_lines.csv", LINES.replace("O2,1,P1,7", "O2,1,P1,8"))
    second = source.take_in()
    assert {file.feed: file.repeated for file in second.files if file.feed in ("orders", "order_lines")} == {
        "orders": True,
        "order_lines": False,
    }
