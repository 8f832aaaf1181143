"""Who gets which answer on which route, and its table in docs/access.md: `python -m tests.dashboard.server.routes`."""

from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "access.md"
BEGIN, END = "<!-- routes: written by `python -m tests.dashboard.server.routes` -->", "<!-- end of routes -->"
KINDS = ("no cookie", "stale", "without access", "viewer", "agent", "administrator")
"""The columns. A stale cookie is too old, or its sign-in has ended."""
IN, OUT, NO, GONE = 200, 401, 403, 404
STREAM = "/_stcore/stream"
"""The WebSocket of a page."""
ROUTES: dict[str, tuple[int, int, int, int, int, int]] = {
    "/healthz": (IN,) * 6,
    "/_stcore/health": (IN,) * 6,
    "/static/js/index.js": (IN,) * 6,
    "/assets/inter-latin.woff2": (IN,) * 6,
    "/": (OUT, OUT, NO, IN, IN, IN),
    "/recovery?region=North": (OUT, OUT, NO, IN, IN, IN),
    "/access": (OUT, OUT, NO, IN, IN, IN),
    STREAM: (NO, NO, NO, IN, IN, IN),
    "/_stcore/host-config": (OUT, OUT, NO, IN, IN, IN),
    "/component/x/index.html": (OUT, OUT, NO, IN, IN, IN),
    "/media/ffff.xlsx": (OUT, OUT, NO, GONE, GONE, GONE),
    "/metrics": (OUT, OUT, NO, NO, NO, IN),
    "/_stcore/metrics": (GONE,) * 6,
    "/_stcore/upload_file/a/b": (OUT, OUT, NO, NO, NO, IN),
}


def table() -> str:
    """Return the table, as in docs/access.md."""
    rows = [["route", *KINDS], ["---"] * (1 + len(KINDS))]
    rows += [[f"`{route}`", *map(str, statuses)] for route, statuses in ROUTES.items()]
    return "\n".join([BEGIN, *(f"| {' | '.join(row)} |" for row in rows), END])


def page() -> str:
    """Return docs/access.md with the present table."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return before + table() + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
