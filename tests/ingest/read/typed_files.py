"""Draw typed records, and write them to a workbook, Parquet, JSON or SQLite."""

from __future__ import annotations

import json
import random
import sqlite3
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow
import pyarrow.parquet
import xlsxwriter

ENDINGS = ("xlsx", "parquet", "jsonl", "json", "sqlite")
COLUMNS = ("id", "carrier", "left", "proof", "cost")
ZONES = ("Europe/Berlin", "America/New_York", "UTC")


def draw_records(dice: random.Random) -> list[dict[str, Any]]:
    """Draw records. Each column has one way of writing its values, as in a data frame."""
    keys = dice.choice(("text", "int", "float"))
    timed = {name: dice.choice(("days", "midnights", "times")) for name in ("left", "proof")}
    records = []
    for number in range(dice.choice((1, 2, 5, 9))):
        key: Any = number + dice.choice((1, 1000))
        key += 10_000 * number
        record: dict[str, Any] = {"id": {"text": f"0{key}", "int": key, "float": float(key)}[keys]}
        record["carrier"] = dice.choice((None, "DHL", "1,5", "07", "2026-01-02", " x", "ü"))
        for name, kind in timed.items():
            moment = datetime(2026, 1, 1) + timedelta(minutes=dice.randrange(400_000))
            if kind != "times" or dice.random() < 0.3:
                moment = datetime.combine(moment.date(), datetime.min.time())
            record[name] = None if dice.random() < 0.2 else moment.date() if kind == "days" else moment
        record["cost"] = dice.choice(
            (None, 0.0, 12.345, 1e-7, 0.1 + 0.2, 3 * 1.1, -2.5, 1e6, 7.0, dice.random() * 1000, 1 / 3)
        )
        records.append(record)
    return records


def expected(records: list[dict[str, Any]], zone: str) -> list[dict[str, Any]]:
    """Return the records as they must be staged: moments with is_date, amounts with four decimals."""
    midnights = {
        name: all(_is_midnight(record[name]) for record in records if record[name] is not None)
        for name in ("left", "proof")
    }
    result = []
    for record in records:
        key, cost = record["id"], record["cost"]
        row: dict[str, Any] = {"id": str(int(key)) if isinstance(key, float) else str(key)}
        row["carrier"] = record["carrier"]
        for name in ("left", "proof"):
            row[name] = _moment(record[name], zone, as_day=midnights[name])
        row["cost"] = None if cost is None else Decimal(repr(cost)).quantize(Decimal("0.0001"), ROUND_HALF_UP)
        result.append(row)
    return result


def _is_midnight(value: date) -> bool:
    return not isinstance(value, datetime) or value.time() == datetime.min.time()


def _moment(value: date | None, zone: str, *, as_day: bool) -> tuple[datetime, bool] | None:
    if value is None:
        return None
    if as_day or not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day), True
    return value.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None), False


def write(records: list[dict[str, Any]], path: Path) -> None:
    """Write the records to a file of the kind that its ending says."""
    ending = path.suffix[1:]
    plain = [{name: str(value) if isinstance(value, date) else value for name, value in one.items()} for one in records]
    if ending == "xlsx":
        with xlsxwriter.Workbook(str(path), {"default_date_format": "dd.mm.yyyy"}) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, COLUMNS)
            for number, one in enumerate(records, start=1):
                for position, value in enumerate(one.values()):
                    if isinstance(value, str):
                        sheet.write_string(number, position, value)
                    elif value is not None:
                        sheet.write(number, position, value)
    elif ending == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), path)
    elif ending == "jsonl":
        path.write_text("".join(json.dumps(one) + "\n" for one in plain))
    elif ending == "json":
        path.write_text(json.dumps(plain, indent=1))
    else:
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE s (" + ", ".join(f'"{name}"' for name in COLUMNS) + ")")
            database.executemany("INSERT INTO s VALUES (?, ?, ?, ?, ?)", [tuple(one.values()) for one in plain])
        database.close()
