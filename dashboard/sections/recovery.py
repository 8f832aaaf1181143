"""Sections of the recovery page: recovery funnel, reorder curves, cases and returns."""

from dataclasses import replace

import streamlit as st

from dashboard import queries
from dashboard.components import cards, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Bar
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, links
from dashboard.measure_page.cells import linked, value_cell
from dashboard.measure_page.headline import headline, missing_feeds, nothing_to_show, number, worst_segment
from dashboard.measure_page.tiles import tiles
from dashboard.measure_page.view import MeasureView, answers_by, by_value
from metrics.facts.recoveries import GROUPS, RECOVERY_DAYS
from metrics.lists import recovery as lists
from metrics.lists.recovery import Step
from metrics.measures.catalog import MEASURES
from metrics.model.question import SEVERAL_UNITS, Answer
from metrics.model.share import share

TONES = {"no failure": "accent", "recovered": "good-strong", "unrecovered": "bad-strong"}
DASHES = {"no failure": (1, 0), "recovered": (6, 3), "unrecovered": (2, 3)}
COUNTED = frozenset({"post_sale_support", "return_handling_p50"})
"""Measures that show the number of cases or returns below their value."""
WATCHED_LEAST = 5
"""A curve ends if fewer orders than this are still observed."""


def recovery_headline(view: MeasureView) -> None:
    """Draw the headline and the tiles."""
    answers = view.answers
    if nothing_to_show(view, view.main, "failures"):
        return
    recovered, failures = number(answers, view.main), number(answers, view.main, part="out_of")
    resolved = formatting.agreeing(answers[view.main].denominator, "failure was", "failures were")
    missed = answers["failures_undetected"].value
    undetected = formatting.agreeing(missed, "failed order is", "failed orders are")
    with theme.card("headline"):
        headline(
            view,
            (recovered, " of ", failures, f" {resolved} resolved within {RECOVERY_DAYS} days."),
            worst_segment(view, view.main),
            (
                "We detected ",
                number(answers, "failure_detected_by_us"),
                " of the failures before the buyer reported them.",
            ),
            (number(answers, "failures_undetected"), f" {undetected} not detected yet.") if missed else (),
        )
    tiles(view)


def recovery_funnel(view: MeasureView) -> None:
    """Draw the number of failures that reached each stage of recovery."""
    st.header("Recovery funnel", anchor=False)
    if missing_feeds("messages", "service_cases"):
        return
    found = queries.cached(lists.funnel, view.generation, view.question)
    if not found.failed:
        theme.show_html(cards.empty("No failures", "No judged order due in this period is known to have failed."))
        return
    steps = {
        "Failed": found.failed,
        "Detected": found.detected,
        "Acknowledged to the buyer": found.acknowledged,
        "Resolved": found.resolved,
        "Ordered again": found.again,
    }
    bars = [
        Bar(
            name,
            count,
            f"{formatting.integer(count)} · {formatting.share(share(count, found.failed), 0)}",
            tone="good-strong" if at > 2 else "accent",
        )
        for at, (name, count) in enumerate(steps.items())
    ]
    alternative = "Recovery funnel: " + ", ".join(f"{name.lower()} {count}" for name, count in steps.items())
    chart_download.export_chart(
        chart_types.bar_chart(bars, is_dark=theme.is_dark(), high=found.failed),
        key="chain_chart",
        alternative=alternative,
        title="Recovery funnel",
    )
    st.caption(
        "Each bar is a subset of the bar above. “Ordered again” counts buyers of resolved orders; it does not show "
        "that resolving caused the order."
    )


def reorder_curves(view: MeasureView) -> None:
    """Draw the share of orders after which the buyer ordered again, by days since the order was settled."""
    st.header("Do buyers order again?", anchor=False)
    if missing_feeds("messages", "service_cases"):
        return
    steps = queries.cached(lists.reorder_curves, view.generation, view.question)
    if not steps:
        theme.show_html(
            cards.empty(
                "No curve yet", "No judged order of this period was observed for a day. Choose an earlier period."
            )
        )
        return
    first = {group: next((step.watched for step in steps if step.group == group), 0) for group in GROUPS}
    drawn = [
        {"group": step.group, "days": step.days, "share": step.ordered_again, "watched": step.watched}
        for step in steps
        if step.watched >= min(WATCHED_LEAST, first[step.group])
    ]
    if not any(row["days"] for row in drawn):
        theme.show_html(
            cards.empty(
                "No curve yet", "Too few orders of this period were observed long enough. Choose an earlier period."
            )
        )
        return
    groups = tuple((group, TONES[group], DASHES[group]) for group in GROUPS if first[group])
    spec = chart_types.step_chart(drawn, groups, title="Days since the order was settled", is_dark=theme.is_dark())
    chart_download.export_chart(spec, key="came_back", alternative=_told(steps), title="Buyers who ordered again")
    st.caption(
        "Share of orders after which the buyer ordered again "
        "(Kaplan-Meier: orders still under observation count until today): "
        + "; ".join(f"{group} {formatting.count(count, 'order')}" for group, count in first.items() if count)
        + f". A curve ends if fewer than {WATCHED_LEAST} orders are under observation. "
        "The difference between groups is not the effect of recovery."
    )


def _told(steps: list[Step]) -> str:
    last = {step.group: step.ordered_again for step in steps if step.days <= 90}
    return "Ordered again within 90 days: " + ", ".join(
        f"{group} {formatting.percent(share, 0)}" for group, share in last.items()
    )


def cases(view: MeasureView) -> None:
    """Draw questions, part requests and complaints."""
    st.header("Cases after the sale", anchor=False)
    _by(
        view,
        "case_kind",
        ("post_sale_support", "post_sale_hours_p50", "post_sale_hours_p90"),
        "service_cases",
        "case",
    )


def returns(view: MeasureView) -> None:
    """Draw goods returned by reason."""
    st.header("Goods returned", anchor=False)
    _by(view, "return_reason", ("returned_units", "return_share", "return_handling_p50"), "returns", "return")


def _by(view: MeasureView, dimension: str, names: tuple[str, ...], feed: str, what: str) -> None:
    """Draw measures by a dimension, the largest value first. A measure without any value has no column."""
    if missing_feeds(feed):
        return
    found = by_value(answers_by(view, names, dimension), dimension)
    known = tuple(name for name in names if any(_weight(answers.get(name)) for answers in found.values()))
    mixed = {name for answers in found.values() for name, one in answers.items() if one.no_data == SEVERAL_UNITS}
    if not known:
        title, text = f"No {what}s", "No records in this period and selection."
        if mixed:
            title, text = "Several units", f"The {what}s have goods of several units, which do not add up."
        theme.show_html(cards.empty(title, text))
        return
    of = {value: _weight(answers.get(known[0])) for value, answers in found.items()}
    rows = [
        [Cell(formatting.in_words(value)), *(_cell(answers.get(name), name, dimension, value) for name in known)]
        for value, answers in sorted(found.items(), key=lambda one: (-of[one[0]], one[0]))
        if any(_weight(one) or one.no_data == SEVERAL_UNITS for one in answers.values())
    ]
    heads = (formatting.in_words(dimension), *[MEASURES[name].short or MEASURES[name].title for name in known])
    theme.show_html(
        tables.table(
            heads,
            rows,
            caption=f"{what.capitalize()}s by {formatting.in_words(dimension).lower()}",
            numeric=range(1, len(heads)),
        )
    )
    left_out = [MEASURES[name].title.lower() for name in names if name in mixed and name not in known]
    notes = [f"Not shown: {' and '.join(left_out)}, because the goods have several units."] if left_out else []
    notes += ["A dash means that the goods have several units."] if mixed & set(known) else []
    if notes:
        st.caption(" ".join(notes))


def _weight(answer: Answer | None) -> float:
    return float(answer.denominator or answer.value or 0) if answer else 0


def _cell(answer: Answer | None, name: str, dimension: str, value: str) -> Cell:
    one = value_cell(answer, MEASURES[name])
    if answer is None or answer.value is None:
        return one
    small = f"of {formatting.integer(answer.denominator)}" if name in COUNTED and answer.denominator else ""
    return replace(linked(one, links.drill_down_url(name, by=dimension, value=value)), small=small)
