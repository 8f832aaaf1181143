"""Worked examples for the reference implementation: anchors, delivery groups, contracts and shares.

Clocks, money and stockouts have files of their own.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.reference.measures import Counted, measure
from tests.reference.test_reference_stockouts import met
from tests.reference.verdicts import contracts, judge
from tests.support.builders import (
    Records,
    customer,
    everything,
    order_event,
    order_line,
    policy_version,
    product,
    promise,
)
from tests.support.contact_builders import service_case
from tests.support.rule_cases import END_OF_APRIL, both, day, end_of, history, renamed, sent


def test_r01_padding_is_two_days_and_each_anchor_has_its_verdict() -> None:
    """Requested 10, promised 12, the seller moves it to 20 on day 11, received 15."""
    moved = history(sent(14, 15), requested_by=day(10), promised_by=day(12)) | {
        "promises": [promise(changed_by="seller", changed_at=day(11))]
    }
    verdicts = {
        anchor: judge(moved, {"anchor": anchor}, END_OF_APRIL, everything() | everything("promises"))
        .orders["O"]
        .findings["on_time"]
        .verdict
        for anchor in ("requested", "first_promise", "current_promise")
    }
    assert verdicts == {"requested": False, "first_promise": False, "current_promise": True}
    line = judge(moved, {}, END_OF_APRIL, everything()).lines["O", "1"]
    assert line.promise_at is not None
    assert line.request_at is not None
    assert line.promise_at - line.request_at == timedelta(days=2)


def test_r16_groups_are_judged_separately_and_the_order_requires_all_of_them() -> None:
    """Line 1 due 5 received 5, line 2 due 20 received 22: one of two groups is on time, the order is late."""
    two = [order_line(promised_by=day(5)), order_line(line_no="2", promised_by=day(20))]
    found = judge(
        history(sent(4, 5, line_no="1"), sent(21, 22, line_no="2"), lines=two), {}, END_OF_APRIL, everything()
    ).orders["O"]
    assert {deadline: group.findings["on_time"].verdict for deadline, group in found.groups.items()} == {
        end_of(5): True,
        end_of(20): False,
    }
    assert found.groups[end_of(5)].findings["perfect_order"].verdict is True
    assert found.findings["on_time"].verdict is False


def test_scor4_is_the_perfect_order() -> None:
    late_and_wrong = history(sent(8, 15), sent(16, 17, received_place="P2"), bills=[{}])
    for records in (history(sent(8, 9)), late_and_wrong, history(sent(9, None)), history(sent(8, 9), bills=[])):
        found = judge(records, {}, END_OF_APRIL, everything()).orders["O"]
        assert found.scor4 is found.findings["perfect_order"].verdict


CHANGED = everything() | everything("order_events", "service_cases")
OFFERED = order_event(step=11, started_at=day(10), finished_at=day(12))
"""The first attempt to deliver, on the 10th."""
SUDDEN = service_case(kind="sudden_change", opened_at="2026-03-09T09:00Z")
NOT_SHIPMENTS = frozenset({"shipments.attempted_at", "shipments.failure_caused_by"})


@pytest.mark.parametrize(
    ("more", "attributable"),
    [
        ({"order_events": [OFFERED], "service_cases": [SUDDEN]}, True),
        ({"order_events": [OFFERED]}, False),
        ({"order_events": [OFFERED], "service_cases": [SUDDEN | {"kind": "complaint"}]}, False),
        ({"order_events": [OFFERED], "service_cases": [service_case(kind="sudden_change", opened_at=day(12))]}, False),
        ({"order_events": [order_event(step=11, started_at=day(11))], "service_cases": [SUDDEN]}, False),
        ({"order_events": [OFFERED | {"event_no": 2}], "service_cases": [SUDDEN]}, False),
    ],
)
def test_r29_lateness_after_a_sudden_change_by_the_buyer_is_attributable_to_the_buyer(
    more: Records, attributable: bool
) -> None:
    """Due 10, offered on the 10th, sudden change on the 9th, received 12: late, but caused by the buyer."""
    found = judge(history(sent(9, 12)) | more, {}, END_OF_APRIL, CHANGED - NOT_SHIPMENTS).orders["O"]
    assert found.findings["on_time"].verdict is False
    assert found.on_time_attributable is attributable


def test_r29_columns_of_the_shipment_take_precedence_over_events_and_cases() -> None:
    records = history(sent(9, 12)) | {"order_events": [OFFERED], "service_cases": [SUDDEN]}
    assert judge(records, {}, END_OF_APRIL, CHANGED).orders["O"].on_time_attributable is False
    records["shipments"][0] |= {
        "attempted_at": datetime(2026, 3, 10),
        "attempted_at_is_date": True,
        "failure_caused_by": "buyer",
    }
    assert judge(records, {}, END_OF_APRIL, CHANGED).orders["O"].on_time_attributable is True


def test_r35_order_has_the_contract_of_its_customer_on_the_order_day() -> None:
    """The order of 1 March has contract K1 in its version of the order day, with two days of tolerance.

    K1 changes to five days on 1 April. The customer changes to K2 with nine days on 2 March.
    """
    records = history(sent(8, 12)) | {
        "customers": [customer(policy_id="K1"), customer(valid_from="2026-03-02", policy_id="K2")],
        "policies": [
            policy_version(late_tolerance_days=2),
            policy_version(valid_from="2026-04-01", late_tolerance_days=5),
            policy_version(policy_id="K2", late_tolerance_days=9),
        ],
    }
    policy_id, found = contracts(records, END_OF_APRIL, everything() | everything("policies"))["O"]
    assert (policy_id, found.deadline_at, found.findings["on_time"].verdict) == ("K1", end_of(12), True)
    strict = judge(records, {}, END_OF_APRIL, everything() | everything("policies")).orders["O"]
    assert strict.findings["on_time"].verdict is False
    assert strict.due_day == found.due_day == date(2026, 3, 10)


def test_r35_a_customer_without_a_contract_has_no_contractual_result() -> None:
    records = history(sent(8, 12)) | {"customers": [customer()], "policies": [policy_version()]}
    assert contracts(records, END_OF_APRIL, everything() | everything("policies")) == {}


def test_r31_a_group_is_weighted_by_its_orders() -> None:
    """X 1/1 and Y 50/99: 51/100, not 75.25 %."""
    together = Counted()
    for verdict in [True] * 51 + [False] * 49:
        together.add(verdict)
    assert (together.numerator, together.denominator) == (51, 100)


def test_r31_otif_is_decided_on_each_order() -> None:
    """(on time, in full) = (1,0), (1,0), (0,1), (0,1): OTIF 0 %, not 25 %."""
    late, short = sent(11, 12), sent(8, 9, 90)
    orders = [renamed(history(one), f"O{number}") for number, one in enumerate((short, short, late, late))]
    judged = judge(both(*orders), {}, END_OF_APRIL, everything())
    assert measure(judged, "on_time")[(None,)].value == measure(judged, "complete")[(None,)].value == 0.5
    assert measure(judged, "otif")[(None,)].value == 0


def test_r18_nothing_judged_has_no_value() -> None:
    assert Counted().value is None


def test_r36_unknown_orders_are_excluded_from_the_value() -> None:
    """10 judged, 6 true, 2 false, 2 unknown: 6/8."""
    found = Counted()
    for verdict in [True] * 6 + [False] * 2 + [None] * 2:
        found.add(verdict)
    assert (found.value, found.judged, found.unknown) == (0.75, 10, 2)


def test_r39_drop_shipped_line_is_judged_like_any_other_line() -> None:
    """Due 10: 60 from own stock, 40 from a supplier on the 12th. The line is late and a stockout."""
    found = met(history(sent(7, 8, 60), sent(11, 12, 40, carrier="supplier")))
    assert found is not None
    assert found.short_qty == 40


def test_r11_rounding_step_depends_on_the_base_unit_of_the_product() -> None:
    records = history(sent(8, 9)) | {"products": [product(base_unit="kg")]}
    assert judge(records, {}, END_OF_APRIL, everything()).lines["O", "1"].half_step == Decimal("0.0005")
