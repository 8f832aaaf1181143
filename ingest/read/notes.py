"""Notes about reading: what was skipped or read in a special way, and feeds without records."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """A note for the summary of the run, `--json` and the data quality page."""

    feed: str
    code: str
    message: str
    object_name: str | None = None
    rows: int = 0
    column: str | None = None
