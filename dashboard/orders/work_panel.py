"""Panel of one order: owner, comments, resolution and history, with the forms to change them."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from dashboard.components import formatting, theme
from dashboard.components.locale import reader, to_business_time, to_utc, zone
from dashboard.editing import background_apply
from dashboard.frame import access, messages, user_name
from dashboard.orders.work_list import current_moment, set_message, show_message
from metrics.access import Action
from metrics.errors import ChangedMeanwhile, StoreUnusable
from metrics.lists.rows import Row
from metrics.store import work_items
from metrics.store.connection import open_store
from metrics.store.work_items import Item
from metrics.warehouse import locate

LONGEST = 2_000
WORDS = {
    "owner": "owner",
    "detected_at": "detected",
    "acknowledged_at": "buyer informed",
    "resolved_at": "resolved",
    "remedy": "remedy",
    "remedy_note": "details",
    "resolved_by": "resolved by",
    "status": "status",
    "customer": "customer",
}
"""Words for the columns of a work item."""


def work_panel(
    order_id: str,
    *,
    customer: str | None,
    detected_at: datetime | None,
    acknowledged_at: datetime | None,
    open_cases: Sequence[str],
    failed: bool,
) -> None:
    """Draw the panel.

    detected_at, acknowledged_at: times from the feeds; times that a user entered take precedence. open_cases: the
    buyer's cases that are not settled yet, without which the order does not count as recovered.
    """
    try:
        with open_store(locate(), write=False) as store:
            item, comments, changes = (
                work_items.item(store, order_id),
                work_items.comments(store, order_id),
                work_items.history(store, order_id),
            )
    except StoreUnusable as error:
        resolution_errors(error)
        return
    item = item if item.version else Item(order_id, customer=customer)
    show_message()
    theme.show_html(_status(item))
    if open_cases:
        cases = f"{'case' if len(open_cases) == 1 else 'cases'} {', '.join(open_cases)}"
        text = f"The buyer's {cases} not settled yet. The order counts as recovered once all cases are settled."
        theme.show_html(f'<p class="bv bv-muted">{formatting.html(text)}</p>')
    may_work = access.may(Action.WORK_ORDERS)
    if may_work:
        _buttons(item)
    if comments:
        theme.show_html(_comments(comments))
    if may_work:
        with st.form(_key("comment", item), border=False, clear_on_submit=True):
            st.text_area(
                "Comment",
                key=_key("text", item),
                max_chars=LONGEST,
                height=70,
                placeholder="Information for the next person",
            )
            st.form_submit_button("Add comment", on_click=_comment, args=(item,))
    if may_work and item.status == work_items.OPEN and failed:
        problem = messages.read("_resolution_problem", "")
        with st.expander("Resolution", expanded=bool(problem), key="work_resolve"):
            _resolution_form(item, detected_at, acknowledged_at, problem)
    if changes:
        with st.expander(f"Change history ({len(changes)})", key="work_changes"):
            theme.show_html(_changes(changes))


def _key(name: str, item: Item) -> str:
    """Return the key of a form or field of one order. The next order starts with its own fields."""
    return f"work_{name}_{item.order_id}"


def _buttons(item: Item) -> None:
    """Draw the buttons that reopen, take and release the order."""
    if item.status == work_items.RESOLVED:
        st.button("Reopen order", icon=":material/undo:", on_click=_reopen, args=(item,), key="work_reopen")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        user_name.name_field()
        if item.owner != user_name.user_name():
            st.button("Take order", on_click=_assign, args=(item, True), key="work_take")
        if item.owner is not None:
            st.button("Release order", on_click=_assign, args=(item, False), key="work_drop")


def resolution_errors(error: Exception) -> None:
    """Draw an error in place of the panel."""
    theme.show_html(f'<p class="bv bv-muted" role="alert">{formatting.html(error)}</p>')


def _status(item: Item) -> str:
    if item.status == work_items.RESOLVED:
        note = f"<p>{formatting.html(item.remedy_note)}</p>" if item.remedy_note else ""
        return (
            f'<div class="bv"><span class="bv-state bv-on"><i aria-hidden="true">●</i>'
            f"{work_items.REMEDIES[item.remedy or 'other']}</span> "
            f'<span class="bv-muted">by {formatting.html(item.resolved_by)}, '
            f"{formatting.html(formatting.moment(item.resolved_at))}</span>{note}</div>"
        )
    owner = f"Assigned to <b>{formatting.html(item.owner)}</b>." if item.owner else "Unassigned."
    since = (
        f' <span class="bv-muted">Detected {formatting.html(formatting.moment(item.detected_at))}.</span>'
        if item.detected_at
        else ""
    )
    return f'<p class="bv">{owner}{since}</p>'


def _comments(comments: list[Row]) -> str:
    items = "".join(
        f'<li><span class="bv-muted"><b>{formatting.html(comment["who"])}</b> · '
        f"{formatting.html(formatting.moment(comment['at']))}</span><p>{formatting.html(comment['text'])}</p></li>"
        for comment in comments
    )
    return f'<ul class="bv bv-said-list">{items}</ul>'


def _changes(changes: list[Row]) -> str:
    items = []
    for change in changes:
        before, after = change["before"] or {}, change["after"] or {}
        text = "; ".join(
            f"{WORDS.get(name, name)}: {_plain(name, after.get(name))}"
            + (f" (was {_plain(name, before[name])})" if before.get(name) is not None else "")
            for name in {**before, **after}
        )
        what = change["what"].removeprefix("work item ")
        head = f"{change['who']} · {formatting.moment(change['at'])} · {what}"
        items.append(f'<li><span class="bv-muted">{formatting.html(head)}</span><p>{formatting.html(text)}</p></li>')
    return f'<ul class="bv bv-said-list">{"".join(items)}</ul>'


def _plain(name: str, value: str | None) -> str:
    if value is None:
        return "none"
    return (
        formatting.moment(datetime.fromisoformat(value))
        if name.endswith("_at")
        else work_items.REMEDIES.get(value, value)
    )


def likely_moments(
    at: datetime, detected: Sequence[datetime | None], acknowledged: Sequence[datetime | None]
) -> dict[str, datetime]:
    """Return the moments that the form offers, in order of time, so that it can be saved as it is.

    detected, acknowledged: the moments that users and feeds give. The first that exists counts, but the order was
    detected at the latest when the buyer was informed.
    """
    informed = next((moment for moment in acknowledged if moment is not None), at)
    noticed = [moment for moment in detected if moment is not None]
    return {
        "detected": min([*noticed, informed]),
        "acknowledged": informed,
        "resolved": max(at, informed),
    }


def _resolution_form(item: Item, detected_at: datetime | None, acknowledged_at: datetime | None, problem: str) -> None:
    """Draw the form. problem: why the last click did not save; shown at the button."""
    moments = likely_moments(current_moment(), (item.detected_at, detected_at), (item.acknowledged_at, acknowledged_at))
    with st.form(_key("resolving", item), border=False, enter_to_submit=False):
        st.radio(
            "Remedy",
            list(work_items.REMEDIES),
            index=None,
            format_func=lambda code: work_items.REMEDIES[code],
            key=_key("remedy", item),
            horizontal=True,
        )
        st.text_input(
            "Details",
            key=_key("note", item),
            max_chars=LONGEST,
            placeholder="Replaced 12 valves, credited the freight …",
        )
        with st.container(horizontal=True, gap="small"):
            for name, label in (("detected", "Detected"), ("acknowledged", "Buyer informed"), ("resolved", "Resolved")):
                clock = f"{moments[name].replace(tzinfo=UTC).astimezone(zone()):%Z}"
                st.datetime_input(
                    f"{label} ({clock})",
                    to_business_time(moments[name]),
                    key=_key(f"{name}_at", item),
                    step=300,
                    width=190,
                    format=reader().date_input,
                )
        if problem:
            st.error(formatting.markdown(problem), icon=":material/error:")
        st.form_submit_button("Resolve order", type="primary", on_click=_resolve, args=(item,))
    when = "" if background_apply.is_available() else " after `buyerview apply`"
    st.caption(f"Recovery and support counts the resolution{when}, at the times entered here.")


# --------------------------------------------------------------------------------------------------------------- saving


@access.guarded(Action.WORK_ORDERS)
def _assign(item: Item, mine: bool) -> None:
    if mine and not user_name.has_user_name():
        set_message("Enter your name first.", wrong=True)
        return
    try:
        with open_store(locate()) as store:
            refused = work_items.assign(
                store, user_name.user_name(), [item], user_name.user_name() if mine else None, at=current_moment()
            )
    except StoreUnusable as error:
        set_message(str(error), wrong=True)
        return
    set_message(str(refused[0]) if refused else "Saved.", wrong=bool(refused))


@access.guarded(Action.WORK_ORDERS)
def _comment(item: Item) -> None:
    text = (st.session_state.get(_key("text", item)) or "").strip()
    if not text:
        set_message("Enter a comment first.", wrong=True)
        return
    try:
        with open_store(locate()) as store:
            work_items.comment(store, user_name.user_name(), item, text, at=current_moment())
    except StoreUnusable as error:
        set_message(f"{error} Your comment was: {text}", wrong=True)
        return
    set_message("Comment added.")


@access.guarded(Action.WORK_ORDERS)
def _resolve(item: Item) -> None:
    chosen = st.session_state
    if chosen[_key("remedy", item)] is None:
        chosen["_resolution_problem"] = "Choose a remedy."
        return
    try:
        with open_store(locate()) as store:
            work_items.resolve(
                store,
                user_name.user_name(),
                item,
                remedy=chosen[_key("remedy", item)],
                note=chosen[_key("note", item)],
                detected_at=to_utc(chosen[_key("detected_at", item)]),
                acknowledged_at=to_utc(chosen[_key("acknowledged_at", item)]),
                resolved_at=to_utc(chosen[_key("resolved_at", item)]),
            )
    except (ChangedMeanwhile, StoreUnusable, ValueError) as error:
        chosen["_resolution_problem"] = f"{str(error)[:1].upper()}{str(error)[1:]}."
        return
    set_message(_saved("Order resolved."))


@access.guarded(Action.WORK_ORDERS)
def _reopen(item: Item) -> None:
    try:
        with open_store(locate()) as store:
            work_items.reopen(store, user_name.user_name(), item)
    except (ChangedMeanwhile, StoreUnusable) as error:
        set_message(str(error), wrong=True)
        return
    set_message(_saved("Order reopened."))


def _saved(text: str) -> str:
    """Start the update of the numbers; return the message about the saved change."""
    return f"{text} The numbers will update shortly." if background_apply.apply_after_save() else text
