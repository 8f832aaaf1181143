"""From a number that moved to why it moved."""

from dashboard import drill

PATH = "what-changed"


def href(measure: str) -> str:
    """The address of the page that says why a measure moved between the two periods in view, relative to any page."""
    return drill.address(PATH, {"measure": measure})
