"""What people do about one order: whose it is, what was said, what was done and when; the forms to say it, and
everything that was changed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from dashboard.components import formatting, theme
from dashboard.components.locale import to_business_time, to_utc, zone
from dashboard.editing import background_apply
from dashboard.frame import user_name
from dashboard.orders.work_list import current_moment, set_message, show_message
from metrics.errors import ChangedMeanwhile, StoreUnusable
from metrics.store import work_items
from metrics.store.connection import open_store
from metrics.store.work_items import Item
from metrics.warehouse import locate

LONGEST = 2_000
WORDS = {
    "owner": "given to",
    "detected_at": "noticed",
    "acknowledged_at": "buyer told",
    "resolved_at": "put right",
    "remedy": "what was done",
    "remedy_note": "in words",
    "resolved_by": "by",
    "status": "now",
    "customer": "customer",
}
"""Columns of a work item in a reader's words."""


def work_panel(
    order_id: str,
    *,
    customer: str | None,
    detected_at: datetime | None,
    acknowledged_at: datetime | None,
    open_cases: Sequence[str],
    failed: bool,
) -> None:
    """Draw it all. The two moments are what the feeds tell of this failure; what a person said of it stands before
    them.

    open_cases: cases the buyer raised that are not settled, without which the order does not count as recovered.
    """
    try:
        with open_store(locate(), write=False) as store:
            item, said, changes = (
                work_items.item(store, order_id),
                work_items.comments(store, order_id),
                work_items.history(store, order_id),
            )
    except StoreUnusable as error:
        resolution_errors(error)
        return
    item = item if item.version else Item(order_id, customer=customer)
    show_message()
    theme.show_html(_standing(item))
    if open_cases:
        named = f"{'Case' if len(open_cases) == 1 else 'Cases'} {', '.join(open_cases)}"
        theme.show_html(
            f'<p class="bv bv-muted">{formatting.html(named)} of the buyer still open: recovery counts the order as settled when all is.</p>'
        )
    if item.status == work_items.RESOLVED:
        st.button(
            "Not put right after all: reopen", icon=":material/undo:", on_click=_reopen, args=(item,), key="work_reopen"
        )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        user_name.name_field()
        if item.owner != user_name.user_name():
            st.button("Take it", on_click=_assign, args=(item, True), key="work_take")
        if item.owner is not None:
            st.button("Hand it back", on_click=_assign, args=(item, False), key="work_drop")
    if said:
        theme.show_html(_comments(said))
    with st.form("work_comment", border=False, clear_on_submit=True):
        st.text_area(
            "Comment", key="work_text", max_chars=LONGEST, height=70, placeholder="What should the next person know?"
        )
        st.form_submit_button("Add comment", on_click=_comment, args=(item,))
    if item.status == work_items.OPEN and failed:
        with st.expander("Put right: say what was done", expanded=False, key="work_resolve"):
            _resolving(item, detected_at, acknowledged_at)
    if changes:
        with st.expander(f"Who changed what ({len(changes)})", key="work_changes"):
            theme.show_html(_changes(changes))


def resolution_errors(error: Exception) -> None:
    """Say that something cannot be read, where it would stand."""
    theme.show_html(f'<p class="bv bv-muted" role="alert">{formatting.html(error)}</p>')


def _standing(item: Item) -> str:
    if item.status == work_items.RESOLVED:
        note = f"<p>{formatting.html(item.remedy_note)}</p>" if item.remedy_note else ""
        return (
            f'<div class="bv"><span class="bv-state bv-on"><i aria-hidden="true">●</i>{work_items.REMEDIES[item.remedy or "other"]}</span> '
            f'<span class="bv-muted">by {formatting.html(item.resolved_by)}, {formatting.html(formatting.moment(item.resolved_at))}</span>{note}</div>'
        )
    whose = f"<b>{formatting.html(item.owner)}</b> works on it." if item.owner else "Nobody works on it."
    since = (
        f' <span class="bv-muted">Noticed {formatting.html(formatting.moment(item.detected_at))}.</span>'
        if item.detected_at
        else ""
    )
    return f'<p class="bv">{whose}{since}</p>'


def _comments(said: list[dict[str, Any]]) -> str:
    items = "".join(
        f'<li><span class="bv-muted"><b>{formatting.html(one["who"])}</b> · {formatting.html(formatting.moment(one["at"]))}</span><p>{formatting.html(one["text"])}</p></li>'
        for one in said
    )
    return f'<ul class="bv bv-said-list">{items}</ul>'


def _changes(changes: list[dict[str, Any]]) -> str:
    items = []
    for one in changes:
        before, after = one["before"] or {}, one["after"] or {}
        told = "; ".join(
            f"{WORDS.get(name, name)} {_plain(name, after.get(name))}"
            + (f" (was {_plain(name, before[name])})" if before.get(name) is not None else "")
            for name in {**before, **after}
        )
        head = f"{one['who']} · {formatting.moment(one['at'])} · {one['what'].removeprefix('work item ')}"
        items.append(f'<li><span class="bv-muted">{formatting.html(head)}</span><p>{formatting.html(told)}</p></li>')
    return f'<ul class="bv bv-said-list">{"".join(items)}</ul>'


def _plain(name: str, value: str | None) -> str:
    if value is None:
        return "nobody" if name == "owner" else "nothing"
    return (
        formatting.moment(datetime.fromisoformat(value))
        if name.endswith("_at")
        else work_items.REMEDIES.get(value, value)
    )


def _resolving(item: Item, detected_at: datetime | None, acknowledged_at: datetime | None) -> None:
    at = current_moment()
    moments = {
        "detected": item.detected_at or detected_at or at,
        "acknowledged": item.acknowledged_at or acknowledged_at or at,
        "resolved": at,
    }
    with st.form("work_resolving", border=False):
        st.radio(
            "What was done",
            list(work_items.REMEDIES),
            format_func=lambda code: work_items.REMEDIES[code],
            key="work_remedy",
            horizontal=True,
        )
        st.text_input(
            "In words", key="work_note", max_chars=LONGEST, placeholder="Replaced 12 valves, credited the freight …"
        )
        with st.container(horizontal=True, gap="small"):
            for name, label in (("detected", "Noticed"), ("acknowledged", "Buyer told"), ("resolved", "Put right")):
                clock = f"{moments[name].replace(tzinfo=UTC).astimezone(zone()):%Z}"
                st.datetime_input(
                    f"{label} ({clock})",
                    to_business_time(moments[name]),
                    key=f"work_{name}_at",
                    step=300,
                    width=190,
                    format="DD.MM.YYYY",
                )
        st.form_submit_button("Put right", type="primary", on_click=_resolve, args=(item,))
    when = "" if background_apply.is_available() else " once `buyerview apply` has run"
    st.caption(f"Counts in Recovery and support{when}, by the moments you give.")


# --- saving -----------------------------------------------------------------------------------------------------------------------------


def _assign(item: Item, mine: bool) -> None:
    if mine and not user_name.has_user_name():
        set_message("Give your name first.", wrong=True)
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


def _comment(item: Item) -> None:
    text = (st.session_state.get("work_text") or "").strip()
    if not text:
        set_message("Write something first.", wrong=True)
        return
    try:
        with open_store(locate()) as store:
            work_items.comment(store, user_name.user_name(), item, text, at=current_moment())
    except StoreUnusable as error:
        set_message(f"{error} Your comment was: {text}", wrong=True)
        return
    set_message("Comment added.")


def _resolve(item: Item) -> None:
    chosen = st.session_state
    try:
        with open_store(locate()) as store:
            work_items.resolve(
                store,
                user_name.user_name(),
                item,
                remedy=chosen["work_remedy"],
                note=chosen["work_note"],
                detected_at=to_utc(chosen["work_detected_at"]),
                acknowledged_at=to_utc(chosen["work_acknowledged_at"]),
                resolved_at=to_utc(chosen["work_resolved_at"]),
            )
    except (ChangedMeanwhile, StoreUnusable, ValueError) as error:
        set_message(f"{str(error)[:1].upper()}{str(error)[1:]}", wrong=True)
        return
    set_message("Put right. The numbers follow in a moment." if background_apply.request_apply() else "Put right.")


def _reopen(item: Item) -> None:
    try:
        with open_store(locate()) as store:
            work_items.reopen(store, user_name.user_name(), item)
    except (ChangedMeanwhile, StoreUnusable) as error:
        set_message(str(error), wrong=True)
        return
    set_message("Reopened. The numbers follow in a moment." if background_apply.request_apply() else "Reopened.")
