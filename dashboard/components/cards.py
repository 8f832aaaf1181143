"""Tiles and headlines: one number each, with all a reader needs to trust it. Pure: numbers in, markup out.

A tile holds value, change since the period before (and whether that is better), state against target as shape, word and
colour, a sparkline, and the coverage where some verdicts are unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from dashboard.components import formatting
from dashboard.components.status import Status, better_or_worse
from dashboard.components.theme import palette
from metrics.model.measure import Direction, Measure
from metrics.model.question import Answer
from metrics.policy import MIN_N
from metrics.targets.targets import Target, is_withheld, state_of


@dataclass(frozen=True)
class Tile:
    """What one tile shows."""

    measure: Measure
    now: Answer | None
    before: Answer | None
    target: Target | None
    series: Sequence[float | None]
    """Whole periods only, the oldest first."""
    main: bool = False
    year: Answer | None = None
    """The same part of last year."""
    behind: str = ""
    """Address of what is behind the number."""
    explained: str = ""
    """Address of why it moved."""
    mark: str = ""
    """Markup of what to know of the data it rests on."""

    @property
    def standing(self) -> Status:
        """State against target."""
        return status_of(self.now, self.measure, self.target)


def status_of(answer: Answer | None, measure: Measure, target: Target | None) -> Status:
    """State of an answer against its target."""
    return Status[state_of(answer, measure, target).name]


def value(answer: Answer, measure: Measure) -> str:
    """An answer's value; where the point is withheld, what it lies between (rules P7); else a dash."""
    if bounds := is_withheld(answer):
        return f"{formatting.percent(bounds[0]).removesuffix('%')}–{formatting.percent(bounds[1])}"
    return formatting.number(answer.value, measure.unit)


def state(stands: Status, text: str = "") -> str:
    """A state as shape, word and colour; with a text, the text stands for the word and the word is read aloud only."""
    if stands in (Status.NO_TARGET, Status.NO_DATA):
        return f"<span>{text}</span>" if text else ""
    said = f'{text}<span class="bv-said">, {stands.word}</span>' if text else stands.word
    return f'<span class="bv-state bv-{stands.css}" title="{stands.word}"><i aria-hidden="true">{stands.shape}</i>{said}</span>'


def title(measure: Measure) -> str:
    """A measure's title as the buyer would say it: Received on time."""
    said = measure.title.removeprefix("Orders ")
    return said[:1].upper() + said[1:]


_LINE = {Status.ON: "good-strong", Status.WATCH: "watch-strong", Status.OFF: "bad-strong"}


def tiles(shown: Sequence[Tile], *, is_dark: bool) -> str:
    """A grid of tiles."""
    return f'<ul class="bv bv-tiles">{"".join(_tile(one, palette(is_dark)) for one in shown)}</ul>'


def _tile(tile: Tile, colour: dict[str, str]) -> str:
    stands, measure = tile.standing, tile.measure
    classes = f"bv-tile bv-tile-{stands.css}" + (" bv-tile-main" if tile.main else "")
    parts = [f'<h2 title="{formatting.html(measure.definition)}">{formatting.html(title(measure))}</h2>']
    shown = formatting.DASH if tile.now is None else value(tile.now, measure)
    if tile.now is None or shown == formatting.DASH:
        why = (tile.now.no_data if tile.now else None) or "no data"
        parts.append(
            f'<div class="bv-value">{_number(tile, formatting.DASH)}{tile.mark}</div><div class="bv-note">{formatting.html(_told(why))}</div>'
        )
        return f'<li class="{classes}">{"".join(parts)}</li>'
    parts.append(f'<div class="bv-value">{_number(tile, shown)}{tile.mark}</div>')
    against = (
        f'<span class="bv-muted">target {formatting.number(tile.target.value, measure.unit)}</span>'
        if tile.target
        else ""
    )
    if stands is not Status.NO_TARGET:
        parts.append(f'<div class="bv-row">{state(stands)}{against}</div>')
    compared = [
        (one, than) for one, than in ((tile.before, "than before"), (tile.year, "than last year")) if one is not None
    ]
    moved = tile.before is not None and tile.before.value is not None and tile.now.value is not None
    why = (
        f'<a class="bv-why" href="{formatting.html(tile.explained)}" target="_self">why?</a>'
        if tile.explained and moved
        else ""
    )
    if compared and (tile.now.value is None or all(one.value is None for one, _ in compared)):
        ranges = tile.now.value is None or any(is_withheld(one) for one, _ in compared)
        parts.append(
            f'<div class="bv-row bv-muted">{"too little known to compare" if ranges else "nothing earlier to compare"}</div>'
        )
        compared = []
    for at, (one, than) in enumerate(compared):
        parts.append(f'<div class="bv-row">{change(tile.now, one, measure, than)}{why if not at else ""}</div>')
    parts += [
        f'<div class="bv-note">{note}</div>' for note in (coverage(tile.now), too_few_text(tile.now, measure)) if note
    ]
    parts.append(sparkline(tile.series, tile.target, measure, colour[_LINE.get(stands, "accent")], colour["muted"]))
    return f'<li class="{classes}">{"".join(parts)}</li>'


def _number(tile: Tile, shown: str) -> str:
    """The number, which leads to what is behind it."""
    return f'<a href="{formatting.html(tile.behind)}" target="_self" data-measure="{tile.measure.name}">{shown}</a>'


def _told(no_data: str) -> str:
    """A missing number's reason as a sentence that says what to do."""
    if no_data.startswith("no feed: "):
        feed = no_data.removeprefix("no feed: ")
        return f"No feed: {feed}. Add the {feed} feed to see this."
    return no_data[:1].upper() + no_data[1:]


def change(now: Answer, before: Answer | None, measure: Measure, than: str = "than before") -> str:
    """Return the change since another period as markup: arrow, size and whether it is better."""
    tone, text, compared = _change(now, before, measure, than)
    return f'<span class="bv-{tone}">{text}</span>' + (f' <span class="bv-muted">{compared}</span>' if compared else "")


def change_text(now: Answer, before: Answer | None, measure: Measure, than: str = "than before") -> str:
    """Return the change since another period as plain text."""
    _, text, compared = _change(now, before, measure, than)
    return f"{text} {compared}".strip()


def _change(now: Answer, before: Answer | None, measure: Measure, than: str) -> tuple[str, str, str]:
    """Return the tone, the text and the period compared with."""
    if before is None or now.value is None or before.value is None:
        return "muted", f"nothing to compare {than.removeprefix('than ')}", ""
    moved = float(now.value) - float(before.value)
    size = formatting.difference(moved, measure.unit)
    if size == formatting.difference(0, measure.unit):
        return "muted", f"→ as {than.removeprefix('than ')}", ""
    judged = better_or_worse(moved, measure.direction)
    word = f" {judged}" if judged else ""
    return judged or "muted", f"{'↑' if moved > 0 else '↓'} {size}{word}", than


def coverage(answer: Answer) -> str:
    """How much is known, and between what the true number lies, where not all is; empty where all is."""
    if answer.coverage is None or float(answer.coverage) >= 1:
        return ""
    if is_withheld(answer):
        return f"only a range: {_floor(float(answer.coverage))} known, and the unknown could tip it"
    known = f"{_floor(float(answer.coverage))} known"
    if answer.worst is None or answer.best is None:
        return known
    return f"{known}, {formatting.percent(float(answer.worst)).removesuffix('%')} to {formatting.percent(float(answer.best))} possible"


def too_few_text(answer: Answer, measure: Measure) -> str:
    """How far a share resting on few orders may be off; empty where it rests on enough (rules P8)."""
    if answer.denominator is None or answer.low is None or answer.high is None or float(answer.denominator) >= MIN_N:
        return ""
    one = "order" if measure.grain == "order" else "line"
    return f"only {formatting.count(int(answer.denominator), one)}: {answer.low * 100:.0f} to {answer.high * 100:.0f}% likely"


def _floor(share: float) -> str:
    return f">{formatting.percent(0.999)}" if share >= 0.9995 else formatting.percent(share)


def sparkline(series: Sequence[float | None], target: Target | None, measure: Measure, line: str, rule: str) -> str:
    """The course of a measure as a line, and its target as a dashed one; empty with fewer than three points.

    A picture with a text beside it (Streamlit takes bare SVG out of markup), so its two colours are part of it.
    """
    known = [float(value) for value in series if value is not None]
    if len(known) < 3:
        return ""
    low, high = min(known), max(known)
    if target is not None:
        reach = (high - low) or abs(high) or 1
        if low - 1.5 * reach <= target.value <= high + 1.5 * reach:  # further off, the line would flatten out
            low, high = min(low, target.value), max(high, target.value)
    height = (high - low) or 1

    def y(value: float) -> float:
        return 28 - 26 * (value - low) / height

    step = 100 / (len(series) - 1)
    pieces: list[list[str]] = [[]]
    for at, value in enumerate(series):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{at * step:.1f} {y(float(value)):.1f}")
    drawn = "".join(
        f"<path d='M{' L'.join(points)}{'l.01 0' if len(points) == 1 else ''}' fill='none' stroke='{line}' stroke-width='1.8'"
        " stroke-linejoin='round' stroke-linecap='round' vector-effect='non-scaling-stroke'/>"
        for points in pieces
        if points
    )
    if target is not None and low <= target.value <= high:
        at = f"{y(target.value):.1f}"
        drawn = (
            f"<path d='M0 {at}H100' stroke='{rule}' stroke-dasharray='3 3' vector-effect='non-scaling-stroke'/>{drawn}"
        )
    picture = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='-1 0 102 30' preserveAspectRatio='none'>{drawn}</svg>"
    told = [formatting.number(value, measure.unit) for value in (known[0], known[-1], min(known))]
    alternative = f"{title(measure)} over the period: from {told[0]} to {told[1]}, lowest {told[2]}"
    return f'<img src="data:image/svg+xml,{quote(picture)}" alt="{formatting.html(alternative)}">'


def worst_segment(
    measure: Measure, whole: Answer, segments: Sequence[tuple[str, Answer, Target | None]]
) -> tuple[str, Answer] | None:
    """The segment furthest off its own target; where none has one, the one that fares worst, if it fares worse than the
    whole.

    None where no segment does on enough cases to say so, or where there is only one.
    """
    sign = -1 if measure.direction is Direction.LOWER else 1
    known = [one for one in segments if one[1].value is not None and float(one[1].denominator or 0) >= MIN_N]
    if any(target for _, _, target in known):
        missing = {name: sign * (float(answer.value or 0) - target.value) for name, answer, target in known if target}
        off = [
            name
            for name, answer, target in known
            if target and status_of(answer, measure, target) in (Status.OFF, Status.WATCH)
        ]
    else:
        missing = {name: sign * float(answer.value or 0) for name, answer, _ in known}
        off = [name for name in missing if whole.value is not None and missing[name] < sign * float(whole.value)]
    if len(segments) < 2 or not off:
        return None
    worst = min(off, key=lambda name: (missing[name], name))
    return next((name, answer) for name, answer, _ in known if name == worst)


def banner(text: str) -> str:
    """A note that stands on every page it applies to; the text is markup already made safe."""
    return f'<div class="bv bv-banner" role="note">{text}</div>'


def empty(title: str, text: str) -> str:
    """An honest empty state: what is not there, and what to do; both are markup already made safe."""
    return f'<div class="bv bv-empty"><strong>{title}</strong>{text}</div>'


def figures(pairs: Sequence[tuple[str, str]]) -> str:
    """A row of counts with their names, not escaped numbers of ours."""
    return (
        '<ul class="bv bv-ledger">'
        + "".join(f"<li><b>{value}</b><span class='bv-muted'>{name}</span></li>" for value, name in pairs)
        + "</ul>"
    )


def legend() -> str:
    """What the shapes mean."""
    known = "".join(state(one) + " " for one in (Status.ON, Status.WATCH, Status.OFF, Status.NOT_PROVEN))
    return f'<p class="bv bv-legend">{known}<span class="bv-muted">not proven: too little is known to say</span></p>'
