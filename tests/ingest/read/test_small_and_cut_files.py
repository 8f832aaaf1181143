"""Small, quoted, cut and wrongly encoded files (B3, B7, B10, B11, B13, B23): read exactly, or refused."""

import time

import pytest

from ingest.errors import SourceRefused
from metrics import warehouse
from metrics.warehouse import reading
from tests.ingest.files import ORDERS, Source, kept, ledger, rows

HEADER = "no,customer,placed,promised\n"


def customers(source: Source) -> list[object]:
    """Return the customers of the loaded orders, in the order of order numbers."""
    with reading(source.location) as connection:
        found = [row["customer_id"] for row in rows(connection, "orders")]
    warehouse.close(source.location)
    return found


@pytest.mark.every_run("one row", "backslash, declared")
@pytest.mark.parametrize(
    ("content", "keys", "expected"),
    [
        (HEADER + "O1,C1,2026-03-02,2026-03-10\n", "", ["C1"]),
        (HEADER + 'O1,"a ""quoted"" name",2026-03-02,\nO2,"""",2026-03-02,\n', "", ['a "quoted" name', '"']),
        (HEADER + 'O1,"a \\"quoted\\" \\\\ name",2026-03-02,\n', 'escape = "\\\\"', ['a "quoted" \\ name']),
        (HEADER + "O1,C\\1,2026-03-02,\n", "", ["C\\1"]),
    ],
    ids=["one row", "doubled quotes", "backslash, declared", "backslash, not declared"],
)
def test_small_and_quoted_files_are_read_exactly(
    source: Source, content: str, keys: str, expected: list[object]
) -> None:
    source.write("orders.csv", content)
    source.origin["orders"] = f'read = "orders.csv"\n{keys}'
    source.take_in()
    assert customers(source) == expected


def test_wrong_declared_encoding_never_loses_a_row_silently(source: Source) -> None:
    """Each pair of encodings: refused, or every row is loaded or in quarantine. Misread UTF-8 is noticed."""
    text = ORDERS.replace("C1", "Müller €") + "O3,Ä,2026-03-03,2026-03-10\n"
    for written in ("utf-8", "utf-16", "cp1252"):
        for declared in ("utf-8", "utf-16", "cp1252"):
            if written == declared:
                continue
            source.write("orders.csv", text.encode(written))
            source.origin["orders"] = f'read = "orders.csv"\nencoding = "{declared}"'
            try:
                report = source.take_in()
            except SourceRefused:
                continue
            codes = {warning.code for warning in report.warnings}
            assert ("encoding_may_be_utf8" in codes) == (written == "utf-8"), (written, declared)
            with reading(source.location) as connection:
                assert ledger(connection)["orders.csv"][0] == 3, (written, declared)
            warehouse.close(source.location)


@pytest.mark.long
def test_a_cell_of_ten_megabytes_is_kept_out_and_the_other_rows_load(source: Source) -> None:
    source.write("orders.csv", ORDERS + f"O3,{'x' * 10_000_000},2026-03-03,2026-03-10\n")
    began = time.process_time()
    source.take_in()
    assert time.process_time() - began < 15
    assert customers(source) == ["C1", "C2"]
    with reading(source.location) as connection:
        assert [(row.feed, row.row_no) for row in kept(connection)] == [("orders", 3)]
    warehouse.close(source.location)


@pytest.mark.long
def test_file_cut_at_any_offset_is_refused_or_ends_at_a_line(source: Source) -> None:
    """Only a cut just after a line break looks complete; a manifest or a marker shows it."""
    whole = ORDERS.encode()
    accepted = []
    offsets = [*range(len(HEADER) + 1, len(whole), 9), whole.rindex(b"\n", 0, -1) + 1, len(whole) - 1]
    for offset in offsets:
        source.write("orders.csv", whole[:offset])
        try:
            source.take_in()
        except SourceRefused:
            continue
        accepted.append(offset)
    assert accepted
    assert all(whole[:offset].endswith(b"\n") for offset in accepted)
