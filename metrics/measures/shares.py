"""Shares whose parts are two totals of the catalog. No sum over one fact table can compute them."""

from dataclasses import replace

from sqlalchemy import Connection

from metrics.model.dimensions import SHARED_DIMENSIONS
from metrics.model.measure import Study
from metrics.model.question import NO_ROWS, Answer, Ask, Question
from metrics.model.statistics import divide, wilson


def share_of_total(measure: str, part: str, whole: str, dimension: str, *, also: tuple[str, ...] = ()) -> Study:
    """Return the share of each class of `dimension`: the total `part` of the class / the total `whole` of all classes.

    Both totals have the same period and the same other dimensions. A question without the dimension gets the share of
    all its classes together. also: further dimensions that both totals have.
    """

    def work(_: Connection, question: Question, ask: Ask) -> list[Answer]:
        others = tuple(name for name in question.by if name != dimension)
        elsewhere = tuple((name, values) for name, values in question.where if name != dimension)
        wholes = {
            _key(answer, others): answer
            for answer in ask(replace(question, measures=(whole,), by=others, where=elsewhere))
        }
        parts = {_key(answer, question.by): answer for answer in ask(replace(question, measures=(part,)))}
        if dimension not in question.by:
            # A whole without a part is a share of 0, not an unknown share.
            parts = {
                key: parts.get(key) or replace(answer, value=0, numerator=0, no_data=None)
                for key, answer in wholes.items()
            }
        return [_share(measure, answer, wholes.get(_key(answer, others))) for answer in parts.values()]

    return Study(work, tuple(dict.fromkeys((*SHARED_DIMENSIONS, dimension, *also))), periods=True)


def _key(answer: Answer, by: tuple[str, ...]) -> tuple[object, ...]:
    return (*[answer.dimensions[name] for name in by], answer.period)


def _share(measure: str, part: Answer, whole: Answer | None) -> Answer:
    lacking = part.no_data or (whole.no_data if whole is not None else NO_ROWS)
    total = whole.value if whole is not None and lacking is None else None
    value = divide(part.value, total) if lacking is None else None
    blank = Answer(part.dimensions, part.period, measure, value, numerator=part.value, denominator=total)
    if value is None or part.value is None or total is None:
        return replace(blank, no_data=lacking or NO_ROWS)
    low, high = wilson(part.value, total) or (None, None)
    return replace(blank, low=low, high=high, coverage=1.0, worst=value, best=value, judged=total, unknown=0)
