"""Compare the stockouts of the sample with a recount in plain Python."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Table, select

from metrics.facts.orders import facts_state, order_facts_table, order_line_facts_table
from metrics.facts.stockout_events import OUTCOMES
from metrics.facts.stockouts import stockout_facts_table
from metrics.schema import assumptions, holds, orders, shipment_lines, shipments, stockouts
from metrics.warehouse import Location, reading
from tests.reference.stockouts import last_lost

Row = dict[str, Any]  # Any: values of columns of any type
Key = tuple[str | None, str | None, str | None]
"""Order, line and stockout row. Lines have no stockout row, other demand has no order."""
Expected = tuple[Decimal, str, bool, bool]
"""Short quantity, outcome, provisional, contradicted."""


@dataclass(frozen=True)
class Sample:
    """The rows that the recount reads, without deleted rows."""

    as_of: datetime
    stored: dict[Key, Row]
    """The stockouts to check."""
    lines: list[Row]
    sales: list[Row]
    credit_holds: list[Row]
    zones: dict[str, str]
    shipments: dict[str, Row]
    shipment_lines: list[Row]
    demand: list[Row]
    """Stockouts without an order."""
    lost_k: list[Row]
    """Assumptions about the gaps without an order after which a buyer is lost."""


def rows_of(connection: Connection, table: Table) -> list[Row]:
    return [dict(row) for row in connection.execute(select(table)).mappings()]


def read_sample(connection: Connection) -> Sample:
    """Read the rows from the warehouse."""
    as_of: datetime = connection.execute(select(facts_state.c.as_of)).scalar_one()
    headers = {row["shipment_id"]: row for row in rows_of(connection, shipments) if not row["deleted"]}
    return Sample(
        as_of=as_of,
        stored={
            (row["order_id"], row["line_no"], row["stockout_id"]): row
            for row in rows_of(connection, stockout_facts_table)
        },
        lines=rows_of(connection, order_line_facts_table),
        sales=[row for row in rows_of(connection, order_facts_table) if row["order_type"] == "sale"],
        credit_holds=[row for row in rows_of(connection, holds) if row["kind"] == "credit" and not row["deleted"]],
        zones={row["order_id"]: row["ship_to_time_zone"] for row in rows_of(connection, orders)},
        shipments=headers,
        shipment_lines=[
            row for row in rows_of(connection, shipment_lines) if not row["deleted"] and row["shipment_id"] in headers
        ],
        demand=[row for row in rows_of(connection, stockouts) if not row["deleted"]],
        lost_k=[
            row
            for row in rows_of(connection, assumptions)
            if row["assumption"] == "lost_k" and row["valid_from"] <= as_of.date()
        ],
    )


def last_instant(row: Row, name: str, zone: str) -> datetime | None:
    """Return the last UTC instant of a date or time."""
    value: datetime | None = row[name]
    if value is None or not row[f"{name}_is_date"]:
        return value
    next_day = (value + timedelta(1)).replace(tzinfo=ZoneInfo(zone))
    return next_day.astimezone(ZoneInfo("UTC")).replace(tzinfo=None) - timedelta(microseconds=1)


def lower_median(values: list[int]) -> int | None:
    return sorted(values)[(len(values) + 1) // 2 - 1] if values else None


class Buyers:
    """The order days of each customer, and the usual gaps between them."""

    def __init__(self, sample: Sample) -> None:
        self.as_of, self.assumed = sample.as_of, sample.lost_k
        self.order_days: dict[str, set[date]] = {}
        for order in sample.sales:
            self.order_days.setdefault(order["customer_id"], set()).add(order["ordered_day"])
        segment_on = {
            (order["customer_id"], order["ordered_day"]): order["segment"]
            for order in sorted(sample.sales, key=lambda order: str(order["segment"]))
        }
        self.gaps_of_segment: dict[str, list[int]] = {}
        for customer_id, days in self.order_days.items():
            for before, after in pairwise(sorted(days)):
                self.gaps_of_segment.setdefault(segment_on[customer_id, after], []).append((after - before).days)

    def lost_k(self, customer_id: str, segment: str) -> Decimal:
        """Return the assumed number of gaps after which the customer is lost."""
        newest: dict[str, Decimal] = {
            row["scope"]: row["assumed_value"]
            for row in sorted(self.assumed, key=lambda row: row["valid_from"])
            if not row["deleted"]
        }
        scopes = (f"customer:{customer_id}", f"segment:{segment}", "all")
        return next((newest[scope] for scope in scopes if scope in newest), Decimal(3))

    def horizon_and_return(self, customer_id: str, segment: str, day: date, at: datetime) -> tuple[bool, bool]:
        """Return whether the horizon has passed, and whether the buyer has ordered since, at any time."""
        days = self.order_days.get(customer_id, set())
        until = sorted(other for other in days if other <= day)
        gaps = [(after - before).days for before, after in pairwise(until)]
        gap = lower_median(gaps) if len(until) >= 3 else lower_median(self.gaps_of_segment.get(segment, []))
        horizon = None if gap is None else int(self.lost_k(customer_id, segment) * gap)
        over = horizon is not None and at + timedelta(horizon) <= self.as_of
        return over, any(other > day for other in days)


def waits_for_credit(sample: Sample, line: Row, zone: str) -> bool:
    """Return whether a credit hold covers the line's first due time."""
    due: datetime = line["first_due_at"]
    for hold in sample.credit_holds:
        if hold["order_id"] != line["order_id"]:
            continue
        placed = last_instant(hold, "placed_at", zone)
        assert placed is not None
        released = hold["released_at"] if hold["released_at_is_date"] else last_instant(hold, "released_at", zone)
        if placed <= due and (released is None or released > due):
            return True
    return False


def outcome_of_line(sample: Sample, line: Row, zone: str, *, over: bool, returned: bool) -> str:
    """Return the outcome of a short line.

    over: the horizon has passed. returned: the buyer has ordered since.
    """
    departures = [
        (row["line_no"], last_instant(sample.shipments[row["shipment_id"]], "shipped_at", zone))
        for row in sample.shipment_lines
        if row["order_id"] == line["order_id"] and row["shipped_qty"]
    ]
    left = [(line_no, at) for line_no, at in departures if at is not None and at <= sample.as_of]
    of_line = [at for line_no, at in left if line_no == line["line_no"]]
    if over and not returned:
        return "buyer_lost"
    if line["cancelled_short_qty"]:
        return "sale_lost"
    if line["complete"] and of_line:
        return "back_ordered" if max(of_line) > min(at for _, at in left) else "waited"
    return "sale_lost" if over else "open"


def expected_of_lines(sample: Sample, buyers: Buyers) -> dict[Key, Expected]:
    """Recount the stockouts of order lines."""
    expected: dict[Key, Expected] = {}
    for line in sample.lines:
        if line["state"] != "judged" or line["first_pass_full"] is not False:
            continue
        zone = sample.zones[line["order_id"]]
        if waits_for_credit(sample, line, zone):
            continue
        over, returned = buyers.horizon_and_return(
            line["customer_id"], line["segment"], line["due_day"], line["first_due_at"]
        )
        outcome = outcome_of_line(sample, line, zone, over=over, returned=returned)
        expected[line["order_id"], line["line_no"], None] = (
            line["owed_qty"] - line["first_pass_qty"],
            outcome,
            not over and (not returned or outcome == "open"),
            False,
        )
    return expected


def ordered_later(line: Row, wanted: Row) -> bool:
    """Return whether a line was ordered after the demand: by time if both have one, else by day."""
    if line["ordered_at_is_date"] or wanted["wanted_at_is_date"]:
        return bool(line["ordered_day"] > wanted["wanted_at"].date())
    return bool(line["ordered_at"] > wanted["wanted_at"])


def expected_of_demand(sample: Sample, buyers: Buyers) -> dict[Key, Expected]:
    """Recount the stockouts without an order."""
    expected: dict[Key, Expected] = {}
    for wanted in sample.demand:
        at = last_instant(wanted, "wanted_at", "UTC")
        assert at is not None
        if at > sample.as_of:
            continue
        key = (None, None, wanted["stockout_id"])
        customer_id, segment = wanted["customer_id"], sample.stored[key]["segment"]
        over, returned = buyers.horizon_and_return(customer_id, segment, wanted["wanted_at"].date(), at)
        bought_later = any(
            (line["customer_id"], line["product_id"]) == (customer_id, wanted["product_id"])
            and line["state"] != "excluded"
            and ordered_later(line, wanted)
            for line in sample.lines
        )
        contradicted = wanted["outcome"] == "buyer_lost" and (returned or bought_later)
        recorded = None if contradicted else wanted["outcome"]
        outcome = recorded or ("waited" if bought_later else "sale_lost")
        may_change = not over and not returned and not bought_later and recorded in (None, "buyer_lost")
        expected[key] = (wanted["wanted_qty"], outcome, may_change, contradicted)
    return expected


def test_stockouts_of_the_sample_equal_an_independent_recount(sample: Location) -> None:
    with reading(sample) as connection:
        rows = read_sample(connection)
    buyers = Buyers(rows)
    expected = expected_of_lines(rows, buyers) | expected_of_demand(rows, buyers)
    stored = {
        key: (row["short_qty"], row["outcome"], row["provisional"], row["contradicted"])
        for key, row in rows.stored.items()
    }
    assert stored == expected
    assert {outcome for _, outcome, *_ in expected.values()} >= set(OUTCOMES)
    assert len(expected) > 20


def test_r38_the_future_margin_is_charged_once_per_lost_buyer_on_the_last_stockout(sample: Location) -> None:
    with reading(sample) as connection:
        found = read_sample(connection).stored.values()
    last = last_lost((row["customer_id"], row["event_day"], row["outcome"]) for row in found)
    charged = [row for row in found if row["buyer_margin_amount"]]
    assert len({row["customer_id"] for row in charged}) == len(charged)
    assert {row["customer_id"]: row["event_day"] for row in charged}.items() <= last.items()
    assert [row["buyer_margin_amount"] for row in found if row["outcome"] != "buyer_lost"].count(None) == sum(
        row["outcome"] != "buyer_lost" for row in found
    )
