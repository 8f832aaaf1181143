"""Judge some orders under a policy other than the strict one, and store the verdicts in a temporary table.

The SELECT of a fact table then joins the temporary table. Judging and joining are separate statements, because the
steps of the judgement have fixed names and can appear only once in a statement. The temporary table is filled batch by
batch to limit memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, FromClause, Insert, Select, String, Table, bindparam, func, insert, select

from metrics.facts.fact_table import BuildContext
from metrics.facts.orders import order_facts
from metrics.facts.orders.tables import order_facts_table
from metrics.policy import Policy
from metrics.schema import order_lines
from metrics.sql.temporary_tables import temporary_table

LINES_PER_BATCH = 125_000
"""Order lines judged in one statement. DuckDB needs 9 kB of memory per line; more would go to disk.

Spark judges all orders in one statement: it divides the work among its workers, and plans a statement for seconds.
"""

TIMING_COLUMNS = frozenset(("state", "on_time", "on_time_reason", "complete", "complete_reason", "otif", "otif_reason"))
"""Columns of the order facts that depend on orders, promises and shipments only."""


def mapped_for_timing(mapped: frozenset[str]) -> frozenset[str]:
    """Return the mapped columns without those that no column of TIMING_COLUMNS needs.

    Invoices, returns and exchange rates do not affect them. Without these feeds the judgement needs fewer joins.
    """
    return frozenset(name for name in mapped if name.split(".")[0] not in ("invoice_lines", "returns", "fx_rates"))


@contextmanager
def rejudge(
    connection: Connection,
    name: str,
    policy: Policy,
    context: BuildContext,
    order_ids: Select[tuple[str]],
    columns: Sequence[str],
) -> Iterator[Table]:
    """Judge the given orders under the policy, and yield a temporary table with the verdicts.

    The table is called `name`. It has `order_id` and the given columns of the order facts. It is dropped at the end.
    """
    wanted = temporary_table(f"{name}_orders", {"order_id": order_facts_table.c.order_id.type})
    judged = temporary_table(name, {column: order_facts_table.c[column].type for column in ("order_id", *columns)})
    wanted.create(connection)
    judged.create(connection)
    connection.execute(insert(wanted).from_select(["order_id"], order_ids))
    if batches := order_batches(connection, wanted):
        judge_batch = _judgement(judged, wanted, policy, context)
        for first_order, last_order in batches:
            connection.execute(judge_batch, {"first_order": first_order, "last_order": last_order})
    yield judged
    judged.drop(connection)
    wanted.drop(connection)


def _judgement(judged: Table, wanted: Table, policy: Policy, context: BuildContext) -> Insert:
    """Return the statement that judges one batch of the wanted orders."""
    first, last = bindparam("first_order", type_=String), bindparam("last_order", type_=String)
    part = select(wanted.c.order_id).where(wanted.c.order_id.between(first, last)).subquery("part")
    verdicts = order_facts(policy, context.as_of, context.mapped, only=part).subquery("judged")
    return insert(judged).from_select(
        [c.name for c in judged.columns], select(*[verdicts.c[c.name] for c in judged.columns])
    )


def order_batches(connection: Connection, ids: FromClause) -> list[tuple[str, str]]:
    """Return the first and last order_id of each batch of orders, with about LINES_PER_BATCH order lines together.

    An order counts as one line more than it has, and is never divided. On Spark, return one batch.
    """
    if connection.dialect.name == "spark":
        first, last = connection.execute(select(func.min(ids.c.order_id), func.max(ids.c.order_id))).one()
        return [] if first is None else [(first, last)]
    sized = (
        select(ids.c.order_id, (func.count(order_lines.c.line_no) + 1).label("size"))
        .outerjoin(order_lines, order_lines.c.order_id == ids.c.order_id)
        .group_by(ids.c.order_id)
        .subquery()
    )
    before = (func.sum(sized.c.size).over(order_by=sized.c.order_id) - sized.c.size).label("before")
    placed = select(sized.c.order_id, before).subquery()
    bounds = select(func.min(placed.c.order_id), func.max(placed.c.order_id)).group_by(
        placed.c.before - placed.c.before % LINES_PER_BATCH
    )
    return sorted((first, last) for first, last in connection.execute(bounds))
