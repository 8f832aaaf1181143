"""The command init: propose a mapping for files or a database, ask what is open, and show what it would give."""

import sys
import tempfile
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.table import Table

from commands.limits import limited_memory
from commands.output import out, progress_bars, right_aligned, screen, summary

if TYPE_CHECKING:
    from ingest.inference.assignment import Question
    from ingest.inference.proposal import Proposal
    from ingest.inference.tables import Search

T = TypeVar("T")
VERDICTS = ("on_time", "complete", "damage_free", "filled_accurately", "billed_accurately")
SHOWN = 12


def init(
    sources: Annotated[
        list[str],
        typer.Argument(help="Files, folders, patterns, or the URL of a database (or env:NAME).", metavar="PATH_OR_URL"),
    ],
    to: Annotated[Path, typer.Option("--out", help="Mapping file to write.")] = Path("mapping.toml"),
    system: Annotated[
        str, typer.Option("--system", help="Known system (docs/systems.md), or generic. Default: recognised.")
    ] = "",
    name: Annotated[str, typer.Option("--name", help="Name of the source in the mapping.")] = "",
    time_zone: Annotated[
        str, typer.Option("--time-zone", help="IANA zone of times without a zone, for example Europe/Berlin.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Take the most likely answer to every question.")] = False,
    trial: Annotated[bool, typer.Option("--trial/--no-trial", help="Load on trial and show the verdicts.")] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite the mapping file if it exists.")] = False,
) -> None:
    """Write a mapping for your files or database, and show what it would give.

    The mapping is proposed from names and proven by values. Every line has its evidence as a comment. What the data do
    not decide is a question. Without a terminal and without --yes, questions stay open at the top of the file. A trial
    run then loads the data into a temporary warehouse; your data version does not change.
    """
    from ingest.inference.database import VARIABLE, name_url
    from ingest.inference.inputs import data_folder, find_files, is_database
    from metrics.errors import SettingRefused

    mapping = to.absolute()
    if mapping.exists() and not overwrite:
        raise SettingRefused("--out", f"{to} exists; choose another name, or add --overwrite")
    if time_zone and time_zone not in zoneinfo.available_timezones():
        raise SettingRefused("--time-zone", f"{time_zone!r} is no IANA time zone; write for example Europe/Berlin")
    databases = [source for source in sources if is_database(source)]
    files = find_files([source for source in sources if not is_database(source)], mapping)
    folder = data_folder(files, mapping)
    with limited_memory(), _found(files, folder, databases) as search:
        text, lacking = _mapping_of(search, system, name or folder.name or "source", time_zone, yes=yes)
    mapping.write_text(text, encoding="utf-8")
    out.print(str(to), markup=False, soft_wrap=True)
    if lacking:
        raise SettingRefused(
            str(to),
            f"the mapping lacks {', '.join(lacking)}. Answer the open questions, or add these feeds to the file "
            "(docs/mapping.md). Then run `buyerview ingest --dry-run`",
        )
    for database in databases:
        name_url(database)
    if trial:
        _try(mapping, folder)
    if any("://" in database for database in databases):
        screen.print(f"\nThe mapping contains no URL. Set {VARIABLE} to it before each run.")
    data = "" if folder == mapping.parent else f" --data {folder}"
    screen.print(f"\nTo load the data: buyerview ingest {to}{data}", markup=False, soft_wrap=True)


@contextmanager
def _found(files: Sequence[Path], folder: Path, databases: Sequence[str]) -> Iterator["Search"]:
    """Yield the tables of files and databases, in a scratch database that is deleted at the end."""
    from ingest.inference.database import find_database_tables
    from ingest.inference.tables import find_tables
    from ingest.storage.scratch_database import scratch
    from ingest.systems.recognise import is_known

    with scratch() as place, closing(place.connect()) as connection:
        with progress_bars(shown=True) as progress:
            progress("read records", 0.0)
            search = find_tables(connection, folder, files)
            for database in databases:
                find_database_tables(search, database, is_known)
        yield search


def _mapping_of(search: "Search", system: str, source: str, time_zone: str, *, yes: bool) -> tuple[str, list[str]]:
    """Return the text of a known system's mapping, or of a proposed one, and the needed feeds that it lacks."""
    from ingest.systems.recognise import fitted_mapping, recognise

    match = recognise(search.tables, system)
    if match is None:
        return _proposed(search, source, time_zone, yes=yes)
    screen.print(f"recognised: {match.signature.title} (docs/systems.md)")
    return _answered(partial(fitted_mapping, match, source=source, time_zone=time_zone), yes=yes), []


def _proposed(search: "Search", source: str, time_zone: str, *, yes: bool) -> tuple[str, list[str]]:
    """Return the text of a proposed mapping, and the needed feeds that it lacks. Shows what it maps."""
    from ingest.inference.propose import propose
    from ingest.inference.writing import mapping_text

    def proposal_of(answers: Mapping[str, str]) -> "tuple[Proposal, Sequence[Question]]":
        proposal = propose(search.connection, search, answers, source=source, time_zone=time_zone)
        return proposal, proposal.questions

    proposal = _answered(proposal_of, yes=yes)
    _show(proposal)
    return mapping_text(proposal), list(proposal.lacking())


def _answered(propose: "Callable[[Mapping[str, str]], tuple[T, Sequence[Question]]]", *, yes: bool) -> T:
    """Propose, and again with the answers, until no new question comes up. Without a terminal, questions stay open."""
    answers: dict[str, str] = {}
    while True:
        proposal, questions = propose(answers)
        new = [question for question in questions if question.key not in answers]
        if not new or not (yes or sys.stdin.isatty()):
            for question in new:
                screen.print(f"open: {question.text}", markup=False, soft_wrap=True, style="yellow")
            return proposal
        for question in new:
            answers[question.key] = question.best if yes else _asked(question)
            if yes:
                screen.print(f"taken: {question.best}. {question.text}", markup=False, soft_wrap=True, style="yellow")


def _asked(question: "Question") -> str:
    """Ask on the terminal. A number chooses; another text is the answer itself where the question is open."""
    screen.print(f"\n{question.text}", markup=False, soft_wrap=True)
    for number, choice in enumerate(question.choices, start=1):
        screen.print(f"  {number}  {choice}", markup=False, soft_wrap=True)
    default = question.choices.index(question.best) + 1
    while True:
        text = str(typer.prompt("Choice", default=str(default), err=True)).strip()
        if text.isdecimal() and 1 <= int(text) <= len(question.choices):
            return question.choices[int(text) - 1]
        if question.accepts(text):
            return text
        screen.print("Write one of the numbers.", style="yellow")


def _show(proposal: "Proposal") -> None:
    """Print which table is which feed, and how many columns are mapped."""
    table = Table(
        "feed", "table", right_aligned("columns mapped"), right_aligned("not mapped"), box=None, pad_edge=False
    )
    for name, feed in proposal.feeds.items():
        table.add_row(name, feed.table, str(len(feed.columns)), str(len(feed.unmapped)))
    screen.print(table)
    for unused, reason in list(proposal.unused.items())[:SHOWN]:
        screen.print(f"not used: {unused}: {reason}", markup=False, soft_wrap=True)
    if len(proposal.unused) > SHOWN:
        screen.print(f"… and {len(proposal.unused) - SHOWN} more; the mapping file lists them.")


def _try(mapping: Path, folder: Path) -> None:
    """Load the data into a temporary warehouse. Print the report, the verdicts and the measures without data."""
    from dataclasses import replace

    from ingest.pipeline import run
    from metrics.facts.mapped_columns import mapped
    from metrics.measures.catalog import MEASURES, find
    from metrics.model.question import Question
    from metrics.model.reasons import missing
    from metrics.queries.answer import answer
    from metrics.warehouse import Location, close, reading

    with tempfile.TemporaryDirectory(prefix="buyerview-trial-") as home:
        location = Location(folder=Path(home))
        with progress_bars(shown=True) as progress, limited_memory():
            report = run(mapping, data_dir=folder, location=location, progress=progress)
        summary(replace(report, outcome="trial run, not published", generation=None))
        with reading(location) as connection:
            verdicts = answer(connection, Question(measures=VERDICTS))
            known = mapped(connection)
        close(location)
    table = Table("verdict", *map(right_aligned, ("share", "orders", "of")), "", box=None, pad_edge=False)
    for verdict in verdicts:
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
    off: dict[str, list[str]] = {}
    for measure in MEASURES.values():
        if reason := missing(measure, known):
            off.setdefault(reason, []).append(measure.title)
    screen.print(
        f"\n{len(MEASURES) - sum(map(len, off.values()))} of {len(MEASURES)} measures have their data. Switched off:"
    )
    for reason, titles in sorted(off.items(), key=lambda item: -len(item[1])):
        screen.print(f"  {reason}: {len(titles)}, for example {titles[0]}", markup=False, soft_wrap=True)


def _count(number: object) -> str:
    return "–" if number is None else f"{int(str(number)):,}"
