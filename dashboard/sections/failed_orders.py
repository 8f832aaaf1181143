"""Sections of the failed orders page: list filters, totals and the work list."""

from dataclasses import dataclass, replace

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, theme
from dashboard.components.reasons import REASONS, reason
from dashboard.frame import list_file, page, user_name
from dashboard.frame.filters import Filters
from dashboard.orders import evidence, list_choices, list_totals, work_list
from dashboard.orders.levers import name_of, parse_lever, view_of
from dashboard.orders.work_list import Column
from metrics.lists import failed_orders as lists
from metrics.lists.failed_orders import Narrowing
from metrics.lists.order_story import resolution_deadlines
from metrics.lists.rows import Listing, Place, Row
from metrics.queries.levers import orders_of
from metrics.store.work_items import RESOLVED, Item

SIZE = 25
PATH = "failed-orders"
SORTS = {
    "deadline": "Soonest deadline first",
    "due": "Latest due first",
    "oldest": "Oldest due first",
    "value": "Highest value first",
    "late": "Most days late first",
    "short": "Most value missing first",
    "reason": "By reason",
}
COUNTED = {"open": "to do", "mine": "assigned to you", "unassigned": "unassigned", "resolved": "resolved"}
"""Words for the orders that each filter except "All" lists."""


@dataclass(frozen=True)
class Choice:
    """Filters, sort order and page of the list."""

    reasons: tuple[str, ...]
    sort: str
    show: str
    page: int
    lever: tuple[str, str, str] | None = None
    """Reason, dimension and value, to list only the orders that failed only because of them."""
    product: str | None = None
    """Only orders with a line of this product; None: all."""


def choose() -> Choice:
    """Draw the filters of the list: owner and status, reasons, sort order. Their values are in the address."""
    unknown = [code for code in st.query_params.get_all("reason") if code not in REASONS]
    if unknown:  # the control drops them, so the page shows more orders
        named = formatting.html(", ".join(unknown))
        theme.show_html(cards.banner(f"<b>Filters ignored:</b> there is no reason {named}."))
    with st.container(horizontal=True, vertical_alignment="bottom", key="failed_filters", gap="small"):
        show = work_list.choose_filter(default=_default_filter())
        reasons = st.multiselect(
            "Why it failed",
            list(REASONS),
            default=_reasons(),
            format_func=reason,
            key="reasons",
            placeholder="Any reason",
            width=260,
        )
        if reasons != st.query_params.get_all("reason"):
            st.query_params["reason"] = reasons
        page.select("Sort by", tuple(SORTS), SORTS, key="sort", width=210)
    work_list.keep_filter_in_address(show, _default_filter())
    choice = choice_in_address()
    if choice.lever:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="lever"):
            st.caption(formatting.markdown(f"Failed only because: {name_of(*choice.lever)}"), width="content")
            st.button("Show all failed orders", on_click=_remove, args=("lever", show), type="tertiary")
    if choice.product is not None:
        label = f"Product: {formatting.markdown(choice.product)} ✕"
        st.button(label, key="chip_product", help="Remove filter", on_click=_remove, args=("product", show))
    return replace(choice, page=list_choices.page_number("failed_page"))


def choice_in_address() -> Choice:
    """Return the filters and sort order in the address, on the first page of the list."""
    sort = st.query_params.get("sort")
    return Choice(
        reasons=tuple(_reasons()),
        sort=sort if sort in SORTS else next(iter(SORTS)),
        show=work_list.filter_in_address(default=_default_filter()),
        page=1,
        lever=parse_lever(st.query_params.get("lever")),
        product=st.query_params.get("product") or None,
    )


def _default_filter() -> str:
    """Return the filter by status of an address without one.

    An address with a reason, lever or product comes from a number. It lists all of its orders, so that they equal the
    number. Without them the list has the orders to do.
    """
    asked = st.query_params
    return "all" if _reasons() or parse_lever(asked.get("lever")) or asked.get("product") else "open"


def _reasons() -> list[str]:
    return [code for code in st.query_params.get_all("reason") if code in REASONS]


def _remove(name: str, show: str) -> None:
    """Remove a lever or product from the address. The filter by status stays, though its default changes."""
    st.query_params.pop(name, None)
    st.query_params["show"] = show


def listed_orders(filters: Filters, choice: Choice) -> Listing:
    """Return a page of the failed orders in view."""
    narrow = _narrowing(filters, choice)
    listing = queries.cached(
        lists.failed_orders, page.generation(), sort=choice.sort, page=choice.page, size=SIZE, **narrow
    )
    if choice.page > 1 and not listing.rows and listing.total:  # the filters leave fewer pages than the chosen one
        st.session_state["failed_page"] = 1
        return listed_orders(filters, replace(choice, page=1))
    return listing


def number_of_orders(filters: Filters, choice: Choice) -> int:
    """Return the number of failed orders in view with any owner and status."""
    return listed_orders(filters, replace(choice, show="all", sort="due", page=1)).total


def place_of(filters: Filters, order_id: str) -> Place | None:
    """Return the place of an order in the list that the address describes."""
    choice = choice_in_address()
    narrow = _narrowing(filters, choice)
    return queries.cached(lists.place_in_failed_orders, page.generation(), order_id, sort=choice.sort, **narrow)


def _narrowing(filters: Filters, choice: Choice) -> Narrowing:
    narrow = work_list.order_filter(choice.show)
    among = narrow.among
    if choice.lever:
        of_lever = queries.cached(orders_of, page.generation(), view_of(filters), *choice.lever)
        among = tuple(of_lever if among is None else sorted({*of_lever} & {*among}))
    return {
        "start": filters.start,
        "end": filters.end,
        "where": filters.where,
        "reasons": choice.reasons,
        "product": choice.product,
        "among": among,
        "but": narrow.but,
        "resolved": narrow.resolved,
        "done": narrow.done,
    }


def no_orders(filters: Filters, choice: Choice) -> None:
    """Draw that the list is empty: no order failed, no order matches, or no order is judged."""
    counts = queries.cached(
        lists.order_counts, page.generation(), start=filters.start, end=filters.end, where=filters.where
    )
    if not counts["judged"]:
        page.no_orders(filters)
        return
    with theme.card("none"):
        if choice.show != "all" and number_of_orders(filters, choice):
            theme.show_html(cards.empty(f"No orders under “{work_list.VIEWS[choice.show]}”", WHY_NONE[choice.show]))
            if choice.show == "mine":
                with st.container(horizontal=True, horizontal_alignment="center"):
                    user_name.name_field()
            return
        why = " for these reasons" if choice.reasons or choice.lever else ""
        why += f" with product {formatting.html(choice.product)}" if choice.product else ""
        theme.show_html(
            cards.empty(
                "No failed orders",
                f"{formatting.count(counts['judged'], 'order')} judged in this period; "
                f"none is known to have failed{why}.",
            )
        )


WHY_NONE = {
    "open": "Every failed order in view is resolved.",
    "mine": "No failed order in view is assigned to you. Take orders under All, or enter the name that you used.",
    "unassigned": "Every unresolved order in view has an owner.",
    "resolved": "No order in view is resolved yet. Open an order to record the resolution.",
}


def totals(filters: Filters, choice: Choice, listing: Listing) -> str:
    """Return the number of listed orders, of how many failed orders, and their value, as markup."""
    words = "failed orders"
    if choice.show != "all":
        whole = formatting.count(number_of_orders(filters, choice), "failed order")
        words = f"{COUNTED[choice.show]} of {whole}"
    pairs = [(formatting.integer(listing.total), words)]
    without = list_totals.left_out(listing.sums)
    values = list_totals.totals(listing.sums) or ([formatting.DASH] if without else [])
    pairs += [(text, ", ".join(filter(None, ("ordered value", without)))) for text in values]
    short = list_totals.totals(listing.sums, amount="short_amount", value="short_value")
    pairs += [(text, "not received") for text in short]
    return cards.figures(pairs)


def failed_orders(filters: Filters, choice: Choice, listing: Listing) -> None:
    """Draw the list with its owners and actions."""
    items = work_list.read([row["order_id"] for row in listing.rows])
    work_list.assign_form(listing.rows, items)
    work_list.rows(listing.rows, items, _columns(listing), PATH)
    generation, narrow = page.generation(), _narrowing(filters, choice)
    with page.foot():
        page.pager(listing.total, SIZE, key="failed_page")
        list_file.download(
            lambda: (
                queries.read(lists.failed_orders, generation, sort=choice.sort, size=list_file.FILE_ROWS, **narrow).rows
            ),
            listing.total,
            name="failed_orders",
        )


def _columns(listing: Listing) -> list[Column]:
    until = queries.cached(resolution_deadlines, page.generation(), tuple(row["order_id"] for row in listing.rows))
    as_of = page.as_of()

    def why(row: Row, _: Item) -> str:
        customer = formatting.html(work_list.customer(row))
        return f"<b>{formatting.html(evidence.explanation_of(row))}</b><small>{customer}</small>"

    def due(row: Row, _: Item) -> str:
        old = formatting.count((as_of.date() - row["due_day"]).days, "day") + " ago" if as_of and row["due_day"] else ""
        return f"{formatting.html(formatting.day(row['due_day']))}<small>{old}</small>"

    def deadline(row: Row, item: Item) -> str:
        at, settled_at = until.get(row["order_id"], (None, None))
        settled_at = item.resolved_at if item.status == RESOLVED else settled_at
        if settled_at is not None:
            return f"{formatting.html(formatting.day(settled_at.date()))}<small>done</small>"
        if at is None:
            return formatting.DASH
        if as_of and at < as_of:
            return f'<span class="bv-worse">{formatting.html(formatting.day(at.date()))}</span><small>missed</small>'
        left = f"{formatting.count((at - as_of).days, 'day')} left" if as_of else ""
        return f"{formatting.html(formatting.day(at.date()))}<small>{left}</small>"

    def worth(row: Row, _: Item) -> str:
        missing = ""
        if row["short_amount"]:
            amount = formatting.html(formatting.money(row["short_amount"]))
            missing = f"{amount} missing" if row["complete"] is False else "receipt unknown"
        return f"{work_list.value(row)}<small>{missing}</small>"

    return [
        Column("Why it failed", "minmax(0, 2.2fr)", why),
        Column("Segment", "minmax(0, .6fr)", lambda row, _: formatting.html(row["segment"])),
        Column("Was due", "minmax(0, 1fr)", due),
        Column("Ordered value", "minmax(0, 1.1fr)", worth),
        Column("Resolve by", "minmax(0, 1fr)", deadline),
        Column("Owner", "minmax(0, 1fr)", lambda _, item: work_list.owner(item)),
    ]
