"""The command trial: load the data of a mapping into a temporary warehouse, and show the verdicts it would give."""

import json
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from commands.limits import limited_memory
from commands.output import number, progress_bars, right_aligned, screen, summary

if TYPE_CHECKING:
    from ingest.runs.report import RunReport
    from metrics.lists.missing_columns import Missing
    from metrics.model.question import Answer

VERDICTS = ("on_time", "complete", "damage_free", "filled_accurately", "billed_accurately", "perfect_order")
"""The five verdicts, and the orders that pass all of them."""


@dataclass(frozen=True)
class Trial:
    """Result of a trial run: its report, the verdicts, and the measures that lack data."""

    report: "RunReport"
    verdicts: "list[Answer]"
    switched_off: dict[str, list[str]]
    """Titles of the measures by the reason why they have no data."""
    missing: "list[Missing]"
    measures: int
    """Number of all measures."""

    def to_json(self) -> dict[str, object]:
        """Return plain JSON values."""
        verdicts = [
            {
                "measure": one.measure,
                "value": number(one.value),
                "numerator": number(one.numerator),
                "denominator": number(one.denominator),
                "no_data": one.no_data,
            }
            for one in self.verdicts
        ]
        return {
            "report": self.report.to_json(),
            "verdicts": verdicts,
            "switched_off": self.switched_off,
            "missing": [asdict(one) for one in self.missing],
            "measures": self.measures,
        }


def trial(
    mapping: Annotated[Path, typer.Argument(help="Mapping file (docs/mapping.md).", metavar="MAPPING.toml")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of the mapping's relative paths. Default: the folder of the mapping file."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Load the data of a mapping into a temporary warehouse, and show the verdicts.

    Your data version does not change. `ingest --dry-run` in contrast runs on a copy of your data version.
    """
    result = run_trial(mapping, data or mapping.absolute().parent, quiet=as_json)
    if as_json:
        print(json.dumps(result.to_json(), default=str), flush=True)
    else:
        show_trial(result)


def run_trial(mapping: Path, folder: Path, *, quiet: bool = False) -> Trial:
    """Load the data into a temporary warehouse and return the result. quiet: draw no progress bars."""
    from ingest.pipeline import run
    from metrics.facts.mapped_columns import mapped
    from metrics.lists.missing_columns import missing_columns
    from metrics.measures.catalog import MEASURES
    from metrics.model.question import Question
    from metrics.model.reasons import missing
    from metrics.queries.answer import answer
    from metrics.queries.scope import reading
    from metrics.warehouse import Location, close

    with tempfile.TemporaryDirectory(prefix="buyerview-trial-") as home:
        location = Location(folder=Path(home))
        with progress_bars(shown=not quiet) as progress, limited_memory():
            report = run(mapping, data_dir=folder, location=location, progress=progress)
        report = replace(report, outcome="trial run, not published", generation=None)
        with reading(location) as connection:
            verdicts = answer(connection, Question(measures=VERDICTS))
            known = mapped(connection)
            lacking = missing_columns(connection)
        close(location)
    off: dict[str, list[str]] = {}
    for measure in MEASURES.values():
        if reason := missing(measure, known):
            off.setdefault(reason, []).append(measure.title)
    return Trial(report, verdicts, off, lacking, len(MEASURES))


def show_trial(result: Trial) -> None:
    """Print the report, the verdicts and the measures without data."""
    from metrics.measures.catalog import find

    summary(result.report)
    table = Table("verdict", *map(right_aligned, ("share", "orders", "of")), "", box=None, pad_edge=False)
    for verdict in result.verdicts:
        share = "–" if verdict.value is None else f"{float(verdict.value):.1%}"
        table.add_row(
            find(verdict.measure).title,
            share,
            _count(verdict.numerator),
            _count(verdict.denominator),
            verdict.no_data or "",
        )
    screen.print()
    screen.print(table, markup=False)
    off = result.switched_off
    screen.print(
        f"\n{result.measures - sum(map(len, off.values()))} of {result.measures} measures have their data. "
        "Switched off:"
    )
    for reason, titles in sorted(off.items(), key=lambda item: -len(item[1])):
        screen.print(f"  {reason}: {len(titles)}, for example {titles[0]}", markup=False, soft_wrap=True)


def _count(number: object) -> str:
    return "–" if number is None else f"{int(str(number)):,}"
