"""Table of the page "Explore and export", page by page."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from dashboard.components import formatting, tables
from dashboard.components.formatting import Shown
from dashboard.components.tables import Cell
from dashboard.frame import links, quality_marks
from dashboard.frame.filters import Filters
from dashboard.frame.period import next_start
from dashboard.measure_page.cells import WHOLE, dimension_text, halves, value_cell
from metrics.lists.rows import Row
from metrics.measures.catalog import MEASURES
from metrics.model.question import Answer, Question

ROWS_A_PAGE = 50
Key = tuple[Any, ...]
"""Dimension values of a table row, and its period. Any: str or None first, a date or None last."""


def keys(question: Question, answers: Sequence[Answer]) -> dict[Key, dict[str, Answer]]:
    """Group answers by table row (dimension values and period); without periods, the largest first."""
    found: dict[Key, dict[str, Answer]] = {}
    for answer in answers:
        found.setdefault((*answer.dimensions.values(), answer.period), {})[answer.measure] = answer
    if question.grain or not question.by:
        return found
    name = question.measures[0]
    sizes = {key: float(row[name].denominator or row[name].value or 0) for key, row in found.items()}
    return {key: found[key] for key in sorted(found, key=lambda key: -sizes[key])}


def table(
    question: Question,
    found: dict[Key, dict[str, Answer]],
    filters: Filters,
    targets: list[Row],
    *,
    page: int,
) -> str:
    """Return a page of the table: every number with its status, numerator and denominator, and link."""
    measures = [MEASURES[name] for name in question.measures]
    heads = [
        *map(formatting.in_words, question.by),
        *([formatting.in_words(question.grain)] if question.grain else []),
        *(Shown(one.short or one.title, one.name) for one in measures),
    ]
    body = []
    for key in list(found)[(page - 1) * ROWS_A_PAGE : page * ROWS_A_PAGE]:
        at = tuple(zip(question.by, key, strict=False))
        days = None
        named = [Cell(dimension_text(value)) for value in key[:-1]]
        if question.grain and key[-1]:
            days = (
                max(key[-1], filters.start),
                min(next_start(key[-1], question.grain) - timedelta(days=1), filters.end),
            )
            named.append(
                Cell(
                    Shown(
                        formatting.period(key[-1], question.grain)
                        + (" (partial)" if filters.period.partial(key[-1], question.grain) else ""),
                        key[-1],
                    )
                )
            )
        scope = tuple((name, (str(value),)) for name, value in at)
        cells = []
        for measure in measures:
            one = found[key].get(measure.name)
            cell = value_cell(
                one, measure, quality_marks.target_in_view(targets, measure.name, (*filters.where, *scope))
            )
            link = links.drill_down_url(measure.name, at=at, period=days)
            shown = (
                f'<a href="{formatting.html(link)}" target="_self">{cell.markup}</a>'
                if one is not None and one.value is not None
                else cell.markup
            )
            cells.append(replace(cell, markup=shown, small=halves(one, measure) if one is not None else ""))
        body.append([*named, *cells] if named else [Cell(WHOLE), *cells])
    heads = heads if question.by or question.grain else ["Selection", *heads]
    return tables.table(
        heads,
        body,
        caption="Answers",
        numeric=range(len(heads) - len(measures), len(heads)),
        is_page=len(found) > len(body),
    )
