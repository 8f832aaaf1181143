"""How a measure stands against its target: the state, and the shape, word and colour it is shown with."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from metrics.measure import Direction

MIN_COVERAGE = 0.90
"""Below this share of known verdicts a number proves nothing: no red, amber or green (rules P7)."""


class Standing(Enum):
    """State against target. Each has a shape and a word, since colour alone tells some people nothing."""

    ON = ("on", "●", "on target")
    WATCH = ("watch", "◆", "watch")
    OFF = ("off", "▲", "off target")
    NOT_PROVEN = ("unproven", "◌", "not proven")
    NO_TARGET = ("none", "", "no target")
    NO_DATA = ("none", "", "no data")

    def __init__(self, css: str, shape: str, word: str) -> None:
        self.css = css
        self.shape = shape
        self.word = word


@dataclass(frozen=True)
class Target:
    """What a measure should reach, and how far off is still 'watch', in the measure's unit."""

    value: float
    tolerance: float = 0.0


def standing(
    value: float | Decimal | int | None, target: Target | None, direction: Direction, *, coverage: float | Decimal | None = None
) -> Standing:
    """State of a value against its target."""
    if value is None:
        return Standing.NO_DATA
    if target is None or direction is Direction.NEITHER:
        return Standing.NO_TARGET
    if coverage is not None and coverage < MIN_COVERAGE:
        return Standing.NOT_PROVEN
    ahead = (float(value) - target.value) * (1 if direction is Direction.HIGHER else -1)
    if ahead >= -1e-12:
        return Standing.ON
    return Standing.WATCH if ahead >= -target.tolerance - 1e-12 else Standing.OFF


def better(change: float, direction: Direction) -> str | None:
    """Whether a change is 'better' or 'worse'; None where it is neither."""
    if change == 0 or direction is Direction.NEITHER:
        return None
    return "better" if (change > 0) == (direction is Direction.HIGHER) else "worse"
