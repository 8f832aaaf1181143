"""As known then, now: what a measure said in an older generation, what it says in the newest, and which records were restated between.

Source: the brief; rules, section 4 (k), restated_since.
"""

from dataclasses import dataclass

from sqlalchemy import select

from metrics.numbers import Number
from metrics.query import answer
from metrics.question import Answer, Question
from metrics.schema import restatements, runs
from metrics.warehouse import Location, reading


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


def restated_since(location: Location, question: Question, generation: int) -> tuple[list[Restated], list[RestatedKey]]:
    """Every answer to a question in that generation beside the newest one's, and the keys restated since, oldest first.

    Raises GenerationGone where the generation is not kept any more (a server keeps the newest only) and NothingPublished where there is none.
    """
    with reading(location, generation) as connection:
        then = {_key(one): one for one in answer(connection, question)}
    with reading(location) as connection:
        now = {_key(one): one for one in answer(connection, question)}
        r = restatements.c
        later = select(runs.c.run_id).where(runs.c.generation > generation)
        changed = select(r.run_id, r.feed, r.key, r.before, r.after, r.why).where(r.run_id.in_(later)).order_by(r.run_id, r.feed, r.key)
        keys = [RestatedKey(*row) for row in connection.execute(changed)]
    pairs = [(then.get(key), now.get(key)) for key in dict.fromkeys((*now, *then))]
    return [Restated(one.dimensions, one.measure, old, new) for old, new in pairs if (one := new or old) is not None], keys


def _key(one: Answer) -> tuple[object, ...]:
    return (*one.dimensions.items(), one.period, one.measure)
