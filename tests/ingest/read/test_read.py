"""Sources are read exactly or refused with object, place, reason and remedy."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import xlsxwriter
from sqlalchemy import select

from ingest.errors import SourceRefused
from ingest.runs.history import runs as history_runs
from metrics.schema import FEEDS
from metrics.warehouse import Location, current, reading
from tests.ingest.files import LINES, ORDERS, Source, kept, ledger, rows

HEADER = "no,customer,placed,promised\n"
ROW = "O1,C1,2026-03-02T10:00:00,2026-03-10\n"


REFUSED: list[tuple[str, bytes, str]] = [
    ("empty", b"", "empty"),
    ("cut in the last record", (HEADER + ROW + "O2,C2,2026").encode(), "does not end with a line break"),
    ("a quote never closed", (HEADER + 'O1,"C1,2026-03-02,\nO2,C2,2026-03-03,\n').encode(), "never closed"),
    ("header twice", b"no,customer,placed,promised,NO \nO1,C1,2026-03-02,,x\n", "twice"),
    ("header twice in two Unicode forms", "no,customer,placed,promised,caf\u00e9,cafe\u0301\n".encode(), "twice"),
    ("a column is missing", b"no,customer,placed\nO1,C1,2026-03-02\n", "no column 'promised'"),
    ("latin-1, not declared", (HEADER + "O1,Müller,2026-03-02,\n").encode("latin-1"), "byte 32: not valid utf-8"),
    ("utf-16, not declared", (HEADER + ROW).encode("utf-16"), "byte 0: not valid utf-8"),
    (
        "a cell over 64 KB",
        (HEADER + f'O1,"{"x" * 70_000}\n",2026-03-02,\nO2,"a"b,2026-03-02,\n').encode(),
        "larger than 64 KB",
    ),
]


@pytest.mark.parametrize(
    ("content", "reason"), [(content, reason) for _, content, reason in REFUSED], ids=[name for name, _, _ in REFUSED]
)
def test_an_object_that_cannot_be_trusted_is_refused_and_nothing_is_published(
    source: Source, content: bytes, reason: str
) -> None:
    source.write("orders.csv", content)
    with pytest.raises(SourceRefused, match=reason) as refused:
        source.take_in()
    assert refused.value.object_name == "orders.csv"
    assert refused.value.do
    assert current(source.location) is None
    assert [row["outcome"] for row in history_runs(source.location)] == ["failed"]


def test_gzip_with_an_excessive_compression_ratio_is_refused(source: Source) -> None:
    source.origin["orders"] = 'read = "orders.csv.gz"'
    with gzip.open(source.folder / "orders.csv.gz", "wb") as bomb:
        bomb.write(HEADER.encode())
        for _ in range(72):
            bomb.write(b"0" * (1 << 20))
    with pytest.raises(SourceRefused, match="unpacks to more than 200 times its size"):
        source.take_in()
    assert current(source.location) is None


@pytest.mark.parametrize("later", ["append", "remove"])
def test_file_changed_while_being_read_is_refused_and_read_by_the_next_run(source: Source, later: str) -> None:
    def writer(doing: str, _: float) -> None:
        # Orders are read before shipments.
        if doing == "read shipments":
            if later == "append":
                source.write("orders.csv", ORDERS + "O3,C1,2026-03-02,2026-03-10\n")
            else:
                (source.folder / "orders.csv").unlink()

    reason = "changed while it was being read" if later == "append" else "cannot be read any more"
    with pytest.raises(SourceRefused, match=rf"orders\.csv.*{reason}"):
        source.take_in(progress=writer)
    assert current(source.location) is None
    source.write("orders.csv", ORDERS + "O3,C1,2026-03-02,2026-03-10\n")
    source.take_in()
    with reading(source.location) as connection:
        assert len(rows(connection, "orders")) == 3


def test_truncated_gzip_is_refused(source: Source) -> None:
    whole = gzip.compress(ORDERS.encode())
    source.origin["orders"] = 'read = "orders.csv.gz"'
    for length in (len(whole) // 2, len(whole) - 4):
        source.write("orders.csv.gz", whole[:length])
        with pytest.raises(SourceRefused, match="cut or damaged"):
            source.take_in()


def test_pattern_without_matching_files_is_refused(source: Source) -> None:
    source.origin["orders"] = 'read = "nowhere*.csv"'
    with pytest.raises(SourceRefused, match="finds no such file"):
        source.take_in()


def test_a_link_out_of_the_data_folder_is_not_followed(source: Source, tmp_path: Path) -> None:
    (tmp_path / "outside.csv").write_text(ORDERS)
    (source.folder / "linked.csv").symlink_to(tmp_path / "outside.csv")
    source.origin["orders"] = 'read = "linked.csv"'
    with pytest.raises(SourceRefused, match="leads out of the data folder"):
        source.take_in()


def variants() -> dict[str, tuple[str, bytes, str]]:
    """The same two orders in every file form: file name, content, further keys."""
    return {
        "byte-order mark": ("orders.csv", b"\xef\xbb\xbf" + ORDERS.encode(), ""),
        "gzip": ("orders.csv.gz", gzip.compress(ORDERS.encode()), ""),
        "carriage returns": ("orders.csv", ORDERS.replace("\n", "\r\n").encode(), ""),
        "mixed line ends": ("orders.csv", ORDERS.replace("\n", "\r\n", 1).encode(), ""),
        "columns in another order, one more": (
            "orders.csv",
            b"more,promised,placed,customer,no\n1,2026-03-10,2026-03-02T10:00:00,C1,O1\n2,2026-03-10,2026-03-03,C2,O2\n",
            "",
        ),
        "utf-16, declared": ("orders.csv", ORDERS.encode("utf-16"), 'encoding = "utf-16"'),
        "semicolons and single quotes": (
            "orders.csv",
            b"no;customer;placed;promised\n'O1';'C1';2026-03-02T10:00:00;2026-03-10\nO2;C2;2026-03-03;2026-03-10\n",
            'delimiter = ";"\nquote = "\'"',
        ),
        "no last line break, declared": ("orders.csv", ORDERS.rstrip("\n").encode(), 'final_newline = "optional"'),
        "JSON lines": (
            "orders.jsonl",
            b'{"no": "O1", "customer": "C1", "placed": "2026-03-02T10:00:00", "promised": "2026-03-10"}\n'
            b'{"no": "O2", "customer": "C2", "placed": "2026-03-03", "promised": "2026-03-10"}\n',
            "",
        ),
    }


@pytest.fixture(scope="module")
def as_plain_csv(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The orders loaded from the plain file."""
    folder = tmp_path_factory.mktemp("plain")
    plain = Source(folder, Location(folder=folder / "home")).write_all()
    plain.take_in()
    with reading(plain.location) as connection:
        return rows(connection, "orders")


OFTEN = ("gzip", "utf-16, declared")
"""Forms that every run tests. The others are in the long run."""


@pytest.mark.parametrize(
    "form",
    [one if one in OFTEN else pytest.param(one, marks=pytest.mark.long) for one in (*variants(), "Excel", "Parquet")],
)
def test_every_form_of_the_same_records_gives_the_same_rows(
    source: Source, form: str, as_plain_csv: list[dict[str, Any]]
) -> None:
    cells = [line.split(",") for line in ORDERS.splitlines()]
    if form == "Excel":
        with xlsxwriter.Workbook(str(source.folder / "orders.xlsx")) as book:
            sheet = book.add_worksheet("Orders")
            for number, row in enumerate(cells):
                sheet.write_row(number, 0, row)
        name, keys = "orders.xlsx", ""
    elif form == "Parquet":
        columns = {name: [row[position] for row in cells[1:]] for position, name in enumerate(cells[0])}
        pyarrow.parquet.write_table(pyarrow.table(columns), source.folder / "orders.parquet")
        name, keys = "orders.parquet", ""
    else:
        name, content, keys = variants()[form]
        source.write(name, content)
    source.origin["orders"] = f'read = "{name}"\n{keys}'
    source.take_in()
    with reading(source.location) as connection:
        assert rows(connection, "orders") == as_plain_csv


def test_records_with_too_few_or_too_many_cells_are_quarantined_with_their_row_number(
    source: Source,
) -> None:
    source.write(
        "orders.csv", HEADER + "O0,C1\n" + ROW + "O2,C2,2026-03-03,2026-03-10,more\nO3,C1,,\nO4,C1,2026-03-03,\n"
    )
    source.take_in()
    with reading(source.location) as connection:
        assert [(row.row_no, row.record) for row in kept(connection) if row.key is None] == [
            (1, "O0,C1"),
            (3, "O2,C2,2026-03-03,2026-03-10,more"),
        ]
        assert [(row.row_no, json.loads(row.key)) for row in kept(connection) if row.key and row.feed == "orders"] == [
            (4, {"order_id": "O3"})
        ]
        table = FEEDS["orders"].table
        assert dict(connection.execute(select(table.c.order_id, table.c.row_no)).all()) == {"O1": 2, "O4": 5}
        assert ledger(connection)["orders.csv"] == (5, 2, 3, 0)


def test_row_numbers_are_correct_with_quoted_line_breaks_next_to_a_broken_record(source: Source) -> None:
    source.columns["orders"]["special_request"] = '"wish"'
    source.write(
        "orders.csv",
        'no,customer,placed,promised,wish\nO1,C1,2026-03-02,,"two\nlines ""quoted"""\nO2,C1\nO3,C1,2026-03-02,,\n',
    )
    source.take_in()
    with reading(source.location) as connection:
        assert rows(connection, "orders")[0]["special_request"] == 'two\nlines "quoted"'
        assert [(row.row_no, row.record) for row in kept(connection) if row.feed == "orders"] == [(2, "O2,C1")]


def test_a_record_with_a_control_or_direction_character_is_quarantined_in_both_modes(any_source: Source) -> None:
    bad = ["\x00", "\x07", "\u202e", "\u200b", "\x7f"]
    any_source.write("orders.csv", HEADER + ROW + "".join(f"O{one}2,C2,2026-03-03,2026-03-10\n" for one in bad))
    any_source.take_in()
    with reading(any_source.location) as connection:
        found = [row for row in kept(connection) if row.feed == "orders"]
        assert [(row.row_no, [rule["rule"] for rule in json.loads(row.rules)]) for row in found] == [
            (n, ["text_is_clean"]) for n in range(2, 7)
        ]
        assert [row["order_id"] for row in rows(connection, "orders")] == ["O1"]


def test_invalid_number_is_quarantined(source: Source) -> None:
    bad = ["two", "1,5", "1.5E3", " 7 ", "+7", "\u0663", "NaN", "0x10", "1_000", "1.23456", "9" * 15, "-1", "7."]
    source.write("order_lines.csv", LINES + "".join(f'O1,{n},P1,"{text}"\n' for n, text in enumerate(bad, start=3)))
    source.take_in()
    with reading(source.location) as connection:
        assert [(row.feed, row.row_no) for row in kept(connection)] == [
            ("order_lines", n) for n in range(4, 4 + len(bad))
        ]


def test_implausible_date_is_quarantined(source: Source) -> None:
    bad = [
        "2026-02-30",
        "2026-03-02T24:00:00",
        "0000-00-00",
        "1899-12-31",
        "9999-12-31",
        "46000",
        "03/04/2026",
        "2026-3-2",
        "infinity",
        "2030-01-01",
    ]
    source.write("orders.csv", ORDERS + "".join(f"B{n},C1,{text},\n" for n, text in enumerate(bad)))
    source.take_in()
    with reading(source.location) as connection:
        assert [(row.feed, row.row_no) for row in kept(connection)] == [("orders", n) for n in range(3, 3 + len(bad))]


def test_identifiers_are_stored_unchanged(source: Source) -> None:
    source.write("orders.csv", HEADER + "00010,1E5,2026-03-02,\n")
    source.take_in()
    with reading(source.location) as connection:
        assert [(row["order_id"], row["customer_id"]) for row in rows(connection, "orders")] == [("00010", "1E5")]


def test_file_with_only_a_header_is_accepted(source: Source) -> None:
    source.write("shipments.csv", "delivery,left,proof\n")
    report = source.take_in()
    assert report.outcome == "published"
    with reading(source.location) as connection:
        assert ledger(connection)["shipments.csv"] == (0, 0, 0, 0)


def test_invalid_json_line_is_quarantined(source: Source) -> None:
    good = '{"no": "O1", "customer": "C1", "placed": "2026-03-02", "promised": null}\n'
    source.write(
        "orders.jsonl", good + '{"no": "O2", "no": "O3"}\n{"no": NaN}\n' + "[" * 5000 + "\n" + good.replace("O1", "O5")
    )
    source.origin["orders"] = 'read = "orders.jsonl"'
    source.take_in()
    with reading(source.location) as connection:
        assert [row["order_id"] for row in rows(connection, "orders")] == ["O1", "O5"]
        assert [row.row_no for row in kept(connection) if row.feed == "orders"] == [2, 3, 4]
