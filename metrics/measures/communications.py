"""Communications before, during and after the transaction, and special requests granted.

Source: docs/rules.md, communications and dependability.
"""

from decimal import Decimal

from sqlalchemy import and_

from metrics.facts.messages import message_facts_table
from metrics.facts.recoveries import recovery_facts_table
from metrics.facts.service_cases import case_facts_table
from metrics.facts.shipments import shipment_facts_table
from metrics.measures.formulas import HOUR, share_of
from metrics.measures.needs import CORE_FEEDS, NEEDS_CASES, NEEDS_MESSAGES, NEEDS_PROMISE, NEEDS_RECEIPT, PENDING
from metrics.model.measure import Direction, Measure, Need, Percentile, Unit

m = message_facts_table.c
case_ = case_facts_table.c
order = recovery_facts_table.c
shipment = shipment_facts_table.c

NEEDS_PHASE = Need(("messages.phase",))
NEEDS_DUE_TIME = Need(("messages.due_at",))
NEEDS_SENT = Need(("messages.sent_at",))
NEEDS_GRANTED = Need(("service_cases.granted",))
NEEDS_DELAY_NOTICES = Need((("messages.message_id", "messages.order_id", "messages.kind", "messages.sent_at"),))
NEEDS_NOTICE = Need(("shipments.notice_sent_at",))


def _in_time(*, name: str, title: str, phase: str, what: str, short: str) -> Measure:
    return Measure(
        name=name,
        title=title,
        short=short,
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=message_facts_table,
        date="told_day",
        formula=share_of(m.in_time, and_(m.due, m.phase == phase)),
        definition=f"{what} sent by the time they were due. A message that is due and was never sent counts as late.",
        numerator="messages sent by their due time",
        denominator="messages due by the end of the data",
        exclusions=(
            "Messages not due yet, and messages without a due time. A bare date that could be either lowers the "
            "coverage."
        ),
        source="docs/rules.md, communications and dependability",
        feeds=("messages",),
        needs=(NEEDS_MESSAGES, NEEDS_PHASE, NEEDS_DUE_TIME, NEEDS_SENT),
        product_rows=(12,),
    )


MEASURES: tuple[Measure, ...] = (
    _in_time(
        name="ack_on_time",
        title="Before: acknowledged in time",
        phase="pre",
        what="Quotes and acknowledgements before the transaction",
        short="Acknowledged in time",
    ),
    Measure(
        name="late_warned",
        title="During: warned before the due date",
        short="Warned in time",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=recovery_facts_table,
        date="due_day",
        formula=share_of(order.warned, order.late),
        definition=(
            "Late orders whose buyer received a notice of delay before the deadline of the first line that was not on "
            "time."
        ),
        version=2,
        numerator="late orders whose first notice of delay was sent before that deadline",
        denominator="judged orders that are not on time",
        exclusions=f"{PENDING} Also orders that are not late.",
        source="own definition",
        feeds=(*CORE_FEEDS, "messages"),
        needs=(NEEDS_PROMISE, NEEDS_RECEIPT, NEEDS_DELAY_NOTICES),
        product_rows=(12,),
    ),
    Measure(
        name="notice_hours",
        title="Notice before the deadline",
        short="Notice hours",
        unit=Unit.HOURS,
        direction=Direction.HIGHER,
        facts=recovery_facts_table,
        date="due_day",
        formula=Percentile(Decimal("0.5"), order.notice_seconds, ticks=HOUR),
        definition=(
            "Median hours from the first notice of delay to the deadline of the first line that was not on time. Below "
            "0, that deadline had already passed."
        ),
        version=2,
        numerator="the ⌈0.5·n⌉-th smallest number of hours from notice to deadline",
        denominator="late orders with a notice of delay",
        exclusions=(
            f"{PENDING} Also orders that are not late, and late orders without a notice (late_warned counts them)."
        ),
        source="own definition",
        feeds=(*CORE_FEEDS, "messages"),
        needs=(NEEDS_PROMISE, NEEDS_RECEIPT, NEEDS_DELAY_NOTICES),
        product_rows=(12,),
    ),
    Measure(
        name="ship_notice_ahead",
        title="Ship notice before arrival",
        short="Ship notice ahead",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=shipment_facts_table,
        date="received_day",
        formula=share_of(shipment.notice_ahead, shipment.received_day.is_not(None)),
        definition=(
            "Consignments whose ship notice was sent before they were received. A consignment received without a "
            "notice counts as not announced."
        ),
        numerator="consignments with the notice sent before receipt",
        denominator="consignments received",
        exclusions="Consignments not received. A bare date that could be either lowers the coverage.",
        source="own definition",
        feeds=("shipments", "shipment_lines"),
        needs=(NEEDS_NOTICE, NEEDS_RECEIPT),
        product_rows=(12,),
    ),
    _in_time(
        name="post_reply_on_time",
        title="After: replies and invoices in time",
        phase="post",
        what="Replies and invoices after the transaction",
        short="Replies in time",
    ),
    Measure(
        name="special_granted",
        title="Special requests granted",
        short="Requests granted",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=case_facts_table,
        date="opened_day",
        formula=share_of(case_.granted, and_(case_.case_kind == "special_request", case_.granted.is_not(None))),
        definition="Special requests granted, as a share of those decided.",
        numerator="special requests granted",
        denominator="special requests decided by the end of the data",
        exclusions="Special requests not decided yet.",
        source="docs/rules.md, communications and dependability",
        feeds=("service_cases",),
        needs=(NEEDS_CASES, NEEDS_GRANTED),
        product_rows=(12,),
    ),
    Measure(
        name="special_met",
        title="Special requests granted and met",
        short="Requests met",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=case_facts_table,
        date="opened_day",
        formula=share_of(case_.met, and_(case_.case_kind == "special_request", case_.granted.is_not(None))),
        definition=(
            "Special requests that were granted and whose order was on time in full, as a share of those decided."
        ),
        numerator="special requests granted whose order is on time in full",
        denominator=(
            "special requests decided by the end of the data: refused, or granted on an order whose verdict is known"
        ),
        exclusions=(
            "Special requests not decided yet. Granted requests whose order is pending or inconclusive lower the "
            "coverage."
        ),
        source="docs/rules.md, communications and dependability",
        feeds=("service_cases", *CORE_FEEDS),
        needs=(NEEDS_CASES, NEEDS_GRANTED, Need(("service_cases.order_id",)), NEEDS_PROMISE, NEEDS_RECEIPT),
        product_rows=(12,),
    ),
)
