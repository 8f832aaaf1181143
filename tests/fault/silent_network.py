"""Take in records and draw pages: `python -m tests.fault.silent_network MAPPING`. A test watches its network calls."""

import sys
from pathlib import Path

from streamlit.testing.v1 import AppTest

from ingest.pipeline import run
from metrics.warehouse import locate

ROOT = Path(__file__).parents[2]


def main(mapping: str) -> None:
    """Ingest, and draw every page of the menu. An error of a page ends the process."""
    assert run(Path(mapping), location=locate()).outcome == "published"
    for page in sorted((ROOT / "pages").glob("*.py")):
        app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=120).run()
        app.switch_page(f"../pages/{page.name}").run()
        assert not app.exception, (page.name, app.exception)
        print(page.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
