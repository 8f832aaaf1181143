"""A file that takes its reader's memory or time, or crashes it, is refused. The run goes on to say so."""

from __future__ import annotations

import io
import os
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import SourceRefused
from ingest.read import reader_process
from tests.ingest.read.reading import Reader, reader

ABOUT: dict[str, Any] = {"columns": {"shipment_id": {"from": "no"}, "carrier": {"from": "by"}}}
OFFICE = ("office", "table", "text")
NAMES = "".join(
    f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
)
REPEATED = (
    f"<office:document-content{NAMES}><office:body><office:spreadsheet>"
    '<table:table table:name="S"><table:table-row table:number-rows-repeated="6000">'
    '<table:table-cell table:number-columns-repeated="16000" office:value-type="string"><text:p>x</text:p>'
    "</table:table-cell></table:table-row></table:table>"
    "</office:spreadsheet></office:body></office:document-content>"
)
MANIFEST = '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reader(tmp_path_factory.mktemp("scratch")) as one:
        yield one


def write_sheet_of_repeats(path: Path) -> None:
    """Write a workbook of one kilobyte whose only row repeats a cell 96 million times."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", MANIFEST)
        archive.writestr("content.xml", REPEATED)
    path.write_bytes(packed.getvalue())


@pytest.mark.long
def test_greedy_slow_or_crashing_file_is_refused_and_the_next_file_is_read(
    read: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trust, T5: workbooks of 5 KB aborted the run or took 4 GB."""
    write_sheet_of_repeats(tmp_path / "a.ods")
    (tmp_path / "b.jsonl").write_text('{"no": "S1", "by": "DHL"}\n')
    assert (tmp_path / "a.ods").stat().st_size < 5_000

    def refusal(name: str) -> str:
        with pytest.raises(SourceRefused) as caught:
            read.read(tmp_path, "shipments", {"read": name, **ABOUT})
        assert caught.value.object_name == name
        return str(caught.value)

    about = {"read": "b.jsonl", **ABOUT}
    assert [row["carrier"] for row in read.read(tmp_path, "shipments", about).rows] == ["DHL"]
    assert read.readers.child is not None
    os.kill(read.readers.child.pid, signal.SIGSEGV)
    assert "b.jsonl: its reader needs more" in refusal("b.jsonl")
    monkeypatch.setenv("BUYERVIEW_QUERY_SECONDS", "0.001")
    assert "longer than 0.001 seconds. Send it as CSV or in several files, or raise BUYER" in refusal("b.jsonl")
    monkeypatch.delenv("BUYERVIEW_QUERY_SECONDS")
    with monkeypatch.context() as little:
        little.setattr(reader_process, "MEMORY", 400 << 20)
        assert "a.ods: its reader needs more than 400 MB of memory" in refusal("a.ods")
    assert len(read.read(tmp_path, "shipments", about).rows) == 1
