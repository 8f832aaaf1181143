"""List of orders with owner and status, its filter, and the form that assigns several orders.

A row is a checkbox, a link and markup, so that keyboards and screen readers can select it. Work items are read on every
run: those of the page's orders, or the set of orders of a filter.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, theme
from dashboard.frame import access, links, messages, page, user_name
from dashboard.orders import list_choices
from metrics.access import Action
from metrics.errors import StoreUnusable
from metrics.lists.order_story import missing_orders
from metrics.lists.rows import Row
from metrics.store import work_items
from metrics.store.connection import open_store
from metrics.store.work_items import Item
from metrics.warehouse import locate

VIEWS = {"all": "All", "open": "To do", "mine": "Mine", "unassigned": "Unassigned", "resolved": "Resolved"}
"""Filters of a list by status. "Mine" and "Unassigned" include only orders to do."""

STORY = "order-story"
MAX_NOT_IN_DATA = 20
UNASSIGNED_TOO_LONG = timedelta(hours=24)


@dataclass(frozen=True)
class OrderFilter:
    """Filter of a list of orders.

    among: orders to include (None: all). but: orders to exclude. resolved: include only resolved (True) or only other
    orders (False). done: the resolved orders.
    """

    among: tuple[str, ...] | None = None
    but: tuple[str, ...] = ()
    resolved: bool | None = None
    done: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """One column of a list: heading, width as a CSS grid track, and the function that returns a cell's markup."""

    head: str
    track: str
    cell: Callable[[Row, Item], str]


def current_moment() -> datetime:
    """Return the current time (naive UTC), or the end of the data if that is more than a day ago."""
    clock = datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0)
    as_of = page.as_of()
    return (
        as_of.replace(second=0, microsecond=0) if as_of is not None and clock - as_of > UNASSIGNED_TOO_LONG else clock
    )


def choose_filter(slugs: Sequence[str] = tuple(VIEWS), default: str = "all") -> str:
    """Draw the filter by status."""
    return (
        st.segmented_control(
            "Show",
            slugs,
            default=filter_in_address(slugs, default),
            format_func=lambda slug: VIEWS[slug],
            key="work_show",
            required=True,
        )
        or default
    )


def filter_in_address(slugs: Sequence[str] = tuple(VIEWS), default: str = "all") -> str:
    """Return the filter by status in the address, its query parameter `show`."""
    asked = st.query_params.get("show")
    return asked if asked is not None and asked in slugs else default


def keep_filter_in_address(show: str, default: str = "all") -> None:
    """Write the filter by status into the address, unless it is the default."""
    if show != default:
        st.query_params["show"] = show
    else:
        st.query_params.pop("show", None)


def order_filter(show: str) -> OrderFilter:
    """Return the filter that one of VIEWS selects.

    If the store cannot be read, All and To do use the feeds only. The list shows the error.
    """
    resolved = None if show == "all" else show == "resolved"
    try:
        with open_store(locate(), write=False) as store:
            done = tuple(work_items.order_ids(store, status=work_items.RESOLVED))
            mine = tuple(work_items.order_ids(store, owner=user_name.user_name())) if show == "mine" else None
            owned = tuple(work_items.order_ids(store, owned=True)) if show == "unassigned" else ()
    except StoreUnusable:
        if show not in ("all", "open"):
            raise
        return OrderFilter(resolved=resolved)
    return OrderFilter(among=mine, but=owned, resolved=resolved, done=done)


def read(order_ids: Sequence[str]) -> dict[str, Item]:
    """Return the work items of these orders. If the store cannot be read, draw the error and return none."""
    try:
        with open_store(locate(), write=False) as store:
            return work_items.items(store, order_ids)
    except StoreUnusable as error:
        theme.show_html(cards.banner(formatting.html(error)))
        return {}


# ------------------------------------------------------------------------------------------------------------- the list


def rows(listed: Sequence[Row], items: dict[str, Item], columns: Sequence[Column], path: str) -> None:
    """Draw one page of the list on the page at `path`."""
    tracks = " ".join(column.track for column in columns)
    heads = "".join(f"<span>{formatting.html(column.head)}</span>" for column in columns)
    may_choose = access.may(Action.WORK_ORDERS)
    with st.container(gap=None, key="work_rows"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="work_head"):
            st.checkbox(
                "All on this page",
                key="work_all",
                on_change=_choose_all,
                args=([row["order_id"] for row in listed],),
                width=156,
                disabled=not may_choose,
            )
            theme.show_html(
                '<div class="bv bv-item bv-item-head" aria-hidden="true"'
                f' style="grid-template-columns:{tracks}">{heads}</div>'
            )
        for at, row in enumerate(listed):
            order_id = row["order_id"]
            item = items.get(order_id, Item(order_id))
            cells = "".join(
                f'<span><i class="bv-label">{formatting.html(column.head)} </i>{column.cell(row, item)}</span>'
                for column in columns
            )
            with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"work_row_{at}"):
                st.checkbox(
                    f"Select order {_label(order_id)}",
                    key=_box(order_id),
                    label_visibility="collapsed",
                    width=22,
                    disabled=not may_choose,
                )
                st.page_link(
                    st.session_state["_pages"][STORY],
                    label=formatting.markdown(order_id),
                    query_params={"order": order_id, list_choices.LIST: path, **list_choices.in_address()},
                    width=120,
                )
                theme.show_html(f'<div class="bv bv-item" style="grid-template-columns:{tracks}">{cells}</div>')


def _label(order_id: str) -> str:
    """Return an order's number as a Markdown label. Plain numbers stay unescaped for screen readers."""
    return order_id if re.fullmatch(r"[A-Za-z0-9 -]+", order_id) else formatting.markdown(order_id)


def _box(order_id: str) -> str:
    return f"work_pick_{order_id}"


def _choose_all(order_ids: list[str]) -> None:
    for order_id in order_ids:
        st.session_state[_box(order_id)] = st.session_state["work_all"]


def owner(item: Item) -> str:
    """Return the owner as markup, below the remedy of a resolved order."""
    if item.status == work_items.RESOLVED:
        remedy = formatting.html(work_items.REMEDIES.get(item.remedy or "", "Resolved"))
        by = formatting.html(item.owner or f"Unassigned, resolved by {item.resolved_by}")
        return f'<span class="bv-state bv-on"><i aria-hidden="true">●</i>{remedy}</span><small>{by}</small>'
    if item.owner is None:
        return '<span class="bv-muted">Unassigned</span>'
    return f"<b>{formatting.html(item.owner)}</b>"


def value(row: Row) -> str:
    """Return the ordered value as markup."""
    currency = None if row["currency"] in (None, "(none)") else row["currency"]
    return formatting.html(formatting.money(row["ordered_amount"], currency))


def customer(row: Row) -> str:
    """Return the customer's name, or else its number."""
    return str(row["customer_name"] or row["customer_id"] or "")


def orders_not_in_data(show: str) -> None:
    """Draw a banner with open work items whose orders are no longer in the data, because no list shows them.

    A person with a row scope does not see it: an order outside the scope is not in that person's data either.
    """
    if show in ("all", "resolved") or not queries.sees_every_row():
        return
    try:
        with open_store(locate(), write=False) as store:
            ours = work_items.order_ids(
                store, status=work_items.OPEN, owner=user_name.user_name() if show == "mine" else None
            )
            missing = queries.cached(missing_orders, page.generation(), tuple(ours))
            items = work_items.items(store, missing[:MAX_NOT_IN_DATA])
    except StoreUnusable:  # the list shows the error
        return
    if missing:
        urls = {order_id: formatting.html(links.order_story_url(order_id)) for order_id in items}
        listed = " · ".join(
            f'<a href="{urls[order_id]}" target="_self">{formatting.html(order_id)}</a>'
            f" {formatting.html(item.customer or '')}"
            for order_id, item in items.items()
        )
        more = f" … {formatting.count(len(missing), 'order')} in total" if len(missing) > len(items) else ""
        theme.show_html(cards.banner(f"<b>To do, but no longer in the data:</b> {listed}{more}"))


# ------------------------------------------------------------------------------------------------------------ assigning


def assign_form(listed: Sequence[Row], items: dict[str, Item]) -> None:
    """Draw the form that assigns the selected orders, for people who may work on orders."""
    if not access.may(Action.WORK_ORDERS):
        return
    chosen = [row for row in listed if st.session_state.get(_box(row["order_id"]))]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="work_assign"):
        user_name.name_field()
        st.selectbox(
            "Assign to",
            _people(),
            index=None,
            key="work_to",
            accept_new_options=access.signed_in() is None,
            placeholder="Select a name" if access.signed_in() else "Select or type a name",
            width=190,
        )
        label = f"Assign {formatting.count(len(chosen), 'order')}" if chosen else "Assign orders"
        st.button(
            label, type="primary", disabled=not chosen, on_click=_assign, args=(chosen, items), key="work_assign_go"
        )
        st.button(
            "Unassign",
            disabled=not chosen,
            on_click=_assign,
            args=(chosen, items, True),
            key="work_assign_none",
            help="Remove the owner of the selected orders",
        )
    show_message()


def _people() -> list[str]:
    """Return the names to choose from, the user's own first. With sign-in, only people with access."""
    try:
        if (signed := access.people()) is not None:
            return list(dict.fromkeys([*(name for name in signed if name == user_name.user_name()), *signed]))
        with open_store(locate(), write=False) as store:
            known = work_items.owners(store)
    except StoreUnusable:
        known = []
    return list(dict.fromkeys([*([user_name.user_name()] if user_name.has_user_name() else []), *known]))


@access.guarded(Action.WORK_ORDERS)
def _assign(chosen: Sequence[Row], items: dict[str, Item], nobody: bool = False) -> None:
    to = (
        None
        if nobody
        else (st.session_state.get("work_to") or "").strip()[: user_name.LONGEST] or user_name.user_name()
    )
    if to == user_name.NOBODY:
        set_message("Enter your name, or select an owner.", wrong=True)
        return
    wanted = [items.get(row["order_id"], Item(row["order_id"], customer=customer(row))) for row in chosen]
    try:
        with open_store(locate()) as store:
            refused = work_items.assign(store, user_name.user_name(), wanted, to, at=current_moment())
    except StoreUnusable as error:
        set_message(str(error), wrong=True)
        return
    for row in chosen:
        st.session_state[_box(row["order_id"])] = False
    st.session_state["work_all"] = False
    count = formatting.count(len(wanted) - len(refused), "order")
    done = f"{count} assigned to {to}." if to else f"{count} unassigned."
    set_message(" ".join([done, *map(str, refused)]), wrong=bool(refused))


def set_message(text: str, *, wrong: bool = False) -> None:
    """Store the message about a click until the page is drawn."""
    st.session_state["_work_told"] = (text, wrong)


def show_message() -> None:
    """Draw the message about the last click, once."""
    text, wrong = messages.read("_work_told", ("", False))
    if wrong:
        theme.show_html(f'<div role="alert">{cards.banner(formatting.html(text))}</div>')
    elif text:
        st.toast(formatting.markdown(text), icon=":material/check:")
