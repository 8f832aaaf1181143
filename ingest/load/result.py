"""What loading did: counts for the ledger, rows kept out, checks, and what changed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import FromClause, Table

from ingest.quarantine.records import RuleBreaks

RowId = tuple[int, int]
"""file_id and row_no: one record, for ever."""


@dataclass
class Counts:
    """What a run does to the ledger, per file_id."""

    loaded: Counter[int] = field(default_factory=Counter)
    quarantined: Counter[int] = field(default_factory=Counter)
    superseded: Counter[int] = field(default_factory=Counter)

    def supersede(self, rows: Iterable[tuple[int, int]]) -> None:
        """Count (file_id, n) rows as superseded that were counted as loaded."""
        for file_id, n in rows:
            self.loaded[file_id] -= n
            self.superseded[file_id] += n


@dataclass
class Check:
    """One rule across rows in one run, for `checks`."""

    feed: str
    rule: str
    column: str | None
    rows_checked: int
    rows_failed: int


@dataclass
class LoadResult:
    """What loading did, for the ledger, the quarantine and the rebuild."""

    counts: Counts = field(default_factory=Counts)
    held: dict[str, dict[RowId, RuleBreaks]] = field(default_factory=dict)
    """New rows kept out, by feed."""
    checks: list[Check] = field(default_factory=list)
    changed: dict[str, FromClause] = field(default_factory=dict)
    """The rows of each feed that are new or another version than before."""
    stirred: dict[str, list[Table]] = field(default_factory=dict)
    """Keys of loaded rows on which children stand and that are another version now, or gone to quarantine, by feed."""
    quantities: list[dict[str, Any]] = field(default_factory=list)
    """Changes of ordered_qty: order_id, line_no, before_qty, after_qty (rules R14)."""
    released: int = 0
    restated: int = 0

    def check(self, one: Check) -> None:
        """Note a rule's outcome: rows that come in and rows judged again are one check."""
        for other in self.checks:
            if (other.feed, other.rule) == (one.feed, one.rule):
                other.rows_checked += one.rows_checked
                other.rows_failed += one.rows_failed
                return
        self.checks.append(one)
