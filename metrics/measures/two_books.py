"""Two-books reconciliation: our verdicts against the buyer's own scorecard. Source: the brief; rules, section 4 (k)."""

from dataclasses import replace
from decimal import Decimal

from sqlalchemy import Connection, and_

from metrics.facts.assumptions import assumed_by_scope, value_for_scope
from metrics.facts.two_books import two_books_facts_table
from metrics.measures.needs import CORE_FEEDS, NEEDS_PROMISE, NEEDS_RECEIPT
from metrics.model.dimensions import SHARED_DIMENSIONS
from metrics.model.measure import Direction, Measure, Need, Part, Ratio, Study, Total, Unit
from metrics.model.question import NO_ROWS, Answer, Ask, Question

book = two_books_facts_table.c
NEEDS_SCORECARDS = Need(("buyer_scorecards.order_id",), "no feed: buyer_scorecards")
FINE_RATE = "fine_rate"
"""The assumption that says what share of the goods' value is fined; 0 is no fine agreed."""


def _fine(measure: str, value: str) -> Study:
    """The fine of what fails by the buyer's book: the total `value` of each customer × the share fined for them, their
    segment or everyone.
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
        for one in ask(replace(question, measures=(value,), by=by_customer)):
            rate = value_for_scope(
                rates, f"customer:{one.dimensions['customer']}", f"segment:{one.dimensions['segment']}"
            )
            dimensions = {name: one.dimensions[name] for name in question.by}
            key = (*dimensions.values(), one.period)
            so_far = fines.get(key) or Answer(dimensions, one.period, measure, Decimal(0), numerator=Decimal(0))
            if one.no_data or so_far.no_data:
                fines[key] = replace(so_far, value=None, numerator=None, no_data=so_far.no_data or one.no_data)
                continue
            fine = Decimal(so_far.value or 0) + rate * Decimal(one.value or 0)
            fines[key] = replace(so_far, value=fine, numerator=fine)
        if not fines and not question.by and question.grain is None:
            return [Answer({}, None, measure, None, no_data=NO_ROWS)]
        return list(fines.values())

    return Study(work, (*SHARED_DIMENSIONS, "cause"), periods=True)


MEASURES: tuple[Measure, ...] = (
    Measure(
        name="books_matched",
        title="Orders in both books",
        short="In both books",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=two_books_facts_table,
        date="due_day",
        formula=Ratio(Part(and_(book.ours, book.theirs)), Part(book.order_id.is_not(None))),
        definition="Orders that our book and the buyer's scorecard both have, of those that either has, for customers "
        "that send scorecards.",
        numerator="orders in both books",
        denominator="orders in either book",
        exclusions="Orders pending or excluded in our book.",
        source="own",
        feeds=(*CORE_FEEDS, "buyer_scorecards"),
        assumptions=(FINE_RATE,),
        needs=(NEEDS_SCORECARDS,),
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
        definition="Orders in both books on which the buyer's verdict and ours (on time in full) are the same.",
        numerator="orders with the same verdict in both books",
        denominator="orders in both books whose verdict is known in both",
        exclusions="Orders pending or excluded in our book, or in one book only. Verdicts unknown in one book lower the "
        "coverage.",
        source="own",
        feeds=(*CORE_FEEDS, "buyer_scorecards"),
        assumptions=(FINE_RATE,),
        needs=(NEEDS_SCORECARDS, NEEDS_PROMISE, NEEDS_RECEIPT),
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
        definition="Orders in both books that differ in receipt day, quantity, deadline or verdict; by cause, under the first of these that differs.",
        numerator="orders in both books that differ",
        denominator="–",
        exclusions="Orders pending or excluded in our book, or in one book only. What either book leaves empty differs from nothing.",
        source="own",
        feeds=(*CORE_FEEDS, "buyer_scorecards"),
        assumptions=(FINE_RATE,),
        needs=(NEEDS_SCORECARDS,),
        product_rows=(1,),
    ),
    Measure(
        name="failed_value_by_buyer",
        title="Goods that fail by the buyer's book",
        short="Failing goods",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=two_books_facts_table,
        date="due_day",
        formula=Total(Part(book.failing_amount.is_not(None), book.failing_amount)),
        definition="Value of the goods of orders that the buyer's book failed: all that was owed where it came late by that book, else the units missing in it (at the order's highest price).",
        numerator="Σ goods value of failing units",
        denominator="–",
        exclusions="Orders in one book only, and orders with a goods line without a price or an exchange rate.",
        source="own",
        feeds=(*CORE_FEEDS, "buyer_scorecards"),
        assumptions=(FINE_RATE,),
        needs=(NEEDS_SCORECARDS,),
        product_rows=(1,),
    ),
    Measure(
        name="failed_value_disputed",
        title="Goods that fail by the buyer's book, disputed",
        short="Failing, disputed",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=two_books_facts_table,
        date="due_day",
        formula=Total(Part(and_(book.failing_amount.is_not(None), book.cause.is_not(None)), book.failing_amount)),
        definition="Of the goods that fail by the buyer's book, those of orders on which the two books differ.",
        numerator="Σ goods value of failing units of disputed orders",
        denominator="–",
        exclusions="Orders in one book only, and orders with a goods line without a price or an exchange rate.",
        source="own",
        feeds=(*CORE_FEEDS, "buyer_scorecards"),
        assumptions=(FINE_RATE,),
        needs=(NEEDS_SCORECARDS,),
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
        definition="The assumed fine_rate times the goods that fail by the buyer's book. Walmart fines 3 % of the cost of goods.",
        numerator="Σ fine_rate × goods value of failing units",
        denominator="–",
        exclusions="Orders in one book only, and orders with a goods line without a price or an exchange rate.",
        source="SupplyPike",
        feeds=(*CORE_FEEDS, "buyer_scorecards"),
        assumptions=(FINE_RATE,),
        needs=(NEEDS_SCORECARDS,),
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
        definition="The part of the fine at stake for orders on which the two books differ.",
        numerator="Σ fine_rate × goods value of failing units of disputed orders",
        denominator="–",
        exclusions="Orders in one book only, and orders with a goods line without a price or an exchange rate.",
        source="SupplyPike",
        feeds=(*CORE_FEEDS, "buyer_scorecards"),
        assumptions=(FINE_RATE,),
        needs=(NEEDS_SCORECARDS,),
        product_rows=(1,),
    ),
)
