"""Influencing the order: inquiries answered, choices offered and taken, orders won; fulfilment models. Source: the
brief; rules, section 4 (j).
"""

from decimal import Decimal

from sqlalchemy import Table, and_

from metrics.facts.orders import order_facts_table
from metrics.facts.quotes import YOUNG_DAYS, quote_facts_table, quote_option_facts_table
from metrics.measures.formulas import HOUR
from metrics.measures.needs import CORE_FEEDS
from metrics.measures.shares import share_of_total
from metrics.model.measure import Direction, Formula, Measure, Need, Part, Ratio, Survival, Total, Unit

quote = quote_facts_table.c
option = quote_option_facts_table.c

NEEDS_QUOTES = Need(("quotes.quote_id",), "no feed: quotes")
NEEDS_OPTIONS = Need(("quote_options.quote_id",), "no feed: quote_options")
_worth = and_(option.quoted_amount.is_not(None), ~option.young)


def _measure(
    name: str, title: str, formula: Formula, definition: str, numerator: str, denominator: str, *, facts: Table = quote_facts_table,
    unit: Unit = Unit.SHARE, direction: Direction = Direction.HIGHER, exclusions: str = "None.", source: str = "own",
    feeds: tuple[str, ...] = ("quotes",), needs: tuple[Need, ...] = (NEEDS_QUOTES,), rows: tuple[int, ...] = (6,), date: str = "asked_day",
    short: str = "",
) -> Measure:  # fmt: skip
    return Measure(
        name=name, title=title, unit=unit, direction=direction, facts=facts, date=date, formula=formula, definition=definition,
        numerator=numerator, denominator=denominator, exclusions=exclusions, source=source, feeds=feeds, product_rows=rows, needs=needs, short=short,
    )  # fmt: skip


def _answer_hours(percent: int) -> Measure:
    return _measure(
        f"quote_hours_p{percent}",
        f"Hours to answer an inquiry, P{percent}",
        Survival(
            quote.answer_seconds,
            quote.answered,
            quote.answer_seconds.is_not(None),
            fraction=Decimal(percent) / 100,
            ticks=HOUR,
        ),
        f"Hours within which {percent} % of inquiries were answered; unanswered ones count as waiting since they were asked (Kaplan-Meier).",
        f"the first hour by which {percent} % of them are answered (Kaplan-Meier)",
        "inquiries asked by the data's date",
        unit=Unit.HOURS,
        direction=Direction.LOWER,
        source="brief",
        short=f"Answer P{percent}",
    )


MEASURES: tuple[Measure, ...] = (
    _measure(
        "quotes_answered",
        "Inquiries answered",
        Ratio(Part(quote.answered), Part(quote.quote_id.is_not(None))),
        "Inquiries answered by the data's date, of those asked.",
        "inquiries answered",
        "inquiries asked by the data's date",
        source="brief",
        short="Answered",
    ),
    _answer_hours(50),
    _answer_hours(90),
    _measure(
        "quotes_with_choice",
        "Price or lead-time choice offered",
        Ratio(Part(and_(quote.answered, quote.option_count >= 2)), Part(quote.answered)),
        "Answers that offered at least two options of price and lead time.",
        "inquiries answered with two options or more",
        "inquiries answered by the data's date",
        exclusions="Inquiries not answered.",
        source="brief (Dell)",
        feeds=("quotes", "quote_options"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS),
        short="Choice offered",
    ),
    _measure(
        "quotes_accepted",
        "Offers accepted",
        Ratio(Part(and_(quote.accepted, ~quote.young)), Part(and_(quote.answered, ~quote.young))),
        "Answers of which the buyer chose an option.",
        "inquiries of which an option was accepted",
        f"inquiries answered by the data's date and at least {YOUNG_DAYS} days old",
        exclusions=f"Inquiries not answered, and those younger than {YOUNG_DAYS} days (they are in quotes_young).",
        feeds=("quotes", "quote_options"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS),
        short="Accepted",
    ),
    _measure(
        "quote_conversion",
        "Inquiry to order",
        Ratio(Part(and_(quote.ordered, ~quote.young)), Part(~quote.young)),
        "Inquiries that became an order.",
        "inquiries with an order placed by the data's date",
        f"inquiries asked at least {YOUNG_DAYS} days before the data's date, answered or not",
        exclusions=f"Inquiries younger than {YOUNG_DAYS} days (they are in quotes_young).",
        feeds=("quotes", "orders"),
        short="Conversion",
    ),
    _measure(
        "value_quote_conversion",
        "Inquiry to order, by value",
        Ratio(Part(and_(_worth, option.ordered), option.quoted_amount), Part(_worth, option.quoted_amount)),
        "The value of inquiries that became an order, of the value of all that were answered with a price: that of the accepted option, else of the "
        "cheapest.",
        "Σ value of inquiries with an order placed by the data's date",
        f"Σ value of inquiries answered with a price, asked at least {YOUNG_DAYS} days before the data's date",
        facts=quote_option_facts_table,
        exclusions=f"Inquiries younger than {YOUNG_DAYS} days, and those never answered with a price or without an exchange rate.",
        feeds=("quotes", "quote_options", "orders"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS),
        short="Conversion, value",
    ),
    _measure(
        "quotes_young",
        "Inquiries too young to judge",
        Total(Part(quote.young)),
        f"Inquiries asked less than {YOUNG_DAYS} days before the data's date, which acceptance and conversion leave out.",
        f"inquiries younger than {YOUNG_DAYS} days",
        "–",
        unit=Unit.COUNT,
        direction=Direction.NEITHER,
        short="Young inquiries",
    ),
    _measure(
        "options_accepted",
        "Options chosen",
        Total(Part(option.accepted)),
        "Options of answered inquiries that the buyer chose.",
        "options accepted",
        "–",
        facts=quote_option_facts_table,
        unit=Unit.COUNT,
        direction=Direction.NEITHER,
        feeds=("quotes", "quote_options"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS),
        rows=(6, 15),
        short="Options chosen",
    ),
    _measure(
        "lead_option_mix",
        "Lead-time options chosen",
        share_of_total("lead_option_mix", "options_accepted", "options_accepted", "lead_time_class"),
        "Options chosen of each class of lead time, of all options chosen. Ask it by lead_time_class.",
        "options accepted in the class",
        "options accepted",
        facts=quote_option_facts_table,
        direction=Direction.NEITHER,
        source="brief (Dell)",
        feeds=("quotes", "quote_options"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS),
        rows=(6, 15),
        short="Option mix",
    ),
    _measure(
        "lead_day_price",
        "Price of one day less",
        Ratio(
            Part(option.faster_days.is_not(None), option.faster_amount),
            Part(option.faster_days.is_not(None), option.faster_days),
        ),
        "What one day less of lead time costs in our offers: the price of the fastest option less that of the slowest, for each day between them.",
        "Σ price of the fastest option less that of the slowest",
        "Σ days between them",
        facts=quote_option_facts_table,
        unit=Unit.MONEY,
        direction=Direction.NEITHER,
        exclusions="Inquiries without two options of different lead time with prices in one currency.",
        source="brief (Dell)",
        feeds=("quotes", "quote_options"),
        needs=(NEEDS_QUOTES, NEEDS_OPTIONS),
        rows=(6, 15),
        short="Price of a day",
    ),
    _measure(
        "fulfilment_mix",
        "Buy-make-sell, sell-make-buy",
        share_of_total("fulfilment_mix", "orders", "orders", "fulfilment_model"),
        "Sales orders of each fulfilment model, of all: make_to_stock is buy, make, sell; make_to_order is sell, make, buy. Ask it by "
        "fulfilment_model, beside ordered_value, cycle_days and otif.",
        "sales orders of the model",
        "sales orders",
        facts=order_facts_table,
        direction=Direction.NEITHER,
        exclusions="Orders that are not sales.",
        source="brief",
        feeds=CORE_FEEDS,
        needs=(Need(("orders.fulfilment_model",), "no data: fulfilment_model (map orders.fulfilment_model)"),),
        rows=(15,),
        date="ordered_day",
        short="Fulfilment mix",
    ),
)
