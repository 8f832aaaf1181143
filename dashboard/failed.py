"""The parts of the page of failed orders: the list with its filters, and one order's story."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import cards, data, look, page, story, tables
from dashboard import format as fmt
from dashboard.filters import Filters
from dashboard.story import Event, Test
from dashboard.tables import Cell
from metrics.listing import Listing, OrderRecords, Row

SIZE = 25
SORTS = {"due": "Latest due first", "value": "Highest value first", "late": "Most days late first", "short": "Most value missing first"}


@dataclass(frozen=True)
class Choice:
    """What of the failed orders to list, and how."""

    reasons: tuple[str, ...]
    sort: str
    page: int


def opened() -> str | None:
    """The order whose story the address asks for."""
    return st.query_params.get("order") or None


def _open(order_id: str) -> None:
    st.query_params["order"] = order_id


def _close() -> None:
    st.query_params.pop("order", None)


def choose() -> Choice:
    """Draw the list's own filters: reasons, order of the list, and a way to open any order by its number."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="failed_filters", gap="small"):
        asked = [code for code in st.query_params.get_all("reason") if code in story.REASONS]
        reasons = st.multiselect(
            "Why it failed",
            list(story.REASONS),
            default=asked,
            format_func=story.reason,
            key="reasons",
            placeholder="Any reason",
            width=320,
        )
        if reasons != st.query_params.get_all("reason"):
            st.query_params["reason"] = reasons
        sort = page.pick("Order of the list", tuple(SORTS), SORTS, key="sort", width=210)
        st.text_input("Open an order by number", key="find", placeholder="Order number", width=190, on_change=_find)
    return Choice(tuple(reasons), sort, int(st.session_state.get("failed_page", 1)))


def _find() -> None:
    typed = (st.session_state.get("find") or "").strip()
    if typed:
        _open(typed)


def found(filters: Filters, choice: Choice) -> Listing:
    """The failed orders in view."""
    view = (page.generation(), filters.start, filters.end, filters.where, choice.reasons, choice.sort)
    listing: Listing = data.failed_orders(*view, choice.page, SIZE)
    if choice.page > 1 and not listing.rows and listing.total:  # the filters left fewer pages than the one looked at
        st.session_state["failed_page"] = 1
        listing = data.failed_orders(*view, 1, SIZE)
    return listing


def none(filters: Filters, choice: Choice) -> None:
    """No failed order in view: good news, or no orders at all."""
    counts = data.standing(page.generation(), filters.start, filters.end, filters.where)
    if not counts["judged"]:
        page.no_orders(filters)
        return
    with look.card("none"):
        why = " for these reasons" if choice.reasons else ""
        look.html(cards.empty("No failed orders", f"{fmt.count(counts['judged'], 'order')} judged in this period, none failed{why}."))


def sums(listing: Listing) -> str:
    """How many orders failed and what they are worth, each currency by itself."""
    pairs = [(f"{listing.total:,}", "failed orders")]
    for one in listing.sums[:3]:
        if one["ordered_amount"] is not None:
            currency = fmt.html(one["currency"]) if one["currency"] not in (None, "(none)") else ""
            pairs.append((f"{fmt.compact(float(one['ordered_amount']))} {currency}", "ordered value"))
            if one["short_amount"]:
                pairs.append((f"{fmt.compact(float(one['short_amount']))} {currency}", "of it not received"))
    return cards.figures(pairs)


def grid(listing: Listing) -> None:
    """The list: choose a row, or the order's number below it, to read its story."""
    as_of = page.as_of()
    table = pd.DataFrame([_listed(row, as_of) for row in listing.rows])
    empty = [name for name in ("late", "value", "missing", "carrier", "region") if table[name].isna().all()]
    st.dataframe(
        table.drop(columns=empty),
        key="failed_grid",
        on_select=_chosen,
        selection_mode="single-row",
        hide_index=True,
        height="content",
        row_height=34,
        placeholder="",
        column_config=tables.failed_columns(),
        alt="Failed orders, one row each; the same orders can be opened by number",
    )
    st.session_state["_failed_ids"] = [row["order_id"] for row in listing.rows]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        with st.container(width="content"):
            page.pager(listing.total, SIZE, key="failed_page")
        st.selectbox(
            "Open an order of this page",
            st.session_state["_failed_ids"],
            index=None,
            key="failed_pick",
            on_change=_picked,
            placeholder="Open an order of this page …",
            label_visibility="collapsed",
            width=260,
        )


def _listed(row: Row, as_of: datetime | None) -> dict[str, Any]:
    named = row["customer_name"] if row["customer_name"] == row["customer_id"] else f"{row['customer_name']} ({row['customer_id']})"
    return {
        "order": row["order_id"],
        "why": story.why(row),
        "customer": named,
        "segment": row["segment"],
        "due": row["due_day"],
        "late": row["days_late"] or None,
        "age": (as_of.date() - row["due_day"]).days if as_of and row["due_day"] else None,
        "value": None if row["ordered_amount"] is None else float(fmt.cents(row["ordered_amount"])),
        "missing": None if not row["short_amount"] else float(fmt.cents(row["short_amount"])),
        "carrier": None if row["carrier"] == "(none)" else row["carrier"],
        "region": None if row["region"] == "(none)" else row["region"],
    }


def _chosen() -> None:
    """A row was selected in the grid (which keyboards cannot do in Streamlit 1.67: hence the field below it)."""
    rows = st.session_state["failed_grid"]["selection"]["rows"]
    ids = st.session_state.get("_failed_ids", [])
    if rows and rows[0] < len(ids):
        _open(ids[rows[0]])


def _picked() -> None:
    if st.session_state.get("failed_pick"):
        _open(st.session_state["failed_pick"])


# ------------------------------------------------------------------------------------------------------------- the story
def show_story(order_id: str) -> None:
    """One order's story, and the way back."""
    st.button("Back to the list", icon=":material/arrow_back:", type="tertiary", on_click=_close, key="back")
    records: OrderRecords | None = data.order_records(page.generation(), order_id)
    if records is None:
        with look.card("unknown"):
            look.html(
                cards.empty(
                    "No such order",
                    f"No order is numbered <b>{fmt.html(order_id)}</b> in this data. Check the number as your system writes it.",
                )
            )
        return
    facts = records.facts
    with look.card("order"):
        look.html(_head(records))
        look.html(tables.facts(_facts(records)))
    left, right = st.columns([5, 3], gap="small")
    with left, look.card("tests", height="stretch"):
        st.header("The five tests", anchor=False)
        look.html(_tests(story.tests(records, page.as_of())))
    with right, look.card("events", height="stretch"):
        st.header("What happened", anchor=False)
        look.html(_events(story.events(records)))
    with look.card("lines"):
        st.header("Lines", anchor=False)
        look.html(_lines(records))
    with look.card("shipments"):
        st.header("Shipments", anchor=False)
        look.html(_shipments(records) if records.shipment_lines else cards.empty("No shipments", _none_of("shipments")))
    with look.card("invoices"):
        st.header("Invoices", anchor=False)
        currency = facts["currency"]
        look.html(_invoices(records, currency) if records.invoice_lines else cards.empty("No invoices", _none_of("invoices")))


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
        f'<li class="{"bv-plan" if event.plan else "bv-wrong" if event.wrong else ""}"><b>{fmt.html(event.what)}</b>'
        f'<span class="bv-muted" style="display:block">{fmt.html(event.when)}</span></li>'
        for event in found
    )
    return f'<ol class="bv bv-events">{items}</ol>'


def _verdict(passed: bool | None) -> Cell:
    css, shape, word = {True: ("on", "●", "yes"), False: ("off", "▲", "no"), None: ("unproven", "◌", "unknown")}[passed]
    return Cell(markup=f'<span class="bv-state bv-{css}"><i aria-hidden="true">{shape}</i>{word}</span>')


def _lines(records: OrderRecords) -> str:
    rows = []
    for line in records.lines:
        product = records.product_names.get(line["product_id"] or "") or line["product_id"]
        small = (line["product_id"] or "") if product != line["product_id"] else ""
        short = (line.get("counted_qty") or 0) < (line.get("owed_qty") or 0)
        goods = line.get("line_kind", "goods") == "goods"
        verdicts = [_verdict(line.get(name)) if line.get("state") == "judged" else Cell(line.get("state") or fmt.DASH) for name in story.TITLES]
        rows.append(
            [
                Cell(line["line_no"]),
                Cell(product or fmt.words(line["line_kind"]), small=small),
                Cell(fmt.quantity(line["ordered_qty"])),
                Cell(fmt.quantity(line.get("owed_qty"))),
                Cell(fmt.quantity(line.get("counted_qty")) if goods else fmt.DASH, flagged=goods and short),
                Cell(fmt.price(line["unit_price_amount"])),
                *verdicts,
            ]
        )
    heads = ("Line", "Product", "Ordered", "Owed", "Received", "Unit price", *story.TITLES.values())
    return tables.table(heads, rows, caption="Lines of the order", numeric=(2, 3, 4, 5))


def _shipments(records: OrderRecords) -> str:
    headers = {one["shipment_id"]: one for one in records.shipments}
    rows = []
    for one in records.shipment_lines:
        header = headers.get(one["shipment_id"], {})
        damaged = (one["damaged_qty"] or 0) > 0
        rows.append(
            [
                Cell(one["shipment_id"], small=header.get("carrier") or ""),
                Cell(one["line_no"]),
                Cell(fmt.moment(header.get("shipped_at"), header.get("shipped_at_is_date"))),
                Cell(fmt.moment(header.get("received_at"), header.get("received_at_is_date"))),
                Cell(fmt.quantity(one["shipped_qty"])),
                Cell(fmt.quantity(one["received_qty"])),
                Cell(fmt.quantity(one["damaged_qty"]), flagged=damaged),
            ]
        )
    return tables.table(("Consignment", "Line", "Left", "Received", "Sent", "Received", "Damaged"), rows, caption="Shipments", numeric=(4, 5, 6))


def _invoices(records: OrderRecords, currency: str | None) -> str:
    headers = {one["invoice_id"]: one for one in records.invoices}
    agreed = {line["line_no"]: line["unit_price_amount"] for line in records.lines}
    rows = []
    for one in records.invoice_lines:
        header = headers.get(one["invoice_id"], {})
        price, wanted = one["unit_price_amount"], agreed.get(one["line_no"])
        off = price is not None and wanted is not None and price != wanted and header.get("invoice_kind") == "invoice"
        kind = fmt.words(header.get("invoice_kind") or "invoice")
        rows.append(
            [
                Cell(one["invoice_id"], small=kind if kind == "Invoice" else f"{kind}: {header.get('credit_reason') or 'no reason given'}"),
                Cell(one["line_no"] or "charge"),
                Cell(fmt.moment(header.get("invoiced_at"), header.get("invoiced_at_is_date"))),
                Cell(fmt.quantity(one["billed_qty"])),
                Cell(fmt.price(price), flagged=off),
                Cell(fmt.money(one["line_amount"], header.get("currency") or currency)),
            ]
        )
    return tables.table(("Document", "Line", "Date", "Billed", "Unit price", "Amount"), rows, caption="Invoices", numeric=(3, 4, 5))
