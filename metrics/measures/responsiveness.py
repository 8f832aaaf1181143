"""Responsiveness to special requests and sudden changes, and timely and accurate information.

Source: docs/rules.md, order management influences.
"""

from decimal import Decimal

from sqlalchemy import and_

from metrics.facts.messages import message_facts_table
from metrics.facts.service_cases import REQUEST_KINDS, case_facts_table
from metrics.measures.communications import case_, m
from metrics.measures.formulas import HOUR, share_of
from metrics.measures.needs import NEEDS_CASES, NEEDS_MESSAGES, NEEDS_RESOLVED
from metrics.model.measure import Direction, Measure, Need, Part, Ratio, Survival, Unit

NEEDS_CORRECT = Need(("messages.correct",))
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
        definition="Special requests and sudden changes settled as the buyer requested, as a share of those decided.",
        numerator="special requests and sudden changes granted and settled",
        denominator="special requests and sudden changes decided by the end of the data",
        exclusions="Cases not decided yet.",
        source="docs/rules.md, order management influences",
        feeds=("service_cases",),
        product_rows=(12, 13),
        needs=(NEEDS_CASES, Need(("service_cases.granted",)), NEEDS_RESOLVED),
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
        definition=(
            "Median hours from a special request or sudden change to its settlement. Open cases count as still waiting "
            "(Kaplan-Meier)."
        ),
        numerator="the first hour by which half of them are settled (Kaplan-Meier)",
        denominator="special requests and sudden changes raised by the end of the data",
        exclusions="None.",
        source="docs/rules.md, order management influences",
        feeds=("service_cases",),
        product_rows=(12, 13),
        needs=(NEEDS_CASES, NEEDS_RESOLVED),
        short="Hours to settle",
    ),
    Measure(
        name="info_timely",
        title="Information on time",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=message_facts_table,
        date="told_day",
        formula=share_of(m.in_time, m.due),
        definition=(
            "Messages to buyers, before, during and after the transaction, sent by the time they were due. A message "
            "that is due and was never sent counts as late."
        ),
        numerator="messages sent by their due time",
        denominator="messages due by the end of the data",
        exclusions=(
            "Messages not due yet, and messages without a due time. A bare date that could be either lowers the "
            "coverage."
        ),
        source="docs/rules.md, order management influences",
        feeds=("messages",),
        product_rows=(12, 13),
        needs=(NEEDS_MESSAGES, Need(("messages.due_at",)), Need(("messages.sent_at",))),
        short="Timely",
    ),
    Measure(
        name="info_accurate",
        title="Accurate information",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=message_facts_table,
        date="told_day",
        formula=share_of(m.correct, m.sent_when_due),
        definition="Messages to buyers that were correct, as a share of sent messages that were checked.",
        numerator="messages sent that were correct",
        denominator="messages sent that were checked",
        exclusions="Messages not due yet or not sent. Unchecked messages lower the coverage.",
        source="docs/rules.md, order management influences",
        feeds=("messages",),
        product_rows=(12, 13),
        needs=(NEEDS_MESSAGES, NEEDS_CORRECT, Need(("messages.sent_at",))),
        short="Accurate",
    ),
)
