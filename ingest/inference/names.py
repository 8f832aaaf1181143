"""Names of tables and columns in our own words: split, translate with the vocabulary, and compare."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ingest.mapping.mapping_file import mappable
from metrics.schema import FEEDS

Words = frozenset[str]
Pattern = tuple[Words, float]
"""A name in our own words, and how surely it has its meaning: 1, or the number after `~` in the vocabulary."""

LONGEST_PHRASE = 4
"""Words of the longest phrase of the vocabulary."""
SHORTEST_PART = 3
"""Letters of the shortest word that a compound such as `Auftragsnummer` is split into."""
SHARED_PREFIX = 0.8
"""Share of a table's columns that begin with one word: the word is a prefix and has no meaning."""
EXTRA_WORD, UNKNOWN_WORD, FREE_WORD, ALONE = 0.4, 0.25, 0.1, 0.05
"""What a name loses: for a known word too many, an unknown word, the feed's own name, a meaning of its own table."""
SPELLED = (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss"), ("#", " # "), ("%", " pct "), ("°", "o "))
"""Letters and signs that are spelled out."""
FREE = frozenset({"number", "noise", "participle"})
"""Words that change no meaning."""


@dataclass(frozen=True)
class FeedWords:
    """Names of a feed's tables and columns, each a set of our own words."""

    tables: tuple[Pattern, ...]
    columns: Mapping[str, tuple[Pattern, ...]]
    alone: Mapping[str, tuple[Pattern, ...]]
    """Names that have their meaning only in a table of this feed."""


@dataclass(frozen=True)
class Vocabulary:
    """Words of other systems by their own spelling, the names of every feed, and code lists."""

    words: Mapping[str, tuple[str, ...]]
    feeds: Mapping[str, FeedWords]
    codes: Mapping[str, Mapping[str, str]]
    """Column, then the code in lower case, then its meaning."""


@cache
def vocabulary() -> Vocabulary:
    """Return the vocabulary that is shipped with the package."""
    raw = tomllib.loads((Path(__file__).parent / "vocabulary.toml").read_text(encoding="utf-8"))
    words: dict[str, tuple[str, ...]] = {}
    for ours, theirs in raw.pop("words").items():
        for word in (ours, *theirs):
            words[word.replace("_", " ")] = tuple(ours.split(" "))
    codes = {
        column: {code: meaning for meaning, listed in table.items() for code in listed}
        for column, table in raw.pop("codes").items()
    }
    feeds = {
        feed: FeedWords(_patterns(table["tables"]), _columns(table, "columns"), _columns(table, "alone"))
        for feed, table in raw.items()
    }
    feeds |= {feed: FeedWords((), {}, {}) for feed in FEEDS if feed not in feeds}
    return Vocabulary(words, feeds, codes)


def _columns(table: Mapping[str, Mapping[str, Sequence[str]]], key: str) -> dict[str, tuple[Pattern, ...]]:
    return {column: _patterns(listed) for column, listed in table.get(key, {}).items()}


def _patterns(listed: Sequence[str]) -> tuple[Pattern, ...]:
    parts = (entry.partition(" ~") for entry in listed)
    return tuple((frozenset(name.split(" ")), float(weight or 1)) for name, _, weight in parts)


def tokens(name: str) -> list[str]:
    """Return the parts of a name in lower case, without accents: `bestellDatum` is `bestell`, `datum`."""
    text = unicodedata.normalize("NFC", name)
    for letter, plain in SPELLED:
        text = text.replace(letter, plain).replace(letter.upper(), plain)
    plain_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    known, result = vocabulary().words, list[str]()
    for part in re.findall(r"[A-Za-z0-9]+|#", plain_text):
        split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", part).casefold()
        result += [part.casefold()] if part.casefold() in known else split.split()
    return result


@cache
def words_of(name: str, prefix: str = "") -> Words:
    """Return a name in our own words. Unknown parts keep their spelling after `?`."""
    parts = tokens(name)
    if prefix and parts[:1] == [prefix] and len(parts) > 1:
        parts = parts[1:]
    known, found, at = vocabulary().words, set[str](), 0
    while at < len(parts):
        for length in range(min(LONGEST_PHRASE, len(parts) - at), 0, -1):
            phrase = " ".join(parts[at : at + length])
            if phrase in known:
                found.update(known[phrase])
                break
        else:
            length = 1
            found.update(known.get(parts[at].removesuffix("s")) or _compound(parts[at]) or (f"?{parts[at]}",))
        at += length
    return frozenset(found)


@cache
def _compound(word: str) -> tuple[str, ...]:
    """Return the words of a compound such as `auftragsnummer`. Empty: a part of it is unknown."""
    known = vocabulary().words
    for cut in range(len(word) - 2, SHORTEST_PART - 1, -1):
        head, rest = known.get(word[:cut]), word[cut:]
        if head is None or " " in word[:cut]:
            continue
        tail = known.get(rest) or (_compound(rest) if len(rest) > SHORTEST_PART else ())
        if tail:
            return (*head, *tail)
    return ()


def shared_prefix(columns: Sequence[str]) -> str:
    """Return the first word of most columns of a table, for example `vbak` of `vbak_vbeln`. Empty: there is none."""
    firsts = [parts[0] for parts in map(tokens, columns) if len(parts) > 1]
    best = max(set(firsts), key=firsts.count, default="")
    return best if len(columns) > 2 and firsts.count(best) >= SHARED_PREFIX * len(columns) else ""


def score(words: Words, patterns: Iterable[Pattern], free: Words = frozenset(), lost_free: float = 0.0) -> float:
    """Return how well a name fits the best of several names, from 0 to 1. free: words that cost `lost_free` only."""
    best = 0.0
    for pattern, weight in patterns:
        if pattern <= words or (len(pattern) > 1 and pattern - words == {"number"}):
            extra = words - pattern - FREE - free
            unknown = UNKNOWN_WORD if len(pattern) > 1 else EXTRA_WORD  # `order status` is no order number
            lost = sum(unknown if one.startswith("?") else EXTRA_WORD for one in extra)
            lost += lost_free * len((words - pattern) & free)
            best = max(best, weight - lost - 0.02 * len(pattern - words))
    return best


def column_scores(name: str, feed: str, *, prefix: str = "", alone: bool = True) -> dict[str, float]:
    """Return the columns of a feed that a name may mean, with their scores.

    alone: the name is in a table of this feed only, so that `quantity` has one meaning.
    """
    listed = vocabulary().feeds[feed]
    words = words_of(name, prefix)
    entity = {one for table, _ in listed.tables for one in table} if alone else set()
    free = frozenset(entity - {"line", "item", "header", "document"})
    result: dict[str, float] = {}
    own = "_".join(tokens(name))
    for column in {*listed.columns, *listed.alone, *mappable(FEEDS[feed])}:
        best = 1.0 if alone and own == column else score(words, listed.columns.get(column, ()), free)
        if alone:
            best = max(best, score(words, listed.alone.get(column, ()), free, FREE_WORD) - ALONE)
        if best > 0:
            result[column] = round(best, 2)
    return result


def table_score(name: str, feed: str) -> float:
    """Return how well the name of a table, sheet or file fits a feed, from 0 to 1."""
    known = vocabulary()
    if "_".join(token for token in tokens(name) if known.words.get(token) != ("noise",)) == feed:
        return 1.0
    words = {one for one in words_of(name) if not one.startswith("?")} - {"noise", "participle"}
    listed = known.feeds[feed].tables
    return max(((1.0 if one == words else 0.6 if one < words else 0.0) for one, _ in listed), default=0.0)
