"""Addresses of other pages: drill-down, order timeline, explanation of a change. They keep the filters."""

from datetime import date
from urllib.parse import urlencode

import streamlit as st

from dashboard.components import formatting
from dashboard.frame import address
from metrics.lists.drill_down_parts import first_part
from metrics.measures.catalog import MEASURES
from metrics.model.measure import SNAPSHOT, Percentile, Ratio, Total

DRILL_DOWN = "behind"
WHAT_CHANGED = "what-changed"
STORY = "order-story"
CUSTOMER = "customer"

At = tuple[tuple[str, str | None], ...]
"""Dimension values in addition to the filters, in the order of selection; None means empty in the data."""

Days = tuple[date, date]


def drill_down_url(
    measure: str,
    *,
    part: str = "",
    by: str | None = None,
    value: str | None = None,
    period: Days | None = None,
    at: At = (),
    cut: str = "",
) -> str:
    """Return the relative address of the rows behind a number, or behind the value `value` of its dimension `by`.

    part: one of `metrics.lists.drill_down_parts.PARTS`; default is the failed rows of a test, else the counted rows.
    period: days that replace the filter bar's, such as one week of a trend. at: dimension values of the number.
    cut: dimension of the breakdown.
    """
    places = (*at, (by, value)) if by else at
    asked: dict[str, str | list[str]] = {"measure": measure, "part": part or first_part(MEASURES[measure])}
    if places:
        asked["at"] = [name if item is None else f"{name}:{item}" for name, item in places]
    if period is not None:
        asked["days"] = f"{period[0]}..{period[1]}"
    if cut:
        asked["by"] = cut
    return page_url(DRILL_DOWN, asked)


def order_story_url(order_id: str) -> str:
    """Return the address of one order's timeline."""
    return page_url(STORY, {"order": order_id})


def customer_url(customer_id: str) -> str:
    """Return the address of the page for one customer."""
    return page_url(CUSTOMER, {"customer": customer_id})


def page_url(path: str, asked: dict[str, str | list[str]]) -> str:
    """Return the address of another page, with the current filters and `asked`."""
    return f"{path or './'}?{urlencode({**address.filters_url(), **asked}, doseq=True)}"


def parse_at(texts: list[str]) -> At:
    """Read the parameter `at` of an address."""
    places = []
    for text in texts:
        name, colon, value = text.partition(":")
        places.append((name, value if colon else None))
    return tuple(places)


def parse_days(text: str | None) -> Days | None:
    """Read the parameter `days` of an address; None if it is not a range of days."""
    try:
        start, end = (date.fromisoformat(day) for day in (text or "").split(".."))
    except ValueError:
        return None
    return (start, end) if start <= end else None


def drill_down_ignores_period() -> bool:
    """Return True if the drill-down of the address does not follow the period: it has own days, or is a snapshot."""
    measure = MEASURES.get(st.query_params.get("measure", ""))
    has_days = parse_days(st.query_params.get("days")) is not None
    return has_days or (measure is not None and measure.date == SNAPSHOT)


def can_explain(measure: str) -> bool:
    """Return True if Buyerview can split a change of the measure into effects."""
    return isinstance(MEASURES[measure].formula, Ratio | Total | Percentile)


EXPLAINED = [name for name in MEASURES if can_explain(name)]
"""Measures whose change can be split into effects."""


def explain_url(measure: str, *, by: str = "") -> str:
    """Return the relative address of the explanation of a measure's change; "" if it cannot be explained.

    by: the dimension to explain it by.
    """
    query: dict[str, str | list[str]] = {"measure": measure, "by": by} if by else {"measure": measure}
    return page_url(WHAT_CHANGED, query) if can_explain(measure) else ""


def explain_link(measure: str) -> str:
    """Return a link to the explanation as markup, to be shown below a trend or a breakdown."""
    address = explain_url(measure)
    return (
        f'<p class="bv bv-explain"><a href="{formatting.html(address)}" target="_self">Explain this change</a></p>'
        if address
        else ""
    )
