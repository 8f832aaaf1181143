"""Verify an export: a changed cell is found, and a later correction is named with its order."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from dashboard.exports import write
from dashboard.exports.read import NotAnExport, read, read_for_verification, recorded_table
from metrics import schema, warehouse
from metrics.measures.catalog import find
from metrics.model.question import Question
from metrics.provenance.provenance import formula, provenance, rows_hash, same_value
from metrics.provenance.verify import Verified, verify
from metrics.queries.answer_table import answer_table
from metrics.rebuild.rebuild import rebuild
from metrics.warehouse import Location
from tests.dashboard.small_warehouse import AS_OF, publish

ASKED = Question(
    ("otif", "cycle_days", "failed_orders", "ordered_value"),
    by=("segment", "carrier"),
    grain="month",
    start=date(2026, 4, 1),
)
LATE = ("HAND-PRICE", date(2026, 6, 12))
"""The shipment arrived on its day. A correction dates it five days later."""


def correct(build: warehouse.Build) -> None:
    """A run that dates one shipment later."""
    came = datetime(2026, 6, 17)
    shipment = {"shipment_id": f"S-{LATE[0]}"}
    c = schema.shipments.c
    run = {
        "run_id": 2,
        "source": "small",
        "started_at": AS_OF,
        "outcome": "published",
        "data_as_of": AS_OF + timedelta(days=1),
    }
    file = {"file_id": 90, "run_id": 2, "source": "small", "feed": "shipments", "name": "again.csv", "sha256": "1" * 64}
    counts = dict.fromkeys(("rows_staged", "rows_in", "rows_loaded"), 1) | dict.fromkeys(
        ("rows_quarantined", "rows_superseded"), 0
    )
    before, after = {"received_at": "2026-06-12"}, {"received_at": "2026-06-17"}
    verified_now = {
        "run_id": 2,
        "feed": "shipments",
        "key": json.dumps(shipment),
        "before": json.dumps(before),
        "after": json.dumps(after),
        "why": "correction",
    }
    connection = build.connection
    connection.execute(
        update(schema.shipments).where(c.shipment_id == shipment["shipment_id"]).values(received_at=came, file_id=90)
    )
    connection.execute(insert(schema.runs).values(**run, data_as_of_declared=True, generation=build.number))
    connection.execute(insert(schema.run_files).values(**file, **counts))
    connection.execute(insert(schema.restatements).values(**verified_now))
    rebuild(connection, as_of=run["data_as_of"], touched=None)
    build.publish()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Location, Path]]:
    """A warehouse with one generation, and an export of it in every format."""
    place, folder = Location(folder=tmp_path_factory.mktemp("verify") / "home"), tmp_path_factory.mktemp("exports")
    publish(place, count=60)
    with warehouse.reading(place) as connection:
        answers, recorded = answer_table(connection, ASKED), provenance(connection, ASKED)
    for fmt in write.FORMATS:
        write.write(answers, fmt, folder / f"x.{fmt}", recorded)
    write.write(answers, "csv", folder / "y.csv.zip", recorded)
    yield place, folder
    warehouse.close(place)


@pytest.fixture(scope="module")
def corrected(written: tuple[Location, Path]) -> tuple[Location, Path]:
    """The same warehouse after a correction."""
    with warehouse.writing(written[0]) as build:
        correct(build)
    return written


def verified(place: Location, file: Path) -> Verified:
    found = read(file)
    return verify(place, found.columns, found.rows, found.provenance)


@pytest.mark.parametrize("name", ["x.csv", "x.xlsx", "x.parquet", "x.json", "y.csv.zip"])
def test_unchanged_export_verifies_in_every_format(name: str, written: tuple[Location, Path]) -> None:
    place, folder = written
    found = read(folder / name)
    assert rows_hash(found.columns, found.rows) == found.provenance["rows_sha256"]
    verified_now = verify(place, found.columns, found.rows, found.provenance)
    assert verified_now.is_genuine
    assert verified_now.own == []


def test_changed_cell_is_detected_and_named(written: tuple[Location, Path], tmp_path: Path) -> None:
    place, folder = written
    for ending in ("", write.PROVENANCE_SUFFIX):
        (tmp_path / f"x.csv{ending}").write_bytes((folder / f"x.csv{ending}").read_bytes())
    lines = (tmp_path / "x.csv").read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if ",failed_orders,1,1," in line)
    (tmp_path / "x.csv").write_text(
        "\n".join([*lines[:at], lines[at].replace(",failed_orders,1,1,", ",failed_orders,0,1,"), *lines[at + 1 :]])
    )
    verified_now = verified(place, tmp_path / "x.csv")
    assert verified_now.altered
    assert [(one.row["measure"], one.columns) for one in verified_now.own or []] == [
        ("failed_orders", {"value": ("1", "0")})
    ]


def test_changed_value_with_a_forged_hash_is_detected_by_repeating_the_query(written: tuple[Location, Path]) -> None:
    place, folder = written
    found = read(folder / "x.json")
    forged = [
        tuple(0.99 if name == "value" and at == 0 else cell for name, cell in zip(found.columns, row, strict=True))
        for at, row in enumerate(found.rows)
    ]
    verified_now = verify(
        place, found.columns, forged, {**found.provenance, "rows_sha256": rows_hash(found.columns, forged)}
    )
    assert not verified_now.altered
    assert not verified_now.is_genuine


def test_the_hash_does_not_depend_on_the_order_of_rows_and_columns() -> None:
    assert rows_hash(("a", "value"), [("x", 1), ("y", 2.0)]) == rows_hash(("value", "a"), [(2, "y"), (1.0, "x")])
    assert rows_hash(("a", "value"), [("x", 1), ("x", 1)]) != rows_hash(("a", "value"), [("x", 1)])
    assert rows_hash(("a", "b"), [("x", None)]) != rows_hash(("a", "b"), [(None, "x")])


def test_numbers_with_16_digits_and_escaped_formulas_compare_as_equal() -> None:
    third = 2 / 3
    assert (
        same_value(third, is_number=True)
        == same_value(f"{third:.16G}", is_number=True)
        == same_value(repr(third), is_number=True)
    )
    assert formula("=1+1")
    assert same_value("'=1+1", is_number=False) == same_value("=1+1", is_number=False)
    assert same_value("'tis", is_number=False) == "'tis"


def test_later_correction_is_listed_with_its_order(corrected: tuple[Location, Path]) -> None:
    place, folder = corrected
    verified_now = verified(place, folder / "x.parquet")
    assert verified_now.is_genuine
    moved = next(one for one in verified_now.now if one.row["measure"] == "cycle_days" and LATE[0] in one.orders)
    (change,) = moved.orders[LATE[0]]
    assert (change.feed, change.how) == ("shipments", "correction")
    assert json.loads(change.key) == {"shipment_id": f"S-{LATE[0]}"}
    assert (json.loads(change.before or ""), json.loads(change.after or "")) == (
        {"received_at": "2026-06-12"},
        {"received_at": "2026-06-17"},
    )
    others = {
        order for one in verified_now.now for order, changes in one.orders.items() if order != LATE[0] and changes
    }
    assert others == set()


def test_orders_with_changed_records_are_listed_if_the_data_version_is_gone(corrected: tuple[Location, Path]) -> None:
    place, folder = corrected
    found = read(folder / "x.parquet")
    verified_now = verify(place, found.columns, found.rows, {**found.provenance, "generation": 99})
    assert verified_now.own is None
    assert "99" in (verified_now.why_not_own or "")
    assert {order for one in verified_now.now for order in one.orders} == {LATE[0]}


def test_export_of_another_warehouse_is_not_compared_with_a_data_version_of_equal_number(
    written: tuple[Location, Path],
) -> None:
    place, folder = written
    found = read(folder / "x.parquet")
    verified_now = verify(place, found.columns, found.rows, {**found.provenance, "data_as_of": "2020-01-01T00:00:00"})
    assert verified_now.own is None
    assert "another warehouse" in (verified_now.why_not_own or "")


def test_file_that_is_not_an_export_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(NotAnExport, match=r"x\.csv\.provenance\.json"):
        read(tmp_path / "x.csv")
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(NotAnExport, match=r"\.csv, \.xlsx"):
        read(tmp_path / "x.txt")
    with pytest.raises(NotAnExport):
        read(tmp_path / "none.csv")


def test_changed_policy_settings_and_definitions_are_listed(
    written: tuple[Location, Path],
) -> None:
    place, folder = written
    found = read(folder / "x.parquet")
    recorded = json.loads(json.dumps(found.provenance))
    recorded["policy"]["late_tolerance_days"], recorded["definitions"]["otif"]["version"], recorded["rule_book"] = (
        3,
        0,
        "1999",
    )
    verified_now = verify(place, found.columns, found.rows, recorded)
    assert verified_now.is_genuine
    assert verified_now.rules[1:] == [
        "the strict policy's late_tolerance_days: 3, now 0",
        f"definition of otif: version 0, now {find('otif').version}",
    ]
    assert verified_now.rules[0].startswith("rule book 1999, now ")


def _cut(name: str, keep: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        end = int(len(whole) * keep)
        while whole[end : end + 1] != b"," and name.endswith(".csv"):
            end -= 1  # inside a row: a cut at the end of a row is found by the hash of the rows
        (folder / name).write_bytes(whole[:end])

    return change


def _without(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        beside = folder / f"x.csv{write.PROVENANCE_SUFFIX}"
        beside.write_text(
            json.dumps({one: value for one, value in json.loads(beside.read_text()).items() if one != name})
        )

    return change


@pytest.mark.parametrize(
    ("file", "harm", "recorded"),
    [
        ("x.csv", _cut("x.csv", 0.5), "truncated or edited"),
        ("x.csv", _cut(f"x.csv{write.PROVENANCE_SUFFIX}", 0.5), "cannot be read"),
        ("x.json", _cut("x.json", 0.5), "Use the unchanged file"),
        ("x.parquet", _cut("x.parquet", 0.5), "Use the unchanged file"),
        ("x.xlsx", _cut("x.xlsx", 0.5), "Use the unchanged file"),
        ("y.csv.zip", _cut("y.csv.zip", 0.5), "Use the unchanged file"),
        ("x.csv", _without("policy"), "lacks policy"),
        ("x.csv", _without("rows_sha256"), "no hash of the rows"),
    ],
)
def test_error_for_a_damaged_export_names_the_problem_and_the_next_step(
    file: str, harm: Callable[[Path], None], recorded: str, written: tuple[Location, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(written[1], tmp_path / "copy"))
    harm(folder)
    with pytest.raises(NotAnExport, match=recorded):
        recorded_table(folder / file) or read_for_verification(folder / file)
