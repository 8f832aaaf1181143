"""Orders that are not judged again would keep their verdicts: the answers equal those of judging every order again."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import Connection, delete, insert

from metrics.facts import anchor_dates
from metrics.policy import Anchor, Policy
from metrics.queries import definition_ladder, what_if
from metrics.queries.definition_ladder import Ladder
from metrics.queries.policy_diff import Diff, policy_diff
from metrics.rebuild.rebuild import rebuild
from metrics.schema import mapped_columns, metadata
from tests.metrics.facts.orders.worlds import MANY, drawn_world, load, strict_worlds_of_the_cases
from tests.reference.random_worlds import World
from tests.support.ask_measures import only
from tests.support.engines import memory

filled = only(anchor_dates)

DIFFS = (
    (Policy(late_tolerance_days=1), "otif"),
    (Policy(late_tolerance_days=2, late_tolerance_hours=Decimal(5)), "perfect_order"),
    (Policy(late_tolerance_hours=Decimal(7)), "billed_accurately"),
    (Policy(anchor=Anchor.REQUESTED), "filled_accurately"),
    (Policy(anchor=Anchor.CURRENT_PROMISE, late_tolerance_days=1), "complete"),
)
"""Policies that change a deadline only, each with a verdict. The others judge every order again."""


def strict_world(start: int, orders: int) -> World:
    return replace(drawn_world(start, orders), policy={})


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    engine = memory()
    with engine.connect() as opened:
        metadata.create_all(opened)
        yield opened
    engine.dispose()


def build(connection: Connection, world: World) -> None:
    load(connection, world.records, world.as_of)
    connection.execute(delete(mapped_columns))
    names = [name.split(".") for name in sorted(world.mapped)]
    connection.execute(
        insert(mapped_columns), [{"source": "test", "feed": feed, "column_name": name} for feed, name in names]
    )
    rebuild(connection, as_of=world.as_of, touched=None)


def answers(connection: Connection, diffs: int) -> tuple[Ladder, list[Diff]]:
    found = [policy_diff(connection, policy, verdict=verdict) for policy, verdict in DIFFS[:diffs]]
    return definition_ladder.definition_ladder(connection), found


def compare(connection: Connection, world: World, monkeypatch: pytest.MonkeyPatch, diffs: int) -> None:
    build(connection, world)
    few = answers(connection, diffs)
    with monkeypatch.context() as every_order:
        every_order.setattr(what_if, "changed_by_policies", lambda *_: None)
        every_order.setattr(
            definition_ladder,
            "by_facts",
            lambda connection, view, policies, **_: definition_ladder.by_judging(connection, view, policies),
        )
        assert few == answers(connection, diffs)


@pytest.mark.long
def test_random_orders_that_are_not_judged_again_keep_their_verdicts(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(connection, strict_world(start=3, orders=60), monkeypatch, diffs=1)


@pytest.mark.long
@pytest.mark.parametrize("start", range(100, 140 if MANY else 102))
def test_many_random_orders_that_are_not_judged_again_keep_their_verdicts(
    connection: Connection, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(connection, strict_world(start, orders=400 if MANY else 120), monkeypatch, len(DIFFS))


@pytest.mark.long
def test_orders_of_the_worked_examples_that_are_not_judged_again_keep_their_verdicts(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for world in strict_worlds_of_the_cases(at_least=0 if MANY else 100):
        compare(connection, world, monkeypatch, len(DIFFS))
