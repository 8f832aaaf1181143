"""Scorecard reconciliation: our verdicts compared with the buyer's own scorecard.

Source: docs/rules.md, two books.
"""

from dataclasses import replace
from decimal import Decimal

from sqlalchemy import Connection, and_

from metrics.facts.assumptions import assumed_by_scope, value_for_scope
from metrics.facts.two_books import two_books_facts_table
from metrics.measures.needs import (
    CORE_FEEDS,
    NEEDS_CURRENCY,
    NEEDS_ORDER_LINES,
    NEEDS_PRICE,
    NEEDS_PROMISE,
    NEEDS_RECEIPT,
)
from metrics.model.dimensions import SHARED_DIMENSIONS
from metrics.model.measure import Direction, Measure, Need, Part, Ratio, Study, Total, Unit
from metrics.model.question import NO_ROWS, Answer, Ask, Question

book = two_books_facts_table.c
NEEDS_PASSED = Need(("buyer_scorecards.passed",))
NEEDS_SCORECARDS = Need(("buyer_scorecards.order_id",))
FINE_RATE = "fine_rate"
"""The assumed fine as a share of the goods' value; 0 means no agreed fine."""


def _fine(measure: str, value: str) -> Study:
    """Return the fine of what failed by the buyer's scorecard.

    The fine is the total `value` of each customer times the rate assumed for the customer, their segment or everyone.
    """

    def work(connection: Connection, question: Question, ask: Ask) -> list[Answer]:
        rates = assumed_by_scope(connection, FINE_RATE)
        if not any(rates.values()):
            return (
                []
                if question.by or question.grain
                else [Answer({}, None, measure, None, no_data=f"no data: no fine agreed (assume {FINE_RATE})")]
            )
        by_customer = tuple(dict.fromkeys((*question.by, "customer", "segment")))
        fines: dict[tuple[object, ...], Answer] = {}
        for answer in ask(replace(question, measures=(value,), by=by_customer)):
            rate = value_for_scope(
                rates, f"customer:{answer.dimensions['customer']}", f"segment:{answer.dimensions['segment']}"
            )
            dimensions = {name: answer.dimensions[name] for name in question.by}
            key = (*dimensions.values(), answer.period)
            so_far = fines.get(key) or Answer(dimensions, answer.period, measure, Decimal(0), numerator=Decimal(0))
            if answer.no_data or so_far.no_data:
                fines[key] = replace(so_far, value=None, numerator=None, no_data=so_far.no_data or answer.no_data)
                continue
            fine = Decimal(so_far.value or 0) + rate * Decimal(answer.value or 0)
            fines[key] = replace(so_far, value=fine, numerator=fine)
        if not fines and not question.by and question.grain is None:
            return [Answer({}, None, measure, None, no_data=NO_ROWS)]
        return list(fines.values())

    return Study(work, (*SHARED_DIMENSIONS, "cause"), periods=True)


MEASURES: tuple[Measure, ...] = (
    Measure(
        name="books_matched",
        title="Orders in both scorecards",
        short="In both",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=two_books_facts_table,
        date="due_day",
        formula=Ratio(Part(and_(book.ours, book.theirs)), Part(book.order_id.is_not(None))),
        definition=(
            "Orders that are both in our records and in the buyer's scorecard, as a share of orders in either, for "
            "customers that send scorecards."
        ),
        numerator="orders in both scorecards",
        denominator="orders in either scorecard",
        exclusions="Orders that are pending or excluded in our records.",
        source="own definition",
        feeds=(*CORE_FEEDS, "buyer_scorecards"),
        assumptions=(FINE_RATE,),
        needs=(NEEDS_SCORECARDS, NEEDS_ORDER_LINES),
        product_rows=(1,),
    ),
    Measure(
        name="books_agree",
        title="Verdicts that agree",
        short="Verdicts agree",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=two_books_facts_table,
        date="due_day",
        formula=Ratio(
            Part(and_(book.ours, book.theirs, book.agree.is_(True))),
            Part(and_(book.ours, book.theirs, book.agree.is_not(None))),
            Part(and_(book.ours, book.theirs, book.agree.is_(None))),
        ),
        definition="Orders in both scorecards for which the buyer's verdict and ours (on time in full) are the same.",
        numerator="orders with the same verdict in both scorecards",
        denominator="orders in both scorecards with both verdicts known",
        exclusions=(
            "Orders that are pending or excluded in our records, or in one scorecard only. A verdict unknown in one "
            "scorecard lowers the coverage."
        ),
        source="own definition",
        feeds=(*CORE_FEEDS, "buyer_scorecards"),
        assumptions=(FINE_RATE,),
        needs=(NEEDS_SCORECARDS, NEEDS_PASSED, NEEDS_PROMISE, NEEDS_RECEIPT),
        product_rows=(1,),
    ),
    Measure(
        name="books_dispute",
        title="Disputes",
        short="Disputes",
        unit=Unit.COUNT,
        direction=Direction.LOWER,
        facts=two_books_facts_table,
        date="due_day",
        formula=Total(Part(book.cause.is_not(None))),
        definition=(
            "Orders in both scorecards that differ in receipt day, quantity, deadline or verdict. By cause, an order "
            "counts under the first of these that differs."
        ),
        numerator="orders in both scorecards that differ",
        denominator="–",
        exclusions=(
            "Orders that are pending or excluded in our records, or in one scorecard only. An empty value in either "
            "scorecard is not a difference."
        ),
        source="own definition",
        feeds=(*CORE_FEEDS, "buyer_scorecards"),
        assumptions=(FINE_RATE,),
        needs=(NEEDS_SCORECARDS, NEEDS_ORDER_LINES),
        product_rows=(1,),
    ),
    Measure(
        name="failed_value_by_buyer",
        title="Value of goods failed by the buyer",
        short="Failed goods",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=two_books_facts_table,
        date="due_day",
        formula=Total(Part(book.failing_amount.is_not(None), book.failing_amount)),
        definition=(
            "Value of the goods in orders that the buyer's scorecard failed: everything owed if the order was late, "
            "else the missing units (at the order's highest price)."
        ),
        numerator="Σ value of failed units",
        denominator="–",
        exclusions="Orders in one scorecard only, and orders with a goods line without a price or an exchange rate.",
        source="own definition",
        feeds=(*CORE_FEEDS, "buyer_scorecards"),
        assumptions=(FINE_RATE,),
        needs=(NEEDS_SCORECARDS, NEEDS_PASSED, NEEDS_PRICE, NEEDS_CURRENCY),
        product_rows=(1,),
    ),
    Measure(
        name="failed_value_disputed",
        title="Value of goods failed by the buyer, disputed",
        short="Failed, disputed",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=two_books_facts_table,
        date="due_day",
        formula=Total(Part(and_(book.failing_amount.is_not(None), book.cause.is_not(None)), book.failing_amount)),
        definition="Value of goods failed by the buyer in orders on which the two scorecards differ.",
        numerator="Σ value of failed units of disputed orders",
        denominator="–",
        exclusions="Orders in one scorecard only, and orders with a goods line without a price or an exchange rate.",
        source="own definition",
        feeds=(*CORE_FEEDS, "buyer_scorecards"),
        assumptions=(FINE_RATE,),
        needs=(NEEDS_SCORECARDS, NEEDS_PASSED, NEEDS_PRICE, NEEDS_CURRENCY),
        product_rows=(1,),
    ),
    Measure(
        name="fine_at_stake",
        title="Fine at stake",
        short="Fine at stake",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=two_books_facts_table,
        date="due_day",
        formula=_fine("fine_at_stake", "failed_value_by_buyer"),
        definition=(
            "The assumed fine_rate times the value of goods failed by the buyer. Walmart fines 3% of the cost of goods."
        ),
        numerator="Σ fine_rate × value of failed units",
        denominator="–",
        exclusions="Orders in one scorecard only, and orders with a goods line without a price or an exchange rate.",
        source="SupplyPike",
        feeds=(*CORE_FEEDS, "buyer_scorecards"),
        assumptions=(FINE_RATE,),
        needs=(NEEDS_SCORECARDS, NEEDS_PASSED, NEEDS_PRICE, NEEDS_CURRENCY),
        product_rows=(1,),
    ),
    Measure(
        name="fine_disputed",
        title="Fine at stake, disputed",
        short="Fine disputed",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=two_books_facts_table,
        date="due_day",
        formula=_fine("fine_disputed", "failed_value_disputed"),
        definition="The part of the fine at stake for orders on which the two scorecards differ.",
        numerator="Σ fine_rate × value of failed units of disputed orders",
        denominator="–",
        exclusions="Orders in one scorecard only, and orders with a goods line without a price or an exchange rate.",
        source="SupplyPike",
        feeds=(*CORE_FEEDS, "buyer_scorecards"),
        assumptions=(FINE_RATE,),
        needs=(NEEDS_SCORECARDS, NEEDS_PASSED, NEEDS_PRICE, NEEDS_CURRENCY),
        product_rows=(1,),
    ),
)
