"""Sample data: the same seed writes the same bytes, and each defect is where defects.csv says."""

import csv
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from sample_data import generate
from sample_data.defects import CORRECTIONS, KINDS
from sample_data.planting import WAITING, WAITS_FOR, Kind

CORE = ("orders", "order_lines", "shipments", "shipment_lines", "invoices", "invoice_lines")
ORDERS = 3000
SMALL = Path(__file__).parents[2] / "sample_data" / "small"


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    out = tmp_path_factory.mktemp("sample")
    generate(ORDERS, out)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def lines(path: Path) -> list[str]:
    return path.read_bytes().decode().removesuffix("\n").split("\n")


def planted(folder: Path) -> list[dict[str, str]]:
    with (folder / "defects.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def record(folder: Path, defect: dict[str, str]) -> tuple[dict[str, str], str]:
    """Return the record of a row of defects.csv, by column, and its raw line."""
    header, *body = lines(folder / defect["file"])
    raw = body[int(defect["row_no"]) - 1]
    delimiter = ";" if defect["feed"] == "products" else ","
    return dict(zip(header.split(delimiter), next(csv.reader([raw], delimiter=delimiter)), strict=False)), raw


def test_the_same_orders_and_seed_give_the_same_bytes(sample, tmp_path):
    again = tmp_path / "again"
    command = [sys.executable, "-m", "sample_data", "--orders", str(ORDERS), "--out", str(again)]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], check=True, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == str(again / "mapping.toml")
    assert contents(again) == contents(sample)


def test_another_seed_gives_other_records(sample, tmp_path):
    generate(ORDERS, tmp_path, seed=8)
    assert contents(tmp_path)["orders.csv"] != contents(sample)["orders.csv"]


def test_generating_into_a_used_folder_replaces_the_old_set(sample, tmp_path):
    generate(200, tmp_path, seed=3)
    generate(ORDERS, tmp_path)
    assert contents(tmp_path) == contents(sample)


def test_fewer_than_one_order_is_refused(tmp_path):
    with pytest.raises(ValueError, match="give at least 1"):
        generate(0, tmp_path)


def test_set_of_a_single_order_has_every_core_file(tmp_path):
    generate(1, tmp_path)
    assert {f"{feed}.csv" for feed in CORE} <= {path.name for path in tmp_path.iterdir()}


def test_progress_counts_up_to_the_orders_wanted(tmp_path):
    seen = []
    generate(50, tmp_path, progress=lambda done, wanted: seen.append((done, wanted)))
    assert seen == [(50, 50)]


def test_set_has_the_requested_number_of_orders_with_about_three_lines_each(sample):
    planted_orders = sum(defect["feed"] == "orders" and defect["file"] == "orders.csv" for defect in planted(sample))
    assert ORDERS - 1 <= len(lines(sample / "orders.csv")) - 1 <= ORDERS + planted_orders
    assert 2.6 < len(lines(sample / "order_lines.csv")) / ORDERS < 3.2


def test_every_kind_of_defect_is_planted(sample):
    expected = {kind.name for kind in KINDS} | {correction.name for correction in CORRECTIONS}
    assert {defect["kind"] for defect in planted(sample)} == expected
    assert len(KINDS) >= 45


def test_no_record_is_listed_twice(sample):
    places = [(defect["file"], defect["row_no"]) for defect in planted(sample)]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.change], ids=lambda kind: kind.name)
def test_listed_record_contains_the_defect(sample, kind: Kind):
    defects = [defect for defect in planted(sample) if defect["kind"] == kind.name]
    assert defects
    for defect in defects:
        row, _ = record(sample, defect)
        fixed = {column: value for column, value in kind.change.items() if isinstance(value, str)}
        if kind.name in ("shipped_before_ordered", "billed_before_ordered", "conflicting_repeat"):
            continue  # the spoilt values are in another record
        assert {column: row[column] for column in fixed} == fixed
        for column, value in kind.change.items():
            if not isinstance(value, str):
                assert row[column] not in ("", None)


def test_records_of_the_wrong_width_are_those_listed(sample):
    for feed in CORE:
        header, *body = lines(sample / f"{feed}.csv")
        wrong = {
            str(number)
            for number, line in enumerate(body, 1)
            if len(next(csv.reader([line.replace("\0", "")]))) != len(header.split(","))
        }
        listed = {
            defect["row_no"]
            for defect in planted(sample)
            if defect["file"] == f"{feed}.csv" and defect["kind"] in ("short_row", "long_row")
        }
        assert wrong == listed


def test_the_children_of_a_missing_order_are_all_listed(sample):
    order_nos = {
        record(sample, defect)[0]["order_no"] for defect in planted(sample) if defect["kind"] == "order_missing"
    }
    assert order_nos
    assert not any(line.split(",")[0] in order_nos for line in lines(sample / "orders.csv"))
    listed = {(defect["file"], int(defect["row_no"])) for defect in planted(sample) if defect["outcome"] == WAITING}
    for feed in WAITS_FOR:
        body = lines(sample / f"{feed}.csv")[1:]
        children = {
            (f"{feed}.csv", number)
            for number, line in enumerate(body, 1)
            if any(order_no in line for order_no in order_nos)
        }
        assert children <= listed


def test_a_repeat_follows_the_record_listed_as_superseded(sample):
    by_kind = defaultdict(list)
    for defect in planted(sample):
        by_kind[defect["kind"]].append(defect)
    for kind in ("exact_repeat_line", "exact_repeat_shipment", "exact_repeat_billing"):
        for defect in by_kind[kind]:
            body = lines(sample / defect["file"])[1:]
            assert body.count(body[int(defect["row_no"]) - 1]) == 2


def test_every_kind_of_defect_is_described_in_the_readme():
    readme = (SMALL.parent / "README.md").read_text(encoding="utf-8")
    assert [kind.name for kind in (*KINDS, *CORRECTIONS) if f"`{kind.name}`" not in readme] == []


def test_small_set_equals_the_generator_output(tmp_path):
    generate(200, tmp_path)
    assert contents(tmp_path) == contents(SMALL)
    assert sum(map(len, contents(SMALL).values())) < 700_000
