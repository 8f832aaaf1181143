"""What a page asks of the frame it stands in: the generation it reads, the filters, its subtitle."""

from datetime import date, datetime, timedelta

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, theme
from dashboard.frame import filters
from dashboard.frame.filters import Filters
from metrics.lists.data_status import DataStatus
from metrics.lists.failed_orders import nearest_day
from metrics.lists.rows import Row
from metrics.targets.in_view import targets_in_view


def generation() -> int:
    """The generation every number of this run is read from."""
    number: int = st.session_state["_generation"]
    return number


def current_filters() -> Filters:
    """The filters of this run."""
    return filters.read_filters()


def data_status() -> DataStatus:
    """Return the status of the data of this run's generation."""
    status: DataStatus = st.session_state["_frame"]
    return status


def as_of() -> datetime | None:
    """The data's watermark."""
    return data_status().data_as_of


def targets(chosen: Filters) -> list[Row]:
    """Return the targets that apply on the last day in view, and those of several segments or customers together."""
    return queries.cached(
        targets_in_view, generation(), start=chosen.start, end=chosen.period.elapsed, where=chosen.where
    )


def subtitle(text: str) -> None:
    """A line under the title; the text is escaped here."""
    st.session_state["_subtitle"].caption(formatting.markdown(text))


def select(
    label: str,
    options: list[str] | tuple[str, ...],
    named: dict[str, str],
    *,
    key: str,
    width: int = 200,
    hidden: bool = False,
) -> str:
    """A choice of one by name whose slug stands in the address while it is not the first.

    Not `bind="query-params"`: Streamlit 1.67 writes the shown name into the address, which changes when a title does.
    """
    asked = st.query_params.get(key)
    at = options.index(asked) if asked in options else 0
    held = st.session_state.get(f"pick_{key}")
    if asked is None and held is not None and held == st.session_state.get(f"_first_{key}"):
        st.session_state[f"pick_{key}"] = options[
            0
        ]  # nobody chose: what stands first now is shown, not what stood first before
    st.session_state[f"_first_{key}"] = options[0]
    visibility = "collapsed" if hidden else "visible"
    chosen: str = st.selectbox(
        label,
        options,
        index=at,
        format_func=lambda slug: named[slug],
        key=f"pick_{key}",
        label_visibility=visibility,
        width=width,
    )  # type: ignore[call-overload]
    if chosen != options[0] and st.query_params.get(key) != chosen:
        st.query_params[key] = chosen
    elif chosen == options[0] and key in st.query_params:
        del st.query_params[key]
    return chosen


def pager(total: int, size: int, *, key: str) -> int:
    """Which page of a list is wanted, from 1; draws the control below or above the list where there is more than one
    page.
    """
    pages = max(1, -(-total // size))
    if pages == 1:
        return 1
    held = st.session_state.get(key)
    if isinstance(held, int) and held > pages:
        st.session_state[key] = pages
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        number = int(st.number_input("Page", 1, pages, key=key, width=130, label_visibility="collapsed"))
        st.caption(
            f"page {formatting.integer(number)} of {formatting.integer(pages)} · {formatting.integer(total)} in all",
            width="content",
        )
    return number


def no_orders(chosen: Filters) -> None:
    """Nothing is judged in view: say so, and offer the nearest days that have something."""
    near = queries.cached(nearest_day, generation(), chosen.period.elapsed, where=chosen.where)
    where = f" for {formatting.html(chosen.label)}" if chosen.where else ""
    when = f"No judged order was due {formatting.date_range(chosen.start, chosen.end)}{where}."
    with theme.card("nothing"):
        if near is None:
            hint = (
                "No order is judged with these filters at all. Take a filter off."
                if chosen.where
                else "No order is judged yet."
            )
            theme.show_html(cards.empty("No orders in this period", f"{when} {hint}"))
            return
        theme.show_html(
            cards.empty("No orders in this period", f"{when} The nearest day with data is {formatting.day(near)}.")
        )
        with st.container(horizontal=True, horizontal_alignment="center"):
            st.button("Show the days around it", type="primary", on_click=draw_frame, args=(near,))


def draw_frame(day: date) -> None:
    """Choose the four weeks that end on a day."""
    st.session_state["period"] = "Dates"
    st.session_state["dates"] = (day - timedelta(days=27), day)
