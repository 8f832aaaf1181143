"""Files that unpack to much more than their size are refused before a reader allocates anything."""

import io
import zipfile
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.parquet as pq
import pytest

from dashboard.exports.read import NotAnExport, read
from ingest.errors import SourceRefused
from ingest.mapping.file_kinds import kind_of
from ingest.read.file_sizes import refuse_unpacking
from ingest.storage.scratch_database import scratch
from metrics.file_limits import TooLargeError, check_parquet, check_workbook, check_zip


def archive(**members: bytes) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    made.seek(0)
    return made


def workbook(cells: dict[str, object]) -> io.BytesIO:
    book = openpyxl.Workbook()
    for place, value in cells.items():
        book.active[place] = value  # type: ignore[index]
    made = io.BytesIO()
    book.save(made)
    made.seek(0)
    return made


def test_workbook_with_a_distant_cell_is_refused_and_with_a_near_stray_cell_is_accepted() -> None:
    """Trust, T5: 5 KB with a cell at XFD1048576 are 17 billion cells for a reader that fills the rectangle."""
    near = {"A1": "no", "B1": "qty", "A2": "O1", "B2": 1}
    check_workbook(workbook(near | {"Z4000": "x", "A9": "x" * 32_767}))
    for place in ("XFD1048576", "A1048576", "XFD400"):
        far = workbook(near | {place: 1})
        if place in ("A1048576",):
            check_workbook(far)  # a column of a million places is small
        else:
            with pytest.raises(TooLargeError, match=f"up to {place}"):
                check_workbook(far)


def test_decompression_bombs_are_refused() -> None:
    text = b"<si><t>" + bytes(range(65, 91)) * 10_000 + b"</t></si>"
    with pytest.raises(TooLargeError, match="longer than a cell"):
        check_workbook(archive(xl__sharedStrings_xml=b"<sst>" + text + b"</sst>"))
    for check in (check_workbook, check_zip):
        with pytest.raises(TooLargeError, match="200 times"):
            check(archive(any_xml=bytes(70_000_000)))
    check_parquet(10**6, 30, 1_000)
    with pytest.raises(TooLargeError, match="values"):
        check_parquet(10**9, 1, 5_000)


@pytest.mark.long
def test_source_or_export_that_unpacks_to_too_much_is_refused_with_a_remedy(tmp_path: Path) -> None:
    """Trust, T5 and T16: `ingest` names the object, `verify` the file."""
    (tmp_path / "a.xlsx").write_bytes(workbook({"A1": 1, "XFD1048576": 1}).getvalue())
    (tmp_path / "damaged.xlsx").write_bytes(workbook({"A1": 1}).getvalue()[:-100])
    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 60_000_000, pyarrow.int8()), ["x"])
    pq.write_table(pyarrow.table({"a": column}), tmp_path / "b.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "b.parquet").read_bytes()[:-10])
    (tmp_path / "c.zip").write_bytes(archive(any_xml=bytes(70_000_000)).getvalue())
    with scratch(tmp_path) as place:
        connection = place.connect()
        for name, why in {
            "a.xlsx": "up to XFD1048576",
            "b.parquet": "60,000,000 values",
            "cut.parquet": "the Parquet file cannot be read",
        }.items():
            with pytest.raises(SourceRefused, match=why):
                refuse_unpacking(connection, tmp_path / name, kind_of(name), name)
        connection.close()
    for name in ("a.xlsx", "b.parquet", "c.zip", "cut.parquet", "damaged.xlsx"):
        with pytest.raises(NotAnExport, match="Use the unchanged file"):
            read(tmp_path / name)
