"""Sections of the order-to-cash page: the 13 steps, late orders by step, and the longest-waiting open orders."""

import streamlit as st

from dashboard import queries
from dashboard.components import cards, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Span
from dashboard.components.sentences import Sentence
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, links, list_file, menu, page
from dashboard.measure_page.cells import linked, order_cell, value_cell
from dashboard.measure_page.headline import headline, missing_feeds, nothing_to_show, number
from dashboard.measure_page.tiles import tiles
from dashboard.measure_page.view import Answers, MeasureView, answers_by, by_value
from metrics.facts.process_steps import STEPS
from metrics.lists import order_to_cash as lists
from metrics.lists.rows import Row
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Unit

COLUMNS = {
    "stage_hours": "Median in step",
    "stage_hours_p90": "P90 in step",
    "stage_wait_hours": "Median wait before step",
    "stage_wait_hours_p90": "P90 wait",
    "work_in_progress": "Orders in step now",
    "work_age_hours": "Median age",
    "promises_missed": "Promises missed here",
}
IN_STEP, BEFORE_STEP = "in step", "waiting"
ORDER_STEP = 2
"""The step that begins with the buyer's order. The wait before it is not ours."""
SIZE = 8


def by_step(view: MeasureView) -> dict[str, Answers]:
    """Return the measures of each step, by the two digits of the step."""
    return by_value(answers_by(view, tuple(COLUMNS), "step"), "step")


def order_to_cash_headline(view: MeasureView, steps: dict[str, Answers]) -> None:
    """Draw the headline and the tiles."""
    answers = view.answers
    has_days = answers[view.main].value is not None
    if not has_days and nothing_to_show(view, "late_orders_observed", "steps of orders"):
        return
    with theme.card("headline"):
        headline(
            view,
            (number(answers, view.main), " from order to cash.") if has_days else (),
            _longest_step(steps),
            _missed_promises(view, steps),
        )
    tiles(view)


def _longest_step(steps: dict[str, Answers]) -> Sentence:
    slowest = max(STEPS, key=lambda step: _value(steps, step, "stage_hours_p90"))
    if not _value(steps, slowest, "stage_hours_p90"):
        return ()
    at = ("step", f"{slowest:02d}")
    median, p90 = (number(steps[at[1]], name, at=at) for name in ("stage_hours", "stage_hours_p90"))
    return f"The step with the highest P90 is {STEPS[slowest]}: median ", median, ", 90% within ", p90, "."


def _missed_promises(view: MeasureView, steps: dict[str, Answers]) -> Sentence:
    step, count = max(((name, _died(steps, name)) for name in steps), key=lambda pair: pair[1], default=("", 0))
    if not count:
        return ()
    observed, missed = number(view.answers, "late_orders_observed"), number(view.answers, "promises_missed")
    at_step = number(steps[step], "promises_missed", at=("step", step))
    orders = formatting.agreeing(view.answers["late_orders_observed"].value, "order", "orders")
    where = "when it was made" if step == "00" else f"at step {formatting.step(step)}"
    return (
        "Of ", observed, f" late {orders} with recorded steps, ", missed, " missed the promise on the way, ", at_step,
        f" {where}.",
    )  # fmt: skip


def _value(steps: dict[str, Answers], number: int, measure: str) -> float:
    answer = steps.get(f"{number:02d}", {}).get(measure)
    return 0.0 if answer is None or answer.value is None else float(answer.value)


def _died(steps: dict[str, Answers], name: str) -> int:
    answer = steps[name].get("promises_missed")
    return int(answer.value or 0) if answer is not None and name.isdecimal() else 0


def steps_chart(steps: dict[str, Answers]) -> None:
    """Draw the times of the 13 steps as a chart, and as a table with open orders and missed promises."""
    st.header("The 13 steps", anchor=False)
    if missing_feeds("order_events"):
        return
    if not any(answer.value for answers in steps.values() for answer in answers.values()):
        theme.show_html(cards.empty("No steps recorded", "No order of this period and selection has recorded steps."))
        return
    spans = [*_spans(steps)]
    if spans:
        chart_download.export_chart(
            chart_types.range_chart(spans, unit="hours", is_dark=theme.is_dark()),
            key="steps_chart",
            alternative=_told(spans),
            title="The 13 steps",
        )
        st.caption(
            "Time in the step, and wait before it. Bar: median. Whisker: P90. "
            f"The wait before step {ORDER_STEP} is the buyer's decision on the quote."
        )
    rows = [
        [
            Cell(formatting.step(number)),
            *(_cell(steps.get(f"{number:02d}", {}), name, f"{number:02d}") for name in COLUMNS),
        ]
        for number in STEPS
    ]
    if _died(steps, "00") if "00" in steps else 0:
        first = Cell("When promised", small="the promise was impossible from the start")
        rows.append([first, *[Cell() for _ in range(len(COLUMNS) - 1)], _cell(steps["00"], "promises_missed", "00")])
    heads = ("Step", *COLUMNS.values())
    theme.show_html(tables.table(heads, rows, caption="The 13 order-to-cash steps", numeric=range(1, len(heads))))


def _spans(steps: dict[str, Answers]) -> list[Span]:
    found = []
    for step in STEPS:
        for kind, half, nine in (
            (IN_STEP, "stage_hours", "stage_hours_p90"),
            (BEFORE_STEP, "stage_wait_hours", "stage_wait_hours_p90"),
        ):
            within = _value(steps, step, half), _value(steps, step, nine)
            if any(within):
                median, p90 = (formatting.number(hours, Unit.HOURS) for hours in within)
                span_text = f"median {median}, 90% within {p90}"
                found.append(Span(formatting.step(step), kind, *within, span_text))
    return found


def _told(spans: list[Span]) -> str:
    longest = sorted(spans, key=lambda one: -one.p90)[:3]
    return "Hours at each of the 13 steps. Longest: " + "; ".join(
        f"{one.step}, {one.kind}, {one.label}" for one in longest
    )


def _cell(answers: Answers, name: str, step: str) -> Cell:
    one = value_cell(answers.get(name), MEASURES[name])
    answer = answers.get(name)
    if answer is None or not answer.value:
        return one
    return linked(one, links.drill_down_url(name, by="step", value=step))


def late_by_step(view: MeasureView) -> None:
    """Draw the late orders with the step at which each promise was missed."""
    st.header("Step at which the promise was missed", anchor=False)
    if missing_feeds("order_events"):
        return
    at = int(st.session_state.get("died_page", 1))
    found = queries.cached(lists.late_by_step, view.generation, view.question, page=at, size=SIZE)
    names = view.customer_names
    if not found.total:
        theme.show_html(
            cards.empty("No late order with steps", "No order due in this period was late and has recorded steps.")
        )
        return
    rows = [
        [
            order_cell(row, names),
            formatting.day(row["due_day"]),
            Cell(formatting.integer(row["days_late"])) if row["days_late"] else "",
            _step(row),
        ]
        for row in found.rows
    ]
    theme.show_html(
        tables.table(
            ("Order", "Due", "Days late", "Promise missed at"),
            rows,
            caption="Late orders and their step",
            numeric=(2,),
            is_page=found.total > len(rows),
        )
    )
    page.pager(
        found.total,
        SIZE,
        key="died_page",
        rows=lambda: queries.read(lists.late_by_step, view.generation, view.question, size=list_file.FILE_ROWS).rows,
    )


def _step(row: Row) -> str:
    if not row["promise_missed"]:
        return "unknown: time was left at the last recorded step"
    return "when it was made" if row["step"] == "00" else formatting.step(row["step"])


def longest_waiting(view: MeasureView) -> None:
    """Draw the open orders that have waited longest, folded."""
    found = queries.cached(lists.oldest_by_step, view.generation, view.question)
    names = view.customer_names
    if not found.total:
        return
    with st.expander(
        f"Longest-waiting open orders ({formatting.integer(len(found.rows))} of {formatting.integer(found.total)})"
    ):
        rows = [
            [
                order_cell(row, names),
                formatting.step(row["step"]),
                row["standing"],
                Cell(formatting.DASH if row["age_seconds"] is None else _age(row["age_seconds"])),
            ]
            for row in found.rows
        ]
        theme.show_html(
            tables.table(("Order", "Step", "Status", "For"), rows, caption="Longest-waiting open orders", numeric=(3,))
        )
        menu.link("at-risk", "Open orders at risk")


def _age(seconds: int) -> str:
    hours = seconds / 3600
    return f"{formatting.integer(hours, 1)} h" if hours < 48 else f"{formatting.integer(hours / 24, 1)} days"
