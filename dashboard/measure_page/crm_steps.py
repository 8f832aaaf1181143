"""Customer relationship management in four steps, as one walk through the product. Source: design, product row 8. Pure."""

from dashboard.components import formatting
from dashboard.frame import links

STEPS = (
    ("profitability", "Segment customers by profitability"),
    ("packages", "Give each segment its package"),
    ("order-to-cash", "Run the processes that keep it"),
    ("behind", "Measure what was kept, and improve"),
)
"""The page of each step. What was kept is the attainment of the packages, behind which stand its parts and its course.
"""


def crm_steps(here: str) -> str:
    """The four steps in a line, each a link but the one that the page is."""
    shown = []
    for at, (path, words) in enumerate(STEPS, start=1):
        told = formatting.html(f"{at}. {words}")
        href = (
            links.drill_down_url("package_attainment", cut="segment")
            if path == links.DRILL_DOWN
            else links.page_url(path, {})
        )
        shown.append(
            f"<strong>{told}</strong>"
            if path == here
            else f'<a href="{formatting.html(href)}" target="_self">{told}</a>'
        )
    return f'<nav class="bv bv-legend" aria-label="Four steps">{" <span aria-hidden=true>→</span> ".join(shown)}</nav>'
