"""The small trend in a tile."""

from collections.abc import Sequence
from urllib.parse import quote

from dashboard.components import formatting
from metrics.model.measure import Unit
from metrics.targets.targets import Target


def sparkline(
    name: str, series: Sequence[float | None], unit: Unit, *, target: Target | None, line: str, rule: str
) -> str:
    """Return a measure's trend as a small picture, with its target as a dashed line; "" for fewer than three points,
    or if gaps separate all points.

    The picture is an <img> with alternative text, because Streamlit removes inline SVG from markup. Its two colours
    (`line`, `rule`) are therefore part of it.
    """
    known = [float(value) for value in series if value is not None]
    if len(known) < 3:
        return ""
    low, high = min(known), max(known)
    if target is not None:
        reach = (high - low) or abs(high) or 1
        if low - 1.5 * reach <= target.value <= high + 1.5 * reach:  # a more distant target would flatten the line
            low, high = min(low, target.value), max(high, target.value)
    height = (high - low) or 1

    def y(value: float) -> float:
        return 28 - 26 * (value - low) / height

    pieces = _pieces([None if value is None else y(float(value)) for value in series])
    if max(map(len, pieces)) == 1:  # dots without a line show no trend
        return ""
    drawn = "".join(_path(points, line) for points in pieces)
    if target is not None and low <= target.value <= high:
        dashes = "stroke-dasharray='3 3' vector-effect='non-scaling-stroke'"
        drawn = f"<path d='M0 {y(target.value):.1f}H100' stroke='{rule}' {dashes}/>{drawn}"
    picture = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='-1 0 102 30' preserveAspectRatio='none'>{drawn}</svg>"
    first, last, lowest = (formatting.number(value, unit) for value in (known[0], known[-1], min(known)))
    alt_text = f"{name} over the period: from {first} to {last}, lowest {lowest}"
    return f'<img src="data:image/svg+xml,{quote(picture)}" alt="{formatting.html(alt_text)}">'


def _path(points: list[str], line: str) -> str:
    """Return one piece of the line; a single point is a dot."""
    to, width = ("l.01 0", 4) if len(points) == 1 else ("", 1.8)
    look = f"fill='none' stroke='{line}' stroke-width='{width}' stroke-linejoin='round' stroke-linecap='round'"
    return f"<path d='M{' L'.join(points)}{to}' {look} vector-effect='non-scaling-stroke'/>"


def _pieces(heights: Sequence[float | None]) -> list[list[str]]:
    """Return the unbroken pieces of a line of equally spaced points, each point as "x y"."""
    step = 100 / (len(heights) - 1)
    pieces: list[list[str]] = [[]]
    for at, height in enumerate(heights):
        if height is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{at * step:.1f} {height:.1f}")
    return [points for points in pieces if points]
