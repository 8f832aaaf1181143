"""Result of loading: counts for the run ledger, rows kept out, checks, and changed rows."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, FromClause, Table, literal, select

from ingest.load.key_conflicts import KeyConflict
from ingest.quarantine.records import RuleBreaks

RowId = tuple[int, int]
"""file_id and row_no: one record, for ever."""


@dataclass
class Counts:
    """Changes that a run makes to the run ledger, per file_id."""

    loaded: Counter[int] = field(default_factory=Counter)
    quarantined: Counter[int] = field(default_factory=Counter)
    superseded: Counter[int] = field(default_factory=Counter)

    def supersede(self, rows: Iterable[tuple[int, int]]) -> None:
        """Move counts from loaded to superseded. rows: pairs of file_id and count."""
        for file_id, n in rows:
            self.loaded[file_id] -= n
            self.superseded[file_id] += n


@dataclass
class Check:
    """Outcome of one cross-row rule in one run, for `checks`."""

    feed: str
    rule: str
    column: str | None
    rows_checked: int
    rows_failed: int


@dataclass
class LoadResult:
    """Result of loading, for the run ledger, the quarantine and the rebuild."""

    counts: Counts = field(default_factory=Counts)
    kept_out: dict[str, dict[RowId, RuleBreaks]] = field(default_factory=dict)
    """New rows kept out, by feed."""
    checks: list[Check] = field(default_factory=list)
    changed: dict[str, FromClause] = field(default_factory=dict)
    """New or changed rows of each feed."""
    stirred: dict[str, list[Table]] = field(default_factory=dict)
    """Keys of parent rows that have changed or gone to quarantine, by feed."""
    quantities: Table | None = None
    """Versions of lines that have several (R14, quantity changes), by `find_versions`."""
    conflicts: list[KeyConflict] = field(default_factory=list)
    """Different records of one file and key."""
    confirmed: set[RowId] = field(default_factory=set)
    """Rejected records of earlier runs whose key came again as it is loaded."""
    released: int = 0
    restated: int = 0

    def changed_feeds(self, connection: Connection) -> frozenset[str]:
        """Return the feeds with new or changed rows."""
        return frozenset(
            feed
            for feed, rows in self.changed.items()
            if connection.execute(select(literal(1)).select_from(rows).limit(1)).first()
        )

    def check(self, one: Check) -> None:
        """Add a rule's outcome. New rows and rechecked rows form one check."""
        for other in self.checks:
            if (other.feed, other.rule) == (one.feed, one.rule):
                other.rows_checked += one.rows_checked
                other.rows_failed += one.rows_failed
                return
        self.checks.append(one)
