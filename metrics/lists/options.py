"""Lists and stories: the rows behind the numbers, as a person reads them. One function, one list.

Failed orders and one order's records, why orders fail, and ingest's ledger (runs, files, checks, quarantine,
restatements, stand-ins). Rates and totals are not here: `query.py` answers those. Every function takes a reading
connection and keyword arguments, and returns plain dictionaries, one per row, so that a page, the command line and an
alert can show the same rows.

Source: design, screens (Failed orders, Order story, Data quality); rules P9: a drill-down lists exactly the rows its
number counts.
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
    """Values of a dimension that orders have, in alphabetical order; empty if there are more than `limit`."""
    value = _dimension(dimension)
    inner = select(value.label("value")).distinct().subquery()
    found = [
        row["value"] for row in rows_of(connection, select(inner.c.value).order_by(inner.c.value).limit(limit + 1))
    ]
    return found if len(found) <= limit else []


def date_range(connection: Connection) -> Row:
    """First and last `due_day`, and how many `orders` there are, as of the generation read."""
    due = order_facts_table.c.due_day
    return rows_of(
        connection,
        select(func.min(due).label("first_day"), func.max(due).label("last_day"), func.count().label("orders")),
    )[0]


# -------------------------------------------------------------------------------------------------------------- targets
def targets_on(connection: Connection, day: date) -> list[Row]:
    """Targets that apply on a day: `measure`, `scope`, `target_value`, `tolerance`; of several versions the latest."""
    table = targets.c
    applying = (
        select(targets)
        .where(_alive(targets), table.valid_from <= day)
        .order_by(table.measure, table.scope, table.valid_from)
    )
    latest = {(row["measure"], row["scope"]): row for row in rows_of(connection, applying)}
    return [{name: row[name] for name in ("measure", "scope", "target_value", "tolerance")} for row in latest.values()]
