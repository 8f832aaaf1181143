"""The button that downloads the page as PDF. `buyerview report` draws it in a process of its own, on the click."""

import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from dashboard.frame import access, live_refresh
from dashboard.frame.menu_entries import Entry
from metrics.errors import ReportFailed

ENTRY = Path(__file__).resolve().parents[2] / "buyerview.py"
SECONDS = 90
"""Longest time to draw a page."""
_places = threading.BoundedSemaphore(2)
"""Pages drawn at the same time; others wait, because each takes a few seconds of processor time."""


def button(entry: Entry, generation: int) -> None:
    """Draw the button, for the page and the address of this run."""
    query = {name: st.query_params.get_all(name) for name in st.query_params} | {live_refresh.PIN: [str(generation)]}
    address = f"{entry.path or 'scorecard'}?{urlencode(query, doseq=True)}"
    person = access.signed_in()
    st.download_button(
        "PDF",
        data=access.at_download(partial(drawn, entry.title, address, person[0] if person else "")),
        file_name=f"buyerview_{entry.file.removesuffix('.py')}_v{generation}.pdf",
        mime="application/pdf",
        icon=":material/picture_as_pdf:",
        on_click="ignore",
        key="page_as_pdf",
        help="Download this page as PDF. It takes a few seconds.",
    )


def drawn(title: str, address: str, person: str) -> bytes:
    """Return the PDF of the page at an address, with the rows that the person sees. Raises ReportFailed."""
    with _places, tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "page.pdf"
        words = ["report", "--page", address, "--out", str(target), *(["--as", person] if person else [])]
        try:
            done = subprocess.run(
                [sys.executable, str(ENTRY), *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                cwd=folder,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ReportFailed(title, f"it took more than {SECONDS} seconds") from None
        if done.returncode:
            raise ReportFailed(title, done.stderr.strip().rpartition("buyerview: ")[2] or "the process failed")
        return target.read_bytes()
