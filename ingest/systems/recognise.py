"""Recognise a known system by its tables, and fit its shipped mapping to the files or database found."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath

from ingest.inference.assignment import Answers, Question
from ingest.inference.stand_ins import NO_RECEIPT, SHIPPED_AS_RECEIVED
from ingest.inference.tables import Found
from ingest.inference.writing import pairs, text_value
from metrics.errors import SettingRefused

FOLDER = Path(__file__).parent
GENERIC = "generic"
"""Name for `--system` that skips the known systems."""
SECTION = re.compile(r"^\[(?P<name>[\w.]+)\]$", re.MULTILINE)
STAND_IN = "#? "
"""Start of a line of a mapping that is used if the ship date may stand in for the receipt."""

MOST_LACKING = 0.35
"""Share of a system's columns that a table may lack to be named as nearly recognised."""


@dataclass(frozen=True)
class Signature:
    """A system: its title, and the columns by which each of its tables is recognised."""

    name: str
    title: str
    needed: Mapping[str, tuple[str, ...]]
    optional: Mapping[str, tuple[str, ...]]
    renamed: tuple[tuple[str, str, str], ...]
    """Table, column, and the name of the column in other versions."""


@dataclass(frozen=True)
class Match:
    """A recognised system, with the table that each of its staged names stands for."""

    signature: Signature
    tables: Mapping[str, Found]


@cache
def signatures() -> dict[str, Signature]:
    """Return the known systems by name."""
    raw = tomllib.loads((FOLDER / "signatures.toml").read_text(encoding="utf-8"))
    return {
        name: Signature(
            name,
            table["title"],
            {one: tuple(columns) for one, columns in table["needed"].items()},
            {one: tuple(columns) for one, columns in table.get("optional", {}).items()},
            tuple((one, old, new) for one, old, new in table.get("renamed", ())),
        )
        for name, table in raw.items()
    }


def is_known(table: str) -> bool:
    """Return True if a table has the name of a table of a known system."""
    known = {name for one in signatures().values() for name in (*one.needed, *one.optional)}
    return plain_name(table) in known


def plain_name(name: str) -> str:
    """Return the name of a table as systems name it: `erp.tabSales Order`, `Sales Order.csv` are sales_order."""
    stem = (
        PurePath(name).stem
        if PurePath(name).suffix.lower() in (".csv", ".xlsx", ".txt", ".parquet")
        else name.rpartition(".")[2]
    )
    return re.sub(r"\W+", "_", stem.removeprefix("tab")).casefold().strip("_")


def recognise(tables: Sequence[Found], wanted: str) -> Match | None:
    """Return the system that the tables are from. wanted: the name of a system, or empty to find it.

    Raises SettingRefused if the wanted system is unknown, or if its tables are not there.
    """
    if wanted == GENERIC:
        return None
    if wanted and wanted not in signatures():
        raise SettingRefused("--system", f"{wanted!r} is unknown; write one of {', '.join((*signatures(), GENERIC))}")
    for signature in [signatures()[wanted]] if wanted else signatures().values():
        found = {name: _table(tables, name, columns) for name, columns in signature.needed.items()}
        if all(found.values()):
            found |= {name: _table(tables, name, columns) for name, columns in signature.optional.items()}
            return Match(signature, {name: table for name, table in found.items() if table is not None})
        if wanted:
            lacking = [f"{name} with {', '.join(signature.needed[name])}" for name, one in found.items() if one is None]
            raise SettingRefused("--system", f"these tables of {signature.title} are missing: {'; '.join(lacking)}")
    return None


def nearly_recognised(tables: Sequence[Found]) -> str:
    """Return which system the tables look like, and the columns that they lack. Empty: they look like none."""
    for signature in signatures().values():
        lacking: dict[str, list[str]] = {}
        for name, columns in signature.needed.items():
            missing = [
                [one for one in columns if one.casefold() not in {column.casefold() for column in table.columns}]
                for table in tables
            ]
            lacking[name] = min(missing, key=len, default=list(columns))
            if len(lacking[name]) > MOST_LACKING * len(columns):
                break
        else:
            listed = "; ".join(f"{name}: {', '.join(columns)}" for name, columns in lacking.items() if columns)
            return f"These records look like {signature.title}, but columns are missing. {listed}. See docs/systems.md."
    return ""


def _table(tables: Sequence[Found], name: str, columns: Sequence[str]) -> Found | None:
    """Return the table that has all columns, preferably the one of this name."""
    wanted = {column.casefold() for column in columns}
    fitting = [table for table in tables if wanted <= {column.casefold() for column in table.columns}]
    named = [table for table in fitting if plain_name(table.name) == name]
    return next(iter(named or fitting), None)


def fitted_mapping(match: Match, answers: Answers, *, source: str, time_zone: str) -> tuple[str, list[Question]]:
    """Return the text of the system's mapping for the tables found, and the questions that are open."""
    signature = match.signature
    text = (FOLDER / f"{signature.name}.toml").read_text(encoding="utf-8")
    for table, column, other in signature.renamed:
        if table in match.tables and column not in match.tables[table].columns:
            text = text.replace(f"{table}.{column}", f"{table}.{other}")
    used = "".join(_sections(text, match))
    questions = []
    zone = time_zone or answers.get("source.time_zone", "")
    if not zone and "# ask" in used:
        best = os.environ.get("BUYERVIEW_TIME_ZONE") or "UTC"
        asked = f"{signature.title}: in which time zone is it used? An IANA name such as Europe/Berlin is an answer."
        questions.append(Question("source.time_zone", asked, tuple(dict.fromkeys((best, "UTC"))), best, zone=True))
    if STAND_IN in used and "receipt" not in answers:
        asked = f"{signature.title}: it has no receipt at the buyer. Let the ship date stand in?"
        questions.append(Question("receipt", asked, (NO_RECEIPT, SHIPPED_AS_RECEIVED), NO_RECEIPT))
    shown = "" if answers.get("receipt") == SHIPPED_AS_RECEIVED else "# "
    used = re.sub(rf"^{re.escape(STAND_IN)}", shown, used, flags=re.MULTILINE)
    used = re.sub(r'^name = ".*"', lambda _: f"name = {text_value(source)}", used, count=1, flags=re.MULTILINE)
    if zone and "# ask" in used:
        line = f"time_zone = {text_value(zone)}"
        used = re.sub(r'^time_zone = ".*" *# ask.*$', lambda _: line, used, count=1, flags=re.MULTILINE)
    return used.rstrip() + "\n", questions


def _sections(text: str, match: Match) -> Iterator[str]:
    """Yield the sections of a mapping that the tables can fill. Those of tables that are missing are left out."""
    starts = [found.start() for found in SECTION.finditer(text)]
    missing = [name for name in match.signature.optional if name not in match.tables]
    dropped: set[str] = set()
    yield text[: starts[0]]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        section = text[start:end]
        name = section[1 : section.index("]")]
        staged = name.removeprefix("staged.")
        if name.startswith("staged."):
            if staged in match.tables:
                yield "\n".join([f"[{name}]", *pairs(_origin(match.tables[staged], text)), "", ""])
        elif name.partition(".")[0] in dropped or any(re.search(rf"\b{one}\b", section) for one in missing):
            dropped.add(name)
        else:
            yield section


def _origin(table: Found, text: str) -> dict[str, object]:
    """Return how a table is read. A query names only the columns that the mapping uses."""
    used = [column for column in table.columns if re.search(rf"\b{re.escape(column)}\b", text, re.IGNORECASE)]
    return {**table.read(used, ()), **table.layout}
