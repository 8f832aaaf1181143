"""The independent judge against the worked examples that are about more than one order's verdicts: contracts, groups,
clocks, money, stockouts.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests.reference.cycle_times import (
    MIN_N,
    beyond_promise,
    budgets,
    budgets_of_segment,
    business_time,
    buyers_holds,
    clean_order_at,
    merged,
    nearest_rank,
    net_day,
    net_time,
    sample_sd,
    slack,
    survival,
    survival_median,
)
from tests.reference.measures import Counted, measure
from tests.reference.money import net_sales, net_sales_of_orders, posted, rate
from tests.reference.stockouts import Stockout, expected_cost, stockouts
from tests.reference.verdicts import STRICT, Judge, contracts, judge
from tests.support.builders import (
    Records,
    Row,
    calendar_day,
    customer,
    everything,
    fx_rate,
    hold,
    invoice,
    invoice_line,
    order,
    order_event,
    order_line,
    policy_version,
    product,
    promise,
    service_case,
)
from tests.support.rule_cases import END_OF_APRIL, both, day, end_of, history, renamed, sent

HOUR = timedelta(hours=1)


def hours_between(start: str, end: str) -> timedelta:
    return datetime.fromisoformat(end) - datetime.fromisoformat(start)


# ---------------------------------------------------------------- one order by more than one date (R1, R16, R29, R35)


def test_r01_padding_is_two_days_and_each_anchor_has_its_verdict() -> None:
    """Requested 10, promised 12, the seller moves it to 20 on day 11, received 15."""
    moved = history(sent(14, 15), requested_by=day(10), promised_by=day(12)) | {
        "promises": [promise(changed_by="seller", changed_at=day(11))]
    }
    said = {
        anchor: judge(moved, {"anchor": anchor}, END_OF_APRIL, everything() | everything("promises"))
        .orders["O"]
        .findings["on_time"]
        .verdict
        for anchor in ("requested", "first_promise", "current_promise")
    }
    assert said == {"requested": False, "first_promise": False, "current_promise": True}
    line = judge(moved, {}, END_OF_APRIL, everything()).lines["O", "1"]
    assert line.promise_at is not None
    assert line.request_at is not None
    assert line.promise_at - line.request_at == timedelta(days=2)


def test_r16_groups_are_graded_alone_and_the_order_passes_with_all_of_them() -> None:
    """Line 1 due 5 received 5, line 2 due 20 received 22: groups 1/2, order on_time false."""
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
def test_r29_late_by_the_buyers_change(more: Records, attributable: bool) -> None:
    """Due 10, offered on the 10th, sudden change on the 9th, received 12: late, but not caused by us."""
    found = judge(history(sent(9, 12)) | more, {}, END_OF_APRIL, CHANGED - NOT_SHIPMENTS).orders["O"]
    assert found.findings["on_time"].verdict is False
    assert found.on_time_attributable is attributable


def test_r29_the_shipments_own_columns_speak_first() -> None:
    records = history(sent(9, 12)) | {"order_events": [OFFERED], "service_cases": [SUDDEN]}
    assert judge(records, {}, END_OF_APRIL, CHANGED).orders["O"].on_time_attributable is False
    records["shipments"][0] |= {
        "attempted_at": datetime(2026, 3, 10),
        "attempted_at_is_date": True,
        "failure_caused_by": "buyer",
    }
    assert judge(records, {}, END_OF_APRIL, CHANGED).orders["O"].on_time_attributable is True


def test_r35_a_contract_is_that_of_the_customer_and_of_the_day_of_ordering() -> None:
    """Ordered 1 March under K1, which forgave two days until 28 February and forgives five from 1 April; from 2 March
    K2 forgives nine.
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


# ---------------------------------------------------------------- clocks (R26 to R28, R30)


def week() -> list[Row]:
    """Monday 2 March to Sunday 15 March 2026, open from 8 to 16 but at week ends."""
    days = [date(2026, 3, 2) + timedelta(days=number) for number in range(14)]
    shut = {"opens_at": None, "closes_at": None}
    return [
        calendar_day(
            day=one, **({"opens_at": f"{one}T08:00Z", "closes_at": f"{one}T16:00Z"} if one.weekday() < 5 else shut)
        )
        for one in days
    ]


def test_r26_friday_evening_to_monday_morning() -> None:
    """Friday 18:00 to Monday 10:00: 64 hours elapsed, 2 of business."""
    clock = (datetime(2026, 3, 6, 18), datetime(2026, 3, 9, 10))
    assert clock[1] - clock[0] == 64 * HOUR
    assert business_time(clock, week(), ("P1", "ship_to", "default"), "UTC") == 2 * HOUR


def test_r26_within_one_day_and_without_a_calendar() -> None:
    assert (
        business_time((datetime(2026, 3, 6, 7), datetime(2026, 3, 6, 9, 30)), week(), ("default",), "UTC")
        == HOUR * 3 / 2
    )
    assert business_time((datetime(2026, 3, 6), datetime(2026, 3, 20)), week(), ("default",), "UTC") is None
    assert business_time((datetime(2026, 3, 6), datetime(2026, 3, 7)), week(), ("ship_from",), "UTC") is None


def test_r27_ordered_ahead() -> None:
    """Ordered 1 March, wanted and received 1 June, lead time 7 days: gross 92 days, net 7."""
    ordered, wanted = date(2026, 3, 1), date(2026, 6, 1)
    assert (wanted - ordered).days == 92
    assert (wanted - net_day(ordered, wanted, 7)).days == 7
    assert net_day(ordered, None, 7) == net_day(ordered, wanted, None) == ordered
    assert net_day(date(2026, 5, 30), wanted, 7) == date(2026, 5, 30)


def test_r28_the_net_clock_stops_between_two_attempts() -> None:
    """Gross 120 hours; step 2 ends 2 March 10:00 and begins again 3 March 10:00: net 96."""
    events = [order_event(), order_event(event_no=2, started_at="2026-03-03T10:00Z", finished_at="2026-03-03T12:00Z")]
    clock = (datetime(2026, 3, 1), datetime(2026, 3, 6))
    assert clock[1] - clock[0] == 120 * HOUR
    assert net_time(clock, timedelta(0), buyers_holds("O", None, events, "UTC", clock[1])) == 96 * HOUR
    assert clean_order_at("O", events, "UTC") == datetime(2026, 3, 3, 12)


def test_r28_holds_come_first_and_overlapping_ones_stop_the_clock_once() -> None:
    twice = [hold(), hold(hold_id="H2", kind="data", placed_at="2026-03-02T20:00Z", released_at="2026-03-03T20:00Z")]
    ours = [hold(hold_id="H3", caused_by="seller"), hold(hold_id="H4", kind="stock")]
    clock = (datetime(2026, 3, 1), datetime(2026, 3, 6))
    assert net_time(clock, timedelta(0), buyers_holds("O", twice + ours, [], "UTC", clock[1])) == (120 - 34) * HOUR
    assert merged([(clock[0], clock[0])]) == []


def test_r28_an_attempt_whose_end_nobody_told_stops_nothing() -> None:
    events = [
        order_event(finished_at=None),
        order_event(event_no=2, started_at="2026-03-03T10:00Z", finished_at="2026-03-03T12:00Z"),
    ]
    assert buyers_holds("O", None, events, "UTC", datetime(2026, 3, 6)) == []


def test_r28_a_hold_before_the_net_clock_starts_is_not_taken_off_twice() -> None:
    clock = (datetime(2026, 3, 1), datetime(2026, 3, 6))
    assert net_time(clock, 48 * HOUR, buyers_holds("O", [hold()], [], "UTC", clock[1])) == (120 - 48 - 10) * HOUR


def test_r30_the_open_tail_is_kept() -> None:
    """Arrived after 2 and 4 days, open for 5 and 5: median 4; of those arrived only, 2."""
    assert survival_median([(2, True), (4, True), (5, False), (5, False)]) == 4
    assert survival([(2, True), (4, True), (5, False), (5, False)]) == [(2, Fraction(3, 4)), (4, Fraction(1, 2))]
    assert nearest_rank([2, 4], Fraction(1, 2)) == 2
    assert survival_median([(2, True), (5, False), (5, False)]) is None


def test_r30_spread_is_never_a_signed_mean() -> None:
    """Lateness -5 and +5: beyond promise 50 %, not 0 days."""
    assert beyond_promise([-5, 5]) == Fraction(1, 2)
    assert beyond_promise([]) is None
    assert sample_sd([2, 4, 4, 4, 5, 5, 7, 9]) == pytest.approx((32 / 7) ** 0.5)
    assert sample_sd([3]) is None
    assert nearest_rank(range(1, 21), Fraction(95, 100)) == 19


BOOK = {2: Fraction(8), 9: Fraction(20), 10: Fraction(14), 11: Fraction(24)}


def test_the_slack_ledger_finds_where_the_promise_died() -> None:
    """Due at hour 72, finishes 10, 45, 55, 76: slack +6 at order, then +4, -11, -7, -4: step 9."""
    found = slack(Fraction(72), {2: Fraction(10), 9: Fraction(45), 10: Fraction(55), 11: Fraction(76)}, BOOK)
    assert found.at_order == 6
    assert found.died_at == 9
    assert [*map(int, found.after.values())] == [4, -11, -7, -4]


def test_a_promise_may_die_when_it_is_made_or_come_back_to_life() -> None:
    assert slack(Fraction(60), {2: Fraction(10)}, BOOK).died_at == 0
    recovered = slack(Fraction(72), {2: Fraction(20), 9: Fraction(30), 10: Fraction(40), 11: Fraction(60)}, BOOK)
    assert [*map(int, recovered.after.values())] == [-6, 4, 8, 12]
    assert recovered.died_at is None


def test_budgets_are_medians_and_a_missing_steps_time_falls_to_the_next() -> None:
    orders = [{2: Fraction(2), 9: Fraction(10)}, {2: Fraction(4), 9: Fraction(10)}, {9: Fraction(12)}]
    assert budgets(orders) == {2: 2, 9: 8}
    few = [("A", one) for one in orders[:1]] + [("B", one) for one in orders[1:]]
    assert budgets_of_segment(few, "A") == {2: 2, 9: 8}
    many = [("A", orders[0])] * MIN_N + few[1:]
    assert budgets_of_segment(many, "A") == {2: 2, 9: 8}
    assert budgets_of_segment(many, "B") == {2: 2, 9: 8}


# ---------------------------------------------------------------- money (R24, R25)


def documents(*rows: tuple[str, str, int, str | None]) -> Any:
    """Documents of (kind, day, amount, line): line None is freight."""
    headers = [
        invoice(invoice_id=f"I{number}", invoice_kind=kind, invoiced_at=on)
        for number, (kind, on, _, _) in enumerate(rows)
    ]
    lines = [
        invoice_line(invoice_id=f"I{number}", line_no=line, line_amount=amount)
        for number, (_, _, amount, line) in enumerate(rows)
    ]
    return posted(headers, lines, until=date(2026, 4, 30))


def test_r24_net_sales_by_the_ledger_and_by_the_order() -> None:
    """March invoice 1,000 and freight 50, April credit 100: ledger March 1,000, April -100; cohort 900."""
    found = documents(
        ("invoice", "2026-03-10", 1000, "1"), ("invoice", "2026-03-10", 50, None), ("credit", "2026-04-05", 100, "1")
    )
    assert net_sales(found, [], first=date(2026, 3, 1), last=date(2026, 3, 31)).amount == 1000
    assert net_sales(found, [], first=date(2026, 4, 1), last=date(2026, 4, 30)).amount == -100
    assert net_sales_of_orders(found, [], frozenset({"O"})).amount == 900
    assert net_sales_of_orders(found, [], frozenset({"another"})).amount == 0


def test_r24_reversed_and_reissued() -> None:
    """Invoice 1,000, reversal 1,000, reissue 950: 950."""
    found = documents(
        ("invoice", "2026-03-10", 1000, "1"), ("reversal", "2026-03-11", 1000, "1"), ("invoice", "2026-03-12", 950, "1")
    )
    assert net_sales_of_orders(found, [], frozenset({"O"})).amount == 950


def test_r25_currencies_meet_at_the_rate_of_the_document_day() -> None:
    """5,000 USD, 5,000 EUR at 1.10 and 10,000 AED without a rate: 10,500 USD and 10,000 AED in one document, never
    20,000.
    """
    headers = [
        invoice(invoice_id=currency, currency=currency, invoiced_at="2026-03-05") for currency in ("USD", "EUR", "AED")
    ]
    amounts = {"USD": 5000, "EUR": 5000, "AED": 10000}
    lines = [invoice_line(invoice_id=currency, line_amount=amount) for currency, amount in amounts.items()]
    found = net_sales(posted(headers, lines, until=date(2026, 4, 30)), [fx_rate()])
    assert found.amount == 10500
    assert found.left_out == {"AED": (Decimal(10000), 1)}


def test_r25_a_rate_serves_seven_days() -> None:
    rates = [fx_rate(), fx_rate(on_date="2026-03-03", rate="1.20")]
    assert rate("EUR", date(2026, 3, 2), rates) == Decimal("1.10")
    assert rate("EUR", date(2026, 3, 10), rates) == Decimal("1.20")
    assert rate("EUR", date(2026, 3, 11), rates) is None
    assert rate("EUR", date(2026, 2, 28), rates) is None
    assert rate("USD", date(2026, 3, 2), rates) == 1
    assert rate("EUR", date(2026, 3, 2), []) == 1


# ---------------------------------------------------------------- shares (R18, R31, R36)


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


def test_r36_unknown_orders_are_not_in_the_point() -> None:
    """10 judged, 6 true, 2 false, 2 unknown: 6/8."""
    found = Counted()
    for verdict in [True] * 6 + [False] * 2 + [None] * 2:
        found.add(verdict)
    assert (found.value, found.judged, found.unknown) == (0.75, 10, 2)


# ---------------------------------------------------------------- stockouts (R38)


def met(records: Records, *, as_of: datetime = END_OF_APRIL, more: frozenset[str] = frozenset()) -> Stockout | None:
    """What the judge says of line 1 of order O."""
    found = stockouts(Judge(records, STRICT, as_of, everything() | more))
    return next((one for one in found if (one.order_id, one.line_no) == ("O", "1")), None)


def regular(*days: str) -> list[Row]:
    """Other orders of the customer."""
    return [order(order_id=f"E{number}", ordered_at=one, promised_by=None) for number, one in enumerate(days)]


WEEKLY = ("2026-02-08", "2026-02-15", "2026-02-22")
"""With the order of 1 March: a gap of seven days."""
CLOSED = {"cancelled_qty": 30, "cancelled_at": day(11), "cancelled_by": "seller"}


def test_r38_a_further_consignment_is_a_back_order() -> None:
    """Due 10: 70 on 8, 30 on 14: one event, short 30."""
    found = met(history(sent(8, 9, 70), sent(14, 15, 30)))
    assert found is not None
    assert found.short_qty == 30
    assert found.outcome == "back_ordered"


def test_r38_all_of_it_later_is_waited() -> None:
    found = met(history(sent(14, 15)))
    assert found is not None
    assert found.short_qty == 100
    assert found.outcome == "waited"


def test_r38_closed_by_the_seller_is_a_lost_sale_or_a_lost_buyer() -> None:
    """30 closed by the seller; gap 7 days, k 3, no order by the 31st: buyer lost, but a lost sale on the 20th."""
    short = history(sent(8, 9, 70), wanted=CLOSED)
    assert met(short).outcome == "sale_lost"  # type: ignore[union-attr]  # an event there is
    short["orders"] += regular(*WEEKLY)
    lost, too_soon = met(short, as_of=end_of(31)), met(short, as_of=end_of(20))
    assert lost is not None
    assert too_soon is not None
    assert (lost.gap_days, lost.horizon_day) == (7, date(2026, 3, 31))
    assert (lost.outcome, lost.provisional) == ("buyer_lost", False)
    assert (too_soon.outcome, too_soon.provisional) == ("sale_lost", True)


def test_r38_an_order_in_time_keeps_the_buyer() -> None:
    short = history(sent(8, 9, 70), wanted=CLOSED)
    short["orders"] += regular(*WEEKLY, "2026-03-30")
    found = met(short)
    assert found is not None
    assert (found.outcome, found.provisional) == ("sale_lost", False)


def test_r38_no_event_where_all_was_sent_or_the_buyers_credit_held_it() -> None:
    assert met(history(sent(8, 9))) is None
    held = history(sent(14, 15)) | {"holds": [hold(placed_at="2026-03-05T10:00Z", released_at="2026-03-12T10:00Z")]}
    assert met(held, more=everything("holds")) is None
    for_data = history(sent(14, 15)) | {"holds": [held["holds"][0] | {"kind": "data"}]}
    assert met(for_data, more=everything("holds")) is not None  # a data hold is step 2's
    attempts = [
        order_event(step=10, started_at=day(4), finished_at=day(5)),
        order_event(step=10, event_no=2, started_at=day(12), finished_at=day(13)),
    ]
    assert met(history(sent(14, 15)) | {"order_events": attempts}, more=everything("order_events")) is None
    open_still = met(history())
    assert open_still is not None
    assert open_still.outcome == "open"


def test_r38_expected_cost_of_the_preset() -> None:
    """0.70 x 75 + 0.20 x 400 + 0.10 x 20,000 = 2,132.50; shares that are no whole are refused."""
    costs = {"back_ordered": Fraction(75), "sale_lost": Fraction(400), "buyer_lost": Fraction(20_000)}
    shares = {"back_ordered": Fraction(7, 10), "sale_lost": Fraction(2, 10), "buyer_lost": Fraction(1, 10)}
    assert expected_cost(shares, costs) == Fraction("2132.50")
    with pytest.raises(ValueError, match="not to 1"):
        expected_cost(shares | {"buyer_lost": Fraction(2, 10)}, costs)


def test_r40_a_replacement_meets_no_stockout() -> None:
    assert met(history(sent(14, 15), order_type="replacement")) is None


def test_r39_a_drop_shipped_line_is_judged_alike() -> None:
    """60 of our own and 40 by a supplier on the 12th, due 10: not on time; a stockout all the same."""
    found = met(history(sent(7, 8, 60), sent(11, 12, 40, carrier="supplier")))
    assert found is not None
    assert found.short_qty == 40


def test_r11_a_step_of_its_own_for_each_product() -> None:
    records = history(sent(8, 9)) | {"products": [product(base_unit="kg")]}
    assert judge(records, {}, END_OF_APRIL, everything()).lines["O", "1"].half_step == Decimal("0.0005")
