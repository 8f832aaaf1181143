"""`buyerview init` on flat extracts with traps: names and values that point to the wrong column.

A trap must end in a question, or in a column that stays unmapped. Columns mapped wrongly without a question: none.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.ingest.inference.counting import proposed


def rows() -> list[dict[str, object]]:
    """Return the rows of 50 orders with one to three lines."""
    rng, result = random.Random(5), []
    for number in range(50):
        day, late = date(2026, 1, 1) + timedelta(days=rng.randint(0, 80)), 2 if number % 4 == 0 else 0
        for line in range(rng.choice([1, 2, 3])):
            quantity, product, price = rng.randint(2, 30), rng.randint(1, 20), rng.randint(100, 3000) / 100
            sent = quantity - (1 if rng.random() < 0.1 else 0)
            result.append({
                "order": f"A{10000 + number}", "number": number + 1, "line": line + 1, "customer": f"K{number % 12:03}",
                "customer_name": f"Buyer {number % 12}", "ordered": day, "promised": day + timedelta(days=10),
                "requested": day + timedelta(days=9), "left": day + timedelta(days=7), "product": f"P-{product:03}",
                "product_no": product, "received": day + timedelta(days=9 + late), "quantity": quantity, "sent": sent,
                "rest": quantity - sent, "price": price, "invoice": f"R{30000 + number}", "net": round(sent * price, 2),
                "invoiced": day + timedelta(days=11), "due": day + timedelta(days=41), "gross": sent * price * 1.2,
                "shipment": f"L{20000 + number}", "name": f"Thing {product}", "other": number * 7 % 5,
                "yes": "N" if number % 9 else "Y", "early": date(2026, 1 + number % 3, 1 + number % 12),
                "zoned": f"{day} 10:15:00 -0400",
            })  # fmt: skip
    return result


MEANINGS = {
    "order": "order_id", "number": "order_id", "line": "line_no", "customer": "customer_id", "ordered": "ordered_at",
    "customer_name": "customers.name", "promised": "promised_by", "requested": "requested_by", "left": "shipped_at",
    "received": "received_at", "product": "product_id", "product_no": "product_id", "name": "products.name",
    "quantity": "ordered_qty", "sent": "shipped_qty", "price": "order_lines.unit_price_amount", "invoice": "invoice_id",
    "invoiced": "invoiced_at", "due": "due_on", "net": "line_amount", "shipment": "shipment_id",
    "zoned": "source_updated_at",
}  # fmt: skip
"""Meaning of a value. Values that are not listed have none."""
START = "Order No=order;Line=line;Customer=customer;Order Date=ordered;Item Code=product;Ordered Qty=quantity;"
PIECES = "Order=order;Line=line;Customer=customer;Order Date=ordered;SKU=product;"
CASES: Mapping[str, str] = {
    "dates that are no later than the 12th": "Order No=order;Line=line;Customer=customer;Order Date=early;"
    "Item Code=product;Ordered Qty=quantity;Promised Date=early;Ship Date=early;Shipped Qty=sent",
    "amounts with and without tax": START + "Invoice No=invoice;Invoice Date=invoiced;Amount=net;"
    "Amount incl. VAT=gross;Delivery Date=received;Qty Delivered=sent",
    "several prices": START + "List Price=gross;Price=price;Gross Price=gross;Cost Price=net;Ship Date=left;"
    "Shipped Qty=sent",
    "planned and actual delivery": START + "Delivery Date=promised;Planned Delivery Date=promised;"
    "Actual Delivery Date=received;Qty Delivered=sent",
    "numbered delivery dates": START + "Delivery Date 1=promised;Delivery Date 2=received;Delivered=sent",
    "identifiers like quantities": "Order=number;Pos=line;Customer=other;Date=ordered;Article=product_no;"
    "Pieces=quantity;Warehouse=other;Shipped=sent;Shipped on=left",
    "many quantities": START + "Qty on hand=other;Open Qty=rest;Reserved Qty=rest;Shipped Qty=sent;Backorder Qty=rest;"
    "Ship Date=left;Min Order Qty=other;Pack Qty=other",
    "french": "N° commande=order;Ligne=line;Client=customer;Date de commande=ordered;Livraison demandée=requested;"
    "Livraison confirmée=promised;Réf.=product;Désignation=name;Qté cdée=quantity;Qté livrée=sent;Reliquat=rest;"
    "Date d'expédition=left;Date de réception=received;PU HT=price;PU TTC=gross;Montant HT=net;Montant TTC=gross;"
    "N° facture=invoice;Date de facture=invoiced;Échéance=due",
    "spanish": "Pedido=order;Línea=line;Cliente=customer;Fecha=ordered;Fecha entrega prevista=promised;"
    "Fecha entrega=received;Fecha envío=left;Referencia=product;Cant. pedida=quantity;Cant. servida=sent;"
    "Cant. pendiente=rest;Precio=price;Importe=net;Albarán=shipment;Nº de factura=invoice;Fecha de vencimiento=due",
    "italian": "Ordine=order;Riga=line;Cliente=customer;Data ordine=ordered;Consegna richiesta=requested;"
    "Consegna prevista=promised;Consegna effettiva=received;Articolo=product;Q.tà ordinata=quantity;Q.tà spedita=sent;"
    "Q.tà residua=rest;Prezzo=price;Importo=net;DDT=shipment;Data DDT=left;Fattura=invoice;Data fattura=invoiced",
    "german": "Belegnr.=order;Datum Bestellung=ordered;Datum Lieferung=received;Datum Rechnung=invoiced;"
    "Liefertermin (Wunsch)=requested;Liefertermin (bestätigt)=promised;Liefertermin (alt)=promised;Kunde=customer;"
    "Artikel=product;Bestellmenge=quantity;Liefermenge=sent;Restmenge=rest;Rechnungsbetrag netto=net",
    "order numbers of both sides": "Customer Order No=invoice;Our Order No=order;PO Number=invoice;Your Order=invoice;"
    "Web Order ID=shipment;Line=line;Customer=customer;Order Date=ordered;SKU=product;Qty=quantity;Qty Shipped=sent;"
    "Ship Date=left",
    "cases and pieces": PIECES + "Ordered Qty (cases)=other;Shipped Qty (pieces)=sent;Promised Date=promised;"
    "Ship Date=left",
    "weights": PIECES + "Ordered Qty kg=gross;Delivered Qty=sent;Promised Date=promised;Delivered on=received",
    "flags named like dates": START + "Cancelled=yes;Delivered=yes;Shipped=yes;On time=yes;Promised=promised;"
    "Delivered on=received;Delivered Qty=sent",
    "participles": PIECES + "Ordered=quantity;Confirmed=quantity;Shipped=sent;Invoiced=sent;Requested=requested;"
    "Promised=promised;Arrived=received",
    "purchases": "PO Number=order;Line=line;Vendor=customer;Order Date=ordered;Promised Date=promised;"
    "Receipt Date=received;Item=product;Qty Ordered=quantity;Qty Received=sent",
    "open orders": "Order=order;Customer=customer;Order Date=ordered;Due Date=promised;Days Late=rest;Order Value=net;"
    "Open Value=gross;Order Qty=quantity;Open Qty=rest;Item=product;Invoice No=invoice;Invoice Date=invoiced;"
    "Payment Due Date=due",
    "weeks as columns": "Item=product;Customer=customer;2026-W01=quantity;2026-W02=sent;2026-W03=other;Total=gross",
    "remarks": START + "Remark=name;Promised Date=promised;Received on=received;Received Qty=sent",
    "addresses of the bill": START + "Country Code (Billing)=other;Postcode (Billing)=number;Promised Date=promised;"
    "Received on=received;Received Qty=sent;Updated=zoned",
    "names of its own": "Order=order;Line=line;Party=customer;Booked=ordered;SKU=product;Wanted=quantity;Gone=sent;"
    "Promised Date=promised;Out=left",
}
OPEN = {
    "dates that are no later than the 12th": "extract.csv: day and month",
    "several prices": "extract.order_lines.unit_price_amount",
    "numbered delivery dates": "extract.shipments.received_at",
    "identifiers like quantities": "extract.shipment_lines.shipped_qty",
    "order numbers of both sides": "extract.order_id",
    "cases and pieces": "extract.order_lines.ordered_qty",
    "participles": "extract.order_lines.ordered_qty",
    "names of its own": "extract.customer_id",
}
"""Questions that must be asked."""
NOTHING = ("purchases", "weeks as columns")
"""Extracts of which nothing may be mapped."""
SLASHES = ("dates that are no later than the 12th",)


def wrong_columns(folder: Path, name: str) -> tuple[list[str], list[str]]:
    """Propose a mapping. Return the columns that are mapped wrongly, and the keys of the questions."""
    columns = [entry.split("=") for entry in CASES[name].split(";")]
    with (folder / "extract.csv").open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, delimiter=";")
        writer.writerow([header for header, _ in columns])
        for row in rows():
            values = [row[key] for _, key in columns]
            writer.writerow([f"{one:%d/%m/%Y}" if isinstance(one, date) and name in SLASHES else one for one in values])
    proposal = proposed(folder)
    truth = {header: MEANINGS.get(key, "") if name not in NOTHING else "" for header, key in columns}
    wrong = [
        f"{column.origin}={feed}.{target}"
        for feed, one in proposal.feeds.items()
        for target, column in one.columns.items()
        if column.origin in truth and truth[column.origin] not in (target, f"{feed}.{target}")
    ]
    return wrong, [question.key for question in proposal.questions]


@pytest.mark.every_run("participles", "names of its own")
@pytest.mark.parametrize("name", CASES)
def test_traps_are_questions_or_stay_unmapped(tmp_path: Path, name: str) -> None:
    wrong, asked = wrong_columns(tmp_path, name)
    assert wrong == []
    assert OPEN.get(name, "") in (*asked, "")
