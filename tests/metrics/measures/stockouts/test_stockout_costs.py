"""Worked cases of stockout costs, measures of stockouts and the fill calculator."""

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from sqlalchemy import Connection

from metrics.errors import SettingRefused
from metrics.facts.stockout_events import OUTCOMES
from metrics.measures.stockout_costs import assumed_unit_cost, expected_cost, group_costs
from metrics.model.question import Provisional, Question
from metrics.queries.answer import Answer, answer
from metrics.queries.fill_rate_inputs import fill_rate_inputs
from tests.metrics.measures.stockouts.cases import (
    CLOSED,
    END_OF_APRIL,
    EVERYTHING,
    MONEY,
    WEEKLY,
    earlier_orders,
    events,
    sent,
    the_order,
)
from tests.support.ask_measures import together
from tests.support.builders import (
    Row,
    customer,
    invoice,
    invoice_line,
    order,
    order_line,
    product,
    records,
    row,
    shipment,
    shipment_line,
)
from tests.support.contact_builders import service_cost, stockout
from tests.support.sql_facts import build

COSTED = {"products": [product(unit_cost_amount=3)]}


def test_lost_sale_costs_the_margin_of_the_missing_goods(connection: Connection) -> None:
    # 30 short × (5.00 - 3.00) = 60
    (event,) = events(connection, MONEY, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), COSTED))
    assert (event["outcome"], event["margin_amount"], event["cost_amount"]) == ("sale_lost", 60, 60)


def test_lost_buyer_also_costs_the_margin_of_the_last_twelve_months(connection: Connection) -> None:
    # 20 February billed 100 at 5.00, cost 3.00: margin 200. Bills after the event or more than a year before it do not
    # count.
    billed = {
        "invoices": [
            invoice(invoice_id="I1", invoiced_at="2026-02-20"),
            invoice(invoice_id="I2", invoiced_at="2026-03-15"),
            invoice(invoice_id="I0", invoiced_at="2025-03-10"),
        ],
        "invoice_lines": [
            invoice_line(invoice_id="I1", order_id="E2026-02-15"),
            invoice_line(invoice_id="I2", billed_qty=70),
            invoice_line(invoice_id="I0", order_id="E2026-02-22"),
        ],
    }
    parts = together(the_order(**CLOSED), sent(("2026-03-08", 70)), earlier_orders(*WEEKLY), billed, COSTED)
    (event,) = events(connection, MONEY, **parts)
    assert (event["outcome"], event["buyer_margin_amount"], event["cost_amount"]) == ("buyer_lost", 200, 260)
    years = {
        "assumptions": [
            row(
                "assumptions",
                {"assumption": "customer_years", "scope": "customer:C", "valid_from": "2026-01-01", "assumed_value": 2},
            )
        ]
    }
    (event,) = events(connection, MONEY, **together(parts, years))
    assert (event["buyer_margin_amount"], event["cost_amount"]) == (400, 460)


def test_the_future_margin_of_a_lost_buyer_is_charged_once_on_the_last_stockout(connection: Connection) -> None:
    # Two lines of 100 are short by 30 each, due 10 March, and an earlier order is short by 30, due 5 March. The buyer
    # never ordered again. Margin of the 12 months before: 100 × (5.00 - 3.00) = 200, once.
    # Costs: 60 + 60 + (60 + 200) = 380 in 3 stockouts: 126.67 each.
    billed = {
        "invoices": [invoice(invoice_id="I1", invoiced_at="2026-02-20")],
        "invoice_lines": [invoice_line(invoice_id="I1", order_id="E2026-02-15")],
    }
    parts = together(
        the_order(**CLOSED),
        {"order_lines": [order_line(line_no="2", **CLOSED)]},
        {
            "orders": [order(order_id="N", ordered_at="2026-02-27", promised_by="2026-03-05")],
            "order_lines": [order_line(order_id="N", **CLOSED)],
        },
        sent(("2026-03-08", 70)),
        sent(("2026-03-08", 70), line_no="2"),
        sent(("2026-03-04", 70), order_id="N"),
        earlier_orders(*WEEKLY),
        billed,
        COSTED,
    )
    found = events(connection, MONEY, **parts)
    assert [(row["order_id"], row["line_no"], row["buyer_margin_amount"], row["cost_amount"]) for row in found] == [
        ("N", "1", 0, 60),
        ("O", "1", 0, 60),
        ("O", "2", 200, 260),
    ]
    (unit,) = answer(connection, Question(("stockout_unit_cost",)))
    assert (unit.numerator, unit.denominator) == (pytest.approx(380), 3)


def back_ordered_twice() -> dict[str, list[Row]]:
    """Return two lines, each short by 30 on 8 March. One consignment of 25.00 delivers both on 14 March.

    The first consignment costs 40.00.
    """
    return {
        "orders": [order()],
        "order_lines": [order_line(), order_line(line_no="2")],
        "shipments": [
            shipment(
                shipment_id="S1", shipped_at="2026-03-08", received_at="2026-03-09", freight_amount=40, currency="EUR"
            ),
            shipment(
                shipment_id="S2", shipped_at="2026-03-14", received_at="2026-03-15", freight_amount=25, currency="EUR"
            ),
        ],
        "shipment_lines": [
            shipment_line(shipment_id=consignment, shipment_line_no=line_no, line_no=line_no, shipped_qty=quantity)
            for consignment, quantity in (("S1", 70), ("S2", 30))
            for line_no in ("1", "2")
        ],
        "service_costs": [
            service_cost(activity="handling", amount=5),
            service_cost(cost_id="T2", activity="picking", amount=20),
        ],
    }


def test_a_back_order_costs_its_extra_freight_and_handling_once(connection: Connection) -> None:
    # 25 freight of the further consignment + 5 handling = 30, on the first of the two lines. Picking is not extra.
    found = events(connection, MONEY, **together(back_ordered_twice(), COSTED))
    assert [(event["outcome"], event["extra_amount"], event["cost_amount"]) for event in found] == [
        ("back_ordered", 30, 30),
        ("back_ordered", 0, 0),
    ]
    (mean,) = answer(connection, Question(("stockout_cost_back_ordered",)))
    assert (mean.value, mean.numerator, mean.denominator) == (15, 30, 2)


def test_waited_stockout_costs_the_assumed_amount(connection: Connection) -> None:
    given = {
        "assumptions": [
            row(
                "assumptions",
                {"assumption": "wait_cost", "scope": "all", "valid_from": "2026-01-01", "assumed_value": 7},
            )
        ]
    }
    (event,) = events(connection, MONEY, **together(the_order(), sent(("2026-03-14", 100)), given))
    assert (event["outcome"], event["cost_amount"]) == ("waited", 7)


def test_cost_of_a_lost_sale_is_unknown_without_a_product_cost(connection: Connection) -> None:
    (event,) = events(connection, MONEY, **together(the_order(**CLOSED), sent(("2026-03-08", 70))))
    assert (event["outcome"], event["margin_amount"], event["cost_amount"]) == ("sale_lost", None, None)
    (cost,) = answer(connection, Question(("stockout_unit_cost",)))
    assert cost.value is None
    assert cost.no_data


def test_a_lost_buyer_without_a_price_leaves_the_known_part_of_the_cost(connection: Connection) -> None:
    # W waited: 0. S lost the sale of 30 × (5.00 - 3.00) = 60. Customer D was lost over product Q, which has no
    # price. So the cost is withheld. Its known part is 0 + 60 for 2 of 3 stockouts.
    lines = together(
        {"orders": [order(order_id=name) for name in "WS"]},
        {"order_lines": [order_line(order_id="W"), order_line(order_id="S", **CLOSED)]},
        sent(("2026-03-14", 100), order_id="W"),
        sent(("2026-03-08", 70), order_id="S"),
        earlier_orders(*WEEKLY, "2026-03-20"),
        {
            "orders": [order(order_id="R", customer_id="D", ordered_at="2026-02-15", promised_by="2026-02-17")],
            "order_lines": [order_line(order_id="R")],
        },
        sent(("2026-02-15", 100), order_id="R"),
        {"customers": [customer(), customer(customer_id="D")]},
        {"stockouts": [stockout(customer_id="D", product_id="Q", outcome="buyer_lost")]},
        COSTED,
    )
    events(connection, MONEY, **lines)
    found = asked(connection, "stockout_unit_cost", "stockout_total_cost")
    for one in found.values():
        assert (one.value, one.numerator, one.judged, one.unknown) == (None, 60, 3, 1)
        assert one.coverage == pytest.approx(2 / 3)
        assert one.no_data == "inconclusive: a price, cost or rate is missing (cost where the buyer was lost)"
        assert one.remark == "known part: 60.00 for 2 of 3 stockouts with an outcome"
    assert [one.denominator for one in found.values()] == [2, None]


def asked(connection: Connection, *names: str, by: tuple[str, ...] = ()) -> dict[str, Answer]:
    return {measured.measure: measured for measured in answer(connection, Question(names, by=by))}


def four_outcomes(connection: Connection) -> None:
    """Load lines that waited, were back-ordered, lost a sale or were complete. Customer C ordered again.

    Of two stockouts without an order, the first lost a sale and the second waited.
    """
    lines = together(
        {"orders": [order(order_id=name) for name in "WBS"] + [order(order_id="F")]},
        {"order_lines": [order_line(order_id=name, **(CLOSED if name == "S" else {})) for name in "WBSF"]},
        sent(("2026-03-14", 100), order_id="W"),
        sent(("2026-03-08", 70), ("2026-03-14", 30), order_id="B"),
        sent(("2026-03-08", 70), order_id="S"),
        sent(("2026-03-08", 100), order_id="F"),
        earlier_orders(*WEEKLY, "2026-03-20"),
        {
            "stockouts": [
                stockout(product_id="Q", outcome="sale_lost"),
                stockout(stockout_id="X2", product_id="Q", outcome="waited"),
            ]
        },
        {"shipments": [], "customers": [customer()]},
        COSTED,
    )
    for consignment in lines["shipments"]:
        consignment.update(freight_amount=Decimal(24), currency="EUR")
    events(connection, MONEY, **lines)


def test_stockout_counts_shares_and_rate_with_numerator_and_denominator(connection: Connection) -> None:
    # events: W waited, B back-ordered, S sale lost, X1 sale lost, X2 waited: 5. Judged goods lines: W, B, S, F and
    # three earlier: 7.
    four_outcomes(connection)
    found = asked(
        connection,
        "stockout_events",
        "stockouts_of_lines",
        "stockouts_unordered",
        "stockouts_open",
        "stockouts_provisional",
        "stockout_rate",
    )
    assert [measured.value for measured in found.values()][:5] == [5, 3, 2, 0, 0]
    assert (found["stockout_rate"].numerator, found["stockout_rate"].denominator) == (3, 7)
    assert found["stockout_rate"].low == pytest.approx(0.1582, abs=1e-4)  # Wilson of 3/7
    shares = asked(connection, *[f"outcome_share_{outcome}" for outcome in OUTCOMES])
    assert [(measured.numerator, measured.denominator) for measured in shares.values()] == [
        (2, 5),
        (1, 5),
        (2, 5),
        (0, 5),
    ]
    assert sum(Fraction(measured.numerator) / Fraction(measured.denominator) for measured in shares.values()) == 1  # type: ignore[arg-type]


def test_the_expected_cost_is_shares_times_costs(connection: Connection) -> None:
    # p: waited 2/5 × 0, back-ordered 1/5 × 24 (freight of its further consignment), sale lost 2/5 × 60 = 4.8 + 24 =
    # 28.80. X1 has no margin, because Q has no price. Total: 5 × 28.80 = 144.
    four_outcomes(connection)
    found = asked(
        connection,
        "stockout_unit_cost",
        "stockout_total_cost",
        "stockout_unit_cost_assumed",
        "stockout_total_cost_assumed",
    )
    assert found["stockout_unit_cost"].value == pytest.approx(28.80)
    assert (found["stockout_unit_cost"].numerator, found["stockout_unit_cost"].denominator) == (pytest.approx(144), 5)
    assert (found["stockout_total_cost"].value, found["stockout_total_cost"].denominator) == (pytest.approx(144), 5)
    assert found["stockout_unit_cost_assumed"].value == Decimal("2132.50")
    assert found["stockout_total_cost_assumed"].value == 5 * Decimal("2132.50")
    assert "with assumed shares and costs: 2,132.50" in str(found["stockout_unit_cost"].remark)


def test_outcome_shares_of_a_small_segment_shrink_towards_the_overall_shares() -> None:
    # 2 of 4 waited, overall 0.25: (2 + 20 × 0.25) / 24 = 7/24; back-ordered (2 + 20 × 0.75) / 24 = 17/24
    counts = {"waited": 2, "back_ordered": 2, "sale_lost": 0, "buyer_lost": 0}
    overall = {"waited": 0.25, "back_ordered": 0.75, "sale_lost": 0.0, "buyer_lost": 0.0}
    assert list(group_costs(counts, overall).values()) == pytest.approx([7 / 24, 17 / 24, 0, 0])
    assert sum(group_costs(counts, overall).values()) == pytest.approx(1)
    assert list(group_costs(counts, None).values()) == [0.5, 0.5, 0, 0]


def test_unit_cost_of_a_segment_with_few_stockouts_has_a_remark(connection: Connection) -> None:
    # All events are of segment A or (none). The lines of C, X1 and X2 are of segment A: 5 events, the same as overall.
    four_outcomes(connection)
    (measured,) = answer(connection, Question(("stockout_unit_cost",), by=("segment",)))
    assert (measured.dimensions, measured.value, measured.denominator) == ({"segment": "A"}, pytest.approx(28.80), 5)
    assert "only 5 stockouts" in str(measured.remark)


def test_default_unit_cost_and_rejection_of_shares_that_do_not_add_up_to_1(connection: Connection) -> None:
    build(connection, records(), END_OF_APRIL, EVERYTHING)
    assert assumed_unit_cost(connection) == Decimal("2132.50")
    with pytest.raises(SettingRefused, match="add up to"):
        expected_cost({"waited": 0.5, "sale_lost": 0.4}, {"waited": 0, "sale_lost": 1})
    wrong = {
        "assumption": "stockout_back_ordered_share",
        "scope": "all",
        "valid_from": "2026-01-01",
        "assumed_value": "0.8",
    }
    build(connection, records(assumptions=[row("assumptions", wrong)]), END_OF_APRIL, EVERYTHING)
    with pytest.raises(SettingRefused, match="not 1"):
        assumed_unit_cost(connection)
    asked_for = asked(connection, "stockout_unit_cost_assumed")["stockout_unit_cost_assumed"]
    assert asked_for.value is None
    assert "add up to 1.1" in str(asked_for.no_data)


def test_invalid_fill_target_gives_a_reason_instead_of_a_value(connection: Connection) -> None:
    wrong = {"assumption": "fill_target", "scope": "all", "valid_from": "2026-01-01", "assumed_value": 98}
    events(connection, assumptions=[row("assumptions", wrong)], **together(the_order(), sent(("2026-03-08", 100))))
    measured = asked(connection, "fill_gain")["fill_gain"]
    assert measured.value is None
    assert "98.000000 is not a share" in str(measured.no_data)


def test_fill_calculator_uses_the_orders_in_view(connection: Connection) -> None:
    # Four orders are due on 10 March (W, B, S short, F complete), three earlier ones are complete: fill 4/7. Of the
    # short orders, W waited, B was back-ordered and S lost: a third each. Lost: 3 × (1/3 × 150 + 1/3 × 12,500) = 150 +
    # 12,500 = 12,650. W waited and costs no back-order. At 98 %: 0.14 incomplete of 7: 12,650 × 0.14 / 3.
    four_outcomes(connection)
    found = asked(connection, "fill_cash_lost", "fill_gain", "fill_payback")
    assert (found["fill_cash_lost"].value, found["fill_cash_lost"].denominator) == (Decimal("12650.0000"), 3)
    assert found["fill_gain"].value == Decimal("12059.6667")  # 12,650 - 590.3333
    assert found["fill_gain"].denominator == Decimal("2.8600")
    # judged due days 17 February to 22 March: 34 days; 12,059.6667 × 365 / 34 a year
    assert found["fill_payback"].value == pytest.approx(2_000_000 / (12_059.66667 * 365 / 34), rel=1e-6)


def test_n1_calculator_marks_shares_that_the_loss_window_can_still_change(connection: Connection) -> None:
    """O is due on 10 March, 70 of 100 came, and the seller closed the rest. Its buyer can be lost until 31 March.

    On 20 March the lost order is provisional, and the evidence is complete through 9 March. On 30 April it is not. Of
    three orders, two are complete at once. They are due in 22 days, from 17 February to 10 March.
    """
    loaded = together(earlier_orders(*WEEKLY), the_order(**CLOSED), sent(("2026-03-08", 70)))
    for as_of, provisional in (
        (datetime(2026, 3, 20, 23, 59, 59, 999_999), Provisional("loss window", 1, date(2026, 3, 9))),
        (END_OF_APRIL, None),
    ):
        events(connection, as_of=as_of, **loaded)
        start = fill_rate_inputs(connection, Question(()))
        assert start.provisional == provisional
        assert start.low is not None
        assert (start.low.fill, start.low.back_ordered_share, start.low.waited_share) == (Decimal(2) / 3, 0, 0)
        assert start.low.orders == Decimal(3) * 365 / 22
