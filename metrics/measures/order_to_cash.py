"""Order to cash in 13 steps: time in each step, wait before it, work in progress, missed promises and payment.

Source: docs/rules.md, direct evidence, cycle time and slack.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, func, select

from metrics.facts.orders import order_facts_table
from metrics.facts.payments import cash_facts_table, payment_facts_table
from metrics.facts.process_steps import WHEN_PROMISED, step_facts_table
from metrics.facts.step_slack import late_order_facts_table, step_budgets_table
from metrics.facts.work_in_progress import work_facts_table
from metrics.measures.formulas import HOUR, mean
from metrics.measures.needs import (
    CORE_FEEDS,
    NEEDS_FIRST_DUE,
    NEEDS_INVOICE_CURRENCY,
    NEEDS_INVOICES,
    NEEDS_ORDER_LINES,
    NEEDS_RECEIPT,
    PENDING,
)
from metrics.measures.shares import share_of_total
from metrics.model.measure import Direction, Formula, Measure, Need, Part, Percentile, Ratio, Total, Unit
from metrics.sql.moments import moment_span

NEEDS_EVENTS = Need(("order_events.started_at", "order_events.finished_at"))
NEEDS_BOTH_ENDS = (
    Need(("order_events.started_at",)),
    Need(("order_events.finished_at",)),
)
NEEDS_PAYMENTS = Need(("payments.paid_at",))
NEEDS_DUE = Need(("invoices.due_on",))

step = step_facts_table.c
late = late_order_facts_table.c
work = work_facts_table.c
cash = cash_facts_table.c
paid = payment_facts_table.c


def _stages() -> Iterator[Measure]:
    in_step = "Hours from start to finish of a step, added up over its attempts. Break it down by step."
    before = (
        "Hours that an order waited before a step: from the latest finish of its earlier steps to the first start "
        "of the step, at least 0. Break it down by step."
    )
    unfinished = "Steps that are not finished or not observed, and steps with a bare date."
    unknown = (
        "Steps that are not finished, steps without an observed earlier step, and steps with a bare date at either end."
    )
    times = (
        ("stage_hours", "Time in step", "Step hours", step.step_seconds, in_step, unfinished),
        ("stage_wait_hours", "Wait before step", "Wait hours", step.wait_seconds, before, unknown),
    )
    for name, title, short, seconds, definition, exclusions in times:
        statistics: tuple[tuple[str, str, Formula, str], ...] = (
            ("_mean", "mean", mean(seconds, ticks=HOUR), "Σ hours"),
            *(
                (
                    suffix,
                    f"P{percent}",
                    Percentile(Decimal(percent) / 100, seconds, ticks=HOUR),
                    f"the ⌈{percent / 100:g}·n⌉-th smallest number of hours",
                )
                for percent, suffix in ((50, ""), (90, "_p90"))
            ),
        )
        for suffix, statistic, formula, numerator in statistics:
            yield Measure(
                name=f"{name}{suffix}",
                title=f"{title}, {statistic}",
                short=f"{short} {statistic}",
                unit=Unit.HOURS,
                direction=Direction.LOWER,
                facts=step_facts_table,
                date="finished_day",
                formula=formula,
                definition=f"Mean. {definition}" if statistic == "mean" else definition,
                numerator=numerator,
                denominator="orders at the step whose time is known",
                exclusions=exclusions,
                source="docs/rules.md, cycle time",
                feeds=("order_events",),
                needs=NEEDS_BOTH_ENDS,
                only_by="step",
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
        definition=(
            "Orders that have started their steps and not finished the last step, at the end of the data. Break it "
            "down by the latest step started, and by in progress or waiting after it."
        ),
        numerator="orders under way",
        denominator="–",
        exclusions="Orders without any event, cancelled orders, and orders that are not sales.",
        source="own definition",
        feeds=("orders", "order_lines", "order_events"),
        needs=(NEEDS_EVENTS, NEEDS_ORDER_LINES),
        product_rows=(5,),
    ),
    Measure(
        name="work_age_hours",
        title="Age of work in progress",
        short="Age P50",
        unit=Unit.HOURS,
        direction=Direction.LOWER,
        facts=work_facts_table,
        date="on_day",
        formula=Percentile(Decimal("0.5"), work.age_seconds, ticks=HOUR),
        definition=(
            "Median hours that orders under way have spent in their present step or wait, at the end of the data."
        ),
        numerator="the ⌈0.5·n⌉-th smallest number of hours since the step started, or finished",
        denominator="orders under way",
        exclusions="Orders without any event, cancelled orders, and orders that are not sales.",
        source="own definition",
        feeds=("orders", "order_lines", "order_events"),
        needs=(NEEDS_EVENTS, NEEDS_ORDER_LINES),
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
        definition="Late orders with a known finish of at least one step from 2 to 11.",
        numerator="late orders with events",
        denominator="–",
        exclusions=f"{PENDING} Also orders on time, and orders without a finished step from 2 to 11.",
        source="own definition",
        feeds=(*CORE_FEEDS, "order_events"),
        needs=(NEEDS_BOTH_ENDS[1], NEEDS_FIRST_DUE, NEEDS_RECEIPT),
        product_rows=(5,),
    ),
    Measure(
        name="promises_missed",
        title="Missed promises, by step",
        short="Missed at step",
        unit=Unit.COUNT,
        direction=Direction.LOWER,
        facts=late_order_facts_table,
        date="due_day",
        formula=Total(Part(late.promise_missed.is_(True))),
        definition=(
            "Late orders by the step at which the promise was missed: the first step after which the time left stayed "
            "below the usual time of the later steps. Step 00: the time was too short when promised."
        ),
        numerator="late orders whose slack stayed below 0 from the step on",
        denominator="–",
        exclusions=f"{PENDING} Also orders on time, and orders without a finished step from 2 to 11.",
        source="own definition",
        feeds=(*CORE_FEEDS, "order_events"),
        needs=(NEEDS_BOTH_ENDS[1], NEEDS_FIRST_DUE, NEEDS_RECEIPT),
        product_rows=(5,),
    ),
    Measure(
        name="missed_at_step",
        title="Promises missed at a known step",
        short="Share by step",
        unit=Unit.SHARE,
        direction=Direction.LOWER,
        facts=late_order_facts_table,
        date="due_day",
        formula=share_of_total("missed_at_step", "promises_missed", "late_orders_observed", "step"),
        definition=(
            "Share of late orders whose promise was missed at a step: the first step after which slack (deadline - "
            "finish - usual hours of later steps) stays below 0. Usual hours are medians of the segment's on-time "
            "orders, or of all on-time orders if the segment has fewer than 20. Step 00: when promised."
        ),
        numerator="late orders whose promise was missed at the step",
        denominator="late orders with events",
        exclusions=f"{PENDING} Also orders on time, and orders without a finished step from 2 to 11.",
        source="own definition",
        feeds=(*CORE_FEEDS, "order_events"),
        needs=(NEEDS_BOTH_ENDS[1], NEEDS_FIRST_DUE, NEEDS_RECEIPT),
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
        definition=(
            "Mean days from the local day of the order to the local day of the payment that settles its invoices, less "
            "credits and reversals."
        ),
        numerator="Σ days from order to settlement",
        denominator="orders whose invoices are all settled",
        exclusions=(
            "Orders that are not sales, orders without an invoice, orders with an unsettled invoice, and invoices "
            "reversed in full."
        ),
        source="own definition",
        feeds=("orders", "invoices", "invoice_lines", "payments"),
        needs=(NEEDS_PAYMENTS, NEEDS_INVOICES, NEEDS_INVOICE_CURRENCY),
        product_rows=(5,),
    ),
    Measure(
        name="terms_kept_by_buyer",
        title="Invoices paid by the due day",
        short="Paid when due",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=payment_facts_table,
        date="due_on",
        formula=Ratio(Part(paid.kept.is_(True)), Part(paid.kept.is_not(None)), Part(paid.counts & paid.kept.is_(None))),
        definition="Invoices paid in full (less credits and reversals) by the local day on which they were due.",
        numerator="invoices settled by due_on",
        denominator="invoices whose due day has passed",
        exclusions=(
            "Invoices not due yet, invoices without a due day, invoices reversed in full, and invoices without an "
            "order. Unknown tax lowers the coverage."
        ),
        source="own definition",
        feeds=("invoices", "invoice_lines", "payments"),
        needs=(NEEDS_PAYMENTS, NEEDS_INVOICES, NEEDS_INVOICE_CURRENCY, NEEDS_DUE),
        product_rows=(5,),
    ),
)


@dataclass(frozen=True)
class SlackPoint:
    """The slack at one point of an order: deadline - time - the budgets of the later steps.

    If it is negative, the promise could no longer be met.
    """

    step: int
    """WHEN_PROMISED (0) for the order itself, else the number of the finished step."""
    at: datetime
    slack_seconds: int


@dataclass(frozen=True)
class SlackLedger:
    """An order's slack after each observed step from 2 to 11, and the step from which it stays below 0.

    The step is 0 if the slack was too small when promised, and None if the promise was not missed.
    """

    points: tuple[SlackPoint, ...]
    missed_step: int | None


def slack_ledger(connection: Connection, order_id: str) -> SlackLedger | None:
    """Return the slack of one order after each step; None without a deadline or a finished step.

    The deadline is that of the first line that was not on time, else the order's. Source: docs/rules.md, slack.
    """
    o = order_facts_table.c
    deadline = func.coalesce(o.missed_deadline_at, o.deadline_at)
    tables, ordered = moment_span(order_facts_table, dict(o.items()), "ordered_at", o.ship_to_time_zone)
    header = connection.execute(
        select(o.segment, deadline.label("deadline_at"), ordered.hi.label("at"))
        .select_from(tables)
        .where(o.order_id == order_id)
    ).one_or_none()
    seen = connection.execute(
        select(step.step_no, step.finished_at)
        .where(step.order_id == order_id, step.leg_seconds.is_not(None))
        .order_by(step.step_no)
    ).all()
    if header is None or header.deadline_at is None or not seen:
        return None
    b = step_budgets_table.c
    rows = connection.execute(select(b.step_no, b.budget_seconds).where(b.segment == header.segment))
    budgets: dict[int, int] = {row.step_no: row.budget_seconds for row in rows}
    points = []
    for number, at in ((WHEN_PROMISED, header.at), *[(row.step_no, row.finished_at) for row in seen]):
        later = sum(seconds for later, seconds in budgets.items() if later > number)
        points.append(SlackPoint(number, at, _seconds(at, header.deadline_at) - later))
    missed_step = None
    for point in reversed(points):
        if point.slack_seconds >= 0:
            break
        missed_step = point.step
    return SlackLedger(tuple(points), missed_step)


def _seconds(first: datetime, last: datetime) -> int:
    """Return whole seconds. The last microsecond of a day counts as the following midnight, as in `elapsed_seconds`."""
    microseconds = (last - first).total_seconds() * 1_000_000 + 1
    return int(microseconds // 1_000_000)
