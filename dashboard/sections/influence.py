"""Sections of the influence page: inquiry funnel, options chosen, and fulfilment models compared."""

import streamlit as st

from dashboard.components import cards, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Bar
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, links
from dashboard.measure_page.cells import value_cell
from dashboard.measure_page.headline import headline, missing_feeds, nothing_to_show, number, worst_segment
from dashboard.measure_page.tiles import tiles
from dashboard.measure_page.view import MeasureView, answers_by, by_value
from metrics.facts.quotes import LEAD_TIME_CLASSES, YOUNG_DAYS
from metrics.measures.catalog import MEASURES
from metrics.model.question import Answer
from metrics.model.share import share

COMPARED = ("fulfilment_mix", "orders", "ordered_value", "cycle_days", "otif", "perfect_order")
SHORTEST_FIRST = {name: at for at, (_, name) in enumerate(LEAD_TIME_CLASSES)}
MODELS = {"make_to_stock": "buy, make, sell", "make_to_order": "sell, make, buy"}


def influence_headline(view: MeasureView) -> None:
    """Draw the headline and the tiles."""
    answers = view.answers
    if nothing_to_show(view, "quotes_answered", "inquiries"):
        return
    won, inquiries = number(answers, view.main), number(answers, view.main, part="out_of")
    median, p90 = number(answers, "quote_hours_p50"), number(answers, "quote_hours_p90")
    noun = formatting.agreeing(answers[view.main].denominator, "inquiry", "inquiries")
    has_price = answers["lead_day_price"].value is not None
    with theme.card("headline"):
        headline(
            view,
            (won, " of ", inquiries, f" {noun} became an order."),
            ("Median time to answer ", median, ", P90 ", p90, "."),
            (number(answers, "quotes_with_choice"), " of the answers offered a choice of price and lead time."),
            ("Average price of one day faster: ", number(answers, "lead_day_price"), ".") if has_price else (),
            worst_segment(view, view.main),
        )
    tiles(view)


def funnel(view: MeasureView) -> None:
    """Draw the funnel from inquiry to order, for inquiries old enough to have become an order."""
    st.header("From inquiry to order", anchor=False)
    if missing_feeds("quotes"):
        return
    answers = view.answers
    asked, answered = answers["quote_conversion"].denominator, answers["quotes_accepted"].denominator
    if not asked:
        theme.show_html(
            cards.empty(
                "No inquiries old enough", f"No inquiry in view is {YOUNG_DAYS} days old yet. Choose an earlier period."
            )
        )
        return
    steps = {
        "Asked": asked,
        "Answered": answered,
        "An option chosen": answers["quotes_accepted"].numerator,
        "Became an order": answers["quote_conversion"].numerator,
    }
    known = {name: float(count) for name, count in steps.items() if count is not None}
    bars = [
        Bar(
            name,
            count,
            f"{formatting.integer(count)} · {formatting.share(share(count, known['Asked']), 0)}",
            tone="good-strong" if "order" in name else "accent",
        )
        for name, count in known.items()
    ]
    alternative = "Inquiry funnel: " + ", ".join(f"{name.lower()} {count:.0f}" for name, count in known.items())
    chart_download.export_chart(
        chart_types.bar_chart(bars, is_dark=theme.is_dark(), high=known["Asked"]),
        key="funnel_chart",
        alternative=alternative,
        title="Inquiry funnel",
    )
    young = answers["quotes_young"].value
    st.caption(
        f"Inquiries at least {YOUNG_DAYS} days old"
        + (
            f"; {formatting.count(int(young), 'younger inquiry is', 'younger inquiries are')} excluded."
            if young
            else "."
        )
    )


def options_chosen(view: MeasureView) -> None:
    """Draw the lead times of the options that buyers chose."""
    st.header("What buyers chose", anchor=False)
    if missing_feeds("quote_options"):
        return
    found = [answer for answer in answers_by(view, ("lead_option_mix",), "lead_time_class") if answer.value]
    if not found:
        theme.show_html(cards.empty("No option chosen", "No option on price and lead time was chosen in this period."))
        return
    bars = [
        Bar(
            _lead(one),
            float(one.value or 0),
            f"{formatting.percent(float(one.value or 0), 0)} · {formatting.integer(one.numerator or 0)}",
        )
        for one in sorted(
            found, key=lambda one: SHORTEST_FIRST.get(one.dimensions["lead_time_class"] or "", len(SHORTEST_FIRST))
        )
    ]
    alternative = "Lead times chosen: " + ", ".join(f"{bar.name} {bar.label}" for bar in bars)
    chart_download.export_chart(
        chart_types.bar_chart(bars, is_dark=theme.is_dark(), high=1),
        key="chosen_chart",
        alternative=alternative,
        title="Lead times chosen",
    )
    st.caption("Options chosen by lead time: share of all options chosen, and number.")


def _lead(one: Answer) -> str:
    return formatting.in_words(one.dimensions["lead_time_class"] or "unknown")


def models(view: MeasureView) -> None:
    """Draw the fulfilment models compared."""
    st.header("Buy-make-sell against sell-make-buy", anchor=False)
    found = by_value(answers_by(view, COMPARED, "fulfilment_model"), "fulfilment_model")
    known = {model: answers for model, answers in found.items() if answers["orders"].value}
    if not known:
        theme.show_html(
            cards.empty(
                "No orders in this period",
                "No order with a fulfilment model was placed or due in this period. Choose another period.",
            )
        )
        return
    rows = [
        [
            Cell(formatting.in_words(model), small=MODELS.get(model, "")),
            *(_cell(answers[name], name, model) for name in COMPARED),
        ]
        for model, answers in sorted(known.items(), key=lambda one: -float(one[1]["orders"].value or 0))
    ]
    heads = ("Fulfilment model", *[MEASURES[name].short or MEASURES[name].title for name in COMPARED])
    theme.show_html(tables.table(heads, rows, caption="Fulfilment models compared", numeric=range(1, len(heads))))


def _cell(answer: Answer, name: str, model: str) -> Cell:
    one = value_cell(answer, MEASURES[name])
    href = links.drill_down_url(name, by="fulfilment_model", value=model)
    return (
        Cell(markup=f'<a href="{formatting.html(href)}" target="_self">{one.markup}</a>')
        if answer.value is not None
        else one
    )
