"""Safety stock: four published figures, and one customer and product worked from its orders, with excluded rows
counted.
"""

import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from statistics import fmean, stdev

import pytest
from sqlalchemy import Connection

from metrics.measures.safety_stock_pairs import pairs, safety_stock
from metrics.model.question import SEVERAL_UNITS, Answer, Question
from metrics.queries import statements
from metrics.queries.answer import answer
from metrics.queries.rollups import rollup_metadata
from metrics.rebuild import rebuild
from tests.support.builders import (
    Row,
    customer,
    everything,
    fx_rate,
    order,
    order_line,
    product,
    records,
    row,
    shipment,
    shipment_line,
)
from tests.support.engines import memory
from tests.support.sql_facts import build

END_OF_APRIL = datetime(2026, 4, 30, 23, 59, 59, 999_999)
CORE = everything("orders", "order_lines", "shipments", "shipment_lines")
NAMES = ("buyer_safety_stock", "safety_stock_variability", "safety_stock_cost")


@pytest.mark.parametrize(
    ("lead_days", "lead_spread", "units"), [(4, 1, 177.17), (2, 1, 170.95), (4, 0.5, 105.33), (4, 0, 65.80)]
)
def test_safety_stock_equals_the_four_textbook_figures(lead_days: float, lead_spread: float, units: float) -> None:
    found = safety_stock(z=1.645, lead_days=lead_days, lead_spread=lead_spread, demand=100, demand_spread=20)
    assert round(found, 2) == units


def test_halving_the_spread_saves_more_than_halving_the_length() -> None:
    both = [
        safety_stock(z=1.645, lead_days=days, lead_spread=spread, demand=100, demand_spread=20)
        for days, spread in ((4, 1), (4, 0.5), (2, 1))
    ]
    assert (round(both[0] - both[1], 2), round(both[0] - both[2], 2)) == (71.84, 6.22)


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """Fill no fact table beyond orders and lines. Such a build takes a fifth of the time."""
    monkeypatch.setattr(rebuild, "FACT_TABLES", ())
    monkeypatch.setattr(rebuild, "rebuild_rollups", rollup_metadata.create_all)
    monkeypatch.setattr(statements, "smallest_rollup", lambda *_, **__: None)
    engine = memory()
    with engine.connect() as connection:
        yield connection
    engine.dispose()


FIRST = date(2026, 3, 1)


def orders(count: int, *, who: str = "C", currency: str = "EUR") -> dict[str, list[Row]]:
    """Return this many orders of P at 5.00, one every second day from 1 March: alternately 100 and 140, arriving after
    2 and 6 days.
    """
    made: dict[str, list[Row]] = {"orders": [], "order_lines": [], "shipments": [], "shipment_lines": []}
    for place in range(count):
        name, day, quantity = f"{who}{place:02d}", FIRST + timedelta(2 * place), (100, 140)[place % 2]
        arrived = (day + timedelta((2, 6)[place % 2])).isoformat()
        made["orders"].append(
            order(order_id=name, customer_id=who, ordered_at=day.isoformat(), promised_by=arrived, currency=currency)
        )
        made["order_lines"].append(order_line(order_id=name, ordered_qty=quantity))
        made["shipments"].append(shipment(shipment_id=name, shipped_at=day.isoformat(), received_at=arrived))
        made["shipment_lines"].append(shipment_line(shipment_id=name, order_id=name, shipped_qty=quantity))
    return made


def together(*parts: dict[str, list[Row]]) -> dict[str, list[Row]]:
    return {
        feed: [one for part in parts for one in part.get(feed, [])]
        for feed in {feed for part in parts for feed in part}
    }


def asked(connection: Connection, *, by: tuple[str, ...] = (), **more: object) -> dict[str, Answer]:
    return {one.measure: one for one in answer(connection, Question(NAMES, by=by, **more))}  # type: ignore[arg-type]


def worked_out(count: int, days: int) -> tuple[float, float]:
    """Return the pair's safety stock, and the stock with s_L = 0, from lists of every arrival and every day."""
    took = [(2, 6)[place % 2] for place in range(count)]
    daily = [0.0] * days
    for place in range(count):
        daily[2 * place] = (100, 140)[place % 2]
    steady = fmean(took) * stdev(daily) ** 2
    return 1.645 * math.sqrt(steady + fmean(daily) ** 2 * stdev(took) ** 2), 1.645 * math.sqrt(steady)


def test_customer_product_pair_is_computed_from_its_own_orders(connection: Connection) -> None:
    # 24 orders: L 4, s_L 2·√(24/23); demand over 1 March to 30 April, 61 days: 24 × 120 = 2,880 / 61 a day
    build(connection, records(**orders(24)), END_OF_APRIL, CORE)
    (pair,) = pairs(connection, Question(NAMES))
    assert (pair.customer_id, pair.product_id, pair.arrivals, pair.lead_days, pair.unit_price) == ("C", "P", 24, 4, 5)
    assert (pair.lead_spread, pair.demand) == (pytest.approx(2 * math.sqrt(24 / 23)), pytest.approx(2880 / 61))
    units, steady = worked_out(24, 61)
    found = asked(connection)
    assert [(one.value, one.denominator) for one in found.values()] == [
        (pytest.approx(units), 1),
        (pytest.approx(units - steady), 1),
        (pytest.approx(units * 5 * 0.20), 1),
    ]


def test_pairs_with_fewer_than_20_arrivals_are_left_out_and_counted(connection: Connection) -> None:
    build(connection, records(**together(orders(20), orders(19, who="D"))), END_OF_APRIL, CORE)
    found = asked(connection)
    assert (found["buyer_safety_stock"].denominator, found["buyer_safety_stock"].remark) == (
        1,
        "1 of 2 pairs left out: fewer than 20 arrivals",
    )
    by_customer = answer(connection, Question(("buyer_safety_stock",), by=("customer",)))
    assert [(one.dimensions["customer"], one.value is None) for one in by_customer] == [("C", False), ("D", True)]
    assert by_customer[1].no_data == "no data: every pair was left out"


def test_query_period_limits_arrivals_and_demand(connection: Connection) -> None:
    # The last order, of 16 April, arrived on the 22nd. It has no lead time by then, but its demand counts. Demand is
    # from 1 March to 20 April: 51 days.
    build(connection, records(**orders(24)), END_OF_APRIL, CORE)
    (pair,) = pairs(connection, Question(NAMES, end=date(2026, 4, 20)))
    assert pair.arrivals == 23
    assert pair.demand == pytest.approx(2880 / 51)
    assert pairs(connection, Question(NAMES, end=date(2026, 4, 1))) == []


def test_z_and_the_carrying_rate_are_assumptions_of_the_narrowest_scope(connection: Connection) -> None:
    given = [
        row("assumptions", {"assumption": name, "scope": scope, "valid_from": "2026-01-01", "assumed_value": value})
        for name, scope, value in (("z", "customer:C", 2), ("carrying_rate", "all", "0.1"))
    ]
    build(connection, records(**orders(20), assumptions=given), END_OF_APRIL, CORE)
    units = worked_out(20, 61)[0] / 1.645 * 2
    assert asked(connection)["safety_stock_cost"].value == pytest.approx(units * 5 * 0.1)


def test_the_carrying_cost_is_in_the_reporting_currency_or_withheld(connection: Connection) -> None:
    both = together(orders(20), orders(20, who="D", currency="USD"))
    build(connection, records(**both), END_OF_APRIL, CORE)
    mixed = asked(connection)
    assert mixed["safety_stock_cost"].value is None
    assert "more than one currency" in str(mixed["safety_stock_cost"].no_data)
    assert mixed["buyer_safety_stock"].denominator == 2
    rates = [fx_rate(on_date=(FIRST + timedelta(7 * week)).isoformat()) for week in range(7)]
    build(connection, records(**both, fx_rates=rates), END_OF_APRIL, CORE | everything("fx_rates"))
    units = worked_out(20, 61)[0]
    # EUR at 1.10 dollars: 5.50 a unit; USD: 5.00
    assert asked(connection)["safety_stock_cost"].value == pytest.approx(units * 5.5 * 0.2 + units * 5 * 0.2)


def test_n7_order_with_two_lines_is_one_arrival(connection: Connection) -> None:
    """N7: 20 orders of two lines of P each are 20 arrivals, not 40. An order has arrived with its last line."""
    made = orders(20)
    made["order_lines"] += [{**one, "line_no": "2"} for one in made["order_lines"]]
    made["shipment_lines"] += [{**one, "shipment_line_no": "2", "line_no": "2"} for one in made["shipment_lines"]]
    build(connection, records(**made), END_OF_APRIL, CORE)
    (pair,) = pairs(connection, Question(NAMES))
    assert (pair.arrivals, pair.lead_days, pair.demand) == (20, 4, pytest.approx(2 * 2400 / 61))


def test_n7_the_stock_of_several_base_units_is_withheld(connection: Connection) -> None:
    """C buys P in pieces and D buys K in kg: 2 pairs. Their carrying costs add up, their units do not."""
    other = orders(20, who="D")
    for one in (*other["order_lines"], *other["shipment_lines"]):
        one["product_id"] = "K"
    products = [product(product_id="P", base_unit="piece"), product(product_id="K", base_unit="kg")]
    build(connection, records(**together(orders(20), other), products=products), END_OF_APRIL, CORE)
    found = asked(connection)
    assert (found["buyer_safety_stock"].value, found["buyer_safety_stock"].no_data) == (None, SEVERAL_UNITS)
    assert found["safety_stock_cost"].denominator == 2
    of_units = answer(connection, Question(("buyer_safety_stock",), by=("base_unit",)))
    assert {one.dimensions["base_unit"]: one.denominator for one in of_units} == {"kg": 1, "piece": 1}


def test_n19_pair_belongs_to_one_segment_so_that_parts_add_up(connection: Connection) -> None:
    """N19: C moves from segment A to B after 10 of 20 orders. The pair stays whole, in its last segment."""
    versions = [
        customer(customer_id="C", valid_from="2020-01-01", service_segment="A"),
        customer(customer_id="C", valid_from=(FIRST + timedelta(20)).isoformat(), service_segment="B"),
    ]
    build(connection, records(**orders(20), customers=versions), END_OF_APRIL, CORE | everything("customers"))
    (whole,) = answer(connection, Question(("buyer_safety_stock",)))
    (part,) = answer(connection, Question(("buyer_safety_stock",), by=("segment",)))
    assert (part.dimensions["segment"], part.value, part.denominator) == ("B", whole.value, 1)
    (filtered,) = answer(connection, Question(("buyer_safety_stock",), where=(("segment", ("B",)),)))
    assert filtered.value == whole.value
