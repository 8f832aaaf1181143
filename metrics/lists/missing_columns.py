"""Columns that no source maps, with the measures that each would switch on."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from metrics.facts.mapped_columns import mapped
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Measure
from metrics.model.reasons import columns_of, feed_of, is_met


@dataclass(frozen=True)
class Missing:
    """Columns ("feed.column") that switch on measures if all of them are mapped.

    new_feeds: feeds of these columns that no source maps at all.
    """

    columns: tuple[str, ...]
    new_feeds: tuple[str, ...]
    measures: tuple[str, ...]
    """Names of the measures."""


def missing_columns(connection: Connection) -> list[Missing]:
    """Return the missing columns of the data, those that switch on the most measures first."""
    return switched_on(mapped(connection), MEASURES)


def switched_on(known: frozenset[str], measures: Mapping[str, Measure]) -> list[Missing]:
    """Return the columns that are missing from `known`, with the measures that each set of them switches on."""
    fed = {feed_of(column) for column in known}
    found: dict[tuple[str, ...], list[str]] = {}
    for name, measure in measures.items():
        if wanted := _wanted(measure, known):
            found.setdefault(tuple(sorted(wanted)), []).append(name)
    return [
        Missing(columns, tuple(dict.fromkeys(feed for feed in map(feed_of, columns) if feed not in fed)), tuple(names))
        for columns, names in sorted(found.items(), key=lambda item: (-len(item[1]), len(item[0]), item[0]))
    ]


def _wanted(measure: Measure, known: frozenset[str]) -> frozenset[str]:
    """Return the fewest columns that a measure lacks. Mapped feeds are preferred to new ones."""
    fed = {feed_of(column) for column in known}

    def cost(columns: list[str]) -> tuple[int, int]:
        return len({feed_of(column) for column in columns} - fed), len(columns)

    has = known
    while unmet := [need for need in measure.needs if not is_met(need, has)]:
        options = [[column for column in columns_of(one) if column not in has] for one in unmet[0].any_of]
        fewest = min(options, key=cost)
        has |= set(fewest)
    return has - known
