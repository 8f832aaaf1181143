"""What one run did, for the summary table, `--json` and the history."""

from dataclasses import asdict, dataclass
from datetime import datetime


@dataclass(frozen=True)
class FileReport:
    """One source object given to one feed; the last three counts add up to rows_in."""

    feed: str
    name: str
    sha256: str
    rows_in: int
    rows_loaded: int
    rows_quarantined: int
    rows_superseded: int
    repeated: bool = False
    """True: this content was taken before and was not read again."""


@dataclass(frozen=True)
class RuleReport:
    """One rule that rows of a feed broke, with one example."""

    feed: str
    rule: str
    column: str | None
    rows: int
    message: str
    example: str


@dataclass(frozen=True)
class RunReport:
    """One run."""

    run_id: int | None
    generation: int | None
    source: str
    outcome: str
    """published; unchanged (every object was taken before, so nothing was published); checked (a dry run)."""
    started_at: datetime
    finished_at: datetime
    data_as_of: datetime | None
    data_as_of_declared: bool
    files: tuple[FileReport, ...]
    rules_broken: tuple[RuleReport, ...]
    checks: int
    checks_failed: int
    released: int
    restated: int

    def to_json(self) -> dict[str, object]:
        """The same as plain JSON values; moments as ISO text in UTC."""
        values = asdict(self)
        for name in ("started_at", "finished_at", "data_as_of"):
            values[name] = f"{values[name].isoformat()}Z" if values[name] is not None else None
        return values
