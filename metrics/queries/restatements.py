"""As known then, now: what a measure said in an older generation, what it says in a later one, and which records came
and changed between.

Source: the brief; rules, section 4 (k), restated_since.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Select, func, select

from metrics.model.question import Answer, Question
from metrics.model.statistics import Number
from metrics.queries.answer import answer
from metrics.schema import restatements, run_files, runs
from metrics.warehouse import Location, current, reading
from metrics.warehouse.pointer import read_pointer


@dataclass(frozen=True)
class Restated:
    """One answer of a measure then and now. Either is None where that generation had no such key."""

    dimensions: dict[str, str | None]
    measure: str
    then: Answer | None
    now: Answer | None

    @property
    def change(self) -> Number | None:
        """Now less then, in the measure's unit (for a share: percentage points / 100); None where either has no value."""
        if self.then is None or self.now is None or self.then.value is None or self.now.value is None:
            return None
        if isinstance(self.then.value, float) or isinstance(self.now.value, float):
            return float(self.now.value) - float(self.then.value)
        return self.now.value - self.then.value


@dataclass(frozen=True)
class RestatedKey:
    """One record changed between the two: `before` and `after` are JSON of the changed columns."""

    run_id: int
    feed: str
    key: str
    before: str
    after: str
    why: str


@dataclass(frozen=True)
class FeedDelta:
    """What the runs since brought of one feed: rows given, and of them present versions, in quarantine, and replaced or
    repeated.
    """

    feed: str
    rows_in: int
    rows_loaded: int
    rows_quarantined: int
    rows_superseded: int


def kept_generations(location: Location) -> list[int]:
    """The generations that can be read, the newest first; a server keeps the newest only."""
    if location.folder is not None:
        return [one.number for one in read_pointer(location.folder)]
    newest = current(location)
    return [newest.number] if newest is not None else []


def loaded_since(connection: Connection, generation: int) -> list[FeedDelta]:
    """What the runs after a generation brought, by feed, as the generation that is read knows it."""
    f = run_files.c
    names = ("rows_in", "rows_loaded", "rows_quarantined", "rows_superseded")
    sums = [func.sum(f[name]).label(name) for name in names]
    summed = select(f.feed, *sums).where(f.run_id.in_(_runs_since(generation))).group_by(f.feed).order_by(f.feed)
    return [FeedDelta(row.feed, *[int(getattr(row, name)) for name in names]) for row in connection.execute(summed)]


def compare_generations(
    connection: Connection, location: Location, question: Question, generation: int
) -> tuple[list[Restated], list[RestatedKey], list[FeedDelta]]:
    """Compare the answers to a question in an older generation with those in the generation of the connection.

    Returns the answers in pairs, the records restated since (the oldest first), and the rows loaded since, by feed.
    Raises GenerationGone if the older generation is not kept (a server keeps the newest only).
    """
    with reading(location, generation) as older:
        then = {_key(one): one for one in answer(older, question)}
    later = {_key(one): one for one in answer(connection, question)}
    r = restatements.c
    changed = select(r.run_id, r.feed, r.key, r.before, r.after, r.why).where(r.run_id.in_(_runs_since(generation)))
    keys = [RestatedKey(*row) for row in connection.execute(changed.order_by(r.run_id, r.feed, r.key))]
    brought = loaded_since(connection, generation)
    pairs = [(then.get(key), later.get(key)) for key in dict.fromkeys((*later, *then))]
    return (
        [Restated(one.dimensions, one.measure, old, new) for old, new in pairs if (one := new or old) is not None],
        keys,
        brought,
    )


def _runs_since(generation: int) -> Select[tuple[int]]:
    return select(runs.c.run_id).where(runs.c.generation > generation)


def _key(one: Answer) -> tuple[object, ...]:
    return (*one.dimensions.items(), one.period, one.measure)
