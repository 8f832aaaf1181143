"""Sections of the scorecard: headline, reasons and order counts. The PDF report and the digest use them too."""

from dataclasses import dataclass, replace

from dashboard import queries
from dashboard.components import cards, formatting, tables
from dashboard.components.reasons import reason
from dashboard.components.sentences import Phrase, Sentence
from dashboard.frame import links, menu
from dashboard.frame.filters import Filters
from dashboard.frame.period import Period
from dashboard.measure_page import drivers, headline, measure_table, signals, tiles, trend
from dashboard.measure_page.trend import Trend
from dashboard.measure_page.view import MeasureView, load_view
from dashboard.orders.levers import levers_in_view, levers_table
from metrics.lists import failed_orders as lists
from metrics.measures.catalog import MEASURES
from metrics.model.share import share
from metrics.policy import MIN_COVERAGE
from metrics.queries.levers import top

ENTRY = menu.entry_of_file("scorecard")
TILES = ENTRY.tiles
REASONS_SHOWN = 8
LEVERS_SHOWN = 3
NAMES = {name: measure_table.short_title(name) for name in TILES}


@dataclass(frozen=True)
class Scorecard:
    """Answers of the scorecard for one choice of filters, and the trend of its tiles."""

    view: MeasureView
    trend: Trend

    @property
    def judged(self) -> int:
        """Orders judged in view."""
        return self._count("judged_orders")

    @property
    def failed(self) -> int:
        """Orders in view that failed at least one test."""
        return self._count("failed_orders")

    def _count(self, measure: str) -> int:
        return int(self.view.answers[measure].value or 0) if measure in self.view.answers else 0


def load_scorecard(generation: int, filters: Filters) -> Scorecard:
    """Return the scorecard.

    Its headline uses perfect orders, or on time in full if evidence for the other tests is missing.
    """
    view = load_view(ENTRY, (*TILES, "judged_orders", "failed_orders"), generation, filters)
    view = replace(view, main=headline.main_or_otif(view.answers.get(ENTRY.main)))
    return Scorecard(view, trend.load_trend(view, TILES))


def offered(scorecard: Scorecard) -> tuple[str, ...]:
    """Return the measures that have a trend, the headline's first."""
    view = scorecard.view
    return tuple(sorted(trend.with_trend(TILES, view.answers), key=lambda name: name != view.main)) or (view.main,)


def sentences(scorecard: Scorecard) -> list[Sentence]:
    """Return the sentences of the headline: main measure, gap to its target, since when, and why."""
    view = scorecard.view
    measure, answer, target = MEASURES[view.main], view.answers.get(view.main), view.target(view.main)
    if answer is None or answer.value is None:
        why = headline.as_sentence(cards.why_missing(answer))
        return [(f"{measure.title}: ", headline.number(view.answers, view.main), f". {why}")]
    value = Phrase(formatting.number(answer.value, measure.unit), is_strong=True)
    first = f" {measure.title.lower()} in {view.filters.period.name}"
    if target is not None:
        gap = float(answer.value) - target.value
        aim = formatting.number(target.value, measure.unit)
        side = "above" if gap > 0 else "below"
        is_at_target = abs(gap) < 5e-4
        first += ", at target" if is_at_target else ""
        first += "" if is_at_target else f", {formatting.difference(gap, measure.unit)} {side} the target of {aim}"
    if answer.coverage is not None and answer.coverage < MIN_COVERAGE:
        first += f". {cards.coverage(answer)}"
    provisional = cards.provisional_text(answer, measure)
    named: list[Sentence] = [(f"{provisional}.",)] if provisional else []
    points, grain = trend.points(scorecard.trend, view.main), view.filters.period.grain
    since = [signals.since_target(points, target, measure.direction, grain), signals.shift(points, measure.unit, grain)]
    return [
        (value, f"{first}."),
        *named,
        *((text,) for text in since if text),
        drivers.driver_sentence(view.generation, view.filters, view.main),
        headline.worst_segment(view, view.main),
    ]


def headline_markup(scorecard: Scorecard) -> str:
    """Return the headline as markup."""
    return headline.headline_card(headline.status_in_view(scorecard.view, scorecard.view.main), sentences(scorecard))


def order_counts(generation: int, filters: Filters) -> dict[str, int]:
    """Return how many orders in view are judged, pending and excluded."""
    return queries.cached(lists.order_counts, generation, start=filters.start, end=filters.end, where=filters.where)


def failure_reasons(scorecard: Scorecard) -> str:
    """Return the reasons why orders failed as bars, the most frequent first."""
    filters = scorecard.view.filters
    reasons = queries.cached(
        lists.failure_reasons,
        scorecard.view.generation,
        start=filters.start,
        end=filters.end,
        where=filters.where,
    )
    if not reasons:
        return cards.empty("No known failure", "No judged order in view is known to have failed a test.")
    shown = reasons[:REASONS_SHOWN]
    bars = [
        (
            reason(row["reason"]),
            f"{formatting.integer(row['orders'])} · {formatting.share(of_failed, 0)}",
            of_failed.value or 0.0,
        )
        for row in shown
        for of_failed in [share(row["orders"], scorecard.failed)]
    ]
    return tables.bars(
        bars,
        label="Reasons why orders failed, with the number of orders and their share of failed orders",
        links=[links.page_url("failed-orders", {"reason": row["reason"]}) for row in shown],
    )


def best_levers(scorecard: Scorecard) -> str:
    """Return the best levers of different reasons as a table; empty if no lever makes an order perfect."""
    found = levers_in_view(scorecard.view.generation, scorecard.view.filters)
    best = top(found, LEVERS_SHOWN)
    return levers_table(found, best, caption="The best levers of different reasons") if best else ""


def warm(generation: int, period: Period, *, is_dark: bool) -> None:
    """Compute and draw what the first visitor sees, so that the caches are filled."""
    scorecard = load_scorecard(generation, Filters(period, ()))
    tiles.tiles_markup(scorecard.view, is_dark=is_dark)
    for name in TILES:
        trend.chart(scorecard.trend, name, is_dark=is_dark)
    measure_table.segment_table(scorecard.view)
    best_levers(scorecard)
