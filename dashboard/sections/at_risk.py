"""Section of the page "At risk now": open orders that may miss their promise, with their step and slack."""

from datetime import datetime, timedelta

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, theme
from dashboard.components.formatting import duration
from dashboard.frame import list_file, page, user_name
from dashboard.frame.filters import Filters
from dashboard.orders import list_choices, list_totals, work_list
from dashboard.orders.work_list import Column
from metrics.lists import at_risk
from metrics.lists.at_risk import BEHIND, LOST, NEAR, SLACK_STATES, SORTS, TIGHT
from metrics.lists.rows import Listing, Place, Row
from metrics.store.work_items import Item

PATH = "at-risk"
SIZE = 25
FILTERS = ("all", "mine", "unassigned")
ORDERS = dict(zip(SORTS, ("Still avoidable first", "Next deadline first", "Highest value first"), strict=True))
STATE_LOOKS = {BEHIND: ("off", "▲"), TIGHT: ("watch", "◆"), NEAR: ("watch", "◆"), LOST: ("off", "✕")}
"""Colour and shape of each state. Colour alone would exclude readers who cannot tell it apart."""
WHY_NONE = {
    "mine": "No order at risk is assigned to you. Take orders under All, or enter the name that you used.",
    "unassigned": "Every order at risk has an owner, or no order is at risk.",
}


def orders_at_risk(filters: Filters) -> None:
    """Draw the totals and the list of open orders at risk."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="risk_filters", gap="small"):
        chosen = work_list.choose_filter(FILTERS)
        work_list.keep_filter_in_address(chosen)
        sort = page.select("Sort by", SORTS, ORDERS, key="sort", width=230)
    narrow = work_list.order_filter(chosen)
    listing = _page(filters, narrow, sort, list_choices.page_number("risk_page"))
    if not listing.total:
        with theme.card("none"):
            if chosen != "all":
                theme.show_html(cards.empty(f"No orders under “{work_list.VIEWS[chosen]}”", WHY_NONE[chosen]))
                if chosen == "mine":
                    with st.container(horizontal=True, horizontal_alignment="center"):
                        user_name.name_field()
                return
            where = " with these filters" if filters.where else ""
            theme.show_html(
                cards.empty(
                    f"No order is at risk{where}",
                    f"At normal pace, every open order has at least a day to spare.{_missing_events_note()}",
                )
            )
        return
    with theme.card("risk"):
        theme.show_html(_sums(listing))
        if note := _missing_events_note():
            st.caption(formatting.markdown(note))
        items = work_list.read([row["order_id"] for row in listing.rows])
        work_list.assign_form(listing.rows, items)
        work_list.rows(listing.rows, items, _columns(page.as_of()), PATH)
        generation = page.generation()

        def every() -> list[Row]:
            among, but, size = narrow.among, narrow.but, list_file.FILE_ROWS
            return queries.read(
                at_risk.at_risk, generation, where=filters.where, among=among, but=but, sort=sort, size=size
            ).rows

        with page.foot():
            page.pager(listing.total, SIZE, key="risk_page")
            list_file.download(every, listing.total, name="at_risk")


def _page(filters: Filters, narrow: work_list.OrderFilter, sort: str, number: int) -> Listing:
    """Return a page of the list; its first page if the filters leave fewer pages than the chosen number."""
    listing = queries.cached(
        at_risk.at_risk,
        page.generation(),
        where=filters.where,
        among=narrow.among,
        but=narrow.but,
        sort=sort,
        page=number,
        size=SIZE,
    )
    if number > 1 and not listing.rows and listing.total:
        st.session_state["risk_page"] = 1
        return _page(filters, narrow, sort, 1)
    return listing


def place_of(filters: Filters, order_id: str) -> Place | None:
    """Return the place of an order in the list that the address describes."""
    narrow, sort = work_list.order_filter(work_list.filter_in_address(FILTERS)), st.query_params.get("sort")
    return queries.cached(
        at_risk.place_in_at_risk,
        page.generation(),
        order_id,
        where=filters.where,
        among=narrow.among,
        but=narrow.but,
        sort=sort if sort in SORTS else SORTS[0],
    )


def _missing_events_note() -> str:
    if "order_events" in page.data_status().feeds:
        return ""
    return (
        " No feed: order events. Map it to see the step of each order. Without it, the list has only orders that are "
        "due within a day or partly late."
    )


def _sums(listing: Listing) -> str:
    pairs = []
    for standing, words in SLACK_STATES.items():
        rows = [total for total in listing.sums if total["standing"] == standing]
        if rows:
            totals = list_totals.totals(rows)
            amounts = " · ".join(f'<span class="bv-nowrap">{text}</span>' for text in totals)
            amounts = ", ".join(filter(None, (amounts, list_totals.left_out(rows))))
            pairs.append((formatting.integer(sum(row["orders"] for row in rows)), f"{words}<br>{amounts}"))
    return cards.figures(pairs)


def _columns(as_of: datetime | None) -> list[Column]:
    def state(row: Row, _: Item) -> str:
        css, shape = STATE_LOOKS[row["standing"]]
        state_text = SLACK_STATES[row["standing"]]
        return (
            f'<span class="bv-state bv-{css}"><i '
            f'aria-hidden="true">{shape}</i>{state_text}</span><small>{formatting.html(work_list.customer(row))}</small>'
        )

    def slack(row: Row, _: Item) -> str:
        seconds = row["slack_seconds"]
        if seconds is None:
            return f"{formatting.DASH}<small>unknown</small>"
        css = "bv-worse" if seconds < 0 else ""
        return f'<b class="{css}">{duration(abs(seconds))}</b><small>{"short" if seconds < 0 else "to spare"}</small>'

    def deadline(row: Row, _: Item) -> str:
        left = f"in {duration(int((row['deadline_at'] - as_of) / timedelta(seconds=1)))}" if as_of else ""
        return f"{formatting.html(formatting.moment(row['deadline_at']))}<small>{left}</small>"

    def step(row: Row, _: Item) -> str:
        if row["step"] is None:
            return formatting.DASH
        since = (
            f"{row['step_standing']}, for {duration(row['age_seconds'])}"
            if row["age_seconds"] is not None
            else row["step_standing"]
        )
        return f"{formatting.html(formatting.step(row['step']))}<small>{formatting.html(since)}</small>"

    return [
        Column("Status", "minmax(0, 1.6fr)", state),
        Column("Segment", "minmax(0, .6fr)", lambda row, _: formatting.html(row["segment"])),
        Column("Slack", "minmax(0, .8fr)", slack),
        Column("Next deadline", "minmax(0, 1.6fr)", deadline),
        Column("Step", "minmax(0, 1.8fr)", step),
        Column("Ordered value", "minmax(0, 1fr)", lambda row, _: work_list.value(row)),
        Column("Owner", "minmax(0, .9fr)", lambda _, item: work_list.owner(item)),
    ]
