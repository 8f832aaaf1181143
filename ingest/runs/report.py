"""Report of a run, for the summary table, `--json` and the run history."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from ingest.quarantine.records import Rejected
from ingest.runs.run_state import RunState, was_kept_out
from ingest.storage.run_warnings import RunWarning


@dataclass(frozen=True)
class FileReport:
    """A source object read for one feed. The last three counts add up to rows_in."""

    feed: str
    name: str
    sha256: str
    rows_in: int
    rows_loaded: int
    rows_quarantined: int
    rows_superseded: int
    repeated: bool = False
    """True: this content was read in an earlier run and was skipped."""


@dataclass(frozen=True)
class RuleReport:
    """A rule that rows of a feed broke, with an example."""

    feed: str
    rule: str
    column: str | None
    rows: int
    message: str
    example: str


@dataclass(frozen=True)
class RunReport:
    """Report of a run."""

    run_id: int | None
    generation: int | None
    source: str
    outcome: str
    """published; unchanged (all objects were read before, nothing was published); checked (dry run)."""
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
    warnings: tuple[RunWarning, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return plain JSON values, with moments as ISO text in UTC."""
        values = asdict(self)
        for name in ("started_at", "finished_at", "data_as_of"):
            values[name] = f"{values[name].isoformat()}Z" if values[name] is not None else None
        return values


def build_report(state: RunState, outcome: str, generation: int | None) -> RunReport:
    """Build the report of a run, or of the steps it has completed."""
    first, counts = state.known.next_file_id, state.loaded.counts
    unreadable = Counter(
        number for feed in state.rejected.values() for (number, _), row in feed.items() if not was_kept_out(state, row)
    )
    files = [
        FileReport(
            source.feed,
            source.name,
            source.sha256,
            source.rows_in,
            counts.loaded[first + source.number],
            counts.quarantined[first + source.number] + unreadable[source.number],
            counts.superseded[first + source.number],
        )
        for source in state.objects
    ]
    files += [
        FileReport(source.feed, source.name, source.sha256, source.rows_in, 0, 0, source.rows_in, repeated=True)
        for source in state.reading.repeated
    ]
    return RunReport(
        run_id=state.known.next_run_id if outcome == "published" else None,
        generation=generation,
        source=state.mapping.name,
        outcome=outcome,
        started_at=state.started_at,
        finished_at=datetime.now(UTC).replace(tzinfo=None),
        data_as_of=state.as_of,
        data_as_of_declared=state.mapping.data_as_of is not None,
        files=tuple(files),
        rules_broken=tuple(_rules_broken(state)),
        checks=len(state.checks),
        checks_failed=sum(1 for check in state.checks if check["rows_failed"]),
        released=state.loaded.released,
        restated=state.loaded.restated,
        warnings=tuple(state.warnings),
    )


def _rules_broken(state: RunState) -> Iterator[RuleReport]:
    names = {source.number: source.name for source in state.objects}
    rows_by_rule: dict[tuple[str, str, str | None], list[tuple[Rejected, str]]] = {}
    for feed, rejected in state.rejected.items():
        for row in rejected.values():
            for rule in row.rules:
                rows_by_rule.setdefault((feed, rule.rule, rule.column), []).append((row, rule.message))
    for (feed, rule_name, column), rows in sorted(rows_by_rule.items(), key=lambda item: -len(item[1])):
        row, message = min(rows, key=lambda item: (item[0].object_no, item[0].row_no))
        yield RuleReport(feed, rule_name, column, len(rows), message, f"{names[row.object_no]}, record {row.row_no}")
