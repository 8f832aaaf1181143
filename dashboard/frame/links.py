"""From a number to what is behind it: an address for every number, which keeps the filters as they are."""

from datetime import date
from urllib.parse import urlencode

from dashboard.components import formatting
from dashboard.frame import filters
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Percentile, Ratio, Total

DRILL_DOWN = "behind"
WHAT_CHANGED = "what-changed"
STORY = "order-story"

At = tuple[tuple[str, str | None], ...]
"""Dimension values a number is narrowed to beside the filters, in the order they were chosen; None: empty in the data.
"""

Days = tuple[date, date]


def drill_down_url(
    measure: str,
    *,
    part: str = "counted",
    by: str | None = None,
    value: str | None = None,
    period: Days | None = None,
    at: At = (),
    cut: str = "",
) -> str:
    """The address of the rows behind a number (or behind its value `value` of dimension `by`), relative to any page.

    part: "counted" or "out_of", or another that `metrics.lists.drill_down.parts` knows. period: other days than the
    filter bar's, such as one week of a trend. at: what the number is narrowed to already. cut: the dimension to break
    it down by there.
    """
    places = (*at, (by, value)) if by else at
    asked: dict[str, str | list[str]] = {"measure": measure, "part": part}
    if places:
        asked["at"] = [name if held is None else f"{name}:{held}" for name, held in places]
    if period is not None:
        asked["days"] = f"{period[0]}..{period[1]}"
    if cut:
        asked["by"] = cut
    return page_url(DRILL_DOWN, asked)


def order_story_url(order_id: str) -> str:
    """The address of one order's story."""
    return page_url(STORY, {"order": order_id})


def page_url(path: str, asked: dict[str, str | list[str]]) -> str:
    """The address of another page with the filters as they are."""
    return f"{path or './'}?{urlencode({**filters.filters_url(), **asked}, doseq=True)}"


def parse_at(texts: list[str]) -> At:
    """What `at` says in an address."""
    found = []
    for text in texts:
        name, given, value = text.partition(":")
        found.append((name, value if given else None))
    return tuple(found)


def parse_days(text: str | None) -> Days | None:
    """What `days` says in an address; None where it says nothing that could be days."""
    try:
        start, end = (date.fromisoformat(one) for one in (text or "").split(".."))
    except ValueError:
        return None
    return (start, end) if start <= end else None


def can_explain(measure: str) -> bool:
    """Whether a change of the measure can be explained part by part."""
    return isinstance(MEASURES[measure].formula, Ratio | Total | Percentile)


EXPLAINED = [name for name in MEASURES if can_explain(name)]
"""Measures whose change can be explained part by part."""


def explain_url(measure: str) -> str:
    """The address of the page that says why a measure moved between the two periods in view, relative to any page; ""
    where no part of it can.
    """
    return page_url(WHAT_CHANGED, {"measure": measure}) if can_explain(measure) else ""


def explain_link(measure: str) -> str:
    """The same as a link of its own, for below a trend or a break-down."""
    address = explain_url(measure)
    return (
        f'<p class="bv"><a href="{formatting.html(address)}" target="_self">Explain this change</a></p>'
        if address
        else ""
    )
