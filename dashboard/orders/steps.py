"""The 13 steps of one order as bars on one time scale, with a line at the deadline. Rows in, markup out."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from dashboard.components import formatting
from dashboard.components.formatting import duration
from metrics.facts.process_steps import STEPS
from metrics.lists.rows import Row

LEAST = 0.6
"""Smallest width of a visible bar, in percent of the scale."""


def steps(
    rows: Sequence[Row],
    *,
    deadline: datetime | None,
    as_of: datetime,
    missed_step: str | None,
    slack: Mapping[int, int],
) -> str:
    """Return the steps, each with its time, duration, wait before it and slack after it.

    slack: seconds left to the deadline after each step. missed_step: step at which the promise was missed, in two
    digits; "00" if the usual time was too short from the start.
    """
    first = min(row["started_at"] or row["finished_at"] for row in rows)
    last = max([row["finished_at"] or as_of for row in rows] + ([deadline] if deadline else []))
    whole: float = max((last - first) / timedelta(seconds=1), 1.0)

    def share(at: datetime) -> float:
        seconds: float = (at - first) / timedelta(seconds=1)
        return seconds / whole * 100

    line = (
        f'<i class="bv-due" style="left:{min(share(deadline), 100 - LEAST):.2f}%"></i>'
        if deadline and first <= deadline
        else ""
    )
    by_step = {int(row["step_no"]): row for row in rows}
    items = "".join(
        _step(number, by_step.get(number), share, line, as_of, slack.get(number), missed=missed_step == f"{number:02d}")
        for number in STEPS
    )
    due = (
        f'<span class="bv-muted">Red line: deadline {formatting.html(formatting.moment(deadline))}.</span>'
        if line
        else ""
    )
    never = (
        '<p class="bv-worse">The usual time of the steps exceeded the promise from the start.</p>'
        if missed_step == "00"
        else ""
    )
    return f'<div class="bv">{never}<ol class="bv bv-steps">{items}</ol>{due}</div>'


def _step(
    number: int,
    row: Row | None,
    share: Callable[[datetime], float],
    line: str,
    as_of: datetime,
    slack: int | None,
    *,
    missed: bool,
) -> str:
    name = f'<span class="bv-step"><b>{number}</b> {formatting.html(formatting.step(number).partition("  ")[2])}</span>'
    if row is None:
        return (
            f'<li class="bv-idle">{name}<span class="bv-lane">{line}</span>'
            '<span class="bv-muted">not recorded</span></li>'
        )
    begun, ended = row["started_at"] or row["finished_at"], row["finished_at"]
    left = share(begun)
    width = max(share(ended or as_of) - left, LEAST)
    css = "bv-wrong" if missed else "" if ended else "bv-going"
    left = min(left, 100 - LEAST)
    bar = f'<i class="bv-bar {css}" style="left:{left:.2f}%;width:{min(width, 100 - left):.2f}%"></i>'
    waited = f" (waited {duration(row['wait_seconds'])})" if row["wait_seconds"] else ""
    parts = [f"{_took(row, as_of)}{waited}"]
    if row["attempts"] > 1:
        parts.append(f"{row['attempts']} attempts")
    if slack is not None:
        parts.append(f"{duration(abs(slack))} {'behind' if slack < 0 else 'ahead'}")
    when = _span(begun, ended)
    mark = (
        '<span class="bv-state bv-off"><i aria-hidden="true">▲</i>Promise missed at this step</span>' if missed else ""
    )
    return (
        f'<li title="{formatting.html(when)}">{name}<span class="bv-lane">{line}{bar}</span>'
        f"<span>{formatting.html(' · '.join(parts))} {mark}<small>{formatting.html(when)}</small></span></li>"
    )


def _span(begun: datetime, ended: datetime | None) -> str:
    if ended is None or ended == begun:
        return formatting.moment(begun)
    return formatting.moments(begun, ended)


def _took(row: Row, as_of: datetime) -> str:
    if row["finished_at"] is None:
        return f"in progress for {duration(int((as_of - row['latest_at']) / timedelta(seconds=1)))}"
    return "done" if row["step_seconds"] is None else duration(row["step_seconds"])
