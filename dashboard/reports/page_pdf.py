"""Any page as PDF: the page is drawn without a browser, for a person and an address, and set by Typst.

The dashboard starts this as a command of its own (`buyerview report --page`), because Streamlit draws a page without a
browser only in a process that serves nobody.
"""

from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from streamlit.testing.v1 import AppTest

from dashboard import queries
from dashboard.components import formatting, theme
from dashboard.frame import access, chart_download, menu, menu_entries
from dashboard.reports import page_blocks
from dashboard.reports.page_blocks import PdfBlock
from dashboard.reports.paper import typeset
from metrics.access import Access
from metrics.errors import NothingPublished, ReportFailed, UnknownName
from metrics.lists.data_status import data_status
from metrics.warehouse import locate

TEMPLATE = theme.ASSETS / "page.typ"
APP = Path(__file__).resolve().parents[1] / "app.py"
SECONDS = 90
"""Longest time to draw a page."""
WIDE_COLUMNS = 11
"""A table with as many columns turns the paper."""


def page_pdf(address: str, person: Access | None = None) -> bytes:
    """Return the page at an address ("availability?period=26W") as PDF, with the rows that the person sees.

    Raises UnknownName, NothingPublished or ReportFailed.
    """
    return _compiled(page_view(address, person))


def page_view(address: str, person: Access | None = None) -> dict[str, Any]:
    """Return everything the PDF of a page shows as plain data."""
    published = queries.current()
    if published is None:
        raise NothingPublished(str(locate()))
    entry = entry_of(address)
    with access.acting(person):
        at = _drawn(entry, address)
    if at.exception:
        raise ReportFailed(entry.title, at.exception[0].message)
    blocks = page_blocks.joined(page_blocks.blocks_of(at.main))
    under, *_ = [block["text"] for block in blocks if block["kind"] == "note"] or [""]
    if under:
        blocks.remove({"kind": "note", "text": under})
    with queries.reading_as(person.scope if person else ()), queries.one_generation(published.number):
        as_of = queries.cached(data_status, published.number).data_as_of
    version = dict(parse_qsl(urlsplit(address).query)).get("v", str(published.number))
    rows_of = f" · rows of {person.person}" if person else ""
    return {
        "title": entry.title,
        "under": under,
        "blocks": blocks,
        "is_wide": any(block["kind"] == "table" and len(block["heads"]) >= WIDE_COLUMNS for block in blocks),
        "footer": f"Buyerview · data version {version}, data as of {formatting.moment(as_of)}{rows_of}",
        "made": (as_of or datetime(2000, 1, 1)).isoformat(),
    }


def entry_of(address: str) -> menu_entries.Entry:
    """Return the page at an address. Raises UnknownName if there is none."""
    path = urlsplit(address).path.strip("/")
    found = {entry.path: entry for entry in menu_entries.ENTRIES} | {"scorecard": menu.entry_of_file("scorecard")}
    if path not in found:
        raise UnknownName("page", path, [name for name in found if name])
    return found[path]


def _drawn(entry: menu_entries.Entry, address: str) -> AppTest:
    """Draw a page without a browser."""
    at = AppTest.from_file(str(APP), default_timeout=SECONDS)
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(urlsplit(address).query):
        query.setdefault(name, []).append(value)
    for name, values in query.items():
        at.query_params[name] = values
    if entry.path:
        at.session_state[menu.PAGES_ONLY] = True
        at.run()
        at.switch_page(f"../pages/{entry.file}")
        for name, values in query.items():
            at.query_params[name] = values
    return at.run()


def _compiled(view: dict[str, Any]) -> bytes:
    return typeset(TEMPLATE, {**view, "blocks": [_with_picture(block) for block in view["blocks"]]})


def _with_picture(block: PdfBlock) -> PdfBlock:
    """Return a block with its chart as a picture."""
    if block["kind"] != "chart":
        return block
    return {"kind": "chart", "svg": chart_download.bare_svg(block["spec"]), "alternative": block["alternative"]}
