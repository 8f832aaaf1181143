"""Compare quotes, and the buyer's and the seller's results, with a count of random records in plain Python."""

from collections import Counter
from datetime import date
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import Connection

from tests.metrics.facts.contacts.counts import RECORDS, Facts, counted, waited
from tests.reference import random_contacts
from tests.support.ask_measures import AS_OF, by, one


def test_quote_measures_equal_a_recount_of_the_records(connection: Connection, orders: Facts) -> None:
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


def test_two_books_measures_equal_a_recount_of_the_records(connection: Connection, orders: Facts) -> None:
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
