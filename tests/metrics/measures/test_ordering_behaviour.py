"""Worked cases of how, how much, what and when customers order. Each test shows its calculation."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from sqlalchemy import Connection

from metrics.facts.money import movements
from metrics.measures import ordering_traits
from metrics.measures.ordering_behaviour import bins
from metrics.measures.ordering_traits import HOW, HOW_MUCH, WHAT, WHEN
from metrics.measures.rank_correlation import ranks, spearman
from metrics.queries.answer import Question, answer
from tests.support import all_builders, builders, contact_builders
from tests.support.ask_measures import only
from tests.support.engines import ENGINES, empty
from tests.support.sql_facts import build

filled = only(movements)

APRIL_END = datetime(2026, 4, 30, 23, 59, 59, 999999)
MAPPED = builders.everything(*all_builders.MAKERS) - builders.everything("fx_rates")


def fractions(*numbers: int) -> list[Fraction]:
    return [Fraction(number) for number in numbers]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((1, 2, 3, 4), (10, 20, 30, 40), 1.0),
        ((1, 2, 3, 4), (40, 30, 20, 10), -1.0),
        # Ranks 1 2 3 4 5 against 2 1 4 3 5: squared differences 1 + 1 + 1 + 1 + 0 = 4; 1 - 6 × 4 / (5 × 24) = 0.8.
        ((1, 2, 3, 4, 5), (20, 10, 40, 30, 50), 0.8),
        # A tie: ranks 1 2.5 2.5 4 against 1 2 3 4: covariance 4.5 (of deviations), variances 4.5 and 5: 4.5 /
        # sqrt(22.5) = 0.9487.
        ((1, 2, 2, 3), (10, 20, 30, 40), 0.9486832980505138),
        ((1, 2), (1, 2), None),
        ((1, 1, 1), (1, 2, 3), None),
    ],
)
def test_spearman(first: tuple[int, ...], second: tuple[int, ...], expected: float | None) -> None:
    found = spearman(zip(fractions(*first), fractions(*second), strict=True))
    assert found == (None if expected is None else pytest.approx(expected, rel=1e-12))


@pytest.mark.parametrize("size", [10, 2**33, 2**60], ids=["fits 64 bits", "fits a float", "fits neither"])
def test_ranks_of_fractions_of_any_size_are_exact(size: int) -> None:
    """Return ranks of fractions sorted by Python. Equal values share twice the mean of their places."""
    numbers = [
        Fraction(size * top, under) for top, under in ((3, 7), (0, 5), (6, 14), (-2, 3), (1, 1), (3, 8), (0, 1), (3, 7))
    ]
    ordered = sorted(numbers)
    wanted = [2 * ordered.index(one) + 1 + ordered.count(one) for one in numbers]
    assert ranks(numbers).tolist() == wanted


def test_ranks_distinguish_numbers_closer_than_float_precision() -> None:
    """Ranks 2 1 3 4 against 1 2 3 4: squared differences 1 + 1; 1 - 6 × 2 / (4 × 15) = 0.8. As floats the first two
    would be a tie: 0.9487.
    """
    just = Fraction(1, 2**60)
    assert float(1 + just) == 1.0
    assert spearman(
        zip([1 + just, Fraction(1), Fraction(2), Fraction(3)], fractions(1, 2, 3, 4), strict=True)
    ) == pytest.approx(0.8, rel=1e-12)


@pytest.fixture(scope="module", params=ENGINES)
def warehouse(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """Four orders of March with their costs to serve. A visit of 60 to Y names no order.

    O1 X edi 2 March (Monday), 100 at 5.00, wanted on the 4th (2 days), cost 10. O2 X edi 30 March (month end), 200,
    wanted on the 12th of April (13 days), cost 20, of which 5 in April. O3 Y phone 3 March (Tuesday), 10 in two lines,
    wanted on the 4th, special, cost 40. O4 Z phone 4 March, 40, no request, cost 30.
    """
    lines = {"O1": (100,), "O2": (200,), "O3": (5, 5), "O4": (40,)}
    records = builders.records(
        orders=[
            builders.order(
                order_id="O1", customer_id="X", channel="edi", ordered_at="2026-03-02", requested_by="2026-03-04"
            ),
            builders.order(
                order_id="O2", customer_id="X", channel="edi", ordered_at="2026-03-30", requested_by="2026-04-12"
            ),
            builders.order(
                order_id="O3",
                customer_id="Y",
                channel="phone",
                ordered_at="2026-03-03",
                requested_by="2026-03-04",
                special_request="ring twice",
            ),
            builders.order(order_id="O4", customer_id="Z", channel="phone", ordered_at="2026-03-04"),
        ],
        order_lines=[
            builders.order_line(order_id=name, line_no=str(place), ordered_qty=quantity)
            for name, quantities in lines.items()
            for place, quantity in enumerate(quantities, start=1)
        ],
        customers=[
            builders.customer(customer_id=name, service_segment=segment)
            for name, segment in (("X", "A"), ("Y", "B"), ("Z", "B"))
        ],
        products=[builders.product()],
        service_costs=[
            contact_builders.service_cost(cost_id="1", order_id="O1", customer_id="X", amount=10),
            contact_builders.service_cost(
                cost_id="2", order_id="O2", customer_id="X", amount=15, incurred_on="2026-03-31"
            ),
            contact_builders.service_cost(
                cost_id="3", order_id="O2", customer_id="X", amount=5, incurred_on="2026-04-02"
            ),
            contact_builders.service_cost(cost_id="4", order_id="O3", customer_id="Y", amount=40),
            contact_builders.service_cost(cost_id="5", order_id="O4", customer_id="Z", amount=30),
            contact_builders.service_cost(cost_id="6", order_id=None, customer_id="Y", activity="visit", amount=60),
        ],
    )
    with empty(request) as connection:
        build(connection, records, APRIL_END, MAPPED)
        yield connection


def table(
    connection: Connection, question: str, start: date | None = None, end: date | None = None
) -> dict[str, tuple[int, int, Decimal]]:
    return {one.label: (one.orders, one.customers, one.cost) for one in bins(connection, question, start, end)}


def test_bins_of_how_customers_order_give_cost_by_channel(warehouse: Connection) -> None:
    """Edi: O1 and O2, cost 30, 15 an order. Phone: O3 and O4, cost 70, 35 an order. X costs 15 an order, Y 100 with the
    visit, Z 30; X alone orders by edi: ranks of the edi share 3, 1.5, 1.5 against 1, 3, 2 give -0.8660.
    """
    found = {one.label: one for one in bins(warehouse, HOW)}
    assert {label: (one.orders, one.customers, one.cost, one.cost_per_order) for label, one in found.items()} == {
        "Channel: edi": (2, 1, Decimal(30), 15.0),
        "Channel: phone": (2, 2, Decimal(70), 35.0),
    }
    assert found["Channel: edi"].correlation == pytest.approx(-0.8660254037844387)
    assert found["Channel: phone"].correlation == pytest.approx(0.8660254037844387)
    assert found["Channel: phone"].correlated == 3


def test_bins_date_costs_by_cost_day_and_orders_by_order_day(warehouse: Connection) -> None:
    """In April no order was placed, and 5 of O2's cost fell then; in March 2 by edi cost 25."""
    april = {"start": date(2026, 4, 1), "end": date(2026, 4, 30)}
    (one,) = bins(warehouse, HOW, **april)
    assert (one.label, one.orders, one.cost, one.cost_per_order) == ("Channel: edi", 0, Decimal(5), None)
    assert table(warehouse, HOW, date(2026, 3, 1), date(2026, 3, 31))["Channel: edi"] == (2, 1, Decimal(25))


def test_bins_of_how_much_customers_order_give_cost_by_value_units_and_lines(warehouse: Connection) -> None:
    """Values 500, 1,000, 50, 200: quartiles (nearest rank) 50, 200, 500. Units 100, 200, 10, 40. Lines: O3 has two.

    Mean values X 750, Y 50, Z 200 against cost 15, 100, 30: exactly opposite, -1.
    """
    assert table(warehouse, HOW_MUCH) == {
        "Order value: up to 50.00": (1, 1, Decimal(40)),
        "Order value: up to 200.00": (1, 1, Decimal(30)),
        "Order value: up to 500.00": (1, 1, Decimal(10)),
        "Order value: over 500.00": (1, 1, Decimal(20)),
        "Units: up to 10": (1, 1, Decimal(40)),
        "Units: up to 40": (1, 1, Decimal(30)),
        "Units: up to 100": (1, 1, Decimal(10)),
        "Units: over 100": (1, 1, Decimal(20)),
        "Lines: up to 1": (3, 2, Decimal(60)),
        "Lines: up to 2": (1, 1, Decimal(40)),
    }
    assert {one.correlation for one in bins(warehouse, HOW_MUCH) if one.trait == "Order value"} == {-1.0}


def test_bins_of_what_customers_order_give_cost_by_category_model_and_request(warehouse: Connection) -> None:
    assert table(warehouse, WHAT) == {
        "Product category: tools": (4, 3, Decimal(100)),
        "Fulfilment model: (none)": (4, 3, Decimal(100)),
        "Special request: without": (3, 2, Decimal(60)),
        "Special request: with": (1, 1, Decimal(40)),
    }


def test_bins_of_when_customers_order_give_cost_by_weekday_and_notice(warehouse: Connection) -> None:
    """Notice 2, 13, 1 days and none. Package lead times: A 3 days, B 7: O1 (2 < 3) and O3 (1 < 7) are rush, O2 (13) is
    not, O4 is not known.
    """
    assert table(warehouse, WHEN) == {
        "Weekday: Monday": (2, 1, Decimal(30)),
        "Weekday: Tuesday": (1, 1, Decimal(40)),
        "Weekday: Wednesday": (1, 1, Decimal(30)),
        "Month end: earlier in the month": (3, 3, Decimal(80)),
        "Month end: last three days of the month": (1, 1, Decimal(20)),
        "Days of notice: up to 1": (1, 1, Decimal(40)),
        "Days of notice: up to 3": (1, 1, Decimal(10)),
        "Days of notice: up to 14": (1, 1, Decimal(20)),
        "Days of notice: not known": (1, 1, Decimal(30)),
        "Rush: less notice than the package's lead time": (2, 2, Decimal(50)),
        "Rush: enough notice": (1, 1, Decimal(20)),
        "Rush: not known": (1, 1, Decimal(30)),
    }


@pytest.mark.parametrize("measure", [HOW, HOW_MUCH, WHAT, WHEN])
def test_ordering_cost_equals_the_sum_of_its_bins(measure: str, warehouse: Connection) -> None:
    """Whole: 100 / 4 = 25; segment A 30 / 2, B 70 / 2. The bins of every trait add up to the whole."""
    (whole,) = answer(warehouse, Question((measure,)))
    assert (whole.value, whole.numerator, whole.denominator) == (25.0, Decimal(100), 4)
    assert whole.remark is not None
    assert whole.remark.endswith("an association, not a cause")
    by_segment = {
        one.dimensions["segment"]: one.value for one in answer(warehouse, Question((measure,), by=("segment",)))
    }
    assert by_segment == {"A": 15.0, "B": 35.0}
    for trait in {one.trait for one in bins(warehouse, measure)}:
        assert sum(one.cost for one in bins(warehouse, measure) if one.trait == trait) == Decimal(100)
    by_bin = {one.dimensions["bin"]: one.value for one in answer(warehouse, Question((measure,), by=("bin",)))}
    assert by_bin == {one.label: one.cost_per_order for one in bins(warehouse, measure)}


def test_segment_filter_limits_the_bins(warehouse: Connection) -> None:
    (found,) = answer(warehouse, Question((HOW,), by=("bin",), where=(("segment", ("A",)),)))
    assert (found.dimensions, found.value) == ({"bin": "Channel: edi"}, 15.0)
    assert ordering_traits.DIMENSIONS.keys() == {"segment", "region"}
