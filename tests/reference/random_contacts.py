"""Messages, cases, returns, inquiries and scorecards drawn at random around orders, and counted again in plain Python.

The recount reads only the records and the verdicts of the order facts (which the judge proves); it shares no code with
the ledgers. Everything is in UTC. A moment is kept as its span: an instant twice, or a day's first and last
microsecond.
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


def moment(draw: Random, first: int, last: int) -> str:
    """A day of 2026 (counted from 1 January), as a bare date or with a full hour."""
    day = date(2026, 1, 1) + timedelta(draw.randint(first, last))
    return day.isoformat() if draw.random() < 0.3 else f"{day}T{draw.randint(0, 23):02}:00Z"


def drawn(seed: int, orders: int) -> Records:
    """Records of so many orders of eight customers, due from January to April 2026."""
    draw = Random(seed)
    made: dict[str, list[Row]] = defaultdict(list)
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


def _order(draw: Random, made: dict[str, list[Row]], order_id: str, day: int) -> None:
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
    for n in range(draw.randint(0, 3)):
        about: dict[str, Any] = {
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
    for n in range(draw.choice((0, 0, 1, 2))):
        opened = due + draw.randint(-4, 6)
        kind = draw.choice(("complaint", "question", "parts_request", "special_request", "sudden_change"))
        case: dict[str, Any] = {
            "case_id": f"{order_id}-{n}",
            "order_id": order_id,
            "customer_id": customer_id,
            "kind": kind,
        }
        case |= {"opened_at": moment(draw, opened, opened), "granted": draw.choice((True, False, None))}
        case["acknowledged_at"] = moment(draw, opened + 1, opened + 3) if draw.random() < 0.7 else None
        case["resolved_at"] = moment(draw, opened + 3, opened + 20) if draw.random() < 0.7 else None
        made["service_cases"].append(contact_builders.service_case(**case, cost_amount=draw.choice((None, 10, 25))))
    if draw.random() < 0.2:
        announced = due + draw.randint(2, 9)
        back: dict[str, Any] = {
            "returned_qty": draw.randint(1, 20),
            "reason": draw.choice(("damage", "not_wanted", None)),
        }
        back["announced_at"] = moment(draw, announced, announced)
        back["credited_at"] = moment(draw, announced + 1, announced + 15) if draw.random() < 0.6 else None
        made["returns"].append(contact_builders.returned(return_id=order_id, order_id=order_id, **back))
    if draw.random() < 0.5:
        card: dict[str, Any] = {"order_id": order_id, "customer_id": draw.choices((customer_id, "C0"), (9, 1))[0]}
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


def _quote(draw: Random, made: dict[str, list[Row]], quote_id: str, orders: int) -> None:
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


def span(row: Mapping[str, Any], name: str) -> Span | None:
    """The first and last instant a moment of a record may be."""
    value = row[name]
    if value is None:
        return None
    return (value, value + SPAN_END) if row[f"{name}_is_date"] else (value, value)


def happened(row: Mapping[str, Any], name: str, as_of: datetime) -> Span | None:
    """The moment's span if it has happened by as_of."""
    found = span(row, name)
    return found if found is not None and found[1] <= as_of else None


def minutes(first: datetime, last: datetime) -> int:
    """Seconds between, to the nearest minute."""
    whole = Fraction((last - first) // timedelta(microseconds=1), 60_000_000)
    return 60 * ((whole + Fraction(1, 2)).__floor__())


def share(verdicts: list[bool | None]) -> tuple[int, int, int]:
    """How many are true, known and unknown."""
    known = [verdict for verdict in verdicts if verdict is not None]
    return sum(known), len(known), len(verdicts) - len(known)


def surviving(waits: list[tuple[int, bool]], t: int) -> Fraction:
    """Kaplan-Meier's S(t) by its definition; waits are (duration, whether it happened)."""
    left = Fraction(1)
    for when in {duration for duration, ended in waits if ended and duration <= t}:
        at_risk = sum(duration >= when for duration, _ in waits)
        left *= 1 - Fraction(sum(duration == when and ended for duration, ended in waits), at_risk)
    return left


def waiting(waits: list[tuple[int, bool]], fraction: Fraction) -> int | None:
    """The first duration by which S has fallen to 1 - fraction."""
    return next((t for t in sorted({duration for duration, _ in waits}) if surviving(waits, t) <= 1 - fraction), None)


def messages_in_time(records: Records, as_of: datetime) -> list[tuple[str, bool | None]]:
    """(phase, in time) of every message due by as_of."""
    found: list[tuple[str, bool | None]] = []
    for row in records["messages"]:
        due, sent = span(row, "due_at"), happened(row, "sent_at", as_of)
        if due is None or due[1] > as_of:
            continue
        verdict = False if sent is None else True if sent[1] <= due[1] else False if sent[0] > due[1] else None
        found.append((row["phase"], verdict))
    return found


def told_right(records: Records, as_of: datetime) -> list[bool | None]:
    """Whether each message told was right."""
    due = {row["message_id"]: span(row, "due_at") for row in records["messages"]}
    told = [row for row in records["messages"] if happened(row, "sent_at", as_of)]
    return [row["correct"] for row in told if (end := due[row["message_id"]]) is None or end[1] <= as_of]


def failures(records: Records, orders: Mapping[str, Mapping[str, Any]], as_of: datetime) -> dict[str, dict[str, Any]]:
    """What became of each failed order: first notice and case, acknowledged, resolved, recovered. orders: the order
    facts by order_id.
    """
    notices, cases, bills = defaultdict(list), defaultdict(list), {}
    for row in records["messages"]:
        if row["kind"] == "delay_notice" and row["order_id"] and (sent := happened(row, "sent_at", as_of)):
            notices[row["order_id"]].append(sent)
    for row in records["service_cases"]:
        if row["kind"] not in ("special_request", "sudden_change") and happened(row, "opened_at", as_of):
            cases[row["order_id"]].append(row)
    for row in records["invoices"]:  # one bill an order, of the same name
        if dated := happened(row, "invoiced_at", as_of):
            bills[row["invoice_id"]] = dated[1]
    found = {}
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
        found[order_id] = _chain(facts, verdicts, min(moments), notices[order_id], cases[order_id], as_of)
    return found


def _chain(
    facts: Mapping[str, Any],
    verdicts: dict[str, bool | None],
    failed_at: datetime,
    notices: list[Span],
    cases: list[Row],
    as_of: datetime,
) -> dict[str, Any]:
    resolved_by_case = {row["case_id"]: happened(row, "resolved_at", as_of) for row in cases}
    cases = [row for row in cases if (end := resolved_by_case[row["case_id"]]) is None or end[1] >= failed_at]
    opened = [one for row in cases if (one := happened(row, "opened_at", as_of))]
    answered = [one[1] for row in cases if (one := happened(row, "acknowledged_at", as_of))]
    first_notice = min((last for _, last in notices), default=None)
    first_case = min((last for _, last in opened), default=None)
    detected = min((one for one in (first_notice, first_case) if one), default=None)
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
    acknowledged = min((one for one in (first_notice, *answered, resolved) if one), default=None)
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
    records: Records, orders: Mapping[str, Mapping[str, Any]], groups: Mapping[str, str], as_of: datetime
) -> dict[str, tuple[int, bool]]:
    """Days to the customer's next sale after each judged order, and whether there was one."""
    placed = defaultdict(list)
    for row in records["orders"]:
        if row["order_type"] == "sale" and (at := happened(row, "ordered_at", as_of)):
            placed[row["customer_id"]].append(at[1])
    found = {}
    for order_id, facts in orders.items():
        if facts["state"] != "judged":
            continue
        lost = facts["settled_at"] is None or groups[order_id] == "unrecovered"
        start = facts["deadline_at"] if lost else facts["settled_at"]
        later = [at for at in placed[facts["customer_id"]] if at > start]
        found[order_id] = ((min(later) if later else as_of).date() - start.date()).days, bool(later)
    return found


def retained(
    orders: Mapping[str, Mapping[str, Any]], lines: Mapping[str, Mapping[str, Any]], start: date, customer_id: str
) -> Decimal:
    """Margin of the customer's sales ordered in the 90 days after a day, at a unit cost of 3; lines: the line facts by
    order_id.
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
