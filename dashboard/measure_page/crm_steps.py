"""The four steps of customer relationship management, as links between pages."""

from dashboard.components import formatting
from dashboard.frame import links

STEPS = (
    ("profitability", "Segment customers by profitability"),
    ("packages", "Give each segment its package"),
    ("order-to-cash", "Run the processes that deliver it"),
    ("behind", "Measure attainment, and improve"),
)
"""Path and title of each step. The last step leads to the drill-down of package attainment."""


def crm_steps(here: str) -> str:
    """Return the four steps as markup; each is a link, except the current page."""
    shown = []
    for at, (path, words) in enumerate(STEPS, start=1):
        title = formatting.html(f"{at}. {words}")
        href = (
            links.drill_down_url("package_attainment", cut="segment")
            if path == links.DRILL_DOWN
            else links.page_url(path, {})
        )
        shown.append(
            f"<strong>{title}</strong>"
            if path == here
            else f'<a href="{formatting.html(href)}" target="_self">{title}</a>'
        )
    return f'<nav class="bv bv-legend" aria-label="Four steps">{" <span aria-hidden=true>→</span> ".join(shown)}</nav>'
