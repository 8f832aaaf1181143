"""Compare all money facts of the sample with a recount in plain Python, exactly."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, select

from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import facts_state
from metrics.measures import customer_zones
from metrics.model.dimensions import DIMENSIONS
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.schema import FEEDS
from metrics.warehouse import Location, reading
from tests.conftest import SAMPLE_ORDERS

Row = dict[str, Any]


@pytest.fixture(scope="module")
def connection(sample: Location) -> Iterator[Connection]:
    """The sample's warehouse."""
    with reading(sample) as opened:
        yield opened


class Books:
    """The records of the warehouse, and the rules of money."""

    def __init__(self, connection: Connection) -> None:
        """Read every feed without deleted records."""
        self.as_of: datetime = connection.execute(select(facts_state.c.as_of)).scalar_one()
        self.feeds: dict[str, list[Row]] = {
            name: [dict(row) for row in connection.execute(select(feed.table)).mappings() if not row["deleted"]]
            for name, feed in FEEDS.items()
        }
        found = {row["order_id"]: row for row in self.feeds["orders"]}
        self.orders = {
            key: row for key, row in found.items() if self.end(row, "ordered_at", self.zone(row)) <= self.as_of
        }
        self.lines = {
            (row["order_id"], row["line_no"]): row
            for row in self.feeds["order_lines"]
            if row["order_id"] in self.orders
        }
        self.reporting = next((row["reporting_currency"] for row in self.feeds["fx_rates"]), None)
        self.rates = {(row["currency"], row["on_date"]): row["rate"] for row in self.feeds["fx_rates"]}

    @staticmethod
    def zone(order: Row | None) -> ZoneInfo:
        return ZoneInfo(order["ship_to_time_zone"] if order else "UTC")

    @staticmethod
    def last_instant(day: date, zone: ZoneInfo) -> datetime:
        tomorrow = datetime.combine(day + timedelta(1), time(), zone).astimezone(UTC).replace(tzinfo=None)
        return tomorrow - timedelta(microseconds=1)

    def end(self, row: Row, name: str, zone: ZoneInfo) -> datetime:
        """Return the last possible instant of a date or time. An empty value gives a distant instant."""
        value: datetime | None = row[name]
        if value is None:
            return datetime.max
        return self.last_instant(value.date(), zone) if row[f"{name}_is_date"] else value

    @staticmethod
    def day(row: Row, name: str, zone: ZoneInfo) -> date:
        value: datetime = row[name]
        return value.date() if row[f"{name}_is_date"] else value.replace(tzinfo=UTC).astimezone(zone).date()

    def money(self, amount: Decimal, currency: str | None, day: date) -> Decimal | None:
        """Return the amount in the reporting currency, by the newest rate of the last week (R25, currencies)."""
        if self.reporting is None or currency == self.reporting:
            return amount
        rate = next(
            (
                self.rates[currency, day - timedelta(n)]
                for n in range(8)
                if (currency, day - timedelta(n)) in self.rates
            ),
            None,
        )
        return None if rate is None else amount * rate

    def unit_cost(self, order: Row, line: Row) -> Decimal | None:
        """Return the unit cost on the order day (R35, valid on order day)."""
        ordered = self.day(order, "ordered_at", self.zone(order))
        able = [
            row
            for row in self.feeds["products"]
            if row["product_id"] == line["product_id"] and row["valid_from"] <= ordered
        ]
        return max(able, key=lambda row: row["valid_from"])["unit_cost_amount"] if able else None

    def billed(self) -> Iterator[tuple[Any, ...]]:
        """Return net sales and product cost of each document line (R24, net sales)."""
        headers = {row["invoice_id"]: row for row in self.feeds["invoices"]}
        bodies: dict[str, list[Row]] = defaultdict(list)
        for body in self.feeds["invoice_lines"]:
            bodies[body["invoice_id"]].append(body)
        reversals: dict[str, list[Row]] = defaultdict(list)
        for header in headers.values():
            if header["invoice_kind"] == "reversal" and header["reverses_invoice_id"]:
                reversals[header["reverses_invoice_id"]].append(header)
        first = {
            min(rows, key=lambda row: (row["invoiced_at"], row["invoice_id"]))["invoice_id"]
            for rows in reversals.values()
        }
        for header in headers.values():
            own = bodies[header["invoice_id"]]
            reversed_ = headers.get(header["reverses_invoice_id"] or "")
            if not own and header["invoice_id"] in first and reversed_ and reversed_["invoice_kind"] == "invoice":
                own = bodies[reversed_["invoice_id"]]
            for body in own:
                line = self.lines.get((body["order_id"], body["line_no"]))
                if line is None or line["line_kind"] == "fee":
                    continue
                order = self.orders[line["order_id"]]
                zone = self.zone(order)
                if self.end(header, "invoiced_at", zone) > self.as_of:
                    continue
                sign = 1 if header["invoice_kind"] == "invoice" else -1
                day = self.day(header, "invoiced_at", zone)
                amount = self.money(sign * body["line_amount"], header["currency"] or order["currency"], day)
                key = ("(none)", header["invoice_kind"], header["invoice_id"], line["order_id"], line["line_no"], day)
                yield ("net_sales", *key, amount)
                cost = self.unit_cost(order, line)
                quantity = (
                    body["billed_qty"] if header["invoice_kind"] != "credit" else body["billed_qty"] or Decimal(0)
                )
                if line["line_kind"] == "service" and cost is None:
                    cost, quantity = Decimal(0), Decimal(0)
                known = amount is not None and cost is not None and quantity is not None
                yield ("product_cost", *key, sign * quantity * cost if known else None)

    def served(self) -> Iterator[tuple[Any, ...]]:
        """Return service costs, and the freight and cases without a service cost."""
        charged: set[tuple[str | None, str | None, str]] = set()
        for row in self.feeds["service_costs"]:
            order = self.orders.get(row["order_id"])
            if self.last_instant(row["incurred_on"], self.zone(order)) > self.as_of:
                continue
            activity = (row["activity"] or "(none)").lower()
            charged.add((row["order_id"], None if row["order_id"] else row["customer_id"], activity))
            amount = self.money(row["amount"], row["currency"] or (order or {}).get("currency"), row["incurred_on"])
            yield (
                "cost_to_serve",
                activity,
                "service_cost",
                row["cost_id"],
                row["order_id"],
                None,
                row["incurred_on"],
                amount,
            )
        yield from self.cases(charged)
        yield from self.freight(charged)

    def cases(self, charged: set[tuple[str | None, str | None, str]]) -> Iterator[tuple[Any, ...]]:
        for row in self.feeds["service_cases"]:
            order = self.orders.get(row["order_id"])
            zone = self.zone(order)
            who = row["customer_id"] or (order or {}).get("customer_id")
            if row["cost_amount"] is None or self.end(row, "opened_at", zone) > self.as_of:
                continue
            if (row["order_id"], None if row["order_id"] else who, "case") in charged:
                continue
            settled = self.end(row, "resolved_at", zone) <= self.as_of
            day = self.day(row, "resolved_at" if settled else "opened_at", zone)
            amount = self.money(row["cost_amount"], row["currency"] or (order or {}).get("currency"), day)
            yield ("cost_to_serve", "case", "case", row["case_id"], row["order_id"], None, day, amount)

    def freight(self, charged: set[tuple[str | None, str | None, str]]) -> Iterator[tuple[Any, ...]]:
        carried: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for body in self.feeds["shipment_lines"]:
            if body["order_id"] in self.orders:
                quantity = body["shipped_qty"] if body["shipped_qty"] is not None else body["received_qty"]
                carried[body["shipment_id"]][body["order_id"]] += quantity or Decimal(0)
        for row in self.feeds["shipments"]:
            whole, weights = row["freight_amount"], carried.get(row["shipment_id"], {})
            if whole is None:
                continue
            total, before, running = sum(weights.values()), Decimal(0), Decimal(0)
            for order_id in sorted(weights):
                running += weights[order_id] if total else Decimal(1)
                upto = (whole * running / (total or len(weights))).quantize(Decimal("0.0001"), ROUND_HALF_UP)
                part, before = upto - before, upto
                order = self.orders[order_id]
                zone = self.zone(order)
                left, arrived = (self.end(row, name, zone) <= self.as_of for name in ("shipped_at", "received_at"))
                if (order_id, None, "freight") in charged or not (left or arrived):
                    continue
                day = self.day(row, "shipped_at" if left else "received_at", zone)
                amount = self.money(part, row["currency"] or order["currency"], day)
                yield ("cost_to_serve", "freight", "freight", row["shipment_id"], order_id, None, day, amount)


def test_money_facts_equal_a_recount_of_the_records(connection: Connection) -> None:
    m = money_facts_table.c
    columns = (m.kind, m.activity, m.source, m.document_id, m.order_id, m.line_no, m.day, m.amount)
    stored = Counter(tuple(row) for row in connection.execute(select(*columns)))
    books = Books(connection)
    recount = Counter((*books.billed(), *books.served()))
    assert sorted(map(repr, (stored - recount).elements())) == sorted(map(repr, (recount - stored).elements())) == []
    kinds = Counter(key[:3] for key in recount.elements())
    assert {source for _, _, source in kinds} >= {"invoice", "credit", "reversal", "service_cost"}
    assert sum(kinds.values()) > 5 * SAMPLE_ORDERS


@pytest.mark.parametrize("dimension", sorted({*DIMENSIONS} - {"product_category", "carrier"}))
def test_profit_by_dimension_adds_up_to_the_total_profit(dimension: str, connection: Connection) -> None:
    """The parts of profit by each dimension add up to the total, exactly.

    By product and by carrier profit is refused: cost is known by order.
    """
    (whole,) = answer(connection, Question(("customer_profit",)))
    listed = answer(connection, Question(("customer_profit",), by=(dimension,)))
    assert whole.value is not None
    assert sum(Decimal(one.value) for one in listed if one.value is not None) == whole.value


def test_customer_zones_and_customers_left_out_add_up_to_total_sales_and_costs(connection: Connection) -> None:
    customers, cuts = customer_zones.zones(connection)
    assert {one.zone for one in customers} == set(customer_zones.ZONES)
    everybody = customer_zones.customers_of(connection, None, None)
    left_out = [one for one in everybody if not one.has_rates]
    assert cuts == replace(customer_zones.median_cuts(customers), left_out=len(left_out))
    for measure, amount in (
        ("net_sales_value", "sales"),
        ("product_cost", "product_cost"),
        ("cost_to_serve", "cost_to_serve"),
    ):
        (whole,) = answer(connection, Question((measure,)))
        assert sum(getattr(one, amount) for one in (*customers, *left_out)) == whole.value
