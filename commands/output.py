"""What commands print: numbers and tables on standard output, progress and summaries on standard error."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

screen = Console(stderr=True, highlight=False)

out = Console(highlight=False)


@contextmanager
def progress_bars(*, shown: bool) -> Iterator[Any]:
    """A progress callback (step, share from 0 to 1) drawn as one bar a step on standard error."""
    if not shown:
        yield None
        return
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=screen, transient=not screen.is_terminal) as progress:
        tasks: dict[str, Any] = {}

        def tell(step: str, share: float) -> None:
            if step not in tasks:
                for other in tasks.values():
                    progress.update(other, completed=1.0)
                tasks[step] = progress.add_task(step, total=1.0)
            progress.update(tasks[step], completed=share)

        yield tell
        for task in tasks.values():
            progress.update(task, completed=1.0)


def right_aligned(name: str) -> Any:
    """The head of a column of numbers."""
    from rich.table import Column

    return Column(name, justify="right", no_wrap=True)


def show(rows: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    """Rows as a table, or as JSON."""
    if as_json:
        print(
            json.dumps(
                [{name: row.get(name) for name in columns} for row in rows], ensure_ascii=False, indent=2, default=str
            )
        )
        return
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(
            *[
                "–"
                if row.get(name) is None
                else f"{row[name]:.10g}"
                if isinstance(row[name], float)
                else str(row[name])
                for name in columns
            ]
        )
    out.print(table)


def summary(report: Any) -> None:
    """The table at the end of a run: every object with what became of its rows, then the rules that were broken."""
    files = Table(
        "feed",
        "object",
        *[right_aligned(name) for name in ("rows in", "loaded", "quarantined", "superseded")],
        box=None,
        pad_edge=False,
    )
    for one in report.files:
        counts = [f"{count:,}" for count in (one.rows_in, one.rows_loaded, one.rows_quarantined, one.rows_superseded)]
        files.add_row(one.feed, one.name + (" (taken before)" if one.repeated else ""), *counts)
    screen.print(files)
    if report.rules_broken:
        broken = Table("feed", "rule", right_aligned("rows"), "for example", box=None, pad_edge=False, show_edge=False)
        for rule in report.rules_broken[:40]:
            broken.add_row(rule.feed, rule.rule, f"{rule.rows:,}", rule.example)
        screen.print()
        screen.print(broken, markup=False)
        if len(report.rules_broken) > 40:
            screen.print(f"… and {len(report.rules_broken) - 40} more; --json prints them all.")
    known = f"data as of {report.data_as_of:%Y-%m-%d %H:%M} UTC" if report.data_as_of else "no data yet"
    where = f"generation {report.generation}, " if report.generation else ""
    screen.print(
        f"\n{report.outcome}: {where}{known}; {report.checks_failed} of {report.checks} checks found broken rows, {report.released} rows released, "
        f"{report.restated} restated."
    )


def verdict_word(verdict: bool | None) -> str:
    """A verdict in a word."""
    return {True: "true", False: "false", None: "unknown"}[verdict]


def number(value: Any) -> float | None:
    """A fraction or decimal as JSON and tables show it."""
    return None if value is None else float(value)


def not_a_terminal() -> None:
    """Keep Streamlit from saying, once for every cached function, that no browser is there. (It sets its loggers'
    levels itself.)
    """
    logging.getLogger("streamlit.runtime.caching.cache_data_api").addFilter(lambda said: said.levelno > logging.WARNING)
