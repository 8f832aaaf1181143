"""One page of the scorecard as a PDF: title, period, filters, tiles with their state, the trend, segments, and what all
of it rests on.

Set by Typst from `assets/report.typ`, into which everything goes as data: a customer's name is never markup. The PDF is
tagged (PDF/UA-1) and the same view of the same generation gives the same bytes.
"""

import html
import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, theme
from dashboard.components.status import Status
from dashboard.frame import chart_download, page, quality_marks
from dashboard.frame import period as periods
from dashboard.frame.filters import Filters
from dashboard.orders import reasons
from dashboard.sections.scorecard import REASONS_SHOWN, TILES, ScorecardAnswers, short
from metrics.errors import NothingPublished
from metrics.lists.data_status import data_status
from metrics.lists.failed_orders import failure_reasons
from metrics.measures.catalog import MEASURES
from metrics.model.question import Answer, Question
from metrics.provenance.provenance import provenance, rows_hash
from metrics.targets.targets import Target, target_for
from metrics.warehouse import locate

TEMPLATE = theme.ASSETS / "report.typ"
SEGMENTS_MOST = 10
WIDTH, HEIGHT = 640, 205
"""Of the trend, in its own units; it is as wide as the page."""


def button(numbers: ScorecardAnswers, filters: Filters, measure: str) -> None:
    """Offer the view on the page as a PDF; `measure` is the one whose trend is in it."""
    generation = page.generation()
    view = report_text(numbers, filters, generation, page.as_of(), measure)
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
    """Write the report of a view of the newest generation. choice: a period of the filter bar, where no days are given."""
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
        filters = Filters(period, where)
        numbers = ScorecardAnswers(published.number, period, where)
        target.write_bytes(pdf(report_text(numbers, filters, published.number, as_of, numbers.main())))


def report_text(
    numbers: ScorecardAnswers, filters: Filters, generation: int, as_of: datetime | None, measure: str
) -> dict[str, Any]:
    """Everything the page says, as plain data."""
    marks = quality_marks.read_marks(generation)
    held = {name for name in TILES if name in marks and marks[name].held}
    spec, alternative = numbers.trend(measure, is_dark=False)
    return {
        "title": "Scorecard",
        "under": f"{formatting.date_range(filters.start, filters.end)} · {filters.label}",
        "headline": _words(re.sub(r'<span class="bv-state.*?</span>', "", numbers.headline())),
        "tiles": [_tile(numbers, name, name in held) for name in TILES],
        "trend": {
            "title": f"{MEASURES[measure].title} over time",
            "spec": {**spec, "width": WIDTH, "height": HEIGHT},
            "alternative": alternative,
            "note": numbers.trend_note(measure),
        },
        "segments": _segments(numbers, held),
        "legend": [(one.css, one.word) for one in (Status.ON, Status.WATCH, Status.OFF, Status.NOT_PROVEN)],
        "reasons": _reasons(generation, filters),
        "footer": _footer(filters, generation, as_of),
        "made": (as_of or datetime(2000, 1, 1)).isoformat(),
    }


def pdf(view: dict[str, Any]) -> bytes:
    """A view as a page."""
    import typst  # brings a typesetter: only who takes a report waits for it

    trend = {**view["trend"], "svg": chart_download.bare_svg(view["trend"]["spec"])}
    said = json.dumps({**view, "trend": trend}, ensure_ascii=False)
    made = int(datetime.fromisoformat(view["made"]).replace(tzinfo=UTC).timestamp())
    fonts = [str(chart_download.PRINT_FONTS)]
    return bytes(
        typst.compile(
            str(TEMPLATE),
            sys_inputs={"view": said},
            font_paths=fonts,
            format="pdf",
            pdf_standards="ua-1",
            timestamp=made,
        )
    )


def _words(markup: str) -> str:
    """The words of our own markup."""
    return (
        " ".join(html.unescape(re.sub(r"<i\b.*?</i>|<[^>]+>", " ", markup)).split())
        .replace(" .", ".")
        .replace(" ,", ",")
    )


def _tile(numbers: ScorecardAnswers, name: str, held: bool) -> dict[str, str]:
    tile, measure = numbers.tile(name), MEASURES[name]
    if tile.now is None or cards.value(tile.now, measure) == formatting.DASH:
        return {
            "title": cards.title(measure),
            "value": formatting.DASH,
            "word": "",
            "css": "none",
            "against": "",
            "note": _why(tile.now),
        }
    target = None if held else tile.target
    stands = cards.status_of(tile.now, measure, target)
    then = numbers.then.get(periods.BEFORE, {}).get(name)
    notes = (
        _words(cards.change(tile.now, then, measure)),
        cards.coverage(tile.now),
        cards.too_few_text(tile.now, measure),
    )
    return {
        "title": cards.title(measure),
        "value": cards.value(tile.now, measure),
        "word": "held: too many records are kept out" if held else stands.word if stands.shape else "",
        "css": "unproven" if held else stands.css,
        "against": f"target {formatting.number(target.value, measure.unit)}" if target else "",
        "note": "; ".join(note for note in notes if note),
    }


def _why(answer: Answer | None) -> str:
    return (answer.no_data if answer else None) or "no data"


def _segments(numbers: ScorecardAnswers, held: set[str]) -> dict[str, Any]:
    """The measures by customer segment, the largest where there are many, and all in view last."""
    by_segment: dict[str, dict[str, Answer]] = {}
    for one in numbers.segments:
        by_segment.setdefault(one.dimensions["segment"] or "", {})[one.measure] = one
    largest = sorted(by_segment, key=lambda segment: -float(by_segment[segment]["judged_orders"].value or 0))
    shown = sorted(largest[:SEGMENTS_MOST])
    rows = [_row(segment, by_segment[segment], numbers, (("segment", (segment,)),), held) for segment in shown]
    if len(rows) != 1:
        rows.append(_row("All in view", numbers.now, numbers, numbers.where, held))
    return {
        "title": "By customer segment",
        "heads": ["Segment", "Judged", *map(short, TILES)],
        "rows": rows,
        "left_out": f"The {SEGMENTS_MOST} largest of {len(largest):,} segments."
        if len(largest) > SEGMENTS_MOST
        else "",
    }


Cells = list[dict[str, str]]


def _row(name: str, answers: dict[str, Answer], numbers: ScorecardAnswers, where: Any, held: set[str]) -> Cells:
    judged = answers.get("judged_orders")
    cells = [
        {"text": name or "(none)", "css": "none"},
        {"text": formatting.number(judged.value if judged else None), "css": "none"},
    ]
    for measure in TILES:
        target = None if measure in held else target_for(numbers.targets, measure, where)
        cells.append(_cell(measure, answers.get(measure), target))
    return cells


def _cell(name: str, answer: Answer | None, target: Target | None) -> dict[str, str]:
    measure = MEASURES[name]
    stands = cards.status_of(answer, measure, target)
    return {
        "text": formatting.DASH if answer is None else cards.value(answer, measure),
        "css": stands.css if answer is not None else "none",
    }


def _reasons(generation: int, filters: Filters) -> dict[str, Any]:
    found = queries.cached(failure_reasons, generation, start=filters.start, end=filters.end, where=filters.where)
    rows = [(reasons.reason(row["reason"]), formatting.count(row["orders"], "order")) for row in found[:REASONS_SHOWN]]
    more = f", the {REASONS_SHOWN} most frequent of {len(found)} reasons" if len(found) > REASONS_SHOWN else ""
    return {"title": f"Why orders fail{more}", "rows": rows}


def _footer(filters: Filters, generation: int, as_of: datetime | None) -> Sequence[str]:
    """What the page rests on, as an export says it."""
    question = Question(TILES, start=filters.start, end=filters.end, where=filters.where)
    said = queries.cached(provenance, generation, question)
    answers = queries.answers(generation, question)
    digest = rows_hash(("measure", "value"), [(one.measure, one.value) for one in answers])
    failed = sum(check["rows_failed"] for check in said["checks_failed"])
    held = sum(said["in_quarantine"].values())
    lines = [
        f"Generation {generation}, run {said['run']['run_id']} of {said['run']['source']}, data as of {formatting.moment(as_of)}. Judged under the strict "
        f"policy, rule book {said['rule_book']}; Buyerview {said['buyerview']}.",
        f"Checks of the feeds it rests on: {len(said['checks_failed'])} found {failed:,} rows; {held:,} records are in quarantine. "
        f"Hash of the tiles' values: {digest[:16]}.",
    ]
    return lines + ([f"Stand-ins: {'; '.join(said['stand_ins'])}."] if said["stand_ins"] else [])
