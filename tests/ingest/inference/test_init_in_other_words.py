"""`buyerview init` on one flat extract in many words: what it maps, asks and leaves out, and nothing mapped wrongly.

The first lists are header rows of our own in eight dialects of business. The last ones are header rows of well-known
public tables, filled with made-up values.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from ingest.inference.proposal import Proposal
from tests.ingest.inference.counting import proposed

MEANINGS = (
    "order_id", "line_no", "customer_id", "customers.name", "ordered_at", "promised_by", "product_id", "products.name",
    "ordered_qty", "unit_price_amount", "shipment_id", "shipped_at", "received_at", "shipped_qty", "invoice_id",
    "invoiced_at", "billed_qty", "line_amount",
)  # fmt: skip
"""Meaning of each column of the first lists, in order."""
HEADERS = {
    "french": "N° de commande;Ligne;Code client;Nom du client;Date de commande;Date promise;Référence article;"
    "Désignation;Qté commandée;Prix unitaire HT;N° BL;Date d'expédition;Date de livraison;Qté livrée;N° facture;"
    "Date facture;Qté facturée;Montant HT",
    "spanish": "Nº Pedido;Línea;Cliente;Nombre cliente;Fecha pedido;Fecha prometida;Artículo;Descripción;"
    "Cantidad pedida;Precio unitario;Nº albarán;Fecha envío;Fecha entrega;Cantidad entregada;Nº factura;Fecha factura;"
    "Cantidad facturada;Importe neto",
    "dutch": "Ordernummer;Regel;Klantnummer;Klantnaam;Orderdatum;Bevestigde leverdatum;Artikelnummer;Omschrijving;"
    "Besteld aantal;Verkoopprijs;Pakbonnummer;Verzenddatum;Ontvangstdatum;Geleverd aantal;Factuurnummer;Factuurdatum;"
    "Gefactureerd aantal;Bedrag excl. btw",
    "italian": "Numero ordine;Riga;Codice cliente;Ragione sociale;Data ordine;Data confermata;Codice articolo;"
    "Descrizione;Quantità ordinata;Prezzo unitario;Numero DDT;Data spedizione;Data consegna;Quantità consegnata;"
    "Numero fattura;Data fattura;Quantità fatturata;Importo netto",
    "abbreviations": "ORDNO;LINNO;CUSNO;CUSNM;ORDDT;PRMDT;ITMNO;ITMDS;ORDQT;PRICE;DLVNO;SHPDT;RCVDT;SHPQT;INVNO;INVDT;"
    "INVQT;INVAM",
    "english": "SO Number;SO Line;Account;Account Name;Booked Date;Customer Request Date;Part Number;Part Description;"
    "Booked Qty;Net Price;Pack Slip;Actual Ship Date;POD Date;Qty Shipped;Invoice #;Invoice Date;Qty Invoiced;Ext Net",
    "snake": "order_reference;order_line;client;client_name;created;requested_delivery;sku;title;units;unit_net;"
    "consignment;dispatched_at;delivered_at;units_dispatched;bill;billed_on;units_billed;net_total",
    "german": "Beleg;Zeile;Debitor;Name;Belegdatum;Liefertermin;Artikel;Text;Menge;Preis;Lieferschein;Versanddatum;"
    "Zustelldatum;gelieferte Menge;Rechnung;RgDatum;berechnete Menge;Nettowert",
}
LEAST_RIGHT = {"french": 12, "spanish": 12, "dutch": 12, "italian": 11, "abbreviations": 12, "english": 12, "german": 8}
"""Columns that must be mapped without a question. More may be."""
ALSO = {("english", "requested_by"), ("snake", "requested_by"), ("german", "requested_by")}
"""Lists whose date before the product is a request."""


def values(rng: random.Random) -> Sequence[Sequence[object]]:
    rows = []
    for order in range(80):
        day = date(2026, 1, 1) + timedelta(days=rng.randint(0, 80))
        customer = rng.randint(1, 15)
        for line in range(rng.choice([1, 2, 3])):
            quantity, product, price = rng.randint(1, 30), rng.randint(1, 20), rng.randint(100, 3000) / 100
            rows.append((
                f"A{10000 + order}", (line + 1) * 10, f"K{customer:04}", f"Buyer {customer}", day,
                day + timedelta(days=10), f"P-{product:03}", f"Thing {product}", quantity, price, f"L{20000 + order}",
                day + timedelta(days=7), day + timedelta(days=9), quantity, f"R{30000 + order}",
                day + timedelta(days=11), quantity, round(quantity * price, 2),
            ))  # fmt: skip
    return rows


def write(folder: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with (folder / "export.csv").open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, delimiter=";")
        writer.writerow(header)
        writer.writerows(rows)


def meanings_of(proposal: Proposal) -> dict[str, set[str]]:
    """Return the source columns with the meanings they were given, as FEED.COLUMN."""
    result: dict[str, set[str]] = {}
    for feed, one in proposal.feeds.items():
        for target, column in one.columns.items():
            result.setdefault(column.origin, set()).add(f"{feed}.{target}")
    return result


@pytest.mark.long
@pytest.mark.parametrize("name", HEADERS)
def test_no_column_is_mapped_wrongly_without_a_question(tmp_path: Path, name: str) -> None:
    header = HEADERS[name].split(";")
    write(tmp_path, header, values(random.Random(5)))
    found = meanings_of(proposed(tmp_path))
    truth = dict(zip(header, MEANINGS, strict=True))
    wrong = {
        f"{column}: {meaning}"
        for column in header
        for meaning in found.get(column, ())
        if meaning != truth[column]
        and meaning.partition(".")[2] != truth[column]
        and not (truth[column] == "promised_by" and (name, meaning.partition(".")[2]) in ALSO)
    }
    assert wrong == set()
    assert sum(column in found for column in header) >= LEAST_RIGHT.get(name, 0), found


def superstore(rng: random.Random) -> Sequence[Sequence[object]]:
    rows = []
    for number in range(300):
        order = number // 2
        day = date(2016, 1, 1) + timedelta(days=order * 3 % 700)
        product = rng.randint(1, 40)
        rows.append((
            number + 1, f"CA-2016-{100000 + order}", f"{day:%m/%d/%Y}", f"{day + timedelta(days=4):%m/%d/%Y}",
            "Standard Class", f"CG-{order % 30}", f"Person {order % 30}", ("Consumer", "Corporate")[order % 2],
            "United States", "Henderson", "Kentucky", 42420, "South", f"FUR-{product}", "Furniture", "Bookcases",
            f"Bookcase {product}", rng.randint(100, 50000) / 100, rng.randint(1, 9), rng.choice([0, 0.2]),
            rng.randint(100, 5000) / 100,
        ))  # fmt: skip
    return rows


def employees(rng: random.Random) -> Sequence[Sequence[object]]:
    born, hired = date(1950, 1, 1), date(1992, 5, 1)
    return [
        (n, f"Doe {n}", "Sales Representative", born + timedelta(days=n), hired, "London", 98105 + n, rng.randint(1, 5))
        for n in range(1, 40)
    ]


PUBLIC: Sequence[tuple[str, Callable[[random.Random], Sequence[Sequence[object]]], dict[str, set[str]]]] = (
    (
        "Row ID;Order ID;Order Date;Ship Date;Ship Mode;Customer ID;Customer Name;Segment;Country;City;State;"
        "Postal Code;Region;Product ID;Category;Sub-Category;Product Name;Sales;Quantity;Discount;Profit",
        superstore,
        {
            "Row ID": {"line_no"}, "Order ID": {"order_id"}, "Order Date": {"ordered_at"}, "Ship Date": {"shipped_at"},
            "Customer ID": {"customer_id"}, "Customer Name": {"name"}, "Segment": {"service_segment"},
            "Region": {"region"}, "Product ID": {"product_id"}, "Product Name": {"name"}, "Category": {"category"},
            "Quantity": {"ordered_qty"},
        },
    ),
    ("employee_id;last_name;title;birth_date;hire_date;city;postal_code;reports_to", employees, {}),
)  # fmt: skip


@pytest.mark.parametrize(("header", "rows", "truth"), PUBLIC, ids=["superstore", "employees"])
def test_columns_of_public_tables_are_not_mapped_wrongly(
    tmp_path: Path,
    header: str,
    rows: Callable[[random.Random], Sequence[Sequence[object]]],
    truth: dict[str, set[str]],
) -> None:
    write(tmp_path, header.split(";"), rows(random.Random(3)))
    found = meanings_of(proposed(tmp_path))
    wrong = {
        f"{column}: {meaning}"
        for column, meanings in found.items()
        for meaning in meanings
        if column in header.split(";") and meaning.partition(".")[2] not in truth.get(column, set())
    }
    assert wrong == set()
