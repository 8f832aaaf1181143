"""The steps of a source, each in a child process: read the files, try the mapping, publish."""

import json
import re
import time
import tomllib
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from dashboard.bring_data import children, sources
from dashboard.bring_data.children import Finished
from dashboard.bring_data.sources import CONNECTION, Source

READ_SECONDS, PUBLISH_SECONDS = 900, 3600
"""Time limits of reading and trying, and of publishing."""
SIMILAR = 0.6
"""Share of columns that two sources have in common if the files are another version of the same report."""
LONGEST_MAPPING = 400_000
"""Letters of a mapping."""


def read(source: Source) -> None:
    """Start `buyerview init`: propose a mapping with the answers so far, and try it if no question is open."""
    kept = source.folder / "kept"
    named = [str(source.folder / "files")] if source.files else []
    if source.connection:
        named.append(f"env:{CONNECTION}{source.connection}")
    sources.write(source.folder, "answers", source.answers)
    sources.write(source.folder, "trial", {})
    words = ["init", *named, "--out", str(kept / "mapping.toml"), "--overwrite", "--json", "--name", source.name]
    words += ["--answers", str(kept / "answers.json")]

    def done(values: Mapping[str, object]) -> None:
        (kept / "mapping.toml").chmod(0o600)
        sources.write(source.folder, "found", {name: value for name, value in values.items() if name != "trial"})
        trial = values.get("trial")
        sources.write(source.folder, "trial", trial if isinstance(trial, dict) else {})

    _start(source, "Reading your records", words, READ_SECONDS, done)


def answer(source: Source, answers: Mapping[str, str]) -> None:
    """Keep answers, and read again with them."""
    sources.write(source.folder, "answers", {**source.answers, **answers})
    again = sources.load(source.name)
    if again is not None:
        read(again)


def preview(source: Source) -> None:
    """Start `buyerview trial`: load the files with the mapping as it is, into a temporary warehouse."""
    sources.write(source.folder, "trial", {})

    def done(values: Mapping[str, object]) -> None:
        sources.write(source.folder, "trial", values)

    words = ["trial", *_mapping_words(source), "--json"]
    _start(source, "Trying the mapping", words, READ_SECONDS, done)


def publish(source: Source) -> None:
    """Start `buyerview ingest`: load and publish the files as an ordinary run."""

    def done(values: Mapping[str, object]) -> None:
        sources.write(source.folder, "run", {**values, "ended": time.time()})
        sources.note(source.name, published=True)

    _start(source, "Publishing", ["ingest", *_mapping_words(source), "--json"], PUBLISH_SECONDS, done)


def _mapping_words(source: Source) -> list[str]:
    return [str(source.folder / "kept" / "mapping.toml"), "--data", str(source.folder / "files")]


def _start(
    source: Source, title: str, words: list[str], seconds: int, done: Callable[[Mapping[str, object]], None]
) -> None:
    def ended(finished: Finished) -> None:
        if sources.load(source.name) is None:  # deleted meanwhile
            return
        values = _values(_plain(finished.output, source.folder)) if finished.status == 0 else None
        if values is None:
            sources.note(source.name, error=_plain(finished.error or children.FAILED, source.folder))
        else:
            done(values)

    if children.running(source.name) is None:
        sources.note(source.name, error="", published=False)
        children.start(source.name, title, words, seconds=seconds, done=ended)


def _values(output: str) -> dict[str, object] | None:
    try:
        values = json.loads(output)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _plain(text: str, folder: Path) -> str:
    """Return a message without the paths of this server, and without words that only the log needs."""
    text = text.replace("select over ", "")
    for place in (folder / "files", folder / "kept"):
        text = text.replace(f"{place}/", "").replace(str(place), "the uploaded files")
    return text


# ---------------------------------------------------------------------------------------------------------- the mapping


def edit_mapping(source: Source, text: str) -> str:
    """Keep an edited mapping and try it. Return why it is refused, or ""."""
    if reason := refusal(text):
        return reason
    sources.write_mapping(source, text)
    sources.note(source.name, edited=True)
    preview(source)
    return ""


def refusal(text: str) -> str:
    """Return why the text of a mapping cannot be used here; "" if it can. The trial run checks everything else.

    A mapping may read the uploaded files, to which ingest confines it, and the connections of the administrator.
    """
    if len(text) > LONGEST_MAPPING:
        return f"The mapping has more than {LONGEST_MAPPING:,} letters."
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        return f"The mapping is no TOML: {error}."
    tables = [table for table in [*raw.values(), *_tables(raw.get("staged"))] if isinstance(table, dict)]
    for table in tables:
        named = table.get("connection")
        allowed = isinstance(named, str) and named.removeprefix(f"env:{CONNECTION}") in sources.connections()
        if named is not None and not (allowed and str(named).startswith("env:")):
            return (
                f'connection = "{named}": write env:{CONNECTION}NAME with a connection that the administrator has set.'
            )
    return ""


def _tables(value: object) -> list[object]:
    return list(value.values()) if isinstance(value, dict) else []


# ------------------------------------------------------------------------------------------------------ recurring files


def kept_source_of(source: Source) -> Source | None:
    """Return the published source whose tables have the same columns as those of a new source."""
    wanted = {columns for _, columns in _read_columns(source)}
    if not wanted or source.connection:
        return None
    others = [other for other in sources.kept() if other.name != source.name and other.run]
    return next((one for one in others if wanted <= {columns for _, columns in _read_columns(one)}), None)


def similar_source_of(source: Source) -> tuple[Source, set[str], set[str]] | None:
    """Return the published source with most of a new source's columns, the columns that it lacks, and new ones."""
    wanted = {column for _, columns in _read_columns(source) for column in columns}
    found = []
    for other in sources.kept():
        known = {column for _, columns in _read_columns(other) for column in columns}
        if other.name != source.name and other.run and len(known & wanted) >= SIMILAR * len(known | wanted) > 0:
            found.append((other, known - wanted, wanted - known))
    return min(found, key=lambda one: len(one[1]) + len(one[2]), default=None)


def add_to(source: Source, kept: Source) -> None:
    """Move the files of a new source to the kept source that they belong to, and try its mapping with them."""
    known = {columns: file for file, columns in _read_columns(kept)}
    mapping = kept.mapping
    for file, columns in _read_columns(source):
        mapping = reading_also(mapping, known[columns], file)
    sources.write_mapping(kept, mapping)
    for path in source.files:
        path.replace(kept.folder / "files" / path.name)
    sources.delete(source.name)
    preview(kept)


def reading_also(mapping: str, file: str, new: str) -> str:
    """Return the mapping in which every `read` of a file also reads a new one. Both are names or patterns."""

    def replaced(line: re.Match[str]) -> str:
        value = tomllib.loads(line[0])["read"]
        read = [value] if isinstance(value, str) else value
        if file not in read or any(fnmatchcase(new, one) for one in read):
            return line[0]
        return f"read = {json.dumps([*read, new], ensure_ascii=False)}"

    return re.sub(r'^read = (?:".*"|\[.*\])$', replaced, mapping, flags=re.MULTILINE)


def _read_columns(source: Source) -> list[tuple[str, tuple[str, ...]]]:
    """Return the name or pattern of the files of each table, and its columns."""
    tables = source.found.get("tables")
    return [
        (str(read), tuple(sorted(table["columns"])))
        for table in (tables if isinstance(tables, list) else [])
        for read in table["read"] or ()
    ]
