"""The SQL and the independent judge must say the same of every order history Hypothesis draws: verdict, reason,
quantity, moment and day.

500 histories on DuckDB and 100 on PostgreSQL by default, the same each run; `HISTORIES=20000` draws that many, `SEED=7`
other ones. Histories of one world are judged together, for one query costs the same for a hundred as for one; a
difference names the order and shows its rows, so nothing needs to be shrunk.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # has no stubs
import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Integer,
    MetaData,
    Numeric,
    Select,
    Table,
    create_engine,
    delete,
    insert,
    select,
)
from sqlalchemy.pool import StaticPool

from metrics.facts import anchor_dates, contract_verdicts, cycle_times, delivery_groups, order_intervals, stockouts
from metrics.facts.fact_table import BuildContext
from metrics.facts.money import movements
from metrics.facts.orders import (
    facts_metadata,
    order_facts_from_lines,
    order_facts_table,
    order_line_facts,
    order_line_facts_table,
)
from metrics.policy import STRICT as STRICT_POLICY
from metrics.policy import Policy
from metrics.schema import metadata
from metrics.sql.dialects import analyze, count_if, sum_if
from metrics.sql.local_days import refresh_local_days
from tests.reference.cycle_times import clocks
from tests.reference.facts import line_columns, order_columns
from tests.reference.money import rate, sales_by_order
from tests.reference.random_orders import World, drawn, populated, worlds
from tests.reference.stockouts import stockouts as judged_stockouts
from tests.reference.verdicts import (
    STRICT,
    TICK,
    VERDICTS,
    Finding,
    Judge,
    Judgement,
    LineJudgement,
    OrderJudgement,
    judge,
)
from tests.reference.verdicts import contracts as judged_by_contract
from tests.support.builders import MAKERS, Records, everything, order_line, shipment
from tests.support.engines import memory
from tests.support.rule_cases import END_OF_APRIL, both, history, judged_alike, renamed, sent
from tests.support.sql_facts import TABLES

pytestmark = pytest.mark.both_engines

WORLDS = 20
HISTORIES = int(os.environ.get("HISTORIES", "500"))
SEED = int(os.environ.get("SEED", "1"))

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
)
ORDER_COLUMNS = (
    "order_type",
    "state",
    "deadline_at",
    "due_day",
    "ordered_day",
    "settled_at",
    "arrived_day",
    "cycle_days",
    "owed_qty",
)
PARTS = ("item_ok", "place_ok", "overage_ok")
KNOWN_TO_ALL = ("customers", "products", "unit_factors", "policies", "fx_rates", "service_packages", "calendars")
"""Feeds that are about no one order."""
DIMENSIONS = ("segment", "region", "channel", "fulfilment_model", "product_category", "carrier")


@pytest.fixture(scope="module")
def embedded() -> Iterator[Connection]:
    """A connection to an empty DuckDB database in memory."""
    engine = memory()
    with engine.connect() as connection:
        metadata.create_all(connection)
        yield connection
    engine.dispose()


@pytest.fixture
def server(postgres_database: str) -> Iterator[Connection]:
    """A connection to an empty PostgreSQL database."""
    engine = create_engine(postgres_database, poolclass=StaticPool)
    with engine.connect() as connection:
        metadata.create_all(connection)
        yield connection
    engine.dispose()


def load(connection: Connection, records: Records) -> None:
    """Replace what the database holds by these records."""
    for feed, table in TABLES.items():
        connection.execute(delete(table))
        rows = records.get(feed, [])
        if rows and connection.dialect.name == "duckdb":
            duckdb = connection.connection.driver_connection
            assert duckdb is not None
            duckdb.register("drawn", as_arrow(table, rows))
            duckdb.execute(f"insert into {feed} by name select * from drawn")  # executemany takes a millisecond a row
            duckdb.unregister("drawn")
        elif rows:
            connection.execute(insert(table), rows)
    refresh_local_days(connection)
    analyze(connection, *TABLES.values())


def as_arrow(table: Table, rows: list[dict[str, Any]]) -> pa.Table:
    """The rows in the table's own column types."""
    kinds = {
        Numeric: None,
        DateTime: pa.timestamp("us"),
        Date: pa.date32(),
        Boolean: pa.bool_(),
        BigInteger: pa.int64(),
        Integer: pa.int64(),
    }
    arrays = {}
    for column in table.columns:
        kind = next((arrow for sql, arrow in kinds.items() if isinstance(column.type, sql)), pa.string())
        if kind is None:
            kind = pa.decimal128(18, getattr(column.type, "scale", 0))
        arrays[column.name] = pa.array([row[column.name] for row in rows], kind)
    return pa.table(arrays)


def judged_columns(found: LineJudgement | OrderJudgement) -> dict[str, Any]:
    """What the judge says, by the names of the facts' columns (the rate apart)."""
    said = {
        name: getattr(found, name) for name in (LINE_COLUMNS if isinstance(found, LineJudgement) else ORDER_COLUMNS)
    }
    said |= {name: found.parts[name] for name in PARTS}
    for name in VERDICTS:
        said[name], said[f"{name}_reason"] = found.findings[name].verdict, found.findings[name].reason
    if isinstance(found, OrderJudgement):
        said["perfect_order"] = found.findings["perfect_order"].verdict
        said |= {name: found.dimensions[name] for name in DIMENSIONS}
    return said


def columns_that_follow(world: World, judgement: Judgement) -> dict[Any, dict[str, Any]]:
    """Days, amounts and counts of every line and every order."""
    zones = {row["order_id"]: row["ship_to_time_zone"] for row in world.records["orders"] if not row["deleted"]}
    of_order: dict[str, list[LineJudgement]] = {order_id: [] for order_id in judgement.orders}
    for line in judgement.lines.values():
        of_order[line.order_id].append(line)
    lines: dict[Any, dict[str, Any]] = {
        key: line_columns(line, zones[line.order_id]) for key, line in judgement.lines.items()
    }
    return lines | {key: order_columns(order, of_order[key], zones[key]) for key, order in judgement.orders.items()}


def rate_of(world: World, order_id: str, judgement: Judgement) -> Decimal | None:
    """The rate of the order's currency on its day (R25); an order without lines has no amount to convert."""
    if judgement.orders[order_id].lines == 0:
        return None
    currency = next(row["currency"] for row in world.records["orders"] if row["order_id"] == order_id)
    return rate(currency, judgement.orders[order_id].ordered_day, world.records["fx_rates"])


def sql_policy(policy: dict[str, Any]) -> Policy:
    """The metrics' policy of the same keys."""
    known = {one.name for one in fields(Policy)}
    return Policy(**{key: value for key, value in policy.items() if key in known})


def stored_lines(connection: Connection, rows: Select[Any]) -> Table:
    """The line facts in a temporary table, from which the order facts are made as a rebuild makes them."""
    kept = Table(
        "line_facts_drawn",
        MetaData(),
        *(Column(column.name, column.type) for column in rows.selected_columns),
        prefixes=["TEMPORARY"],
    )
    kept.create(connection)
    connection.execute(insert(kept).from_select([column.name for column in kept.columns], rows))
    return kept


def disagreements(connection: Connection, world: World) -> list[str]:
    """Where the SQL and the judge differ, one text per row of the facts."""
    load(connection, world.records)
    judgement = judge(world.records, world.policy, world.as_of, world.mapped)
    policy = sql_policy(dict(world.policy))
    kept = stored_lines(connection, order_line_facts(policy, world.as_of, world.mapped))
    lines = connection.execute(select(kept)).mappings().all()
    orders = connection.execute(order_facts_from_lines(kept, world.as_of)).mappings().all()
    kept.drop(connection)
    expected: dict[Any, Any] = judgement.lines | judgement.orders
    got: dict[Any, Any] = {(row["order_id"], row["line_no"]): row for row in lines} | {
        row["order_id"]: row for row in orders
    }
    found = [f"{key}: in one only" for key in expected.keys() ^ got.keys()]
    if len(got) != len(lines) + len(orders):
        found.append("a row of the facts comes more than once")
    following = columns_that_follow(world, judgement)
    for order_id in judgement.orders:
        changes = [
            row["next_change_at"] for row in lines if row["order_id"] == order_id and row["next_change_at"] is not None
        ]
        following[order_id]["next_change_at"] = min(changes, default=None)
    for key in expected.keys() & got.keys():
        said = (
            judged_columns(expected[key])
            | {"rate": rate_of(world, key if isinstance(key, str) else key[0], judgement)}
            | following[key]
        )
        wrong = [
            f"{name}: judge {value!r}, SQL {got[key][name]!r}"
            for name, value in said.items()
            if not equal(value, got[key][name])
        ]
        if wrong:
            found.append(f"{key}: " + "; ".join(wrong))
    return found


def filled_ledgers(connection: Connection, world: World) -> dict[str, list[Any]]:
    """Rows of the ledgers of other judgements, filled as a rebuild fills them on strict facts: ledger to rows."""
    load(connection, world.records)
    facts_metadata.create_all(connection)
    rows: list[tuple[Table, Select[Any]]] = [
        (order_line_facts_table, order_line_facts(STRICT_POLICY, world.as_of, world.mapped))
    ]
    rows.append((order_facts_table, order_facts_from_lines(order_line_facts_table, world.as_of)))
    for table, filling in rows:
        fill(connection, table, [filling])
    found: dict[str, list[Any]] = {}
    for ledger in (
        *anchor_dates.FACT_TABLES,
        *delivery_groups.FACT_TABLES,
        *contract_verdicts.FACT_TABLES,
        *cycle_times.FACT_TABLES,
        *order_intervals.FACT_TABLES,
        *stockouts.FACT_TABLES,
        *movements.FACT_TABLES,
    ):
        fill(connection, ledger.table, ledger.select_rows(connection, BuildContext(world.as_of, world.mapped)))
        if ledger.table is not movements.money_facts_table:
            found[ledger.table.name] = list(connection.execute(select(ledger.table)).mappings())
    return found | {"net_sales": list(connection.execute(net_sales_by_order()).mappings())}


def net_sales_by_order() -> Select[Any]:
    """The ledger's net sales of each order, and how many lines had no rate."""
    m = movements.money_facts_table.c
    return (
        select(
            m.order_id,
            sum_if(m.amount.is_not(None), m.amount).label("net_sales"),
            count_if(m.amount.is_(None)).label("left_out"),
        )
        .where(m.kind == "net_sales")
        .group_by(m.order_id)
    )


def fill(connection: Connection, table: Table, rows: Iterable[Select[Any]]) -> None:
    connection.execute(delete(table))
    for filling in rows:
        connection.execute(insert(table).from_select([column.name for column in table.columns], filling))
    analyze(connection, table)


def said_of(findings: dict[str, Finding], *, whole: str) -> dict[str, Any]:
    """The verdicts of an order or a group by the names of a ledger's columns."""
    said: dict[str, Any] = {whole: findings["perfect_order"].verdict}
    for name in VERDICTS:
        said[name], said[f"{name}_reason"] = findings[name].verdict, findings[name].reason
    return said


def said_in_ledgers(world: World) -> dict[str, dict[Any, dict[str, Any]]]:
    """What the judge says that the ledgers hold: ledger to key to columns."""
    strict = judge(world.records, {}, world.as_of, world.mapped).orders
    sales = {order_id: order for order_id, order in strict.items() if order.order_type == "sale"}
    by_anchor = {
        anchor: judge(world.records, {"anchor": anchor}, world.as_of, world.mapped).orders
        for anchor in ("requested", "current_promise")
    }
    dates: dict[Any, dict[str, Any]] = {}
    for order_id, order in sales.items():
        said: dict[str, Any] = {
            "state": order.state,
            "due_day": order.due_day,
            "on_time": order.findings["on_time"].verdict,
        }
        for anchor, name in (("requested", "requested"), ("current_promise", "current")):
            other = by_anchor[anchor][order_id]
            said |= {f"state_{name}": other.state, f"on_time_{name}": other.findings["on_time"].verdict}
            said[f"on_time_{name}_reason"] = other.findings["on_time"].reason
        dates[order_id] = said
    grouped = {
        (order_id, deadline): {"state": group.state} | said_of(group.findings, whole="perfect_group")
        for order_id, order in sales.items()
        for deadline, group in order.groups.items()
    }
    by_contract = {
        order_id: {
            "policy_id": policy_id,
            "state": order.state,
            "deadline_at": order.deadline_at,
            "due_day": sales[order_id].due_day,
        }
        | said_of(order.findings, whole="perfect_order")
        for order_id, (policy_id, order) in judged_by_contract(world.records, world.as_of, world.mapped).items()
        if order_id in sales
    }
    sitting = Judge(world.records, STRICT, world.as_of, world.mapped)
    rows = {row["order_id"]: row for row in sitting.feeds["orders"]}
    timed: dict[Any, dict[str, Any]] = {}
    for order_id, order in sales.items():
        said = {
            name: getattr(order, name)
            for name in ("state", "due_day", "arrived_day", "cycle_days", "on_time_attributable")
        }
        timed[order_id] = said | clocks(sitting, order, rows[order_id])
    missed = {
        (one.order_id, one.line_no): {
            name: getattr(one, name) for name in ("short_qty", "gap_days", "horizon_day", "outcome", "provisional")
        }
        | {"event_at": one.at}
        for one in judged_stockouts(sitting)
    }
    return {
        "cycle_facts": timed,
        "anchors": dates,
        "delivery_groups": grouped,
        "contracts": by_contract,
        "stockout_facts": missed,
    } | {"net_sales": sales_by_order(sitting)}


LEDGER_KEYS = {
    "cycle_facts": ("order_id",),
    "anchors": ("order_id",),
    "delivery_groups": ("order_id", "deadline_at"),
    "contracts": ("order_id",),
    "stockout_facts": ("order_id", "line_no"),
    "net_sales": ("order_id",),
}


def ledger_disagreements(connection: Connection, world: World) -> list[str]:
    """Where the ledgers and the judge differ, one text per row."""
    got, found = filled_ledgers(connection, world), []
    for ledger, expected in said_in_ledgers(world).items():
        keyed = {tuple(row[key] for key in LEDGER_KEYS[ledger]): row for row in got[ledger]}
        rows = {key[0] if len(key) == 1 else key: row for key, row in keyed.items()}
        found += [
            f"{key}: {ledger} in one only: {'judge' if key in expected else 'SQL'}"
            for key in expected.keys() ^ rows.keys()
        ]
        if len(rows) != len(got[ledger]):
            found.append(f"{ledger}: a row comes more than once")
        for key in expected.keys() & rows.keys():
            wrong = [
                f"{name}: judge {value!r}, SQL {rows[key][name]!r}"
                for name, value in expected[key].items()
                if not alike(name, value, rows[key][name])
            ]
            if wrong:
                found.append(f"{key}: {ledger}: " + "; ".join(wrong))
    return found


def alike(name: str, left: Any, right: Any) -> bool:
    """Equality; a clock may differ by the part of a second that each of its intervals loses, two at most here."""
    if "seconds" in name and left is not None and right is not None:
        return bool(abs(left - right) <= 2)
    return bool(left == right)


def equal(left: Any, right: Any) -> bool:
    """Equality of two values of the facts, numbers exactly."""
    if isinstance(left, Decimal) and right is not None:
        return left == Decimal(right)
    return bool(left == right)


def explain(world: World, found: list[str]) -> str:
    """The first difference, with the rows that it comes from: enough to write the case down."""
    order_id = found[0].split(":")[0].strip("(' ").split("'")[0]
    shown = [f"{len(found)} differences; the first: {found[0]}", f"policy {dict(world.policy)} as_of {world.as_of}"]
    absent = sorted(everything(*MAKERS) - world.mapped)
    shown.append(f"not mapped: {absent}")
    for feed in TABLES:
        for row in world.records.get(feed, []):
            own = row.get("order_id") == order_id or str(row.get("shipment_id", row.get("invoice_id"))).startswith(
                f"{order_id}-"
            )
            if own or feed in KNOWN_TO_ALL:
                told = {
                    name: str(value)
                    for name, value in row.items()
                    if value is not None and name not in ("source", "file_id", "row_no")
                }
                shown.append(f"{feed}: {told}")
    return "\n".join(shown)


def worlds_of_the_cases() -> list[World]:
    """The rule book's examples, those judged alike put together."""
    return [
        World(whole.as_of.date(), whole.records, whole.policy, whole.as_of, whole.mapped) for whole, _ in judged_alike()
    ]


def worlds_of_the_ledgers() -> list[World]:
    """The same, those with one `as_of` and the same columns put together: ledgers know no policy but the strict one."""
    found: dict[Any, World] = {}
    for world in worlds_of_the_cases():
        records = found.setdefault(
            (world.as_of, world.mapped), replace(world, records={feed: [] for feed in TABLES}, policy={})
        ).records
        for feed, rows in world.records.items():
            records[feed].extend(rows)
    return list(found.values())


def compare(
    connection: Connection, among: list[World], differ: Callable[[Connection, World], list[str]] = disagreements
) -> None:
    for world in among:
        found = differ(connection, world)
        assert not found, explain(world, found)


def drawn_worlds(number: int, size: int) -> list[World]:
    """So many worlds, each drawn anew, with so many histories each."""
    starts = range(SEED * 10_000, SEED * 10_000 + number)
    return [populated(drawn(worlds(), 1, start=start)[0], size, start=start) for start in starts]


def test_sql_and_judge_agree_on_the_books_examples(embedded: Connection) -> None:
    compare(embedded, worlds_of_the_cases())


def test_sql_and_judge_agree_on_drawn_histories(embedded: Connection) -> None:
    number = WORLDS * max(1, HISTORIES // 5000)
    compare(embedded, drawn_worlds(number, -(-HISTORIES // number)))


def test_ledgers_and_judge_agree_on_the_books_examples(embedded: Connection) -> None:
    compare(embedded, worlds_of_the_ledgers(), ledger_disagreements)


@pytest.mark.parametrize("start", [10, 2])
def test_no_verdict_changes_before_the_facts_say_it_may(embedded: Connection, start: int) -> None:
    """The reference verdict of a line stays the same until its `next_change_at`, or forever without it."""
    world = populated(drawn(worlds(), 1, start=start)[0], 40, start=start)
    happened = replace(world, records=told_by_now(world))
    load(embedded, happened.records)
    rows = (
        embedded.execute(order_line_facts(sql_policy(dict(world.policy)), world.as_of, world.mapped)).mappings().all()
    )
    until = {
        (row["order_id"], row["line_no"]): (row["next_change_at"] or world.as_of + timedelta(days=400)) - TICK
        for row in rows
    }
    now = judge(happened.records, world.policy, world.as_of, world.mapped).lines
    assert len(set(until.values())) > 10
    for moment in set(until.values()):
        then = judge(happened.records, world.policy, moment, world.mapped).lines
        assert {key: then[key].findings for key in until if until[key] == moment} == {
            key: now[key].findings for key in until if until[key] == moment
        }
        assert all(then[key].state == now[key].state for key in until if until[key] == moment)


def told_by_now(world: World) -> Records:
    """The records without what is told after `as_of`, a bare date taken for the end of its day."""
    latest = world.as_of - timedelta(days=1)

    def later(row: dict[str, Any], *names: str) -> list[str]:
        return [name for name in names if row.get(name) is not None and row[name] > latest]

    def known(row: dict[str, Any]) -> dict[str, Any]:
        open_yet = later(row, "shipped_at", "received_at", "cancelled_at")
        return row | dict.fromkeys(open_yet) | {f"{name}_is_date": False for name in open_yet}

    made = ("ordered_at", "invoiced_at", "announced_at", "changed_at", "data_as_of")
    return {feed: [known(row) for row in rows if not later(row, *made)] for feed, rows in world.records.items()}


def test_r29_a_sister_line_without_proof_must_be_shown_to_be_the_buyers_doing_too(embedded: Connection) -> None:
    """Due 10: line 1 was tried on the 10th, turned away by the buyer and came on the 12th; line 2 left on the 9th and
    never was signed for.
    """
    tried = {"IN_TIME": "2026-03-10", "TOO_LATE": "2026-03-11", "NEVER": None}
    told = []
    for name, second in tried.items():
        one = history(sent(9, 12), sent(9, None, line_no="2"), lines=[order_line(), order_line(line_no="2")])
        for row, on in zip(one["shipments"], ("2026-03-10", second), strict=True):
            row |= shipment(attempted_at=on, failure_caused_by="buyer" if on else None) | {
                key: row[key] for key in CARRIED
            }
        told.append(renamed(one, name))
    world = World(END_OF_APRIL.date(), both(*told), {}, END_OF_APRIL, everything())
    assert ledger_disagreements(embedded, world) == []
    found = judge(world.records, {}, END_OF_APRIL, world.mapped)
    assert {found.lines[name, "2"].findings["on_time"] for name in tried} == {Finding(None, "no_evidence")}
    assert {name: found.orders[name].on_time_attributable for name in tried} == {
        "IN_TIME": True,
        "TOO_LATE": False,
        "NEVER": False,
    }


CARRIED = ("shipment_id", "shipped_at", "shipped_at_is_date", "received_at", "received_at_is_date")


@pytest.mark.long
def test_ledgers_and_judge_agree_on_drawn_histories(embedded: Connection) -> None:
    number = WORLDS // 2 * max(1, HISTORIES // 5000)
    compare(embedded, drawn_worlds(number, -(-HISTORIES // number)), ledger_disagreements)


@pytest.mark.postgres
def test_postgresql_and_judge_agree_on_drawn_histories(server: Connection) -> None:
    worlds_drawn = drawn_worlds(5, max(1, HISTORIES // 25))
    compare(server, worlds_drawn)
    compare(server, worlds_drawn[:2], ledger_disagreements)
