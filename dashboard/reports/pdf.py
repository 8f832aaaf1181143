"""The scorecard as a one-page PDF: headline, tiles, trend, segments, reasons and provenance.

Typst renders `assets/report.typ` with all texts as data, so that a customer's name is never markup. The PDF is tagged
(PDF/UA-1). The same view of the same generation gives the same bytes.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import queries
from dashboard.components import cards, changes, formatting, reasons, theme
from dashboard.components.cards import Tile
from dashboard.components.sentences import as_text
from dashboard.components.status import Status
from dashboard.frame import chart_download, quality_marks
from dashboard.frame import period as periods
from dashboard.frame.filters import Filters
from dashboard.measure_page import tiles, trend
from dashboard.measure_page.measure_table import short_title
from dashboard.measure_page.view import MeasureView
from dashboard.reports.paper import typeset
from dashboard.sections import scorecard
from dashboard.sections.scorecard import REASONS_SHOWN, TILES, Scorecard
from metrics.errors import NothingPublished
from metrics.lists.data_status import data_status
from metrics.lists.failed_orders import failure_reasons
from metrics.measures.catalog import MEASURES
from metrics.model.question import Answer
from metrics.provenance.provenance import provenance, rows_hash
from metrics.targets.targets import Target
from metrics.warehouse import locate

TEMPLATE = theme.ASSETS / "report.typ"
SEGMENTS_MOST = 10
WIDTH, HEIGHT = 640, 205
"""Size of the trend in chart units; it fills the width of the page."""


def button(shown: Scorecard, as_of: datetime | None, measure: str) -> None:
    """Draw the button that downloads the scorecard as a PDF, with the trend of `measure`."""
    view = report_text(shown, as_of, measure)
    filters = shown.view.filters
    st.download_button(
        "One-page report (PDF)",
        data=lambda: pdf(view),
        file_name=f"buyerview_scorecard_{filters.start}_{filters.end}.pdf",
        mime="application/pdf",
        icon=":material/picture_as_pdf:",
        type="tertiary",
        on_click="ignore",
        key="report",
    )


def write(
    target: Path, *, choice: str, start: date | None, end: date | None, where: tuple[tuple[str, tuple[str, ...]], ...]
) -> None:
    """Write the report of the newest generation as PDF. Parameters as `newest`."""
    target.write_bytes(newest(choice=choice, start=start, end=end, where=where))


def newest(
    *, choice: str, start: date | None, end: date | None, where: tuple[tuple[str, tuple[str, ...]], ...]
) -> bytes:
    """Return the report of the newest generation as PDF.

    choice: a period of the filter bar, used if no days are given. Raises NothingPublished.
    """
    published = queries.current()
    if published is None:
        raise NothingPublished(str(locate()))
    with queries.one_generation(published.number):
        status = queries.cached(data_status, published.number)
        as_of = status.data_as_of
        if as_of is None:
            raise NothingPublished(str(locate()))
        days = tuple(day for day in (start, end) if day is not None)
        first = status.first_day or as_of.date()
        period = periods.choose(periods.DATES if days else choice, as_of=as_of.date(), first=first, days=days)
        shown = scorecard.load_scorecard(published.number, Filters(period, where))
        return pdf(report_text(shown, as_of, shown.view.main))


def report_text(shown: Scorecard, as_of: datetime | None, measure: str) -> dict[str, Any]:
    """Return everything the report shows as plain data (JSON)."""
    view, filters = shown.view, shown.view.filters
    marks = quality_marks.read_marks(view.generation)
    withheld = {name for name in TILES if name in marks and marks[name].withheld}
    spec, alternative = trend.chart(shown.trend, measure, is_dark=False)
    return {
        "title": "Scorecard",
        "under": f"{formatting.date_range(filters.start, filters.end)} · {filters.label}",
        "headline": as_text(scorecard.sentences(shown)),
        "tiles": [_tile(tile, name in withheld) for name, tile in tiles.load_tiles(view).items()],
        "trend": {
            "title": f"{MEASURES[measure].title} over time",
            "spec": {**spec, "width": WIDTH, "height": HEIGHT},
            "alternative": alternative,
            "note": trend.chart_note(shown.trend, measure),
        },
        "segments": _segments(view, withheld),
        "legend": [(one.css, one.word) for one in (Status.ON, Status.WATCH, Status.OFF, Status.INCONCLUSIVE)],
        "reasons": _reasons(view),
        "footer": _footer(view, as_of),
        "made": (as_of or datetime(2000, 1, 1)).isoformat(),
    }


def pdf(view: dict[str, Any]) -> bytes:
    """Return the report as PDF."""
    trend = {**view["trend"], "svg": chart_download.bare_svg(view["trend"]["spec"])}
    return typeset(TEMPLATE, {**view, "trend": trend})


def _tile(tile: Tile, is_withheld: bool) -> dict[str, str]:
    measure = tile.measure
    if tile.now is None or cards.value(tile.now, measure) == formatting.DASH:
        return {
            "title": cards.title(measure),
            "value": formatting.DASH,
            "word": "",
            "css": "none",
            "against": "",
            "note": cards.why_missing(tile.now),
        }
    target = None if is_withheld else tile.target
    stands = cards.status_of(tile.now, measure, target)
    notes = (
        changes.change_text(tile.now, tile.before, measure),
        cards.coverage(tile.now),
        cards.provisional_text(tile.now, measure),
        cards.too_few_text(tile.now, measure),
    )
    return {
        "title": cards.title(measure),
        "value": cards.value(tile.now, measure),
        "word": "withheld: too many records are kept out" if is_withheld else stands.word if stands.shape else "",
        "css": "unproven" if is_withheld else stands.css,
        "against": f"target {formatting.number(target.value, measure.unit)}" if target else "",
        "note": "; ".join(note for note in notes if note),
    }


def _segments(view: MeasureView, withheld: set[str]) -> dict[str, Any]:
    """Return the measures by customer segment (the largest segments only, if too many), and all in view last."""
    largest = sorted(view.segments, key=lambda segment: -float(view.segments[segment]["judged_orders"].value or 0))
    shown = sorted(largest[:SEGMENTS_MOST])
    rows = [_row(view, segment, withheld) for segment in shown]
    if len(rows) != 1:
        rows.append(_row(view, None, withheld))
    is_cut = len(largest) > SEGMENTS_MOST
    return {
        "title": "By customer segment",
        "heads": ["Segment", "Judged", *map(short_title, TILES)],
        "rows": rows,
        "left_out": f"The {SEGMENTS_MOST} largest of {len(largest):,} segments." if is_cut else "",
    }


Cells = list[dict[str, str]]


def _row(view: MeasureView, segment: str | None, withheld: set[str]) -> Cells:
    """Return the cells of a segment, or of all in view."""
    answers = view.answers if segment is None else view.segments[segment]
    name = "All in view" if segment is None else segment or "(none)"
    judged = answers.get("judged_orders")
    cells = [
        {"text": name, "css": "none"},
        {"text": formatting.number(judged.value if judged else None), "css": "none"},
    ]
    for measure in TILES:
        target = None if measure in withheld else view.target(measure, segment)
        cells.append(_cell(measure, answers.get(measure), target))
    return cells


def _cell(name: str, answer: Answer | None, target: Target | None) -> dict[str, str]:
    measure = MEASURES[name]
    stands = cards.status_of(answer, measure, target)
    return {
        "text": formatting.DASH if answer is None else cards.value(answer, measure),
        "css": stands.css if answer is not None else "none",
    }


def _reasons(view: MeasureView) -> dict[str, Any]:
    filters = view.filters
    found = queries.cached(failure_reasons, view.generation, start=filters.start, end=filters.end, where=filters.where)
    rows = [(reasons.reason(row["reason"]), formatting.count(row["orders"], "order")) for row in found[:REASONS_SHOWN]]
    more = f", the {REASONS_SHOWN} most frequent of {len(found)} reasons" if len(found) > REASONS_SHOWN else ""
    return {"title": f"Why orders fail{more}", "rows": rows}


def _footer(view: MeasureView, as_of: datetime | None) -> Sequence[str]:
    """Return the provenance of the report, as in an export."""
    question, generation = replace(view.question, measures=TILES), view.generation
    source = queries.cached(provenance, generation, question)
    answers = queries.answers(generation, question)
    digest = rows_hash(("measure", "value"), [(answer.measure, answer.value) for answer in answers])
    failed = sum(check["rows_failed"] for check in source["checks_failed"])
    withheld = sum(source["in_quarantine"].values())
    lines = [
        f"Data version {generation}, run {source['run']['run_id']} of {source['run']['source']}, "
        f"data as of {formatting.moment(as_of)}. Judged under the strict "
        f"policy, rule book {source['rule_book']}; Buyerview {source['buyerview']}.",
        f"Failed checks of its feeds: {len(source['checks_failed'])} with {failed:,} rows. "
        f"{withheld:,} records are in quarantine. "
        f"Hash of the tiles' values: {digest[:16]}.",
    ]
    return lines + ([f"Stand-ins: {'; '.join(source['stand_ins'])}."] if source["stand_ins"] else [])
