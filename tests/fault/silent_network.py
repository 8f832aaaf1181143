"""Take in records and draw pages, watched by a test: `python -m tests.fault.silent_network MAPPING PAGE ...`."""

import sys
from pathlib import Path

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard.frame import user_name
from dashboard.frame.menu import entry_of_file
from ingest.pipeline import run
from metrics.warehouse import locate

ROOT = Path(__file__).parents[2]


def main(mapping: str, *pages: str) -> None:
    """Ingest, and draw the pages. An error of a page ends the process."""
    assert run(Path(mapping), location=locate()).outcome == "published"
    user_name._remembered = lambda: ""  # AppTest invents a cookie for any name
    for page in pages:
        app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=120)
        app._page_hash = calc_hash(entry_of_file(page).path)
        app.run()
        assert not app.exception, (page, app.exception)
        print(page)


if __name__ == "__main__":
    main(*sys.argv[1:])
