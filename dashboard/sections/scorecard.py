"""What the scorecard shows, put together from answers: tiles, segments, reasons, beside the course of its measures. No
layout.
"""

from collections.abc import Sequence

from dashboard import queries
from dashboard.components import cards, formatting, tables
from dashboard.components.cards import Tile
from dashboard.components.tables import Cell
from dashboard.frame import links, page, quality_marks
from dashboard.frame.filters import Filters
from dashboard.frame.period import BEFORE, COMPARISONS, LAST_YEAR, Period, periods
from dashboard.measure_page import measure_table
from dashboard.measure_page.trend import Trend, Where, with_trend
from dashboard.orders.reasons import reason
from metrics.lists import failed_orders as lists
from metrics.measures.catalog import MEASURES
from metrics.model.question import Answer, Question

TILES = (
    "perfect_order",
    "otif",
    "on_time",
    "complete",
    "damage_free",
    "filled_accurately",
    "billed_accurately",
    "cycle_days",
)
"""Measures of the tiles, the first being what the page is about."""
REASONS_SHOWN = 8


def short(name: str) -> str:
    """A measure's name where there is little room."""
    return MEASURES[name].short or MEASURES[name].title


NAMES = {name: short(name) for name in TILES}


def _one(answers: Sequence[Answer]) -> dict[str, Answer]:
    return {answer.measure: answer for answer in answers}


class ScorecardAnswers(Trend):
    """Everything the scorecard asks, in seven questions, for one choice of filters."""

    def __init__(self, generation: int, period: Period, where: Where, compare: Sequence[str] = COMPARISONS) -> None:
        super().__init__(TILES, generation, period, where, compare)
        view = {"start": period.start, "end": period.end, "where": where}
        self.now = _one(queries.answers(generation, Question((*TILES, "judged_orders", "failed_orders"), **view)))
        self.then: dict[str, dict[str, Answer]] = {}
        for name, (start, end) in self.comparisons.items():
            self.then[name] = _one(queries.answers(generation, Question(TILES, start=start, end=end, where=where)))
        self.segments = queries.answers(generation, Question((*TILES, "judged_orders"), by=("segment",), **view))

    @property
    def judged(self) -> int:
        """How many orders the period's rates rest on."""
        return int(self.now["judged_orders"].value or 0) if "judged_orders" in self.now else 0

    def tile(self, name: str) -> Tile:
        """One measure's tile."""
        whole = [
            day
            for day in periods(self.period.start, self.period.elapsed, self.period.grain)
            if not self.period.partial(day, self.period.grain)
        ]
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
            behind=links.drill_down_url(name),
            explained=links.explain_url(name),
            mark=quality_marks.mark_link(name, small=quality_marks.mostly_withheld(TILES)),
        )

    def tiles(self, *, is_dark: bool) -> str:
        """All tiles, and what is to know of most of them."""
        return quality_marks.withheld_note(TILES) + cards.tiles([self.tile(name) for name in TILES], is_dark=is_dark)

    def main(self) -> str:
        """The measure the headline speaks of: perfect orders, or on time in full where evidence for the rest is
        missing.
        """
        answer = self.now.get(TILES[0])
        return TILES[0] if answer is not None and answer.value is not None else TILES[1]

    def offered(self) -> tuple[str, ...]:
        """Measures that have a trend to show, the headline's first."""
        return tuple(sorted(with_trend(TILES, self.now), key=lambda name: name != self.main())) or (self.main(),)

    def headline(self) -> str:
        """The page in one sentence."""
        name = self.main()
        ours = [
            (
                answer.dimensions["segment"] or "",
                answer,
                quality_marks.target_in_view(self.targets, name, (("segment", (answer.dimensions["segment"] or "",)),)),
            )
            for answer in self.segments
            if answer.measure == name
        ]
        return cards.headline(self.tile(name), ours, when=self.period.name)

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
        return tables.table(
            heads,
            rows,
            caption="Service by customer segment, each against its target",
            numeric=(1,),
            total=len(rows) > 1,
        )

    def _row(self, answers: dict[str, Answer], segment: str | None = None) -> list[Cell | str]:
        """A segment's numbers, or those of all in view, each leading to what is behind it."""
        by = "segment" if segment is not None else None
        judged = answers.get("judged_orders")
        row: list[Cell | str] = [
            measure_table.link_cell(
                formatting.integer(int(judged.value or 0)), links.drill_down_url("judged_orders", by=by, value=segment)
            )
            if judged
            else ""
        ]
        for name in TILES:
            target = (
                self.target(name)
                if segment is None
                else quality_marks.target_in_view(self.targets, name, (("segment", (segment,)),))
            )
            row.append(
                measure_table.markup_link_cell(
                    measure_table.cell(answers.get(name), MEASURES[name], target),
                    links.drill_down_url(name, by=by, value=segment),
                )
            )
        return row


def order_counts(filters: Filters) -> dict[str, int]:
    """Return how many orders in view are judged, pending and excluded."""
    return queries.cached(
        lists.order_counts, page.generation(), start=filters.start, end=filters.end, where=filters.where
    )


def failure_reasons(generation: int, filters: Filters, failed: int) -> str:
    """Reasons that orders failed, the most frequent first, as bars."""
    found = queries.cached(lists.failure_reasons, generation, start=filters.start, end=filters.end, where=filters.where)
    if not found:
        return cards.empty("No order failed", "Every judged order in view passed the tests that could be made.")
    most = found[0]["orders"]
    further_links = [links.page_url("failed-orders", {"reason": row["reason"]}) for row in found[:REASONS_SHOWN]]
    shown = [
        (
            reason(row["reason"]),
            f"{formatting.integer(row['orders'])} · {formatting.percent(row['orders'] / max(failed, 1), 0)}",
            row["orders"] / most,
        )
        for row in found[:REASONS_SHOWN]
    ]
    return tables.bars(
        shown,
        label="Reasons that orders failed, with how many orders and their share of the failed ones",
        links=further_links,
    )


def warm(generation: int, period: Period, *, is_dark: bool) -> None:
    """Ask and draw once what the first visitor will see."""
    numbers = ScorecardAnswers(generation, period, ())
    numbers.tiles(is_dark=is_dark)
    for name in TILES:
        numbers.trend(name, is_dark=is_dark)
    numbers.segment_table()
