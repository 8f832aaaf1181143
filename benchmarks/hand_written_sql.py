"""Baseline of the rebuild: facts and rollups in hand-written DuckDB SQL.

The facts are in hand_written.sql, which lists the parts it leaves out. The rollups here have the same columns as the
product's, except the open rows of provisional periods, with FILTER in place of CASE. They use no constant of the
catalogue. The benchmark also prints the share of equal verdicts, because a baseline with other verdicts would be
useless.
"""

from datetime import datetime
from pathlib import Path

import duckdb

BY_DAY = "segment, region, channel, fulfilment_model, currency"
BY_MONTH = "customer_id, currency"
J = "state = 'judged'"


def _counts(name: str, verdict: str, but: str = "") -> list[str]:
    inside = J + (f" AND {but}" if but else "")
    return [
        f"count(*) FILTER ({inside} AND {verdict}) AS {name}_n",
        f"count(*) FILTER ({inside} AND {verdict} IS NOT NULL) AS {name}_d",
        f"count(*) FILTER ({inside} AND {verdict} IS NULL) AS {name}_u",
    ]


def _sums(name: str, known: str, part: str, whole: str, where: str = J) -> list[str]:
    return [
        f"sum({part}) FILTER ({where} AND {known})::DECIMAL(18, 4) AS {name}_n",
        f"sum({whole}) FILTER ({where} AND {known})::DECIMAL(18, 4) AS {name}_d",
        f"sum({whole}) FILTER ({where} AND NOT ({known}))::DECIMAL(18, 4) AS {name}_u",
    ]


ORDERS_DUE = [
    *_counts("perfect", "perfect_order"),
    *_counts("otif", "otif"),
    *_counts("on_time", "on_time"),
    *_counts("complete", "complete"),
    *_counts("damage", "damage_free", "received_qty > 0"),
    *_counts("filled", "filled_accurately", "received_qty > 0"),
    *_counts("billed", "billed_accurately"),
    *_counts("first_pass", "first_pass_full"),
    *_counts("final", "complete"),
    f"count(*) FILTER ({J} AND days_late IS NOT NULL) AS beyond_n",
    f"count(*) FILTER ({J} AND settled_at IS NOT NULL) AS beyond_d",
    f"sum(days_late) FILTER ({J})::BIGINT AS late_n",
    f"count(days_late) FILTER ({J}) AS late_d",
    f"count(*) FILTER ({J}) AS judged_orders",
    f"count(*) FILTER ({J} AND (NOT on_time OR NOT complete OR NOT otif OR NOT damage_free OR NOT filled_accurately "
    "OR NOT billed_accurately)) AS failed_orders",
    "count(*) FILTER (state = 'pending') AS pending_orders",
    "count(*) FILTER (state = 'excluded') AS excluded_orders",
]
LINES_DUE = [
    *_counts("otif", "otif"),
    *_sums("otif_unit", "deadline_at IS NOT NULL AND in_window_qty = in_window_most_qty", "in_window_qty", "owed_qty"),
    *_counts("first_pass", "first_pass_full"),
    *_counts("final", "complete"),
    *_sums("unit_first", "first_pass_qty IS NOT NULL", "first_pass_qty", "owed_qty"),
    *_sums("unit_final", "filled_qty = filled_most_qty", "filled_qty", "owed_qty"),
    *_sums("value_first", "first_pass_qty IS NOT NULL", "first_pass_amount", "owed_amount", f"{J} AND owed_amount > 0"),
    *_sums("value_final", "filled_qty = filled_most_qty", "filled_amount", "owed_amount", f"{J} AND owed_amount > 0"),
    "sum(received_qty) FILTER (line_kind = 'goods')::DECIMAL(18, 4) AS received_units",
    "sum(received_amount)::DECIMAL(18, 4) AS received_value",
]
ORDERS_ARRIVED = [
    "sum(cycle_days)::BIGINT AS cycle_n",
    "count(cycle_days) AS cycle_d",
    "count(cycle_days) AS sd_d",
    "sum(cycle_days)::BIGINT AS sd_t",
    "sum(cycle_days * cycle_days)::BIGINT AS sd_q",
    "count(cycle_days) AS cv_d",
    "sum(cycle_days)::BIGINT AS cv_t",
    "sum(cycle_days * cycle_days)::BIGINT AS cv_q",
]
ORDERS_ORDERED = ["count(*) FILTER (order_type = 'sale') AS orders"]
LINES_ORDERED = [
    "count(*) FILTER (line_kind = 'goods') AS order_lines",
    "sum(ordered_qty) FILTER (line_kind = 'goods')::DECIMAL(18, 4) AS ordered_units",
    "sum(ordered_amount)::DECIMAL(18, 4) AS ordered_value",
    "sum(billed_amount)::DECIMAL(18, 4) AS billed_value",
]
ROLLUPS = (
    ("hand_orders", "due_day", ORDERS_DUE),
    ("hand_lines", "due_day", LINES_DUE),
    ("hand_orders", "arrived_day", ORDERS_ARRIVED),
    ("hand_orders", "ordered_day", ORDERS_ORDERED),
    ("hand_lines", "ordered_day", LINES_ORDERED),
)


def build(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create hand_lines, hand_orders and their ten rollups.

    The connection's database contains the feeds and `local_days`.
    """
    for statement in Path(__file__).with_name("hand_written.sql").read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            connection.execute(statement.replace("$as_of", f"TIMESTAMP '{as_of}'"))
    for facts, day, columns in ROLLUPS:
        listed = ", ".join(columns)
        month = f"date_trunc('month', {day})::DATE AS month, date_trunc('quarter', {day})::DATE AS quarter"
        days = f"{day} AS day, date_trunc('week', {day})::DATE AS week, {month}"
        for name, keys in (("", f"{days}, {BY_DAY}"), ("_customer", f"{month}, {BY_MONTH}")):
            chosen = f"SELECT {keys}, count(*) AS row_count, {listed} FROM {facts} WHERE {day} IS NOT NULL GROUP BY ALL"
            connection.execute(f"CREATE TABLE {facts}_{day}{name} AS {chosen}")


def agreement(connection: duckdb.DuckDBPyConnection) -> float:
    """Return the share of equal order verdicts. The product's facts are in the same database."""
    names = ("on_time", "complete", "otif", "damage_free", "filled_accurately", "billed_accurately")
    same = " + ".join(f"(hand_orders.{name} IS NOT DISTINCT FROM order_facts.{name})::INTEGER" for name in names)
    query = f"SELECT sum({same}) / (count(*) * {len(names)}) FROM hand_orders JOIN order_facts USING (order_id)"
    return float((connection.execute(query).fetchone() or (0.0,))[0])
