"""The targets of a view: those that apply on its last day, and of several segments or customers together theirs,
weighted by judged orders (R31).

A segment or customer without a target of its own weighs with the one it is judged against alone. Where none of them has
its own there is nothing to weigh: what the view is judged against then is everyone's, as ever.
"""

from datetime import date
from typing import Any

from sqlalchemy import Connection

from metrics.lists.options import targets_on
from metrics.model.question import Question
from metrics.model.statistics import Number
from metrics.queries.answer import answer
from metrics.targets.targets import SCOPED, group_target, scope_of, target_for

Row = dict[str, Any]
Where = tuple[tuple[str, tuple[str, ...]], ...]


def targets_in_view(connection: Connection, *, start: date | None, end: date, where: Where) -> list[Row]:
    """`listing.targets_on` of the last day, with a row of scope `scope_of(...)` for what is several segments or
    customers together.
    """
    rows = targets_on(connection, end)
    together: list[Row] = []
    for name in SCOPED:
        values = dict(where).get(name, ())
        scopes = [scope_of(name, (value,)) for value in values]
        measures = sorted({row["measure"] for row in rows if row["scope"] in scopes})
        if len(values) > 1 and measures:
            judged = _judged(
                connection, name, Question(("judged_orders",), by=(name,), start=start, end=end, where=where)
            )
            rest = tuple(one for one in where if one[0] != name)
            together += [
                row
                for measure in measures
                if (row := _together(rows, measure, scope_of(name, values), judged, rest)) is not None
            ]
    return rows + together


def _judged(connection: Connection, name: str, question: Question) -> dict[str, Number]:
    return {
        scope_of(name, (str(one.dimensions[name]),)): one.value for one in answer(connection, question) if one.value
    }


def _together(rows: list[Row], measure: str, scope: str, judged: dict[str, Number], rest: Where) -> Row | None:
    own = {row["scope"]: row for row in rows if row["measure"] == measure}
    others = target_for(rows, measure, rest)
    if others is not None:
        stands_in = {"measure": measure, "target_value": others.value, "tolerance": others.tolerance}
        own = {**{one: {**stands_in, "scope": one} for one in judged}, **own}
    found = group_target(own.values(), measure, judged)
    return (
        None
        if found is None
        else {"measure": measure, "scope": scope, "target_value": found.value, "tolerance": found.tolerance}
    )
