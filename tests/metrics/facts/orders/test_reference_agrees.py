"""The SQL and the reference implementation agree on each random order: verdict, reason, quantity, time and day.

By default, 170 orders run on DuckDB (500 in the long run) and 100 on PostgreSQL, the same in each run.
`HISTORIES=20000` with `-m ""` sets another number for both engines, `SEED=7` other orders. The orders of a world are
judged in one query, because a query costs the same for one order as for a hundred. A difference names the order and
shows its rows.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import (
    Connection,
)

from metrics.facts.orders import (
    order_line_facts,
)
from tests.metrics.facts.orders.compare_fact_tables import fact_table_differences
from tests.metrics.facts.orders.compare_verdicts import sql_policy, verdict_differences
from tests.metrics.facts.orders.worlds import (
    FEW_WORLDS,
    HISTORIES,
    MANY,
    WORLDS,
    compare,
    load,
    many_worlds,
    strict_worlds_of_the_cases,
    worlds_of_the_cases,
)
from tests.reference.dates import TICK
from tests.reference.draws import drawn
from tests.reference.findings import Finding
from tests.reference.random_orders import populated
from tests.reference.random_worlds import World, worlds
from tests.reference.verdicts import judge
from tests.support.builders import Records, everything, order_line, shipment
from tests.support.rule_cases import END_OF_APRIL, both, history, renamed, sent, sent_back

pytestmark = pytest.mark.both_engines


@pytest.mark.long  # test_rules.py and test_reference_rules.py compare both with the worked numbers in every run
def test_sql_and_reference_agree_on_worked_examples(embedded: Connection) -> None:
    compare(embedded, worlds_of_the_cases(), verdict_differences)


@pytest.mark.parametrize("number", [FEW_WORLDS, pytest.param(WORLDS, marks=pytest.mark.long)][-1 if MANY else 0 :])
def test_sql_and_reference_agree_on_random_histories(embedded: Connection, number: int) -> None:
    compare(embedded, many_worlds(number, -(-HISTORIES // WORLDS)), verdict_differences)


@pytest.mark.long
def test_fact_tables_and_reference_agree_on_worked_examples_with_common_inputs(embedded: Connection) -> None:
    compare(embedded, strict_worlds_of_the_cases(at_least=3), fact_table_differences)


@pytest.mark.long  # each of these examples takes as long as all the other examples together
def test_fact_tables_and_reference_agree_on_worked_examples_with_rare_inputs(embedded: Connection) -> None:
    compare(embedded, strict_worlds_of_the_cases(at_most=2), fact_table_differences)


@pytest.mark.parametrize("start", [pytest.param(10, marks=pytest.mark.long), 2])
def test_verdict_stays_the_same_until_next_change_at(embedded: Connection, start: int) -> None:
    """The reference verdict of a line stays the same until its `next_change_at`, or always if that is empty."""
    world = populated(drawn(worlds(), 1, start=start)[0], 40, start=start)
    happened = replace(world, records=without_later_events(world))
    load(embedded, happened.records, happened.as_of)
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


def without_later_events(world: World) -> Records:
    """Return the records without events after `as_of`. A bare date counts as the end of its day."""
    latest = world.as_of - timedelta(days=1)

    def later(row: dict[str, Any], *names: str) -> list[str]:
        return [name for name in names if row.get(name) is not None and row[name] > latest]

    def known(row: dict[str, Any]) -> dict[str, Any]:
        open_yet = later(row, "shipped_at", "received_at", "cancelled_at")
        return row | dict.fromkeys(open_yet) | {f"{name}_is_date": False for name in open_yet}

    made = ("ordered_at", "invoiced_at", "announced_at", "changed_at", "data_as_of")
    return {feed: [known(row) for row in rows if not later(row, *made)] for feed, rows in world.records.items()}


def test_r29_line_without_proof_must_also_be_attributable_to_the_buyer(embedded: Connection) -> None:
    """Due 10. Line 1 had an attempt on the 10th, which the buyer refused, and arrived on the 12th.

    Line 2 left on the 9th and has no proof of receipt.
    """
    tried = {"IN_TIME": "2026-03-10", "TOO_LATE": "2026-03-11", "NEVER": None}
    differences = []
    for name, second in tried.items():
        one = history(sent(9, 12), sent(9, None, line_no="2"), lines=[order_line(), order_line(line_no="2")])
        for row, on in zip(one["shipments"], ("2026-03-10", second), strict=True):
            row |= shipment(attempted_at=on, failure_caused_by="buyer" if on else None) | {
                key: row[key] for key in CARRIED
            }
        differences.append(renamed(one, name))
    world = World(END_OF_APRIL.date(), both(*differences), {}, END_OF_APRIL, everything())
    assert fact_table_differences(embedded, world) == []
    found = judge(world.records, {}, END_OF_APRIL, world.mapped)
    assert {found.lines[name, "2"].findings["on_time"] for name in tried} == {Finding(None, "no_evidence")}
    assert {name: found.orders[name].on_time_attributable for name in tried} == {
        "IN_TIME": True,
        "TOO_LATE": False,
        "NEVER": False,
    }


def test_r29_arrival_of_goods_that_the_buyer_collects_is_no_consignment(embedded: Connection) -> None:
    """Due 10, FCA, an attempt on the 10th for which the buyer did not come. LEFT was collected on the 12th.

    ARRIVED never left, so that its date of arrival is no receipt. Nothing was collected, and nothing can be excused.
    """
    made = []
    for name, left, arrived in (("LEFT", 12, 12), ("ARRIVED", None, 9)):
        one = history(sent(left, arrived), delivery_term="FCA")
        own = {key: one["shipments"][0][key] for key in CARRIED}
        one["shipments"][0] |= shipment(attempted_at="2026-03-10", failure_caused_by="buyer") | own
        made.append(renamed(one, name))
    world = World(END_OF_APRIL.date(), both(*made), {}, END_OF_APRIL, everything())
    assert fact_table_differences(embedded, world) == []
    found = judge(world.records, {}, END_OF_APRIL, world.mapped)
    assert {
        name: (found.orders[name].findings["on_time"].verdict, found.orders[name].on_time_attributable)
        for name in ("LEFT", "ARRIVED")
    } == {
        "LEFT": (False, True),
        "ARRIVED": (False, False),
    }


def test_r9_goods_on_their_way_count_as_shipped_for_overage_even_if_their_record_has_a_receipt(
    embedded: Connection,
) -> None:
    """100 ordered, data as of the 15th. 60 came on the 9th, 5 of them were returned, and 60 are on their way.

    The record has a receipt of 20 on the 20th, which is not known on the 15th. The buyer may have 60 + 60 - 5.
    """
    as_of = datetime(2026, 3, 15, 12)
    made = history(sent(8, 9, 60), sent(10, 20, 60, received_qty=20))
    made |= {"returns": [sent_back("not_needed", on=9, returned_qty=5)]}
    world = World(as_of.date(), made, {}, as_of, everything() | everything("returns"))
    assert verdict_differences(embedded, world) == []
    found = judge(world.records, {}, as_of, world.mapped)
    assert found.lines["O", "1"].parts["overage_ok"] is None


CARRIED = ("shipment_id", "shipped_at", "shipped_at_is_date", "received_at", "received_at_is_date")


@pytest.mark.long
def test_fact_tables_and_reference_agree_on_random_histories(embedded: Connection) -> None:
    compare(embedded, many_worlds(WORLDS // 2, -(-HISTORIES // (WORLDS // 2))), fact_table_differences)


@pytest.mark.long
@pytest.mark.postgres
def test_postgresql_and_reference_agree_on_random_histories(server: Connection) -> None:
    for number, world in enumerate(many_worlds(3, HISTORIES // 15)):
        compare(server, [world], verdict_differences)
        if number == 0 or MANY:
            compare(server, [world], fact_table_differences)
