"""The parts of the order-to-cash page: the 13 steps with the time in each, the work standing there, and where the
promise died.
"""

import streamlit as st

from dashboard import queries
from dashboard.components import cards, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Span
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, links, menu, page
from dashboard.frame.filters import Filters
from dashboard.measure_page import headline as glance
from dashboard.measure_page import measure_table
from dashboard.measure_page.measure_table import Answers
from metrics.facts.process_steps import STEPS
from metrics.lists import order_to_cash as lists
from metrics.lists.rows import Row
from metrics.measures.catalog import MEASURES

NAME = "order_to_cash"
MAIN = "order_to_cash_days"
TILES = (MAIN, "work_in_progress", "promise_died", "terms_kept_by_buyer")
COLUMNS = {
    "stage_hours": "Hours, half within",
    "stage_hours_p90": "90 % within",
    "stage_wait_hours": "Wait before, half within",
    "stage_wait_hours_p90": "90 % within",
    "work_in_progress": "Orders there now",
    "work_age_hours": "Their age, half within",
    "promises_died": "Promises died here",
}
IN_STEP, BEFORE_STEP = "in step", "waiting"
SIZE = 8


def by_step(filters: Filters) -> dict[str, Answers]:
    """The measures of the steps, by the step's two digits."""
    found: dict[str, Answers] = {}
    for one in measure_table.answers_for([MEASURES[name] for name in COLUMNS], filters, "step"):
        found.setdefault(str(one.dimensions["step"]), {})[one.measure] = one
    return found


def headline(filters: Filters, steps: dict[str, Answers]) -> None:
    """Draw the page in a few sentences, and its tiles."""
    answers = glance.answers_in_view(NAME, filters)
    if answers[MAIN].value is None and glance.nothing_to_show(
        answers, "late_orders_observed", filters, "steps of orders"
    ):
        return
    slowest = max(STEPS, key=lambda number: _value(steps, number, "stage_hours_p90"))
    died = max(((name, _died(steps, name)) for name in steps), key=lambda one: one[1], default=("", 0))
    sentences = [f"{glance.number(answers, MAIN)} from order to cash." if answers[MAIN].value is not None else ""]
    if _value(steps, slowest, "stage_hours_p90"):
        at = ("step", f"{slowest:02d}")
        half, nine = (glance.number(steps[at[1]], name, at=at) for name in ("stage_hours", "stage_hours_p90"))
        sentences.append(
            f"The longest step is {formatting.html(STEPS[slowest])}: half within {half}, 90 % within {nine}."
        )
    if died[1]:
        where = "when they were given" if died[0] == "00" else f"at step {formatting.step(died[0])}"
        of, all_died = glance.number(answers, "late_orders_observed"), glance.number(answers, "promises_died")
        at_step = glance.number(steps[died[0]], "promises_died", at=("step", died[0]))
        sentences.append(
            f"Of {of} late orders whose steps were seen, the promise of {all_died} died on the way: {at_step} "
            f"{formatting.html(where)}."
        )
    with theme.card("said"):
        glance.headline_card(MAIN, answers, filters, *sentences)
    glance.tiles(filters, TILES, answers)


def _value(steps: dict[str, Answers], number: int, measure: str) -> float:
    answer = steps.get(f"{number:02d}", {}).get(measure)
    return 0.0 if answer is None or answer.value is None else float(answer.value)


def _died(steps: dict[str, Answers], name: str) -> int:
    answer = steps[name].get("promises_died")
    return int(answer.value or 0) if answer is not None and name.isdecimal() else 0


def steps_chart(steps: dict[str, Answers]) -> None:
    """Draw the band of the 13 steps and, below it, the same as a table with the work standing there and the promises
    that died there.
    """
    st.header("The 13 steps", anchor=False)
    if glance.missing_feeds("order_events"):
        return
    if not any(answer.value for answers in steps.values() for answer in answers.values()):
        theme.show_html(cards.empty("No steps recorded", "No order of this period and selection has any."))
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
            "Time in the step, and waiting before it. Thick: half of the orders are done within. Thin, to the dot: nine "
            ""
            ""
            ""
            ""
            ""
            ""
            ""
            ""
            ""
            ""
            "of ten are."
        )
    rows = [
        [
            Cell(formatting.step(number)),
            *(_cell(steps.get(f"{number:02d}", {}), name, f"{number:02d}") for name in COLUMNS),
        ]
        for number in STEPS
    ]
    if _died(steps, "00") if "00" in steps else 0:
        first = Cell("When promised", small="the promise could not be kept from the start")
        rows.append([first, *[Cell() for _ in range(len(COLUMNS) - 1)], _cell(steps["00"], "promises_died", "00")])
    heads = ("Step", *COLUMNS.values())
    theme.show_html(tables.table(heads, rows, caption="The 13 order-to-cash steps", numeric=range(1, len(heads))))


def _spans(steps: dict[str, Answers]) -> list[Span]:
    found = []
    for number in STEPS:
        for kind, half, nine in (
            (IN_STEP, "stage_hours", "stage_hours_p90"),
            (BEFORE_STEP, "stage_wait_hours", "stage_wait_hours_p90"),
        ):
            within = _value(steps, number, half), _value(steps, number, nine)
            if any(within):
                said = f"half within {formatting.integer(within[0], 1)} h, 90 % within {formatting.integer(within[1], 1)} h"
                found.append(Span(formatting.step(number), kind, *within, said))
    return found


def _told(spans: list[Span]) -> str:
    longest = sorted(spans, key=lambda one: -one.nine)[:3]
    return "Hours at each of the 13 steps. Longest: " + "; ".join(
        f"{one.step}, {one.kind}, {one.said}" for one in longest
    )


def _cell(answers: Answers, name: str, step: str) -> Cell:
    one = measure_table.cell(answers.get(name), MEASURES[name])
    answer = answers.get(name)
    if answer is None or not answer.value:
        return one
    return Cell(
        markup=f'<a href="{formatting.html(links.drill_down_url(name, by="step", value=step))}" target="_self">{one.markup}</a>'
    )


def late_by_step(filters: Filters) -> None:
    """Draw the late orders with the step at which the promise of each died."""
    st.header("Where each late order's promise died", anchor=False)
    if glance.missing_feeds("order_events"):
        return
    at = int(st.session_state.get("died_page", 1))
    found = queries.cached(lists.late_by_step, page.generation(), glance.question_in_view(filters), page=at, size=SIZE)
    if not found.total:
        theme.show_html(
            cards.empty("No late order with steps", "No order due in this period was late and had its steps recorded.")
        )
        return
    rows = [
        [
            _order(row),
            formatting.day(row["due_day"]),
            Cell(formatting.integer(row["days_late"])) if row["days_late"] else "",
            _step(row),
        ]
        for row in found.rows
    ]
    theme.show_html(
        tables.table(
            ("Order", "Was due", "Days late", "The promise died"),
            rows,
            caption="Late orders and their step",
            numeric=(2,),
        )
    )
    page.pager(found.total, SIZE, key="died_page")


def _order(row: Row) -> Cell:
    link = f'<a href="{formatting.html(links.order_story_url(row["order_id"]))}" target="_self">{formatting.html(row["order_id"])}</a>'
    return Cell(markup=link, small=f"{row['customer_id']}, segment {row['segment']}")


def _step(row: Row) -> str:
    if not row["died"]:
        return "not seen: there was time left at the last step observed"
    return "when it was given" if row["step"] == "00" else formatting.step(row["step"])


def longest_waiting(filters: Filters) -> None:
    """Draw the orders under way that have stood longest, folded."""
    found = queries.cached(lists.oldest_by_step, page.generation(), glance.question_in_view(filters))
    if not found.total:
        return
    with st.expander(
        f"Orders under way that have stood longest ({formatting.integer(len(found.rows))} of {formatting.integer(found.total)})"
    ):
        rows = [
            [
                _order(row),
                formatting.step(row["step"]),
                row["standing"],
                Cell(formatting.DASH if row["age_seconds"] is None else _age(row["age_seconds"])),
            ]
            for row in found.rows
        ]
        theme.show_html(
            tables.table(
                ("Order", "Step", "Stands", "For"), rows, caption="Orders that have stood longest", numeric=(3,)
            )
        )
        menu.link("at-risk", "Open orders at risk")


def _age(seconds: int) -> str:
    hours = seconds / 3600
    return f"{formatting.integer(hours, 1)} h" if hours < 48 else f"{formatting.integer(hours / 24, 1)} days"
