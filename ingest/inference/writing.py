"""Write a proposed mapping as TOML, every line with its evidence as a comment."""

import json
import re
from collections.abc import Iterator, Mapping

from ingest.inference.proposal import Proposal, ProposedColumn, ProposedFeed
from ingest.mapping.mapping_file import required

BARE = re.compile(r"[A-Za-z0-9_-]+")
WIDTH = 58
"""Column at which comments start."""


def mapping_text(proposal: Proposal) -> str:
    """Return the text of the mapping file."""
    return "\n".join(_lines(proposal)) + "\n"


def _lines(proposal: Proposal) -> Iterator[str]:
    yield "# Written by `buyerview init`. Comments give the evidence. Check the lines, then run `buyerview ingest`."
    if proposal.questions:
        yield "#"
        yield "# Open questions. What they decide is not mapped:"
        for question in proposal.questions:
            yield f"# - {_comment(question.text)} Possible: {_comment(', '.join(question.choices))}."
    lacking = list(proposal.lacking())
    if lacking:
        yield "#"
        yield f"# Needed feeds without a table: {', '.join(lacking)}. Add them before the first run."
    if proposal.unused:
        yield "#"
        yield "# Not used:"
        yield from (f"# - {_comment(name)}: {_comment(reason)}" for name, reason in proposal.unused.items())
    yield ""
    yield "[source]"
    yield f"name = {text_value(proposal.source)}"
    yield _with_comment(f"time_zone = {text_value(proposal.time_zone)}", proposal.zone_evidence)
    for name, origin in proposal.staged.items():
        yield ""
        yield f"[staged.{_key(name)}]"
        yield from pairs(origin)
    for name, feed in proposal.feeds.items():
        yield ""
        yield from _feed(name, feed)


def _feed(name: str, feed: ProposedFeed) -> Iterator[str]:
    yield f"[{name}]"
    yield from (f"# {_comment(line)}" for line in feed.evidence)
    yield from pairs(feed.origin)
    yield f"[{name}.columns]"
    needed = required(name)
    for target, column in feed.columns.items():
        comment = column.evidence + (f"; or {', '.join(column.alternatives)}" if column.alternatives else "")
        yield _with_comment(f"{target} = {_column(column)}", comment + ("" if target not in needed else "; needed"))
    if feed.unmapped:
        yield "# Not mapped:"
        yield from (f"#   {_comment(column)}: {_comment(reason)}" for column, reason in feed.unmapped.items())


def _column(column: ProposedColumn) -> str:
    if not column.settings:
        return text_value(column.source)
    return "{ " + ", ".join(f"{key} = {_value(value)}" for key, value in _with_source(column)) + " }"


def _with_source(column: ProposedColumn) -> Iterator[tuple[str, object]]:
    yield "from", column.source
    yield from column.settings.items()


def pairs(origin: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines of a table of TOML."""
    for key, value in origin.items():
        if key in ("select", "query") and isinstance(value, str) and "\n" in value:
            escaped = value.strip().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
            escaped = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", lambda found: f"\\u{ord(found[0]):04x}", escaped)
            yield f'{key} = """\n{escaped}\n"""'
        else:
            yield f"{key} = {_value(value)}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(str(key))} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return _value(value[0]) if len(value) == 1 else "[" + ", ".join(map(_value, value)) + "]"
    return text_value(str(value))


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else text_value(name)


def text_value(value: str) -> str:
    """Return a basic string of TOML. JSON writes the same escapes, except for the character 7F."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    """Return a text without characters that end a comment or are not allowed in one."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text)


def _with_comment(line: str, comment: str) -> str:
    return f"{line.ljust(WIDTH)} # {_comment(comment)}" if comment else line
