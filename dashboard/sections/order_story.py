"""Sections of the order timeline: facts, tests with evidence, work panel, 13 steps, events and records of one order."""

from datetime import datetime

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, reasons, tables, theme
from dashboard.frame import links, page
from dashboard.measure_page.cells import named_customer
from dashboard.orders import evidence, steps, work_panel
from dashboard.orders import records as order_tables
from dashboard.orders.evidence import Test
from dashboard.orders.timeline import Event, done, events, is_written
from metrics.errors import StoreUnusable
from metrics.lists import order_story as lists
from metrics.lists.order_story import OrderContext, OrderRecords
from metrics.lists.rows import Row
from metrics.store import work_items
from metrics.store.connection import open_store
from metrics.store.work_items import Item
from metrics.warehouse import locate


def requested_order() -> str:
    """Return the order in the address; "" if there is none."""
    return st.query_params.get("order") or ""


def find() -> None:
    """Draw the field that opens an order by its number."""
    if "find" not in st.session_state and requested_order():
        st.session_state["find"] = requested_order()
    st.text_input(
        "Order number",
        key="find",
        placeholder="Order number or part of it",
        on_change=_find,
        width=280,
        type="search",
    )
    if not requested_order():
        with theme.card("which"):
            theme.show_html(
                cards.empty(
                    "No order chosen", "Type an order number above, or open one from Failed orders or At risk now."
                )
            )


def _find() -> None:
    typed = (st.session_state.get("find") or "").strip()
    if typed:
        st.query_params["order"] = typed
    else:
        st.query_params.pop("order", None)


def back_link() -> None:
    """Draw the link back to the list from which the order was opened."""
    st.button(
        "Back to the list",
        icon=":material/arrow_back:",
        type="tertiary",
        on_click=_close_story,
        key="back",
    )


def _close_story() -> None:
    st.query_params.pop("order", None)


def order_story(order_id: str) -> None:
    """Draw all sections of an order."""
    records = queries.cached(lists.order_records, page.generation(), order_id)
    if records is None:
        _unknown(order_id)
        return
    around = queries.cached(lists.order_context, page.generation(), order_id)
    facts = records.facts
    failed = any(facts[name] is False for name in reasons.TITLES)
    with theme.card("order"):
        theme.show_html(_head(records))
        theme.show_html(tables.facts(_facts(records)))
    left, right = st.columns([5, 3], gap="small")
    with left, theme.card("tests"):
        st.header("The five tests", anchor=False)
        theme.show_html(_tests(evidence.tests(records, page.as_of())))
    with right, theme.card("work"):
        st.header("Action", anchor=False)
        recovery = around.recovery
        work_panel.work_panel(
            order_id,
            customer=facts["customer_name"] or facts["customer_id"],
            detected_at=recovery.get("detected_at") or (recovery.get("failed_at") if failed else None),
            acknowledged_at=recovery.get("acknowledged_at"),
            open_cases=[
                case["case_id"] for case in around.cases if case["resolved_at"] is None and not is_written(case)
            ],
            failed=failed,
        )
    with theme.card("steps"):
        st.header("The 13 steps", anchor=False)
        theme.show_html(_steps(records, around))
    with theme.card("events"):
        st.header("Events", anchor=False)
        item, comments = _written(order_id)
        theme.show_html(_events(events(records, around, item, comments)))
    with theme.card("lines"):
        st.header("Lines", anchor=False)
        theme.show_html(order_tables.lines(records))
    with theme.card("shipments"):
        st.header("Shipments", anchor=False)
        theme.show_html(
            order_tables.shipments(records)
            if records.shipment_lines
            else cards.empty("No shipments", _none_of("shipments"))
        )
    with theme.card("invoices"):
        st.header("Invoices", anchor=False)
        theme.show_html(
            order_tables.invoices(records, facts["currency"])
            if records.invoice_lines
            else cards.empty("No invoices", _none_of("invoices"))
        )


def _unknown(order_id: str) -> None:
    """Draw that the order does not exist, with similar numbers, or with its saved edits if it left the data.

    For a person with a row scope it only does not exist: it may be an order outside the scope.
    """
    item, comments = _written(order_id) if queries.sees_every_row() else (Item(order_id), [])
    with theme.card("unknown"):
        if item.version:
            theme.show_html(
                cards.empty(
                    "This order is no longer in the data",
                    f"Order <b>{formatting.html(order_id)}</b> has saved edits, which are shown below.",
                )
            )
            theme.show_html(
                tables.facts(
                    [
                        ("Customer", item.customer or formatting.DASH),
                        ("Owner", item.owner or "unassigned"),
                        ("Status", item.status),
                    ]
                )
            )
            theme.show_html(_events(list(done(item, comments))))
            return
        theme.show_html(
            cards.empty(
                "No such order",
                f"No order has the number <b>{formatting.html(order_id)}</b> in this data. Check its spelling in your "
                "system.",
            )
        )
        near = queries.cached(lists.search_order_ids, page.generation(), order_id)
        if near:
            listed = " · ".join(
                f'<a href="{formatting.html(links.order_story_url(one))}" target="_self">{formatting.html(one)}</a>'
                for one in near
            )
            theme.show_html(f'<p class="bv" style="text-align:center">Similar numbers: {listed}</p>')


def _written(order_id: str) -> tuple[Item, list[dict[str, object]]]:
    try:
        with open_store(locate(), write=False) as store:
            return work_items.item(store, order_id), work_items.comments(store, order_id)
    except StoreUnusable:
        return Item(order_id), []


def _steps(records: OrderRecords, around: OrderContext) -> str:
    if not around.steps:
        return cards.empty("No steps recorded", _none_of("order_events"))
    as_of = page.as_of() or datetime.max
    deadline = records.facts["missed_deadline_at"] or records.facts["deadline_at"]
    return steps.steps(around.steps, deadline=deadline, as_of=as_of, missed_step=around.missed_step, slack=around.slack)


def _none_of(feed: str) -> str:
    if feed in page.data_status().feeds:
        return "No record for this order."
    name = formatting.in_words(feed).lower()
    return f"No feed: {name}. Map the feed “{name}” to see it."


def _head(records: OrderRecords) -> str:
    facts = records.facts
    failed = [reasons.TITLES[name] for name in reasons.TITLES if facts[name] is False]
    if facts["state"] != "judged":
        state = f'<span class="bv-state">{formatting.html(facts["state"])}</span>'
    elif failed:
        state = '<span class="bv-state bv-off"><i aria-hidden="true">▲</i>failed</span>'
    else:
        state = '<span class="bv-state bv-on"><i aria-hidden="true">●</i>all tests passed or unknown</span>'
    return (
        '<div class="bv bv-headline"><h2 style="margin:0;padding:0;font-size:1.25rem" '
        f'data-order="{formatting.html(facts["order_id"])}">'
        f"Order {formatting.html(facts['order_id'])}</h2>{state}"
        f'<span class="bv-muted">{formatting.html(evidence.explanation_of(facts)) if failed else ""}</span></div>'
    )


def _facts(records: OrderRecords) -> list[tuple[str, str]]:
    facts, order = records.facts, records.order
    pairs = [
        ("Customer", named_customer(facts["customer_id"], facts["customer_name"])),
        ("Segment", facts["segment"]),
        ("Ordered", formatting.moment(order.get("ordered_at"), order.get("ordered_at_is_date"))),
        ("Promised", formatting.moment(order.get("promised_by"), order.get("promised_by_is_date"))),
        ("Due", _due(facts, order)),
        ("Arrived", formatting.day(facts["arrived_day"])),
        (
            "Order to arrival",
            formatting.DASH if facts["cycle_days"] is None else formatting.count(facts["cycle_days"], "day"),
        ),
        (
            "Ordered value",
            formatting.money(facts["ordered_amount"], None if facts["currency"] == "(none)" else facts["currency"]),
        ),
        ("Ship to", order.get("ship_to") or formatting.DASH),
        ("Special request", order.get("special_request") or ""),
    ]
    if facts["time_zone_assumed"]:
        pairs.append(("Time zone", f"{order.get('ship_to_time_zone')} (assumed)"))
    return [(name, value) for name, value in pairs if value]


def _due(facts: Row, order: Row) -> str:
    """Return the last day on which the order was due; "" if it is the promised day. Lines may be promised later."""
    promised = order.get("promised_by")
    return "" if facts["due_day"] in (None, promised and promised.date()) else formatting.day(facts["due_day"])


def _tests(found: list[Test]) -> str:
    return f'<ul class="bv bv-tests">{"".join(_test(one) for one in found)}</ul>'


def _test(one: Test) -> str:
    css, shape, word = {True: ("on", "●", "passed"), False: ("off", "▲", "failed"), None: ("unproven", "◌", "unknown")}[
        one.passed
    ]
    sentences = "".join(f"<li>{formatting.html(sentence)}</li>" for sentence in one.evidence)
    return (
        f'<li data-verdict="{one.verdict}"><span class="bv-name">{one.title}</span>'
        f'<span><span class="bv-state bv-{css}"><i aria-hidden="true">{shape}</i>{word}</span></span>'
        f"<ul>{sentences}</ul></li>"
    )


def _event_class(event: Event) -> str:
    return "bv-plan" if event.plan else "bv-wrong" if event.wrong else "bv-ours" if event.by_us else ""


def _events(found: list[Event]) -> str:
    items = "".join(
        f'<li class="{_event_class(event)}"><b>{formatting.html(event.what)}</b>'
        f'<span class="bv-muted" style="display:block">{formatting.html(event.when)}</span></li>'
        for event in found
    )
    return f'<ol class="bv bv-events">{items}</ol>'
