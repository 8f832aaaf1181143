"""The proposed mapping: feeds with their origin and columns, the evidence of each, and what is missing."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ingest.inference.assignment import Question
from ingest.mapping.mapping_file import REQUIRED_FEEDS


@dataclass(frozen=True)
class ProposedColumn:
    """A mapped column: the source column, further keys of the mapping, the evidence, and other possible columns."""

    source: str
    settings: dict[str, object]
    evidence: str
    alternatives: tuple[str, ...] = ()
    made_of: str = ""
    """Source column of a column that a SELECT returns under another name."""

    @property
    def origin(self) -> str:
        """Return the column of the file or table."""
        return self.made_of or self.source


@dataclass(frozen=True)
class ProposedFeed:
    """A feed: how it is read, its columns, and the source columns that stay unmapped with the reason."""

    table: str
    origin: dict[str, object]
    columns: dict[str, ProposedColumn]
    evidence: tuple[str, ...] = ()
    unmapped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposal:
    """A whole mapping, with its open questions."""

    source: str
    time_zone: str
    zone_evidence: str
    staged: dict[str, dict[str, object]]
    feeds: dict[str, ProposedFeed]
    questions: tuple[Question, ...]
    unused: dict[str, str]
    """Tables, sheets and files that are no feed, with the reason."""

    def lacking(self) -> Iterator[str]:
        """Yield the feeds that every mapping needs and this one lacks."""
        yield from (feed for feed in REQUIRED_FEEDS if feed not in self.feeds)
