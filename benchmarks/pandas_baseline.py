"""Baseline of the scorecard by carrier: pandas on the CSV files, as a competent analyst would write it in an afternoon.

It calculates the shares of on time, complete, otif, damage free, right item and place, billed, and perfect deliveries.
It leaves out time zones (UTC days), segments as of a date, who caused a cancellation, billing windows, unknown verdicts
and quarantine.
"""

from pathlib import Path

import pandas as pd


def scorecard(folder: Path) -> pd.DataFrame:
    """Read the six files and return the shares by carrier."""
    orders = _read(
        folder,
        "orders",
        ["order_no", "ord_type", "conf_date", "cancel_ts", "ship_to", "pay_terms"],
        ["conf_date", "cancel_ts"],
    )
    lines = _read(
        folder, "order_lines", ["order_no", "pos", "material", "qty", "price", "item_kind", "conf_date"], ["conf_date"]
    )
    shipments = _read(
        folder,
        "shipments",
        ["delivery_no", "carrier", "goods_issue_at", "pod_at", "pod_place"],
        ["goods_issue_at", "pod_at"],
    )
    sent = _read(
        folder,
        "shipment_lines",
        ["delivery_no", "order_no", "pos", "material", "qty_sent", "qty_received", "qty_damaged"],
        [],
    )
    invoices = _read(folder, "invoices", ["doc_no", "doc_type", "pay_terms", "doc_date"], ["doc_date"])
    billed = _read(folder, "invoice_lines", ["doc_no", "order_no", "pos", "qty", "price", "amount"], [])
    for frame, columns in (
        (lines, ("qty", "price")),
        (sent, ("qty_sent", "qty_received", "qty_damaged")),
        (billed, ("qty", "price", "amount")),
    ):
        for column in columns:
            frame[column] = pd.to_numeric(frame[column], errors="coerce")

    lines = _lines_due(lines, orders)
    came = _received(sent, shipments, lines)
    billed = billed.merge(invoices[invoices.doc_type == "INV"], on="doc_no")
    bills = billed.groupby(["order_no", "pos"]).agg(
        billed_qty=("qty", "sum"), billed_price=("price", "max"), billed_terms=("pay_terms", "first")
    )
    return _shares(
        lines.merge(came, on=["order_no", "pos"], how="left").merge(bills, on=["order_no", "pos"], how="left")
    )


def _lines_due(lines: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    lines = lines[lines.item_kind == "G"].merge(orders[orders.ord_type == "OR"], on="order_no", suffixes=("", "_order"))
    lines = lines[lines.cancel_ts.isna()].drop_duplicates(["order_no", "pos"])
    lines["due"] = lines.conf_date.fillna(lines.conf_date_order) + pd.Timedelta(days=1)
    return lines


def _received(sent: pd.DataFrame, shipments: pd.DataFrame, lines: pd.DataFrame) -> pd.DataFrame:
    sent = sent.merge(shipments.drop_duplicates("delivery_no"), on="delivery_no")
    sent = sent.merge(
        lines[["order_no", "pos", "material", "due", "ship_to"]], on=["order_no", "pos"], suffixes=("", "_ordered")
    )
    sent["got"] = sent.qty_received.fillna(sent.qty_sent).where(sent.pod_at.notna(), 0)
    sent["right"] = (sent.material == sent.material_ordered) & (
        sent.pod_place.isna() | (sent.pod_place == sent.ship_to)
    )
    sent["in_time"] = sent.got.where((sent.pod_at <= sent.due) & sent.right, 0)
    sent["counted"] = sent.got.where(sent.right, 0)
    return sent.groupby(["order_no", "pos"]).agg(
        counted=("counted", "sum"),
        in_time=("in_time", "sum"),
        damaged=("qty_damaged", "sum"),
        right=("right", "all"),
        carrier=("carrier", "first"),
    )


def _shares(table: pd.DataFrame) -> pd.DataFrame:
    table["on_time"] = table.in_time.fillna(0) >= table.qty
    table["complete"] = table.counted.fillna(0) >= table.qty
    table["damage_free"] = table.damaged.fillna(0) == 0
    table["accurate"] = table.right.astype("boolean").fillna(False)
    table["billed"] = (
        (table.billed_qty == table.counted)
        & (table.billed_price == table.price)
        & (table.billed_terms == table.pay_terms)
    )
    names = ["on_time", "complete", "damage_free", "accurate", "billed"]
    whole = table.groupby("order_no").agg({**dict.fromkeys(names, "all"), "carrier": "first"})
    whole["otif"] = whole.on_time & whole.complete
    whole["perfect"] = whole.otif & whole.damage_free & whole.accurate & whole.billed
    return whole.groupby("carrier")[[*names, "otif", "perfect"]].mean()


def _read(folder: Path, feed: str, columns: list[str], moments: list[str]) -> pd.DataFrame:
    frame = pd.read_csv(folder / f"{feed}.csv", usecols=columns, dtype=str, on_bad_lines="skip")
    for column in moments:
        frame[column] = pd.to_datetime(frame[column], utc=True, errors="coerce", format="ISO8601")
    return frame
