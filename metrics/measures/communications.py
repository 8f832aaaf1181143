"""Communications before, during and after the transaction, and special wishes granted. Source: the brief; rules,
section 4 (g).
"""

from decimal import Decimal

from sqlalchemy import Table, and_

from metrics.facts.messages import message_facts_table
from metrics.facts.recoveries import recovery_facts_table
from metrics.facts.service_cases import case_facts_table
from metrics.facts.shipments import shipment_facts_table
from metrics.measures.formulas import HOUR, share_of
from metrics.measures.needs import CORE_FEEDS, NEEDS_CASES, NEEDS_MESSAGES, NEEDS_PROMISE, NEEDS_RECEIPT, PENDING
from metrics.model.measure import Direction, Formula, Measure, Need, Percentile, Unit

m = message_facts_table.c
case_ = case_facts_table.c
order = recovery_facts_table.c
shipment = shipment_facts_table.c

NEEDS_NOTICE = Need(("shipments.notice_sent_at",), "no data: notice_sent_at (map shipments.notice_sent_at)")


def _measure(
    name: str, title: str, facts: Table, date: str, formula: Formula, definition: str, numerator: str, denominator: str, exclusions: str, *,
    feeds: tuple[str, ...], needs: tuple[Need, ...], source: str = "brief", unit: Unit = Unit.SHARE, short: str = "",
) -> Measure:  # fmt: skip
    return Measure(
        name=name, title=title, unit=unit, direction=Direction.HIGHER, facts=facts, date=date, formula=formula, definition=definition,
        numerator=numerator, denominator=denominator, exclusions=exclusions, source=source, feeds=feeds, product_rows=(12,), needs=needs, short=short,
    )  # fmt: skip


def _in_time(name: str, title: str, phase: str, what: str, short: str) -> Measure:
    return _measure(
        name,
        title,
        message_facts_table,
        "told_day",
        share_of(m.in_time, and_(m.due, m.phase == phase)),
        f"{what} sent by the time they were due. One that is due and was never sent counts as too late.",
        "messages sent by their due time",
        "messages due by the data's date",
        "Messages not due yet or without a due time. A bare date that leaves it open lowers the coverage.",
        feeds=("messages",),
        needs=(NEEDS_MESSAGES,),
        short=short,
    )


MEASURES: tuple[Measure, ...] = (
    _in_time(
        "ack_on_time",
        "Before: acknowledged in time",
        "pre",
        "Quotes and acknowledgements before the transaction",
        "Acknowledged in time",
    ),
    _measure(
        "late_warned",
        "During: told before it was late",
        recovery_facts_table,
        "due_day",
        share_of(order.warned, order.late),
        "Late orders whose buyer was sent a notice of delay before the deadline passed.",
        "late orders whose first notice of delay was sent before the deadline",
        "judged orders with on_time false",
        f"{PENDING} Orders not late.",
        feeds=(*CORE_FEEDS, "messages"),
        needs=(NEEDS_PROMISE, NEEDS_RECEIPT, NEEDS_MESSAGES),
        source="brief; own",
        short="Late, but told",
    ),
    _measure(
        "notice_hours",
        "Notice given",
        recovery_facts_table,
        "due_day",
        Percentile(Decimal("0.5"), order.notice_seconds, ticks=HOUR),
        "Median hours from the first notice of delay to the deadline of late orders; below 0 where the deadline had passed before.",
        "the ⌈0.5·n⌉-th smallest number of hours from notice to deadline",
        "late orders with a notice of delay",
        f"{PENDING} Orders not late, and late orders without notice (they are in late_warned).",
        feeds=(*CORE_FEEDS, "messages"),
        needs=(NEEDS_PROMISE, NEEDS_RECEIPT, NEEDS_MESSAGES),
        source="own",
        unit=Unit.HOURS,
        short="Notice given",
    ),
    _measure(
        "ship_notice_ahead",
        "Ship notice before arrival",
        shipment_facts_table,
        "received_day",
        share_of(shipment.notice_ahead, shipment.received_day.is_not(None)),
        "Consignments whose ship notice was sent before they were received. One received without a notice counts as not told.",
        "consignments with the notice sent before receipt",
        "consignments received",
        "Consignments not received. A bare date that leaves it open lowers the coverage.",
        feeds=("shipments", "shipment_lines"),
        needs=(NEEDS_NOTICE, NEEDS_RECEIPT),
        source="own",
        short="Ship notice ahead",
    ),
    _in_time(
        "post_reply_on_time",
        "After: replies and invoices in time",
        "post",
        "Replies and invoices after the transaction",
        "Replies in time",
    ),
    _measure(
        "special_granted",
        "Special requests granted",
        case_facts_table,
        "opened_day",
        share_of(case_.granted, and_(case_.case_kind == "special_request", case_.granted.is_not(None))),
        "Special requests that were granted, of those decided.",
        "special requests granted",
        "special requests decided by the data's date",
        "Special requests not decided yet.",
        feeds=("service_cases",),
        needs=(NEEDS_CASES,),
        short="Requests granted",
    ),
    _measure(
        "special_met",
        "Special requests granted and met",
        case_facts_table,
        "opened_day",
        share_of(case_.met, and_(case_.case_kind == "special_request", case_.granted.is_not(None))),
        "Special requests that were granted and whose order came on time in full, of those decided.",
        "special requests granted whose order is on time in full",
        "special requests decided by the data's date: refused, or granted on an order whose verdict is known",
        "Special requests not decided yet. Granted ones whose order is pending or not proven lower the coverage.",
        feeds=("service_cases", *CORE_FEEDS),
        needs=(NEEDS_CASES, NEEDS_PROMISE, NEEDS_RECEIPT),
        short="Requests met",
    ),
)
