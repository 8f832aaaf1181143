"""Output of the commands: results on standard output, progress and summaries on standard error."""

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

if TYPE_CHECKING:
    from ingest.runs.report import RunReport

FULL_WIDTH = 10_000
"""Width of output to a file or pipe: lines are never cut or wrapped."""

screen = Console(stderr=True, highlight=False, emoji=False, width=None if sys.stderr.isatty() else FULL_WIDTH)

out = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else FULL_WIDTH)

SHOWN_RULES = 40
"""Broken rules in a printed summary. `--json` prints all."""


@contextmanager
def progress_bars(*, shown: bool) -> Iterator[Callable[[str, float], None]]:
    """Yield a progress callback `(step, share from 0 to 1)` that draws one bar per step on standard error.

    If standard error is no terminal, it prints the name of each step instead. It draws nothing if `shown` is false.
    """
    if not shown:
        yield lambda _step, _share: None
        return
    if not screen.is_terminal:
        begun: set[str] = set()

        def name(step: str, _share: float) -> None:
            if step not in begun:
                begun.add(step)
                screen.print(f"{step} …", markup=False, soft_wrap=True)

        yield name
        return
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=screen) as progress:
        tasks: dict[str, TaskID] = {}

        def report(step: str, share: float) -> None:
            if step not in tasks:
                for other in tasks.values():
                    progress.update(other, completed=1.0)
                tasks[step] = progress.add_task(step, total=1.0)
            progress.update(tasks[step], completed=share)

        yield report
        for task in tasks.values():
            progress.update(task, completed=1.0)


def right_aligned(name: str) -> Column:
    """Return a table column for numbers."""
    return Column(name, justify="right", no_wrap=True)


def show(rows: Sequence[Mapping[str, object]], columns: tuple[str, ...], *, as_json: bool) -> None:
    """Print rows as a table, or as JSON."""
    if as_json:
        print(
            json.dumps(
                [{name: row.get(name) for name in columns} for row in rows], ensure_ascii=False, indent=2, default=str
            )
        )
        return
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*[_cell(row.get(name)) for name in columns])
    out.print(table)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def summary(report: "RunReport") -> None:
    """Print the summary of a run: row counts of every file or query, then the broken rules."""
    files = Table(
        "feed",
        "object",
        *[right_aligned(name) for name in ("rows in", "loaded", "quarantined", "superseded")],
        box=None,
        pad_edge=False,
    )
    for file in report.files:
        counts = (file.rows_in, file.rows_loaded, file.rows_quarantined, file.rows_superseded)
        name = file.name + (" (read before)" if file.repeated else "")
        files.add_row(file.feed, name, *[f"{count:,}" for count in counts])
    screen.print(files)
    if report.rules_broken:
        broken = Table("feed", "rule", right_aligned("rows"), "example", box=None, pad_edge=False, show_edge=False)
        for rule in report.rules_broken[:SHOWN_RULES]:
            broken.add_row(rule.feed, rule.rule, f"{rule.rows:,}", rule.example)
        screen.print()
        screen.print(broken, markup=False)
        if len(report.rules_broken) > SHOWN_RULES:
            screen.print(f"… and {len(report.rules_broken) - SHOWN_RULES} more; use --json for all.")
    if report.warnings:
        screen.print()
        for warning in report.warnings:
            screen.print(f"warning: {warning.feed}: {warning.message}", markup=False, style="yellow", soft_wrap=True)
    as_of = f"data as of {report.data_as_of:%Y-%m-%d %H:%M} UTC" if report.data_as_of else "no data yet"
    version = f"data version {report.generation}, " if report.generation else ""
    screen.print(
        f"\n{report.outcome}: {version}{as_of}; {report.checks_failed} of {report.checks} checks rejected rows, "
        f"{report.released} rows released, {report.restated} rows restated."
    )


def verdict_word(verdict: bool | None) -> str:
    """Return a verdict as true, false or unknown."""
    return {True: "true", False: "false", None: "unknown"}[verdict]


def number(value: Fraction | Decimal | float | None) -> float | None:
    """Return a fraction or decimal as a float, or None."""
    return None if value is None else float(value)


def silence_streamlit() -> None:
    """Suppress Streamlit's warning that no browser is connected.

    This adds a filter, because Streamlit sets the levels of its loggers again.
    """
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").addFilter(
        lambda record: record.levelno > logging.WARNING
    )
