"""Worked cases of service recovery: the steps after each failure, and the next orders.

Costs and margins are in test_recovery_costs.py.
"""

from datetime import date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import update

from metrics.facts import recoveries, recovery_costs
from metrics.facts.mapped_columns import SOURCE_OF_EDITS
from metrics.facts.money import movements
from metrics.facts.recoveries import recovery_facts_table
from metrics.lists.recovery import reorder_curves
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.schema import mapped_columns
from tests.support.ask_measures import ALL, billed, built, case, fact_rows, halves, one, only, sale, together
from tests.support.builders import Row, order, order_line, shipment_line
from tests.support.contact_builders import message

filled = only(movements, recoveries, recovery_costs)

END_OF_10TH = datetime(2026, 3, 10, 23, 59, 59, 999999)
"""The deadline of every order here."""


def notice(order_id: str, sent: str) -> dict[str, list[Row]]:
    return {"messages": [message(message_id=f"notice of {order_id}", order_id=order_id, sent_at=sent)]}


CHAINS = together(
    *[sale(name, received="2026-03-12") for name in ("told first", "buyer first", "case only", "silent", "slow")],
    sale("good", received="2026-03-09"),
    *[billed(name) for name in ("told first", "buyer first", "case only", "silent", "slow", "good")],
    # Warned 9 March 10:00; case 12 March 10:00, answered 12:00, settled 14 March 12:00.
    notice("told first", "2026-03-09T10:00Z"),
    case("told first", "2026-03-12T10:00Z", "2026-03-12T12:00Z", "2026-03-14T12:00Z"),
    # Case 11 March 06:00, our notice only at 08:00; answered by it; settled 13 March 08:00.
    case("buyer first", "2026-03-11T06:00Z", "2026-03-11T09:00Z", "2026-03-13T08:00Z"),
    notice("buyer first", "2026-03-11T08:00Z"),
    # Case 11 March 06:00, answered an hour later, never settled.
    case("case only", "2026-03-11T06:00Z", "2026-03-11T07:00Z"),
    # Settled on 25 March, 14 days after it was raised.
    case("slow", "2026-03-11T06:00Z", "2026-03-11T07:00Z", "2026-03-25T06:00Z"),
)  # fmt: skip


def test_recovery_facts_have_the_failure_detection_acknowledgement_and_resolution_times() -> None:
    with built(**CHAINS) as connection:
        rows = fact_rows(connection, recovery_facts_table, "order_id")
    chain = ("failed_at", "detected_at", "acknowledged_at", "resolved_at")
    assert [rows["told first"][name] for name in chain] == [
        END_OF_10TH, datetime(2026, 3, 9, 10), datetime(2026, 3, 9, 10), datetime(2026, 3, 14, 12),
    ]  # fmt: skip
    assert [rows["buyer first"][name] for name in chain] == [
        END_OF_10TH, datetime(2026, 3, 11, 6), datetime(2026, 3, 11, 8), datetime(2026, 3, 13, 8),
    ]  # fmt: skip
    assert [rows["case only"][name] for name in chain] == [
        END_OF_10TH,
        datetime(2026, 3, 11, 6),
        datetime(2026, 3, 11, 7),
        None,
    ]
    assert [rows["silent"][name] for name in chain] == [END_OF_10TH, None, None, None]
    assert [rows["good"][name] for name in chain] == [None, None, None, None]
    assert {name: row["recovery"] for name, row in rows.items()} == {
        "told first": "recovered",
        "buyer first": "recovered",
        "case only": "unrecovered",
        "silent": "unrecovered",
        "slow": "unrecovered",
        "good": "no failure",
    }


def test_failure_detected_by_us_counts_only_detected_failures() -> None:
    """Four detected, one of them by our notice before any case; one nobody has detected."""
    with built(**CHAINS) as connection:
        assert halves(connection, "failure_detected_by_us") == (1, 4)
        assert one(connection, "failures_undetected").value == 1


def test_failure_detected_by_us_needs_cases_that_buyers_raised() -> None:
    """If only resolutions of the dashboard are cases, every detected failure would be one that we detected."""
    m = mapped_columns
    with built(**CHAINS) as connection:
        shared = one(connection, "recovered_share").value
        connection.execute(update(m).where(m.c.feed == "service_cases").values(source=SOURCE_OF_EDITS))
        found = one(connection, "failure_detected_by_us")
        assert (found.value, found.no_data) == (None, "no data: order_id (map service_cases.order_id)")
        assert one(connection, "recovered_share").value == shared


def test_hours_to_detect_acknowledge_and_resolve_failures() -> None:
    """Detect, from the end of the 10th: -38, 6, 6, 6 and one open. Acknowledge: 0, 2, 1, 1. Resolve: 122, 48, 335 and
    one open.
    """
    with built(**CHAINS) as connection:
        assert one(connection, "detect_hours_p50").value == 6
        assert one(connection, "detect_hours_p90").no_data == "not reached: too many are still open"
        acknowledged = one(connection, "acknowledge_hours_p50")
        assert (acknowledged.value, acknowledged.numerator, acknowledged.denominator) == (1, 4, 4)
        assert one(connection, "acknowledge_hours_p90").value == 2
        resolved = one(connection, "resolve_hours_p50")
        assert (resolved.value, resolved.numerator, resolved.denominator) == (122, 3, 4)


def test_recovered_share_counts_only_failures_whose_ten_days_have_passed() -> None:
    """Two of five within ten days of detection. On 21 March 05:00 the cases of the 11th 06:00 still have an hour. Only
    the warned and the silent order have passed.
    """
    with built(**CHAINS) as connection:
        assert halves(connection, "recovered_share") == (2, 5)
    with built(datetime(2026, 3, 21, 5), **CHAINS) as connection:
        assert halves(connection, "recovered_share") == (1, 2)
        groups = {
            name: row["recovery"] for name, row in fact_rows(connection, recovery_facts_table, "order_id").items()
        }
        assert (groups["case only"], groups["buyer first"], groups["silent"]) == ("open", "recovered", "unrecovered")


def own_sale(order_id: str, **values: str) -> dict[str, list[Row]]:
    """Return an order of a customer of its own."""
    return sale(order_id, customer_id=order_id, **values)


def broken(breakage: str) -> dict[str, list[Row]]:
    """Return an order received on 9 March 15:00 that fails in one way."""
    made = together(own_sale(breakage, received="2026-03-09T15:00Z"), billed(breakage))
    if breakage == "short":
        made["shipment_lines"][0]["received_qty"] = Decimal(90)
    elif breakage == "damaged":
        made["shipment_lines"][0]["damaged_qty"] = Decimal(1)
    elif breakage == "wrong price":
        made["invoice_lines"] = billed(breakage, unit_price_amount="5.10")["invoice_lines"]
    else:
        made["invoices"], made["invoice_lines"] = [], []
    return made


FAILED_AT = {
    "short": END_OF_10TH,
    "damaged": datetime(2026, 3, 9, 15),
    "wrong price": datetime(2026, 3, 11, 23, 59, 59, 999999),
    "never billed": datetime(2026, 3, 16, 15),
}
"""The first failed moment of each kind of failure."""
SINGLE = together(
    own_sale("warned", received="2026-03-12T09:00Z"),
    billed("warned"),
    notice("warned", "2026-03-09T10:00Z"),
    own_sale("warned, short", received="2026-03-12T09:00Z")
    | {"shipment_lines": [shipment_line(shipment_id="warned, short", order_id="warned, short", shipped_qty=90)]},
    billed("warned, short"),
    notice("warned, short", "2026-03-09T10:00Z"),
    own_sale("question before", received="2026-03-12"),
    billed("question before"),
    case("question before", "2026-03-03T10:00Z", "2026-03-03T11:00Z", "2026-03-04T10:00Z", kind="question"),
    case("question before", "2026-03-11T10:00Z", kind="special_request"),
    *[broken(breakage) for breakage in FAILED_AT],
)


def test_a_late_order_without_a_complaint_is_resolved_by_its_goods() -> None:
    with built(**SINGLE) as connection:
        rows = fact_rows(connection, recovery_facts_table, "order_id")
    assert (rows["warned"]["resolved_at"], rows["warned"]["recovery"]) == (datetime(2026, 3, 12, 9), "recovered")
    assert (rows["warned, short"]["resolved_at"], rows["warned, short"]["recovery"]) == (None, "unrecovered")


def test_a_case_resolved_before_the_failure_does_not_count() -> None:
    with built(**SINGLE) as connection:
        row = fact_rows(connection, recovery_facts_table, "order_id")["question before"]
    assert (row["detected_at"], row["resolved_at"], row["recovery"]) == (None, None, "unrecovered")


@pytest.mark.parametrize("breakage", FAILED_AT)
def test_failed_at_is_the_first_failure_time_for_each_kind_of_failure(breakage: str) -> None:
    with built(**SINGLE) as connection:
        row = fact_rows(connection, recovery_facts_table, "order_id")[breakage]
    assert (row["failed"], row["failed_at"]) == (True, FAILED_AT[breakage])


def again(customer_id: str, first: str, *later: str) -> list[dict[str, list[Row]]]:
    """Return a customer's order due 10 March, received on `first`, and later orders.

    The later orders have a distant promise, so they are pending.
    """
    parts = [sale(customer_id, received=first, customer_id=customer_id), billed(customer_id)]
    for day in later:
        parts.append(
            {
                "orders": [
                    order(
                        order_id=f"{customer_id} {day}",
                        customer_id=customer_id,
                        ordered_at=day,
                        promised_by="2026-12-01",
                    )
                ]
            }
        )
        parts.append({"order_lines": [order_line(order_id=f"{customer_id} {day}")]})
    return parts


REORDERS = together(
    *again(
        "A", "2026-03-09", "2026-03-05", "2026-03-19", "2026-03-29"
    ),  # 10 days after arrival; the one of the 5th came before it
    *again("B", "2026-03-09", "2026-04-08"),  # 30 days
    *again("D", "2026-03-09"),  # none in 52 days
    *again("E", "2026-03-09", "2026-03-09"),  # the same bare date: not after it; none in 52 days
    *again("L", "2026-03-20", "2026-03-30"),  # late and never recovered: from the deadline, 20 days
)


def test_reorder_rate_within_30_days_equals_the_hand_calculation() -> None:
    """Waits: A 10, B 30, L 20 days ended; D and E watched for 52. S(30) = 4/5 · 3/4 · 2/3 = 2/5: 60 % ordered again."""
    with built(**REORDERS) as connection:
        rows = fact_rows(connection, recovery_facts_table, "order_id")
        assert {name: rows[name]["reorder_days"] for name in "ABDEL"} == {"A": 10, "B": 30, "D": 52, "E": 52, "L": 20}
        assert rows["L"]["start_day"] == date(2026, 3, 10)
        found = one(connection, "reorder_30")
        assert (found.value, found.numerator, found.denominator) == (0.6, 3, 5)
        by_group = {
            one.dimensions["recovery"]: one for one in answer(connection, Question(("reorder_30",), by=("recovery",)))
        }
        assert (by_group["no failure"].value, by_group["no failure"].denominator) == (0.5, 4)
        assert (by_group["unrecovered"].value, by_group["unrecovered"].denominator) == (1.0, 1)
        # Nobody has been watched for 60 days, and two are still waiting.
        assert (
            one(connection, "reorder_60").no_data == "not known yet: nobody still waiting has been watched long enough"
        )


def test_reorder_wait_cut_short_by_as_of_is_censored() -> None:
    """At the end of 20 March: A after 10 days, B, D, E watched for 11, L's deadline was 10 days ago. Within 10 days:
    1/5.
    """
    with built(datetime(2026, 3, 20, 23, 59, 59, 999999), **REORDERS) as connection:
        rows = fact_rows(connection, recovery_facts_table, "order_id")
        assert {name: (rows[name]["reorder_days"], rows[name]["next_day"] is None) for name in "ABDEL"} == {
            "A": (10, False), "B": (11, True), "D": (11, True), "E": (11, True), "L": (10, True),
        }  # fmt: skip
        assert [
            step.ordered_again for step in reorder_curves(connection, Question(())) if step.group == "no failure"
        ] == [0.0, 0.25]


def test_reorder_curves_have_the_expected_steps() -> None:
    with built(**REORDERS) as connection:
        steps = [
            (step.group, step.days, step.ordered_again, step.watched)
            for step in reorder_curves(connection, Question(()))
        ]
        assert steps == [
            ("no failure", 0, 0.0, 4),
            ("no failure", 10, 0.25, 4),
            ("no failure", 30, 0.5, 3),
            ("unrecovered", 0, 0.0, 1),
            ("unrecovered", 20, 1.0, 1),
        ]
        assert {step.group for step in reorder_curves(connection, Question((), where=(("customer", ("A", "B")),)))} == {
            "no failure"
        }
        assert reorder_curves(connection, Question((), start=date(2026, 3, 11))) == []
        assert [step.days for step in reorder_curves(connection, Question(()), longest=10)] == [0, 10, 0]


def test_unproven_orders_are_excluded_from_reorder_curves() -> None:
    """Neither a failure nor its absence is proven while nothing was billed and the invoice window is open."""
    with built(datetime(2026, 3, 12), **sale("O", received="2026-03-09")) as connection:
        assert fact_rows(connection, recovery_facts_table, "order_id")["O"]["recovery"] == "not proven"
        assert reorder_curves(connection, Question(())) == []


def test_recovery_uses_the_other_four_tests_without_invoices() -> None:
    core = frozenset(name for name in ALL if not name.startswith(("invoices.", "invoice_lines.")))
    with built(mapped=core, **sale("O", received="2026-03-09")) as connection:
        assert fact_rows(connection, recovery_facts_table, "order_id")["O"]["recovery"] == "no failure"


def test_recovery_has_no_facts_and_no_values_without_messages_and_cases() -> None:
    core = frozenset(name for name in ALL if not name.startswith(("messages.", "service_cases.")))
    with built(mapped=core, **CHAINS) as connection:
        assert fact_rows(connection, recovery_facts_table, "order_id") == {}
        for measure in ("recovered_share", "reorder_30", "detect_hours_p50", "retained_margin"):
            assert one(connection, measure).no_data == "no feed: messages or service_cases"
        assert one(connection, "recovery_cost").no_data == "no feed: service_cases"
