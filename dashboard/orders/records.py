"""Tables of one order: lines with verdicts, shipments and invoices. Records in, markup out."""

import json

from dashboard.components import formatting, reasons, tables
from dashboard.components.tables import Cell
from dashboard.frame import links
from metrics.lists.order_story import OrderRecords


def _verdict(passed: bool | None) -> Cell:
    css, shape, word = {True: ("on", "●", "yes"), False: ("off", "▲", "no"), None: ("unproven", "◌", "unknown")}[passed]
    return Cell(markup=f'<span class="bv-state bv-{css}"><i aria-hidden="true">{shape}</i>{word}</span>')


def lines(records: OrderRecords) -> str:
    """Return the order lines with quantities and the five verdicts."""
    rows = []
    for line in records.lines:
        product = records.product_names.get(line["product_id"] or "") or line["product_id"]
        small = (line["product_id"] or "") if product != line["product_id"] else ""
        short = line.get("state") == "judged" and (line.get("counted_qty") or 0) < (line.get("owed_qty") or 0)
        goods = line.get("line_kind", "goods") == "goods"
        verdicts = [
            _verdict(line.get(name)) if line.get("state") == "judged" else Cell(line.get("state") or formatting.DASH)
            for name in reasons.TITLES
        ]
        rows.append(
            [
                Cell(line["line_no"]),
                Cell(product or formatting.in_words(line["line_kind"]), small=small),
                Cell(formatting.quantity(line["ordered_qty"])),
                Cell(formatting.quantity(line.get("owed_qty"))),
                Cell(
                    formatting.quantity(line.get("counted_qty")) if goods else formatting.DASH, flagged=goods and short
                ),
                Cell(formatting.price(line["unit_price_amount"])),
                *verdicts,
            ]
        )
    heads = ("Line", "Product", "Ordered", "Owed", "Received", "Unit price", *reasons.TITLES.values())
    return tables.table(heads, rows, caption="Lines of the order", numeric=(2, 3, 4, 5))


def shipments(records: OrderRecords) -> str:
    """Return the shipment lines."""
    headers = {header["shipment_id"]: header for header in records.shipments}
    rows = []
    for line in records.shipment_lines:
        header = headers.get(line["shipment_id"], {})
        damaged = (line["damaged_qty"] or 0) > 0
        rows.append(
            [
                Cell(line["shipment_id"], small=header.get("carrier") or ""),
                Cell(line["line_no"]),
                Cell(formatting.moment(header.get("shipped_at"), header.get("shipped_at_is_date"))),
                Cell(formatting.moment(header.get("received_at"), header.get("received_at_is_date"))),
                Cell(formatting.quantity(line["shipped_qty"])),
                Cell(formatting.quantity(line["received_qty"])),
                Cell(formatting.quantity(line["damaged_qty"]), flagged=damaged),
            ]
        )
    return tables.table(
        ("Shipment", "Line", "Shipped on", "Received on", "Shipped", "Received", "Damaged"),
        rows,
        caption="Shipments",
        numeric=(4, 5, 6),
    )


def invoices(records: OrderRecords, currency: str | None) -> str:
    """Return the invoice lines, including credits and reversals."""
    headers = {header["invoice_id"]: header for header in records.invoices}
    agreed = {line["line_no"]: line["unit_price_amount"] for line in records.lines}
    rows = []
    for line in records.invoice_lines:
        header = headers.get(line["invoice_id"], {})
        price, wanted = line["unit_price_amount"], agreed.get(line["line_no"])
        off = price is not None and wanted is not None and price != wanted and header.get("invoice_kind") == "invoice"
        kind = formatting.in_words(header.get("invoice_kind") or "invoice")
        why = formatting.in_words(header.get("credit_reason") or "no reason given").lower()
        rows.append(
            [
                Cell(
                    line["invoice_id"],
                    small=kind if kind == "Invoice" else f"{kind}: {why}",
                ),
                Cell(line["line_no"] or "charge"),
                Cell(formatting.moment(header.get("invoiced_at"), header.get("invoiced_at_is_date"))),
                Cell(formatting.quantity(line["billed_qty"])),
                Cell(formatting.price(price), flagged=off),
                Cell(formatting.money(line["line_amount"], header.get("currency") or currency)),
            ]
        )
    return tables.table(
        ("Document", "Line", "Date", "Billed", "Unit price", "Amount"), rows, caption="Invoices", numeric=(3, 4, 5)
    )


def record_link(key: str) -> str:
    """Return a record's key as a link to its order's timeline, or as text if it names no order."""
    try:
        order_id = json.loads(key).get("order_id")
    except (json.JSONDecodeError, AttributeError):
        order_id = None
    text = formatting.html(pairs(key))
    return (
        f'<a href="{formatting.html(links.order_story_url(order_id))}" target="_self">{text}</a>'
        if isinstance(order_id, str)
        else text
    )


def pairs(text: str) -> str:
    """Return a JSON object as names and values; other text stays unchanged."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError:
        return text
    return (
        ", ".join(f"{name} {formatting.plain(value)}" for name, value in values.items())
        if isinstance(values, dict)
        else text
    )
