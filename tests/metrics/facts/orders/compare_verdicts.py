"""Compare the SQL's facts of orders and order lines with the reference implementation."""

from dataclasses import fields
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Select, Table, insert, select

from metrics.facts.orders import order_facts_from_lines, order_line_facts
from metrics.policy import Policy
from tests.metrics.facts.orders.worlds import load
from tests.reference.facts import line_columns, order_columns
from tests.reference.findings import VERDICTS
from tests.reference.inputs import STRICT, Inputs
from tests.reference.judgements import Judgement, LineJudgement, OrderJudgement
from tests.reference.money import rate
from tests.reference.random_worlds import World
from tests.reference.verdicts import judge

LINE_COLUMNS = (
    "line_kind",
    "state",
    "deadline_at",
    "due_day",
    "ordered_qty",
    "owed_qty",
    "counted_qty",
    "received_qty",
    "shipped_qty",
    "unproven_qty",
    "in_window_qty",
    "in_window_most_qty",
    "billed_qty",
    "billed_amount",
    "filled_qty",
    "filled_most_qty",
    "first_pass_qty",
    "settled_at",
    "request_at",
    "promise_at",
    "first_due_at",
    "back_ordered",
    "substituted",
    "damaged_qty",
    "cancelled_short_qty",
    "unit_cost_amount",
    "in_quarantine",
)

ORDER_COLUMNS = (
    "order_type",
    "state",
    "billing_state",
    "deadline_at",
    "due_day",
    "ordered_day",
    "settled_at",
    "arrived_day",
    "cycle_days",
    "owed_qty",
    "in_quarantine",
)

PARTS = ("item_ok", "place_ok", "overage_ok")

DIMENSIONS = ("segment", "region", "channel", "fulfilment_model", "product_category", "carrier")


def reference_columns(judgement: LineJudgement | OrderJudgement) -> dict[str, Any]:
    """Return a judgement by the column names of the facts, without the rate."""
    columns = {
        name: getattr(judgement, name)
        for name in (LINE_COLUMNS if isinstance(judgement, LineJudgement) else ORDER_COLUMNS)
    }
    columns |= {name: judgement.parts[name] for name in PARTS}
    for name in VERDICTS:
        columns[name], columns[f"{name}_reason"] = judgement.findings[name].verdict, judgement.findings[name].reason
    if isinstance(judgement, OrderJudgement):
        columns["perfect_order"] = judgement.findings["perfect_order"].verdict
        columns |= {name: judgement.dimensions[name] for name in DIMENSIONS}
    return columns


def derived_columns(world: World, judgement: Judgement) -> dict[Any, dict[str, Any]]:
    """Return the days, amounts and counts of each line and each order."""
    zones = {row["order_id"]: row["ship_to_time_zone"] for row in all_orders(world)}
    of_order: dict[str, list[LineJudgement]] = {order_id: [] for order_id in judgement.orders}
    for line in judgement.lines.values():
        of_order[line.order_id].append(line)
    lines: dict[Any, dict[str, Any]] = {
        key: line_columns(line, zones[line.order_id]) for key, line in judgement.lines.items()
    }
    return lines | {key: order_columns(order, of_order[key], zones[key]) for key, order in judgement.orders.items()}


def all_orders(world: World) -> list[Any]:
    """Return the orders, those in quarantine included."""
    return Inputs(world.records, STRICT, world.as_of, world.mapped).feeds["orders"]


def rate_of(world: World, order_id: str, judgement: Judgement) -> Decimal | None:
    """Return the rate of the order's currency on its day (R25, currencies). An order without lines has None."""
    if judgement.orders[order_id].lines == 0:
        return None
    currency = next(row["currency"] for row in all_orders(world) if row["order_id"] == order_id)
    return rate(currency, judgement.orders[order_id].ordered_day, world.records["fx_rates"])


def sql_policy(policy: dict[str, Any]) -> Policy:
    """Return the product's policy with the same keys."""
    known = {one.name for one in fields(Policy)}
    return Policy(**{key: value for key, value in policy.items() if key in known})


def stored_lines(connection: Connection, rows: Select[*tuple[object, ...]]) -> Table:
    """Store the line facts in a temporary table. The order facts are computed from it, as in a rebuild."""
    table = Table(
        "line_facts_drawn",
        MetaData(),
        *(Column(column.name, column.type) for column in rows.selected_columns),
        prefixes=["TEMPORARY"],
    )
    table.create(connection)
    connection.execute(insert(table).from_select([column.name for column in table.columns], rows))
    return table


def verdict_differences(connection: Connection, world: World) -> list[str]:
    """Return the differences between the SQL and the reference implementation, one text per row."""
    load(connection, world.records, world.as_of)
    judgement = judge(world.records, world.policy, world.as_of, world.mapped)
    policy = sql_policy(dict(world.policy))
    line_table = stored_lines(connection, order_line_facts(policy, world.as_of, world.mapped))
    lines = connection.execute(select(line_table)).mappings().all()
    orders = connection.execute(order_facts_from_lines(line_table, world.as_of)).mappings().all()
    line_table.drop(connection)
    expected: dict[Any, Any] = judgement.lines | judgement.orders
    stored: dict[Any, Any] = {(row["order_id"], row["line_no"]): row for row in lines} | {
        row["order_id"]: row for row in orders
    }
    differences = [
        f"{key}: only the SQL or only the reference implementation has it" for key in expected.keys() ^ stored.keys()
    ]
    if len(stored) != len(lines) + len(orders):
        differences.append("the facts have duplicate rows")
    following = derived_columns(world, judgement)
    for order_id in judgement.orders:
        changes = [
            row["next_change_at"] for row in lines if row["order_id"] == order_id and row["next_change_at"] is not None
        ]
        following[order_id]["next_change_at"] = min(changes, default=None)
    for key in expected.keys() & stored.keys():
        reference = (
            reference_columns(expected[key])
            | {"rate": rate_of(world, key if isinstance(key, str) else key[0], judgement)}
            | following[key]
        )
        wrong = [
            f"{name}: reference {value!r}, SQL {stored[key][name]!r}"
            for name, value in reference.items()
            if not equal(value, stored[key][name])
        ]
        if wrong:
            differences.append(f"{key}: " + "; ".join(wrong))
    return differences


def equal(left: Any, right: Any) -> bool:
    """Return whether two values are equal. Numbers must be exactly equal."""
    if isinstance(left, Decimal) and right is not None:
        return left == Decimal(right)
    return bool(left == right)
