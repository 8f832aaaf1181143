"""Orders judged under their customer's contract, worked by hand. Source: rules P10, R4, R10, R35; section 5."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import Connection, select

from metrics.facts import contract_verdicts
from metrics.facts.contract_verdicts import contract_facts_table, policy_of
from metrics.model.question import Question
from metrics.policy import STRICT, Policy
from metrics.queries.answer import answer
from metrics.schema import FEEDS, policies
from tests.support.ask_measures import only
from tests.support.builders import (
    Records,
    customer,
    everything,
    order,
    order_line,
    policy_version,
    records,
    shipment,
    shipment_line,
)
from tests.support.engines import memory
from tests.support.sql_facts import build

filled = only(contract_verdicts)

END_OF_APRIL = datetime(2026, 4, 30, 23, 59, 59, 999999)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    engine = memory()
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def history(key: str, customer_id: str, came: str, quantity: int = 100, ordered: str = "2026-03-01") -> Records:
    """An order of 100 due on 10 March."""
    return records(
        orders=[order(order_id=key, customer_id=customer_id, ordered_at=ordered)],
        order_lines=[order_line(order_id=key)],
        shipments=[shipment(shipment_id=key, shipped_at="2026-03-05", received_at=came)],
        shipment_lines=[shipment_line(shipment_id=key, order_id=key, shipped_qty=quantity)],
    )


def loaded(*many: Records) -> Records:
    """K1 is strict in January and February, and has 2 days and 2 % of tolerance from March. K2 has a window."""
    feeds = {feed: [row for one in many for row in one[feed]] for feed in many[0]}
    feeds["customers"] = [
        customer(policy_id="K1"),
        customer(customer_id="W", policy_id="K2"),
        customer(customer_id="N"),
        customer(customer_id="S", policy_id="K1"),
        customer(customer_id="S", valid_from="2026-03-15", policy_id=None),
    ]
    feeds["policies"] = [
        policy_version(),
        policy_version(valid_from="2026-03-01", late_tolerance_days=2, under_tolerance_share="0.02"),
        policy_version(policy_id="K2", timing="WINDOW"),
        policy_version(policy_id="K2", valid_from="2026-06-01", late_tolerance_days=9),
    ]
    return feeds


HISTORIES = loaded(
    history("A late and two short", "C", "2026-03-12", 98),
    history("B under the old version", "C", "2026-03-12", ordered="2026-02-28"),
    history("C a day too early", "W", "2026-03-09"),
    history("D no contract", "N", "2026-03-12"),
    history("E three short", "C", "2026-03-12", 97),
    history("F contract ended since", "S", "2026-03-10"),
    history("G after it ended", "S", "2026-03-20", ordered="2026-03-16"),
)


def test_r35_order_is_judged_by_the_contract_valid_on_its_order_day(connection: Connection) -> None:
    build(connection, HISTORIES, END_OF_APRIL, everything(*FEEDS))
    c = contract_facts_table.c
    verdicts = {
        row[0][0]: tuple(row[1:])
        for row in connection.execute(select(c.order_id, c.policy_id, c.on_time, c.complete, c.otif, c.due_day))
    }
    assert verdicts == {
        "A": ("K1", True, True, True, date(2026, 3, 10)),
        "B": ("K1", False, True, False, date(2026, 3, 10)),
        "C": ("K2", False, True, False, date(2026, 3, 10)),
        "E": ("K1", True, False, False, date(2026, 3, 10)),
        "F": ("K1", True, True, True, date(2026, 3, 10)),
    }


def test_r35_the_contract_verdict_does_not_change_the_strict_one(connection: Connection) -> None:
    """Under contract, A, E and F of 5 are on time, and A and F are also in full. Strictly, C and F of 7 are."""
    build(connection, HISTORIES, END_OF_APRIL, everything(*FEEDS))
    answers = answer(connection, Question(("on_time_contract", "otif_contract", "on_time", "otif")))
    assert [(answered.numerator, answered.denominator) for answered in answers] == [(3, 5), (2, 5), (2, 7), (2, 7)]
    by_policy = answer(connection, Question(("on_time_contract",), by=("policy",)))
    assert [(part.dimensions["policy"], part.numerator, part.denominator) for part in by_policy] == [
        ("K1", 3, 4),
        ("K2", 0, 1),
    ]


def test_without_the_feed_policies_no_order_is_under_contract(connection: Connection) -> None:
    without = frozenset(name for name in everything(*FEEDS) if not name.startswith("policies."))
    build(connection, HISTORIES, END_OF_APRIL, without)
    (under_contract,) = answer(connection, Question(("on_time_contract",)))
    assert (under_contract.value, under_contract.no_data) == (None, "no feed: policies")
    assert connection.execute(select(contract_facts_table.c.order_id)).all() == []


def test_empty_contract_settings_use_the_strict_policy(connection: Connection) -> None:
    build(connection, HISTORIES, END_OF_APRIL, everything(*FEEDS))
    rows = list(connection.execute(select(policies).order_by(policies.c.policy_id, policies.c.valid_from)).mappings())
    assert policy_of(rows[0]) == STRICT
    assert policy_of(rows[1]) == Policy(late_tolerance_days=2, under_tolerance_share=Decimal("0.02"))


def test_an_invalid_contract_is_named_in_the_error(connection: Connection) -> None:
    impossible = HISTORIES | {"policies": [policy_version(late_tolerance_days=400)]}
    with pytest.raises(
        ValueError,
        match="policies K1, valid from 2026-01-01: policy key late_tolerance_days: 400; write a number of days",
    ):
        build(connection, impossible, END_OF_APRIL, everything(*FEEDS))
    connection.rollback()  # as the end of a run that fails
