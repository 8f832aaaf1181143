"""Worked cases of customer zones and of options for Danger customers. Each test shows its calculation."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from metrics.facts.money import movements
from metrics.measures import customer_zones, danger_zone_options
from metrics.measures.customer_zones import Customer, Cuts
from metrics.queries.answer import Answer, Question, answer
from tests.support import all_builders, builders, contact_builders
from tests.support.ask_measures import only
from tests.support.engines import ENGINES, empty, memory
from tests.support.sql_facts import build

filled = only(movements)

APRIL_END = datetime(2026, 4, 30, 23, 59, 59, 999999)
MAPPED = builders.everything(*all_builders.MAKERS) - builders.everything("fx_rates")
BOOK = {"P": (100, 10), "B": (20, 5), "E": (90, 40), "D": (10, 30)}
"""The worked zone test of the rules: net sales and cost to serve, one customer in each zone."""


def customers(**given: tuple[int, int]) -> list[Customer]:
    return [
        Customer(name, "A", 1, Decimal(sales), Decimal(0), Decimal(cost), Decimal(sales - cost))
        for name, (sales, cost) in (given or BOOK).items()
    ]


def by_zone(listed: list[Customer], cuts: Cuts) -> dict[str, str]:
    return {one.customer_id: one.zone for one in customer_zones.zoned(listed, cuts)}


def test_zones_of_the_four_customers_in_the_rule_book() -> None:
    """Sales 100, 20, 90, 10: median (20 + 90) / 2 = 55. Cost 10, 5, 40, 30: median (10 + 30) / 2 = 20."""
    cuts = customer_zones.median_cuts(customers())
    assert cuts == Cuts(Decimal(55), Decimal(20))
    assert by_zone(customers(), cuts) == {"P": "Protect", "B": "Build", "E": "Cost engineer", "D": "Danger"}


@pytest.mark.parametrize(
    ("sales", "cost", "expected"),
    [
        ("55", "20", "Protect"),
        ("54.9999", "20", "Build"),
        ("55", "20.0001", "Cost engineer"),
        ("54.9999", "20.0001", "Danger"),
    ],
)
def test_value_exactly_at_the_cut_means_high_sales_and_low_cost(sales: str, cost: str, expected: str) -> None:
    assert customer_zones.zone(Decimal(sales), Decimal(cost), Cuts(Decimal(55), Decimal(20))) == expected


def test_cost_as_a_share_of_sales() -> None:
    """Shares 0.10, 0.25, 0.444, 3: median (0.25 + 0.4444) / 2 = 0.3472. Without sales any cost is a high share, none is
    a low one.
    """
    cuts = customer_zones.median_cuts(customers(), as_share=True)
    assert cuts.cost == (Decimal("0.25") + Decimal(40) / Decimal(90)) / 2
    assert by_zone(customers(), cuts) == {"P": "Protect", "B": "Build", "E": "Cost engineer", "D": "Danger"}
    assert customer_zones.zone(Decimal(0), Decimal(1), cuts) == "Danger"
    assert customer_zones.zone(Decimal(0), Decimal(0), cuts) == "Build"


def test_median_of_an_odd_count_and_of_an_empty_list() -> None:
    assert customer_zones.median([Decimal(3), Decimal(1), Decimal(2)]) == Decimal(2)
    assert customer_zones.median([]) is None


def test_sensitivity_changes_zones_only_of_customers_near_the_cut() -> None:
    """Cuts 55 and 20. X (50, 19): the sales cut moved to 49.5 (-10 %) or 44 (-20 %) makes it Protect; the cost cut
    moved to 18 (-10 %) or 16 makes it Danger. The four others lie more than 20 % away from both cuts.
    """
    listed = [*customers(), *customers(X=(50, 19))]
    moves = {
        (move.cut, move.by): (move.customers, move.sales)
        for move in customer_zones.sensitivity(listed, Cuts(Decimal(55), Decimal(20)))
    }
    assert moves == {
        ("sales", Decimal("-0.20")): (("X",), Decimal(50)),
        ("sales", Decimal("-0.10")): (("X",), Decimal(50)),
        ("sales", Decimal("0.10")): ((), Decimal(0)),
        ("sales", Decimal("0.20")): ((), Decimal(0)),
        ("cost", Decimal("-0.20")): (("X",), Decimal(50)),
        ("cost", Decimal("-0.10")): (("X",), Decimal(50)),
        ("cost", Decimal("0.10")): ((), Decimal(0)),
        ("cost", Decimal("0.20")): ((), Decimal(0)),
    }


def test_danger_zone_option_of_charging_the_actual_cost() -> None:
    """D: sales 10, cost 30, cut 20. Charge 30 - 20 = 10; break-even max(0, -(10 - 30)) = 20; half accepted: profit -20
    + 5 = -15.
    """
    (one,) = customers(D=(10, 30))
    row = danger_zone_options.charge(one, Cuts(Decimal(55), Decimal(20)), Decimal("0.5"))
    assert (row.charge, row.break_even, row.gain, row.new_profit) == (
        Decimal(10),
        Decimal(20),
        Decimal(5),
        Decimal(-15),
    )


def test_danger_zone_option_of_selling_through_another_channel() -> None:
    """Sales 10, no product cost, one order: 10 × (1 - 0.2) - 1 × 3 = 5 against -20: a gain of 25."""
    (one,) = customers(D=(10, 30))
    row = danger_zone_options.channel(one, Decimal("0.2"), Decimal(3))
    assert (row.cost, row.channel_profit, row.gain) == (Decimal(3), Decimal(5), Decimal(25))


@pytest.fixture(scope="module", params=ENGINES)
def warehouse(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """The four customers as records, billed on 10 March, with cost by activity. P and B order by edi, E in the field, D
    twice by phone.

    D's second order has no cost of its own. Sales are 100, 20, 90, 10. Only D's goods have a cost, 4.
    """
    costs = {
        "P": {"order_taking": 2, "picking": 8},
        "B": {"order_taking": 1, "picking": 4},
        "E": {"order_taking": 6, "visit": 34},
        "D": {"order_taking": 10, "picking": 2, "expedite": 18},
    }
    channels = {"P": "edi", "B": "edi", "E": "field", "D": "phone"}
    orders = [builders.order(order_id=name, customer_id=name, channel=channels[name]) for name in BOOK]
    records = builders.records(
        orders=[*orders, builders.order(order_id="D2", customer_id="D", channel="phone")],
        order_lines=[builders.order_line(order_id=name, product_id=f"of {name[0]}") for name in (*BOOK, "D2")],
        customers=[builders.customer(customer_id=name, service_segment="B" if name == "B" else "A") for name in BOOK],
        products=[builders.product(product_id=f"of {name}", unit_cost_amount=4 if name == "D" else 0) for name in BOOK],
        invoices=[builders.invoice(invoice_id=name) for name in BOOK],
        invoice_lines=[
            builders.invoice_line(invoice_id=name, order_id=name, billed_qty=1, line_amount=sales)
            for name, (sales, _) in BOOK.items()
        ],
        service_costs=[
            contact_builders.service_cost(
                cost_id=f"{name} {activity}", customer_id=name, order_id=name, activity=activity, amount=amount
            )
            for name, listed in costs.items()
            for activity, amount in listed.items()
        ],
    )
    with empty(request) as connection:
        build(connection, records, APRIL_END, MAPPED)
        yield connection


def by(connection: Connection, measure: str, dimension: str, **period: Any) -> dict[str | None, Any]:
    return {
        found.dimensions[dimension]: found.value
        for found in answer(connection, Question((measure,), by=(dimension,), **period))
    }


def one(connection: Connection, measure: str, *, where: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> Answer:
    (found,) = answer(connection, Question((measure,), where=where))
    return found


def test_zones_computed_from_records(warehouse: Connection) -> None:
    listed, cuts = customer_zones.zones(warehouse)
    assert cuts == Cuts(Decimal(55), Decimal(20))
    assert {found.customer_id: (found.zone, found.orders, found.profit) for found in listed} == {
        "P": ("Protect", 1, Decimal(90)),
        "B": ("Build", 1, Decimal(15)),
        "E": ("Cost engineer", 1, Decimal(50)),
        "D": ("Danger", 2, Decimal(-24)),
    }
    each = dict.fromkeys(("Protect", "Build", "Cost engineer", "Danger"), 1)
    assert by(warehouse, "zone", "zone") == each
    assert by(warehouse, "zone_sales", "zone") == {"Protect": 100, "Build": 20, "Cost engineer": 90, "Danger": 10}
    assert by(warehouse, "zone_cost", "zone") == {"Protect": 10, "Build": 5, "Cost engineer": 40, "Danger": 30}
    assert one(warehouse, "zone").remark == "cuts: net sales 55.00, cost to serve 20.00; 4 customers"


def test_zone_cuts_use_all_customers_regardless_of_the_filter(warehouse: Connection) -> None:
    """Filtered to segment B, its only customer is still Build. With the segment's own median it would be Protect."""
    (found,) = answer(warehouse, Question(("zone",), by=("zone",), where=(("segment", ("B",)),)))
    assert (found.dimensions, found.value) == ({"zone": "Build"}, 1)


def test_zone_totals_equal_the_sums_of_their_customers_and_count_unknown_profits(warehouse: Connection) -> None:
    """Danger with a second customer (sales 5, cost to serve 25, unknown profit): 10 + 5, 30 + 25, D's -24 alone."""
    listed, _ = customer_zones.zones(warehouse)
    unknown = Customer("U", "A", 1, Decimal(5), Decimal(0), Decimal(25), None, "Danger")
    found = {total.zone: total for total in customer_zones.totals([*listed, unknown])}
    assert list(found) == ["Protect", "Build", "Cost engineer", "Danger"]
    assert found["Danger"] == customer_zones.ZoneTotal("Danger", 2, Decimal(15), Decimal(55), Decimal(-24), 1, 1)
    assert found["Protect"] == customer_zones.ZoneTotal("Protect", 1, Decimal(100), Decimal(10), Decimal(90), 0, 0)
    assert customer_zones.totals([unknown])[3].profit is None
    for measure, value in (("zone", "customers"), ("zone_sales", "sales"), ("zone_cost", "cost_to_serve")):
        assert by(warehouse, measure, "zone") == {
            total.zone: getattr(total, value) for total in customer_zones.totals(listed)
        }


def test_zones_add_up_to_sales_and_cost(warehouse: Connection) -> None:
    for zone_measure, measure in (("zone_sales", "net_sales_value"), ("zone_cost", "cost_to_serve")):
        assert sum(by(warehouse, zone_measure, "zone").values()) == one(warehouse, measure).value


def test_period_without_sales_and_costs_has_no_zones(warehouse: Connection) -> None:
    assert customer_zones.zones(warehouse, date(2026, 4, 1), date(2026, 4, 30))[0] == []
    (found,) = answer(warehouse, Question(("zone",), start=date(2026, 4, 1)))
    assert (found.value, found.no_data is not None) == (None, True)


def test_danger_zone_option_of_changing_the_interaction(warehouse: Connection) -> None:
    """D has 2 orders: order taking 5 an order against the median 2 of (2, 1, 6): saves 3 × 2 = 6; picking 1 against 6
    of (8, 4): no saving; expedite is done for nobody else: no saving. Cost 30 - 6 = 24, still above 20: Danger.
    """
    (row,) = danger_zone_options.interactions(warehouse)
    assert [(each.activity, each.own, each.median, each.saving) for each in row.activities] == [
        ("expedite", Decimal(9), None, Decimal(0)),
        ("order_taking", Decimal(5), Decimal(2), Decimal(6)),
        ("picking", Decimal(1), Decimal(6), Decimal(0)),
    ]
    assert (row.saving, row.new_zone) == (Decimal(6), "Danger")
    found = one(warehouse, "danger_interaction")
    assert (found.value, found.remark) == (Decimal(6), "D: order_taking 5.00 to 2.00 per order, then Danger")


def test_danger_zone_option_of_moving_orders_to_edi_and_web(warehouse: Connection) -> None:
    """An order by phone costs D 30 / 2 = 15, one by edi (10 + 5) / 2 = 7.50: both moved save 15, cost 15 is below the
    cut 20. Half of them: 7.50.
    """
    (row,) = danger_zone_options.interactions(warehouse, moved_share=Decimal(1))
    assert (row.orders_to_move, row.own_order_cost, row.electronic_order_cost) == (2, Decimal(15), Decimal("7.5"))
    assert (row.moved_saving, row.moved_zone) == (Decimal(15), "Build")
    found = one(warehouse, "danger_interaction_moved")
    assert (found.value, found.remark) == (Decimal("7.5"), "assumed: 50% of 2 orders move")


def test_danger_zone_measures_state_their_assumptions_in_the_remark(warehouse: Connection) -> None:
    """Charge 30 - 20 = 10 at 50 %: 5; channel: (10 - 4) × 0.8 - 0 = 4.8 against -24: 28.8."""
    charged = one(warehouse, "danger_charge")
    assert (charged.value, charged.remark) == (
        Decimal(5),
        "charge 10.00, assumed acceptance 50%, break-even charge 24.00",
    )
    moved = one(warehouse, "danger_channel")
    assert (moved.value, moved.remark) == (Decimal("28.8"), "assumed: the channel keeps 20% and costs 0.00")


def test_assumed_cuts_replace_the_medians() -> None:
    """Sales cut 15, cost cut 35: P (100, 10) and B (20, 5) are Protect, E (90, 40) is Cost engineer, D (10, 30) is
    Build.
    """
    engine = memory()
    with engine.connect() as connection:
        build(
            connection,
            builders.records(
                assumptions=[
                    builders.assumption(assumption="zone_sales_cut", assumed_value=15),
                    builders.assumption(assumption="zone_cost_cut", assumed_value=35),
                ]
            ),
            APRIL_END,
            MAPPED,
        )
        cuts = customer_zones.cuts_for(connection, customers())
    engine.dispose()
    assert cuts == Cuts(Decimal(15), Decimal(35))
    assert by_zone(customers(), cuts) == {"P": "Protect", "B": "Protect", "E": "Cost engineer", "D": "Build"}
