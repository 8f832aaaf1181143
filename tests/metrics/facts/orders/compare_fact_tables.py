"""Compare the other fact tables with the reference implementation: anchors, groups, contracts, clocks, stockouts."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Select, Table, delete, insert, select

from metrics.facts import (
    anchor_dates,
    contract_verdicts,
    cycle_times,
    delivery_groups,
    invoices,
    order_intervals,
    stockouts,
)
from metrics.facts.fact_table import BuildContext
from metrics.facts.money import movements
from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import (
    facts_metadata,
    order_facts_from_lines,
    order_facts_table,
    order_line_facts,
    order_line_facts_table,
)
from metrics.policy import STRICT as STRICT_POLICY
from metrics.sql.dialects import analyze, count_if, sum_if
from tests.metrics.facts.orders.worlds import load
from tests.reference.cycle_times import clocks
from tests.reference.findings import VERDICTS, Finding
from tests.reference.inputs import STRICT, Inputs
from tests.reference.judgements import OrderJudgement
from tests.reference.money import sales_by_order
from tests.reference.random_worlds import World
from tests.reference.stockouts import stockouts as reference_stockouts
from tests.reference.verdicts import contracts as judge_by_contract
from tests.reference.verdicts import invoices as judge_invoices
from tests.reference.verdicts import judge

Columns = dict[str, Any]  # Any: columns of any type
Key = str | tuple[object, ...]


def filled_fact_tables(connection: Connection, world: World) -> dict[str, list[Any]]:
    """Return the rows of the fact tables, computed from strict facts as in a rebuild."""
    facts_metadata.create_all(connection)
    load(connection, world.records, world.as_of)
    rows: list[tuple[Table, Select[*tuple[object, ...]]]] = [
        (order_line_facts_table, order_line_facts(STRICT_POLICY, world.as_of, world.mapped))
    ]
    rows.append((order_facts_table, order_facts_from_lines(order_line_facts_table, world.as_of)))
    for table, filling in rows:
        fill(connection, table, [filling])
    found: dict[str, list[Any]] = {}
    for fact_table in (
        *anchor_dates.FACT_TABLES,
        *delivery_groups.FACT_TABLES,
        *contract_verdicts.FACT_TABLES,
        *cycle_times.FACT_TABLES,
        *invoices.FACT_TABLES,
        *order_intervals.FACT_TABLES,
        *stockouts.FACT_TABLES,
        *movements.FACT_TABLES,
    ):
        fill(connection, fact_table.table, fact_table.select_rows(connection, BuildContext(world.as_of, world.mapped)))
        if fact_table.table is not money_facts_table:
            found[fact_table.table.name] = list(connection.execute(select(fact_table.table)).mappings())
    return found | {"net_sales": list(connection.execute(net_sales_by_order()).mappings())}


def net_sales_by_order() -> Select[*tuple[object, ...]]:
    """Return the net sales of each order, and the number of lines without a rate."""
    m = money_facts_table.c
    return (
        select(
            m.order_id,
            sum_if(m.amount.is_not(None), m.amount).label("net_sales"),
            count_if(m.amount.is_(None)).label("left_out"),
        )
        .where(m.kind == "net_sales")
        .group_by(m.order_id)
    )


def fill(connection: Connection, table: Table, rows: Iterable[Select[*tuple[object, ...]]]) -> None:
    connection.execute(delete(table))
    for filling in rows:
        connection.execute(insert(table).from_select([column.name for column in table.columns], filling))
    analyze(connection, table)


def verdict_columns(findings: dict[str, Finding], *, whole: str) -> Columns:
    """Return the verdicts of an order or a group by the column names of a fact table."""
    columns: Columns = {whole: findings["perfect_order"].verdict}
    for name in VERDICTS:
        columns[name], columns[f"{name}_reason"] = findings[name].verdict, findings[name].reason
    return columns


def reference_rows(world: World) -> dict[str, dict[Key, Columns]]:
    """Return the rows of the reference implementation: fact table to key to columns."""
    strict = judge(world.records, {}, world.as_of, world.mapped).orders
    sales = {order_id: order for order_id, order in strict.items() if order.order_type == "sale"}
    inputs = Inputs(world.records, STRICT, world.as_of, world.mapped)
    return {
        "cycle_facts": cycle_rows(inputs, sales),
        "anchors": anchor_rows(world, sales),
        "delivery_groups": {
            (order_id, deadline): {"state": group.state} | verdict_columns(group.findings, whole="perfect_group")
            for order_id, order in sales.items()
            for deadline, group in order.groups.items()
        },
        "contracts": contract_rows(world, sales),
        "stockout_facts": {
            (stockout.order_id, stockout.line_no, stockout.stockout_id): {
                name: getattr(stockout, name) for name in STOCKOUT_COLUMNS
            }
            | {"event_at": stockout.at}
            for stockout in reference_stockouts(inputs)
        },
        "invoice_facts": {
            invoice_id: {"right_first_time": finding.verdict, "reason": finding.reason}
            for invoice_id, finding in judge_invoices(inputs).items()
        }
        if inputs.fed("invoice_lines")
        else {},
        "net_sales": {order_id: dict(columns) for order_id, columns in sales_by_order(inputs).items()},
    }


STOCKOUT_COLUMNS = ("short_qty", "gap_days", "horizon_day", "outcome", "provisional", "contradicted")
CYCLE_COLUMNS = ("state", "due_day", "arrived_day", "cycle_days", "on_time_attributable")


def cycle_rows(inputs: Inputs, sales: dict[str, OrderJudgement]) -> dict[Key, Columns]:
    """Return the clocks of each sale. An order whose own record is in quarantine has none."""
    rows = {row["order_id"]: row for row in inputs.feeds["orders"]}
    return {
        order_id: {name: getattr(order, name) for name in CYCLE_COLUMNS} | clocks(inputs, order, rows[order_id])
        for order_id, order in sales.items()
        if not rows[order_id].get("in_quarantine")
    }


def anchor_rows(world: World, sales: dict[str, OrderJudgement]) -> dict[Key, Columns]:
    """Return the timing verdicts of each sale by the first promise, the requested date and the current promise."""
    by_anchor = {
        anchor: judge(world.records, {"anchor": anchor}, world.as_of, world.mapped).orders
        for anchor in ("requested", "current_promise")
    }
    rows: dict[Key, Columns] = {}
    for order_id, order in sales.items():
        columns: Columns = {
            "state": order.state,
            "due_day": order.due_day,
            "on_time": order.findings["on_time"].verdict,
        }
        for anchor, name in (("requested", "requested"), ("current_promise", "current")):
            other = by_anchor[anchor][order_id]
            columns |= {f"state_{name}": other.state, f"on_time_{name}": other.findings["on_time"].verdict}
            columns[f"on_time_{name}_reason"] = other.findings["on_time"].reason
        rows[order_id] = columns
    return rows


def contract_rows(world: World, sales: dict[str, OrderJudgement]) -> dict[Key, Columns]:
    """Return the verdicts of each sale by its customer's contract."""
    return {
        order_id: {
            "policy_id": policy_id,
            "state": order.state,
            "deadline_at": order.deadline_at,
            "due_day": sales[order_id].due_day,
        }
        | verdict_columns(order.findings, whole="perfect_order")
        for order_id, (policy_id, order) in judge_by_contract(world.records, world.as_of, world.mapped).items()
        if order_id in sales
    }


KEYS = {
    "cycle_facts": ("order_id",),
    "anchors": ("order_id",),
    "delivery_groups": ("order_id", "deadline_at"),
    "contracts": ("order_id",),
    "invoice_facts": ("invoice_id",),
    "stockout_facts": ("order_id", "line_no", "stockout_id"),
    "net_sales": ("order_id",),
}


def fact_table_differences(connection: Connection, world: World) -> list[str]:
    """Return the differences between the fact tables and the reference implementation, one text per row."""
    stored, differences = filled_fact_tables(connection, world), []
    for fact_table, expected in reference_rows(world).items():
        keyed = {tuple(row[key] for key in KEYS[fact_table]): row for row in stored[fact_table]}
        rows = {key[0] if len(key) == 1 else key: row for key, row in keyed.items()}
        differences += [
            f"{key}: {fact_table} only in {'the reference' if key in expected else 'the SQL'}"
            for key in expected.keys() ^ rows.keys()
        ]
        if len(rows) != len(stored[fact_table]):
            differences.append(f"{fact_table} has duplicate rows")
        for key in expected.keys() & rows.keys():
            wrong = [
                f"{name}: reference {value!r}, SQL {rows[key][name]!r}"
                for name, value in expected[key].items()
                if not equal_clock(name, value, rows[key][name])
            ]
            if wrong:
                differences.append(f"{key}: {fact_table}: " + "; ".join(wrong))
    return differences


def equal_clock(name: str, left: Any, right: Any) -> bool:
    """Return whether two values are equal. A clock may differ by two seconds.

    The SQL loses a part of a second in each interval, with two intervals at most.
    """
    if "seconds" in name and left is not None and right is not None:
        return bool(abs(left - right) <= 2)
    return bool(left == right)
