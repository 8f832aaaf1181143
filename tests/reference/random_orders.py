"""Random orders with rare combinations of edge cases.

`worlds()` (random_worlds.py) and `histories()` are Hypothesis strategies. A history is one order around the day of a
world. `populated()` fills a world with many independent histories. All times are within a few days of each other and of
clock changes. Quantities differ by half a rounding step. Rows keep the rules of ingest: no negative quantity, no
receipt before shipment, no shipment before the order, no duplicate key. All other values can be wrong.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from hypothesis import strategies as st

from tests.reference.draws import ZONES, Draw, chance, drawn, pick
from tests.reference.random_changes import some_promises, some_restatements, some_returns, what_happened
from tests.reference.random_documents import (
    OrderDraft,
    a_line,
    a_quarantined_row,
    a_shipment,
    a_shipment_line,
    an_invoice,
    an_invoice_line,
    an_order,
    partly_in_quarantine,
)
from tests.reference.random_worlds import World, without_unmapped
from tests.support.builders import (
    Records,
    Row,
)


def negative_quantity(row: Row) -> Row:
    """Return a billed discount written with a negative quantity and a positive price."""
    return {
        **row, **{one: None if row[one] is None else -row[one] for one in ("billed_qty", "unit_price_amount")}
    }  # fmt: skip


def a_history(draft: OrderDraft) -> dict[str, list[Row]]:
    """Return one random order with its lines, consignments, bills, changes and events."""
    draw = draft.draw
    the_order = an_order(draft)
    lines = [a_line(draft, number) for number in range(1, pick(draw, 1, 1, 1, 2, 2, 3, 4, 0) + 1)]
    ordered = the_order["ordered_at"].isoformat()
    ordered = ordered[:10] if the_order["ordered_at_is_date"] else ordered
    headers = [a_shipment(draft, number, ordered) for number in range(1, pick(draw, 1, 1, 2, 2, 3, 0) + 1)]
    contents: list[Row] = []
    for header in headers:
        for line in lines:
            for _ in range(pick(draw, 1, 1, 1, 1, 1, 0, 2)):
                contents.append(a_shipment_line(draft, header, line, len(contents) + 1, len(headers)))
    bills = [an_invoice(draft, number, the_order) for number in range(1, pick(draw, 1, 1, 1, 1, 2, 3, 0) + 1)]
    billed: list[Row] = []
    for bill in bills:
        for line in lines:
            sent = sum((row["shipped_qty"] for row in contents if row["line_no"] == line["line_no"]), Decimal(0))
            due = sent if line["line_kind"] == "goods" else line["ordered_qty"]
            for _ in range(pick(draw, 1, 1, 1, 1, 1, 0)):
                row = an_invoice_line(draft, bill, line, len(billed) + 1, due)
                billed.append(negative_quantity(row) if line["line_kind"] == "discount" and chance(draw, 2) else row)
    history: Records = {
        "orders": [the_order],
        "order_lines": lines,
        "shipments": headers,
        "shipment_lines": contents,
        "invoices": bills,
        "invoice_lines": billed,
        "quarantine": [a_quarantined_row(draft)] if chance(draw, 12) else [],
        "promises": [row for line in lines for row in some_promises(draft, line)],
        "restated_quantities": [row for line in lines for row in some_restatements(draft, line)],
        "returns": [row for line in lines for row in some_returns(draft, line)],
        "quarantine_values": [],
        **what_happened(draft),
    }
    return partly_in_quarantine(draft, history) if chance(draw, 12) else history


@st.composite
def histories(draw: Draw, middle: date) -> Records:
    """Draw one order around a day, with the id O."""
    return a_history(OrderDraft(draw, "O", middle, pick(draw, *ZONES)))


def populated(world: World, number: int, *, start: int) -> World:
    """Return the world with random orders, with the prefixes W0001, W0002 and so on."""
    all_records = {feed: list(rows) for feed, rows in world.records.items()}
    for index, history in enumerate(drawn(histories(world.middle), number, start=start), start=1):
        for feed, rows in prefixed(history, f"W{index:04d}").items():
            if feed in ("quarantine", "quarantine_values"):
                rows = [row | {"file_id": index} for row in rows]
            all_records[feed] = all_records.get(feed, []) + rows
    return replace(world, records=without_unmapped(all_records, world.mapped))


DOCUMENTS = (
    "order_id",
    "shipment_id",
    "invoice_id",
    "reverses_invoice_id",
    "return_id",
    "hold_id",
    "case_id",
    "stockout_id",
)
"""Keys of one history. `prefixed` changes them."""


def prefixed(history: Records, prefix: str, keys: Sequence[str] = DOCUMENTS) -> Records:
    """Return the records with a prefix on their keys, so that several histories can be judged together."""
    return {
        feed: [row | {key: f"{prefix}-{row[key]}" for key in keys if row.get(key)} for row in rows]
        for feed, rows in history.items()
    }
