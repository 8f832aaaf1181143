"""Hand-worked cases of each rule of `affected_orders`, and a list of what it knows of the judgement.

Every order is due at the end of 10 March (UTC), the data end with 30 April, and a tolerance of one day reaches four
days: the day and MARGIN_DAYS.
"""

import ast
from collections.abc import Iterator
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection

from metrics.facts import anchor_dates, orders
from metrics.policy import STRICT, Anchor, OpenBalance, Policy, Rebase, ReceiptEvent, Timing
from metrics.queries.affected_orders import changed_by_policies, other_tests_changed_by_request
from tests.reference.random_orders import prefixed
from tests.support.ask_measures import only
from tests.support.builders import CORE, Records, everything, order_line, promise, restated_quantity
from tests.support.engines import memory
from tests.support.rule_cases import END_OF_APRIL, SERVICE, day, history, sent
from tests.support.sql_facts import build

filled = only(anchor_dates)

A_DAY = Policy(late_tolerance_days=1)
BY_REQUEST = Policy(anchor=Anchor.REQUESTED)
BY_PROMISE = Policy(anchor=Anchor.CURRENT_PROMISE)
TWO_LINES = [order_line(), order_line(line_no="2")]
AT_DAY_15 = "2026-03-15T00:00:00Z"


def restated(*quantities: tuple[int, int]) -> Records:
    """Return a delivery in time, with changes of quantity."""
    rows = [restated_quantity(before_qty=before, after_qty=after) for before, after in quantities]
    return history(sent(8, 9)) | {"restated_quantities": rows}


def promised(by: str, **order: object) -> Records:
    """Return a delivery in time, with a change of the promise."""
    return history(sent(8, 9), **order) | {"promises": [promise(changed_by=by)]}


TOLERANCE: dict[str, tuple[Records, bool]] = {
    "in time": (history(sent(8, 10)), False),
    "late by a day": (history(sent(8, 11)), True),
    "late at the end of the reach": (history(sent(8, 14)), True),
    "late after the reach": (history(sent(8, AT_DAY_15)), False),
    "nothing received": (history(), False),
    "one line late, one in time": (history(sent(8, 11), sent(8, 9, line_no="2"), lines=TWO_LINES), True),
    "one line late, one after the reach": (history(sent(8, 11), sent(8, 15, line_no="2"), lines=TWO_LINES), False),
    "one line late, one never received": (history(sent(8, 11), lines=TWO_LINES), False),
    "no receipt recorded": (history(sent(8, None)), True),
    "cancelled by the buyer": (
        history(sent(8, 9), cancelled_at=day(12), cancelled_by="buyer", cancel_reason="changed_mind"),
        True,
    ),
    "cancelled by the seller": (
        history(sent(8, 9), cancelled_at=day(12), cancelled_by="seller", cancel_reason="changed_mind"),
        False,
    ),
    "line cancelled by the buyer": (
        history(sent(8, 9), wanted={"cancelled_at": day(12), "cancelled_by": "buyer", "cancelled_qty": 20}),
        True,
    ),
    "line cancelled by the seller": (
        history(sent(8, 9), wanted={"cancelled_at": day(12), "cancelled_by": "seller", "cancelled_qty": 20}),
        False,
    ),
    "another quantity": (restated((100, 120)), True),
    "another quantity for a while": (restated((100, 100), (80, 80)), True),
    "several versions of one quantity": (restated((100, 100), (100, 100)), False),
    "due at the end of the data less the reach": (history(sent(8, 9), promised_by="2026-04-26"), False),
    "due a day later": (history(sent(8, 9), promised_by="2026-04-27"), True),
    "only a service": (history(lines=[SERVICE], bills=[{"line_no": "1", "billed_qty": 1}]), True),
    "promise moved by the buyer": (promised("buyer"), True),
    "promise moved by the seller": (promised("seller"), False),
}
"""Records of an order, and if a tolerance of a day affects it."""
DATES: dict[str, tuple[Records, Policy, bool]] = {
    "the same date requested": (history(sent(8, 9), requested_by=day(10)), BY_REQUEST, False),
    "another date requested": (history(sent(8, 9), requested_by=day(9)), BY_REQUEST, True),
    "another date requested, by the promise": (history(sent(8, 9), requested_by=day(9)), BY_PROMISE, False),
    "promise moved, by the promise": (promised("seller"), BY_PROMISE, True),
    "promise moved, by the same request": (promised("seller", requested_by=day(10)), BY_REQUEST, False),
    "no date requested": (history(sent(8, 9)), BY_REQUEST, True),
    "late, by the promise": (history(sent(8, 11)), BY_PROMISE, False),
}
ALL = {name: records for name, (records, *_) in [*TOLERANCE.items(), *DATES.items()]}


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """Return all orders of the cases in one database. The id of an order is the name of its case."""
    together: Records = {}
    for name, records in ALL.items():
        for feed, rows in prefixed(records, name).items():
            together.setdefault(feed, []).extend(rows)
    for product in together["products"]:
        product["product_id"] = product["product_id"].rpartition("-")[2]
    together["products"] = [one for number, one in enumerate(together["products"]) if number < 2]
    engine = memory()
    with engine.connect() as opened:
        build(opened, together, END_OF_APRIL, everything(*CORE, "promises"))
        yield opened
    engine.dispose()


def affected(connection: Connection, *policies: Policy) -> set[str]:
    found = changed_by_policies(connection, policies)
    assert found is not None
    return {row.order_id.removesuffix("-O") for row in connection.execute(found)}


def test_a_tolerance_affects_exactly_these_orders(connection: Connection) -> None:
    expected = {name for name, (_, changes) in TOLERANCE.items() if changes}
    assert affected(connection, A_DAY) & TOLERANCE.keys() == expected
    in_hours = Policy(late_tolerance_hours=Decimal(24))
    assert affected(connection, in_hours) & TOLERANCE.keys() == expected


def test_another_date_affects_exactly_these_orders(connection: Connection) -> None:
    for name, (_, policy, changes) in DATES.items():
        assert (name in affected(connection, policy)) is changes, name


def test_another_requested_date_affects_other_tests_of_exactly_these_orders(connection: Connection) -> None:
    """No order of these has a requested date. Of all others, the date can change only the test of time."""
    found = {order_id.removesuffix("-O") for order_id in connection.scalars(other_tests_changed_by_request())}
    assert found == {
        "no receipt recorded",
        "cancelled by the buyer",
        "line cancelled by the buyer",
        "another quantity",
        "another quantity for a while",
        "only a service",
    }


def test_several_policies_affect_the_orders_of_each(connection: Connection) -> None:
    each = [affected(connection, policy) for policy in (A_DAY, BY_REQUEST, BY_PROMISE)]
    assert affected(connection, A_DAY, BY_REQUEST, BY_PROMISE) == set.union(*each)
    assert affected(connection, STRICT) == set()


OTHERS = {
    "timing": Timing.WINDOW,
    "early_tolerance_days": 1,
    "early_tolerance_hours": Decimal(1),
    "under_tolerance_share": Decimal("0.1"),
    "over_tolerance_share": Decimal("0.1"),
    "claims_days": 31,
    "invoice_days": 8,
    "undated_days": 31,
    "rebase": Rebase.NONE,
    "allow_substitution": False,
    "receipt_event": ReceiptEvent.SHIPPED_AT,
    "open_balance": OpenBalance.LATE,
    "fault_reasons": ("late",),
}
"""Every policy key that may affect any order, with another value."""


def test_every_other_key_of_a_policy_may_affect_any_order(connection: Connection) -> None:
    known = {"late_tolerance_days", "late_tolerance_hours", "anchor"}
    assert {one.name for one in fields(Policy)} == known | OTHERS.keys(), "give a new key a rule and a case"
    for name, value in OTHERS.items():
        assert changed_by_policies(connection, [A_DAY, replace(STRICT, **{name: value})]) is None, name


DEADLINE_USED = {
    "due_dates.dated_lines": "sets the deadline",
    "promise_revisions.rebased_promises": "the buyer's promises",
    "promise_revisions._accepted": "the buyer's promises",
    "line_verdicts._not_due": "an order whose last deadline is near",
    "line_verdicts._with_verdicts": "lines that are not in time",
    "line_verdicts._next_change": "no verdict: when time may change one",
    "order_verdicts.judged_orders": "no verdict: the last deadline of an order",
    "order_verdicts._last_dates": "no verdict: the last deadline of an order",
    "owed.owed_quantities": "the buyer's cancellations",
    "owed._restated": "changed quantities",
    "receipt_verdicts.four_cases": "lines that are not in time",
    "receipt_verdicts.timing_codes": "lines that are not in time",
    "receipts.consignments": "lines that are not in time",
    "receipts._arrived": "lines that are not in time",
    "receipts._unproven": "shipments without a receipt",
}
"""Functions of the judgement that read a deadline, with the rule for the orders that they can change."""


def test_every_use_of_a_deadline_is_known() -> None:
    """A new use may change orders that no rule names. Then judging again would leave out an order that changes."""
    found = {
        f"{path.stem}.{function.name}"
        for path in Path(orders.__file__).parent.glob("*.py")
        for function in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(function, ast.FunctionDef)
        for part in ast.walk(function)
        if (isinstance(part, ast.Attribute) and part.attr == "deadline_at")
        or (isinstance(part, ast.Constant) and part.value == "deadline_at")
    }
    assert found == DEADLINE_USED.keys(), "give a new use a rule in affected_orders.py and a case here"
