"""Compare recoveries and their costs with a count of random records in plain Python."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from sqlalchemy import Connection

from metrics.facts.orders import order_line_facts_table
from metrics.facts.recoveries import recovery_facts_table
from metrics.lists import recovery as recovery_module
from metrics.model.question import Question
from tests.metrics.facts.contacts.counts import RECORDS, Facts, counted, waited
from tests.reference import random_contacts
from tests.support.ask_measures import AS_OF, by, fact_rows, one


def test_recovery_facts_equal_a_recount_of_the_records(connection: Connection, orders: Facts) -> None:
    expected = random_contacts.failures(RECORDS, orders, AS_OF)
    rows = fact_rows(connection, recovery_facts_table, "order_id")
    assert set(rows) == {name for name, facts in orders.items() if facts["state"] == "judged"}
    assert {name for name, row in rows.items() if row["failed"]} == set(expected)
    for name, chain in expected.items():
        assert {key: rows[name][key] for key in chain} == chain, name
    sound = {name for name, row in rows.items() if row["recovery"] == "no failure"}
    assert sound == {name for name in rows if orders[name]["perfect_order"]}
    reordered = random_contacts.reorders(RECORDS, orders, {name: row["recovery"] for name, row in rows.items()}, AS_OF)
    assert {name: (row["reorder_days"], row["next_day"] is not None) for name, row in rows.items()} == reordered
    for group in ("no failure", "recovered", "unrecovered"):
        waits = [reordered[name] for name, row in rows.items() if row["recovery"] == group]
        reordered_30 = one(connection, "reorder_30", where=(("recovery", (group,)),))
        assert reordered_30.value == pytest.approx(float(1 - random_contacts.surviving(waits, 30)))
        steps = [step for step in recovery_module.reorder_curves(connection, Question(())) if step.group == group]
        assert len(steps) > 3
        for step in steps[1:]:
            assert step.ordered_again == pytest.approx(float(1 - random_contacts.surviving(waits, step.days)))
            assert step.watched == sum(days >= step.days for days, _ in waits)
    known = [chain["by_us"] for chain in expected.values() if chain["detected_at"]]
    assert counted(connection, "failure_detected_by_us") == random_contacts.share(known)
    passed = [chain for chain in expected.values() if chain["limit_passed"]]
    assert counted(connection, "recovered_share")[:2] == (
        sum(chain["recovery"] == "recovered" for chain in passed),
        len(passed),
    )
    gaps = [(chain["failed_at"], chain["detected_at"]) for chain in expected.values()]
    waited(
        connection,
        "detect_hours_p50",
        [(random_contacts.minutes(a, b or AS_OF), b is not None) for a, b in gaps],
        Fraction(1, 2),
    )
    gaps = [(chain["acknowledged_at"], chain["resolved_at"]) for chain in expected.values() if chain["acknowledged_at"]]
    waited(
        connection,
        "resolve_hours_p50",
        [(random_contacts.minutes(a, b or AS_OF), b is not None) for a, b in gaps],
        Fraction(1, 2),
    )


def test_retained_margins_equal_a_recount_of_the_records(connection: Connection, orders: Facts) -> None:
    lines = fact_rows(connection, order_line_facts_table, "order_id")  # one line per order
    checked = 0
    for row in fact_rows(connection, recovery_facts_table, "order_id").values():
        if not row["failed"] or row["start_day"] + timedelta(90) > AS_OF.date():
            assert row["retained_amount"] is None
            continue
        checked += 1
        assert row["retained_amount"] == random_contacts.retained(orders, lines, row["start_day"], row["customer_id"])
    assert checked > 3


def test_recovery_costs_equal_a_recount_of_the_records(connection: Connection, orders: Facts) -> None:
    failed = random_contacts.failures(RECORDS, orders, AS_OF)
    cases = sum(
        row["cost_amount"] or 0
        for row in RECORDS["service_cases"]
        if row["order_id"] in failed
        and row["kind"] not in ("special_request", "sudden_change")
        and random_contacts.happened(row, "opened_at", AS_OF)
    )
    replaced = [name for name, facts in orders.items() if facts["order_type"] == "replacement"]
    shipped = [
        row
        for row in RECORDS["shipments"]
        if row["shipment_id"] in replaced and random_contacts.happened(row, "shipped_at", AS_OF)
    ]
    costs = {activity: value for activity, (value, _) in by(connection, "recovery_cost", "activity").items()}
    assert costs == {"case": cases, "replacement": Decimal(100 * 3 * len(shipped))}
