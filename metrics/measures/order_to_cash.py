"""Order to cash in 13 steps: time in each, wait before it, work in progress, where the promise died, payment.

Source: the brief; rules, section 3 ("direct evidence"), section 4 (c).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, select

from metrics.facts.orders import order_facts_table
from metrics.facts.payments import cash_facts_table, payment_facts_table
from metrics.facts.process_steps import WHEN_PROMISED, step_facts_table
from metrics.facts.step_slack import late_order_facts_table, step_budgets_table
from metrics.facts.work_in_progress import work_facts_table
from metrics.measures.formulas import HOUR
from metrics.measures.needs import CORE_FEEDS, PENDING
from metrics.measures.shares import share_of_total
from metrics.model.measure import Direction, Measure, Need, Part, Percentile, Ratio, Total, Unit
from metrics.sql.moments import moment_span

NEEDS_EVENTS = Need(("order_events.started_at", "order_events.finished_at"), "no feed: order_events")
NEEDS_BOTH_ENDS = (
    Need(("order_events.started_at",), "no data: started_at (map order_events.started_at)"),
    Need(("order_events.finished_at",), "no data: finished_at (map order_events.finished_at)"),
)
NEEDS_PAYMENTS = Need(("payments.paid_at",), "no feed: payments")
NEEDS_DUE = Need(("invoices.due_on",), "no data: due_on (map invoices.due_on)")

step = step_facts_table.c
late = late_order_facts_table.c
work = work_facts_table.c
cash = cash_facts_table.c
paid = payment_facts_table.c


def _stages() -> Iterator[Measure]:
    in_step = "Hours in a step: from start to finish, added up over its attempts. Read it by step."
    before = (
        "Hours an order stood before a step: from the latest finish of its earlier steps to the step's first "
        "start, not below 0. Read it by step."
    )
    unfinished = "Steps not finished, not observed, or with a bare date."
    unknown = "Steps not finished, without an earlier step observed, or with a bare date at either end."
    for percent, suffix in ((50, ""), (90, "_p90")):
        yield Measure(
            name=f"stage_hours{suffix}",
            title=f"Stage time, P{percent}",
            short=f"Stage hours P{percent}",
            unit=Unit.HOURS,
            direction=Direction.LOWER,
            facts=step_facts_table,
            date="finished_day",
            formula=Percentile(Decimal(percent) / 100, step.step_seconds, ticks=HOUR),
            definition=in_step,
            numerator=f"the ⌈{percent / 100:g}·n⌉-th smallest number of hours",
            denominator="orders at the step whose time is known",
            exclusions=unfinished,
            source="brief",
            feeds=("order_events",),
            needs=NEEDS_BOTH_ENDS,
            product_rows=(5,),
        )
        yield Measure(
            name=f"stage_wait_hours{suffix}",
            title=f"Wait before the stage, P{percent}",
            short=f"Wait hours P{percent}",
            unit=Unit.HOURS,
            direction=Direction.LOWER,
            facts=step_facts_table,
            date="finished_day",
            formula=Percentile(Decimal(percent) / 100, step.wait_seconds, ticks=HOUR),
            definition=before,
            numerator=f"the ⌈{percent / 100:g}·n⌉-th smallest number of hours",
            denominator="orders at the step whose time is known",
            exclusions=unknown,
            source="brief",
            feeds=("order_events",),
            needs=NEEDS_BOTH_ENDS,
            product_rows=(5,),
        )


MEASURES: tuple[Measure, ...] = (
    *_stages(),
    Measure(
        name="work_in_progress",
        title="Orders under way",
        short="Under way",
        unit=Unit.COUNT,
        direction=Direction.NEITHER,
        facts=work_facts_table,
        date="on_day",
        formula=Total(Part(work.order_id.is_not(None))),
        definition="Orders that have begun their steps and not finished the last of them at the data's own date; by the "
        "latest step begun, and whether they stand in it or wait after it.",
        numerator="orders under way",
        denominator="–",
        exclusions="Orders without any event, cancelled orders, orders that are not sales.",
        source="brief; own",
        feeds=("orders", "order_events"),
        needs=(NEEDS_EVENTS,),
        product_rows=(5,),
    ),
    Measure(
        name="work_age_hours",
        title="Age of the work in progress",
        short="Age P50",
        unit=Unit.HOURS,
        direction=Direction.LOWER,
        facts=work_facts_table,
        date="on_day",
        formula=Percentile(Decimal("0.5"), work.age_seconds, ticks=HOUR),
        definition="Median hours that orders under way have stood where they stand, at the data's own date.",
        numerator="the ⌈0.5·n⌉-th smallest number of hours since the step began, or finished",
        denominator="orders under way",
        exclusions="Orders without any event, cancelled orders, orders that are not sales.",
        source="brief; own",
        feeds=("orders", "order_events"),
        needs=(NEEDS_EVENTS,),
        product_rows=(5,),
    ),
    Measure(
        name="late_orders_observed",
        title="Late orders with events",
        short="Late, observed",
        unit=Unit.COUNT,
        direction=Direction.LOWER,
        facts=late_order_facts_table,
        date="due_day",
        formula=Total(Part(late.order_id.is_not(None))),
        definition="Late orders of which some step from 2 to 11 was seen to finish.",
        numerator="late orders with events",
        denominator="–",
        exclusions=f"{PENDING} Orders on time. Orders without a finished step from 2 to 11.",
        source="own",
        feeds=(*CORE_FEEDS, "order_events"),
        needs=(NEEDS_EVENTS,),
        product_rows=(5,),
    ),
    Measure(
        name="promises_died",
        title="Promises that died at a step",
        short="Promises died",
        unit=Unit.COUNT,
        direction=Direction.LOWER,
        facts=late_order_facts_table,
        date="due_day",
        formula=Total(Part(late.died.is_(True))),
        definition="Late orders whose promise is seen to have died, by the first step from which the time left stayed below what later steps usually take. Step 00: it was below already when promised.",
        numerator="late orders whose slack stayed below 0 from the step on",
        denominator="–",
        exclusions=f"{PENDING} Orders on time. Orders without a finished step from 2 to 11.",
        source="own",
        feeds=(*CORE_FEEDS, "order_events"),
        needs=(NEEDS_EVENTS,),
        product_rows=(5,),
    ),
    Measure(
        name="promise_died",
        title="Where the promise died",
        short="Promise died",
        unit=Unit.SHARE,
        direction=Direction.LOWER,
        facts=late_order_facts_table,
        date="due_day",
        formula=share_of_total("promise_died", "promises_died", "late_orders_observed", "step"),
        definition="Share of late orders whose promise died at a step: the first one from which slack (deadline - finish - the usual hours of later steps) stays below 0. The usual hours are medians of on-time orders of the segment (of all, where it has fewer than 20). Step 00: when promised.",
        numerator="late orders whose promise died at the step",
        denominator="late orders with events",
        exclusions=f"{PENDING} Orders on time. Orders without a finished step from 2 to 11.",
        source="own",
        feeds=(*CORE_FEEDS, "order_events"),
        needs=(NEEDS_EVENTS,),
        product_rows=(5,),
    ),
    Measure(
        name="order_to_cash_days",
        title="Order to cash",
        short="Order to cash",
        unit=Unit.DAYS,
        direction=Direction.LOWER,
        facts=cash_facts_table,
        date="cash_day",
        formula=Ratio(Part(cash.cash_days.is_not(None), cash.cash_days), Part(cash.cash_days.is_not(None))),
        definition="Mean days from the local day of the order to that of the payment that settles its invoices, less what credits and reversals take back.",
        numerator="Σ days from ordered to settled",
        denominator="orders of which every invoice is settled",
        exclusions="Orders that are not sales, not billed, or with an invoice not settled. Invoices taken back whole.",
        source="brief; own",
        feeds=("orders", "invoices", "invoice_lines", "payments"),
        needs=(NEEDS_PAYMENTS,),
        product_rows=(5,),
    ),
    Measure(
        name="terms_kept_by_buyer",
        title="Invoices paid by the due day",
        short="Terms kept",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=payment_facts_table,
        date="due_on",
        formula=Ratio(Part(paid.kept.is_(True)), Part(paid.kept.is_not(None)), Part(paid.counts & paid.kept.is_(None))),
        definition="Invoices paid in full (less credits and reversals) by the local day they were due.",
        numerator="invoices settled by due_on",
        denominator="invoices whose due day has passed",
        exclusions="Invoices not due yet, without a due day, taken back whole, or that name no order. Unknown tax lowers the coverage.",
        source="own",
        feeds=("invoices", "invoice_lines", "payments"),
        needs=(NEEDS_PAYMENTS, NEEDS_DUE),
        product_rows=(5,),
    ),
)


@dataclass(frozen=True)
class SlackPoint:
    """The time left at one point of an order's way: deadline - when - the budgets of the later steps. Negative: it
    could not be kept any more.
    """

    step: int
    """WHEN_PROMISED (0) for the order itself, else the step that had finished."""
    at: datetime
    slack_seconds: int


@dataclass(frozen=True)
class SlackLedger:
    """An order's slack after each observed step from 2 to 11, and the step from which it stays below 0 (0: when
    promised; None: from none).
    """

    points: tuple[SlackPoint, ...]
    died_at: int | None


def slack_ledger(connection: Connection, order_id: str) -> SlackLedger | None:
    """The slack ledger of one order; None where it has no deadline or no finished step. Source: rules, section 4 (c)."""
    o = order_facts_table.c
    tables, ordered = moment_span(order_facts_table, dict(o.items()), "ordered_at", o.ship_to_time_zone)
    header = connection.execute(
        select(o.segment, o.deadline_at, ordered.hi.label("at")).select_from(tables).where(o.order_id == order_id)
    ).one_or_none()
    seen = connection.execute(
        select(step.step_no, step.finished_at)
        .where(step.order_id == order_id, step.leg_seconds.is_not(None))
        .order_by(step.step_no)
    ).all()
    if header is None or header.deadline_at is None or not seen:
        return None
    b = step_budgets_table.c
    found = connection.execute(select(b.step_no, b.budget_seconds).where(b.segment == header.segment))
    budgets: dict[int, int] = {row.step_no: row.budget_seconds for row in found}
    points = []
    for number, at in ((WHEN_PROMISED, header.at), *[(row.step_no, row.finished_at) for row in seen]):
        later = sum(seconds for later, seconds in budgets.items() if later > number)
        points.append(SlackPoint(number, at, _seconds(at, header.deadline_at) - later))
    died_at = None
    for point in reversed(points):
        if point.slack_seconds >= 0:
            break
        died_at = point.step
    return SlackLedger(tuple(points), died_at)


def _seconds(first: datetime, last: datetime) -> int:
    """Whole seconds; a last microsecond of a day counts as the midnight after it (as `elapsed_seconds`)."""
    microseconds = (last - first).total_seconds() * 1_000_000 + 1
    return int(microseconds // 1_000_000)
