"""The order page and the list of orders at risk, from hand-made records, without a browser."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dashboard.components import formatting
from dashboard.orders import steps
from dashboard.orders.timeline import events
from dashboard.sections import at_risk
from metrics.edits.edits import SOURCE
from metrics.lists.at_risk import SLACK_STATES
from metrics.lists.order_story import OrderContext, OrderRecords
from metrics.store.work_items import Item
from tests.dashboard.small_warehouse import EVIL
from tests.support.builders import hold, order, promise
from tests.support.contact_builders import message, payment, quote, quote_option, returned, service_case

START = datetime(2026, 3, 1, 8)
HOUR = timedelta(hours=1)


def records() -> OrderRecords:
    facts = {"customer_name": "Acme", "deadline_at": datetime(2026, 3, 10)}
    return OrderRecords(facts, order(ordered_at="2026-03-01T08:00:00Z", channel="web"), [], [], [], [], [], {}, {})


def timeline_texts(
    around: OrderContext, item: Item | None = None, comments: list[dict[str, Any]] | None = None
) -> list[str]:
    return [one.what for one in events(records(), around, item or Item("O"), comments or [])]


def test_order_story_lists_events_from_inquiry_to_payment_in_time_order() -> None:
    around = OrderContext(
        quotes=[quote(quote_id="Q", asked_at="2026-02-20T09:00:00Z", answered_at="2026-02-21T09:00:00Z")],
        quote_options=[
            quote_option(
                quote_id="Q", option_no="1", price_amount="10.00", currency="EUR", lead_time_days=6, accepted=True
            )
        ],
        holds=[
            hold(kind="credit", placed_at="2026-03-02T09:00:00Z", released_at="2026-03-03T09:00:00Z", caused_by="buyer")
        ],
        messages=[
            message(kind="delay_notice", due_at="2026-03-04T09:00:00Z", sent_at="2026-03-05T09:00:00Z", correct=False)
        ],
        cases=[
            service_case(
                case_id="K", kind="complaint", opened_at="2026-03-12T09:00:00Z", acknowledged_at=None, resolved_at=None
            )
        ],
        returns=[
            returned(
                line_no="1",
                returned_qty=3,
                reason="damage",
                announced_at="2026-03-13T09:00:00Z",
                received_at=None,
                credited_at=None,
            )
        ],
        payments=[payment(invoice_id="I", paid_at="2026-04-01", amount="7.00", currency="EUR")],
    )
    assert timeline_texts(around) == [
        "Inquiry Q",
        "Quote answered with 1 option; the buyer chose 10.00 EUR in 6 days",
        "Ordered by Acme (web)",
        "On hold: credit hold by the buyer",
        "Released: credit hold",
        "Delay notice sent, late and incorrect",
        "Promised by",
        "Complaint opened (K)",
        "Return of 3 of line 1 announced: damage",
        "Paid 7.00 EUR on invoice I",
    ]


def test_promises_made_or_changed_together_are_one_event_with_the_author() -> None:
    first = {
        "revision_no": 1,
        "promised_by": "2026-03-10",
        "changed_at": "2026-03-01T09:00:00Z",
        "basis": "ATP",
        "reason": None,
    }
    moved = {
        "revision_no": 2,
        "promised_by": "2026-03-14",
        "changed_at": "2026-03-05T09:00:00Z",
        "basis": "ATP",
        "reason": "no_stock",
    }
    made = [
        promise(line_no=line, **values) for line in ("10", "2") for values in (first, {**moved, "changed_by": None})
    ]
    made.append(promise(line_no="3", **{**moved, "changed_by": "buyer", "reason": None}))
    found = [
        one
        for one in events(records(), OrderContext(promises=made), Item("O"), [])
        if "romise" in one.what and not one.plan
    ]
    assert [(one.what, one.wrong) for one in found] == [
        ("Promised 10 Mar 2026 for lines 2, 10 (available to promise)", False),
        ("Promise moved to 14 Mar 2026 for line 3 by the buyer (available to promise)", False),
        ("Promise moved to 14 Mar 2026 for lines 2, 10 by the seller (available to promise): no stock", True),
    ]


def test_story_lists_a_user_edit_once_and_not_again_as_a_service_case() -> None:
    done = Item(
        "O",
        detected_at=START,
        acknowledged_at=START + HOUR,
        resolved_at=START + 2 * HOUR,
        remedy="credited",
        resolved_by="Ada",
        version=2,
    )
    case = service_case(case_id="buyerview:O", kind=None, opened_at="2026-03-01T08:00:00Z") | {"source": SOURCE}
    entries = timeline_texts(OrderContext(cases=[case]), done, [{"at": START, "who": "Bo", "text": EVIL}])
    assert entries == [
        "Ordered by Acme (web)",
        "Failure detected",
        f"Bo: {EVIL}",
        "Buyer informed",
        "Resolved by Ada, credited",
        "Promised by",
    ]


def step(number: int, begun: float | None, ended: float | None, **values: Any) -> dict[str, Any]:
    at = {
        name: None if hours is None else START + hours * HOUR
        for name, hours in (("started_at", begun), ("finished_at", ended))
    }
    return {
        "step_no": number,
        "attempts": 1,
        "latest_at": at["started_at"],
        "step_seconds": None,
        "wait_seconds": None,
        **at,
        **values,
    }


def test_order_steps_share_one_time_scale_with_a_deadline_line() -> None:
    rows = [step(2, 0, 10, step_seconds=36_000), step(9, 20, 50, wait_seconds=36_000, attempts=2), step(10, 60, None)]
    drawn = steps.steps(
        rows, deadline=START + 75 * HOUR, as_of=START + 100 * HOUR, missed_step="09", slack={2: 7200, 9: -3600}
    )
    assert drawn.count('class="bv-due" style="left:75.00%"') == 13
    assert "left:0.00%;width:10.00%" in drawn
    assert "left:20.00%;width:30.00%" in drawn
    assert "left:60.00%;width:40.00%" in drawn
    assert "10 h · 2 h ahead" in drawn
    assert "done (waited 10 h) · 2 attempts · 1 h behind" in drawn
    assert "in progress for 40 h" in drawn
    assert drawn.count("Promise missed at this step") == 1
    assert drawn.count("not recorded") == 10


def test_promise_missed_from_the_start_is_shown_above_the_steps() -> None:
    assert "from the start" in steps.steps([step(2, 0, 1)], deadline=None, as_of=START, missed_step="00", slack={})


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 min"),
        (59 * 60, "59 min"),
        (4 * 3600 + 660, "4 h 11 min"),
        (26 * 3600, "26 h"),
        (74 * 3600, "3 days 2 h"),
        (-5, "0 min"),
    ],
)
def test_durations_are_shown_in_the_most_significant_units(seconds: int, words: str) -> None:
    assert formatting.duration(seconds) == words


@pytest.mark.parametrize("standing", list(SLACK_STATES))
def test_order_at_risk_row_shows_its_status_and_escapes_markup(standing: str) -> None:
    row = {
        "order_id": "O",
        "customer_id": "C",
        "customer_name": EVIL,
        "segment": EVIL,
        "currency": "EUR",
        "ordered_amount": Decimal("12.5"),
        "due_day": date(2026, 3, 3),
        "deadline_at": START + 30 * HOUR,
        "slack_seconds": None if standing == "near" else -7200,
        "standing": standing,
        "step": None if standing == "near" else "09",
        "step_standing": "in the step",
        "age_seconds": 3600,
    }
    cells = [column.cell(row, Item("O", owner=EVIL)) for column in at_risk._columns(START)]
    assert SLACK_STATES[standing] in cells[0]
    assert "<img" not in "".join(cells)
    assert cells[2] == (
        f"{formatting.DASH}<small>unknown</small>"
        if standing == "near"
        else '<b class="bv-worse">2 h</b><small>short</small>'
    )
    assert "in 30 h" in cells[3]
    assert cells[4] == (formatting.DASH if standing == "near" else "9  Pick<small>in the step, for 1 h</small>")
