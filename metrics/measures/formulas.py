"""Formulas that several modules of measures share."""

from sqlalchemy import and_

from metrics.facts.orders import order_facts_table
from metrics.measures.needs import PENDING
from metrics.model.measure import Direction, Measure, Part, Ratio, Unit
from metrics.sql.dialects import Expression

HOUR = 3600
"""Ticks of a duration kept in seconds that make one hour."""


def share_of(true: Expression, among: Expression) -> Ratio:
    """Rows among which something holds, of those where it is known whether it does."""
    return Ratio(
        Part(and_(among, true.is_(True))), Part(and_(among, true.is_not(None))), Part(and_(among, true.is_(None)))
    )


def judged(verdict: Expression, state: Expression, *, but: Expression | None = None) -> Ratio:
    """Judged rows whose verdict is true, of those whose verdict is known; `but`: rows that are left out altogether."""
    inside = state == "judged" if but is None else and_(state == "judged", ~but)
    return Ratio(
        Part(and_(inside, verdict.is_(True))),
        Part(and_(inside, verdict.is_not(None))),
        Part(and_(inside, verdict.is_(None))),
    )


def order_share(
    name: str, title: str, formula: Ratio, definition: str, source: str, feeds: tuple[str, ...], **more: object
) -> Measure:
    """A share of orders by `due_day`; `more` replaces what is usual: facts, numerator, denominator, exclusions, short,
    needs.
    """
    return Measure(
        name=name,
        title=title,
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        date="due_day",
        formula=formula,
        definition=definition,
        source=source,
        feeds=feeds,
        product_rows=(1,),
        **(_USUAL | more),  # type: ignore[arg-type]  # texts, needs and the facts only
    )


_USUAL = {
    "facts": order_facts_table,
    "numerator": "orders whose verdict is true",
    "denominator": "judged orders whose verdict is known",
    "exclusions": PENDING,
}
