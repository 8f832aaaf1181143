"""Influencing the order: inquiries answered, choices offered and taken, orders won; fulfilment models. Source: the
brief; rules, section 4 (j).
"""

from decimal import Decimal

from sqlalchemy import and_

from metrics.facts.orders import order_facts_table
from metrics.facts.quotes import YOUNG_DAYS, quote_facts_table, quote_option_facts_table
from metrics.measures.formulas import HOUR
from metrics.measures.needs import CORE_FEEDS
from metrics.measures.shares import share_of_total
from metrics.model.measure import Direction, Measure, Need, Part, Ratio, Survival, Total, Unit

quote = quote_facts_table.c
option = quote_option_facts_table.c

NEEDS_QUOTES = Need(("quotes.quote_id",), "no feed: quotes")
NEEDS_OPTIONS = Need(("quote_options.quote_id",), "no feed: quote_options")
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
        definition=f"Hours within which {percent} % of inquiries were answered; unanswered ones count as waiting since "
        "they were asked (Kaplan-Meier).",
        numerator=f"the first hour by which {percent} % of them are answered (Kaplan-Meier)",
        denominator="inquiries asked by the data's date",
        exclusions="None.",
        source="brief",
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
        definition="Inquiries answered by the data's date, of those asked.",
        numerator="inquiries answered",
        denominator="inquiries asked by the data's date",
        exclusions="None.",
        source="brief",
        feeds=("quotes",),
        needs=(NEEDS_QUOTES,),
        product_rows=(6,),
    ),
    _answer_hours(50),
    _answer_hours(90),
    Measure(
        name="quotes_with_choice",
        title="Price or lead-time choice offered",
        short="Choice offered",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=quote_facts_table,
        date="asked_day",
        formula=Ratio(Part(and_(quote.answered, quote.option_count >= 2)), Part(quote.answered)),
        definition="Answers that offered at least two options of price and lead time.",
        numerator="inquiries answered with two options or more",
        denominator="inquiries answered by the data's date",
        exclusions="Inquiries not answered.",
        source="brief (Dell)",
        feeds=("quotes", "quote_options"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS),
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
        definition="Answers of which the buyer chose an option.",
        numerator="inquiries of which an option was accepted",
        denominator=f"inquiries answered by the data's date and at least {YOUNG_DAYS} days old",
        exclusions=f"Inquiries not answered, and those younger than {YOUNG_DAYS} days (they are in quotes_young).",
        source="own",
        feeds=("quotes", "quote_options"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS),
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
        numerator="inquiries with an order placed by the data's date",
        denominator=f"inquiries asked at least {YOUNG_DAYS} days before the data's date, answered or not",
        exclusions=f"Inquiries younger than {YOUNG_DAYS} days (they are in quotes_young).",
        source="own",
        feeds=("quotes", "orders"),
        needs=(NEEDS_QUOTES,),
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
        definition="The value of inquiries that became an order, of the value of all that were answered with a price: "
        "that of the accepted option, else of the cheapest.",
        numerator="Σ value of inquiries with an order placed by the data's date",
        denominator=f"Σ value of inquiries answered with a price, asked at least {YOUNG_DAYS} days before the data's "
        "date",
        exclusions=f"Inquiries younger than {YOUNG_DAYS} days, and those never answered with a price or without an "
        "exchange rate.",
        source="own",
        feeds=("quotes", "quote_options", "orders"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS),
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
        definition=f"Inquiries asked less than {YOUNG_DAYS} days before the data's date, which acceptance and "
        "conversion leave out.",
        numerator=f"inquiries younger than {YOUNG_DAYS} days",
        denominator="–",
        exclusions="None.",
        source="own",
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
        source="own",
        feeds=("quotes", "quote_options"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS),
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
        definition="Options chosen of each class of lead time, of all options chosen. Ask it by lead_time_class.",
        numerator="options accepted in the class",
        denominator="options accepted",
        exclusions="None.",
        source="brief (Dell)",
        feeds=("quotes", "quote_options"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS),
        product_rows=(6, 15),
    ),
    Measure(
        name="lead_day_price",
        title="Price of one day less",
        short="Price of a day",
        unit=Unit.MONEY,
        direction=Direction.NEITHER,
        facts=quote_option_facts_table,
        date="asked_day",
        formula=Ratio(
            Part(option.faster_days.is_not(None), option.faster_amount),
            Part(option.faster_days.is_not(None), option.faster_days),
        ),
        definition="What one day less of lead time costs in our offers: the price of the fastest option less that of "
        "the slowest, for each day between them.",
        numerator="Σ price of the fastest option less that of the slowest",
        denominator="Σ days between them",
        exclusions="Inquiries without two options of different lead time with prices in one currency.",
        source="brief (Dell)",
        feeds=("quotes", "quote_options"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS),
        product_rows=(6, 15),
    ),
    Measure(
        name="fulfilment_mix",
        title="Buy-make-sell, sell-make-buy",
        short="Fulfilment mix",
        unit=Unit.SHARE,
        direction=Direction.NEITHER,
        facts=order_facts_table,
        date="ordered_day",
        formula=share_of_total("fulfilment_mix", "orders", "orders", "fulfilment_model"),
        definition="Sales orders of each fulfilment model, of all: make_to_stock is buy, make, sell; make_to_order is "
        "sell, make, buy. Ask it by fulfilment_model, beside ordered_value, cycle_days and otif.",
        numerator="sales orders of the model",
        denominator="sales orders",
        exclusions="Orders that are not sales.",
        source="brief",
        feeds=CORE_FEEDS,
        needs=(Need(("orders.fulfilment_model",), "no data: fulfilment_model (map orders.fulfilment_model)"),),
        product_rows=(15,),
    ),
)
