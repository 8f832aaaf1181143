"""Thousands of drawn files, whole and damaged, against an independent reader: nothing is lost, and nothing is misread.

A file is either refused with file, reason and remedy, or every record is there: with the same values, or rejected.
FILES=n draws n files in the long run, SEED=n others.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import SourceRefused
from tests.ingest.read import plain_reader
from tests.ingest.read.damaged_files import Drawn, draw
from tests.ingest.read.reading import Reader, Staged, reader
from tests.support.tries import Tries

DRAWN = int(os.environ.get("FILES", "2500"))
OFTEN = 80
SEED = int(os.environ.get("SEED", "0"))


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reader(tmp_path_factory.mktemp("scratch")) as one:
        yield one


def mapping(drawn: Drawn) -> dict[str, Any]:
    about = drawn.about
    columns: dict[str, Any] = {column: {"from": name} for column, name in about.columns.items()}
    for column, form in about.formats.items():
        columns[column]["format"] = form
    columns["freight_amount"] |= {"decimal": about.decimal, "thousands": about.thousands}
    result = {"read": drawn.name, "columns": columns, "quote": about.quote, "encoding": about.encoding}
    if not drawn.name.startswith("file.tsv"):
        result["delimiter"] = about.delimiter
    if about.skip_rows is not None:
        result["skip_rows"] = about.skip_rows
    return result | ({} if about.final_newline else {"final_newline": "optional"})


def values_read(row: dict[str, Any]) -> dict[str, object]:
    """Return the values of a staged row as the independent reader writes them."""
    result: dict[str, object] = {name: row[name] for name in ("shipment_id", "carrier", "currency")}
    for name in ("shipped_at", "received_at"):
        value = None if row[name] is None else (row[name], row[f"{name}_is_date"])
        # A year that no source has is rejected by a rule later.
        plausible = value is None or 1990 <= value[0].year < 2100
        result[name] = value if row[f"ok_{name}"] and plausible else plain_reader.BAD
    amount: Decimal | None = row["freight_amount"]
    result["freight_amount"] = amount if row["ok_freight_amount"] else plain_reader.BAD
    return result


def differences(drawn: Drawn, staged: Staged) -> list[str]:
    """Return what is wrong about the rows read. A row that both readers reject is right."""
    expected = plain_reader.records(drawn.content, drawn.about)
    broken = {one.row_no for source in staged.objects for one in source.broken}
    found = {row["row_no"]: values_read(row) for row in staged.rows}
    wrong = []
    if len(found) + len(broken) != len(expected) or len(found) != len(staged.rows):
        wrong.append(f"{len(found)} read and {len(broken)} rejected of {len(expected)} records")
    for row_no, values in expected.items():
        if values is None:
            wrong += [] if row_no in broken else [f"record {row_no} is broken, but read as {found.get(row_no)}"]
        elif row_no not in found:
            wrong.append(f"record {row_no} is missing: {values}")
        else:
            for name, value in values.items():
                implausible = isinstance(value, tuple) and not 1990 <= value[0].year < 2100
                if found[row_no][name] != (plain_reader.BAD if implausible else value):
                    wrong.append(f"record {row_no}, {name}: {found[row_no][name]!r}, right {value!r}")
    return wrong


def outcome(read: Reader, folder: Path, seed: int) -> tuple[str, list[str]]:
    """Read a drawn file. Returns `read` or the reason of the refusal, and what is wrong."""
    drawn = draw(seed)
    path = folder / drawn.name
    path.write_bytes(drawn.content)
    try:
        staged = read.read(folder, "shipments", mapping(drawn), zone=drawn.about.zone)
    except SourceRefused as refused:
        explained = refused.object_name == drawn.name and refused.reason and refused.do
        wrong = [] if explained else [f"the refusal lacks file, reason or remedy: {refused}"]
        try:
            plain_reader.records(drawn.content, drawn.about)
        except plain_reader.Unreadable:
            pass
        else:
            wrong.append(f"refused, but readable: {refused}")
        return refused.reason, wrong
    finally:
        path.unlink()
    try:
        return "read", differences(drawn, staged)
    except plain_reader.Unreadable as unreadable:
        return "read", [f"read, but unreadable: {unreadable}"]


def check(read: Reader, folder: Path, seeds: range) -> Counter[str]:
    reasons: Counter[str] = Counter()
    wrong: list[str] = []
    for seed in seeds:
        reason, found = outcome(read, folder, seed)
        reasons[" ".join(word for word in reason.split() if word.isalpha())[:60]] += 1
        wrong += [f"seed {seed} ({draw(seed).damage}): {one}" for one in found]
    assert wrong == []
    return reasons


def test_random_file_is_read_like_the_independent_reader_or_refused(read: Reader, tmp_path: Path) -> None:
    reasons = check(read, tmp_path, range(SEED, SEED + OFTEN))
    assert reasons["read"] > OFTEN / 2
    assert len(reasons) > 4


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_thousands_of_random_files_are_read_like_the_independent_reader_or_refused(
    read: Reader, tmp_path: Path, tries: Tries
) -> None:
    reasons = check(read, tmp_path, range(SEED + OFTEN, SEED + OFTEN + DRAWN))
    print(reasons)
    tries.add(DRAWN)
    assert reasons["read"] > DRAWN / 2
