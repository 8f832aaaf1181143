"""The rows behind a number add up to it: every part of every measure, in total and by segment, over the sample
warehouse.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import Connection

from metrics.errors import UnknownName
from metrics.lists.drill_down import ADDED, TESTS, all_rows, drill_down, inputs
from metrics.lists.drill_down_parts import drillable_parts, first_part
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Derived, Ratio, Spread, Study, Total
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.warehouse import Location, reading

HALF = {"start": date(2026, 1, 1), "end": date(2026, 6, 30)}
WITH_ROWS = [name for name, measure in MEASURES.items() if drillable_parts(measure)]
MADE = [name for name, measure in MEASURES.items() if isinstance(measure.formula, Derived | Study)]


@pytest.fixture(scope="module", params=["embedded", "server"])
def connection(request: pytest.FixtureRequest, sample: Location) -> Iterator[Connection]:
    """The judged orders of the sample, on the server in the long run."""
    place: Location = sample if request.param == "embedded" else request.getfixturevalue("sample_on_server")
    with reading(place) as opened:
        yield opened


def test_every_measure_has_rows_or_is_derived_from_measures_with_rows() -> None:
    assert set(WITH_ROWS) | set(MADE) == set(MEASURES)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.long] if number % 5 else []) for number, name in enumerate(WITH_ROWS)],
)
def test_listed_rows_add_up_to_the_measure_in_total_and_by_segment(name: str, connection: Connection) -> None:
    question = Question((name,), **HALF)
    views = [()] + [
        (("segment", one.dimensions["segment"]),) for one in answer(connection, replace(question, by=("segment",)))
    ]
    for part in drillable_parts(MEASURES[name]):
        for at in views:
            found = drill_down(connection, question, part, at=at, size=0)
            assert found.number is not None or found.answer.no_data
            assert found.number == found.adds_up
            assert found.proven or found.number is None
            if ADDED not in found.columns and not isinstance(MEASURES[name].formula, Spread):
                assert found.number in (None, found.total)


@pytest.mark.parametrize("name", [name for name in WITH_ROWS if isinstance(MEASURES[name].formula, Total | Ratio)])
def test_rows_of_the_list_file_add_up_to_the_measure(name: str, connection: Connection) -> None:
    for part in drillable_parts(MEASURES[name]):
        question = Question((name,), **HALF)
        columns, *rows = all_rows(connection, question, part)
        found = drill_down(connection, question, part, size=7)
        assert columns == found.columns
        assert [tuple(row.values()) for row in found.rows] == rows[:7]
        assert len(rows) == found.total
        if ADDED in columns and getattr(MEASURES[name].formula, "ticks", 1) == 1 and found.number is not None:
            assert sum(row[columns.index(ADDED)] or 0 for row in rows) == found.number


def test_pages_of_a_list_contain_the_whole_list(connection: Connection) -> None:
    question = Question(("billed_accurately",), **HALF)
    _, *rows = all_rows(connection, question, "out_of")
    paged = [
        tuple(row.values())
        for page in range(1, 99)
        for row in drill_down(connection, question, "out_of", page=page, size=17).rows
    ]
    assert paged == rows
    assert len(rows) > 40


def test_first_row_counted_for_a_percentile_has_the_percentile_value(connection: Connection) -> None:
    found = drill_down(connection, Question(("cycle_p90",), **HALF), size=1)
    assert found.rows[0][ADDED] == found.answer.value == found.adds_up
    assert found.total / found.answer.denominator >= 0.9


def test_rest_part_lists_the_failed_orders(connection: Connection) -> None:
    found = drill_down(connection, Question(("on_time",), **HALF), "rest", size=500)
    assert found.rows
    assert {row["on_time"] for row in found.rows} == {False}
    assert all(row["on_time_reason"] for row in found.rows)


def test_list_of_imperfect_orders_has_the_reason_of_each_failed_test(connection: Connection) -> None:
    found = drill_down(connection, Question(("perfect_order",), **HALF), "rest", size=500)
    assert found.rows
    assert all(any(row[f"{test}_reason"] for test in TESTS) for row in found.rows)


def test_list_opens_with_the_failed_rows_of_a_test_and_the_counted_rows_of_other_measures() -> None:
    first = {name: first_part(MEASURES[name]) for name in ("otif", "perfect_order", "cycle_days", "failed_orders")}
    assert first == {"otif": "rest", "perfect_order": "rest", "cycle_days": "counted", "failed_orders": "counted"}


def test_empty_dimension_value_has_its_own_rows(connection: Connection) -> None:
    """Message kinds, outcomes and similar columns of a fact table may be empty. The breakdown shows them as (none)."""
    checked = 0
    for name, dimension in (("books_matched", "cause"), ("books_agree", "cause")):
        question = Question((name,), **HALF)
        for one in answer(connection, replace(question, by=(dimension,))):
            if one.dimensions[dimension] is None:
                checked += 1
                assert drill_down(connection, question, at=((dimension, None),), size=0).number == one.numerator
                assert drill_down(connection, question, at=((dimension, None),), size=0).proven
    assert checked


@pytest.mark.parametrize("name", MADE)
def test_measure_without_rows_lists_its_input_measures(name: str, connection: Connection) -> None:
    made = inputs(connection, Question((name,), **HALF))
    assert made
    assert name not in made
    assert all(one in MEASURES for one in made)


def test_unknown_part_or_dimension_is_refused(connection: Connection) -> None:
    with pytest.raises(UnknownName, match="counted"):
        drill_down(connection, Question(("orders",), **HALF), "out_of")
    with pytest.raises(UnknownName):
        drill_down(connection, Question(("orders",), **HALF), at=(("colour", "red"),))
