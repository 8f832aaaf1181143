"""Signed lateness of orders and of order lines: days from the due day to arrival, negative if early.

Source: R30 (spread and percentiles). `days_late` and `beyond_promise` are in cycle_time.py.
"""

from collections.abc import Iterator
from decimal import Decimal

from sqlalchemy import Table

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.measures.formulas import mean
from metrics.measures.needs import CORE_FEEDS, NEEDS_PROMISE, NEEDS_RECEIPT, PENDING
from metrics.model.measure import Direction, Measure, Percentile, Ratio, Unit

EARLY = "Days before the due day count as negative numbers, so early and late offset each other."


def _of(facts: Table, *, suffix: str, of: str, rows: str, meaning: str) -> Iterator[Measure]:
    """Yield mean, P50 and P90 of the signed lateness of a grain."""
    days = facts.c.lateness_days
    formulas: tuple[tuple[str, str, str, Ratio | Percentile, str], ...] = (
        ("mean", "mean", "Mean", mean(days), "Σ days from the due day to arrival"),
        ("p50", "P50", "Median", Percentile(Decimal("0.5"), days), "the ⌈0.5·n⌉-th smallest number of days"),
        (
            "p90",
            "P90",
            "90th percentile of the",
            Percentile(Decimal("0.9"), days),
            "the ⌈0.9·n⌉-th smallest number of days",
        ),
    )
    for name, word, start, formula, numerator in formulas:
        yield Measure(
            name=f"lateness{suffix}_{name}",
            title=f"Lateness of {of}, {word}",
            short=f"Lateness {word}",
            unit=Unit.DAYS,
            direction=Direction.NEITHER,
            facts=facts,
            date="due_day",
            formula=formula,
            definition=f"{start} days from the due day to arrival. {meaning} {EARLY}",
            numerator=numerator,
            denominator=f"judged {rows} with a promise that arrived",
            exclusions=f"{PENDING} Also {rows} that have not arrived, and {rows} without a promise.",
            source="own definition",
            feeds=CORE_FEEDS,
            needs=(NEEDS_PROMISE, NEEDS_RECEIPT),
            product_rows=(4, 12),
        )


LATENESS: tuple[Measure, ...] = (
    *_of(
        order_facts_table,
        suffix="",
        of="orders",
        rows="orders",
        meaning="An order is as late as its worst line.",
    ),
    *_of(
        order_line_facts_table,
        suffix="_line",
        of="lines",
        rows="goods lines",
        meaning="Each line has its own due day.",
    ),
)
