"""Consistency checks on facts and rollups. A run that fails a check is not published.

Source: P13 (consistency checks).
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Integer, Table, and_, cast, func, literal, or_, select

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.queries.rollups import ROLLUPS
from metrics.sql.dialects import Expression, count_if


@dataclass(frozen=True)
class ConsistencyCheck:
    """The result of one check on a table: how many rows were checked and how many failed."""

    name: str
    table: str
    rows_checked: int
    rows_failed: int


def check_consistency(connection: Connection) -> list[ConsistencyCheck]:
    """Run every check and return the results.

    - `otif` equals `on_time` and `complete`. So OTIF lies between OT + IF - 1 and the lesser of OT and IF.
    - A perfect order passes every test.
    - Filled quantities lie between 0 and the owed quantity.
    - Every rollup sums as many rows as its fact table has.
    """
    return [*_orders(connection), *_lines(connection), *_rollups(connection)]


def _orders(connection: Connection) -> list[ConsistencyCheck]:
    o = order_facts_table.c
    all_known = and_(o.on_time.is_not(None), o.complete.is_not(None), o.otif.is_not(None))
    tests = (o.otif, o.damage_free, o.filled_accurately, o.billed_accurately)
    return _counted(
        connection,
        order_facts_table,
        {
            "otif_is_on_time_and_complete": and_(
                all_known, _number(o.otif) != _number(o.on_time) * _number(o.complete)
            ),
            "perfect_order_passes_every_test": and_(
                o.perfect_order.is_(True), or_(*[test.is_not(True) for test in tests])
            ),
            "failed_test_is_no_perfect_order": and_(
                o.state == "judged", o.perfect_order.is_not(False), or_(*[test.is_(False) for test in tests])
            ),
        },
    )


def _lines(connection: Connection) -> list[ConsistencyCheck]:
    line = order_line_facts_table.c
    zero = literal(0, Integer)
    within = {
        f"{name}_between_0_and_owed": or_(line[name] < zero, line[name] > line.owed_qty)
        for name in ("filled_qty", "filled_most_qty", "first_pass_qty", "in_window_qty", "in_window_most_qty")
    }
    return _counted(
        connection,
        order_line_facts_table,
        within | {"filled_at_most_what_is_possible": line.filled_qty > line.filled_most_qty},
    )


def _rollups(connection: Connection) -> list[ConsistencyCheck]:
    checks = []
    for rollup in ROLLUPS:
        summed = connection.execute(select(func.coalesce(func.sum(rollup.table.c.rows_summed), 0))).scalar_one()
        expected = connection.execute(
            select(func.count()).select_from(rollup.facts).where(rollup.facts.c[rollup.date].is_not(None))
        ).scalar_one()
        failed = abs(int(summed) - int(expected))
        checks.append(ConsistencyCheck("sums_every_row", rollup.table.name, int(expected), failed))
    return checks


def _number(verdict: Expression) -> Expression:
    return cast(verdict, Integer)


def _counted(connection: Connection, facts: Table, broken: dict[str, Expression]) -> list[ConsistencyCheck]:
    """Count the rows of a fact table, and the rows that meet each condition of `broken`."""
    row = connection.execute(
        select(func.count(), *[count_if(func.coalesce(condition, False)) for condition in broken.values()]).select_from(
            facts
        )
    ).one()
    return [
        ConsistencyCheck(name, facts.name, int(row[0]), int(failed))
        for name, failed in zip(broken, row[1:], strict=True)
    ]
