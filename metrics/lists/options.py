"""Filter values, the date range of the data, and the targets of a day.

Rates and totals are not here: `metrics/queries/answer.py` computes them.
"""

from datetime import date

from sqlalchemy import Connection, func, select

from metrics.facts.orders import order_facts_table
from metrics.lists.order_story import _alive
from metrics.lists.rows import Row, _dimension, rows_of
from metrics.schema import (
    targets,
)


def options(connection: Connection, dimension: str, *, limit: int = 500) -> list[str]:
    """Return the dimension values of orders, in alphabetical order; empty if there are more than `limit`."""
    value = _dimension(dimension)
    inner = select(value.label("value")).distinct().subquery()
    found = [
        row["value"] for row in rows_of(connection, select(inner.c.value).order_by(inner.c.value).limit(limit + 1))
    ]
    return found if len(found) <= limit else []


def date_range(connection: Connection) -> Row:
    """Return the first and last `due_day` and the number of `orders` of the generation."""
    due = order_facts_table.c.due_day
    return rows_of(
        connection,
        select(func.min(due).label("first_day"), func.max(due).label("last_day"), func.count().label("orders")),
    )[0]


# -------------------------------------------------------------------------------------------------------------- targets
def targets_on(connection: Connection, day: date) -> list[Row]:
    """Return the targets that apply on a day: `measure`, `scope`, `target_value`, `tolerance`; the latest of several
    versions.
    """
    table = targets.c
    applying = (
        select(targets)
        .where(_alive(targets), table.valid_from <= day)
        .order_by(table.measure, table.scope, table.valid_from)
    )
    latest = {(row["measure"], row["scope"]): row for row in rows_of(connection, applying)}
    return [{name: row[name] for name in ("measure", "scope", "target_value", "tolerance")} for row in latest.values()]
