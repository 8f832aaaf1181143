"""Shape, word and colour of a status against a target. `metrics/targets/targets.py` decides the status itself."""

from decimal import Decimal
from enum import Enum

from metrics.model.measure import Direction
from metrics.targets.targets import State, Target, state_of_value


class Status(Enum):
    """Status against a target. Each has a shape and a word, because some readers cannot tell the colours apart."""

    ON = ("on", "●", State.ON)
    WATCH = ("watch", "◆", State.WATCH)
    OFF = ("off", "▲", State.OFF)
    INCONCLUSIVE = ("unproven", "◌", State.INCONCLUSIVE)
    NO_TARGET = ("none", "", State.NO_TARGET)
    NO_DATA = ("none", "", State.NO_DATA)

    def __init__(self, css: str, shape: str, state: State) -> None:
        self.css = css
        self.shape = shape
        self.word = str(state)


def status(
    value: float | Decimal | int | None,
    target: Target | None,
    direction: Direction,
    *,
    coverage: float | Decimal | None = None,
) -> Status:
    """Return the status of a value against its target."""
    return Status[state_of_value(value, target, direction, coverage=coverage).name]


def better_or_worse(change: float, direction: Direction) -> str | None:
    """Return "better" or "worse" for a change; None if it is neither."""
    if change == 0 or direction is Direction.NEITHER:
        return None
    return "better" if (change > 0) == (direction is Direction.HIGHER) else "worse"
