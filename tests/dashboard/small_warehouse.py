"""A small warehouse for tests of screens: canonical records in a generation, judged by the product's own facts.

There is no ingest, because a page must not depend on the origin of its records. Plain orders have three segments and
cover 60 weeks. Each HAND-… order has a single known failure, so that tests can check its story.
"""

import json
import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Table, delete, insert

from metrics import schema, warehouse
from metrics.rebuild.rebuild import rebuild
from metrics.warehouse import Location
from tests.support import once

AS_OF = datetime(2026, 6, 30, 23, 59, 59)
LAST_DUE = date(2026, 6, 28)
CHANCE = {"A": 0.97, "B": 0.93, "C": 0.84}
CARRIERS = ("Nordfracht", "Kurier West", "Blitz")
EVIL = "![x](http://evil.example/x.png) <img src=x onerror=alert(1)> **Bold & Co**"
"""A customer's name that would break out of markup that is not escaped."""
FEEDS = ("orders", "order_lines", "shipments", "shipment_lines", "customers", "products", "targets")
BILLING = ("invoices", "invoice_lines")
Row = dict[str, Any]  # Any: values of every column type
Rows = dict[str, list[Row]]

WARNING = {
    "run_id": 1,
    "source": "small",
    "feed": "orders",
    "code": "same_key_differs",
    "object_name": "orders.csv",
    "column_name": None,
    "rows_concerned": 2,
    "message": f"2 keys occur more than once, for example {EVIL}",
    "measures": "otif, on_time",
}

RESTATEMENT = {
    "run_id": 1,
    "feed": "orders",
    "key": '{"order_id": "SO-00001"}',
    "before": '{"channel": "web"}',
    "after": '{"channel": "edi"}',
    "why": "correction",
}


def _stamp(row: Row, file_id: int, at: int) -> Row:
    return {**row, "source": "small", "file_id": file_id, "row_no": at, "source_updated_at": None, "deleted": False}


def _moment(name: str, value: datetime | date | None) -> Row:
    if value is None:
        return {name: None, f"{name}_is_date": None}
    bare = not isinstance(value, datetime)
    return {name: datetime(value.year, value.month, value.day) if bare else value, f"{name}_is_date": bare}


def order(
    rows: Rows,
    order_id: str,
    due: date,
    *,
    customer: str,
    late: int = 0,
    wanted: int = 10,
    received: int = 10,
    damaged: int = 0,
    price: str = "12.50",
    billed_price: str | None = None,
    arrives: bool = True,
    carrier: str = CARRIERS[0],
    product: str = "P1",
    sent_product: str | None = None,
    channel: str = "edi",
) -> None:
    """Add an order with a line, a consignment and an invoice. By default it has no failure."""
    came = due + timedelta(days=late)
    _order(rows, order_id, due, customer, channel)
    _line(rows, order_id, product, wanted, price)
    _shipment(rows, order_id, came, arrives, carrier)
    rows["shipment_lines"].append(
        {
            "shipment_id": f"S-{order_id}",
            "shipment_line_no": "1",
            "order_id": order_id,
            "line_no": "1",
            "product_id": sent_product or product,
            "shipped_qty": received,
            "received_qty": received if arrives else None,
            "damaged_qty": damaged,
            "substitution_agreed": False,
        }
    )
    _invoice(rows, order_id, came, received, billed_price or price)


def _order(rows: Rows, order_id: str, due: date, customer: str, channel: str) -> None:
    rows["orders"].append(
        {
            "order_id": order_id,
            "customer_id": customer,
            **_moment("ordered_at", due - timedelta(days=7)),
            **_moment("requested_by", due),
            **_moment("promised_by", due),
            **_moment("cancelled_at", None),
            "channel": channel,
            "order_type": "sale",
            "fulfilment_model": "make_to_stock",
            "currency": "EUR",
            "ship_to": "Berlin",
            "ship_to_time_zone": "Europe/Berlin",
            "time_zone_assumed": False,
        }
    )


def _line(rows: Rows, order_id: str, product: str, wanted: int, price: str) -> None:
    rows["order_lines"].append(
        {
            "order_id": order_id,
            "line_no": "1",
            "product_id": product,
            "ordered_qty": wanted,
            "unit_price_amount": price,
            "line_kind": "goods",
            **_moment("cancelled_at", None),
        }
    )


def _shipment(rows: Rows, order_id: str, came: date, arrives: bool, carrier: str) -> None:
    rows["shipments"].append(
        {
            "shipment_id": f"S-{order_id}",
            "carrier": carrier,
            **_moment("shipped_at", came - timedelta(days=1)),
            **_moment("received_at", came if arrives else None),
            "received_place": "Berlin",
        }
    )


def _invoice(rows: Rows, order_id: str, came: date, received: int, price: str) -> None:
    rows["invoices"].append(
        {
            "invoice_id": f"I-{order_id}",
            "invoice_kind": "invoice",
            **_moment("invoiced_at", came),
            "currency": "EUR",
            "credit_reason": None,
        }
    )
    rows["invoice_lines"].append(
        {
            "invoice_id": f"I-{order_id}",
            "invoice_line_no": "1",
            "order_id": order_id,
            "line_no": "1",
            "billed_qty": received,
            "unit_price_amount": price,
            "line_amount": round(float(price) * received, 2),
        }
    )


def records(count: int, *, seed: int = 1) -> Rows:
    """Return the canonical records of `count` plain orders and of the HAND-… orders."""
    dice = random.Random(seed)
    rows: Rows = {name: [] for name in (*FEEDS, *BILLING)}
    _master_data(rows)
    _plain_orders(rows, count, dice)
    order(rows, "HAND-LATE", date(2026, 6, 10), customer="C00", late=3, carrier="Blitz")
    order(rows, "HAND-SHORT", date(2026, 6, 11), customer="C01", wanted=100, received=60)
    order(rows, "HAND-PRICE", date(2026, 6, 12), customer="C02", price="10.00", billed_price="10.50")
    order(rows, "HAND-WRONG", date(2026, 6, 15), customer="C02", sent_product="P2")
    order(rows, "HAND-DAMAGED", date(2026, 6, 16), customer="C04", damaged=3)
    order(rows, "HAND-LOST", date(2026, 6, 17), customer="C05", arrives=False)
    _targets(rows)
    return rows


def _master_data(rows: Rows) -> None:
    for number in range(30):
        segment = "ABC"[number % 3]
        rows["customers"].append(
            {
                "customer_id": f"C{number:02d}",
                "valid_from": date(2020, 1, 1),
                "name": EVIL if number == 0 else f"Customer {number}",
                "service_segment": segment,
                "region": ("North", "South", "West")[number % 7 % 3],
            }
        )
    for product, name in (("P1", "Pump"), ("P2", "Valve")):
        rows["products"].append(
            {
                "product_id": product,
                "valid_from": date(2020, 1, 1),
                "name": name,
                "category": f"{name}s",
                "base_unit": "piece",
            }
        )


def _plain_orders(rows: Rows, count: int, dice: random.Random) -> None:
    for at in range(count):
        number = dice.randrange(30)
        due = LAST_DUE - timedelta(days=dice.randrange(420))
        good = CHANCE["ABC"[number % 3]] - (0.12 if 20 < (LAST_DUE - due).days < 48 else 0)
        order(
            rows,
            f"SO-{at:05d}",
            due,
            customer=f"C{number:02d}",
            late=0 if dice.random() < good else dice.randint(1, 6),
            wanted=(wanted := dice.randint(2, 40)),
            received=wanted if dice.random() < good + 0.02 else wanted - 1,
            damaged=int(dice.random() > 0.985),
            arrives=dice.random() < 0.98,
            billed_price=None if dice.random() < 0.97 else "13.00",
            carrier=dice.choice(CARRIERS),
            product=dice.choice(("P1", "P2")),
            channel=dice.choice(("edi", "web", "phone")),
        )


def _targets(rows: Rows) -> None:
    for measure, value, tolerance in (
        ("perfect_order", "0.85", "0.05"),
        ("otif", "0.90", "0.03"),
        ("on_time", "0.93", "0.02"),
        ("complete", "0.94", "0.02"),
        ("damage_free", "0.98", "0.01"),
        ("filled_accurately", "0.99", "0.01"),
        ("billed_accurately", "0.97", "0.02"),
        ("cycle_days", "7.2", "0.3"),
    ):
        rows["targets"].append(
            {
                "measure": measure,
                "scope": "all",
                "valid_from": date(2020, 1, 1),
                "target_value": value,
                "tolerance": tolerance,
            }
        )
    rows["targets"].append(
        {
            "measure": "otif",
            "scope": "segment:A",
            "valid_from": date(2020, 1, 1),
            "target_value": "0.95",
            "tolerance": "0.02",
        }
    )


def publish(
    home: Path | Location,
    *,
    count: int = 400,
    seed: int = 1,
    billing: bool = True,
    stand_in: str | None = None,
    rejected: int = 3,
    rows: Rows | None = None,
) -> int:
    """Publish a generation with these records only, and return its number. rows: the records, in place of `count`."""
    location = home if isinstance(home, Location) else Location(folder=home)
    rows = records(count, seed=seed) if rows is None else rows
    feeds = tuple(feed for feed in rows if billing or feed not in BILLING)
    with warehouse.writing(location) as build:
        connection = build.connection
        warehouse.create_tables(connection)
        for table in schema.metadata.sorted_tables:
            connection.execute(delete(table))
        for file_id, feed in enumerate(feeds, start=1):
            _insert(
                connection,
                schema.FEEDS[feed].table,
                [_stamp(row, file_id, at) for at, row in enumerate(rows[feed], start=1)],
            )
        _run_log(connection, rows, feeds, build.number, stand_in, rejected)
        rebuild(connection, as_of=AS_OF, touched=None)
        return build.publish().number


def shared_small_home(factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the small warehouse that most tests of screens read. One test process publishes it."""
    return once.copied(factory, "small", lambda folder: publish(folder / "home", count=260)) / "home"


def _insert(connection: Connection, table: Table, rows: list[Row]) -> None:
    for at in range(0, len(rows), 500):
        connection.execute(
            insert(table).values(
                [{column.name: row.get(column.name) for column in table.columns} for row in rows[at : at + 500]]
            )
        )


def _run_log(
    connection: Connection, rows: Rows, feeds: tuple[str, ...], generation: int, stand_in: str | None, rejected: int
) -> None:
    run = {
        "run_id": 1,
        "source": "small",
        "started_at": AS_OF,
        "finished_at": AS_OF + timedelta(seconds=9),
        "outcome": "published",
        "data_as_of": AS_OF,
        "data_as_of_declared": True,
        "generation": generation,
    }
    _insert(connection, schema.runs, [run])
    mapped, files, checks = [], [], []
    for at, feed in enumerate(feeds, start=1):
        loaded = len(rows[feed])
        bad = rejected if feed == "order_lines" else 0
        files.append(
            {
                "file_id": at,
                "run_id": 1,
                "source": "small",
                "feed": feed,
                "name": f"{feed}.csv",
                "sha256": "0" * 64,
                "rows_staged": loaded + bad,
                "rows_in": loaded + bad,
                "rows_loaded": loaded,
                "rows_quarantined": bad,
                "rows_superseded": 0,
            }
        )
        checks.append(
            {
                "run_id": 1,
                "feed": feed,
                "expectation": "expect_column_values_to_not_be_null",
                "column_name": "key",
                "rows_checked": loaded + bad,
                "rows_failed": bad,
            }
        )
        for column in sorted({name for row in rows[feed][:1] for name in row if not name.endswith("_is_date")}):
            proxy = stand_in if column == "received_at" else None
            mapped.append({"source": "small", "feed": feed, "column_name": column, "stands_in_for": proxy})
    for table, log_rows in (
        (schema.mapped_columns, mapped),
        (schema.run_files, files),
        (schema.checks, checks),
        (schema.quarantine, _quarantined(rejected)),
        (schema.restatements, [RESTATEMENT]),
        (schema.run_warnings, [WARNING]),
    ):
        _insert(connection, table, log_rows)


def _quarantined(count: int) -> list[Row]:
    rows: list[Row] = []
    for at in range(count):
        rule = {
            "rule": "not a number",
            "column": "ordered_qty",
            "value": "two",
            "message": "'two' is not a number: write 2",
        }
        rows.append(
            {
                "file_id": 2,
                "run_id": 1,
                "feed": "order_lines",
                "object_name": "order_lines.csv",
                "row_no": 7 + at,
                "key": json.dumps({"order_id": f"X-{at}"}),
                "record": json.dumps({"ORDER": f"X-{at}", "QTY": "two", "NOTE": EVIL}),
                "rules": json.dumps([rule]),
                "status": "rejected",
                "waits_for": None,
            }
        )
    return rows
