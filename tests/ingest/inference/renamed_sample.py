"""The sample's files under other names, in another order and in other dialects, with the mapping that is right."""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

SMALL = Path(__file__).parents[3] / "sample_data" / "small"

GERMAN = {
    "orders": ("Aufträge", {
        "order_no": "Auftragsnummer", "sold_to": "Kunden-Nr.", "entered_at": "Erfasst am", "req_date": "Wunschtermin",
        "conf_date": "Bestätigter Liefertermin", "curr": "Währung", "pay_terms": "Zahlungsbedingung",
        "ship_to": "Warenempfänger", "ship_tz": "Zeitzone", "incoterm": "Incoterms", "cancel_ts": "Storniert am",
        "changed_at": "Letzte Änderung", "ord_type": "Auftragsart", "remarks": "Bemerkung",
        "req_from": "Wunschtermin ab",
        "bill_to": "Rechnungsempfänger",
    }),
    "order_lines": ("Auftragspositionen", {
        "order_no": "Auftrag", "pos": "Position", "material": "Artikelnummer", "unit": "Einheit", "qty": "Bestellmenge",
        "price": "Einzelpreis", "conf_date": "Bestätigter Termin", "changed_at": "Geändert am",
        "cancel_qty": "Stornierte Menge",
    }),
    "shipments": ("Lieferscheine", {
        "delivery_no": "LieferscheinNr", "carrier": "Spediteur", "goods_issue_at": "Warenausgangsdatum",
        "pod_at": "Zugestellt am", "freight": "Frachtkosten", "freight_curr": "Währung",
    }),
    "shipment_lines": ("Lieferscheinpositionen", {
        "delivery_no": "LieferscheinNr", "item": "LieferscheinPos", "order_no": "Auftrag", "pos": "AuftragsPos",
        "material": "Artikel", "qty_sent": "Liefermenge", "qty_received": "Empfangene Menge",
        "qty_damaged": "Beschädigte Menge",
    }),
    "invoices": ("Rechnungen", {
        "doc_no": "Rechnungsnummer", "doc_date": "Rechnungsdatum", "due_date": "Fällig am", "curr": "Währung",
        "pay_terms": "Zahlungsbedingungen", "doc_type": "Belegart",
    }),
    "invoice_lines": ("Rechnungspositionen", {
        "doc_no": "Rechnungsnummer", "item": "RechnungsPos", "order_no": "Auftragsnummer", "pos": "AuftragsPos",
        "qty": "Fakturierte Menge", "amount": "Nettobetrag", "tax": "MwSt",
    }),
    "customers": ("Kunden", {
        "customer_no": "Kundennummer", "valid_from": "Gültig ab", "name": "Name", "segment": "Kundensegment",
        "region": "Gebiet", "city": "Ort",
    }),
    "products": ("Artikel", {
        "material": "Artikelnummer", "description": "Bezeichnung", "family": "Warengruppe", "unit": "Basiseinheit",
        "unit_cost": "Einstandspreis",
    }),
}  # fmt: skip
"""New name of each file, and new names of the columns that it keeps."""

ENGLISH = {
    "orders": ("SalesOrders", {
        "ship_to": "ShipTo", "order_no": "SalesOrderNo", "conf_date": "ConfirmedDeliveryDate",
        "sold_to": "CustomerCode",
        "req_date": "RequestedDeliveryDate", "entered_at": "OrderDate", "curr": "CurrencyCode",
    }),
    "order_lines": ("SalesOrderLines", {
        "qty": "QuantityOrdered", "material": "ItemCode", "pos": "LineNo", "order_no": "SalesOrderNo",
        "price": "UnitPrice",
    }),
    "shipments": ("Shipments", {
        "pod_at": "DeliveredAt", "delivery_no": "ShipmentNumber", "goods_issue_at": "DispatchedAt",
        "carrier": "Carrier",
        "freight": "FreightCost",
    }),
    "shipment_lines": ("ShipmentDetails", {
        "qty_sent": "ShippedQty", "pos": "SalesOrderLineNo", "order_no": "SalesOrderNo", "item": "LineNo",
        "delivery_no": "ShipmentNumber", "qty_received": "ReceivedQty", "material": "ItemCode",
    }),
    "returns": ("Returns", {
        "rma_no": "RMANumber", "order_no": "SalesOrderNo", "pos": "SalesOrderLineNo", "qty": "ReturnedQty",
        "announced_at": "AnnouncedDate", "reason": "ReturnReason", "item": "ReturnLineNo",
    }),
    "customers": ("Customers", {
        "name": "CustomerName", "customer_no": "CustomerCode", "segment": "Tier", "valid_from": "ValidFrom",
    }),
}  # fmt: skip


def in_german(cell: str) -> str:
    """Return a date as 31.12.2024 and a number with a decimal comma."""
    if found := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d:\d\d:\d\d)Z)?", cell):
        year, month, day, time = found.groups()
        return f"{day}.{month}.{year}" + (f" {time}" if time else "")
    return cell.replace(".", ",") if re.fullmatch(r"-?\d+\.\d+", cell) else cell


def in_american(cell: str) -> str:
    """Return a date as 12/31/2024 and a date-time with AM or PM."""
    if found := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)Z)?", cell):
        year, month, day, hour, minute, second = found.groups()
        at = f" {int(hour) % 12 or 12}:{minute}:{second} {'AM' if int(hour) < 12 else 'PM'}" if hour else ""
        return f"{int(month)}/{int(day)}/{year}{at}"
    return cell


def _timed(cell: str) -> str:
    """Return a bare date among date-times as noon, because other dialects write one form in a column."""
    return f"{cell}T12:00:00Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", cell) else cell


def write_renamed(
    folder: Path,
    names: Mapping[str, tuple[str, Mapping[str, str]]],
    form: Callable[[str], str],
    *,
    encoding: str,
    delimiter: str,
    ending: str,
    title: str = "",
) -> dict[str, dict[str, str]]:
    """Write the files and return the right mapping: feed, then column, then the new name of the source column."""
    mapping = tomllib.loads((SMALL / "mapping.toml").read_text(encoding="utf-8"))
    truth: dict[str, dict[str, str]] = {}
    for feed, (file, columns) in names.items():
        sign = ";" if feed == "products" else ","
        with (SMALL / f"{feed}.csv").open(encoding="utf-8", newline="") as source:
            rows = [row for row in csv.reader(source, delimiter=sign) if row]
        header = rows[0]
        places = [header.index(old) for old in columns]
        timed = {place for place in places if any(row[place].endswith("Z") for row in rows[1:] if len(row) > place)}
        with (folder / f"{file}{ending}").open("w", encoding=encoding, newline="") as target:
            target.write(title)
            writer = csv.writer(target, delimiter=delimiter)
            writer.writerow(columns.values())
            for row in rows[1:]:
                if len(row) == len(header):
                    cells = [_timed(row[place]) if place in timed else row[place] for place in places]
                    writer.writerow([form(cell).encode(encoding, "replace").decode(encoding) for cell in cells])
        ours = {
            (one if isinstance(one, str) else one["from"]): column for column, one in mapping[feed]["columns"].items()
        }
        truth[feed] = {ours[old]: new for old, new in columns.items()}
    return truth
