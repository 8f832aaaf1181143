"""Fact tables of customer contacts against an independent count in plain Python, on both engines.

The records are random. Source: section 4 (g) (communications and dependability) to (k) (two books).
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import Connection

from metrics.facts.messages import message_facts_table
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.quotes import quote_facts_table, quote_option_facts_table
from metrics.facts.recoveries import recovery_facts_table
from metrics.facts.recovery_costs import recovery_cost_facts_table
from metrics.facts.returns import return_facts_table
from metrics.facts.service_cases import case_facts_table
from metrics.facts.shipments import shipment_facts_table
from metrics.facts.two_books import two_books_facts_table
from metrics.lists import recovery as recovery_module
from metrics.measures import communications, influence, post_sale_support, recovery, responsiveness, two_books
from metrics.model.dimensions import DIMENSIONS
from metrics.model.measure import Total
from metrics.model.question import Question
from metrics.queries.answer import answer
from tests.reference import random_contacts
from tests.support.ask_measures import AS_OF, built, by, ledger, one
from tests.support.builders import Records

Facts = dict[str, dict[str, Any]]  # Any: values of table rows
"""Rows of a fact table by key."""

ORDERS = 150
RECORDS: Records = random_contacts.drawn(seed=3, orders=ORDERS)
MEASURES = tuple(
    measure
    for module in (communications, responsiveness, post_sale_support, recovery, influence, two_books)
    for measure in module.MEASURES
)
TABLE_KEYS = {
    message_facts_table: ("message_id",),
    case_facts_table: ("case_id",),
    return_facts_table: ("return_id", "return_line_no"),
    shipment_facts_table: ("shipment_id",),
    quote_facts_table: ("quote_id",),
    quote_option_facts_table: ("quote_id", "option_no"),
    recovery_facts_table: ("order_id",),
    recovery_cost_facts_table: ("order_id", "activity", "cost_day", "amount"),
    two_books_facts_table: ("order_id", "customer_id"),
}


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    with built(**RECORDS) as connected:
        yield connected


@pytest.fixture(scope="module")
def orders(connection: Connection) -> Facts:
    """The order facts. Other tests compare them with the reference."""
    return ledger(connection, order_facts_table, "order_id")


def counted(connection: Connection, measure: str) -> tuple[object, ...]:
    counts = one(connection, measure)
    return counts.numerator, counts.denominator, counts.unknown


def waited(
    connection: Connection, measure: str, waits: list[tuple[int, bool]], fraction: Fraction, ticks: int = 3600
) -> None:
    asked, expected = one(connection, measure), random_contacts.waiting(waits, fraction)
    assert (asked.numerator, asked.denominator) == (sum(ended for _, ended in waits), len(waits))
    assert asked.value == (None if expected is None else expected / ticks)


def test_keys_are_unique_and_every_table_has_rows(connection: Connection) -> None:
    for table, key in TABLE_KEYS.items():
        rows = connection.execute(table.select()).all()
        assert len(rows) > 10, table.name
        if table is not recovery_cost_facts_table:
            assert len(ledger(connection, table, *key)) == len(rows), table.name


def test_messages(connection: Connection) -> None:
    punctual = random_contacts.messages_in_time(RECORDS, AS_OF)
    assert len(ledger(connection, message_facts_table, "message_id")) == len(RECORDS["messages"])
    assert counted(connection, "info_timely") == random_contacts.share([verdict for _, verdict in punctual])
    for measure, phase in (("ack_on_time", "pre"), ("post_reply_on_time", "post")):
        verdicts = [verdict for sent_in, verdict in punctual if sent_in == phase]
        assert counted(connection, measure) == random_contacts.share(verdicts)
    assert counted(connection, "info_accurate") == random_contacts.share(random_contacts.told_right(RECORDS, AS_OF))


def test_cases(connection: Connection, orders: Facts) -> None:
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


def test_returns(connection: Connection, orders: Facts) -> None:
    back = [
        row
        for row in RECORDS["returns"]
        if random_contacts.happened(row, "announced_at", AS_OF) and row["order_id"] in orders
    ]
    received = sum(facts["received_qty"] for facts in orders.values())
    assert counted(connection, "return_share")[:2] == (sum(row["returned_qty"] for row in back), received)
    reasons: Counter[str] = Counter()
    for row in back:
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


def test_ship_notices(connection: Connection, orders: Facts) -> None:
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


def test_warnings(connection: Connection, orders: Facts) -> None:
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


def test_recoveries(connection: Connection, orders: Facts) -> None:
    expected = random_contacts.failures(RECORDS, orders, AS_OF)
    rows = ledger(connection, recovery_facts_table, "order_id")
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


def test_retained_margins(connection: Connection, orders: Facts) -> None:
    lines = ledger(connection, order_line_facts_table, "order_id")  # one line per order
    checked = 0
    for row in ledger(connection, recovery_facts_table, "order_id").values():
        if not row["failed"] or row["start_day"] + timedelta(90) > AS_OF.date():
            assert row["retained_amount"] is None
            continue
        checked += 1
        assert row["retained_amount"] == random_contacts.retained(orders, lines, row["start_day"], row["customer_id"])
    assert checked > 3


def test_recovery_costs(connection: Connection, orders: Facts) -> None:
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


def test_quotes(connection: Connection, orders: Facts) -> None:
    asked = [row for row in RECORDS["quotes"] if random_contacts.happened(row, "asked_at", AS_OF)]
    answered = {row["quote_id"]: random_contacts.happened(row, "answered_at", AS_OF) for row in asked}
    offered = {name: [row for row in RECORDS["quote_options"] if row["quote_id"] == name] for name in answered}
    old = {row["quote_id"] for row in asked if row["asked_at"].date() <= date(2026, 3, 31)}
    there = {row["order_id"] for row in RECORDS["orders"]}
    won = {
        row["quote_id"]
        for row in asked
        if row["order_id"] and (row["order_id"] in orders or row["order_id"] not in there)
    }
    replied = {name for name, at in answered.items() if at}
    chosen = {name for name in replied if any(option["accepted"] for option in offered[name])}
    assert counted(connection, "quotes_answered")[:2] == (len(replied), len(asked))
    assert counted(connection, "quotes_with_choice")[:2] == (
        sum(len(offered[name]) >= 2 for name in replied),
        len(replied),
    )
    assert counted(connection, "quotes_accepted")[:2] == (len(chosen & old), len(replied & old))
    assert counted(connection, "quote_conversion")[:2] == (len(won & old), len(old))
    assert one(connection, "quotes_young").value == len(asked) - len(old)
    waits = []
    for row in asked:
        start, end = random_contacts.span(row, "asked_at"), answered[row["quote_id"]]
        assert start is not None
        waits.append((max(0, random_contacts.minutes(start[1], end[1] if end else AS_OF)), end is not None))
    waited(connection, "quote_hours_p50", waits, Fraction(1, 2))
    worth, days, price = {}, 0, Decimal(0)
    for name in replied:
        priced = [row for row in offered[name] if row["price_amount"] is not None]
        taken = [row for row in offered[name] if row["accepted"]]
        prices = (
            [row["price_amount"] for row in taken if row["price_amount"] is not None]
            if taken
            else [row["price_amount"] for row in priced]
        )
        if prices:
            worth[name] = min(prices)
        both = [row for row in priced if row["lead_time_days"] is not None]
        leads = [row["lead_time_days"] for row in both]
        if leads and max(leads) > min(leads):
            days += max(leads) - min(leads)
            price += min(row["price_amount"] for row in both if row["lead_time_days"] == min(leads))
            price -= min(row["price_amount"] for row in both if row["lead_time_days"] == max(leads))
    assert counted(connection, "value_quote_conversion")[:2] == (
        sum(worth.get(name, 0) for name in won & old),
        sum(worth.get(name, 0) for name in old),
    )
    assert counted(connection, "lead_day_price")[:2] == (price, days)
    class_of = {None: "(none)", 2: "up to 3 days", 3: "up to 3 days", 7: "4 to 7 days", 20: "over 14 days"}
    classes = Counter(
        class_of[option["lead_time_days"]] for name in replied for option in offered[name] if option["accepted"]
    )
    accepted = {name: part for name, (part, _) in by(connection, "lead_option_mix", "lead_time_class").items() if part}
    assert accepted == dict(classes)


def test_books(connection: Connection, orders: Facts) -> None:
    senders = {row["customer_id"] for row in RECORDS["buyer_scorecards"]}
    ours = {
        (facts["customer_id"], name)
        for name, facts in orders.items()
        if facts["state"] == "judged" and facts["customer_id"] in senders
    }
    mine = {(facts["customer_id"], name) for name, facts in orders.items()}
    cards = {}
    for row in RECORDS["buyer_scorecards"]:
        key = (row["customer_id"], row["order_id"])
        begun = random_contacts.span(row, "due_by") or random_contacts.span(row, "received_at")
        if key in ours or (key not in mine and (begun is None or begun[1] <= AS_OF)):
            cards[key] = row
    dated = {
        key
        for key, row in cards.items()
        if key in mine or row["due_by"] or random_contacts.happened(row, "received_at", AS_OF)
    }
    assert counted(connection, "books_matched")[:2] == (len(ours & set(cards)), len(ours | dated))
    verdicts = [
        None
        if cards[key]["passed"] is None or orders[key[1]]["otif"] is None
        else cards[key]["passed"] == orders[key[1]]["otif"]
        for key in ours & set(cards)
    ]
    assert counted(connection, "books_agree") == random_contacts.share(verdicts)
    causes: Counter[str] = Counter()
    for key in ours & set(cards):
        card, facts = cards[key], orders[key[1]]
        came, due = random_contacts.happened(card, "received_at", AS_OF), random_contacts.span(card, "due_by")
        pairs = {
            "receipt_day": (facts["arrived_day"], came and came[1].date()),
            "quantity": (facts["received_qty"], card["received_qty"]),
            "deadline": (facts["due_day"], due and due[1].date()),
            "verdict": (facts["otif"], card["passed"]),
        }
        differing = [
            cause for cause, (our, their) in pairs.items() if our is not None and their is not None and our != their
        ]
        causes.update(differing[:1])
    assert len(causes) == 4
    assert {cause: part for cause, (part, _) in by(connection, "books_dispute", "cause").items() if part} == dict(
        causes
    )


def test_the_parts_of_every_total_add_up(connection: Connection) -> None:
    totals = [measure for measure in MEASURES if isinstance(measure.formula, Total)]
    own = {"cause", "recovery", "activity", "return_reason", "lead_time_class"}
    for measure in totals:
        whole = one(connection, measure.name).value
        assert whole, measure.name
        for dimension in (*DIMENSIONS, *[name for name in own if name in measure.facts.columns]):
            parts = [part.value for part in answer(connection, Question((measure.name,), by=(dimension,)))]
            assert None not in parts, (measure.name, dimension)
            assert sum(part for part in parts if part is not None) == whole, (measure.name, dimension)


def test_shares_of_a_mix_add_up_to_one(connection: Connection) -> None:
    for segment in ("A", "B"):
        shares = answer(
            connection, Question(("lead_option_mix",), by=("lead_time_class",), where=(("segment", (segment,)),))
        )
        assert sum(share.value for share in shares if share.value) == pytest.approx(1)


@pytest.mark.postgres
def test_postgresql_gives_the_same_rows_and_answers(connection: Connection, postgres_database: str) -> None:
    names = tuple(measure.name for measure in MEASURES)
    with built(url=postgres_database, **RECORDS) as server:
        for table in TABLE_KEYS:
            rows = [sorted(map(repr, engine.execute(table.select()).all())) for engine in (connection, server)]
            assert rows[0] == rows[1], table.name
        for dimensions in ((), ("segment",), ("channel",)):
            for grain in (None, "month"):
                question = Question(names, by=dimensions, grain=grain, end=datetime(2026, 12, 31).date())
                answers = [answer(engine, question) for engine in (connection, server)]
                assert answers[0] == answers[1]
