"""Worked cases of communications: notices before, during and after, and special requests granted. Source: section 4
(g).
"""

from datetime import datetime

from metrics.facts import messages, recoveries, service_cases, shipments
from metrics.facts.messages import message_facts_table
from tests.support.ask_measures import ALL, built, by, fact_rows, halves, one, only, sale, together
from tests.support.builders import Row, customer, shipment_line
from tests.support.contact_builders import message, service_case

filled = only(service_cases, messages, recoveries, shipments)


def told(message_id: str, due: str | None, sent: str | None, phase: str = "pre", **values: object) -> Row:
    return message(message_id=message_id, due_at=due, sent_at=sent, phase=phase, kind="acknowledgement", **values)


PRE = [
    told("early", "2026-03-05T12:00Z", "2026-03-05T11:00Z"),
    told("at the very moment", "2026-03-05T12:00Z", "2026-03-05T12:00Z"),
    told("a second late", "2026-03-05T12:00Z", "2026-03-05T12:00:01Z"),
    told("never", "2026-03-05T12:00Z", None),
    told("some time that day", "2026-03-05T12:00Z", "2026-03-05"),
    told("day by day", "2026-03-05", "2026-03-05"),
    told("not due", "2026-05-05T12:00Z", "2026-03-05T12:00Z"),
    told("nothing due", None, "2026-03-05T12:00Z"),
]


def test_acknowledged_in_time_counts_due_messages_and_unsent_messages_as_late() -> None:
    """Six due: three in time, one late, one never sent, one that a bare date leaves open."""
    with built(**sale("O"), messages=PRE) as connection:
        found = one(connection, "ack_on_time")
        assert (found.numerator, found.denominator, found.unknown, found.judged) == (3, 5, 1, 6)
        assert found.value == 3 / 5
        assert (found.worst, found.best) == (3 / 6, 4 / 6)
        assert halves(connection, "post_reply_on_time") == (0, 0)


def test_replies_after_the_transaction_are_counted_by_their_phase_and_due_day() -> None:
    messages = [
        told("a", "2026-03-05T12:00Z", "2026-03-04T12:00Z", "post"),
        told("b", "2026-04-05T12:00Z", "2026-04-06T12:00Z", "post"),
        told("c", "2026-04-05T12:00Z", "2026-04-04T12:00Z", "during"),
    ]
    with built(**sale("O"), messages=messages) as connection:
        assert halves(connection, "post_reply_on_time") == (1, 2)
        assert halves(connection, "post_reply_on_time", start=datetime(2026, 4, 1).date()) == (0, 1)
        assert by(connection, "info_timely", "phase") == {"post": (1, 2), "during": (1, 1)}
        assert by(connection, "info_timely", "message_kind") == {"acknowledgement": (2, 3)}


def test_message_sent_after_as_of_counts_as_not_sent() -> None:
    with built(datetime(2026, 3, 5, 12, 0, 0), **sale("O"), messages=PRE) as connection:
        assert halves(connection, "ack_on_time") == (2, 5)  # the day of 5 March is not over: no bare date has happened
        rows = fact_rows(connection, message_facts_table, "message_id")
        assert rows["a second late"]["sent_at"] is None
        assert rows["some time that day"]["in_time"] is False
        assert rows["day by day"]["due"] is False


def test_message_without_an_order_has_the_customer_attributes_of_its_day() -> None:
    versions = [customer(service_segment="B"), customer(valid_from="2026-03-06", service_segment="A", region="South")]
    messages = [
        told("before", "2026-03-05T12:00Z", "2026-03-05T11:00Z", order_id=None),
        told("after", "2026-03-06T12:00Z", None, order_id=None),
        told("of the order", "2026-03-06T12:00Z", None, customer_id=None),
    ]
    with built(**sale("O"), customers=versions, messages=messages) as connection:
        # The order is of 1 March, when its customer was in segment B.
        assert by(connection, "ack_on_time", "segment") == {"A": (0, 1), "B": (1, 2)}
        assert by(connection, "ack_on_time", "region") == {"South": (0, 1), "North": (1, 2)}
        assert by(connection, "ack_on_time", "customer") == {"C": (1, 3)}


def test_due_day_of_a_message_is_in_the_ship_to_time_zone() -> None:
    """00:30 UTC on 6 March is still the 5th in New York, and a due day of the 5th ends there at 05:00 UTC."""
    messages = [
        told("M", "2026-03-05", "2026-03-06T00:30Z"),
        told("without an order", "2026-03-05", "2026-03-06T05:00Z", order_id=None),
    ]
    with built(**sale("O", ship_to_time_zone="America/New_York"), messages=messages) as connection:
        assert halves(connection, "ack_on_time", end=datetime(2026, 3, 5).date()) == (1, 2)


LATE = together(
    sale("warned", received="2026-03-12"),
    sale("told too late", received="2026-03-13"),
    sale("not told", received="2026-03-12"),
    sale("in time", received="2026-03-09"),
    {
        "messages": [
            message(message_id="1", order_id="warned", sent_at="2026-03-09T12:00Z"),
            message(message_id="2", order_id="warned", sent_at="2026-03-12T12:00Z"),
            message(message_id="3", order_id="told too late", sent_at="2026-03-12T00:00Z"),
            message(message_id="4", order_id="in time", sent_at="2026-03-08T00:00Z"),
            message(message_id="5", order_id="not told", kind="ship_notice", sent_at="2026-03-08T00:00Z"),
        ]
    },
)


def test_late_orders_whose_buyer_was_warned_before_the_deadline() -> None:
    """Three late of four; one of them had its first notice before the end of 10 March."""
    with built(**LATE) as connection:
        found = one(connection, "late_warned")
        assert (found.numerator, found.denominator, found.value) == (1, 3, 1 / 3)


def test_notice_hours_include_negative_hours() -> None:
    """From 9 March 12:00 to the end of the 10th are 36 h; from 12 March 00:00 -24 h. P50 of two is the smaller."""
    with built(**LATE) as connection:
        found = one(connection, "notice_hours")
        assert (found.value, found.denominator) == (-24.0, 2)


def test_notice_at_the_deadline_is_no_warning_and_a_bare_date_may_be_unknown() -> None:
    late = {"promised_by": "2026-03-10T14:00Z"}
    records = together(
        sale("at the deadline", received="2026-03-12", **late),
        sale("some time that day", received="2026-03-12", **late),
        {
            "messages": [
                message(message_id="1", order_id="at the deadline", sent_at="2026-03-10T14:00Z"),
                message(message_id="2", order_id="some time that day", sent_at="2026-03-10"),
            ]
        },
    )
    with built(**records) as connection:
        found = one(connection, "late_warned")
        assert (found.numerator, found.denominator, found.unknown) == (0, 1, 1)


def test_ship_notice_ahead_counts_notices_sent_before_receipt() -> None:
    """Warned before, warned after, never warned, and warned at an unknown time of that day. The fifth has not been
    received.
    """
    records = together(
        sale("before", received="2026-03-09T12:00Z", notice="2026-03-08T12:00Z"),
        sale("after", received="2026-03-09T12:00Z", notice="2026-03-09T12:00Z"),
        sale("never", received="2026-03-09T12:00Z"),
        sale("that day", received="2026-03-09", notice="2026-03-09T12:00Z"),
        sale("later", received="2026-05-09", notice="2026-03-09T12:00Z"),
    )
    with built(**records) as connection:
        found = one(connection, "ship_notice_ahead")
        assert (found.numerator, found.denominator, found.unknown) == (1, 3, 1)
        assert by(connection, "ship_notice_ahead", "carrier") == {"road": (1, 3)}
    with built(mapped=ALL - {"shipments.notice_sent_at"}, **records) as connection:
        assert one(connection, "ship_notice_ahead").no_data == "no data: notice_sent_at (map shipments.notice_sent_at)"


def test_consignment_of_two_channels_is_counted_once_under_several() -> None:
    records = together(sale("O", received="2026-03-09", notice="2026-03-07", channel="edi"), sale("P", channel="web"))
    records["shipment_lines"].append(shipment_line(shipment_id="O", shipment_line_no="2", order_id="P"))
    with built(**records) as connection:
        assert by(connection, "ship_notice_ahead", "channel") == {"(several)": (1, 1)}


def test_special_requests_granted_and_met() -> None:
    """Four decided, three granted; of these one order came on time in full, one late, one is not due."""
    records = together(
        sale("good", received="2026-03-09"),
        sale("late", received="2026-03-12"),
        sale("pending", promised_by="2026-05-05"),
        {
            "service_cases": [
                service_case(case_id="1", kind="special_request", order_id="good", granted=True),
                service_case(case_id="2", kind="special_request", order_id="late", granted=True),
                service_case(case_id="3", kind="special_request", order_id="pending", granted=True),
                service_case(case_id="4", kind="special_request", order_id="late", granted=False),
                service_case(case_id="5", kind="special_request", order_id="good"),
                service_case(case_id="6", kind="complaint", order_id="good", granted=True),
            ]
        },
    )
    with built(**records) as connection:
        assert halves(connection, "special_granted") == (3, 4)
        met = one(connection, "special_met")
        assert (met.numerator, met.denominator, met.unknown) == (1, 3, 1)


def test_communication_measures_name_the_missing_feed() -> None:
    core = frozenset(name for name in ALL if not name.startswith(("messages.", "service_cases.")))
    with built(mapped=core, **sale("O", received="2026-03-12")) as connection:
        for measure in (
            "ack_on_time",
            "late_warned",
            "notice_hours",
            "post_reply_on_time",
            "info_timely",
            "info_accurate",
        ):
            assert (one(connection, measure).value, one(connection, measure).no_data) == (None, "no feed: messages")
        for measure in (
            "special_granted",
            "special_met",
            "responsiveness",
            "responsiveness_hours",
            "post_sale_support",
        ):
            assert (one(connection, measure).value, one(connection, measure).no_data) == (
                None,
                "no feed: service_cases",
            )
