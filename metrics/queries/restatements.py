"""As known then and now: answers of an older generation next to a newer one, with the records that changed between.

Source: docs/rules.md, Two books (restated_since).
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Select, func, select

from metrics.model.question import Answer, Question
from metrics.model.statistics import Number
from metrics.queries.answer import answer
from metrics.queries.scope import reading, scope_of
from metrics.schema import restatements, run_files, runs
from metrics.warehouse import Location, current
from metrics.warehouse.pointer import read_pointer


@dataclass(frozen=True)
class Restated:
    """One answer then and now. None if that generation has no such key."""

    dimensions: dict[str, str | None]
    measure: str
    then: Answer | None
    now: Answer | None

    @property
    def change(self) -> Number | None:
        """Now minus then, in the measure's unit (a share in points / 100), or None if either has no value."""
        if self.then is None or self.now is None or self.then.value is None or self.now.value is None:
            return None
        if isinstance(self.then.value, float) or isinstance(self.now.value, float):
            return float(self.now.value) - float(self.then.value)
        return self.now.value - self.then.value


@dataclass(frozen=True)
class RestatedKey:
    """One record that changed between the generations. `before` and `after` are JSON of the changed columns."""

    run_id: int
    feed: str
    key: str
    before: str
    after: str
    why: str


@dataclass(frozen=True)
class FeedDelta:
    """Rows of one feed loaded between the generations: given, present versions, in quarantine, and replaced or
    repeated.
    """

    feed: str
    rows_in: int
    rows_loaded: int
    rows_quarantined: int
    rows_superseded: int


def kept_generations(location: Location) -> list[int]:
    """Return the generations that can be read, newest first. A server keeps the newest only."""
    if location.folder is not None:
        return [generation.number for generation in read_pointer(location.folder)]
    newest = current(location)
    return [newest.number] if newest is not None else []


def loaded_since(connection: Connection, generation: int) -> list[FeedDelta]:
    """Return the rows that runs after a generation loaded, by feed, as counted in the open generation."""
    c = run_files.c
    names = ("rows_in", "rows_loaded", "rows_quarantined", "rows_superseded")
    sums = [func.sum(c[name]).label(name) for name in names]
    summed = select(c.feed, *sums).where(c.run_id.in_(_runs_since(generation))).group_by(c.feed).order_by(c.feed)
    return [FeedDelta(row.feed, *[int(getattr(row, name)) for name in names]) for row in connection.execute(summed)]


def compare_generations(
    connection: Connection, location: Location, question: Question, generation: int
) -> tuple[list[Restated], list[RestatedKey], list[FeedDelta]]:
    """Return the answers then and now, the keys restated between (oldest first), and the rows loaded between, by feed.

    generation: then; now: a newer generation (default: the newest). Raises GenerationGone if a generation is no longer
    kept (a server keeps the newest only), and NothingPublished if there is none.
    """
    with reading(location, scope_of(connection), generation) as older:
        then = {_key(result): result for result in answer(older, question)}
    later = {_key(result): result for result in answer(connection, question)}
    c = restatements.c
    changed = select(c.run_id, c.feed, c.key, c.before, c.after, c.why).where(c.run_id.in_(_runs_since(generation)))
    keys = [RestatedKey(*row) for row in connection.execute(changed.order_by(c.run_id, c.feed, c.key))]
    deltas = loaded_since(connection, generation)
    pairs = [(then.get(key), later.get(key)) for key in dict.fromkeys((*later, *then))]
    return (
        [
            Restated(result.dimensions, result.measure, old, new)
            for old, new in pairs
            if (result := new or old) is not None
        ],
        keys,
        deltas,
    )


def _runs_since(generation: int) -> Select[tuple[int]]:
    return select(runs.c.run_id).where(runs.c.generation > generation)


def _key(result: Answer) -> tuple[object, ...]:
    return (*result.dimensions.items(), result.period, result.measure)
