"""Tiles of a page: a few measures with their target, earlier values and sparkline."""

from datetime import date

from dashboard import queries
from dashboard.components import cards, theme
from dashboard.components.cards import Tile
from dashboard.frame import links, notes, quality_marks
from dashboard.frame.period import BEFORE, LAST_YEAR, periods
from dashboard.measure_page.trend import by_period
from dashboard.measure_page.view import Answers, MeasureView
from metrics.measures.catalog import MEASURES
from metrics.model.measure import SNAPSHOT
from metrics.model.question import Answer, Question


def load_tiles(view: MeasureView) -> dict[str, Tile]:
    """Return the tiles of a page by measure. The largest is first: the headline's measure, if it has a tile."""
    filters, period = view.filters, view.filters.period
    series = by_period(view, view.tiles, filters.start, filters.end)
    whole = [
        day for day in periods(period.start, period.elapsed, period.grain) if not period.partial(day, period.grain)
    ]
    earlier = {name: _answers_of_days(view, *days) for name, days in filters.comparisons.items()}
    small = quality_marks.mostly_withheld(view.tiles)
    found: dict[str, Tile] = {}
    for place, name in enumerate(sorted(view.tiles, key=lambda name: name != view.main)):
        is_snapshot = MEASURES[name].date == SNAPSHOT
        values = [series.get((name, day)) for day in whole]
        found[name] = Tile(
            MEASURES[name],
            view.answers.get(name),
            None if is_snapshot else earlier.get(BEFORE, {}).get(name),
            view.target(name),
            [] if is_snapshot else [_settled_value(answer) for answer in values],
            main=not place,
            year=None if is_snapshot else earlier.get(LAST_YEAR, {}).get(name),
            drill_down_url=links.drill_down_url(name),
            explain_url=links.explain_url(name),
            mark=quality_marks.mark_link(name, small=small) + notes.mark_link(name, filters),
            versus=f"vs {view.filters.period.prior_name}",
            tooltip=quality_marks.tooltip(name),
        )
    return found


def _settled_value(answer: Answer | None) -> float | None:
    """Return a value for the sparkline; None for a period that is provisional or has no value."""
    if answer is None or answer.value is None or answer.provisional is not None:
        return None
    return float(answer.value)


def tiles_markup(view: MeasureView, *, is_dark: bool) -> str:
    """Return the tiles as markup, below a note if most of their numbers are withheld."""
    return quality_marks.withheld_note(view.tiles) + cards.tiles([*load_tiles(view).values()], is_dark=is_dark)


def tiles(view: MeasureView) -> None:
    """Draw the tiles of a page."""
    theme.show_html(tiles_markup(view, is_dark=theme.is_dark()))


def _answers_of_days(view: MeasureView, start: date, end: date) -> Answers:
    question = Question(view.tiles, start=start, end=end, where=view.filters.where)
    return {answer.measure: answer for answer in queries.answers(view.generation, question)}
