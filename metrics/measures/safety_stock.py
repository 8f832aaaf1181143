"""Measures of the safety stock that our variability costs the buyer.

safety_stock_pairs.py computes the stock of each customer and product. Source: Coyle; docs/rules.md, buyer's safety
stock.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, func, select

from metrics.facts.orders import order_line_facts_table
from metrics.measures.needs import CORE_FEEDS, NEEDS_CURRENCY, NEEDS_PRICE, NEEDS_RECEIPT
from metrics.measures.safety_stock_pairs import COLUMNS, MIN_N, Pair, arrivals, pairs
from metrics.model.measure import Direction, Measure, Need, Study, Unit
from metrics.model.question import SEVERAL_CURRENCIES, SEVERAL_UNITS, Answer, Ask, Question
from metrics.warehouse.query_cache import cached_per_generation

NEEDS_PAIRS = Need(("order_lines.product_id",))
"""A pair is a customer and a product."""

Amount = Callable[[Pair], float | None]


def _study(amount: Amount, unit: Unit) -> Study:
    """Add up an amount over the pairs of each group.

    The remark counts the pairs left out because they have too few arrivals or no price.
    """

    def work(connection: Connection, question: Question, _: Ask) -> list[Answer]:
        of_pairs = replace(question, measures=())
        few = _few(connection, of_pairs)
        groups: dict[tuple[Any, ...], list[Pair]] = {key: [] for key, count in few.items() if count}
        for pair in pairs(connection, of_pairs):
            groups.setdefault(tuple(pair.dimensions.values()), []).append(pair)
        answers = []
        for key, members in groups.items():
            answer = _answer(question, key, [amount(pair) for pair in members], few[key])
            mixed = _mixed(members, unit)
            answers.append(replace(answer, value=None, numerator=None, no_data=mixed) if mixed else answer)
        return answers

    return Study(work, tuple(COLUMNS))


def _few(connection: Connection, question: Question) -> Counter[tuple[Any, ...]]:
    """Return the number of pairs with too few arrivals, by the values of the question's dimensions."""
    if not question.by:  # the page also asks by segment
        return Counter({(): _few(connection, replace(question, by=("segment",))).total()})
    return _few_by(connection, question)


@cached_per_generation
def _few_by(connection: Connection, question: Question) -> Counter[tuple[Any, ...]]:
    by = [COLUMNS[name] for name in question.by]
    below = arrivals(question, by, few=True).subquery("below")
    keys = [below.c[name] for name in by]
    rows = connection.execute(select(*keys, func.count()).select_from(below).group_by(*keys))
    return Counter({tuple(row[:-1]): row[-1] for row in rows})


def _mixed(members: list[Pair], unit: Unit) -> str | None:
    """Return the reason if the pairs have several currencies, or quantities of several base units."""
    if unit is Unit.MONEY:
        return SEVERAL_CURRENCIES if len(frozenset().union(*[pair.currencies for pair in members])) > 1 else None
    return SEVERAL_UNITS if len(frozenset().union(*[pair.base_units for pair in members])) > 1 else None


def _answer(question: Question, key: tuple[Any, ...], amounts: list[float | None], few: int) -> Answer:
    known = [amount for amount in amounts if amount is not None]
    left_out = {f"fewer than {MIN_N} arrivals": few, "no price": len(amounts) - len(known)}
    pairs = f"{len(amounts) + few:,} pairs"
    remark = "; ".join(f"{count:,} of {pairs} left out: {why}" for why, count in left_out.items() if count) or None
    blank = Answer(dict(zip(question.by, key, strict=True)), None, question.measures[0], None, remark=remark)
    if not known:
        return Answer(
            blank.dimensions,
            None,
            blank.measure,
            None,
            denominator=0,
            no_data="no data: every pair was left out",
            remark=remark,
        )
    return Answer(
        blank.dimensions,
        None,
        blank.measure,
        math.fsum(known),
        numerator=math.fsum(known),
        denominator=len(known),
        remark=remark,
    )


def _cost(pair: Pair) -> float | None:
    return None if pair.unit_price is None else pair.units * pair.unit_price * pair.carrying_rate


_SOURCE = "Coyle; standard inventory formula"


MEASURES = (
    Measure(
        name="buyer_safety_stock",
        title="Buyers' safety stock",
        short="Safety stock",
        unit=Unit.UNITS,
        direction=Direction.LOWER,
        facts=order_line_facts_table,
        date="settled_day",
        formula=_study(lambda pair: pair.units, Unit.UNITS),
        definition=(
            "Units that buyers must stock because of our lead time and its spread: z·√(L·s_d² + d²·s_L²) per customer "
            "and product, added up. L, s_L: mean and spread of the days from order to arrival; d, s_d: of the quantity "
            "ordered per day; z is assumed."
        ),
        numerator="Σ safety stock of the pairs, base units",
        denominator="customer and product pairs counted",
        exclusions=(
            f"Pairs with fewer than {MIN_N} arrivals (shown next to the number), orders that are not sales, and lines "
            "that have not arrived."
        ),
        source=_SOURCE,
        feeds=(*CORE_FEEDS, "assumptions"),
        assumptions=("carrying_rate", "z"),
        needs=(NEEDS_RECEIPT, NEEDS_PAIRS),
        product_rows=(4, 12),
    ),
    Measure(
        name="safety_stock_variability",
        title="Safety stock due to our variability",
        short="Our variability",
        unit=Unit.UNITS,
        direction=Direction.LOWER,
        facts=order_line_facts_table,
        date="settled_day",
        formula=_study(lambda pair: pair.units - pair.steady_units, Unit.UNITS),
        definition="Buyers' safety stock, less what it would be if every order took equally long (s_L = 0).",
        numerator="Σ (safety stock - the same with s_L = 0)",
        denominator="customer and product pairs counted",
        exclusions=(
            f"Pairs with fewer than {MIN_N} arrivals (shown next to the number), orders that are not sales, and lines "
            "that have not arrived."
        ),
        source="own definition",
        feeds=(*CORE_FEEDS, "assumptions"),
        assumptions=("carrying_rate", "z"),
        needs=(NEEDS_RECEIPT, NEEDS_PAIRS),
        product_rows=(4, 12),
    ),
    Measure(
        name="safety_stock_cost",
        title="Carrying cost",
        short="Carrying cost",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=order_line_facts_table,
        date="settled_day",
        formula=_study(_cost, Unit.MONEY),
        definition=(
            "Annual cost to buyers of carrying their safety stock: units × mean unit price × assumed carrying rate "
            "(20% is illustrative)."
        ),
        numerator="Σ units × price × carrying rate",
        denominator="customer and product pairs counted",
        exclusions=(
            f"Pairs with fewer than {MIN_N} arrivals (shown next to the number), orders that are not sales, and lines "
            "that have not arrived."
        ),
        source="own definition",
        feeds=(*CORE_FEEDS, "assumptions"),
        assumptions=("carrying_rate", "z"),
        needs=(
            NEEDS_RECEIPT,
            NEEDS_PAIRS,
            NEEDS_PRICE,
            NEEDS_CURRENCY,
        ),
        product_rows=(4, 12),
    ),
)
