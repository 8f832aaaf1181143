"""Drawn typed records in every kind of file give the values that were written, whatever formats the mapping has."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import SourceRefused
from metrics.schema import run_files
from metrics.warehouse import reading
from tests.ingest.files import Source
from tests.ingest.read import plain_reader
from tests.ingest.read.damaged_files import draw
from tests.ingest.read.reading import Reader, reader
from tests.ingest.read.test_damaged_files import mapping
from tests.ingest.read.typed_files import ENDINGS, ZONES, draw_records, expected, write
from tests.support.every_case import EVERY_CASE

SEED = int(os.environ.get("SEED", "0"))


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reader(tmp_path_factory.mktemp("scratch")) as one:
        yield one


def differences(read: Reader, folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Write drawn records to each kind of file and return the values that are read differently."""
    dice = random.Random(seed)
    records, zone = draw_records(dice), dice.choice(ZONES)
    columns = {
        "shipment_id": {"from": "id"},
        "carrier": {"from": "carrier"},
        "shipped_at": {"from": "left"},
        "received_at": {"from": "proof"},
        "freight_amount": {"from": "cost"},
    }
    wrong = []
    for ending in ENDINGS:
        path = folder / f"{seed}.{ending}"
        write(records, path)
        about: dict[str, Any] = {"read": path.name, "columns": columns}
        if ending == "sqlite":
            monkeypatch.setenv("ERP", f"sqlite:///{path}")
            about = {"connection": "env:ERP", "query": "select * from s order by rowid", "columns": columns}
        if ending in ("xlsx", "parquet"):  # JSON and SQLite have texts for dates, so formats apply to them
            columns = {**columns, "shipped_at": {"from": "left", "format": "%d.%m.%Y"}}
            about["columns"] = columns | {"freight_amount": {"from": "cost", "decimal": ",", "thousands": "."}}
            columns = {**columns, "shipped_at": {"from": "left"}}
        staged = read.read(folder, "shipments", about, zone=zone)
        for row, right in zip(staged.rows, expected(records, zone), strict=True):
            found = {
                "id": row["shipment_id"],
                "carrier": row["carrier"],
                "left": _moment(row, "shipped_at"),
                "proof": _moment(row, "received_at"),
                "cost": row["freight_amount"],
            }
            wrong += [f"{seed}.{ending}, {name}: {found[name]!r}, right {right[name]!r}"
                      for name in right if found[name] != right[name]]  # fmt: skip
        path.unlink()
    return wrong


def _moment(row: dict[str, Any], column: str) -> object:
    assert row[f"ok_{column}"]
    return None if row[column] is None else (row[column], row[f"{column}_is_date"])


@pytest.mark.parametrize("drawn", [3, pytest.param(100 if EVERY_CASE else 40, marks=pytest.mark.long)])
def test_typed_records_are_read_as_they_were_written(
    read: Reader, tmp_path: Path, drawn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I3, I4, I10: five kinds of file for each draw."""
    seeds = range(SEED + drawn, SEED + 2 * drawn)
    assert [one for seed in seeds for one in differences(read, tmp_path, seed, monkeypatch)] == []


@pytest.mark.parametrize("seed", [5, *(pytest.param(seed, marks=pytest.mark.long) for seed in (40, *range(100, 108)))])
def test_run_ledger_counts_equal_those_of_the_independent_reader(source: Source, seed: int) -> None:
    """I18: a whole run. Loaded + quarantined + superseded = the records of the file."""
    drawn = draw(seed)
    about = mapping(drawn)
    keys = {name: value for name, value in about.items() if name != "columns"}
    source.origin["shipments"] = "\n".join(f"{name} = {json.dumps(value)}" for name, value in keys.items())
    source.write(drawn.name, drawn.content)
    source.columns["shipments"] = {
        name: "{ " + ", ".join(f"{key} = '{text}'" for key, text in one.items()) + " }"
        for name, one in about["columns"].items()
    }
    source.zone = drawn.about.zone
    try:
        records = len(plain_reader.records(drawn.content, drawn.about))
    except plain_reader.Unreadable:
        with pytest.raises(SourceRefused):
            source.take_in()
        return
    source.take_in()
    with reading(source.location) as connection:
        (row,) = [row for row in connection.execute(run_files.select()) if row.feed == "shipments"]
        assert (row.rows_in, row.rows_loaded + row.rows_quarantined + row.rows_superseded) == (records, records)
