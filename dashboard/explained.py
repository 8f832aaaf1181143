"""From a number that moved to why it moved."""

from dashboard.components import formatting
from dashboard.frame import links
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Percentile, Ratio, Total

PATH = "what-changed"


def can_explain(measure: str) -> bool:
    """Whether a change of the measure can be explained part by part."""
    return isinstance(MEASURES[measure].formula, Ratio | Total | Percentile)


def explain_url(measure: str) -> str:
    """The address of the page that says why a measure moved between the two periods in view, relative to any page; "" where no part of it can."""
    return links.page_url(PATH, {"measure": measure}) if can_explain(measure) else ""


def explain_link(measure: str) -> str:
    """The same as a link of its own, for below a trend or a break-down."""
    address = explain_url(measure)
    return f'<p class="bv"><a href="{formatting.html(address)}" target="_self">Explain this change</a></p>' if address else ""
