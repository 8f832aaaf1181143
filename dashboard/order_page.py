"""The page of one order: what it is, how each test went and why, its 13 steps, what happened, what people do about it, and its records."""

from datetime import datetime

import streamlit as st

from dashboard import cards, data, drill, look, order_steps, order_tables, page, story, tables, work_panel
from dashboard import format as fmt
from dashboard.happened import Event, done, events, is_written
from dashboard.story import Test
from metrics.errors import StoreUnusable
from metrics.lists.listing import OrderRecords
from metrics.lists.order_story import Surroundings
from metrics.store import work
from metrics.store.opening import opened
from metrics.store.work import Item
from metrics.warehouse import locate


def asked() -> str:
    """The order the address names; empty: none."""
    return st.query_params.get("order") or ""


def find() -> None:
    """Draw the field that opens an order by its number."""
    if "find" not in st.session_state and asked():
        st.session_state["find"] = asked()
    st.text_input("Order number", key="find", placeholder="Order number, or a part of it", on_change=_find, width=280, type="search")
    if not asked():
        with look.card("which"):
            look.html(cards.empty("Which order?", "Type its number above, or open one from Failed orders or At risk now."))


def _find() -> None:
    typed = (st.session_state.get("find") or "").strip()
    if typed:
        st.query_params["order"] = typed
    else:
        st.query_params.pop("order", None)


def back() -> None:
    """Draw the way back from a story to the list it was opened over."""
    st.button("Back to the list", icon=":material/arrow_back:", type="tertiary", on_click=lambda: st.query_params.pop("order", None), key="back")


def show(order_id: str) -> None:
    """One order's story."""
    records: OrderRecords | None = data.order_records(page.generation(), order_id)
    if records is None:
        _unknown(order_id)
        return
    around: Surroundings = data.surroundings(page.generation(), order_id)
    facts = records.facts
    failed = any(facts[name] is False for name in story.TITLES)
    with look.card("order"):
        look.html(_head(records))
        look.html(tables.facts(_facts(records)))
    left, right = st.columns([5, 3], gap="small")
    with left, look.card("tests"):
        st.header("The five tests", anchor=False)
        look.html(_tests(story.tests(records, page.as_of())))
    with right, look.card("work"):
        st.header("What we do about it", anchor=False)
        recovery = around.recovery
        work_panel.show(
            order_id,
            customer=facts["customer_name"] or facts["customer_id"],
            detected_at=recovery.get("detected_at") or (recovery.get("failed_at") if failed else None),
            acknowledged_at=recovery.get("acknowledged_at"),
            open_cases=[one["case_id"] for one in around.cases if one["resolved_at"] is None and not is_written(one)],
            failed=failed,
        )
    with look.card("steps"):
        st.header("The 13 steps", anchor=False)
        look.html(_steps(records, around))
    with look.card("events"):
        st.header("What happened", anchor=False)
        item, comments = _written(order_id)
        look.html(_events(events(records, around, item, comments)))
    with look.card("lines"):
        st.header("Lines", anchor=False)
        look.html(order_tables.lines(records))
    with look.card("shipments"):
        st.header("Shipments", anchor=False)
        look.html(order_tables.shipments(records) if records.shipment_lines else cards.empty("No shipments", _none_of("shipments")))
    with look.card("invoices"):
        st.header("Invoices", anchor=False)
        look.html(order_tables.invoices(records, facts["currency"]) if records.invoice_lines else cards.empty("No invoices", _none_of("invoices")))


def _unknown(order_id: str) -> None:
    """No such order: those numbered like it, and what people wrote about it while it was there."""
    item, comments = _written(order_id)
    with look.card("unknown"):
        if item.version:
            look.html(
                cards.empty("This order is no longer in the data", f"Order <b>{fmt.html(order_id)}</b> is kept here by what was written of it.")
            )
            look.html(tables.facts([("Customer", item.customer or fmt.DASH), ("Whose", item.owner or "nobody"), ("Stands", item.status)]))
            look.html(_events(done(item, comments)))
            return
        look.html(
            cards.empty(
                "No such order",
                f"No order is numbered <b>{fmt.html(order_id)}</b> in this data. Check the number as your system writes it.",
            )
        )
        near = data.numbered_like(page.generation(), order_id)
        if near:
            listed = " · ".join(f'<a href="{fmt.html(drill.story(one))}" target="_self">{fmt.html(one)}</a>' for one in near)
            look.html(f'<p class="bv" style="text-align:center">Numbers like it: {listed}</p>')


def _written(order_id: str) -> tuple[Item, list[dict[str, object]]]:
    try:
        with opened(locate(), write=False) as store:
            return work.item(store, order_id), work.comments(store, order_id)
    except StoreUnusable:
        return Item(order_id), []


def _steps(records: OrderRecords, around: Surroundings) -> str:
    if not around.steps:
        return cards.empty("No steps recorded", _none_of("order_events"))
    as_of = page.as_of() or datetime.max
    return order_steps.steps(around.steps, deadline=records.facts["deadline_at"], as_of=as_of, died_at=around.died_at, slack=around.slack)


def _none_of(feed: str) -> str:
    if feed in page.facts()["feeds"]:
        return "None is recorded for this order."
    return f"No feed: {feed}. Map the {feed} feed to see this."


def _head(records: OrderRecords) -> str:
    facts = records.facts
    failed = [story.TITLES[name] for name in story.TITLES if facts[name] is False]
    if facts["state"] != "judged":
        state = f'<span class="bv-state">{fmt.html(facts["state"])}</span>'
    elif failed:
        state = '<span class="bv-state bv-off"><i aria-hidden="true">▲</i>failed</span>'
    else:
        state = '<span class="bv-state bv-on"><i aria-hidden="true">●</i>nothing failed</span>'
    return (
        f'<div class="bv bv-headline"><h2 style="margin:0;padding:0;font-size:1.25rem" data-order="{fmt.html(facts["order_id"])}">'
        f"Order {fmt.html(facts['order_id'])}</h2>{state}"
        f'<span class="bv-muted">{fmt.html(story.why(facts)) if failed else ""}</span></div>'
    )


def _facts(records: OrderRecords) -> list[tuple[str, str]]:
    facts, order = records.facts, records.order
    pairs = [
        ("Customer", f"{facts['customer_name']} ({facts['customer_id']})"),
        ("Segment", facts["segment"]),
        ("Ordered", fmt.moment(order.get("ordered_at"), order.get("ordered_at_is_date"))),
        ("Promised", fmt.moment(order.get("promised_by"), order.get("promised_by_is_date"))),
        ("Arrived", fmt.day(facts["arrived_day"])),
        ("Order to arrival", fmt.DASH if facts["cycle_days"] is None else fmt.count(facts["cycle_days"], "day")),
        ("Ordered value", fmt.money(facts["ordered_amount"], None if facts["currency"] == "(none)" else facts["currency"])),
        ("Ship to", order.get("ship_to") or fmt.DASH),
        ("Special request", order.get("special_request") or ""),
    ]
    if facts["time_zone_assumed"]:
        pairs.append(("Time zone", f"{order.get('ship_to_time_zone')} (assumed)"))
    return [(name, value) for name, value in pairs if value]


def _tests(found: list[Test]) -> str:
    return f'<ul class="bv bv-tests">{"".join(_test(one) for one in found)}</ul>'


def _test(one: Test) -> str:
    css, shape, word = {True: ("on", "●", "passed"), False: ("off", "▲", "failed"), None: ("unproven", "◌", "unknown")}[one.passed]
    told = "".join(f"<li>{fmt.html(sentence)}</li>" for sentence in one.evidence)
    return (
        f'<li data-verdict="{one.verdict}"><span class="bv-name">{one.title}</span>'
        f'<span><span class="bv-state bv-{css}"><i aria-hidden="true">{shape}</i>{word}</span></span><ul>{told}</ul></li>'
    )


def _events(found: list[Event]) -> str:
    items = "".join(
        f'<li class="{"bv-plan" if event.plan else "bv-wrong" if event.wrong else "bv-ours" if event.by_us else ""}"><b>{fmt.html(event.what)}</b>'
        f'<span class="bv-muted" style="display:block">{fmt.html(event.when)}</span></li>'
        for event in found
    )
    return f'<ol class="bv bv-events">{items}</ol>'
