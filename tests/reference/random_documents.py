"""Random orders, order lines, shipments, invoices and quarantined rows."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from tests.reference.draws import Draw, a_moment, chance, not_before, pick
from tests.support.builders import Row, invoice, invoice_line, order, order_line, shipment, shipment_line


@dataclass(frozen=True)
class OrderDraft:
    """The shared values of one generated order."""

    draw: Draw
    order_id: str
    middle: date
    zone: str

    def moment(self, *offsets: int) -> str:
        """Return a random time, one of these numbers of days from the middle."""
        return a_moment(self.draw, self.middle + timedelta(days=pick(self.draw, *offsets)), self.zone)

    def maybe(self, one_in: int, *offsets: int) -> str | None:
        return self.moment(*offsets) if chance(self.draw, one_in) else None

    def deleted(self) -> bool:
        return chance(self.draw, 40)

    def cancellation(self, one_in: int) -> Row:
        """Return the columns of a random cancellation, or none."""
        if not chance(self.draw, one_in):
            return {}
        return {
            "cancelled_at": self.moment(-1, 0, 0, 1, 3),
            "cancelled_by": pick(self.draw, "buyer", "buyer", "buyer", "seller", None),
            "cancel_reason": pick(self.draw, None, "changed mind", "out_of_stock", "late"),
        }


def an_order(draft: OrderDraft) -> Row:
    draw = draft.draw
    promised = draft.moment(0, 0, 1) if not chance(draw, 8) else None
    return order(
        order_id=draft.order_id,
        customer_id=pick(draw, "C1", "C2", "C3", "nobody"),
        ordered_at=draft.moment(-3, -2, -2, -2, -1),
        requested_by=draft.maybe(2, 0, -1, 1),
        requested_from=draft.maybe(4, 0, -1),
        promised_by=promised,
        promised_from=draft.maybe(3, 0, -1, 0),
        channel=pick(draw, "edi", "web", None),
        order_type=pick(draw, *["sale"] * 24, "replacement", "internal", "sample", None),
        fulfilment_model=pick(draw, None, "make_to_stock"),
        region=pick(draw, None, None, "South"),
        currency=pick(draw, "EUR", "EUR", "EUR", "JPY", "KWD", None),
        bill_to=pick(draw, "B1", "B1", "B1", "B1", None),
        payment_terms=pick(draw, "net 30", "net 30", "net 30", "net 30", None),
        delivery_term=pick(draw, *[None] * 8, "DAP", "EXW", "FCA"),
        ship_to=pick(draw, "P1", "P1", "P1", "P1", "P1", None),
        ship_to_time_zone=draft.zone,
        deleted=draft.deleted(),
        **draft.cancellation(8),
    )


def a_line(draft: OrderDraft, number: int) -> Row:
    draw = draft.draw
    quantity = Decimal(pick(draw, *["10"] * 6, "100", "100", "1", "1", "2.5", "2.5", "0"))
    cancellation = draft.cancellation(5)
    if cancellation:
        cancellation["cancelled_qty"] = pick(
            draw, None, quantity, quantity / 2, quantity / 2, min(quantity, Decimal(1))
        )
    kind = pick(draw, *["goods"] * 12, "service", "fee", "discount")
    price = pick(draw, "5.00", "5.00", "1.3333", "0", None)
    return order_line(
        order_id=draft.order_id,
        line_no=str(number),
        product_id=pick(draw, "P", "P", "P", "K", "K", "E", "X", None),
        ordered_qty=quantity,
        unit_price_amount=f"-{price}" if kind == "discount" and price else price,
        tax_rate=pick(draw, *["0.2"] * 6, "0.07", "0", None),
        line_kind=kind,
        requested_by=draft.maybe(8, 0, 1),
        promised_by=draft.maybe(6, 0, -1, 1, 2),
        deleted=draft.deleted(),
        **cancellation,
    )


def a_shipment(draft: OrderDraft, number: int, ordered: str) -> Row:
    draw = draft.draw
    left = not_before(draft.moment(-1, 0, 0, 1, 2, 4), ordered) if not chance(draw, 8) else None
    came = not_before(draft.moment(-1, 0, 0, 0, 1, 1, 2, 4), left or ordered) if not chance(draw, 4) else None
    return shipment(
        shipment_id=f"{draft.order_id}-S{number}",
        carrier=pick(draw, "road", "road", "rail", None),
        shipped_at=left,
        received_at=came,
        received_place=pick(draw, *["P1"] * 12, "P2", None),
        attempted_at=not_before(draft.maybe(4, -1, 0, 0, 1), left or ordered),
        failure_caused_by=pick(draw, None, None, "buyer", "seller", "carrier"),
        deleted=draft.deleted(),
    )


def a_shipment_line(draft: OrderDraft, carried_by: Row, line: Row, number: int, parts: int) -> Row:
    """Return a random part of an order line in a consignment.

    Half of the parts are even shares. The others differ slightly and have random faults.
    """
    draw = draft.draw
    wanted: Decimal = line["ordered_qty"]
    keys = {
        "shipment_id": carried_by["shipment_id"],
        "shipment_line_no": str(number),
        "order_id": draft.order_id,
        "line_no": line["line_no"],
    }
    if chance(draw, 2):
        return shipment_line(
            **keys, product_id=line["product_id"], shipped_qty=wanted / parts, damaged_qty=pick(draw, Decimal(0), None)
        )
    half, step = wanted / 2, Decimal(pick(draw, "0", "0.5", "0.4", "0.0004", "0.0005", "1"))
    quantity = max(
        Decimal(0), pick(draw, wanted, half, half, wanted - step, wanted + step, half - step, half + step, Decimal(0))
    )
    received = pick(draw, None, None, None, quantity, max(Decimal(0), quantity - step), quantity + step)
    if carried_by["received_at"] is None:
        received = None
    arrived = quantity if received is None else received
    return shipment_line(
        **keys,
        product_id=pick(draw, *[line["product_id"]] * 7, "Q", "Q", None),
        shipped_qty=quantity,
        received_qty=received,
        damaged_qty=pick(draw, Decimal(0), Decimal(0), None, None, min(arrived, Decimal(1))),
        substitution_agreed=pick(draw, None, True, False),
        deleted=draft.deleted(),
    )


def an_invoice(draft: OrderDraft, number: int, the_order: Row) -> Row:
    """Return a random billing document. Half of them are invoices that agree with the order."""
    draw = draft.draw
    if chance(draw, 2):
        agreed = {column: the_order[column] for column in ("bill_to", "payment_terms", "currency")}
        return invoice(
            invoice_id=f"{draft.order_id}-I{number}", invoiced_at=draft.moment(0, 1, 1, 2, 5, 9, 10), **agreed
        )
    kind = pick(draw, *["invoice"] * 7, "credit", "credit", "reversal")
    return invoice(
        invoice_id=f"{draft.order_id}-I{number}",
        invoice_kind=kind,
        reverses_invoice_id=f"{draft.order_id}-I{draw(st.integers(1, 3))}" if kind == "reversal" else None,
        invoiced_at=draft.moment(-1, 0, 1, 1, 3, 5, 8, 9, 10),
        bill_to=pick(draw, *[the_order["bill_to"]] * 6, "B2", None),
        payment_terms=pick(draw, *[the_order["payment_terms"]] * 6, "net 10", None),
        currency=pick(draw, *[the_order["currency"]] * 6, "USD", None),
        credit_reason=pick(draw, "goodwill", "billing", "damage", "defect", "short", "return", None)
        if kind == "credit"
        else None,
        deleted=draft.deleted(),
    )


def an_invoice_line(draft: OrderDraft, bill: Row, line: Row, number: int, sent: Decimal) -> Row:
    draw = draft.draw
    keys = {"invoice_id": bill["invoice_id"], "invoice_line_no": str(number), "line_no": line["line_no"]}
    if chance(draw, 2):
        right = (sent * (line["unit_price_amount"] or Decimal(0))).quantize(Decimal("0.0001"))
        tax = right * (line["tax_rate"] or Decimal(0))
        return invoice_line(
            **keys,
            order_id=draft.order_id,
            billed_qty=sent,
            unit_price_amount=line["unit_price_amount"],
            line_amount=right,
            tax_amount=tax,
        )
    quantity = pick(
        draw,
        sent,
        sent,
        sent,
        line["ordered_qty"],
        sent / 2,
        sent + 1,
        sent - Decimal("0.5"),
        sent - 1,
        Decimal(0),
        None,
    )
    quantity = None if quantity is None else max(Decimal(0), quantity)
    price = pick(draw, *[line["unit_price_amount"]] * 6, Decimal("5.10"), None)
    amount = ((quantity or Decimal(0)) * (price or Decimal(0))).quantize(Decimal("0.0001"))
    off = pick(draw, *["0"] * 6, "0.005", "0.0051", "0.5", "0.0006", "0.01")
    return invoice_line(
        **keys,
        order_id=draft.order_id if not chance(draw, 25) else None,
        billed_qty=quantity,
        unit_price_amount=price,
        line_amount=amount + Decimal(off),
        tax_amount=pick(
            draw, *[(amount + Decimal(off)) * (line["tax_rate"] or Decimal(0)) + Decimal(off)] * 6, Decimal(1), None
        ),
        deleted=draft.deleted(),
    )


def a_quarantined_row(draft: OrderDraft) -> Row:
    """Return a random quarantined record of the order."""
    draw = draft.draw
    return {
        "file_id": 1,
        "run_id": 1,
        "feed": pick(
            draw, "shipment_lines", "invoice_lines", "shipments", "invoices", "order_lines", "returns", "promises"
        ),
        "object_name": "drawn",
        "row_no": 1,
        "key": None,
        "order_id": draft.order_id,
        "line_no": pick(draw, "1", "2", None),
        "record": "{}",
        "rules": "[]",
        "status": pick(draw, "waiting", "rejected", "released", "dropped"),
        "waits_for": None,
    }


def partly_in_quarantine(draft: OrderDraft, history: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Move the order with its lines, or one of its lines, to quarantine. Some of their values cannot be read.

    The records of a moved line wait, so they are not loaded.
    """
    draw = draft.draw
    lines = history["order_lines"]
    whole = not lines or chance(draw, 2)
    moved = [("orders", row) for row in history["orders"]] if whole else []
    moved += [("order_lines", row) for row in (lines if whole else lines[:1])]
    if whole and lines and chance(draw, 4):
        moved = moved[1:]  # the order's own record never came
    kept_out, values = list(history["quarantine"]), []
    for row_no, (feed, row) in enumerate(moved, start=2):
        status = "waiting" if whole and feed == "order_lines" else "rejected"
        place = {"file_id": 1, "row_no": row_no}
        kept_out.append(
            a_quarantined_row(draft) | place | {"feed": feed, "line_no": row.get("line_no"), "status": status}
        )
        known = {name: None if chance(draw, 4) else row.get(name) for name in READABLE}
        dates = [name for name in READABLE if f"{name}_is_date" in row]
        known |= {f"{name}_is_date": row[f"{name}_is_date"] if known[name] is not None else None for name in dates}
        if known["ordered_qty"] is not None and known["ordered_qty"] <= 0:
            known["ordered_qty"] = None
        known |= {"ship_to_time_zone": draft.zone, "deleted": row["deleted"], "document_id": None, "happened_on": None}
        values.append(place | dict.fromkeys(MOMENTS) | known)
    gone = {row["line_no"] for _, row in moved if row.get("line_no")}
    waiting = {
        feed: [row for row in history[feed] if row["line_no"] not in gone]
        for feed in ("shipment_lines", "invoice_lines", "promises", "returns", "restated_quantities")
    }
    return (
        history
        | waiting
        | {
            "orders": [] if whole else history["orders"],
            "order_lines": [] if whole else lines[1:],
            "quarantine": kept_out,
            "quarantine_values": values,
        }
    )


MOMENTS = tuple(f"{name}{flag}" for name in ("ordered_at", "requested_by", "promised_by") for flag in ("", "_is_date"))
READABLE = (
    "customer_id", "ordered_at", "requested_by", "promised_by", "order_type", "region", "channel", "fulfilment_model",
    "currency", "product_id", "line_kind", "ordered_qty", "unit_price_amount",
)  # fmt: skip
"""Columns of an order or a line that `quarantine_values` stores."""
