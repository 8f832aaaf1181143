"""Tiles, headline and banners as markup. Values in, markup out: no query and no session.

A tile shows a value, its changes, its status against the target and a sparkline. The coverage is in the tooltip of the
value, or in a line if it is below the minimum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.components import changes, formatting
from dashboard.components.changes import NO_CHANGE, NOT_SIGNIFICANT, VERSUS_BEFORE, VERSUS_YEAR
from dashboard.components.reasons import in_plain_words
from dashboard.components.sparkline import sparkline
from dashboard.components.status import Status
from dashboard.components.theme import palette
from metrics.model.measure import Derived, Direction, Measure, Study, Unit
from metrics.model.point import INCONCLUSIVE, comparable, known_amount, range_of
from metrics.model.question import Answer
from metrics.policy import MIN_COVERAGE, MIN_N
from metrics.targets.targets import Target, state_of

SegmentAnswer = tuple[str, Answer, Target | None]
"""A segment's name, its answer and its target."""

NOUNS = {"quote": ("inquiry", "inquiries"), "group": ("delivery group", "delivery groups")}
"""One and several rows of a fact table, where its grain is not the word."""


@dataclass(frozen=True)
class Tile:
    """Contents of one tile."""

    measure: Measure
    now: Answer | None
    before: Answer | None
    target: Target | None
    series: Sequence[float | None]
    """Values of whole periods only, oldest first."""
    main: bool = False
    year: Answer | None = None
    """The answer for the same part of last year."""
    drill_down_url: str = ""
    explain_url: str = ""
    """Address of the page that explains the change; "" if the measure cannot be explained."""
    mark: str = ""
    """Markup of the data quality mark."""
    versus: str = VERSUS_BEFORE
    """Name of the comparison with `before`: "vs prior 13 weeks"."""
    tooltip: str = ""
    """Text for the tooltip of the number, after its coverage."""

    @property
    def status(self) -> Status:
        """Status against the target."""
        return status_of(self.now, self.measure, self.target)


def status_of(answer: Answer | None, measure: Measure, target: Target | None) -> Status:
    """Return the status of an answer against its target."""
    return Status[state_of(answer, measure, target).name]


def is_told(answer: Answer) -> bool:
    """Return True if an answer has a value, or a range in its place."""
    return answer.value is not None or range_of(answer) is not None


def why_missing(answer: Answer | None) -> str:
    """Return the reason why an answer has no value, with its coverage in the reader's format."""
    reason = (answer.no_data if answer else None) or "no data"
    if answer is None or answer.coverage is None or not reason.startswith(INCONCLUSIVE):
        return in_plain_words(reason)
    known, needed = formatting.percent(float(answer.coverage)), formatting.percent(MIN_COVERAGE, 0)
    return f"{INCONCLUSIVE}: {known} of the verdicts are known, {needed} needed"


def value(answer: Answer, measure: Measure) -> str:
    """Return an answer's value as text: a range if the point is withheld, else a dash if there is no value.

    Source: P7 (point, coverage and range).
    """
    if bounds := range_of(answer):
        return formatting.percent_range(*bounds)
    return formatting.number(answer.value, measure.unit)


def known_part(answer: Answer, measure: Measure) -> tuple[str, str] | None:
    """Return the known part of withheld money and its extent: "12.3k", "33 of 34 stockouts". None if there is none."""
    if measure.unit is not Unit.MONEY or answer.value is not None or answer.numerator is None or not answer.judged:
        return None
    amount = known_amount(answer)
    known = formatting.number(float(answer.judged) - float(answer.unknown or 0))
    return formatting.number(amount, measure.unit), f"{known} of {formatting.number(answer.judged)} {measure.grain}s"


def state(status: Status, text: str = "") -> str:
    """Return a status as shape, colour and word; `text` replaces the visible word, which screen readers still read."""
    if status in (Status.NO_TARGET, Status.NO_DATA):
        return f"<span>{text}</span>" if text else ""
    words = f'{text}<span class="bv-said">, {status.word}</span>' if text else status.word
    shape = f'<i aria-hidden="true">{status.shape}</i>'
    return f'<span class="bv-state bv-{status.css}" title="{status.word}">{shape}{words}</span>'


def title(measure: Measure) -> str:
    """Return a measure's title without its subject: "Received on time", not "Orders received on time"."""
    text = measure.title.removeprefix("Orders ")
    return text[:1].upper() + text[1:]


_LINE = {Status.ON: "good-strong", Status.WATCH: "watch-strong", Status.OFF: "bad-strong"}


def tiles(shown: Sequence[Tile], *, is_dark: bool) -> str:
    """Return a grid of tiles."""
    return f'<ul class="bv bv-tiles">{"".join(_tile(tile, palette(is_dark)) for tile in shown)}</ul>'


def _tile(tile: Tile, colour: dict[str, str]) -> str:
    status, measure = tile.status, tile.measure
    classes = f"bv-tile bv-tile-{status.css}" + (" bv-tile-main" if tile.main else "")
    heading = f'<h2 title="{formatting.html(measure.definition)}">{formatting.html(title(measure))}</h2>'
    shown = formatting.DASH if tile.now is None else value(tile.now, measure)
    part = None if tile.now is None else known_part(tile.now, measure)
    number = _number(tile, part[0] if part else shown)
    parts = [heading, f'<div class="bv-value"{_tooltip(tile)}>{number}{tile.mark}</div>']
    if tile.now is None or shown == formatting.DASH:
        remarks = ([f"Known part: {part[1]}."] if part else []) + [_missing(why_missing(tile.now))]
        parts += [f'<div class="bv-note">{formatting.html(remark)}</div>' for remark in remarks]
        return f'<li class="{classes}">{"".join(parts)}</li>'
    if status is not Status.NO_TARGET:
        target = ""
        if tile.target:
            target = f'<span class="bv-muted">target {formatting.number(tile.target.value, measure.unit)}</span>'
        parts.append(f'<div class="bv-row">{state(status)}{target}</div>')
    parts += _changes(tile, tile.now)
    too_low = coverage(tile.now) if tile.now.coverage is not None and tile.now.coverage < MIN_COVERAGE else ""
    whole = provisional_text(tile.now, measure)
    short = f"{whole.partition(';')[0]}; later ones are provisional" if ";" in whole else whole
    provisional = f'<span title="{formatting.html(whole)}">{short}</span>' if whole else ""
    notes = (too_low, provisional, too_few_text(tile.now, measure))
    parts += [f'<div class="bv-note">{note}</div>' for note in notes if note]
    line, rule = colour[_LINE.get(status, "accent")], colour["muted"]
    parts.append(sparkline(title(measure), tile.series, measure.unit, target=tile.target, line=line, rule=rule))
    return f'<li class="{classes}">{"".join(parts)}</li>'


def _changes(tile: Tile, now: Answer) -> list[str]:
    """Return the rows of a tile that compare its value with the prior period and with last year.

    Of a provisional share, only the complete part is compared.
    """
    until = "" if now.provisional is None else f", through {formatting.day(now.provisional.through, year=False)}"
    pairs = ((tile.before, tile.versus + until), (tile.year, VERSUS_YEAR + until))
    compared = [(other, versus) for other, versus in pairs if other is not None]
    current, earlier = comparable(now), [comparable(other) for other, _ in compared]
    if compared and (current is None or None in earlier):
        return ['<div class="bv-row bv-muted">Provisional: not compared</div>']
    if compared and (current is None or current.value is None or all(one and one.value is None for one in earlier)):
        ranges = any(one is not None and range_of(one) for one in (current, *earlier))
        text = "Not enough evidence to compare" if ranges else "No earlier data to compare"
        return [f'<div class="bv-row bv-muted">{text}</div>']
    explain = ""
    if tile.explain_url and tile.before is not None and earlier[0] is not None and earlier[0].value is not None:
        explain = f'<a class="bv-why" href="{formatting.html(tile.explain_url)}" target="_self">Why?</a>'
    rows = [changes.change(now, other, tile.measure, versus) for other, versus in compared]
    texts = {changes.tone_and_text(now, other, tile.measure)[1] for other, _ in compared}
    if len(rows) > 1 and texts <= {NO_CHANGE, NOT_SIGNIFICANT}:
        both = f"{tile.versus} and {VERSUS_YEAR.removeprefix('vs ')}{until}"
        rows = [f'<span class="bv-muted">{NOT_SIGNIFICANT} {both}</span>']
    return [f'<div class="bv-row">{row}{"" if at else explain}</div>' for at, row in enumerate(rows)]


def _tooltip(tile: Tile) -> str:
    """Return the coverage and the tile's own text as an attribute of its number."""
    known = coverage(tile.now) if tile.now is not None else ""
    text = ". ".join(part for part in (known, tile.tooltip) if part)
    return f' title="{formatting.html(text)}"' if text else ""


def _number(tile: Tile, shown: str) -> str:
    """Return the number as a link to its drill-down."""
    url, measure = formatting.html(tile.drill_down_url), tile.measure.name
    return f'<a href="{url}" target="_self" data-measure="{measure}">{shown}</a>'


def _missing(no_data: str) -> str:
    """Return the reason for a missing number as a sentence with the next step."""
    if no_data.startswith("no feed: "):
        feed, _, hint = no_data.removeprefix("no feed: ").partition(" (")
        either = f", {hint.removesuffix(')')}," if hint else ""
        return f"No feed: {feed}. Add the {feed} feed{either} to see this."
    return no_data[:1].upper() + no_data[1:]


def coverage(answer: Answer) -> str:
    """Return the coverage of an answer and its possible range; "" if every verdict is known."""
    if answer.coverage is None or float(answer.coverage) >= 1:
        return ""
    known = _floor(float(answer.coverage))
    if range_of(answer):
        return f"Coverage {known}: too low for one number"
    if answer.worst is None or answer.best is None:
        return f"Coverage {known}"
    return f"Coverage {known} (range {formatting.percent_range(float(answer.worst), float(answer.best))})"


def provisional_text(answer: Answer, measure: Measure) -> str:
    """Return the value up to the last complete day, and the range after it; "" if no row is inside a window."""
    found = answer.provisional
    if found is None:
        return ""
    day, rows = formatting.day(found.through, year=False), f"{measure.grain}s"
    if found.complete is None:
        return f"Provisional: some {rows} due after {day} are still inside their {found.window}"
    of = f" of {rows}" if measure.unit is Unit.SHARE else f" {rows}"
    text = f"{value(found.complete, measure)}{of} due through {day}; later ones are still inside their {found.window}"
    after = None if found.later is None else found.later.worst, None if found.later is None else found.later.best
    return text if after[0] is None or after[1] is None else f"{text} ({formatting.percent_range(after[0], after[1])})"


def too_few_text(answer: Answer, measure: Measure) -> str:
    """Return the likely range of a share of few rows; "" if there are enough. Source: P8 (small numbers)."""
    if answer.denominator is None or answer.low is None or answer.high is None or float(answer.denominator) >= MIN_N:
        return ""
    likely = formatting.percent_range(answer.low, answer.high, 0)
    return f"Only {_judged(int(answer.denominator), measure)} (likely range {likely})"


def _judged(rows: int, measure: Measure) -> str:
    """Return the rows of a share with their noun: "1 order", "8 invoices"; "17 judged" if it does not count rows."""
    if isinstance(measure.formula, Derived | Study) or measure.in_base_units:
        return f"{formatting.integer(rows)} judged"
    one, many = NOUNS.get(measure.grain, (measure.grain, f"{measure.grain}s"))
    return f"{formatting.integer(rows)} {one if rows == 1 else many}"


def _floor(share: float) -> str:
    return f">{formatting.percent(0.999)}" if share >= 0.9995 else formatting.percent(share)


def worst_segment(measure: Measure, whole: Answer, segments: Sequence[SegmentAnswer]) -> tuple[str, Answer] | None:
    """Return the segment with the largest gap to its target, with its answer.

    If no segment has a target, return the worst segment that is worse than the whole. Return None if there are fewer
    than two segments, or if no segment with enough judged rows qualifies.
    """
    sign = -1 if measure.direction is Direction.LOWER else 1
    known = [
        segment for segment in segments if segment[1].value is not None and float(segment[1].denominator or 0) >= MIN_N
    ]
    if any(target for _, _, target in known):
        margins = {name: sign * (float(answer.value or 0) - target.value) for name, answer, target in known if target}
        off = [
            name
            for name, answer, target in known
            if target and status_of(answer, measure, target) in (Status.OFF, Status.WATCH)
        ]
    else:
        margins = {name: sign * float(answer.value or 0) for name, answer, _ in known}
        off = [name for name in margins if whole.value is not None and margins[name] < sign * float(whole.value)]
    if len(segments) < 2 or not off:
        return None
    worst = min(off, key=lambda name: (margins[name], name))
    return next((name, answer) for name, answer, _ in known if name == worst)


def banner(text: str) -> str:
    """Return a banner; `text` is markup that is already escaped."""
    return f'<div class="bv bv-banner" role="note">{text}</div>'


def empty(title: str, text: str) -> str:
    """Return an empty state: the fact and the next step, both as markup that is already escaped."""
    return f'<div class="bv bv-empty"><strong>{title}</strong>{text}</div>'


def figures(pairs: Sequence[tuple[str, str]]) -> str:
    """Return a row of counts, each a pair of value and name. Neither is escaped here."""
    return (
        '<ul class="bv bv-ledger">'
        + "".join(f"<li><b>{value}</b><span class='bv-muted'>{name}</span></li>" for value, name in pairs)
        + "</ul>"
    )


def legend() -> str:
    """Return the legend of status shapes."""
    shapes = "".join(state(status) + " " for status in (Status.ON, Status.WATCH, Status.OFF, Status.INCONCLUSIVE))
    note = f"{Status.INCONCLUSIVE.word}: not enough evidence to compare with the target"
    return f'<p class="bv bv-legend">{shapes}<span class="bv-muted">{note}</span></p>'
