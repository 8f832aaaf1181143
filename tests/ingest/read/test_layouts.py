"""Files as systems write them: unnamed columns, title and totals rows, endings, headers with invisible characters.

Each test reads files only. The same rows must come out as from the plain file.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import xlsxwriter

from ingest.errors import SourceRefused
from tests.ingest.read.reading import Reader, Staged, reader

COLUMNS = {"shipment_id": "NO", "carrier": "BY", "freight_amount": "COST"}
HEADER = "NO,BY,COST\n"
ROWS = "S1,DHL,5\nS2,UPS,7.5\n"
RIGHT = [("S1", "DHL", 5.0, 1), ("S2", "UPS", 7.5, 2)]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reader(tmp_path_factory.mktemp("scratch")) as one:
        yield one


def staged(read: Reader, folder: Path, name: str, content: str | bytes, **keys: Any) -> Staged:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    columns = keys.pop("columns", COLUMNS)
    filled = keys.pop("filled", False)
    return read.read(folder, "shipments", {"read": name, "columns": columns, **keys}, filled=filled)


def found(rows: Staged) -> list[tuple[object, ...]]:
    return [(one["shipment_id"], one["carrier"], float(one["freight_amount"]), one["row_no"]) for one in rows.rows]


CSV_FORMS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "one unnamed column": ("f.csv", "NO,BY,COST,\nS1,DHL,5,\nS2,UPS,7.5,\n", {}),
    "two unnamed columns, not filled": ("f.csv", "NO,BY,COST,,\nS1,DHL,5\nS2,UPS,7.5,,\n", {}),
    "an unnamed column with content": ("f.csv", "NO,,BY,COST\nS1,x,DHL,5\nS2,y,UPS,7.5\n", {}),
    "more empty fields than columns": ("f.csv", HEADER + "S1,DHL,5,\nS2,UPS,7.5,,\n", {}),
    "title lines": ("f.csv", "Deliveries,,\nMarch 2026,,\n\n" + HEADER + ROWS, {}),
    "a totals row": ("f.csv", HEADER + ROWS + "Total,,12.5\n".replace("Total,", ",Total"), {}),
    "a totals line and more lines": ("f.csv", HEADER + ROWS + "\nGrand total: 2 records\nPrinted by Ann\n", {}),
    "sep=": ("f.csv", "sep=;\n" + (HEADER + ROWS).replace(",", ";"), {}),
    "sep=, declared": ("f.csv", "sep=;\n" + (HEADER + ROWS).replace(",", ";"), {"delimiter": ";"}),
    "tabs in .tsv": ("F.TSV", (HEADER + ROWS).replace(",", "\t"), {}),
    "tabs in .txt, declared": ("f.txt", (HEADER + ROWS).replace(",", "\t"), {"delimiter": "\t"}),
    "capitals": ("F.CSV", HEADER + ROWS, {}),
    "another ending, declared": ("f.dat", HEADER + ROWS, {"kind": "csv"}),
    "skip_rows": ("f.csv", "NO,BY,COST\nx,y,z\n" + HEADER + ROWS, {"skip_rows": 2}),
    "header_row": ("f.csv", "NO,BY,COST\nx,y,z\n" + HEADER + ROWS, {"header_row": 3}),
    "footer of two": ("f.csv", HEADER + ROWS + "S8,a,1\nS9,b,2\n", {"footer": 2}),
    "footer by its word": ("f.csv", HEADER + ROWS + "Bye,,\n,a,b\n", {"footer": "Bye"}),
    "blank lines": ("f.csv", "\n" + HEADER + "\nS1,DHL,5\n\n\nS2,UPS,7.5\n\n", {}),
    "returns only": ("f.csv", (HEADER + ROWS).replace("\n", "\r"), {}),
    "mixed line ends": ("f.csv", HEADER + "S1,DHL,5\r\nS2,UPS,7.5\n", {}),
    "a column named _row_no": ("f.csv", "_row_no,NO,BY,COST,rowid\n8,S1,DHL,5,1\n9,S2,UPS,7.5,2\n", {}),
}


@pytest.mark.parametrize("form", CSV_FORMS)
def test_a_csv_of_every_layout_gives_the_same_rows(read: Reader, tmp_path: Path, form: str) -> None:
    """I5, I6: what is above the header and below the records is no record, and unnamed columns are ignored."""
    name, content, keys = CSV_FORMS[form]
    assert found(staged(read, tmp_path, name, content, **keys)) == RIGHT


def test_complete_record_with_the_word_total_is_read_as_a_record(read: Reader, tmp_path: Path) -> None:
    """Only a row that cannot be a record ends the records: here the last row has every needed column."""
    rows = staged(read, tmp_path, "f.csv", HEADER + ROWS + "Total,DHL,1\n")
    assert [one["shipment_id"] for one in rows.rows] == ["S1", "S2", "Total"]
    rows = staged(read, tmp_path, "f.csv", HEADER + ",Total,5\n" + ROWS)
    assert [one["shipment_id"] for one in rows.rows] == [None, "S1", "S2"]
    assert rows.notes == []


def test_skipped_rows_are_noted(read: Reader, tmp_path: Path) -> None:
    notes = staged(read, tmp_path, "f.csv", "Deliveries,,\n" + HEADER + ROWS + ",Total,12.5\n").notes
    assert [note.partition(": ")[2][:40] for note in notes] == [
        "the header is line 2; 1 line(s) above it",
        "1 row(s) below the records were skipped,",
    ]


@pytest.mark.parametrize("header", ['"NO\r"', '"NO\r\n"', '"NO\n"', '"NO\x0b"', "NO\u200b", "NO\u00a0", '"N\tO"'])
def test_a_header_with_invisible_characters_loses_no_record(read: Reader, tmp_path: Path, header: str) -> None:
    """I18, I21: two records are read if the mapping names the column as it is; otherwise the message shows it."""
    content = f"{header},BY,COST\n{ROWS}"
    name = header.strip('"')
    columns = {**COLUMNS, "shipment_id": name}
    assert found(staged(read, tmp_path, "f.csv", content, columns=columns)) == RIGHT
    crlf = content.replace("\n", "\r\n") if "\n" not in name else content
    assert found(staged(read, tmp_path, "f.csv", crlf, columns=columns)) == RIGHT
    with pytest.raises(SourceRefused) as refused:
        staged(read, tmp_path, "f.csv", content)
    assert refused.value.object_name == "f.csv"
    if name.strip() in ("NO", "NO\u200b"):
        assert f"the header has {json.dumps(name)}" in refused.value.reason
        assert json.dumps(name) in refused.value.do


def test_error_suggests_the_delimiter_found_in_the_header(read: Reader, tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match=r'delimiter = ";"'):
        staged(read, tmp_path, "f.csv", (HEADER + ROWS).replace(",", ";"))


@pytest.mark.parametrize("size", [70_000, 40_000_000])
def test_a_huge_record_is_rejected_and_the_others_are_read(read: Reader, tmp_path: Path, size: int) -> None:
    """T3: a record over the cap is in quarantine, cut, and never vanishes. 2 read + 1 rejected = 3 records."""
    rows = staged(read, tmp_path, "f.csv", HEADER + "S1,DHL,5\n" + f"S9,{'x' * size},1\n" + "S2,UPS,7.5\n")
    assert [one[0] for one in found(rows)] == ["S1", "S2"]
    (broken,) = rows.objects[0].broken
    assert (broken.row_no, broken.problem) == (2, "has a cell larger than 64 KB")
    assert len(broken.raw) < 3000


@pytest.mark.parametrize(
    ("text", "carrier"),
    [('5" pipe', '5" pipe'), (' "a"', ' "a"'), ('"a ""b"""', 'a "b"'), ('"two\r\nlines"', "two\r\nlines")],
)
def test_row_is_read_the_same_regardless_of_neighbouring_rows(
    read: Reader, tmp_path: Path, text: str, carrier: str
) -> None:
    """T17: a broken neighbour, a quoted line break or a stray line end changes no other row and no row number."""
    row = f"S1,{text},5\n"
    for before, number in (("", 1), ("S0,x\n", 2), ('S0,"a\nb",1\n', 2), ("S0,x,1\r\n", 2), ('S0,"a"b,1\n', 2)):
        rows = staged(read, tmp_path, "f.csv", HEADER + before + row + "S2,UPS,7.5\n")
        mine = [(one["carrier"], one["row_no"]) for one in rows.rows if one["shipment_id"] == "S1"]
        assert mine == [(carrier, number)], before


@pytest.mark.parametrize("encoding", ["hex", "rot13", "undefined", "no-such", "utf-16", "base64"])
def test_an_encoding_that_cannot_be_used_is_refused(read: Reader, tmp_path: Path, encoding: str) -> None:
    with pytest.raises(SourceRefused, match=r"f\.csv") as refused:
        staged(read, tmp_path, "f.csv", HEADER + ROWS, encoding=encoding)
    assert "encoding" in refused.value.do


def test_a_file_that_cannot_be_opened_is_refused(read: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("f.csv", "f.jsonl", "f.xlsx"):
        (tmp_path / name).write_text(HEADER + ROWS)
        with monkeypatch.context() as patch:
            original = Path.open

            def denied(path: Path, *args: Any, **keys: Any) -> Any:
                if path.parent == tmp_path.resolve():
                    raise PermissionError(13, os.strerror(13), str(path))
                return original(path, *args, **keys)  # noqa: B023 - used in this loop step only

            patch.setattr(Path, "open", denied)
            with pytest.raises(SourceRefused, match="Permission denied") as refused:
                read.read(tmp_path, "shipments", {"read": name, "columns": COLUMNS})
        assert refused.value.object_name == name


def test_file_without_a_final_line_break_is_refused(read: Reader, tmp_path: Path) -> None:
    """T7: a line end three bytes before the end is no line end at the end."""
    for content, keys in ((HEADER + ROWS + "S3", {}), ((HEADER + ROWS + "S").encode("utf-16"), {"encoding": "utf-16"})):
        with pytest.raises(SourceRefused, match="does not end with a line break"):
            staged(read, tmp_path, "f.csv", content, **keys)


def test_a_file_that_differs_from_its_manifest_is_refused(read: Reader, tmp_path: Path) -> None:
    """T7: a file cut just after a line end looks whole. Its manifest says 2 records, 31 bytes."""
    content = HEADER + ROWS
    right = {"rows": 2, "bytes": len(content), "sha256": hashlib.sha256(content.encode()).hexdigest()}

    def with_manifest(manifest: object, text: str = content) -> Staged:
        (tmp_path / "m.json").write_text(json.dumps(manifest))
        return staged(read, tmp_path, "f.csv", text, manifest="m.json")

    assert found(with_manifest({"f.csv": right, "other.csv": {"rows": 1}})) == RIGHT
    assert found(with_manifest({"f.csv": {"rows": 2}})) == RIGHT
    cut = content[: content.index("S2")]
    for manifest, text, reason in (
        ({"f.csv": right}, cut, "it has 20 bytes, but m.json says 31"),
        ({"f.csv": {"rows": 2}}, cut, "it has 1 records, but m.json says 2"),
        ({"f.csv": {"sha256": right["sha256"]}}, content.replace("5", "6", 1), "SHA-256"),
        ({"g.csv": right}, content, "does not list it"),
        ([1], content, "no manifest"),
        ({"f.csv": {"rows": "two"}}, content, "whole numbers"),
    ):
        with pytest.raises(SourceRefused, match=reason):
            with_manifest(manifest, text)
    (tmp_path / "m.json").unlink()
    with pytest.raises(SourceRefused, match="manifest cannot be read"):
        staged(read, tmp_path, "f.csv", content, manifest="m.json")


def test_empty_feed_is_noted_and_refused_if_earlier_runs_had_records(read: Reader, tmp_path: Path) -> None:
    """I18: a header and no records."""
    assert staged(read, tmp_path, "f.csv", HEADER).notes == ["f.csv has no records; check its export"]
    with pytest.raises(SourceRefused, match="earlier runs had records"):
        staged(read, tmp_path, "f.csv", HEADER, filled=True)
    assert staged(read, tmp_path, "f.csv", HEADER, filled=True, may_be_empty=True).rows == []


def test_json_arrays_and_lines_give_the_same_rows(read: Reader, tmp_path: Path) -> None:
    records = [{"NO": "S1", "BY": "DHL", "COST": 5}, {"NO": "S2", "BY": "UPS", "COST": 7.5}]
    lines = "".join(json.dumps(one) + "\n" for one in records)
    for name, content in (("f.json", json.dumps(records, indent=1)), ("F.JSONL", lines), ("f.ndjson", lines)):
        assert found(staged(read, tmp_path, name, content)) == RIGHT
    assert found(staged(read, tmp_path, "f.jsonl.gz", gzip.compress(lines.encode()))) == RIGHT
    mixed = staged(read, tmp_path, "f.json", json.dumps([records[0], 5, {"NO": "\ud800"}, records[1]]))
    assert [one[3] for one in found(mixed)] == [1, 4]
    assert [one.row_no for one in mixed.objects[0].broken] == [2, 3]
    assert staged(read, tmp_path, "f.json", "[]").rows == []
    with pytest.raises(SourceRefused, match="cannot be read"):
        staged(read, tmp_path, "f.json", json.dumps(records)[:-3])


def test_a_workbook_with_title_and_totals_rows_gives_the_same_rows(read: Reader, tmp_path: Path) -> None:
    cells: list[list[object]] = [
        ["Deliveries"], [], ["NO", None, "BY", "COST"], ["S1", "x", "DHL", 5], [], ["S2", "x", "UPS", 7.5],
        [None, None, "Total", 12.5],
    ]  # fmt: skip
    with xlsxwriter.Workbook(str(tmp_path / "F.XLSX")) as book:
        sheet = book.add_worksheet()
        for number, one in enumerate(cells):
            sheet.write_row(number, 0, one)
    rows = read.read(tmp_path, "shipments", {"read": "F.XLSX", "columns": COLUMNS})
    assert found(rows) == RIGHT
    assert len(rows.notes) == 2


def test_an_open_document_sheet_is_read(read: Reader, tmp_path: Path) -> None:
    def cell(value: object) -> str:
        kind = 'float" office:value="{0}' if isinstance(value, float) else "string"
        about = f'office:value-type="{kind.format(value)}"'
        return f"<table:table-cell {about}><text:p>{value}</text:p></table:table-cell>"

    body = "".join(
        f"<table:table-row>{''.join(map(cell, row))}</table:table-row>"
        for row in (("NO", "BY", "COST"), ("S1", "DHL", 5.0), ("S2", "UPS", 7.5))
    )
    spaces = "".join(
        f' xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for short, name in (("office", "office"), ("table", "table"), ("text", "text"))
    )
    with zipfile.ZipFile(tmp_path / "f.ods", "w") as book:
        book.writestr("META-INF/manifest.xml", "<manifest/>")
        book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        book.writestr(
            "content.xml",
            f'<?xml version="1.0"?><office:document-content{spaces}><office:body><office:spreadsheet>'
            f'<table:table table:name="o">{body}</table:table></office:spreadsheet></office:body>'
            "</office:document-content>",
        )
    assert found(read.read(tmp_path, "shipments", {"read": "f.ods", "columns": COLUMNS})) == RIGHT


def test_parquet_with_reserved_column_names_and_nan_is_read(read: Reader, tmp_path: Path) -> None:
    names = {"NO": ["S1", "S2"], "BY": ["DHL", "UPS"], "COST": [5.0, float("nan")], "_row_no": [7, 8], "rowid": [1, 2]}
    pyarrow.parquet.write_table(pyarrow.table(names), tmp_path / "f.parquet")
    columns = {**COLUMNS, "received_place": "_row_no"}
    rows = read.read(tmp_path, "shipments", {"read": "f.parquet", "columns": columns}).rows
    assert [(one["freight_amount"], one["received_place"], one["row_no"]) for one in rows] == [
        (5, "7", 1),
        (None, "8", 2),
    ]


@pytest.mark.parametrize("name", ["f.xlsx", "f.parquet", "f.ods", "f.xls", "f.xlsb"])
@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"PAR1\x00\x00PAR1", b"\xd0\xcf\x11\xe0" + b"\x00" * 600, b"a,b\n"]
)
def test_file_with_invalid_content_for_its_extension_is_refused(
    read: Reader, tmp_path: Path, name: str, content: bytes
) -> None:
    with pytest.raises(SourceRefused) as refused:
        staged(read, tmp_path, name, content)
    assert (refused.value.object_name, bool(refused.value.reason), bool(refused.value.do)) == (name, True, True)
