"""Any page as PDF: it has the page's numbers and tables, never its controls, and treats no text as markup."""

from pathlib import Path

import pytest

from dashboard.components import cards, formatting, tables
from dashboard.components.tables import Cell
from dashboard.frame import page_pdf as page_pdf_button
from dashboard.frame.menu_entries import ENTRIES
from dashboard.reports import page_blocks, page_pdf
from metrics.access import Access, Role
from metrics.errors import ReportFailed, UnknownName
from metrics.measures.catalog import MEASURES
from tests.dashboard.test_pages import asked

EVIL = '#panic("x") *b* <i>'


def test_blocks_have_what_the_page_says_and_no_controls() -> None:
    rows = [
        [Cell(EVIL, small="C1"), Cell(markup='<a href="x">2</a><a class="bv-mark">⚑ 3</a>')],
        ["B", Cell(markup='<span title="why">–<span class="bv-said">, no feed</span></span>')],
    ]
    body = (
        f'<div class="bv"><h2>Parts</h2>{tables.table(("Part", "Number"), rows, caption="Parts", numeric=(1,))}</div>'
    )
    body += cards.figures([("88", "to do")]) + '<p class="bv"><a href="y">Explain this change</a></p>'
    body += tables.facts([("Name", EVIL)]) + '<button class="bv-copy">Copy link</button><style>p {}</style>'
    assert page_blocks.markup_blocks(body) == [
        {"kind": "heading", "text": "Parts"},
        {
            "kind": "table",
            "heads": ["Part", "Number"],
            "rows": [[f"{EVIL}\nC1", "2"], ["B", formatting.DASH]],
            "left_out": "",
            "numeric": [1],
        },
        {"kind": "list", "items": ["88 to do"]},
        {"kind": "facts", "pairs": [["Name", EVIL]]},
    ]


def test_rows_of_a_work_list_become_one_table_with_their_orders() -> None:
    rows = [
        block
        for order, due in (("A1", "3 Mar"), ("A2", "4 Mar"))
        for block in (
            {"kind": "link", "text": order},
            {"kind": "item", "cells": [("Was due", due)]},
        )
    ]
    assert page_blocks.joined([{"kind": "link", "text": "All levers"}, *rows]) == [
        {
            "kind": "table",
            "heads": ["Order", "Was due"],
            "rows": [["A1", "3 Mar"], ["A2", "4 Mar"]],
            "numeric": [],
            "left_out": "",
        }
    ]


def test_pdf_of_a_page_has_the_numbers_of_its_address_and_of_the_person(small: Path) -> None:  # noqa: ARG001
    shown = page_pdf.page_view("availability?segment=C")
    number = formatting.number(
        asked("available_as_wanted", where=(("segment", ("C",)),)).value, MEASURES["available_as_wanted"].unit
    )
    assert shown["title"] == "Availability"
    assert "segment C" in shown["under"]
    assert number in str(shown["blocks"])
    assert {"chart", "table", "heading"} <= {block["kind"] for block in shown["blocks"]}
    of_c = page_pdf.page_view("availability", Access("ann", Role.VIEWER, (("segment", ("C",)),)))
    assert number in str(of_c["blocks"])
    assert "rows of ann" in of_c["footer"]
    evil = {**shown, "under": EVIL, "blocks": [{"kind": "text", "text": EVIL}, *shown["blocks"]]}
    made = page_pdf._compiled(evil)
    assert made.startswith(b"%PDF-1.7")
    assert b"/StructTreeRoot" in made
    with pytest.raises(UnknownName):
        page_pdf.page_view("nothing")


@pytest.mark.long
@pytest.mark.parametrize("path", [entry.path or "scorecard" for entry in ENTRIES])
def test_every_page_can_be_written_as_pdf(path: str, small: Path) -> None:  # noqa: ARG001
    assert page_pdf.page_pdf(path).startswith(b"%PDF-1.7")


@pytest.mark.long
def test_button_draws_the_page_in_a_process_of_its_own(small: Path) -> None:  # noqa: ARG001
    assert page_pdf_button.drawn("Levers", "levers?segment=A&v=1", "").startswith(b"%PDF-1.7")
    with pytest.raises(ReportFailed, match="person with access named"):
        page_pdf_button.drawn("Levers", "levers", "nobody@example.org")
