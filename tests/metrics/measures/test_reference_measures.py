"""Measures counted from reference verdicts: first the worked sums of the rules, then the SQL's answers on random
orders.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from sqlalchemy import Connection, delete, insert

from metrics.model.point import INCONCLUSIVE
from metrics.queries.answer import Question, answer
from metrics.rebuild.rebuild import rebuild
from metrics.schema import mapped_columns, metadata, runs
from tests.metrics.facts.orders.worlds import drawn_worlds, load
from tests.reference.measures import MEASURES, Counted, measure
from tests.reference.random_worlds import World
from tests.reference.verdicts import judge
from tests.support.builders import Records, everything
from tests.support.engines import memory
from tests.support.rule_cases import END_OF_APRIL, both, history, renamed, sent

GRAINS = ("day", "week", "month", "quarter")
DIMENSIONS = ("segment", "region", "channel", "fulfilment_model", "customer", "product_category", "carrier")


def of_all(name: str, *histories: Records, mapped: frozenset[str] | None = None) -> Counted:
    """Return the measure over these random orders together, each counted once."""
    records = both(*(renamed(one, f"O{number}") for number, one in enumerate(histories)))
    return measure(judge(records, {}, END_OF_APRIL, mapped or everything()), name)[(None,)]


def test_r18_share_has_no_value_if_nothing_is_judged() -> None:
    assert Counted().value is None


def test_r31_otif_is_decided_on_each_order() -> None:
    # (on time, in full) = (1,0), (1,0), (0,1), (0,1): no order has both
    short, late = history(sent(8, 9, 60)), history(sent(8, 12))
    found = of_all("otif", short, short, late, late)
    assert (found.numerator, found.denominator) == (0, 4)


def test_r36_unknown_orders_lower_the_coverage_only() -> None:
    # 10 judged, 6 true, 2 false, 2 unknown: 6/8
    good, late, unproven = history(sent(8, 9)), history(sent(8, 12)), history(sent(9, None))
    found = of_all("on_time", *[good] * 6, *[late] * 2, *[unproven] * 2)
    assert (found.numerator, found.denominator, found.judged, found.unknown) == (6, 8, 10, 2)


def test_r36_known_failure_fails_the_perfect_order_despite_unknown_tests() -> None:
    # no invoice feed, 1 late, 9 otherwise good: 0 of 1 known, coverage 10 %, so no point; bounds 0 to 90 %
    good, late = history(sent(8, 9), bills=[]), history(sent(8, 12), bills=[])
    unbilled = frozenset(name for name in everything() if not name.startswith("invoice"))
    found = of_all("perfect_order", *[good] * 9, late, mapped=unbilled)
    assert (found.denominator, found.judged, found.unknown, found.value) == (1, 10, 9, None)


def test_r40_a_replacement_is_in_no_denominator() -> None:
    found = of_all("on_time", history(sent(8, 9)), history(sent(8, 15), order_type="replacement"))
    assert (found.numerator, found.denominator) == (1, 1)


def test_r9_units_are_capped_line_by_line() -> None:
    case = history(sent(8, 9, 13), wanted={"ordered_qty": 10}), history(sent(8, 9, 7), wanted={"ordered_qty": 10})
    found = of_all("unit_fill_final", *case)
    assert (found.numerator, found.denominator) == (17, 20)


def rebuilt(connection: Connection, world: World) -> None:
    """Load the world and build its facts and rollups, as after an ingest."""
    load(connection, world.records, world.as_of)
    for table in (runs, mapped_columns):
        connection.execute(delete(table))
    moment = datetime(2026, 1, 1)
    run = {
        "run_id": 1,
        "source": "test",
        "started_at": moment,
        "outcome": "published",
        "data_as_of": world.as_of,
        "generation": 1,
    }
    connection.execute(insert(runs), run | {"data_as_of_declared": True})
    pairs = [name.split(".") for name in sorted(world.mapped)]
    connection.execute(
        insert(mapped_columns), [{"source": "test", "feed": feed, "column_name": column} for feed, column in pairs]
    )
    rebuild(connection, as_of=world.as_of, touched=None)


def sums(number: object) -> Decimal:
    return Decimal(str(number or 0))


def differences(connection: Connection, world: World, by: tuple[str, ...], grain: str | None) -> list[str]:
    """Return the differences between the SQL's answers and the reference counts."""
    judgement = judge(world.records, {}, world.as_of, world.mapped)
    got = {
        (found.measure, *(found.dimensions[name] for name in by), found.period): found
        for found in answer(connection, Question(tuple(MEASURES), by=by, grain=grain))
    }
    wrong = []
    for name in MEASURES:
        expected = {
            key: one for key, one in measure(judgement, name, by=by, grain=grain).items() if one.judged or one.numerator
        }
        for key in expected.keys() | {key[1:] for key in got if key[0] == name}:
            one, found = expected.get(key, Counted()), got.get((name, *key))
            if found is None or (found.no_data and not found.no_data.startswith(INCONCLUSIVE)):
                if one.denominator and not (
                    found and str(found.no_data).startswith("no data:")
                ):  # a required column is not mapped
                    wrong.append(f"{name} {key}: judge {one}, SQL {found and found.no_data}")
                continue
            here = {
                "numerator": one.numerator,
                "denominator": one.denominator,
                "judged": one.judged,
                "unknown": one.unknown,
            }
            if found.judged is None:  # a count, or a mean of days
                here = {"numerator": one.numerator}
            there = {column: getattr(found, column) for column in here}
            if found.judged is not None and (found.value is None) != (one.value is None):
                wrong.append(f"{name} {key}: judge {one.value}, SQL {found.value} {found.no_data}")
            if any(sums(here[column]) != sums(there[column]) for column in here):
                wrong.append(f"{name} {key}: judge {here}, SQL {there}")
    return wrong


@pytest.fixture
def database() -> Iterator[Connection]:
    engine = memory()
    with engine.connect() as connection:
        metadata.create_all(connection)
        yield connection
    engine.dispose()


@pytest.mark.long
@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.long)])
def test_answers_equal_the_counts_of_the_reference(database: Connection, number: int) -> None:
    world = drawn_worlds(2, 80)[number]
    euros = {"orders": [row | {"currency": "EUR"} for row in world.records["orders"]], "fx_rates": []}
    strict = replace(world, policy={}, records=world.records | euros, mapped=world.mapped - everything("fx_rates"))
    rebuilt(database, strict)
    grains = [((DIMENSIONS[-1 - place],), GRAINS[place]) for place in range(number, len(GRAINS), 2)]
    for by, grain in [((), None), ((DIMENSIONS[number],), None), *grains]:
        found = differences(database, strict, by, grain)
        assert not found, "\n".join(found)
