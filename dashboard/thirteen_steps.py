"""The part of the order-to-cash page that lays out the 13 steps: time in each, wait before it, work standing there, promises that died there."""

import streamlit as st

from dashboard import cards, family, look, tables
from dashboard import format as fmt
from dashboard.filters import Filters
from dashboard.tables import Cell
from metrics.catalog import MEASURES
from metrics.measure import Unit
from metrics.order_to_cash import STEPS
from metrics.question import Answer

COLUMNS = {
    "stage_hours": "Hours, half within",
    "stage_hours_p90": "90 % within",
    "stage_wait_hours": "Wait before, half within",
    "stage_wait_hours_p90": "90 % within",
    "work_in_progress": "Orders there now",
    "promises_died": "Promises died here",
}


def show(filters: Filters) -> None:
    """Draw one row per step."""
    names = tuple(COLUMNS)
    by_step: dict[str, dict[str, Answer]] = {}
    for one in family.ask([MEASURES[name] for name in names], filters, "step"):
        by_step.setdefault(str(one.dimensions["step"]), {})[one.measure] = one
    st.header("The 13 steps", anchor=False)
    if not any(answer.value for answers in by_step.values() for answer in answers.values()):
        look.html(cards.empty("No steps recorded", "Add the order_events feed to see where orders spend their time."))
        return
    rows = []
    for number, words in STEPS.items():
        answers = by_step.get(f"{number:02d}", {})
        rows.append([Cell(f"{number}  {words[:1].upper()}{words[1:]}"), *(_cell(answers.get(name), MEASURES[name].unit) for name in names)])
    if died := by_step.get("00", {}).get("promises_died"):
        rows.append([Cell("When promised", small="the promise could not be kept from the start"), *[""] * (len(names) - 1), _cell(died, Unit.COUNT)])
    look.html(
        tables.table(("Step", *[COLUMNS[name] for name in names]), rows, caption="The 13 order-to-cash steps", numeric=range(1, len(names) + 1))
    )


def _cell(answer: Answer | None, unit: Unit) -> Cell:
    if answer is None or answer.value is None:
        return Cell(fmt.DASH)
    return Cell(fmt.number(answer.value, unit))
