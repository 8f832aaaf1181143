"""Responsiveness to special requests and sudden changes; information timely and accurate. Source: the brief; rules,
section 4 (h).
"""

from decimal import Decimal

from sqlalchemy import and_

from metrics.facts.messages import message_facts_table
from metrics.facts.service_cases import REQUEST_KINDS, case_facts_table
from metrics.measures.communications import case_, m
from metrics.measures.formulas import HOUR, share_of
from metrics.measures.needs import NEEDS_CASES, NEEDS_MESSAGES
from metrics.model.measure import Direction, Measure, Need, Part, Ratio, Survival, Unit

NEEDS_CORRECT = Need(("messages.correct",), "no data: correct (map messages.correct)")
_wish = case_.case_kind.in_(REQUEST_KINDS)

MEASURES: tuple[Measure, ...] = (
    Measure(
        name="responsiveness",
        title="Special requests and sudden changes granted",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=case_facts_table,
        date="opened_day",
        formula=Ratio(
            Part(and_(_wish, case_.granted.is_(True), case_.resolved_at.is_not(None))),
            Part(and_(_wish, case_.granted.is_not(None))),
        ),
        definition="Special requests and sudden changes settled as the buyer wished, of those decided.",
        numerator="special requests and sudden changes granted and settled",
        denominator="special requests and sudden changes decided by the data's date",
        exclusions="Cases not decided yet.",
        source="brief",
        feeds=("service_cases",),
        product_rows=(12, 13),
        needs=(NEEDS_CASES,),
        short="Responsiveness",
    ),
    Measure(
        name="responsiveness_hours",
        title="Hours to settle a request or change",
        unit=Unit.HOURS,
        direction=Direction.LOWER,
        facts=case_facts_table,
        date="opened_day",
        formula=Survival(
            case_.open_seconds, case_.resolved_at.is_not(None), _wish, fraction=Decimal("0.5"), ticks=HOUR
        ),
        definition="Median hours from a special request or sudden change to its settlement; those still open count as "
        "waiting since (Kaplan-Meier).",
        numerator="the first hour by which half of them are settled (Kaplan-Meier)",
        denominator="special requests and sudden changes raised by the data's date",
        exclusions="None.",
        source="brief",
        feeds=("service_cases",),
        product_rows=(12, 13),
        needs=(NEEDS_CASES,),
        short="Hours to settle",
    ),
    Measure(
        name="info_timely",
        title="Information timely",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=message_facts_table,
        date="told_day",
        formula=share_of(m.in_time, m.due),
        definition="Messages to buyers, in every phase, sent by the time they were due. One that is due and was never "
        "sent counts as too late.",
        numerator="messages sent by their due time",
        denominator="messages due by the data's date",
        exclusions="Messages not due yet or without a due time. A bare date that leaves it open lowers the coverage.",
        source="brief",
        feeds=("messages",),
        product_rows=(12, 13),
        needs=(NEEDS_MESSAGES,),
        short="Timely",
    ),
    Measure(
        name="info_accurate",
        title="Information accurate",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=message_facts_table,
        date="told_day",
        formula=share_of(m.correct, m.told),
        definition="Messages to buyers that were right, of those sent whose truth is known.",
        numerator="messages sent that were right",
        denominator="messages sent of which it is known whether they were right",
        exclusions="Messages not due yet or not sent. Those nobody checked lower the coverage.",
        source="brief",
        feeds=("messages",),
        product_rows=(12, 13),
        needs=(NEEDS_MESSAGES, NEEDS_CORRECT),
        short="Accurate",
    ),
)
