"""Targets of a view, including the weighted target of several segments or customers.

Targets are those of the last day of the view. For several segments or customers the target is their own targets,
weighted by judged orders. A segment or customer without its own target weighs with the target it is judged against
alone. If none of them has its own target, the target for everyone applies.

Source: R31 (group totals and targets).
"""

from datetime import date

from sqlalchemy import Connection

from metrics.lists.options import targets_on
from metrics.measures.catalog import canonical
from metrics.model.question import Question
from metrics.model.statistics import Number
from metrics.queries.answer import answer
from metrics.schema import Row
from metrics.targets.targets import SCOPED, group_target, scope_of, target_for

Where = tuple[tuple[str, tuple[str, ...]], ...]


def targets_in_view(connection: Connection, *, start: date | None, end: date, where: Where) -> list[Row]:
    """Return `options.targets_on` of the last day, plus a row of scope `scope_of(...)` for several segments or
    customers.
    """
    rows = [{**row, "measure": canonical(row["measure"])} for row in targets_on(connection, end)]
    combined: list[Row] = []
    for name in SCOPED:
        values = dict(where).get(name, ())
        scopes = [scope_of(name, (value,)) for value in values]
        measures = sorted({row["measure"] for row in rows if row["scope"] in scopes})
        if len(values) > 1 and measures:
            judged = _judged_orders(
                connection, name, Question(("judged_orders",), by=(name,), start=start, end=end, where=where)
            )
            rest = tuple(condition for condition in where if condition[0] != name)
            combined += [
                row
                for measure in measures
                if (row := _combined_target(rows, measure, scope_of(name, values), judged, rest)) is not None
            ]
    return rows + combined


def _judged_orders(connection: Connection, name: str, question: Question) -> dict[str, Number]:
    return {
        scope_of(name, (str(result.dimensions[name]),)): result.value
        for result in answer(connection, question)
        if result.value
    }


def _combined_target(rows: list[Row], measure: str, scope: str, judged: dict[str, Number], rest: Where) -> Row | None:
    own = {row["scope"]: row for row in rows if row["measure"] == measure}
    fallback = target_for(rows, measure, rest)
    if fallback is not None:
        default = {"measure": measure, "target_value": fallback.value, "tolerance": fallback.tolerance}
        own = {**{segment: {**default, "scope": segment} for segment in judged}, **own}
    target = group_target(own.values(), measure, judged)
    return (
        None
        if target is None
        else {"measure": measure, "scope": scope, "target_value": target.value, "tolerance": target.tolerance}
    )
