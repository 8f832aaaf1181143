"""The same records as CSV, Excel, Parquet, JSON and from a database give equal facts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pyarrow.parquet
import pytest
import xlsxwriter
from sqlalchemy import create_engine, select, text

from metrics.facts.orders.tables import order_facts_table, order_line_facts_table
from metrics.warehouse import reading
from tests.ingest.files import Source, rows
from tests.ingest.read.reading import Reader, reader

DAY = datetime(2026, 3, 10)
RECORDS: dict[str, list[dict[str, Any]]] = {
    # Keys are floats, as data frames write integers with gaps. `placed` has times, `promised` only midnights.
    "orders": [
        {"no": 1001.0, "customer": "C1", "placed": datetime(2026, 3, 2, 9, 30), "promised": DAY, "note": "as text"},
        {"no": 1002.0, "customer": "007", "placed": datetime(2026, 3, 3), "promised": DAY, "note": None},
        {"no": 1003.0, "customer": "C1", "placed": datetime(2026, 3, 4, 23, 59), "promised": None, "note": "ü, \"x\""},
    ],
    "order_lines": [
        {"no": 1001.0, "pos": 1, "item": "P1", "qty": 12.345},
        {"no": 1001.0, "pos": 2, "item": "P2", "qty": 0.1 + 0.2},
        {"no": 1002.0, "pos": 1, "item": "P1", "qty": 1.5},
        {"no": 1003.0, "pos": 1, "item": "P1", "qty": 7.0},
    ],
    "shipments": [
        {"delivery": "S1", "left": datetime(2026, 3, 9), "proof": datetime(2026, 3, 10, 14, 30)},
        {"delivery": "S2", "left": datetime(2026, 3, 10), "proof": datetime(2026, 3, 11, 0, 0)},
    ],
    "shipment_lines": [
        {"delivery": "S1", "item": 1, "no": 1001.0, "pos": 1, "qty": 12.345},
        {"delivery": "S1", "item": 2, "no": 1001.0, "pos": 2, "qty": 0.3},
        {"delivery": "S2", "item": 1, "no": 1002.0, "pos": 1, "qty": 1.5},
    ],
}  # fmt: skip
KINDS = {"csv": "csv", "excel": "xlsx", "parquet": "parquet", "json lines": "jsonl", "json array": "json",
         "sqlite": "", "duckdb": ""}  # fmt: skip
OFTEN = ("csv", "excel", "parquet", "json lines", "sqlite")


def as_csv(value: object) -> str:
    """Write a value as a data frame does."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value).replace(".", ",")
    cell = str(value)
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\n') else cell


def write_kind(source: Source, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "sqlite":
        with sqlite3.connect(source.folder / "erp.sqlite") as database:
            for feed, records in RECORDS.items():
                names = ", ".join(f'"{one}"' for one in records[0])
                database.execute(f"CREATE TABLE {feed} ({names})")
                values = [tuple(str(v) if isinstance(v, datetime) else v for v in one.values()) for one in records]
                database.executemany(f"INSERT INTO {feed} VALUES ({', '.join('?' * len(values[0]))})", values)
        database.close()
        monkeypatch.setenv("ERP", f"sqlite:///{source.folder / 'erp.sqlite'}")
    if kind == "duckdb":
        with duckdb.connect(str(source.folder / "erp.duckdb")) as engine:
            for feed, records in RECORDS.items():
                frame = pyarrow.Table.from_pylist(records)  # noqa: F841 - DuckDB reads it by name
                engine.execute(f"CREATE TABLE {feed} AS SELECT * FROM frame")
        monkeypatch.setenv("ERP", f"duckdb:///{source.folder / 'erp.duckdb'}")
    for feed, records in RECORDS.items():
        if kind in ("sqlite", "duckdb"):
            source.origin[feed] = f'connection = "env:ERP"\nquery = "select * from {feed} order by 1, 2"'
            continue
        path = source.folder / f"{feed}.{KINDS[kind]}"
        source.origin[feed] = f'read = "{path.name}"'
        if kind == "csv":
            lines = [",".join(records[0]), *(",".join(map(as_csv, one.values())) for one in records)]
            # A decimal comma needs quotes in a file with commas.
            path.write_text(
                "".join(line + "\n" for line in lines)
                .replace("12,345", '"12,345"')
                .replace("1,5", '"1,5"')
                .replace("0,30000000000000004", '"0,30000000000000004"')
                .replace(",0,3\n", ',"0,3"\n')
            )
        elif kind == "excel":
            with xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd hh:mm"}) as book:
                sheet = book.add_worksheet()
                sheet.write_row(0, 0, list(records[0]))
                for number, one in enumerate(records, start=1):
                    for position, value in enumerate(one.values()):
                        if value is not None:
                            sheet.write(number, position, value)
        elif kind == "parquet":
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), path)
        else:
            plain = [{k: str(v) if isinstance(v, datetime) else v for k, v in one.items()} for one in records]
            content = json.dumps(plain) if kind == "json array" else "".join(json.dumps(one) + "\n" for one in plain)
            path.write_text(content)


def copy_to_postgres(url: str) -> None:
    kinds = {str: "text", float: "double precision", int: "numeric(10, 2)", datetime: "timestamp"}
    engine = create_engine(url)
    with engine.begin() as database:
        for feed, records in RECORDS.items():
            columns = ", ".join(f'"{name}" {kinds[type(value)]}' for name, value in records[0].items())
            database.execute(text(f"CREATE TABLE {feed} ({columns})"))
            places = ", ".join(f":{name}" for name in records[0])
            database.execute(text(f"INSERT INTO {feed} VALUES ({places})"), records)
    engine.dispose()


def facts(source: Source) -> dict[str, Any]:
    with reading(source.location) as connection:
        result: dict[str, Any] = {feed: rows(connection, feed) for feed in RECORDS}
        for table in (order_facts_table, order_line_facts_table):
            found = connection.execute(select(table).order_by(*list(table.c)[:2])).mappings()
            result[table.name] = [dict(row) for row in found]
        return result


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """Facts of the first kind read, for the others to compare with."""
    return {}


@pytest.mark.every_run("csv", "parquet")
@pytest.mark.parametrize("kind", [one if one in OFTEN else pytest.param(one, marks=pytest.mark.long) for one in KINDS])
def test_every_kind_of_file_gives_the_same_facts(
    source: Source, kind: str, known: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """I3, I4, I10: 12.345 stays 12.345 under decimal = ","; promised midnights are days; keys are whole numbers."""
    for feed in ("order_lines", "shipment_lines"):
        column = "ordered_qty" if feed == "order_lines" else "shipped_qty"
        source.columns[feed][column] = '{ from = "qty", decimal = ",", thousands = "." }'
    source.columns["orders"]["special_request"] = '"note"'
    write_kind(source, kind, monkeypatch)
    check_facts(source, known)


@pytest.mark.long
@pytest.mark.postgres
def test_postgresql_gives_the_same_facts(
    source: Source, postgres_database: str, known: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line numbers are `numeric(10, 2)`: 1.00 is the key 1."""
    copy_to_postgres(postgres_database)
    monkeypatch.setenv("ERP", postgres_database)
    source.columns["orders"]["special_request"] = '"note"'
    for feed in RECORDS:
        source.origin[feed] = f'connection = "env:ERP"\nquery = "select * from {feed} order by 1, 2"'
    check_facts(source, known)


def check_facts(source: Source, known: dict[str, Any]) -> None:
    source.take_in()
    found = facts(source)
    assert [(row["order_id"], row["promised_by_is_date"]) for row in found["orders"]] == [
        ("1001", True), ("1002", True), ("1003", None)
    ]  # fmt: skip
    assert [row["ordered_qty"] for row in found["order_lines"]] == [
        Decimal("12.345"), Decimal("0.3"), Decimal("1.5"), Decimal(7)
    ]  # fmt: skip
    # Received on 10 March at 14:30, promised for 10 March: on time. Received on 11 March: late.
    assert [row["on_time"] for row in found["order_facts"]][:2] == [True, False]
    assert known.setdefault("facts", found) == found


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reader(tmp_path_factory.mktemp("scratch")) as one:
        yield one


def test_format_applies_to_typed_numbers_but_not_to_typed_dates(read: Reader, tmp_path: Path) -> None:
    table = pyarrow.table(
        {"no": ["S1"], "left": [date(2026, 3, 4)], "proof": pyarrow.array([20260305], pyarrow.int64())}
    )
    pyarrow.parquet.write_table(table, tmp_path / "s.parquet")
    columns = {
        "shipment_id": {"from": "no"},
        "shipped_at": {"from": "left", "format": "%Y-%d-%m"},
        "received_at": {"from": "proof", "format": "%Y%m%d"},
    }
    row = read.read(tmp_path, "shipments", {"read": "s.parquet", "columns": columns}).rows[0]
    assert (row["shipped_at"], row["received_at"]) == (datetime(2026, 3, 4), datetime(2026, 3, 5))
    assert row["shipped_at_is_date"]
    assert row["received_at_is_date"]


@pytest.mark.parametrize("ending", ["parquet", "xlsx", "jsonl"])
def test_floats_are_the_shortest_decimal_rounded_to_the_decimals_of_the_column(
    read: Reader, tmp_path: Path, ending: str
) -> None:
    amounts = [3.3000000000000003, 1e-7, 2.5, 123456789.123, -0.0, 1e5, 12.34567, None, 100000000.5]
    ids = [1e15, 1001.0, 1e16, 1e17, 5.5, 0.0, 7.0, 8.0, 9.0]
    if ending == "parquet":
        pyarrow.parquet.write_table(pyarrow.table({"no": ids, "cost": amounts}), tmp_path / "s.parquet")
    elif ending == "xlsx":
        with xlsxwriter.Workbook(str(tmp_path / "s.xlsx")) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, ["no", "cost"])
            for number, (one, amount) in enumerate(zip(ids, amounts, strict=True), start=1):
                sheet.write(number, 0, one)
                sheet.write(number, 1, amount)
    else:
        lines = [json.dumps({"no": one, "cost": amount}) for one, amount in zip(ids, amounts, strict=True)]
        (tmp_path / "s.jsonl").write_text("\n".join(lines) + "\n")
    about = {"read": f"s.{ending}", "columns": {"shipment_id": {"from": "no"}, "freight_amount": {"from": "cost"}}}
    found = read.read(tmp_path, "shipments", about).rows
    assert all(row["ok_freight_amount"] for row in found)
    assert [row["freight_amount"] for row in found] == [
        None if amount is None else Decimal(amount) for amount in
        ("3.3", "0", "2.5", "123456789.123", "0", "100000", "12.3457", None, "100000000.5")
    ]  # fmt: skip
    assert [row["shipment_id"] for row in found] == [
        "1000000000000000", "1001", "10000000000000000", "100000000000000000",
        "5.5", "0", "7", "8", "9",
    ]  # fmt: skip


def test_midnights_are_instants_if_the_column_also_has_times_and_days_otherwise(read: Reader, tmp_path: Path) -> None:
    """I4: in every kind of file, and not if the mapping says day = false."""
    midnight, morning = datetime(2026, 3, 10), datetime(2026, 3, 10, 8)
    utc = midnight.replace(tzinfo=UTC) - timedelta(hours=1)  # midnight in Berlin
    alone, mixed = [midnight, midnight], [midnight, morning]
    table = pyarrow.table({"no": ["1", "2"], "alone": alone, "mixed": mixed, "zoned": [utc, utc]})
    pyarrow.parquet.write_table(table, tmp_path / "o.parquet")
    with xlsxwriter.Workbook(str(tmp_path / "o.xlsx"), {"default_date_format": "yyyy-mm-dd"}) as book:
        sheet = book.add_worksheet()
        cells = [["no", "alone", "mixed", "zoned"], ["1", *[midnight] * 3], ["2", midnight, morning, midnight]]
        for number, one in enumerate(cells):
            sheet.write_row(number, 0, one)
    (tmp_path / "o.csv").write_text(
        "no,alone,mixed,zoned\n1,2026-03-10 00:00:00,2026-03-10T00:00,2026-03-09T23:00:00Z\n"
        "2,2026-03-10,2026-03-10T08:00,2026-03-10T00:00:00+01:00\n"
    )
    columns: dict[str, Any] = {
        "order_id": "no",
        "promised_by": "alone",
        "requested_by": "mixed",
        "requested_from": "zoned",
    }
    for ending in ("parquet", "xlsx", "csv"):
        staged = read.read(tmp_path, "orders", {"read": f"o.{ending}", "columns": columns})
        found = [(row["promised_by"], row["promised_by_is_date"], row["requested_by"], row["requested_by_is_date"])
                 for row in staged.rows]  # fmt: skip
        assert found == [
            (midnight, True, datetime(2026, 3, 9, 23), False),
            (midnight, True, datetime(2026, 3, 10, 7), False),
        ]
        assert [(row["requested_from"], row["requested_from_is_date"]) for row in staged.rows] == [(midnight, True)] * 2
        assert any("promised_by" in note for note in staged.notes) == (ending != "xlsx")
    columns["promised_by"] = {"from": "alone", "day": False}
    staged = read.read(tmp_path, "orders", {"read": "o.parquet", "columns": columns})
    assert [row["promised_by_is_date"] for row in staged.rows] == [False, False]


def test_b29_times_that_a_clock_change_skips_or_repeats_are_read_with_a_warning(read: Reader, tmp_path: Path) -> None:
    """Also B30: decimals beyond the microsecond. A time with an offset is certain, and no day is a time."""
    times = [
        ("2026-03-29T02:30:00", "26.10.2025 01:30", datetime(2026, 3, 29, 1, 30)),  # skipped: read as 03:30
        ("2025-10-26T02:30:00", "26.10.2025 02:15", datetime(2025, 10, 26, 0, 30)),  # repeated: the earlier
        ("2025-10-26T02:45:00", "26.10.2025 02:20", datetime(2025, 10, 26, 0, 45)),
        ("2025-10-26T02:30:00+01:00", "29.03.2026 03:00", datetime(2025, 10, 26, 1, 30)),
        ("2025-10-26T00:30:00Z", "29.03.2026 01:59", datetime(2025, 10, 26, 0, 30)),
        ("2026-03-29T03:00:00", "26.10.2025 03:00", datetime(2026, 3, 29, 1)),
        ("2026-03-02T09:00:00.1234567", "", datetime(2026, 3, 2, 8, 0, 0, 123456)),
        ("2026-03-02T09:00:00.123456000", "", datetime(2026, 3, 2, 8, 0, 0, 123456)),
        ("2026-03-29", "", datetime(2026, 3, 29)),
    ]
    rows = [[f"O{number}", placed, promised] for number, (placed, promised, _) in enumerate(times)]
    (tmp_path / "o.csv").write_text("\n".join(",".join(row) for row in [["no", "placed", "promised"], *rows, [""]]))
    (tmp_path / "quoted.csv").write_text("no,placed,promised\n" + "".join(f'"{a}","{b}","{c}"\n' for a, b, c in rows))
    records = [dict(zip(("no", "placed", "promised"), row, strict=True)) for row in rows]
    (tmp_path / "o.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n")
    with xlsxwriter.Workbook(str(tmp_path / "o.xlsx")) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([["no", "placed", "promised"], *rows]):
            sheet.write_row(number, 0, row)
    columns = {
        "order_id": "no",
        "ordered_at": "placed",
        "promised_by": {"from": "promised", "format": "%d.%m.%Y %H:%M"},
    }
    for file in ("o.csv", "quoted.csv", "o.jsonl", "o.xlsx"):
        staged = read.read(tmp_path, "orders", {"read": file, "columns": columns})
        assert [row["ordered_at"] for row in staged.rows] == [moment for _, _, moment in times]
        found = [(note.split(" of the")[0], note.split("of ")[2].split(" ")[0], note.split("Example: ")[1])
                 for note in staged.notes if "Example" in note]  # fmt: skip
        assert found == [
            ("2", "ordered_at", "2025-10-26T02:30:00."),
            ("1", "ordered_at", "2026-03-29T02:30:00."),
            ("1", "ordered_at", "2026-03-02T09:00:00.1234567."),
            ("2", "promised_by", "26.10.2025 02:15."),
        ], file
        assert not [note for note in read.read(tmp_path, "orders", {"read": file, "columns": columns}, zone="UTC").notes
                    if "clock change" in note]  # fmt: skip


def test_b7_letters_that_show_a_wrong_encoding_are_read_with_a_warning(read: Reader, tmp_path: Path) -> None:
    """The warning names file, column, and an example. Single-byte encodings that share their letters show nothing."""
    cases = [
        (
            "Müller",
            "utf-8",
            "cp1252",
            "1 word of o.csv may be misread, for example 'MÃ¼ller' in customer_id.",
        ),
        ("Привет", "utf-8", "cp1251", "'Привет' is right, write encoding"),
        (
            "MÃ¼ller",
            "utf-8",
            "utf-8",
            "'MÃ¼ller' in customer_id. If 'Müller' is right, a step before",
        ),
        ("M\N{REPLACEMENT CHARACTER}ller", "utf-8", "utf-8", "has replaced letters"),
        ("Müller", "cp1252", "cp1252", ""),
        ("Não Ãão", "utf-8", "utf-8", ""),
        ("Привет", "cp1251", "cp1251", ""),
        ("Müller", "cp1252", "iso-8859-15", ""),
    ]
    for name, written, declared, expected in cases:
        (tmp_path / "o.csv").write_bytes(f"no,customer\nO1,{name}\nO2,C2\n".encode(written))
        about = {"read": "o.csv", "encoding": declared, "columns": {"order_id": "no", "customer_id": "customer"}}
        notes = read.read(tmp_path, "orders", about).notes
        assert len(notes) == bool(expected), (name, declared, notes)
        assert expected in "".join(notes)
