"""The command init: propose a mapping for files or a database, ask what is open, and show what it would give."""

import json
import sys
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.table import Table

from commands.limits import limited_memory
from commands.output import out, progress_bars, right_aligned, screen
from commands.trial import run_trial, show_trial

if TYPE_CHECKING:
    from ingest.inference.assignment import Question
    from ingest.inference.proposal import Proposal, ProposedFeed
    from ingest.inference.tables import Found, Search

T = TypeVar("T")
SHOWN = 12


@dataclass(frozen=True)
class FoundMapping:
    """The mapping found: its text, what it is, and what is open."""

    text: str
    title: str
    """Title of the known system; "" if the mapping is proposed."""
    proposal: "Proposal | None"
    questions: "tuple[Question, ...]"
    """Questions without an answer."""
    lacking: tuple[str, ...]
    """Needed feeds without a table."""
    nearly: str = ""
    """Which known system the tables look like, and the columns that they lack."""


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
    answers: Annotated[
        Path | None, typer.Option("--answers", help="JSON file with answers by the key of the question (see --json).")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was found and the open questions as JSON, and never ask.")
    ] = False,
) -> None:
    """Write a mapping for your files or database, and show what it would give.

    The mapping is proposed from names and proven by values. Every line has its evidence as a comment. What the data do
    not decide is a question. Without a terminal and without --yes, questions stay open at the top of the file. A trial
    run then loads the data into a temporary warehouse; your data version does not change.
    """
    from ingest.inference.database import name_url
    from ingest.inference.inputs import data_folder, find_files, is_database
    from metrics.errors import SettingRefused

    mapping = _check_options(to, time_zone, overwrite=overwrite)
    databases = [source for source in sources if is_database(source)]
    files = find_files([source for source in sources if not is_database(source)], mapping)
    folder = data_folder(files, mapping)
    asking = Asking(_read_answers(answers), yes=yes, terminal=sys.stdin.isatty() and not as_json, quiet=as_json)
    with limited_memory(), _tables(files, folder, databases, quiet=as_json) as search:
        found = _mapping_of(search, system, name or folder.name or "source", time_zone, asking)
        tables = [_table_json(table) for table in search.tables]
    mapping.write_text(found.text, encoding="utf-8")
    for database in databases:
        name_url(database)
    if as_json:
        result = None
        if trial and not found.lacking and not found.questions:
            result = run_trial(mapping, folder, quiet=True).to_json()
        print(json.dumps({**_json_of(found), "tables": tables, "trial": result}, default=str), flush=True)
        return
    out.print(str(to), markup=False, soft_wrap=True)
    if found.lacking:
        raise SettingRefused(
            str(to),
            f"the mapping lacks {', '.join(found.lacking)}. Answer the open questions, or add these feeds to the file "
            "(docs/mapping.md). Then run `buyerview ingest --dry-run`",
        )
    if trial:
        show_trial(run_trial(mapping, folder))
    _show_next_steps(to, folder, databases)


def _show_next_steps(mapping: Path, folder: Path, databases: Sequence[str]) -> None:
    from ingest.inference.database import VARIABLE

    if any("://" in database for database in databases):
        screen.print(f"\nThe mapping contains no URL. Set {VARIABLE} to it before each run.")
    data = "" if folder == mapping.absolute().parent else f" --data {folder}"
    screen.print(f"\nTo load the data: buyerview ingest {mapping}{data}", markup=False, soft_wrap=True)


def _check_options(to: Path, time_zone: str, *, overwrite: bool) -> Path:
    """Return the mapping file's absolute path. Refuse a file that exists, and an unknown time zone."""
    from metrics.errors import SettingRefused

    if to.exists() and not overwrite:
        raise SettingRefused("--out", f"{to} exists; choose another name, or add --overwrite")
    if time_zone and time_zone not in zoneinfo.available_timezones():
        raise SettingRefused("--time-zone", f"{time_zone!r} is no IANA time zone; write for example Europe/Berlin")
    return to.absolute()


@dataclass(frozen=True)
class Asking:
    """How questions are answered: by given answers, by the most likely one (yes), or on the terminal."""

    given: Mapping[str, str]
    yes: bool
    terminal: bool
    quiet: bool
    """True: print nothing about questions."""


def _read_answers(path: Path | None) -> dict[str, str]:
    """Return the answers of a JSON file. Raises SettingRefused if it is no object of texts."""
    from metrics.errors import SettingRefused

    if path is None:
        return {}
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SettingRefused("--answers", f"{path} cannot be read as JSON ({error})") from None
    if not isinstance(raw, dict) or not all(isinstance(one, str) for one in raw.values()):
        raise SettingRefused("--answers", f'{path} must be an object of texts: {{"source.time_zone": "UTC"}}')
    return raw


@contextmanager
def _tables(files: Sequence[Path], folder: Path, databases: Sequence[str], *, quiet: bool) -> Iterator["Search"]:
    """Yield the tables of files and databases, in a scratch database that is deleted at the end."""
    from ingest.inference.database import find_database_tables
    from ingest.inference.tables import find_tables
    from ingest.read.reader_process import ReaderProcess
    from ingest.storage.scratch_database import scratch
    from ingest.systems.recognise import is_known

    with scratch() as place, closing(place.connect()) as connection, ReaderProcess(place.folder) as readers:
        with progress_bars(shown=not quiet) as progress:
            progress("read records", 0.0)
            search = find_tables(connection, folder, files, readers)
            for database in databases:
                find_database_tables(search, database, is_known)
        yield search


def _mapping_of(search: "Search", system: str, source: str, time_zone: str, asking: Asking) -> FoundMapping:
    """Return a known system's mapping, or a proposed one. Asks what is open."""
    from ingest.systems.recognise import GENERIC, fitted_mapping, nearly_recognised, recognise

    match = recognise(search.tables, system)
    if match is None:
        nearly = "" if system == GENERIC else nearly_recognised(search.tables)
        if nearly and not asking.quiet:
            screen.print(nearly, markup=False, soft_wrap=True, style="yellow")
        return replace(_proposed(search, source, time_zone, asking), nearly=nearly)
    if not asking.quiet:
        screen.print(f"recognised: {match.signature.title} (docs/systems.md)")
    text, questions = _answered(partial(fitted_mapping, match, source=source, time_zone=time_zone), asking)
    return FoundMapping(text, match.signature.title, None, questions, ())


def _proposed(search: "Search", source: str, time_zone: str, asking: Asking) -> FoundMapping:
    """Return a proposed mapping. Shows what it maps."""
    from ingest.inference.propose import propose
    from ingest.inference.writing import mapping_text

    def proposal_of(answers: Mapping[str, str]) -> "tuple[Proposal, Sequence[Question]]":
        proposal = propose(search.connection, search, answers, source=source, time_zone=time_zone)
        return proposal, proposal.questions

    proposal, questions = _answered(proposal_of, asking)
    if not asking.quiet:
        _show(proposal)
    return FoundMapping(mapping_text(proposal), "", proposal, questions, tuple(proposal.lacking()))


def _answered(
    propose: "Callable[[Mapping[str, str]], tuple[T, Sequence[Question]]]", asking: Asking
) -> "tuple[T, tuple[Question, ...]]":
    """Propose, and again with the answers, until no new question comes up. Return also the questions left open."""
    answers = dict(asking.given)
    while True:
        proposal, questions = propose(answers)
        new = [question for question in questions if question.key not in answers]
        if not new or not (asking.yes or asking.terminal):
            for question in [] if asking.quiet else new:
                screen.print(f"open: {question.text}", markup=False, soft_wrap=True, style="yellow")
            return proposal, tuple(new)
        for question in new:
            answers[question.key] = question.best if asking.yes else _asked(question)
            if asking.yes and not asking.quiet:
                screen.print(f"taken: {question.best}. {question.text}", markup=False, soft_wrap=True, style="yellow")


def _asked(question: "Question") -> str:
    """Ask on the terminal. A number chooses; another text is the answer itself where the question is open."""
    screen.print(f"\n{question.text}", markup=False, soft_wrap=True)
    for number, choice in enumerate(question.choices, start=1):
        explained = question.samples[number - 1] if number <= len(question.samples) else ""
        screen.print(f"  {number}  {choice}" + (f" ({explained})" if explained else ""), markup=False, soft_wrap=True)
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


def _json_of(found: FoundMapping) -> dict[str, object]:
    """Return what was found as plain JSON values."""
    proposal = found.proposal
    feeds = [] if proposal is None else [_feed_json(name, feed) for name, feed in proposal.feeds.items()]
    return {
        "recognised": found.title,
        "nearly": found.nearly,
        "questions": [asdict(question) for question in found.questions],
        "lacking": found.lacking,
        "feeds": feeds,
        "unused": {} if proposal is None else proposal.unused,
    }


def _feed_json(name: str, feed: "ProposedFeed") -> dict[str, object]:
    columns = [
        {"column": target, "source": column.origin, "evidence": column.evidence}
        for target, column in feed.columns.items()
    ]
    return {"feed": name, "table": feed.table, "columns": columns, "unmapped": feed.unmapped}


def _table_json(table: "Found") -> dict[str, object]:
    return {"name": table.name, "read": table.origin.get("read"), "rows": table.rows, "columns": list(table.columns)}
