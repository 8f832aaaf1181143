"""Stockouts: R38 and R40 worked by hand, what each event cost, the measures with both halves, and a recount of the
sample in plain Python.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, select

from metrics.errors import SettingRefused
from metrics.facts import order_intervals
from metrics.facts import stockouts as stockouts_module
from metrics.facts.money import movements
from metrics.facts.orders import facts_state, order_facts_table, order_line_facts_table
from metrics.facts.stockout_events import OUTCOMES
from metrics.facts.stockouts import stockout_facts_table
from metrics.measures.stockout_costs import assumed_unit_cost, expected_cost, group_costs
from metrics.model.question import Question
from metrics.queries import statements
from metrics.queries.answer import Answer, answer
from metrics.queries.rollups import rollup_metadata
from metrics.rebuild import rebuild
from metrics.schema import assumptions, holds, orders, shipment_lines, shipments, stockouts
from metrics.warehouse import Location, reading
from tests.support.ask_measures import only
from tests.support.builders import (
    customer,
    everything,
    hold,
    invoice,
    invoice_line,
    order,
    order_event,
    order_line,
    product,
    records,
    row,
    service_cost,
    shipment,
    shipment_line,
    stockout,
)
from tests.support.engines import memory
from tests.support.sql_facts import build

filled = only(movements, stockouts_module)

END_OF_APRIL = datetime(2026, 4, 30, 23, 59, 59, 999_999)
EVERYTHING = everything("orders", "order_lines", "shipments", "shipment_lines", "customers", "products", "stockouts")
MONEY = EVERYTHING | everything("invoices", "invoice_lines", "service_costs")
Row = dict[str, Any]


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = memory()
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture(autouse=True)
def stockouts_alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Worked cases fill the ledgers they ask about and no others: a build takes a fifth of the time."""
    if "sample" not in request.fixturenames:
        monkeypatch.setattr(
            rebuild,
            "FACT_TABLES",
            (*movements.FACT_TABLES, *order_intervals.FACT_TABLES, *stockouts_module.FACT_TABLES),
        )
        monkeypatch.setattr(rebuild, "rebuild_rollups", rollup_metadata.create_all)
        monkeypatch.setattr(statements, "smallest_rollup", lambda *_, **__: None)


def events(
    connection: Connection, mapped: frozenset[str] = EVERYTHING, as_of: datetime = END_OF_APRIL, **feeds: list[Row]
) -> list[Mapping[str, Any]]:
    """The ledger's rows of these records, stockouts of lines first."""
    build(connection, records(**feeds), as_of, mapped)
    found = connection.execute(select(stockout_facts_table)).mappings()
    return sorted(
        (dict(one) for one in found),
        key=lambda one: (one["order_id"] or "~", one["line_no"] or "", one["stockout_id"] or ""),
    )


def sent(*consignments: tuple[str, int], order_id: str = "O", line_no: str = "1") -> dict[str, list[Row]]:
    """Consignments of one line: the day each left (received the day after) and how much it carried."""
    made: dict[str, list[Row]] = {"shipments": [], "shipment_lines": []}
    for place, (day, quantity) in enumerate(consignments):
        shipment_id = f"{order_id}-{line_no}-{place}"
        came = (date.fromisoformat(day) + timedelta(1)).isoformat()
        made["shipments"].append(shipment(shipment_id=shipment_id, shipped_at=day, received_at=came))
        made["shipment_lines"].append(
            shipment_line(shipment_id=shipment_id, order_id=order_id, line_no=line_no, shipped_qty=quantity)
        )
    return made


def together(*parts: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Records of several orders in one."""
    return {
        feed: [one for part in parts for one in part.get(feed, [])]
        for feed in {feed for part in parts for feed in part}
    }


def earlier_orders(*days: str) -> dict[str, list[Row]]:
    """Orders of customer C delivered whole at once."""
    parts = []
    for day in days:
        promised = (date.fromisoformat(day) + timedelta(2)).isoformat()
        parts.append(
            {
                "orders": [order(order_id=f"E{day}", ordered_at=day, promised_by=promised)],
                "order_lines": [order_line(order_id=f"E{day}")],
            }
        )
        parts.append(sent((day, 100), order_id=f"E{day}"))
    return together(*parts)


WEEKLY = ("2026-02-15", "2026-02-22")
"""With the order of 1 March: three order days, gap 7 days, horizon 21 days."""


def the_order(**line: Any) -> dict[str, list[Row]]:
    return {"orders": [order()], "order_lines": [order_line(**line)]}


# ---------------------------------------------------------------- R38, event and outcome


def test_r38_30_of_100_in_a_further_consignment_is_one_event_back_ordered(connection: Connection) -> None:
    (one,) = events(connection, **together(the_order(), sent(("2026-03-08", 70), ("2026-03-14", 30))))
    assert (one["short_qty"], one["outcome"], one["event_day"]) == (30, "back_ordered", date(2026, 3, 10))


def test_r38_all_of_it_later_is_waited(connection: Connection) -> None:
    (one,) = events(connection, **together(the_order(), sent(("2026-03-14", 100))))
    assert (one["short_qty"], one["outcome"]) == (100, "waited")


def test_r38_a_line_that_came_after_another_line_of_its_order_had_left_is_back_ordered(connection: Connection) -> None:
    both = {"orders": [order()], "order_lines": [order_line(), order_line(line_no="2")]}
    found = events(connection, **together(both, sent(("2026-03-08", 100)), sent(("2026-03-14", 100), line_no="2")))
    assert [(one["line_no"], one["outcome"]) for one in found] == [("2", "back_ordered")]


CLOSED = {"cancelled_qty": 30, "cancelled_at": "2026-03-12", "cancelled_by": "seller"}


def test_r38_30_closed_by_the_seller_is_sale_lost(connection: Connection) -> None:
    later = earlier_orders(*WEEKLY, "2026-03-20")
    (one,) = events(connection, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), later))
    assert (one["outcome"], one["provisional"], one["gap_days"], one["horizon_day"]) == (
        "sale_lost",
        False,
        7,
        date(2026, 3, 31),
    )


def test_r38_the_same_with_nothing_ordered_by_the_31st_is_buyer_lost(connection: Connection) -> None:
    # gaps 15 Feb - 22 Feb - 1 Mar: 7, 7; k 3: 10 March + 21 days = 31 March. The order of 1 April comes a day too late.
    late = earlier_orders(*WEEKLY, "2026-04-01")
    (one,) = events(connection, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), late))
    assert (one["outcome"], one["provisional"], one["horizon_day"]) == ("buyer_lost", False, date(2026, 3, 31))


def test_r38_an_order_on_the_last_day_of_the_horizon_keeps_the_buyer(connection: Connection) -> None:
    kept = earlier_orders(*WEEKLY, "2026-03-31")
    (one,) = events(connection, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), kept))
    assert (one["outcome"], one["provisional"]) == ("sale_lost", False)


@pytest.mark.parametrize(
    ("as_of", "outcome", "provisional"),
    [
        (datetime(2026, 3, 20, 23, 59, 59, 999_999), "sale_lost", True),
        (datetime(2026, 3, 31, 23, 59, 59, 999_998), "sale_lost", True),
        (datetime(2026, 3, 31, 23, 59, 59, 999_999), "buyer_lost", False),
    ],
)
def test_r38_until_the_horizon_has_passed_the_next_fit_is_provisional(
    connection: Connection, as_of: datetime, outcome: str, provisional: bool
) -> None:
    (one,) = events(
        connection, as_of=as_of, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), earlier_orders(*WEEKLY))
    )
    assert (one["outcome"], one["provisional"]) == (outcome, provisional)


def test_r38_with_fewer_than_three_earlier_order_days_the_gap_is_the_segments(connection: Connection) -> None:
    # C ordered once. Of segment A, D ordered on 1, 6 and 11 February and B (segment B) every day: the segment's gaps
    # are 5, 5.
    people = {"customers": [customer(), customer(customer_id="D"), customer(customer_id="B", service_segment="B")]}
    parts = [people, the_order(**CLOSED), sent(("2026-03-08", 70))]
    for who, days in (
        ("D", ("2026-02-01", "2026-02-06", "2026-02-11")),
        ("B", ("2026-02-01", "2026-02-02", "2026-02-03")),
    ):
        for day in days:
            one = f"{who}{day}"
            parts.append(
                {
                    "orders": [order(order_id=one, customer_id=who, ordered_at=day, promised_by=day)],
                    "order_lines": [order_line(order_id=one)],
                }
            )
            parts.append(sent((day, 100), order_id=one))
    (found,) = events(connection, **together(*parts))
    assert (found["gap_days"], found["horizon_day"], found["outcome"]) == (5, date(2026, 3, 25), "buyer_lost")


def test_r38_two_orders_of_one_day_leave_no_gap_of_nothing(connection: Connection) -> None:
    twice = together(
        earlier_orders(*WEEKLY),
        {"orders": [order(order_id="T")], "order_lines": [order_line(order_id="T")]},
        sent(("2026-03-02", 100), order_id="T"),
    )
    (found,) = events(connection, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), twice))
    assert found["gap_days"] == 7


def test_r38_lost_k_is_an_assumption(connection: Connection) -> None:
    shorter = {
        "assumptions": [
            row(
                "assumptions",
                {"assumption": "lost_k", "scope": "all", "valid_from": "2026-01-01", "assumed_value": "1.5"},
            )
        ]
    }
    # 1.5 × 7 = 10.5 days: the last whole day is 20 March
    (one,) = events(
        connection, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), earlier_orders(*WEEKLY), shorter)
    )
    assert one["horizon_day"] == date(2026, 3, 20)


def test_r38_nothing_came_and_nothing_was_cancelled_is_open(connection: Connection) -> None:
    (one,) = events(connection, **together(the_order(), sent(("2026-03-08", 70))))
    assert (one["outcome"], one["cost_amount"]) == ("open", None)


def test_r38_a_line_not_yet_due_or_whole_at_first_pass_is_no_event(connection: Connection) -> None:
    assert events(connection, as_of=datetime(2026, 3, 9), **the_order()) == []
    assert events(connection, **together(the_order(), sent(("2026-03-10", 100)))) == []


@pytest.mark.parametrize(
    ("kind", "placed", "released", "is_event"),
    [
        ("credit", "2026-03-08", "2026-03-12", False),
        ("credit", "2026-03-08", None, False),
        ("credit", "2026-03-08", "2026-03-10", True),  # over before the promise ended
        ("credit", "2026-03-11", "2026-03-12", True),  # began after it
        ("stock", "2026-03-08", "2026-03-12", True),  # the stock was missing: that is the stockout
    ],
)
def test_r38_a_credit_hold_over_the_first_promise_is_no_stockout(
    connection: Connection, kind: str, placed: str, released: str | None, is_event: bool
) -> None:
    stopped = {"holds": [hold(kind=kind, placed_at=placed, released_at=released)]}
    found = events(
        connection, EVERYTHING | everything("holds"), **together(the_order(), sent(("2026-03-14", 100)), stopped)
    )
    assert len(found) == is_event


@pytest.mark.parametrize(
    ("step", "again", "is_event"),
    [(10, "2026-03-12T10:00Z", False), (10, "2026-03-10T10:00Z", True), (2, "2026-03-12T10:00Z", True)],
)
def test_r38_without_holds_two_attempts_at_step_10_stand_in(
    connection: Connection, step: int, again: str, is_event: bool
) -> None:
    attempts = {
        "order_events": [
            order_event(step=step, started_at="2026-03-08T09:00Z", finished_at="2026-03-08T10:00Z"),
            order_event(step=step, event_no=2, started_at=again, finished_at="2026-03-12T12:00Z"),
        ]
    }
    found = events(
        connection,
        EVERYTHING | everything("order_events"),
        **together(the_order(), sent(("2026-03-14", 100)), attempts),
    )
    assert len(found) == is_event


def test_r38_without_shipped_at_lines_short_of_what_came_are_events_and_say_so(connection: Connection) -> None:
    (one,) = events(
        connection, EVERYTHING - {"shipments.shipped_at"}, **together(the_order(), sent(("2026-03-08", 70)))
    )
    assert (one["stockout_source"], one["short_qty"], one["outcome"]) == ("receipt", 30, "open")
    (rate,) = answer(connection, Question(("stockout_rate",)))
    assert (rate.numerator, rate.denominator, rate.remark) == (
        1,
        1,
        "lines short of what was received: no source maps shipped_at",
    )


@pytest.mark.parametrize("order_type", ["replacement", "internal", "sample"])
def test_r40_an_order_that_is_no_sale_meets_no_stockout(connection: Connection, order_type: str) -> None:
    assert (
        events(
            connection,
            **together(
                {"orders": [order(order_type=order_type)], "order_lines": [order_line()]}, sent(("2026-03-14", 100))
            ),
        )
        == []
    )


# ---------------------------------------------------------------- demand that never became an order


def test_r38_a_stockouts_row_keeps_its_own_outcome(connection: Connection) -> None:
    (one,) = events(connection, stockouts=[stockout(outcome="back_ordered")], customers=[customer()])
    assert (one["outcome"], one["provisional"], one["segment"], one["region"], one["short_qty"]) == (
        "back_ordered",
        False,
        "A",
        "North",
        10,
    )


def test_r38_a_stockouts_row_is_waited_if_the_customer_orders_the_product_later(connection: Connection) -> None:
    bought = together(
        {"orders": [order(ordered_at="2026-03-06")], "order_lines": [order_line()]}, sent(("2026-03-08", 100))
    )
    (one,) = events(connection, **bought, stockouts=[stockout()])
    assert (one["outcome"], one["provisional"]) == ("waited", False)


def test_r38_a_stockouts_row_is_sale_lost_if_they_only_ordered_it_before_or_something_else(
    connection: Connection,
) -> None:
    before = earlier_orders("2026-03-05")  # the same day: not later
    other = {"orders": [order(ordered_at="2026-03-06")], "order_lines": [order_line(product_id="Q")]}
    found = events(connection, **together(before, other, {"stockouts": [stockout()]}))
    assert [one["outcome"] for one in found if one["stockout_id"] == "X1"] == ["sale_lost"]


def test_a_stockouts_row_after_as_of_has_not_happened(connection: Connection) -> None:
    assert events(connection, as_of=datetime(2026, 3, 5, 12), stockouts=[stockout()]) == []


# ---------------------------------------------------------------- what it cost

COSTED = {"products": [product(unit_cost_amount=3)]}


def test_a_lost_sale_costs_the_margin_of_what_was_short(connection: Connection) -> None:
    # 30 short × (5.00 - 3.00) = 60
    (one,) = events(connection, MONEY, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), COSTED))
    assert (one["outcome"], one["margin_amount"], one["cost_amount"]) == ("sale_lost", 60, 60)


def test_a_lost_buyer_costs_their_margin_of_twelve_months_besides(connection: Connection) -> None:
    # 20 February billed 100 at 5.00, cost 3.00: margin 200. Billed after the event: not in it. More than a year before:
    # not in it.
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
    (one,) = events(connection, MONEY, **parts)
    assert (one["outcome"], one["buyer_margin_amount"], one["cost_amount"]) == ("buyer_lost", 200, 260)
    years = {
        "assumptions": [
            row(
                "assumptions",
                {"assumption": "customer_years", "scope": "customer:C", "valid_from": "2026-01-01", "assumed_value": 2},
            )
        ]
    }
    (one,) = events(connection, MONEY, **together(parts, years))
    assert (one["buyer_margin_amount"], one["cost_amount"]) == (400, 460)


def back_ordered_twice() -> dict[str, list[Row]]:
    """Two lines short by 30 on 8 March, both sent on 14 March in one consignment of 25.00; the first had cost 40.00."""
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
    # 25 freight of the further consignment + 5 handling = 30, on the first of the two lines; picking is no extra
    found = events(connection, MONEY, **together(back_ordered_twice(), COSTED))
    assert [(one["outcome"], one["extra_amount"], one["cost_amount"]) for one in found] == [
        ("back_ordered", 30, 30),
        ("back_ordered", 0, 0),
    ]
    (mean,) = answer(connection, Question(("stockout_cost_back_ordered",)))
    assert (mean.value, mean.numerator, mean.denominator) == (15, 30, 2)


def test_waiting_costs_what_is_assumed(connection: Connection) -> None:
    given = {
        "assumptions": [
            row(
                "assumptions",
                {"assumption": "wait_cost", "scope": "all", "valid_from": "2026-01-01", "assumed_value": 7},
            )
        ]
    }
    (one,) = events(connection, MONEY, **together(the_order(), sent(("2026-03-14", 100)), given))
    assert (one["outcome"], one["cost_amount"]) == ("waited", 7)


def test_without_a_cost_of_the_product_a_lost_sale_costs_nobody_knows_what(connection: Connection) -> None:
    (one,) = events(connection, MONEY, **together(the_order(**CLOSED), sent(("2026-03-08", 70))))
    assert (one["outcome"], one["margin_amount"], one["cost_amount"]) == ("sale_lost", None, None)
    (cost,) = answer(connection, Question(("stockout_unit_cost",)))
    assert cost.value is None
    assert cost.no_data


# ---------------------------------------------------------------- measures


def asked(connection: Connection, *names: str, by: tuple[str, ...] = ()) -> dict[str, Answer]:
    return {one.measure: one for one in answer(connection, Question(names, by=by))}


def four_outcomes(connection: Connection) -> None:
    """Customer C: waited, back-ordered and sale lost, and one line whole; the customer went on ordering. One unordered
    stockout, sale lost.
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
    for one in lines["shipments"]:
        one.update(freight_amount=Decimal(24), currency="EUR")
    events(connection, MONEY, **lines)


def test_counts_shares_and_rate_with_both_halves(connection: Connection) -> None:
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
    assert [one.value for one in found.values()][:5] == [5, 3, 2, 0, 0]
    assert (found["stockout_rate"].numerator, found["stockout_rate"].denominator) == (3, 7)
    assert found["stockout_rate"].low == pytest.approx(0.1582, abs=1e-4)  # Wilson of 3/7
    shares = asked(connection, *[f"outcome_share_{outcome}" for outcome in OUTCOMES])
    assert [(one.numerator, one.denominator) for one in shares.values()] == [(2, 5), (1, 5), (2, 5), (0, 5)]
    assert sum(Fraction(one.numerator) / Fraction(one.denominator) for one in shares.values()) == 1  # type: ignore[arg-type]


def test_the_expected_cost_is_shares_times_costs(connection: Connection) -> None:
    # p: waited 2/5 × 0, back-ordered 1/5 × 24 (freight of its one further consignment), sale lost 2/5 × 60 (X1's margin
    # is not known: Q has no price) = 4.8 + 24 = 28.80; in total 5 × 28.80 = 144
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


def test_a_small_segment_draws_its_shares_towards_everyones() -> None:
    # 2 of 4 waited, overall 0.25: (2 + 20 × 0.25) / 24 = 7/24; back-ordered (2 + 20 × 0.75) / 24 = 17/24
    counts = {"waited": 2, "back_ordered": 2, "sale_lost": 0, "buyer_lost": 0}
    overall = {"waited": 0.25, "back_ordered": 0.75, "sale_lost": 0.0, "buyer_lost": 0.0}
    assert list(group_costs(counts, overall).values()) == pytest.approx([7 / 24, 17 / 24, 0, 0])
    assert sum(group_costs(counts, overall).values()) == pytest.approx(1)
    assert list(group_costs(counts, None).values()) == [0.5, 0.5, 0, 0]


def test_by_segment_the_unit_cost_of_few_events_borrows_and_says_so(connection: Connection) -> None:
    # all are of segment A or (none); A: C's lines and X1, X2 have the customer of segment A: 5 events, as overall
    four_outcomes(connection)
    (one,) = answer(connection, Question(("stockout_unit_cost",), by=("segment",)))
    assert (one.dimensions, one.value, one.denominator) == ({"segment": "A"}, pytest.approx(28.80), 5)
    assert "5 stockouts are few" in str(one.remark)


def test_the_preset_of_the_book_and_shares_that_are_no_whole(connection: Connection) -> None:
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


# ---------------------------------------------------------------- investing in fill, from the orders in view


def test_an_impossible_fill_target_is_told_instead_of_a_number(connection: Connection) -> None:
    wrong = {"assumption": "fill_target", "scope": "all", "valid_from": "2026-01-01", "assumed_value": 98}
    events(connection, assumptions=[row("assumptions", wrong)], **together(the_order(), sent(("2026-03-08", 100))))
    one = asked(connection, "fill_gain")["fill_gain"]
    assert one.value is None
    assert "98.000000 is not a share" in str(one.no_data)


def test_the_calculator_is_filled_from_the_orders_in_view(connection: Connection) -> None:
    # four orders due on 10 March (W, B, S short, F whole) and three earlier whole ones: fill 4/7; of the short W, B
    # kept, S lost: b = 2/3.
    # lost: 3 × (2/3 × 150 + 1/3 × 12,500) = 300 + 12,500 = 12,800; at 98 %: 0.14 incomplete of 7: 12,800 × 0.14 / 3
    four_outcomes(connection)
    found = asked(connection, "fill_cash_lost", "fill_gain", "fill_payback")
    assert (found["fill_cash_lost"].value, found["fill_cash_lost"].denominator) == (Decimal("12800.0000"), 3)
    assert found["fill_gain"].value == Decimal("12202.6667")  # 12,800 - 597.3333
    assert found["fill_gain"].denominator == Decimal("2.8600")
    # judged due days 17 February to 22 March: 34 days; 12,202.6667 × 365 / 34 a year
    assert found["fill_payback"].value == pytest.approx(2_000_000 / (12_202.66667 * 365 / 34), rel=1e-6)


# ---------------------------------------------------------------- the sample, recounted in plain Python


def rows_of(connection: Connection, table: Any) -> list[dict[str, Any]]:
    return [dict(one) for one in connection.execute(select(table)).mappings()]


def test_the_ledger_of_the_sample_is_what_a_plain_recount_gives(sample: Location) -> None:
    with reading(sample) as connection:
        as_of = connection.execute(select(facts_state.c.as_of)).scalar_one()
        ledger = {
            (one["order_id"], one["line_no"], one["stockout_id"]): one
            for one in rows_of(connection, stockout_facts_table)
        }
        lines, heads = rows_of(connection, order_line_facts_table), rows_of(connection, order_facts_table)
        sales = [one for one in heads if one["order_type"] == "sale"]
        stops = [one for one in rows_of(connection, holds) if one["kind"] == "credit" and not one["deleted"]]
        zone = {one["order_id"]: one["ship_to_time_zone"] for one in rows_of(connection, orders)}
        header = {one["shipment_id"]: one for one in rows_of(connection, shipments) if not one["deleted"]}
        bodies = [
            one for one in rows_of(connection, shipment_lines) if not one["deleted"] and one["shipment_id"] in header
        ]
        demand = [one for one in rows_of(connection, stockouts) if not one["deleted"]]
        given = [
            one
            for one in rows_of(connection, assumptions)
            if one["assumption"] == "lost_k" and one["valid_from"] <= as_of.date()
        ]

    def ends(row_: dict[str, Any], name: str, where: str) -> datetime | None:
        """The last instant of a moment, UTC."""
        value = row_[name]
        if value is None or not row_[f"{name}_is_date"]:
            return value  # type: ignore[no-any-return]
        next_day = (value + timedelta(1)).replace(tzinfo=ZoneInfo(where))
        return next_day.astimezone(ZoneInfo("UTC")).replace(tzinfo=None) - timedelta(microseconds=1)

    order_days: dict[str, set[date]] = {}
    of_segment: dict[str, list[int]] = {}
    for one in sales:
        order_days.setdefault(one["customer_id"], set()).add(one["ordered_day"])
    segment_on = {
        (one["customer_id"], one["ordered_day"]): one["segment"]
        for one in sorted(sales, key=lambda one: str(one["segment"]))
    }
    for who, days in order_days.items():
        ordered = sorted(days)
        for before, after in pairwise(ordered):
            of_segment.setdefault(segment_on[who, after], []).append((after - before).days)

    def lower_median(values: list[int]) -> int | None:
        return sorted(values)[(len(values) + 1) // 2 - 1] if values else None

    def lost_k(who: str, segment: str) -> Decimal:
        newest = {
            one["scope"]: one["assumed_value"]
            for one in sorted(given, key=lambda one: one["valid_from"])
            if not one["deleted"]
        }
        return next(
            (newest[scope] for scope in (f"customer:{who}", f"segment:{segment}", "all") if scope in newest), Decimal(3)
        )  # type: ignore[no-any-return]

    def buyer(who: str, segment: str, day: date, at: datetime) -> tuple[bool, bool]:
        """Whether the buyer is lost, and whether that is undecided."""
        known = sorted(one for one in order_days.get(who, ()) if one <= day)
        gaps = [(after - before).days for before, after in pairwise(known)]
        gap = lower_median(gaps) if len(known) >= 3 else lower_median(of_segment.get(segment, []))
        reach = None if gap is None else int(lost_k(who, segment) * gap)
        later = [one for one in order_days.get(who, ()) if one > day]
        back = bool(later) and (reach is None or (min(later) - day).days <= reach)
        over = reach is not None and at + timedelta(reach) <= as_of
        return over and not back, not over and not back

    def after_(line: dict[str, Any], wanted: dict[str, Any]) -> bool:
        """Whether a line was ordered after that demand: by the clock where both have one, else by days."""
        if line["ordered_at_is_date"] or wanted["wanted_at_is_date"]:
            return bool(line["ordered_day"] > wanted["wanted_at"].date())
        return bool(line["ordered_at"] > wanted["wanted_at"])

    expected: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for line in lines:
        if line["state"] != "judged" or line["first_pass_full"] is not False:
            continue
        place, at = zone[line["order_id"]], line["first_due_at"]
        if any(
            one["order_id"] == line["order_id"]
            and ends(one, "placed_at", place) <= at
            and (
                one["released_at"] is None
                or (one["released_at"] if one["released_at_is_date"] else ends(one, "released_at", place)) > at
            )
            for one in stops
        ):
            continue
        left = [
            (one["line_no"], ends(header[one["shipment_id"]], "shipped_at", place))
            for one in bodies
            if one["order_id"] == line["order_id"] and one["shipped_qty"]
        ]
        left = [(number, when) for number, when in left if when is not None and when <= as_of]
        mine = [when for number, when in left if number == line["line_no"]]
        lost, undecided = buyer(line["customer_id"], line["segment"], line["due_day"], at)
        if lost:
            outcome = "buyer_lost"
        elif line["cancelled_short_qty"]:
            outcome = "sale_lost"
        elif line["complete"] and mine:
            outcome = "back_ordered" if max(mine) > min(when for _, when in left) else "waited"
        else:
            outcome = "open"
        expected[line["order_id"], line["line_no"], None] = (
            line["owed_qty"] - line["first_pass_qty"],
            outcome,
            undecided,
        )
    for one in demand:
        at = ends(one, "wanted_at", "UTC")
        assert at is not None
        if at > as_of:
            continue
        key = (None, None, one["stockout_id"])
        _, undecided = buyer(one["customer_id"], ledger[key]["segment"], one["wanted_at"].date(), at)
        bought = [
            line
            for line in lines
            if line["customer_id"] == one["customer_id"] and line["product_id"] == one["product_id"]
        ]
        later = [line for line in bought if line["state"] != "excluded" and after_(line, one)]
        outcome = one["outcome"] or ("waited" if later else "sale_lost")
        expected[key] = (one["wanted_qty"], outcome, undecided and not one["outcome"] and not later)
    assert {key: (one["short_qty"], one["outcome"], one["provisional"]) for key, one in ledger.items()} == expected
    assert {outcome for _, outcome, _ in expected.values()} >= set(OUTCOMES)
    assert len(expected) > 20
