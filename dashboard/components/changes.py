"""The change between two answers of a measure, as markup and as text, and whether it may be chance."""

from dashboard.components import formatting
from dashboard.components.status import better_or_worse
from metrics.model.measure import Measure, Percentile, Spread, Survival
from metrics.model.point import comparable
from metrics.model.question import Answer
from metrics.model.statistics import differ
from metrics.policy import MIN_N

NO_CHANGE, NOT_SIGNIFICANT = "→ No change", "→ No significant change"
VERSUS_BEFORE, VERSUS_YEAR = "vs prior period", "vs last year"


def change(now: Answer, before: Answer | None, measure: Measure, versus: str = VERSUS_BEFORE) -> str:
    """Return the change between two answers as markup: arrow, size, "better" or "worse", and the comparison's name."""
    tone, text = tone_and_text(now, before, measure)
    return f'<span class="bv-{tone}">{text}</span> <span class="bv-muted">{versus}</span>'


def change_text(now: Answer, before: Answer | None, measure: Measure, versus: str = VERSUS_BEFORE) -> str:
    """Return the change between two answers as plain text."""
    return f"{tone_and_text(now, before, measure)[1]} {versus}"


def is_significant(now: Answer, before: Answer, measure: Measure) -> bool:
    """Return True if the complete parts of two answers differ by more than chance; False if they cannot be compared."""
    parts = _complete_parts(now, before)
    return parts is not None and _is_more_than_chance(*parts, measure)


def may_be_chance(now: Answer, before: Answer, measure: Measure) -> bool:
    """Return True if the complete parts of two answers can be compared, and their difference may be chance."""
    parts = _complete_parts(now, before)
    return parts is not None and not _is_more_than_chance(*parts, measure)


def _complete_parts(now: Answer, before: Answer) -> tuple[Answer, Answer] | None:
    current, earlier = comparable(now), comparable(before)
    if current is None or earlier is None or current.value is None or earlier.value is None:
        return None
    return current, earlier


def tone_and_text(now: Answer, before: Answer | None, measure: Measure) -> tuple[str, str]:
    """Return the tone and the text of a change. Only complete parts are compared."""
    if before is None:
        return "muted", "No value to compare"
    current, earlier = comparable(now), comparable(before)
    if current is None or earlier is None:
        return "muted", "Provisional: not compared"
    if current.value is None or earlier.value is None:
        return "muted", "No value to compare"
    moved = float(current.value) - float(earlier.value)
    size = formatting.difference(moved, measure.unit)
    if size == formatting.difference(0, measure.unit):
        return "muted", NO_CHANGE
    if not _is_more_than_chance(current, earlier, measure):
        return "muted", NOT_SIGNIFICANT
    verdict = better_or_worse(moved, measure.direction)
    word = f" {verdict}" if verdict else ""
    return verdict or "muted", f"{'↑' if moved > 0 else '↓'} {size}{word}"


def _is_more_than_chance(now: Answer, before: Answer, measure: Measure) -> bool:
    """Return False if the difference of two shares of rows can be chance, or if there are too few rows to tell.

    Too few rows are tested for shares, medians and spreads. Other numbers have no test. Source: P8 (small numbers).
    """
    if isinstance(measure.formula, Percentile | Spread | Survival) and any(
        answer.denominator is not None and answer.denominator < MIN_N for answer in (now, before)
    ):
        return False
    if now.low is None or before.low is None:
        return True
    shares = [(answer.numerator or 0, answer.denominator or 0) for answer in (now, before)]
    return min(denominator for _, denominator in shares) >= MIN_N and differ(*shares)
