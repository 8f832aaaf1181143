"""Random messages, cases, returns, quotes and scorecards of orders, and their counts in plain Python.

The counts use the records and the verdicts of the order facts. They share no code with the fact tables. All times are
UTC. A time is stored as its span: an instant twice, or the first and last microsecond of a day.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from tests.support import builders, contact_builders
from tests.support.builders import Records, Row

DAY = timedelta(days=1)
SPAN_END = timedelta(days=1, microseconds=-1)
Span = tuple[datetime, datetime]
Facts = Mapping[str, Mapping[str, Any]]  # Any: values of table rows


def moment(draw: Random, first: int, last: int) -> str:
    """Return a day of 2026 (counted from 1 January) as text: a bare date or a full hour."""
    day = date(2026, 1, 1) + timedelta(draw.randint(first, last))
    return day.isoformat() if draw.random() < 0.3 else f"{day}T{draw.randint(0, 23):02}:00Z"


def drawn(seed: int, orders: int) -> Records:
    """Return records of orders of eight customers, due from January to April 2026."""
    draw = Random(seed)
    made: Records = defaultdict(list)
    for n in range(8):
        made["customers"].append(builders.customer(customer_id=f"C{n}", service_segment=draw.choice("AB")))
        made["customers"].append(
            builders.customer(customer_id=f"C{n}", valid_from="2026-03-01", service_segment=draw.choice("AB"))
        )
    made["products"].append(builders.product(unit_cost_amount="3"))
    for n in range(orders):
        _order(draw, made, f"O{n}", draw.randint(0, 110))
    for n in range(orders // 2):
        _quote(draw, made, f"Q{n}", orders)
    return builders.records(**made)


def _order(draw: Random, made: Records, order_id: str, day: int) -> None:
    """Add an order, its delivery, its invoice and its contacts."""
    customer_id, due = f"C{draw.randint(0, 7)}", day + draw.randint(2, 10)
    kind = draw.choices(("sale", "replacement"), (9, 1))[0]
    values = {"channel": draw.choice(("edi", "web", None)), "order_type": kind, "customer_id": customer_id}
    made["orders"].append(
        builders.order(
            order_id=order_id, ordered_at=moment(draw, day, day), promised_by=moment(draw, due, due), **values
        )
    )
    made["order_lines"].append(builders.order_line(order_id=order_id))
    if draw.random() < 0.9:
        arrived = due + draw.choice((-1, -1, 0, 0, 0, 1, 4))
        notice = moment(draw, due - 2, arrived) if draw.random() < 0.7 else None
        received = {"received_at": moment(draw, max(arrived, day + 1), max(arrived, day + 1)), "notice_sent_at": notice}
        made["shipments"].append(builders.shipment(shipment_id=order_id, shipped_at=moment(draw, day, day), **received))
        quantities = {"received_qty": draw.choice((100, 100, 100, 95)), "damaged_qty": draw.choice((0, 0, 0, 0, 1))}
        made["shipment_lines"].append(builders.shipment_line(shipment_id=order_id, order_id=order_id, **quantities))
        if draw.random() < 0.9:
            invoice = {"invoice_id": order_id, "invoiced_at": moment(draw, max(arrived, day + 1), arrived + 3)}
            made["invoices"].append(builders.invoice(**invoice))
            billed = {
                "unit_price_amount": draw.choice(("5", "5", "5", "5", "5.1")),
                "billed_qty": quantities["received_qty"],
            }
            made["invoice_lines"].append(builders.invoice_line(invoice_id=order_id, order_id=order_id, **billed))
    _messages(draw, made, order_id, customer_id, day, due)
    _cases(draw, made, order_id, customer_id, due)
    _return(draw, made, order_id, due)
    _scorecard(draw, made, order_id, customer_id, due)


def _messages(draw: Random, made: Records, order_id: str, customer_id: str, day: int, due: int) -> None:
    """Add up to three messages about the order."""
    for n in range(draw.randint(0, 3)):
        about: dict[str, object] = {
            "message_id": f"{order_id}-{n}",
            "order_id": order_id if draw.random() < 0.9 else None,
            "customer_id": customer_id,
        }
        about |= {
            "phase": draw.choice(("pre", "during", "post")),
            "kind": draw.choice(("delay_notice", "delay_notice", "case_reply", None)),
        }
        about |= {
            "due_at": moment(draw, day, due + 5) if draw.random() < 0.8 else None,
            "correct": draw.choice((True, True, False, None)),
        }
        made["messages"].append(
            contact_builders.message(**about, sent_at=moment(draw, day, due + 8) if draw.random() < 0.8 else None)
        )


def _cases(draw: Random, made: Records, order_id: str, customer_id: str, due: int) -> None:
    """Add up to two service cases of the order."""
    for n in range(draw.choice((0, 0, 1, 2))):
        opened = due + draw.randint(-4, 6)
        kind = draw.choice(("complaint", "question", "parts_request", "special_request", "sudden_change"))
        case: dict[str, object] = {
            "case_id": f"{order_id}-{n}",
            "order_id": order_id,
            "customer_id": customer_id,
            "kind": kind,
        }
        case |= {"opened_at": moment(draw, opened, opened), "granted": draw.choice((True, False, None))}
        case["acknowledged_at"] = moment(draw, opened + 1, opened + 3) if draw.random() < 0.7 else None
        case["resolved_at"] = moment(draw, opened + 3, opened + 20) if draw.random() < 0.7 else None
        made["service_cases"].append(contact_builders.service_case(**case, cost_amount=draw.choice((None, 10, 25))))


def _return(draw: Random, made: Records, order_id: str, due: int) -> None:
    """Perhaps add a return of the order."""
    if draw.random() < 0.2:
        announced = due + draw.randint(2, 9)
        back: dict[str, object] = {
            "returned_qty": draw.randint(1, 20),
            "reason": draw.choice(("damage", "not_wanted", None)),
        }
        back["announced_at"] = moment(draw, announced, announced)
        back["credited_at"] = moment(draw, announced + 1, announced + 15) if draw.random() < 0.6 else None
        made["returns"].append(contact_builders.returned(return_id=order_id, order_id=order_id, **back))


def _scorecard(draw: Random, made: Records, order_id: str, customer_id: str, due: int) -> None:
    """Perhaps add the buyer's own result of the order."""
    if draw.random() < 0.5:
        card: dict[str, object] = {"order_id": order_id, "customer_id": draw.choices((customer_id, "C0"), (9, 1))[0]}
        card |= {"passed": draw.choice((True, False, None))}
        card |= {
            "due_by": moment(draw, due, due + draw.choice((0, 0, 1))) if draw.random() < 0.8 else None,
            "received_qty": draw.choice((None, 95, 100)),
        }
        made["buyer_scorecards"].append(
            contact_builders.scorecard(
                **card, received_at=moment(draw, due - 1, due + 1) if draw.random() < 0.8 else None
            )
        )


def _quote(draw: Random, made: Records, quote_id: str, orders: int) -> None:
    asked = draw.randint(0, 119)
    order_id = f"O{draw.randint(0, orders + 5)}" if draw.random() < 0.5 else None
    answered = moment(draw, asked + 1, asked + 9) if draw.random() < 0.8 else None
    values = {"quote_id": quote_id, "customer_id": f"C{draw.randint(0, 7)}", "order_id": order_id}
    made["quotes"].append(contact_builders.quote(**values, asked_at=moment(draw, asked, asked), answered_at=answered))
    for n in range(draw.randint(0, 3)):
        option: dict[str, Any] = {
            "quote_id": quote_id,
            "option_no": str(n),
            "lead_time_days": draw.choice((None, 2, 3, 7, 20)),
        }
        option |= {
            "price_amount": draw.choice((None, 100, 150, 220)),
            "accepted": draw.choice((True, False, False, None)),
        }
        made["quote_options"].append(contact_builders.quote_option(**option))


def span(row: Row, name: str) -> Span | None:
    """Return the first and last possible instant of a date or time."""
    value = row[name]
    if value is None:
        return None
    return (value, value + SPAN_END) if row[f"{name}_is_date"] else (value, value)


def happened(row: Row, name: str, as_of: datetime) -> Span | None:
    """Return the span of an event if it has happened by `as_of`."""
    within = span(row, name)
    return within if within is not None and within[1] <= as_of else None


def minutes(first: datetime, last: datetime) -> int:
    """Return the seconds between two instants, to the nearest minute."""
    whole = Fraction((last - first) // timedelta(microseconds=1), 60_000_000)
    return 60 * ((whole + Fraction(1, 2)).__floor__())


def share(verdicts: list[bool | None]) -> tuple[int, int, int]:
    """Return the number of true, known and unknown verdicts."""
    known = [verdict for verdict in verdicts if verdict is not None]
    return sum(known), len(known), len(verdicts) - len(known)


def surviving(waits: list[tuple[int, bool]], t: int) -> Fraction:
    """Return Kaplan-Meier's S(t) by its definition. A wait is (duration, ended)."""
    left = Fraction(1)
    for when in {duration for duration, ended in waits if ended and duration <= t}:
        at_risk = sum(duration >= when for duration, _ in waits)
        left *= 1 - Fraction(sum(duration == when and ended for duration, ended in waits), at_risk)
    return left


def waiting(waits: list[tuple[int, bool]], fraction: Fraction) -> int | None:
    """Return the first duration with S at most 1 - fraction."""
    return next((t for t in sorted({duration for duration, _ in waits}) if surviving(waits, t) <= 1 - fraction), None)


def messages_in_time(records: Records, as_of: datetime) -> list[tuple[str, bool | None]]:
    """Return the phase and the verdict of each message due by `as_of`."""
    verdicts: list[tuple[str, bool | None]] = []
    for row in records["messages"]:
        due, sent = span(row, "due_at"), happened(row, "sent_at", as_of)
        if due is None or due[1] > as_of:
            continue
        verdict = False if sent is None else True if sent[1] <= due[1] else False if sent[0] > due[1] else None
        verdicts.append((row["phase"], verdict))
    return verdicts


def told_right(records: Records, as_of: datetime) -> list[bool | None]:
    """Return the verdict of each message: its content was correct."""
    due = {row["message_id"]: span(row, "due_at") for row in records["messages"]}
    sent = [row for row in records["messages"] if happened(row, "sent_at", as_of)]
    return [row["correct"] for row in sent if (end := due[row["message_id"]]) is None or end[1] <= as_of]


def failures(records: Records, orders: Facts, as_of: datetime) -> dict[str, dict[str, Any]]:
    """Return each failed order's first notice and case, acknowledgement, resolution and recovery.

    orders: the order facts by order_id.
    """
    notices, cases, bills = defaultdict(list), defaultdict(list), {}
    for row in records["messages"]:
        if row["kind"] == "delay_notice" and row["order_id"] and (sent := happened(row, "sent_at", as_of)):
            notices[row["order_id"]].append(sent)
    for row in records["service_cases"]:
        if row["kind"] not in ("special_request", "sudden_change") and happened(row, "opened_at", as_of):
            cases[row["order_id"]].append(row)
    for row in records["invoices"]:  # each order has a bill with the order's id
        if dated := happened(row, "invoiced_at", as_of):
            bills[row["invoice_id"]] = dated[1]
    failed = {}
    for order_id, facts in orders.items():
        verdicts = {
            name: facts[name]
            for name in ("on_time", "complete", "damage_free", "filled_accurately", "billed_accurately")
        }
        if facts["state"] != "judged" or False not in verdicts.values():
            continue
        moments = [facts["deadline_at"]] if False in (verdicts["on_time"], verdicts["complete"]) else []
        if False in (verdicts["damage_free"], verdicts["filled_accurately"]):
            moments.append(facts["settled_at"] or facts["deadline_at"])
        if verdicts["billed_accurately"] is False:
            moments.append(bills.get(order_id) or facts["settled_at"] + 7 * DAY)
        failed[order_id] = _chain(facts, verdicts, min(moments), notices[order_id], cases[order_id], as_of)
    return failed


def _chain(
    facts: Mapping[str, Any],  # Any: values of a table row
    verdicts: dict[str, bool | None],
    failed_at: datetime,
    notices: list[Span],
    cases: list[Row],
    as_of: datetime,
) -> dict[str, Any]:
    resolved_by_case = {row["case_id"]: happened(row, "resolved_at", as_of) for row in cases}
    cases = [row for row in cases if (end := resolved_by_case[row["case_id"]]) is None or end[1] >= failed_at]
    opened = [opening for row in cases if (opening := happened(row, "opened_at", as_of))]
    answered = [answered_in[1] for row in cases if (answered_in := happened(row, "acknowledged_at", as_of))]
    first_notice = min((last for _, last in notices), default=None)
    first_case = min((last for _, last in opened), default=None)
    detected = min((at for at in (first_notice, first_case) if at), default=None)
    resolved: datetime | None = None
    if cases:
        ends = [resolved_by_case[row["case_id"]] for row in cases]
        resolved = max(end[1] for end in ends if end) if all(ends) else None
    elif (
        detected
        and verdicts["complete"]
        and False not in [verdicts[name] for name in ("damage_free", "filled_accurately", "billed_accurately")]
    ):
        resolved = max(facts["settled_at"], detected)
    acknowledged = min((at for at in (first_notice, *answered, resolved) if at), default=None)
    by_us: bool | None = None
    if first_notice and not first_case:
        by_us = True
    elif first_case and not first_notice:
        by_us = False
    elif first_notice and first_case:
        earliest_case, earliest_notice = min(first for first, _ in opened), min(first for first, _ in notices)
        by_us = True if first_notice < earliest_case else False if earliest_notice >= first_case else None
    limit = (detected or failed_at) + 10 * DAY
    recovered = resolved is not None and resolved <= limit
    group = "recovered" if recovered else "unrecovered" if limit <= as_of else "open"
    return {
        "failed_at": failed_at, "detected_at": detected, "acknowledged_at": acknowledged, "resolved_at": resolved,
        "by_us": by_us,
        "recovery": group, "limit_passed": limit <= as_of,
    }  # fmt: skip


def reorders(
    records: Records, orders: Facts, groups: Mapping[str, str], as_of: datetime
) -> dict[str, tuple[int, bool]]:
    """Return the days to the customer's next sale after each judged order, and whether there is such a sale."""
    placed = defaultdict(list)
    for row in records["orders"]:
        if row["order_type"] == "sale" and (at := happened(row, "ordered_at", as_of)):
            placed[row["customer_id"]].append(at[1])
    waits = {}
    for order_id, facts in orders.items():
        if facts["state"] != "judged":
            continue
        lost = facts["settled_at"] is None or groups[order_id] == "unrecovered"
        start = facts["deadline_at"] if lost else facts["settled_at"]
        later = [at for at in placed[facts["customer_id"]] if at > start]
        waits[order_id] = ((min(later) if later else as_of).date() - start.date()).days, bool(later)
    return waits


def retained(orders: Facts, lines: Facts, start: date, customer_id: str) -> Decimal:
    """Return the margin of the customer's sales in the 90 days after a day, at a unit cost of 3.

    lines: the line facts by order_id.
    """
    mine = [
        name for name, facts in orders.items() if facts["customer_id"] == customer_id and facts["order_type"] == "sale"
    ]
    billed = [
        lines[name]
        for name in mine
        if start < orders[name]["ordered_day"] <= start + 90 * DAY and lines[name]["billed_amount"] is not None
    ]
    return sum((line["billed_amount"] - line["billed_qty"] * 3 for line in billed), Decimal(0))
