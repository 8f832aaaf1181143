"""Access to the frame for pages: generation, filters, data status, subtitle, pager and empty state."""

from datetime import date, datetime, timedelta

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import queries
from dashboard.components import cards, formatting, theme
from dashboard.frame import address, list_file
from dashboard.frame.filters import Filters
from metrics.lists.data_status import DataStatus
from metrics.lists.failed_orders import nearest_day
from metrics.lists.rows import Row
from metrics.targets.in_view import targets_in_view


def generation() -> int:
    """Return the generation that this run reads."""
    number: int = st.session_state["_generation"]
    return number


def has_data() -> bool:
    """Return False before the first data are published."""
    return "_generation" in st.session_state


def current_filters() -> Filters:
    """Return the filters of this run."""
    return address.read_filters()


def data_status() -> DataStatus:
    """Return the status of the data of this run's generation."""
    status: DataStatus = st.session_state["_frame"]
    return status


def as_of() -> datetime | None:
    """Return the end of the data (naive UTC); None before the first run."""
    return data_status().data_as_of


def targets(chosen: Filters) -> list[Row]:
    """Return the targets that apply on the last day in view, and those of several segments or customers together."""
    return queries.cached(
        targets_in_view, generation(), start=chosen.start, end=chosen.period.elapsed, where=chosen.where
    )


def amounts(chosen: Filters) -> str:
    """Return the currency of amounts as the end of a subtitle; "" if several currencies have no exchange rates."""
    only = dict(chosen.where).get("currency", ())
    currency = data_status().currency or (only[0] if len(only) == 1 else "")
    return f" · amounts in {currency}" if currency else ""


def subtitle(text: str) -> None:
    """Draw the line under the title; the text is escaped here."""
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
    """Draw a selectbox whose value is a query parameter unless it is the first option.

    It does not use `bind="query-params"`, because Streamlit 1.67 would write the shown name into the address, and a
    change of that name would break links.
    """
    asked = st.query_params.get(key)
    at = options.index(asked) if asked is not None and asked in options else 0
    previous = st.session_state.get(f"pick_{key}")
    if asked is None and previous is not None and previous == st.session_state.get(f"_first_{key}"):
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


def pager(total: int, size: int, *, key: str, rows: list_file.Rows | None = None) -> int:
    """Return the selected page of a list, from 1. Draw the control if there is more than one page.

    rows: reads the whole list, for a button that downloads it.
    """
    pages = max(1, -(-total // size))
    if pages == 1:
        return 1
    with foot():
        number = _page_field(total, pages, key=key)
        if rows is not None:
            list_file.download(rows, total, name=key.removesuffix("_page"))
    return number


def foot() -> DeltaGenerator:
    """Return the line below a list: the page on the left, the download on the right."""
    return st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small")


def _page_field(total: int, pages: int, *, key: str) -> int:
    previous = st.session_state.get(key)
    if isinstance(previous, int) and previous > pages:
        st.session_state[key] = pages
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        number = int(st.number_input("Page", 1, pages, key=key, width=130, label_visibility="collapsed"))
        st.caption(
            f"Page {formatting.integer(number)} of {formatting.integer(pages)} · {formatting.integer(total)} rows",
            width="content",
        )
    return number


def no_orders(chosen: Filters) -> None:
    """Draw the empty state of a view without judged orders. Offer the nearest days with data."""
    near = queries.cached(nearest_day, generation(), chosen.period.elapsed, where=chosen.where)
    where = f" for {formatting.html(chosen.label)}" if chosen.where else ""
    when = f"No judged order was due {formatting.date_range(chosen.start, chosen.end)}{where}."
    with theme.card("nothing"):
        if near is None:
            hint = (
                "No order is judged with these filters. Remove a filter." if chosen.where else "No order is judged yet."
            )
            theme.show_html(cards.empty("No orders in this period", f"{when} {hint}"))
            return
        theme.show_html(
            cards.empty("No orders in this period", f"{when} The nearest day with data is {formatting.day(near)}.")
        )
        with st.container(horizontal=True, horizontal_alignment="center"):
            st.button("Show those days", type="primary", on_click=draw_frame, args=(near,))


def draw_frame(day: date) -> None:
    """Select the four weeks that end on a day."""
    st.session_state["period"] = "Dates"
    st.session_state["dates"] = (day - timedelta(days=27), day)
