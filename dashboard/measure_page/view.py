"""Answers and targets of a page's measures for the days and filters in view. A page loads them once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard import queries
from dashboard.components import formatting
from dashboard.frame import menu, menu_entries, page, quality_marks
from dashboard.frame.filters import Filters
from metrics.lists.customer import customer_names
from metrics.lists.rows import Row
from metrics.measures.catalog import BY_MODULE, MEASURES, has_dimension
from metrics.model.question import Answer, Question
from metrics.targets.in_view import targets_in_view
from metrics.targets.targets import Target

Answers = dict[str, Answer]
"""Answers by measure."""


@dataclass(frozen=True)
class MeasureView:
    """Answers to the measures of a page, for all in view and by customer segment, with their targets."""

    generation: int
    filters: Filters
    measures: tuple[str, ...]
    main: str
    """The measure of the headline."""
    tiles: tuple[str, ...]
    answers: Answers
    segments: dict[str, Answers]
    """Answers by segment, for measures that have the dimension."""
    targets: list[Row]

    @property
    def question(self) -> Question:
        """The days and filters in view, without measures: for lists shown next to the measures."""
        return Question((), start=self.filters.start, end=self.filters.end, where=self.filters.where)

    def target(self, measure: str, segment: str | None = None) -> Target | None:
        """Return the target of a measure for all in view or for a segment; None while the measure is withheld."""
        where = self.filters.where if segment is None else (("segment", (segment,)),)
        return quality_marks.target_in_view(self.targets, measure, where)

    @property
    def customer_names(self) -> Mapping[str, str]:
        """The names of customers by number, on the last day of the period that has passed."""
        return queries.shared(customer_names, self.generation, self.filters.period.elapsed)


def measures_of(entry: menu_entries.Entry) -> tuple[str, ...]:
    """Return the measures of a page: all of its measure modules, and those it adds."""
    return (*(measure.name for module in entry.measures for measure in BY_MODULE[module]), *entry.also)


def page_of(measure: str) -> menu_entries.Entry | None:
    """Return the page of a measure: the page of its module, else the first page that adds it, else None."""
    module = next(module for module, found in BY_MODULE.items() if measure in {one.name for one in found})
    of_module = (entry for entry in menu_entries.ENTRIES if module in entry.measures)
    adding = (entry for entry in menu_entries.ENTRIES if measure in entry.also)
    return next(of_module, None) or next(adding, None)


def page_view(file: str) -> MeasureView:
    """Return the view of the measure page that runs, and draw its subtitle. `file`: its name, such as "recovery".

    The subtitle comes before the answers, so that it does not move what is drawn below it.
    """
    entry = menu.entry_of_file(file)
    measures, filters = measures_of(entry), page.current_filters()
    amounts = page.amounts(filters) if any(MEASURES[name].in_money for name in measures) else ""
    page.subtitle(
        f"{formatting.date_range(filters.start, filters.end)} · {filters.label} · "
        f"{formatting.count(len(measures), 'measure')}{amounts}"
    )
    return load_view(entry, measures, page.generation(), filters)


def load_view(entry: menu_entries.Entry, measures: tuple[str, ...], generation: int, filters: Filters) -> MeasureView:
    """Return the answers to measures in view, in two questions: all in view, and by customer segment."""
    view = Question(measures, start=filters.start, end=filters.end, where=filters.where)
    with_segment = tuple(name for name in measures if has_dimension(MEASURES[name], "segment"))
    answers = queries.answers(generation, view)
    of_segments = queries.answers(
        generation, Question(with_segment, by=("segment",), start=filters.start, end=filters.end, where=filters.where)
    )
    return MeasureView(
        generation=generation,
        filters=filters,
        measures=measures,
        main=entry.main,
        tiles=entry.tiles,
        answers={answer.measure: answer for answer in answers},
        segments=by_value(of_segments, "segment"),
        targets=queries.cached(
            targets_in_view, generation, start=filters.start, end=filters.period.elapsed, where=filters.where
        ),
    )


def answers_by(view: MeasureView, measures: Sequence[str], *dimensions: str) -> list[Answer]:
    """Return the answers to measures in view, by dimensions."""
    filters = view.filters
    return queries.answers(
        view.generation,
        Question(tuple(measures), by=dimensions, start=filters.start, end=filters.end, where=filters.where),
    )


def by_value(answers: Sequence[Answer], dimension: str) -> dict[str, Answers]:
    """Group answers by the value of a dimension ("" for an empty value), then by measure."""
    groups: dict[str, Answers] = {}
    for answer in answers:
        groups.setdefault(answer.dimensions[dimension] or "", {})[answer.measure] = answer
    return groups
