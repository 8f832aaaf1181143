"""What the scorecard shows, put together from answers: tiles, the trend of one measure, segments, reasons. No layout."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from dashboard import cards, charts, data, drill, explained, family, marks, story, tables
from dashboard import format as fmt
from dashboard.cards import Tile
from dashboard.charts import Point
from dashboard.filters import Filters
from dashboard.period import BEFORE, COMPARISONS, LAST_YEAR, Period, alike, periods
from dashboard.standing import Standing, standing
from dashboard.tables import Cell
from metrics.catalog import MEASURES
from metrics.question import Answer, Question
from metrics.targets import Target, withheld

TILES = ("perfect_order", "otif", "on_time", "complete", "damage_free", "filled_accurately", "billed_accurately", "cycle_days")
"""Measures of the tiles, the first being what the page is about."""
REASONS_SHOWN = 8

Where = tuple[tuple[str, tuple[str, ...]], ...]


def short(name: str) -> str:
    """A measure's name where there is little room."""
    return MEASURES[name].short or MEASURES[name].title


NAMES = {name: short(name) for name in TILES}


def _one(answers: Sequence[Answer]) -> dict[str, Answer]:
    return {answer.measure: answer for answer in answers}


def _course(answers: Sequence[Answer]) -> dict[tuple[str, date | None], Answer]:
    return {(answer.measure, answer.period): answer for answer in answers}


class Numbers:
    """Everything the scorecard asks, in seven questions, for one choice of filters."""

    def __init__(self, generation: int, period: Period, where: Where, compare: Sequence[str] = COMPARISONS) -> None:
        self.period, self.where = period, where
        self.targets = data.targets(generation, period.elapsed)
        view = {"start": period.start, "end": period.end, "where": where}
        self.now = _one(data.answers(generation, Question((*TILES, "judged_orders", "failed_orders"), **view)))
        self.course = _course(data.answers(generation, Question(TILES, grain=period.grain, **view)))
        self.comparisons = {name: days for name in compare if (days := period.compared(name)) is not None}
        self.then: dict[str, dict[str, Answer]] = {}
        self.course_then: dict[str, dict[tuple[str, date | None], Answer]] = {}
        for name, (start, end) in self.comparisons.items():
            self.then[name] = _one(data.answers(generation, Question(TILES, start=start, end=end, where=where)))
            course = data.answers(generation, Question(TILES, grain=period.grain, start=start, end=end, where=where))
            self.course_then[name] = _course(course)
        self.segments = data.answers(generation, Question((*TILES, "judged_orders"), by=("segment",), **view))

    @property
    def judged(self) -> int:
        """How many orders the period's rates rest on."""
        return int(self.now["judged_orders"].value or 0) if "judged_orders" in self.now else 0

    def target(self, measure: str) -> Target | None:
        """The target in view."""
        return marks.target(self.targets, measure, self.where)

    def tile(self, name: str) -> Tile:
        """One measure's tile."""
        whole = [day for day in periods(self.period.start, self.period.elapsed, self.period.grain) if not self.period.partial(day, self.period.grain)]
        answers = [self.course.get((name, day)) for day in whole]
        series = [None if answer is None or answer.value is None else float(answer.value) for answer in answers]
        return Tile(
            MEASURES[name],
            self.now.get(name),
            self.then.get(BEFORE, {}).get(name),
            self.target(name),
            series,
            main=name == TILES[0],
            year=self.then.get(LAST_YEAR, {}).get(name),
            behind=drill.href(name),
            explained=explained.href(name),
            mark=marks.mark(name),
        )

    def tiles(self, *, is_dark: bool) -> str:
        """All tiles."""
        return cards.tiles([self.tile(name) for name in TILES], is_dark=is_dark)

    def main(self) -> str:
        """The measure the headline speaks of: perfect orders, or on time in full where evidence for the rest is missing."""
        answer = self.now.get(TILES[0])
        return TILES[0] if answer is not None and answer.value is not None else TILES[1]

    def offered(self) -> tuple[str, ...]:
        """Measures that have a trend to show, the headline's first."""
        known = [name for name in TILES if (answer := self.now.get(name)) is not None and (answer.value is not None or withheld(answer))]
        return tuple(sorted(known, key=lambda name: name != self.main())) or (self.main(),)

    def headline(self) -> str:
        """The page in one sentence."""
        name = self.main()
        ours = [
            (
                answer.dimensions["segment"] or "",
                answer,
                marks.target(self.targets, name, (("segment", (answer.dimensions["segment"] or "",)),)),
            )
            for answer in self.segments
            if answer.measure == name
        ]
        return cards.headline(self.tile(name), ours, when=self.period.name)

    def points(self, name: str) -> list[Point]:
        """The trend of one measure, an empty period too; what it is compared with beside it, first against first, where equally long."""
        measure, target, grain = MEASURES[name], self.target(name), self.period.grain
        days = periods(self.period.start, self.period.elapsed, grain)
        earlier = {one: periods(*between, grain) for one, between in self.comparisons.items()}
        found = []
        for at, day in enumerate(days):
            answer = self.course.get((name, day))
            then = {one: self._then(one, name, day, others[at] if at < len(others) else None) for one, others in earlier.items()}
            value = None if answer is None or answer.value is None else float(answer.value)
            partial = self.period.partial(day, grain)
            stands = Standing.NO_TARGET if partial else standing(value, target, measure.direction, coverage=answer.coverage if answer else None)
            found.append(
                Point(
                    begins=day,
                    value=value,
                    standing=stands,
                    partial=partial,
                    before=then.get(BEFORE),
                    year=then.get(LAST_YEAR),
                    of=None if answer is None or answer.denominator is None else float(answer.denominator),
                    between=withheld(answer) if answer is not None else None,
                )
            )
        return found

    def _then(self, compared: str, name: str, day: date, other: date | None) -> float | None:
        """A measure in the matching day, week ... of what is compared with; None where that is not as long: like goes with like only."""
        within = (self.period.start, self.period.elapsed)
        if other is None or not alike(self.period.grain, day, within, other, self.comparisons[compared]):
            return None
        answer = self.course_then[compared].get((name, other))
        return None if answer is None or answer.value is None else float(answer.value)

    def trend(self, name: str, *, is_dark: bool) -> tuple[dict[str, Any], str]:
        """The chart of one measure, and the same in a sentence."""
        points, measure, target = self.points(name), MEASURES[name], self.target(name)
        return charts.trend(points, measure, target=target, grain=self.period.grain, is_dark=is_dark), charts.describe(points, measure, target)

    def trend_note(self, name: str) -> str:
        """What the trend's signs mean, those that are in it."""
        points = self.points(name)
        notes = [f"By {self.period.grain}."]
        if any(point.before is not None for point in points):
            notes.append("The dotted line is the period before.")
        if any(point.year is not None for point in points):
            notes.append("The long-dashed line is last year.")
        if any(point.partial and point.value is not None for point in points):
            notes.append("Hollow points are periods that are not whole.")
        if any(point.between for point in points):
            notes.append("Upright bars are ranges: too little is known for one number.")
        return " ".join(notes)

    def segment_table(self) -> str:
        """Measures by customer segment, each against its own target, and all orders in view last."""
        by_segment: dict[str, dict[str, Answer]] = {}
        for answer in self.segments:
            by_segment.setdefault(answer.dimensions["segment"] or "", {})[answer.measure] = answer
        rows: list[list[Cell | str]] = []
        for segment, answers in sorted(by_segment.items()):
            rows.append([Cell(segment), *self._row(answers, segment)])
        if len(rows) > 1:
            rows.append([Cell("All in view"), *self._row(self.now)])
        heads = ("Segment", "Orders judged", *map(short, TILES))
        return tables.table(heads, rows, caption="Service by customer segment, each against its target", numeric=(1,), total=len(rows) > 1)

    def _row(self, answers: dict[str, Answer], segment: str | None = None) -> list[Cell | str]:
        """A segment's numbers, or those of all in view, each leading to what is behind it."""
        by = "segment" if segment is not None else None
        judged = answers.get("judged_orders")
        row: list[Cell | str] = [
            family.linked(fmt.written(int(judged.value or 0)), drill.href("judged_orders", by=by, value=segment)) if judged else ""
        ]
        for name in TILES:
            target = self.target(name) if segment is None else marks.target(self.targets, name, (("segment", (segment,)),))
            row.append(family.leading(family.cell(answers.get(name), MEASURES[name], target), drill.href(name, by=by, value=segment)))
        return row


def why(generation: int, filters: Filters, failed: int) -> str:
    """Reasons that orders failed, the most frequent first, as bars."""
    found = data.failure_reasons(generation, filters.start, filters.end, filters.where)
    if not found:
        return cards.empty("No order failed", "Every judged order in view passed the tests that could be made.")
    most = found[0]["orders"]
    links = [drill.address("failed-orders", {"reason": row["reason"]}) for row in found[:REASONS_SHOWN]]
    shown = [
        (story.reason(row["reason"]), f"{fmt.written(row['orders'])} · {fmt.percent(row['orders'] / max(failed, 1), 0)}", row["orders"] / most)
        for row in found[:REASONS_SHOWN]
    ]
    return tables.bars(shown, label="Reasons that orders failed, with how many orders and their share of the failed ones", links=links)


def warm(generation: int, period: Period, *, is_dark: bool) -> None:
    """Ask and draw once what the first visitor will see."""
    numbers = Numbers(generation, period, ())
    numbers.tiles(is_dark=is_dark)
    for name in TILES:
        numbers.trend(name, is_dark=is_dark)
    numbers.segment_table()
