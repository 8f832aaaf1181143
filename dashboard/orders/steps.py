"""The 13 steps of one order, drawn to one scale of time, with the deadline as a line through them. Pure: rows in,
markup out.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from dashboard.components import formatting
from dashboard.components.formatting import duration
from metrics.facts.process_steps import STEPS
from metrics.lists.rows import Row

LEAST = 0.6
"""Per cent of the scale a bar has at least, or it could not be seen."""


def steps(
    rows: Sequence[Row], *, deadline: datetime | None, as_of: datetime, died_at: str | None, slack: Mapping[int, int]
) -> str:
    """Every step: when it was worked on, how long, what was waited before it, and the slack left after it."""
    first = min(row["started_at"] or row["finished_at"] for row in rows)
    last = max([row["finished_at"] or as_of for row in rows] + ([deadline] if deadline else []))
    whole = max((last - first) / timedelta(seconds=1), 1.0)

    def share(at: datetime) -> float:
        return (at - first) / timedelta(seconds=1) / whole * 100

    line = (
        f'<i class="bv-due" style="left:{min(share(deadline), 100 - LEAST):.2f}%"></i>'
        if deadline and first <= deadline
        else ""
    )
    by_step = {int(row["step_no"]): row for row in rows}
    items = "".join(
        _step(number, by_step.get(number), share, line, as_of, slack.get(number), died=died_at == f"{number:02d}")
        for number in STEPS
    )
    due = (
        f'<span class="bv-muted">The line is the deadline, {formatting.html(formatting.moment(deadline))}.</span>'
        if line
        else ""
    )
    never = (
        '<p class="bv-worse">The promise could not be kept from the start: the usual time of the steps was longer.</p>'
        if died_at == "00"
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
    died: bool,
) -> str:
    name = f'<span class="bv-step"><b>{number}</b> {formatting.html(formatting.step(number).partition("  ")[2])}</span>'
    if row is None:
        return f'<li class="bv-idle">{name}<span class="bv-lane">{line}</span><span class="bv-muted">not recorded</span></li>'
    begun, ended = row["started_at"] or row["finished_at"], row["finished_at"]
    left = share(begun)
    width = max(share(ended or as_of) - left, LEAST)
    css = "bv-wrong" if died else "" if ended else "bv-going"
    bar = f'<i class="bv-bar {css}" style="left:{min(left, 100 - LEAST):.2f}%;width:{min(width, 100 - min(left, 100 - LEAST)):.2f}%"></i>'
    told = [_took(row, as_of)]
    if row["wait_seconds"]:
        told.append(f"after waiting {duration(row['wait_seconds'])}")
    if row["attempts"] > 1:
        told.append(f"{row['attempts']} attempts")
    if slack is not None:
        told.append(f"then {duration(abs(slack))} {'too little' if slack < 0 else 'to spare'}")
    when = _span(begun, ended)
    wrong = '<span class="bv-state bv-off"><i aria-hidden="true">▲</i>the promise died here</span>' if died else ""
    return (
        f'<li title="{formatting.html(when)}">{name}<span class="bv-lane">{line}{bar}</span>'
        f"<span>{formatting.html(', '.join(told))} {wrong}<small>{formatting.html(when)}</small></span></li>"
    )


def _span(begun: datetime, ended: datetime | None) -> str:
    if ended is None or ended == begun:
        return formatting.moment(begun)
    return formatting.moments(begun, ended)


def _took(row: Row, as_of: datetime) -> str:
    if row["finished_at"] is None:
        return f"going on for {duration(int((as_of - row['latest_at']) / timedelta(seconds=1)))}"
    return "done" if row["step_seconds"] is None else duration(row["step_seconds"])
