"""Formulas and constructors that several modules of measures share."""

from dataclasses import replace

from sqlalchemy import Table, and_

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.measures.needs import PENDING
from metrics.model.measure import Direction, Measure, Need, Part, Ratio, Unit, Window
from metrics.sql.dialects import Expression
from metrics.sql.exchange_rates import converted

GOODS_OF_SALES = and_(
    order_line_facts_table.c.line_kind == "goods",
    order_line_facts_table.c.order_type == "sale",
)
"""The order lines that volumes and shares count, unless their name says otherwise."""
HOUR, DAY = 3600, 86_400
"""Seconds in an hour and in a day: the ticks of measures whose values are seconds."""


_judged_line = order_line_facts_table.c.state == "judged"
WITHOUT_QUANTITY = (
    Part(and_(_judged_line, order_line_facts_table.c.owed_qty.is_(None))),
    Part(and_(_judged_line, order_line_facts_table.c.owed_qty.is_not(None))),
)
"""Weights of a share of units: judged lines in quarantine whose quantity cannot be read, and all other judged lines."""


def share_of(true: Expression, among: Expression) -> Ratio:
    """Return the share of rows in `among` for which `true` holds. Rows where it is null are unknown."""
    return Ratio(
        Part(and_(among, true.is_(True))), Part(and_(among, true.is_not(None))), Part(and_(among, true.is_(None)))
    )


def judged(verdict: Expression, state: Expression, *, but: Expression | None = None) -> Ratio:
    """Return the share of judged rows whose verdict is true.

    but: rows to leave out.
    """
    return share_of(verdict, state == "judged" if but is None else and_(state == "judged", ~but))


def combined(passed: Expression, state: Expression) -> Ratio:
    """Return the share of judged rows that pass several tests.

    `passed` is false as soon as one test is false, whatever the others are. Source: P7 (point, coverage and range).
    """
    return replace(judged(passed, state), combined=True)


def mean(value: Expression, *, ticks: int = 1) -> Ratio:
    """Return the mean of a value over the rows that have it."""
    return Ratio(Part(value.is_not(None), value), Part(value.is_not(None)), ticks=ticks)


def line_amount_converted(amount: Expression) -> Expression:
    """Convert an amount of an order line at the rate of the order's day. Source: R25 (currencies).

    Without exchange rates the amount stays as it is.
    """
    return converted(amount, order_line_facts_table.c.rate)


def order_share(
    *,
    name: str,
    title: str,
    short: str,
    formula: Ratio,
    definition: str,
    source: str,
    feeds: tuple[str, ...],
    needs: tuple[Need, ...],
    facts: Table = order_facts_table,
    numerator: str = "orders whose verdict is true",
    denominator: str = "judged orders whose verdict is known",
    exclusions: str = PENDING,
    windows: tuple[Window, ...] = (),
) -> Measure:
    """Return a share of judged orders, dated by due day. Higher is better."""
    return Measure(
        name=name,
        title=title,
        short=short,
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=facts,
        date="due_day",
        formula=formula,
        definition=definition,
        numerator=numerator,
        denominator=denominator,
        exclusions=exclusions,
        source=source,
        feeds=feeds,
        needs=needs,
        windows=windows,
        product_rows=(1,),
    )
