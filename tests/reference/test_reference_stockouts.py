"""Worked examples of stockouts for the reference implementation (R38, stockouts)."""

from datetime import date, datetime
from fractions import Fraction

import pytest

from tests.reference.inputs import STRICT, Inputs
from tests.reference.stockouts import Stockout, expected_cost, last_lost, stockouts
from tests.support.builders import Records, Row, everything, hold, order, order_event
from tests.support.rule_cases import END_OF_APRIL, day, end_of, history, sent


def met(records: Records, *, as_of: datetime = END_OF_APRIL, more: frozenset[str] = frozenset()) -> Stockout | None:
    """Return the stockout of line 1 of order O."""
    found = stockouts(Inputs(records, STRICT, as_of, everything() | more))
    return next((one for one in found if (one.order_id, one.line_no) == ("O", "1")), None)


def regular(*days: str) -> list[Row]:
    """Return other orders of the customer."""
    return [order(order_id=f"E{number}", ordered_at=one, promised_by=None) for number, one in enumerate(days)]


WEEKLY = ("2026-02-08", "2026-02-15", "2026-02-22")
"""Together with the order of 1 March, they give a gap of seven days."""

CLOSED = {"cancelled_qty": 30, "cancelled_at": day(11), "cancelled_by": "seller"}


def test_r38_remainder_in_a_later_consignment_is_back_ordered() -> None:
    """Due 10: 70 on 8, 30 on 14: one event, short 30."""
    found = met(history(sent(8, 9, 70), sent(14, 15, 30)))
    assert found is not None
    assert found.short_qty == 30
    assert found.outcome == "back_ordered"


def test_r38_line_shipped_completely_but_late_is_waited() -> None:
    found = met(history(sent(14, 15)))
    assert found is not None
    assert found.short_qty == 100
    assert found.outcome == "waited"


def test_r38_closed_by_the_seller_is_a_lost_sale_or_a_lost_buyer() -> None:
    """Due 10, 30 cancelled by the seller: a lost sale on the 20th, a lost buyer from the 31st (gap 7 days, k 3)."""
    short = history(sent(8, 9, 70), wanted=CLOSED)
    assert met(short).outcome == "sale_lost"  # type: ignore[union-attr]  # an event there is
    short["orders"] += regular(*WEEKLY)
    lost, too_soon = met(short, as_of=end_of(31)), met(short, as_of=end_of(20))
    assert lost is not None
    assert too_soon is not None
    assert (lost.gap_days, lost.horizon_day) == (7, date(2026, 3, 31))
    assert (lost.outcome, lost.provisional) == ("buyer_lost", False)
    assert (too_soon.outcome, too_soon.provisional) == ("sale_lost", True)


def test_r38_buyer_who_orders_within_the_horizon_is_not_lost() -> None:
    short = history(sent(8, 9, 70), wanted=CLOSED)
    short["orders"] += regular(*WEEKLY, "2026-03-30")
    found = met(short)
    assert found is not None
    assert (found.outcome, found.provisional) == ("sale_lost", False)


def test_r38_buyer_who_orders_after_the_horizon_is_not_lost() -> None:
    """The horizon ends on 31 March. The order of 20 April comes late, but it comes."""
    short = history(sent(8, 9, 70), wanted=CLOSED)
    short["orders"] += regular(*WEEKLY, "2026-04-20")
    found = met(short)
    assert found is not None
    assert (found.outcome, found.provisional) == ("sale_lost", False)


def test_r38_line_still_open_after_the_horizon_is_a_lost_sale() -> None:
    """70 of 100 arrived, nothing was cancelled, and the buyer ordered on 20 March: open until 31 March."""
    short = history(sent(8, 9, 70))
    short["orders"] += regular(*WEEKLY, "2026-03-20")
    before, after = met(short, as_of=end_of(30)), met(short, as_of=end_of(31))
    assert before is not None
    assert after is not None
    assert (before.outcome, before.provisional) == ("open", True)
    assert (after.outcome, after.provisional) == ("sale_lost", False)


def test_r38_the_future_margin_of_a_lost_buyer_belongs_to_their_last_stockout() -> None:
    days = [("C", date(2026, 3, day), "buyer_lost") for day in (5, 12, 10)]
    assert last_lost([*days, ("D", date(2026, 3, 20), "sale_lost")]) == {"C": date(2026, 3, 12)}


def test_r38_complete_shipment_or_credit_hold_of_the_buyer_is_no_stockout() -> None:
    assert met(history(sent(8, 9))) is None
    held = history(sent(14, 15)) | {"holds": [hold(placed_at="2026-03-05T10:00Z", released_at="2026-03-12T10:00Z")]}
    assert met(held, more=everything("holds")) is None
    for_data = history(sent(14, 15)) | {"holds": [held["holds"][0] | {"kind": "data"}]}
    assert met(for_data, more=everything("holds")) is not None  # a data hold is at step 2
    attempts = [
        order_event(step=10, started_at=day(4), finished_at=day(5)),
        order_event(step=10, event_no=2, started_at=day(12), finished_at=day(13)),
    ]
    assert met(history(sent(14, 15)) | {"order_events": attempts}, more=everything("order_events")) is None
    open_still = met(history())
    assert open_still is not None
    assert open_still.outcome == "open"


def test_r38_expected_cost_of_the_default_shares_and_costs() -> None:
    """0.70 x 75 + 0.20 x 400 + 0.10 x 20,000 = 2,132.50. Shares that do not add up to 1 raise an error."""
    costs = {"back_ordered": Fraction(75), "sale_lost": Fraction(400), "buyer_lost": Fraction(20_000)}
    shares = {"back_ordered": Fraction(7, 10), "sale_lost": Fraction(2, 10), "buyer_lost": Fraction(1, 10)}
    assert expected_cost(shares, costs) == Fraction("2132.50")
    with pytest.raises(ValueError, match="not to 1"):
        expected_cost(shares | {"buyer_lost": Fraction(2, 10)}, costs)


def test_r40_replacement_order_has_no_stockout() -> None:
    assert met(history(sent(14, 15), order_type="replacement")) is None
