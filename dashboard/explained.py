"""From a number that moved to why it moved."""

from dashboard import drill
from dashboard import format as fmt

PATH = "what-changed"


def href(measure: str) -> str:
    """The address of the page that says why a measure moved between the two periods in view, relative to any page."""
    return drill.address(PATH, {"measure": measure})


def link(measure: str) -> str:
    """The same as a link of its own, for below a trend."""
    return f'<p class="bv"><a href="{fmt.html(href(measure))}" target="_self">Explain this change</a></p>'
