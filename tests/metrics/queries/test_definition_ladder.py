"""The definition ladder, worked by hand on ten orders and checked on random orders."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from metrics.facts import anchor_dates
from metrics.queries.definition_ladder import RUNGS, Findings, Ladder, available_rungs, definition_ladder
from metrics.queries.what_if import View
from tests.metrics.queries.test_answer import customers, history, of, publish, together
from tests.support.ask_measures import only
from tests.support.builders import everything
from tests.support.engines import memory

filled = only(anchor_dates)

NAMES = [rung.name for rung in RUNGS]


def histories() -> list[Any]:
    """Return an order promised on 10 March and requested on 9 March by default."""
    asked = {"requested_by": "2026-03-09"}
    wrong = history(5, came="2026-03-09", **asked)
    wrong["shipment_lines"][0]["product_id"] = "Q"
    wrong["shipment_lines"].append(wrong["shipment_lines"][0] | {"shipment_line_no": "2", "product_id": "P"})
    unbilled = history(7, came="2026-03-09", **asked)
    unbilled["invoices"], unbilled["invoice_lines"] = [], []
    dropped = {"cancelled_at": "2026-03-05", "cancelled_by": "buyer", "cancel_reason": "changed mind"}
    return [
        history(0, came="2026-03-09", **asked),  # perfect
        history(1, came="2026-03-15", **asked),  # too late for every rung
        history(2, came="2026-03-12", **asked),  # within three days
        history(3, came=None, left=None, **asked),  # never sent: fails from L4 on, the first rung that counts it
        history(4, came="2026-03-10", **asked),  # kept the promise, not the request
        wrong,  # the right goods arrived in time, together with wrong goods
        history(6, came="2026-03-09", damaged=1, **asked),
        unbilled,
        history(8, came=None, left=None, **asked, **dropped),  # excused: only on the last rung
        history(9, came=None, left="2026-03-09", **asked),  # unproven: unknown from L4 on, where it is in the base
    ]


def known_failure() -> Any:
    """Return a good order, and a damaged order whose bill cannot be judged."""
    damaged = history(21, damaged=1, requested_by="2026-03-10")
    damaged["invoice_lines"][0]["billed_qty"] = None
    return together(history(20, requested_by="2026-03-10"), damaged)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    engine = memory()
    with engine.connect() as opened:
        yield opened
    engine.dispose()


@pytest.fixture(scope="module")
def ladders() -> Iterator[dict[str, Ladder]]:
    """The ladder of each group of orders. A group is a customer."""
    cancelled = together(histories()[8])
    for feed in cancelled:
        for row in cancelled[feed]:
            row |= {"order_id": "cancelled"} if "order_id" in row else {}
            row |= {name: f"of {row[name]}" for name in ("shipment_id", "invoice_id") if name in row}
    groups = {"ten orders": together(*histories()), "known failure": known_failure(), "cancelled": cancelled}
    engine = memory()
    with engine.connect() as opened:
        publish(opened, together(*[of(name, orders) for name, orders in groups.items()]))
        yield {name: definition_ladder(opened, view=View(where=customers(name))) for name in groups}
    engine.dispose()


def test_every_rung_of_the_ladder_has_the_expected_counts(ladders: dict[str, Ladder]) -> None:
    found = ladders["ten orders"]
    assert {step.rung.name: (step.numerator, step.denominator) for step in found.steps} == {
        "L1": (6, 7),  # arrived: all but 1
        "L2": (5, 7),  # 2 is late
        "L3": (5, 7),
        "L4": (5, 8),  # 3 is counted
        "L5": (4, 8),  # 4 came after the request
        "L6": (4, 8),
        "L7": (3, 8),  # wrong goods
        "L8": (2, 8),  # damage
        "L9": (1, 8),  # never billed
        "L10": (1, 9),  # the order that the buyer cancelled
    }
    assert {step.rung.name: step.unknown for step in found.steps} == {
        name: 0 if name in ("L1", "L2", "L3") else 1 for name in NAMES
    }
    assert found.orders == 10
    assert found.steps[0].value == 6 / 7
    assert (found.steps[3].value, found.steps[3].answer.worst, found.steps[3].answer.best) == (None, 5 / 9, 6 / 9)


def test_a_known_failure_counts_even_if_another_test_is_unknown(ladders: dict[str, Ladder]) -> None:
    """N2: nobody can tell whether the bill of a damaged order is right. L8 and L9: 1 of 2, nothing unknown."""
    steps = {step.rung.name: step for step in ladders["known failure"].steps}
    for name in ("L8", "L9"):
        assert (steps[name].numerator, steps[name].denominator, steps[name].unknown) == (1, 2, 0)


def test_without_a_requested_date_completeness_is_still_tested(connection: Connection) -> None:
    """N22: two orders on time, one of them 1 of 100. No request is mapped: L5 is skipped, L6 to L10 are 1 of 2."""
    short = history(1)
    short["shipment_lines"][0]["shipped_qty"] = 1
    short["invoice_lines"][0] |= {"billed_qty": 1, "line_amount": 5, "tax_amount": 1}
    mapped = frozenset(name for name in everything() if not name.endswith(".requested_by"))
    publish(connection, together(history(0), short), mapped=mapped)
    steps = {step.rung.name: step for step in definition_ladder(connection).steps}
    assert [name for name in NAMES if steps[name].skipped] == ["L5"]
    assert (steps["L4"].numerator, steps["L4"].denominator) == (2, 2)
    assert {(steps[name].numerator, steps[name].denominator) for name in NAMES[5:]} == {(1, 2)}
    assert steps["L6"].rung.adds == "complete: on time in full"


def test_without_any_date_completeness_is_tested_alone(connection: Connection) -> None:
    """Neither promise nor request is mapped: L1 to L5 are skipped, L6 to L10 are 1 of 2."""
    short = history(1)
    short["shipment_lines"][0]["shipped_qty"] = 1
    short["invoice_lines"][0] |= {"billed_qty": 1, "line_amount": 5, "tax_amount": 1}
    mapped = frozenset(name for name in everything() if not name.endswith((".requested_by", ".promised_by")))
    publish(connection, together(history(0), short), mapped=mapped)
    steps = {step.rung.name: step for step in definition_ladder(connection).steps}
    assert [name for name in NAMES if steps[name].skipped] == ["L1", "L2", "L3", "L4", "L5"]
    assert {(steps[name].numerator, steps[name].denominator) for name in NAMES[5:]} == {(1, 2)}


def test_rungs_without_a_feed_are_skipped_by_name(connection: Connection) -> None:
    mapped = frozenset(
        name
        for name in everything()
        if not name.startswith(("invoice", "returns")) and name != "shipment_lines.damaged_qty"
    )
    publish(connection, together(*histories()), mapped=mapped)
    steps = {step.rung.name: step for step in definition_ladder(connection).steps}
    assert {name: step.skipped for name, step in steps.items() if step.skipped} == {
        "L8": "no data: shipment_lines.damaged_qty or invoices.credit_reason or returns.reason",
        "L9": "no data: invoice_lines.line_amount",
    }
    assert (steps["L7"].numerator, steps["L10"].numerator, steps["L10"].denominator) == (3, 3, 9)


def test_a_rung_without_orders_has_no_rate(ladders: dict[str, Ladder]) -> None:
    assert [step.value for step in ladders["cancelled"].steps] == [*[None] * 9, 0.0]


VERDICT = st.sampled_from([True, False, None])
FINDINGS = st.builds(Findings, st.booleans(), st.booleans(), st.booleans(), *[VERDICT] * 7)


@given(
    st.lists(FINDINGS.filter(lambda one: one.arrived or one.by_first is not True), max_size=30)
)  # goods that never arrived cannot have been on time
def test_ladder_rates_never_rise_and_denominators_never_shrink(orders: list[Findings]) -> None:
    places = [available_rungs(one) for one in orders]
    bases = [sum(one[name][0] for one in places) for name in NAMES]
    assert bases == sorted(bases)
    passed = [sum(one[name][0] and one[name][1] is True for one in places) for name in NAMES]
    failed = [sum(one[name][0] and one[name][1] is False for one in places) for name in NAMES]
    assert failed == sorted(failed)
    assert passed[3:] == sorted(passed[3:], reverse=True)
    assert passed[:3] == sorted(passed[:3], reverse=True)
    known = [good + bad for good, bad in zip(passed, failed, strict=True)]
    assert all(n0 * d1 >= n1 * d0 for n0, d0, n1, d1 in zip(passed, known, passed[1:], known[1:], strict=False) if d0)
