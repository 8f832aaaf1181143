"""Recount the fact tables of other standards over the whole sample: copied, grouped and partly judged rows against the
whole.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, and_, or_, select

from ingest.pipeline import run
from metrics.facts.anchor_dates import anchor_facts_table
from metrics.facts.contract_verdicts import contract_facts_table, policy_of
from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import facts_state, order_facts, order_facts_table
from metrics.model.question import Question
from metrics.policy import Anchor, Policy
from metrics.queries.answer import answer
from metrics.schema import customers, policies
from metrics.warehouse import Location, reading
from sample_data import generate

pytestmark = pytest.mark.long

ORDERS = 1000
"""Enough orders for promises moved by sellers and by buyers."""
NOW = datetime(2026, 7, 1, 6)
VERDICTS = ("on_time", "complete", "otif", "damage_free", "filled_accurately", "billed_accurately")


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    folder = tmp_path_factory.mktemp("standards")
    place = Location(folder=folder / "home")
    run(generate(ORDERS, folder / "sample"), location=place, now=NOW)
    with reading(place) as opened:
        yield opened


def rows(connection: Connection, table: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(table)).mappings()]


def judged(connection: Connection, policy: Policy) -> dict[str, dict[str, Any]]:
    """Return every order under a policy, all of them judged."""
    as_of = connection.execute(select(facts_state.c.as_of)).scalar_one()
    found = connection.execute(order_facts(policy, as_of, mapped(connection))).mappings()
    return {row["order_id"]: dict(row) for row in found}


@pytest.mark.parametrize(("anchor", "name"), [(Anchor.REQUESTED, "requested"), (Anchor.CURRENT_PROMISE, "current")])
def test_judging_only_orders_whose_dates_differ_equals_judging_all_orders(
    connection: Connection, anchor: Anchor, name: str
) -> None:
    every = {
        order_id: row
        for order_id, row in judged(connection, Policy(anchor=anchor)).items()
        if row["order_type"] == "sale"
    }
    found = {row["order_id"]: row for row in rows(connection, anchor_facts_table)}
    assert found.keys() == every.keys()
    columns = {f"state_{name}": "state", f"on_time_{name}": "on_time", f"on_time_{name}_reason": "on_time_reason"}
    for order_id, row in every.items():
        assert [found[order_id][mine] for mine in columns] == [row[theirs] for theirs in columns.values()], order_id
    strict = {row["order_id"]: row for row in rows(connection, order_facts_table)}
    assert any(strict[order_id]["deadline_at"] != row["deadline_at"] for order_id, row in every.items())


def test_every_order_under_contract_is_judged_by_the_version_of_its_day(connection: Connection) -> None:
    versions = rows(connection, policies)
    people = rows(connection, customers)
    every = {(row["policy_id"], row["valid_from"]): judged(connection, policy_of(row)) for row in versions}
    expected: dict[str, tuple[str, dict[str, Any]]] = {}
    for order in rows(connection, order_facts_table):

        def of_the_day(row: dict[str, Any], day: Any = order["ordered_day"]) -> bool:
            return not row["deleted"] and row["valid_from"] <= day

        known = [row for row in people if row["customer_id"] == order["customer_id"] and of_the_day(row)]
        policy_id = max(known, key=lambda row: row["valid_from"])["policy_id"] if known else None
        terms = [row for row in versions if row["policy_id"] == policy_id and of_the_day(row)]
        if policy_id is not None and terms and order["order_type"] == "sale":
            valid_from = max(row["valid_from"] for row in terms)
            expected[order["order_id"]] = (policy_id, every[policy_id, valid_from][order["order_id"]])
    found = {row["order_id"]: row for row in rows(connection, contract_facts_table)}
    assert found.keys() == expected.keys()
    assert len(found) > 20
    for order_id, (policy_id, row) in expected.items():
        assert found[order_id]["policy_id"] == policy_id
        names = ("state", *VERDICTS, "perfect_order", "deadline_at")
        assert [found[order_id][name] for name in names] == [row[name] for name in names], order_id


def test_four_part_scor_result_equals_the_perfect_order(connection: Connection) -> None:
    """RL.2.1: complete, item, overage. RL.2.2: on time, place. RL.2.3: billed accurately. RL.2.4: damage free."""
    o = order_facts_table.c
    parts = (o.complete, o.item_ok, o.overage_ok, o.on_time, o.place_ok, o.billed_accurately, o.damage_free)
    passed = and_(*[part.is_(True) for part in parts])
    # OTIF represents the first two parts: it can be false while neither of them is known.
    failed = or_(o.otif.is_(False), *[part.is_(False) for part in parts])
    judged_orders = connection.execute(
        select(o.order_id, o.perfect_order, passed.label("passed"), failed.label("failed")).where(o.state == "judged")
    ).all()
    assert {order.perfect_order for order in judged_orders} == {True, False, None}
    for order in judged_orders:
        assert order.perfect_order == (True if order.passed else False if order.failed else None), order.order_id
    (perfect,) = answer(connection, Question(("perfect_order",)))
    assert (perfect.numerator, perfect.denominator, perfect.unknown, perfect.judged) == (
        sum(order.passed is True for order in judged_orders),
        sum(bool(order.passed or order.failed) for order in judged_orders),
        sum(not order.passed and not order.failed for order in judged_orders),
        len(judged_orders),
    )
