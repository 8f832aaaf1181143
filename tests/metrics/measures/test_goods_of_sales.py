"""N6: volumes and shares are of goods lines of sales. N7: quantities of several base units are never added up."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy import Connection
from sqlalchemy.sql import visitors

from metrics.facts import availability, returns
from metrics.facts.orders import order_line_facts_table
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Additive, Measure
from metrics.model.question import SEVERAL_UNITS, Question
from metrics.queries.answer import answer
from tests.support.ask_measures import built, by, halves, one, only, sale, together
from tests.support.builders import Row, order_line, product, shipment_line
from tests.support.contact_builders import returned

filled = only(availability, returns)

LINE_MEASURES = [
    measure
    for measure in MEASURES.values()
    if isinstance(measure.formula, Additive) and measure.facts is order_line_facts_table
]


@pytest.mark.parametrize("measure", LINE_MEASURES, ids=lambda measure: measure.name)
def test_every_measure_of_order_lines_counts_goods_of_sales_only(measure: Measure) -> None:
    """A judged line is a goods line of a sale; only judged lines have a lateness; others name the goods of sales."""
    assert isinstance(measure.formula, Additive)
    for part in measure.formula.parts().values():
        columns = {column.name for column in visitors.iterate(part.condition) if column.__visit_name__ == "column"}
        # An overdue line is incomplete, and only judged lines have verdicts.
        assert columns & {"state", "lateness_days", "overdue_open"} or {"line_kind", "order_type"} <= columns, (
            measure.name
        )


def _with_line(order_id: str, line_no: str, **values: object) -> dict[str, list[Row]]:
    """A further line of 10, received in full on 9 March."""
    return {
        "order_lines": [order_line(order_id=order_id, line_no=line_no, ordered_qty=10, **values)],
        "shipment_lines": [
            shipment_line(
                shipment_id=order_id,
                shipment_line_no=line_no,
                order_id=order_id,
                line_no=line_no,
                product_id=values.get("product_id", "P"),
                shipped_qty=10,
                received_qty=10,
            )
        ],
    }


@pytest.fixture(scope="module")
def mixed() -> Iterator[Connection]:
    """SALE: 100 pieces at 5.00, a fee and a service of 10 each. FREE: a sample of 100. AGAIN: a replacement of 100."""
    loaded = together(
        sale("SALE", received="2026-03-09"),
        _with_line("SALE", "2", line_kind="fee", product_id=None),
        _with_line("SALE", "3", line_kind="service", product_id=None),
        sale("FREE", received="2026-03-09", order_type="sample"),
        sale("AGAIN", received="2026-03-09", order_type="replacement"),
        {
            "returns": [
                returned(return_id="R1", order_id="SALE", returned_qty=5),
                returned(return_id="R2", order_id="FREE", returned_qty=50),
            ],
        },
    )
    with built(**loaded) as connection:
        yield connection


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("orders", (1, None)),
        ("order_lines", (1, None)),
        ("ordered_units", (100, None)),
        ("ordered_value", (500, None)),
        ("received_units", (100, None)),
        ("received_value", (500, None)),
        ("returned_units", (5, None)),
        ("return_share", (5, 100)),
    ],
)
def test_n6_samples_replacements_services_and_fees_do_not_count(
    mixed: Connection, measure: str, expected: tuple[int, int | None]
) -> None:
    assert halves(mixed, measure) == expected


@pytest.fixture(scope="module")
def units() -> Iterator[Connection]:
    """PIECES: 100 pieces (P, "EA") received in full. WEIGHT: 10 kg (K) ordered and received, one order line of both."""
    loaded = together(
        sale("PIECES", received="2026-03-09"),
        _with_line("PIECES", "2", product_id="K"),
        {
            "products": [product(product_id="P", base_unit="EA"), product(product_id="K", base_unit="kg")],
            "returns": [
                returned(return_id="R1", order_id="PIECES", line_no="1", returned_qty=5),
                returned(return_id="R2", order_id="PIECES", line_no="2", returned_qty=2),
            ],
        },
    )
    with built(**loaded) as connection:
        yield connection


IN_UNITS = ("ordered_units", "received_units", "returned_units", "return_share", "unit_fill_final", "otif_unit")


@pytest.mark.parametrize("measure", [*IN_UNITS, "unit_fill_first_pass"])
def test_n7_total_of_pieces_and_kilograms_is_withheld(units: Connection, measure: str) -> None:
    found = one(units, measure)
    assert (found.value, found.numerator, found.denominator, found.no_data) == (None, None, None, SEVERAL_UNITS)


def test_n7_quantities_by_base_unit_have_a_value_per_unit(units: Connection) -> None:
    assert by(units, "ordered_units", "base_unit") == {"kg": (10, None), "piece": (100, None)}
    assert by(units, "unit_fill_final", "base_unit") == {"kg": (10, 10), "piece": (100, 100)}
    assert by(units, "returned_units", "base_unit") == {"kg": (2, None), "piece": (5, None)}
    assert by(units, "return_share", "base_unit") == {"kg": (2, 10), "piece": (5, 100)}
    (kilograms,) = answer(units, Question(("received_units",), where=(("base_unit", ("kg",)),)))
    assert kilograms.value == Decimal(10)


def test_n7_value_and_line_fill_rates_do_not_depend_on_units(units: Connection) -> None:
    assert halves(units, "value_fill_final") == (550, 550)
    assert halves(units, "line_fill_final") == (2, 2)


@pytest.mark.parametrize(
    "measure", [measure for measure in MEASURES.values() if measure.in_base_units], ids=lambda m: m.name
)
def test_every_quantity_can_be_broken_down_by_its_unit(measure: Measure) -> None:
    assert "base_unit" in measure.facts.c


def test_n7_line_without_a_quantity_does_not_cause_mixed_units() -> None:
    """A fee without a product has no base unit; it adds nothing to the units ordered: 100."""
    loaded = together(
        sale("O", received="2026-03-09"),
        _with_line("O", "2", line_kind="fee", product_id=None),
        {"products": [product(product_id="P", base_unit="piece")]},
    )
    with built(**loaded) as connection:
        assert halves(connection, "ordered_units") == (100, None)
        assert answer(connection, Question(("ordered_units",), by=("carrier",)))[0].no_data is None
