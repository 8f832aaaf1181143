"""Quotes and ordering: inquiries answered, options offered and chosen, orders won, and fulfilment models.

Source: docs/rules.md, influencing the order.
"""

from decimal import Decimal

from sqlalchemy import and_

from metrics.facts.orders import order_facts_table
from metrics.facts.quotes import YOUNG_DAYS, quote_facts_table, quote_option_facts_table
from metrics.measures.formulas import HOUR
from metrics.measures.shares import share_of_total
from metrics.model.measure import Direction, Measure, Need, Part, Ratio, Survival, Total, Unit

quote = quote_facts_table.c
option = quote_option_facts_table.c

NEEDS_QUOTES = Need(("quotes.quote_id",))
NEEDS_OPTIONS = Need(("quote_options.quote_id",))
NEEDS_ANSWERS = Need(("quotes.answered_at",))
NEEDS_ORDERED = Need(("quotes.order_id",))
NEEDS_ACCEPTED = Need(("quote_options.accepted",))
NEEDS_OPTION_PRICE = (
    Need(("quote_options.price_amount",)),
    Need(("quote_options.currency",), when="fx_rates.rate"),
)
_worth = and_(option.quoted_amount.is_not(None), ~option.young)


def _answer_hours(percent: int) -> Measure:
    return Measure(
        name=f"quote_hours_p{percent}",
        title=f"Hours to answer an inquiry, P{percent}",
        short=f"Answer P{percent}",
        unit=Unit.HOURS,
        direction=Direction.LOWER,
        facts=quote_facts_table,
        date="asked_day",
        formula=Survival(
            quote.answer_seconds,
            quote.answered,
            quote.answer_seconds.is_not(None),
            fraction=Decimal(percent) / 100,
            ticks=HOUR,
        ),
        definition=(
            f"Hours within which {percent}% of inquiries were answered. Unanswered inquiries count as still waiting "
            "(Kaplan-Meier)."
        ),
        numerator=f"the first hour by which {percent}% of them are answered (Kaplan-Meier)",
        denominator="inquiries received by the end of the data",
        exclusions="None.",
        source="docs/rules.md, influencing the order",
        feeds=("quotes",),
        needs=(NEEDS_QUOTES,),
        product_rows=(6,),
    )


MEASURES: tuple[Measure, ...] = (
    Measure(
        name="quotes_answered",
        title="Inquiries answered",
        short="Answered",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=quote_facts_table,
        date="asked_day",
        formula=Ratio(Part(quote.answered), Part(quote.quote_id.is_not(None))),
        definition="Inquiries answered by the end of the data, as a share of inquiries received.",
        numerator="inquiries answered",
        denominator="inquiries received by the end of the data",
        exclusions="None.",
        source="docs/rules.md, influencing the order",
        feeds=("quotes",),
        needs=(NEEDS_QUOTES, NEEDS_ANSWERS),
        product_rows=(6,),
    ),
    _answer_hours(50),
    _answer_hours(90),
    Measure(
        name="quotes_with_choice",
        title="Choice of price or lead time offered",
        short="Choice offered",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=quote_facts_table,
        date="asked_day",
        formula=Ratio(Part(and_(quote.answered, quote.option_count >= 2)), Part(quote.answered)),
        definition="Answers that offered at least two options of price and lead time.",
        numerator="inquiries answered with at least two options",
        denominator="inquiries answered by the end of the data",
        exclusions="Unanswered inquiries.",
        source="Dell",
        feeds=("quotes", "quote_options"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS, NEEDS_ANSWERS),
        product_rows=(6,),
    ),
    Measure(
        name="quotes_accepted",
        title="Offers accepted",
        short="Accepted",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=quote_facts_table,
        date="asked_day",
        formula=Ratio(Part(and_(quote.accepted, ~quote.young)), Part(and_(quote.answered, ~quote.young))),
        definition="Answers from which the buyer chose an option.",
        numerator="inquiries with an accepted option",
        denominator=f"inquiries answered by the end of the data and at least {YOUNG_DAYS} days old",
        exclusions=f"Unanswered inquiries, and inquiries younger than {YOUNG_DAYS} days (quotes_young counts them).",
        source="own definition",
        feeds=("quotes", "quote_options"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS, NEEDS_ANSWERS, NEEDS_ACCEPTED),
        product_rows=(6,),
    ),
    Measure(
        name="quote_conversion",
        title="Inquiry to order",
        short="Conversion",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=quote_facts_table,
        date="asked_day",
        formula=Ratio(Part(and_(quote.ordered, ~quote.young)), Part(~quote.young)),
        definition="Inquiries that became an order.",
        numerator="inquiries with an order placed by the end of the data",
        denominator=f"inquiries received at least {YOUNG_DAYS} days before the end of the data, answered or not",
        exclusions=f"Inquiries younger than {YOUNG_DAYS} days (quotes_young counts them).",
        source="own definition",
        feeds=("quotes", "orders"),
        needs=(NEEDS_QUOTES, NEEDS_ORDERED),
        product_rows=(6,),
    ),
    Measure(
        name="value_quote_conversion",
        title="Inquiry to order, by value",
        short="Conversion, value",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=quote_option_facts_table,
        date="asked_day",
        formula=Ratio(Part(and_(_worth, option.ordered), option.quoted_amount), Part(_worth, option.quoted_amount)),
        definition=(
            "Value of inquiries that became an order, as a share of the value of all inquiries answered with a price. "
            "The value is that of the accepted option, or of the cheapest if none was accepted."
        ),
        numerator="Σ value of inquiries with an order placed by the end of the data",
        denominator=(
            f"Σ value of inquiries answered with a price and received at least {YOUNG_DAYS} days before the end of the "
            "data"
        ),
        exclusions=(
            f"Inquiries younger than {YOUNG_DAYS} days, and inquiries without a price in the answer or without an "
            "exchange rate."
        ),
        source="own definition",
        feeds=("quotes", "quote_options", "orders"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS, NEEDS_ANSWERS, NEEDS_ORDERED, *NEEDS_OPTION_PRICE),
        product_rows=(6,),
    ),
    Measure(
        name="quotes_young",
        title="Inquiries too young to judge",
        short="Young inquiries",
        unit=Unit.COUNT,
        direction=Direction.NEITHER,
        facts=quote_facts_table,
        date="asked_day",
        formula=Total(Part(quote.young)),
        definition=(
            f"Inquiries received less than {YOUNG_DAYS} days before the end of the data. Acceptance and conversion "
            "leave them out."
        ),
        numerator=f"inquiries younger than {YOUNG_DAYS} days",
        denominator="–",
        exclusions="None.",
        source="own definition",
        feeds=("quotes",),
        needs=(NEEDS_QUOTES,),
        product_rows=(6,),
    ),
    Measure(
        name="options_accepted",
        title="Options chosen",
        short="Options chosen",
        unit=Unit.COUNT,
        direction=Direction.NEITHER,
        facts=quote_option_facts_table,
        date="asked_day",
        formula=Total(Part(option.accepted)),
        definition="Options of answered inquiries that the buyer chose.",
        numerator="options accepted",
        denominator="–",
        exclusions="None.",
        source="own definition",
        feeds=("quotes", "quote_options"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS, NEEDS_ANSWERS, NEEDS_ACCEPTED),
        product_rows=(6, 15),
    ),
    Measure(
        name="lead_option_mix",
        title="Lead-time options chosen",
        short="Option mix",
        unit=Unit.SHARE,
        direction=Direction.NEITHER,
        facts=quote_option_facts_table,
        date="asked_day",
        formula=share_of_total("lead_option_mix", "options_accepted", "options_accepted", "lead_time_class"),
        definition=(
            "Chosen options in each class of lead time, as a share of all chosen options. Break it down by "
            "lead_time_class."
        ),
        numerator="accepted options in the class",
        denominator="accepted options",
        exclusions="None.",
        source="Dell",
        feeds=("quotes", "quote_options"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS, NEEDS_ANSWERS, NEEDS_ACCEPTED),
        product_rows=(6, 15),
    ),
    Measure(
        name="lead_day_price",
        title="Average price of one day faster",
        short="Price of a day",
        unit=Unit.MONEY,
        direction=Direction.NEITHER,
        facts=quote_option_facts_table,
        date="asked_day",
        formula=Ratio(
            Part(option.faster_days.is_not(None), option.faster_amount),
            Part(option.faster_days.is_not(None), option.faster_days),
        ),
        definition=(
            "The price of one day less of lead time in our offers: the price of the fastest option less that of the "
            "slowest, per day between them."
        ),
        numerator="Σ price of the fastest option less that of the slowest",
        denominator="Σ days between them",
        exclusions="Inquiries without two options of different lead times with prices in the same currency.",
        source="Dell",
        feeds=("quotes", "quote_options"),
        needs=(
            NEEDS_QUOTES,
            NEEDS_OPTIONS,
            NEEDS_ANSWERS,
            Need(("quote_options.lead_time_days",)),
            *NEEDS_OPTION_PRICE,
        ),
        product_rows=(6, 15),
    ),
    Measure(
        name="fulfilment_mix",
        title="Orders by fulfilment model",
        short="Fulfilment mix",
        unit=Unit.SHARE,
        direction=Direction.NEITHER,
        facts=order_facts_table,
        date="ordered_day",
        formula=share_of_total("fulfilment_mix", "orders", "orders", "fulfilment_model"),
        definition=(
            "Sales orders of each fulfilment model, as a share of all sales orders: make_to_stock is buy-make-sell, "
            "make_to_order is sell-make-buy. Break it down by fulfilment_model, next to ordered_value, cycle_days and "
            "otif."
        ),
        numerator="sales orders of the model",
        denominator="sales orders",
        exclusions="Orders that are not sales.",
        source="docs/rules.md, influencing the order",
        feeds=("orders",),
        needs=(Need(("orders.fulfilment_model",)),),
        product_rows=(15,),
    ),
)
