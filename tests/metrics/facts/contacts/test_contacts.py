"""Compare messages, cases, returns, ship notices and warnings with a count of random records in plain Python."""

from collections import Counter
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import Connection

from metrics.facts.messages import message_facts_table
from tests.metrics.facts.contacts.counts import RECORDS, Facts, counted, waited
from tests.reference import random_contacts
from tests.support.ask_measures import AS_OF, by, fact_rows, one


def test_message_measures_equal_a_recount_of_the_records(connection: Connection) -> None:
    punctual = random_contacts.messages_in_time(RECORDS, AS_OF)
    assert len(fact_rows(connection, message_facts_table, "message_id")) == len(RECORDS["messages"])
    assert counted(connection, "info_timely") == random_contacts.share([verdict for _, verdict in punctual])
    for measure, phase in (("ack_on_time", "pre"), ("post_reply_on_time", "post")):
        verdicts = [verdict for sent_in, verdict in punctual if sent_in == phase]
        assert counted(connection, measure) == random_contacts.share(verdicts)
    assert counted(connection, "info_accurate") == random_contacts.share(random_contacts.told_right(RECORDS, AS_OF))


def test_case_measures_equal_a_recount_of_the_records(connection: Connection, orders: Facts) -> None:
    cases = [row for row in RECORDS["service_cases"] if random_contacts.happened(row, "opened_at", AS_OF)]
    settled = {row["case_id"]: random_contacts.happened(row, "resolved_at", AS_OF) for row in cases}
    decided = {
        row["case_id"]: row["granted"] if row["resolved_at"] is None or settled[row["case_id"]] else None
        for row in cases
    }
    waits: dict[str, list[tuple[int, bool]]] = {"request": [], "support": []}
    for row in cases:
        ended, opened = settled[row["case_id"]], random_contacts.span(row, "opened_at")
        assert opened is not None
        wait = max(0, random_contacts.minutes(opened[1], ended[1] if ended else AS_OF))
        waits["request" if row["kind"] in ("special_request", "sudden_change") else "support"].append(
            (wait, ended is not None)
        )
    requests = [
        row["case_id"]
        for row in cases
        if row["kind"] in ("special_request", "sudden_change") and decided[row["case_id"]] is not None
    ]
    assert counted(connection, "responsiveness")[:2] == (
        sum(bool(decided[name] and settled[name]) for name in requests),
        len(requests),
    )
    waited(connection, "responsiveness_hours", waits["request"], Fraction(1, 2))
    waited(connection, "post_sale_hours_p50", waits["support"], Fraction(1, 2))
    waited(connection, "post_sale_hours_p90", waits["support"], Fraction(9, 10))
    assert counted(connection, "post_sale_support")[:2] == (
        sum(ended for _, ended in waits["support"]),
        len(waits["support"]),
    )
    asked = {
        row["case_id"]: row["order_id"]
        for row in cases
        if row["kind"] == "special_request" and decided[row["case_id"]] is not None
    }
    assert counted(connection, "special_granted")[:2] == (sum(decided[name] for name in asked), len(asked))
    met = [orders.get(order_id, {}).get("otif") if decided[name] else False for name, order_id in asked.items()]
    assert counted(connection, "special_met") == random_contacts.share(met)


def test_return_measures_equal_a_recount_of_the_records(connection: Connection, orders: Facts) -> None:
    back = [
        row
        for row in RECORDS["returns"]
        if random_contacts.happened(row, "announced_at", AS_OF) and row["order_id"] in orders
    ]
    sales = {name for name, facts in orders.items() if facts["order_type"] == "sale"}
    returned = [row for row in back if row["order_id"] in sales]
    received = sum(orders[name]["received_qty"] for name in sales)
    assert 0 < len(returned) < len(back)
    assert counted(connection, "return_share")[:2] == (sum(row["returned_qty"] for row in returned), received)
    reasons: Counter[str] = Counter()
    for row in returned:
        reasons[row["reason"] or "(none)"] += row["returned_qty"]
    assert by(connection, "return_share", "return_reason") == {
        reason: (Decimal(qty), received) for reason, qty in reasons.items()
    }
    credited = [random_contacts.happened(row, "credited_at", AS_OF) for row in back]
    days = [
        ((end[1] if end else AS_OF).date() - row["announced_at"].date()).days
        for row, end in zip(back, credited, strict=True)
    ]
    waited(
        connection,
        "return_handling_p50",
        [(wait, end is not None) for wait, end in zip(days, credited, strict=True)],
        Fraction(1, 2),
        ticks=1,
    )


def test_ship_notice_measures_equal_a_recount_of_the_records(connection: Connection, orders: Facts) -> None:
    verdicts: list[bool | None] = []
    for row in RECORDS["shipments"]:
        came, notice = (
            random_contacts.happened(row, "received_at", AS_OF),
            random_contacts.happened(row, "notice_sent_at", AS_OF),
        )
        if came and row["shipment_id"] in orders:
            verdicts.append(
                False if notice is None else True if notice[1] < came[0] else False if notice[0] >= came[1] else None
            )
    assert counted(connection, "ship_notice_ahead") == random_contacts.share(verdicts)


def test_late_warning_measures_equal_a_recount_of_the_records(connection: Connection, orders: Facts) -> None:
    verdicts: list[bool | None] = []
    hours: list[int] = []
    for order_id, facts in orders.items():
        if facts["state"] != "judged" or facts["on_time"] is not False:
            continue
        sent = [
            at
            for row in RECORDS["messages"]
            if row["order_id"] == order_id
            and row["kind"] == "delay_notice"
            and (at := random_contacts.happened(row, "sent_at", AS_OF))
        ]
        if not sent:
            verdicts.append(False)
            continue
        first, last, deadline = min(at[0] for at in sent), min(at[1] for at in sent), facts["deadline_at"]
        verdicts.append(True if last < deadline else False if first >= deadline else None)
        hours.append(random_contacts.minutes(last, deadline))
    assert counted(connection, "late_warned") == random_contacts.share(verdicts)
    notice = one(connection, "notice_hours")
    assert (notice.value, notice.denominator) == (sorted(hours)[-(-len(hours) // 2) - 1] / 3600, len(hours))
