"""Some orders judged again under another policy than the strict one, into a temporary table that a ledger's SELECT
joins.

A statement holds one judgement (its steps are named), and as many orders as memory can bear: hence the table, filled
part by part.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, FromClause, Insert, Select, String, Table, bindparam, func, insert, select

from metrics.facts.fact_table import BuildContext
from metrics.facts.orders import order_facts
from metrics.facts.orders.tables import order_facts_table
from metrics.policy import Policy
from metrics.sql.temporary_tables import temporary_table

ORDERS_PER_BATCH = 50_000
"""Orders judged in one statement; see rebuild.py."""


@contextmanager
def rejudge(
    connection: Connection,
    name: str,
    policy: Policy,
    context: BuildContext,
    order_ids: Select[tuple[str]],
    columns: Sequence[str],
) -> Iterator[Table]:
    """A temporary table called `name` with order_id and these columns of order_facts, of the orders named, judged under
    the policy; dropped after.
    """
    wanted = temporary_table(f"{name}_orders", {"order_id": order_facts_table.c.order_id.type})
    judged = temporary_table(name, {column: order_facts_table.c[column].type for column in ("order_id", *columns)})
    wanted.create(connection)
    judged.create(connection)
    connection.execute(insert(wanted).from_select(["order_id"], order_ids))
    if parts := batches(connection, wanted, ORDERS_PER_BATCH):
        fill = _judgement(judged, wanted, policy, context)
        for first_order, last_order in parts:
            connection.execute(fill, {"first_order": first_order, "last_order": last_order})
    yield judged
    judged.drop(connection)
    wanted.drop(connection)


def _judgement(judged: Table, wanted: Table, policy: Policy, context: BuildContext) -> Insert:
    """The statement that judges one part of the orders wanted."""
    first, last = bindparam("first_order", type_=String), bindparam("last_order", type_=String)
    part = select(wanted.c.order_id).where(wanted.c.order_id.between(first, last)).subquery("part")
    anew = order_facts(policy, context.as_of, context.mapped, only=part).subquery("judged")
    return insert(judged).from_select(
        [c.name for c in judged.columns], select(*[anew.c[c.name] for c in judged.columns])
    )


def batches(connection: Connection, ids: FromClause, size: int) -> list[tuple[str, str]]:
    """First and last order_id of parts of `size` orders."""
    place = (func.row_number().over(order_by=ids.c.order_id) - 1).label("place")
    placed = select(ids.c.order_id, place).subquery()
    found = select(func.min(placed.c.order_id), func.max(placed.c.order_id)).group_by(
        placed.c.place - placed.c.place % size
    )
    return sorted((first, last) for first, last in connection.execute(found))
