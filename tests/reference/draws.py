"""Random choices for generated records, and a seeded run of a Hypothesis strategy."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

T = TypeVar("T")

Draw = Callable[[st.SearchStrategy[Any]], Any]

ZONES = ("America/New_York", "Europe/Berlin", "Asia/Kolkata", "Asia/Tokyo", "UTC")

WALL_TIMES = ("00:00:00", "01:30:00", "02:30:00", "12:00:00", "14:00:00", "16:00:00", "23:59:59.999999")

SHORT = 6
"""Examples in one Hypothesis run."""


def chance(draw: Draw, one_in: int) -> bool:
    return bool(draw(st.integers(0, one_in - 1)) == one_in - 1)


def pick(draw: Draw, *values: T) -> T:
    """Return a random value.

    Repeat a value to make it likelier. Put the simplest value first, because Hypothesis shrinks towards it.
    """
    chosen: T = draw(st.sampled_from(values))
    return chosen


def a_moment(draw: Draw, day: date, zone: str) -> str:
    """Return a random time on a local day as text for the builders: a bare date or an instant."""
    kind = pick(draw, "date", "date", "wall", "wall", "utc")
    if kind == "date":
        return day.isoformat()
    if kind == "utc":
        return f"{day.isoformat()}T{draw(st.integers(0, 23)):02d}:{pick(draw, '00', '30')}:00Z"
    wall = datetime.fromisoformat(f"{day.isoformat()}T{pick(draw, *WALL_TIMES)}").replace(tzinfo=ZoneInfo(zone))
    return wall.astimezone(ZoneInfo("UTC")).isoformat()


def not_before(moment: str | None, earlier: str | None) -> str | None:
    """Return the time, or the earlier limit if the time is before it. Ingest rejects such rows."""
    if moment is None or earlier is None or moment[:19] >= earlier[:19]:
        return moment
    return earlier


def drawn(strategy: st.SearchStrategy[T], number: int, *, start: int) -> list[T]:
    """Return random values of a strategy. The same `start` gives the same values.

    They come from many short runs. The first example of each run is left out, because it is the simplest. A run is
    short, because Hypothesis later varies earlier examples.
    """
    values: list[T] = []
    while len(values) < number:
        values += a_few(strategy, start * 10_000 + len(values))[1:]
    return values[:number]


def a_few(strategy: st.SearchStrategy[T], start: int) -> list[T]:
    """Return the values of one short Hypothesis run."""
    values: list[T] = []

    @seed(start)
    @settings(
        max_examples=SHORT,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: T) -> None:
        values.append(value)

    collect()
    return values
