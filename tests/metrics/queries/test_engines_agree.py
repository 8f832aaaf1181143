"""DuckDB and PostgreSQL give the same answers from the same records, to the last digit.

The test asks every measure of the catalogue by every dimension, in total, by week and by month. It repeats the
questions without rollups, and adds up the parts of every total.
"""

import math
from dataclasses import fields
from decimal import Decimal
from operator import attrgetter
from typing import Any

import pytest
from sqlalchemy import select

from metrics.access import Scope
from metrics.facts import rejudge
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.measures.catalog import MEASURES
from metrics.model.dimensions import DIMENSIONS
from metrics.model.measure import Total
from metrics.model.question import ALL_QUARANTINED, NO_RATES, NOTHING_KNOWN
from metrics.policy import Policy
from metrics.queries import statements
from metrics.queries.answer import Answer, Question, answer
from metrics.queries.definition_ladder import definition_ladder
from metrics.queries.policy_diff import policy_diff
from metrics.queries.rollups import ROLLED
from metrics.queries.scope import reading as scoped_reading
from metrics.rebuild import rebuild
from metrics.warehouse import Location, reading, writing
from tests.conftest import SAMPLE_ORDERS
from tests.support.every_case import EVERY_CASE

pytestmark = pytest.mark.both_engines

BYS: tuple[tuple[str, ...], ...] = ((), *((name,) for name in DIMENSIONS))
GRAINS = (None, "week", "month")
EVERYTHING = tuple(MEASURES)
ROLLED_UP = tuple(name for name, measure in MEASURES.items() if measure.facts in ROLLED)
OFTEN = [(by, grain) for by in BYS for grain in GRAINS if grain is None or not by]
"""Every dimension in total, and every grain in total. The other pairs are in the long run."""
FEW = {((), None), (("segment",), None)}
ALL_PAIRS = [(by, grain) for by in BYS for grain in GRAINS if EVERY_CASE or grain != "week" or by in ((), ("segment",))]
"""Pairs of a dimension and a grain. Weeks take as long as all other pairs, and run the same code as months."""
PAIRS = [
    pytest.param(
        by, grain, marks=[] if (by, grain) in OFTEN else pytest.mark.long, id=f"{'-'.join(by) or 'all'}-{grain}"
    )
    for by, grain in ALL_PAIRS
]
ON_BOTH = [
    pytest.param(by, grain, marks=[] if (by, grain) in FEW else pytest.mark.long, id=f"{'-'.join(by) or 'all'}-{grain}")
    for by, grain in ALL_PAIRS
]
"""Pairs asked on both engines. PostgreSQL takes seconds for each, so most are in the long run."""
TOTALS = tuple(name for name, measure in MEASURES.items() if isinstance(measure.formula, Total))


@pytest.fixture
def embedded(sample: Location) -> Location:
    """The sample orders in DuckDB."""
    return sample


@pytest.fixture
def server(sample_on_server: Location) -> Location:
    """The same orders in PostgreSQL."""
    return sample_on_server


def asked(place: Location, measures: tuple[str, ...], by: tuple[str, ...], grain: str | None) -> list[Answer]:
    with reading(place) as connection:
        return answer(connection, Question(measures, by=by, grain=grain))


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal: to the last digit, but doubles to the twelfth."""
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return str(one) == str(other)
    if type(one) is type(other) and one == other:
        return True
    return (
        isinstance(one, float) and isinstance(other, float) and math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-12)
    )


values = attrgetter(*[field.name for field in fields(Answer)])


def assert_same(ones: list[Answer], others: list[Answer]) -> None:
    assert [(one.dimensions, one.period, one.measure) for one in ones] == [
        (one.dimensions, one.period, one.measure) for one in others
    ]
    different = [
        (one, other) for one, other in zip(ones, others, strict=True) if not all(map(same, values(one), values(other)))
    ]
    assert not different, f"{len(different)} of {len(ones)} differ, the first: {different[0]}"


@pytest.mark.postgres
@pytest.mark.parametrize(("by", "grain"), ON_BOTH)
def test_both_engines_give_the_same_answers(
    by: tuple[str, ...], grain: str | None, embedded: Location, server: Location
) -> None:
    assert_same(asked(embedded, EVERYTHING, by, grain), asked(server, EVERYTHING, by, grain))


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.parametrize(
    "scope", [(("region", ("North",)),), (("segment", ("A",)), ("channel", ("edi", "web")))], ids=["region", "two"]
)
def test_both_engines_give_the_same_answers_under_a_scope(scope: Scope, embedded: Location, server: Location) -> None:
    found = []
    for place in (embedded, server):
        with scoped_reading(place, scope) as connection:
            found.append(answer(connection, Question(EVERYTHING)))
    assert_same(*found)


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.parametrize("scope", [(), (("region", ("North",)),)], ids=["all", "scope"])
def test_both_engines_give_the_same_ladder_and_policy_diff(scope: Scope, embedded: Location, server: Location) -> None:
    both = []
    for place in (embedded, server):
        with scoped_reading(place, scope) as connection:
            both.append((definition_ladder(connection), policy_diff(connection, Policy(late_tolerance_days=1))))
    assert both[0] == both[1]
    assert both[0][0].orders > 0


@pytest.mark.postgres
@pytest.mark.parametrize("facts", [order_line_facts_table, order_facts_table], ids=lambda facts: facts.name)
def test_both_engines_judge_every_row_alike(facts: Any, embedded: Location, server: Location) -> None:
    rows = []
    for place in (embedded, server):
        with reading(place) as connection:
            found = connection.execute(select(*facts.c)).all()
        rows.append(sorted((tuple(row) for row in found), key=lambda row: (row[0], str(row[1]))))
    assert len(rows[0]) > SAMPLE_ORDERS / 2
    assert rows[0] == rows[1]


@pytest.mark.every_run("all-None", "segment-None", "all-month")
@pytest.mark.parametrize(("by", "grain"), PAIRS)
def test_rollup_answers_equal_fact_table_answers(
    by: tuple[str, ...], grain: str | None, embedded: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled = asked(embedded, ROLLED_UP, by, grain)
    monkeypatch.setattr(statements, "smallest_rollup", lambda *_, **__: None)
    assert_same(rolled, asked(embedded, ROLLED_UP, by, grain))


@pytest.mark.every_run("all-None", "segment-None", "all-month")
@pytest.mark.parametrize(("by", "grain"), PAIRS)
def test_the_parts_of_every_total_add_up_to_the_whole(
    by: tuple[str, ...], grain: str | None, embedded: Location
) -> None:
    """N7: quantities of several base units have no sum: the parts of each unit add up to the unit's whole.

    N13: a breakdown that is refused gives its reason in every part. A part of which nothing is known adds nothing: its
    verdicts are those of the whole that are unknown.
    """
    quantities = tuple(name for name in TOTALS if MEASURES[name].in_base_units)
    others = tuple(name for name in TOTALS if name not in quantities)
    for names, unit in ((others, ()), (quantities, ("base_unit",))):
        answers = asked(embedded, names, unit, None)
        assert {one.measure for one in answers} == set(names)
        assert all(
            one.value is not None or one.no_data in (NOTHING_KNOWN, NO_RATES, ALL_QUARANTINED) for one in answers
        )
        whole = {_key(one): one.value or 0 for one in answers}
        refused = {name: MEASURES[name].refusal(by) for name in names}
        added: dict[Any, Any] = {key: 0 for key in whole if not refused[key[0]]}
        for one in asked(embedded, names, (*by, *unit), grain):
            if refused[one.measure]:
                assert (one.value, one.no_data) == (None, refused[one.measure])
            elif one.no_data in (NOTHING_KNOWN, NO_RATES):
                assert one.value is None
                assert one.judged == one.unknown
            elif one.no_data == ALL_QUARANTINED:
                assert one.value is None
            else:
                assert one.value is not None, one
                added[_key(one)] += one.value
        assert added == {key: value for key, value in whole.items() if key in added}


def _key(one: Answer) -> tuple[str, str | None]:
    return one.measure, one.dimensions.get("base_unit")


@pytest.mark.long
@pytest.mark.parametrize("size", [7, 100] if EVERY_CASE else [100])
def test_facts_built_in_batches_equal_facts_built_at_once(
    size: int, embedded: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(embedded) as build:  # never published
        connection = build.connection
        tables = (order_line_facts_table, order_facts_table)
        whole = [sorted(map(repr, connection.execute(select(*facts.c)))) for facts in tables]
        monkeypatch.setattr(rejudge, "LINES_PER_BATCH", size)
        rebuild.rebuild(
            connection, as_of=connection.execute(select(rebuild.facts_state.c.as_of)).scalar_one(), touched=None
        )
        assert [sorted(map(repr, connection.execute(select(*facts.c)))) for facts in tables] == whole


def test_sample_covers_every_measure_dimension_and_verdict(embedded: Location) -> None:
    """Assert that every measure has a value, every dimension several, and that verdicts are of all three kinds.

    N2: below the minimum coverage, a combined share has a range in place of its value. N7, N19: what must not be pooled
    over base units, steps or bases has values by these.
    """
    for one in asked(embedded, EVERYTHING, (), None):
        if one.value is not None:
            continue
        no_data = str(one.no_data)
        if no_data.startswith("inconclusive"):
            assert getattr(MEASURES[one.measure].formula, "combined", False), one
            assert one.worst is not None
            assert one.best is not None
            assert one.worst < one.best, one
            continue
        breakdowns = [name for name in ("base_unit", "step", "basis") if f"break down by {name}" in no_data]
        assert breakdowns, one
        parts = asked(embedded, (one.measure,), tuple(breakdowns), None)
        assert len([part for part in parts if part.value is not None]) > 1, one
    for name in DIMENSIONS.keys() - {"currency"}:
        assert len({one.dimensions[name] for one in asked(embedded, ("orders",), (name,), None)}) > 1, name
    with reading(embedded) as connection:
        verdicts = set(connection.scalars(select(order_facts_table.c.perfect_order).distinct()))
    assert verdicts == {True, False, None}
