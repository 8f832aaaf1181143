"""The one-page report: it shows the scorecard's numbers, stays one tagged page for any data, and never treats text as
markup.
"""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dashboard.components import formatting
from dashboard.frame.period import CHOICES
from dashboard.reports import pdf
from metrics.measures.catalog import MEASURES
from tests.dashboard.test_pages import asked

EVIL = '#panic("x") *bold* $1$ <label> @ref #read("/etc/passwd") ' + "long " * 30


def view(**changes: Any) -> dict[str, Any]:
    """A view as plain data, with more of everything than a page usually has."""
    cell = {"text": "77.8–82.0%", "css": "off"}
    tile = {
        "title": EVIL[:40],
        "value": "77.8–82.0%",
        "word": "off target",
        "css": "off",
        "against": "target 85.0%",
        "note": EVIL[:90],
    }
    rows = [[cell] * 10] * (pdf.SEGMENTS_MOST + 1)
    spec = {"width": 640, "height": 205, "mark": "point", "data": {"values": []}}
    report_values = {
        "title": "Scorecard",
        "under": EVIL,
        "headline": EVIL,
        "tiles": [tile] * 8,
        "trend": {"title": EVIL[:50], "spec": spec, "alternative": "-", "note": "-"},
        "segments": {"title": "S", "heads": ["Segment", "Judged", *["x"] * 8], "rows": rows, "left_out": EVIL[:60]},
        "legend": [("on", "on target")],
        "reasons": {"title": "Why", "rows": [[EVIL[:40], "1 order"]] * pdf.REASONS_SHOWN},
        "footer": [EVIL, EVIL, EVIL],
        "made": "2026-06-30T00:00:00",
    }
    return {**report_values, **changes}


def test_pdf_has_one_page_and_accessibility_tags_for_any_content() -> None:
    made = pdf.pdf(view())
    assert b"/Type/Pages/Count 1/" in made
    assert b"/StructTreeRoot" in made
    assert b"/MarkInfo" in made


def test_the_same_view_gives_the_same_bytes() -> None:
    assert pdf.pdf(view()) == pdf.pdf(view())


# the warehouse
def test_pdf_shows_the_scorecard_numbers(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(pdf, "pdf", lambda one: seen.append(one) or b"%PDF")
    pdf.write(tmp_path / "x.pdf", choice="13W", start=None, end=None, where=(("segment", ("C",)),))
    (report_values,) = seen
    where = (("segment", ("C",)),)
    for name, tile in zip(pdf.TILES, report_values["tiles"], strict=True):
        assert tile["value"] == formatting.number(asked(name, where=where).value, MEASURES[name].unit)
    assert "segment C" in report_values["under"]
    assert "Data version" in report_values["footer"][0]
    assert report_values["segments"]["rows"][0][0]["text"] == "C"
    assert "<" not in report_values["headline"]


def test_pdf_is_written_to_a_file(small: Path, tmp_path: Path) -> None:  # noqa: ARG001
    pdf.write(tmp_path / "x.pdf", choice=CHOICES[0], start=date(2026, 5, 1), end=date(2026, 6, 1), where=())
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF-1.7")
