"""The reason why a measure has no value. Every measure gets it from `reason`, in the same words.

- "no feed: returns": no source maps any column of the feed.
- "no data: due_on (map invoices.due_on)": the feed is mapped, the column is not.
- "no data: nothing in this period and selection": everything is mapped, and there are no rows.

Reasons that only the numbers can give (several currencies, unknown verdicts) belong to `metrics/queries/division.py`
and to the studies. Source: P3 (three values), P6 (empty is null).
"""

from functools import lru_cache

from metrics.model.measure import Alternative, Measure, Need
from metrics.model.question import NO_ROWS

NO_FEED, NO_DATA = "no feed: ", "no data: "


def reason(measure: Measure, known: frozenset[str]) -> str:
    """Return the reason for an answer without a value: a missing feed or column, else no rows."""
    return missing(measure, known) or NO_ROWS


def missing(measure: Measure, known: frozenset[str]) -> str | None:
    """Return the text of the first need of a measure that the sources do not meet, or None.

    known: "feed.column" of every column that some source maps.
    """
    return next((_unmet(need, known) for need in measure.needs if not is_met(need, known)), None)


def unmapped(measure: Measure, known: frozenset[str]) -> str:
    """Return a text with the columns of mapped feeds that no source maps although a measure could use them.

    Another column replaces each of them, perhaps in a few records only. The text is empty if there are none.
    """
    fed = _feeds(known)
    usable = [column for need in measure.needs for one in need.any_of for column in columns_of(one)]
    names = [column for column in dict.fromkeys(usable) if column not in known and feed_of(column) in fed]
    return f"; not mapped: {', '.join(names)}" if names else ""


def is_met(need: Need, known: frozenset[str]) -> bool:
    """Return True if the sources map all columns of at least one alternative, or if the need does not apply."""
    if need.when and need.when not in known:
        return True
    return any(known.issuperset(columns_of(alternative)) for alternative in need.any_of)


def columns_of(alternative: Alternative) -> tuple[str, ...]:
    """Return the columns of an alternative."""
    return (alternative,) if isinstance(alternative, str) else alternative


def feed_of(column: str) -> str:
    """Return the feed of a "feed.column"."""
    return column.partition(".")[0]


@lru_cache(maxsize=8)
def _feeds(known: frozenset[str]) -> frozenset[str]:
    return frozenset(map(feed_of, known))


def _unmet(need: Need, known: frozenset[str]) -> str:
    """Return the text of a need that is not met: the feeds to add, or else the columns to map."""
    fed = _feeds(known)
    absent: list[str] = []
    mappable: list[str] = []
    names: list[str] = []
    for alternative in need.any_of:
        unmapped = [column for column in columns_of(alternative) if column not in known]
        feeds = [feed for feed in dict.fromkeys(map(feed_of, unmapped)) if feed not in fed]
        if feeds:
            absent.append(" and ".join(feeds))
        else:
            mappable.append(" with ".join(unmapped))
            names += [column.partition(".")[2] for column in unmapped]
    if not absent:
        return f"{NO_DATA}{need.what or _either(names)} (map {_either(mappable)})"
    hint = f" (or map {_either(mappable)})" if mappable else ""
    return f"{NO_FEED}{_either(absent)}{hint}"


def _either(words: list[str]) -> str:
    """Return words as "a, b or c", each word once."""
    *first, last = dict.fromkeys(words)
    return f"{', '.join(first)} or {last}" if first else last
