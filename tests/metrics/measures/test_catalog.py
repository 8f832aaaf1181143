"""Rules that every measure of the catalog meets."""

import re
from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Connection, Double, Float
from sqlalchemy.dialects import postgresql

from metrics.errors import UnknownName
from metrics.facts.assumptions import ASSUMPTIONS
from metrics.facts.orders import facts_metadata, order_facts_table, order_line_facts_table
from metrics.facts.registry import FACT_TABLES
from metrics.measures.catalog import ALIASES, MEASURES, default_dimension, dimension_column, find
from metrics.measures.needs import ALSO_BY_RECEIPT, COLLECTION
from metrics.model.dimensions import ABOUT, DIMENSIONS
from metrics.model.measure import Additive, Measure, Percentile, Spread, Study, Total
from metrics.model.statistics import wilson
from metrics.queries.answer import Question, answer
from metrics.queries.rollups import ROLLED, ROLLUPS, rollup_metadata
from metrics.queries.statements import batch_select, batches
from metrics.schema import FEEDS, metadata
from tests.support.engines import memory

EVERY = pytest.mark.parametrize("measure", MEASURES.values(), ids=list(MEASURES))


@pytest.fixture(scope="module")
def nothing() -> Iterator[Connection]:
    """A warehouse with every table and no rows."""
    engine = memory()
    with engine.connect() as connection:
        for tables in (metadata, facts_metadata, rollup_metadata):
            tables.create_all(connection)
        yield connection
    engine.dispose()


@EVERY
def test_every_measure_has_complete_texts(measure: Measure) -> None:
    for text in (
        measure.title,
        measure.definition,
        measure.numerator,
        measure.denominator,
        measure.exclusions,
        measure.source,
    ):
        assert text.strip()
    assert re.fullmatch(r"[a-z0-9_]+", measure.name)
    assert measure.product_rows
    assert set(measure.product_rows) <= set(range(1, 19))
    assert set(measure.feeds) <= set(FEEDS)
    assert set(measure.assumptions) <= set(ASSUMPTIONS)
    assert measure.date in measure.facts.columns


@EVERY
def test_rate_has_no_data_and_count_is_zero_without_orders(measure: Measure, nothing: Connection) -> None:
    (one,) = answer(nothing, Question((measure.name,)))
    if isinstance(measure.formula, Total) and not measure.needs:
        assert one.value == 0
    else:
        assert one.value is None
        assert one.no_data


@EVERY
def test_every_measure_compiles_for_postgresql_by_every_dimension(measure: Measure) -> None:
    question = Question((measure.name,), by=tuple(DIMENSIONS), grain="week", start=date(2026, 1, 5))
    if not isinstance(measure.formula, Additive | Percentile):
        return  # test_engines_agree.py asks a real PostgreSQL
    (batch,) = batches(question)
    assert "SELECT" in str(batch_select(batch, question).compile(dialect=postgresql.dialect()))


@pytest.mark.parametrize("assumption", ASSUMPTIONS)
def test_every_assumption_is_declared_by_a_measure(assumption: str) -> None:
    assert [name for name, measure in MEASURES.items() if assumption in measure.assumptions]


@pytest.mark.parametrize("row", range(1, 17))
def test_every_product_requirement_has_a_measure(row: int) -> None:
    assert [name for name, measure in MEASURES.items() if row in measure.product_rows]


def test_every_dimension_is_a_column_of_every_fact_table() -> None:
    for table in (order_facts_table, order_line_facts_table, *[ledger.table for ledger in FACT_TABLES]):
        assert set(DIMENSIONS.values()) <= set(table.columns.keys())


def test_rollups_contain_every_additive_measure_in_exact_types() -> None:
    """HUGEINT columns are 78 times slower to sum again, and floating sums depend on their order.

    Money keeps the decimals of quantity, price and rate. A wide decimal takes twice as long to sum as a narrow one.
    """
    held = {name.split("__")[0] for rollup in ROLLUPS for name in rollup.parts}
    rolled = {
        name for name, measure in MEASURES.items() if isinstance(measure.formula, Additive) and measure.facts in ROLLED
    }
    assert held == rolled
    for rollup in ROLLUPS:
        for name in rollup.parts:
            kind = rollup.table.c[name].type
            assert not isinstance(kind, (Double, Float))
            in_money = find(name.split("__")[0]).in_money
            assert str(kind) in ("BIGINT", "NUMERIC(18, 4)", *(["NUMERIC(38, 20)"] if in_money else []))


@pytest.mark.parametrize(
    ("dimension", "name"), [(dimension, name) for dimension, names in ABOUT.items() for name in names]
)
def test_default_dimension_of_a_measure_is_one_of_its_dimensions(dimension: str, name: str) -> None:
    measure = find(name)
    column = dimension_column(dimension, measure)
    assert (
        dimension in measure.formula.dimensions
        if isinstance(measure.formula, Study)
        else column in measure.facts.columns
    )
    assert default_dimension(measure) == dimension  # named once


def test_default_dimension_is_the_segment_if_none_is_declared() -> None:
    assert [
        default_dimension(find(name)) for name in ("otif", "net_sales_value", "cycle_hours", "stockout_unit_cost")
    ] == ["segment"] * 4


def test_an_unknown_measure_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean on_time"):
        find("ontime")


@pytest.mark.parametrize(
    ("numerator", "denominator", "low", "high"),
    [(3, 4, 30.06, 95.44), (5, 5, 56.55, 100), (0, 5, 0, 43.45), (19, 20, 76.39, 99.11)],
)
def test_wilson_intervals_of_the_rule_book(numerator: int, denominator: int, low: float, high: float) -> None:
    interval = wilson(numerator, denominator)
    assert interval is not None
    assert tuple(round(100 * bound, 2) for bound in interval) == (low, high)


def test_wilson_interval_of_zero_rows_is_none() -> None:
    assert wilson(0, 0) is None


RECEIPT = re.compile(r"\b(received|receipt|arriv\w+|late orders?|on time)\b")


def test_definitions_based_on_receipt_mention_collection_by_the_buyer() -> None:
    """R2: where the buyer collects, leaving our place is the receipt. Every text about receipts of goods says so."""
    for measure in MEASURES.values():
        texts = " ".join((measure.definition.replace(COLLECTION, ""), measure.numerator, measure.denominator))
        if RECEIPT.search(texts) and "shipments" in measure.feeds:
            assert measure.definition.endswith(COLLECTION), measure.name
    assert set(ALSO_BY_RECEIPT) <= set(MEASURES)


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_n21_alias_gives_the_same_answer_with_a_remark(alias: str, name: str, nothing: Connection) -> None:
    """N21: one measure each; another name of it gives the same answer and a remark."""
    assert alias not in MEASURES
    assert find(alias) is MEASURES[name]
    own, same = answer(nothing, Question((name, alias)))
    assert (same.measure, same.value, same.no_data) == (alias, own.value, own.no_data)
    assert same.remark == f"{alias} is another name of {name}"


@EVERY
def test_n21_a_definition_does_not_repeat_itself_as_the_numerator(measure: Measure) -> None:
    def words(text: str) -> str:
        return re.sub(r"\W+", " ", text.lower()).strip()

    assert words(measure.numerator) != words(measure.definition)


def test_n21_no_two_measures_have_the_same_formula() -> None:
    """Equal facts, date, formula and breakdown are one measure under two names."""
    seen: dict[str, str] = {}
    for measure in MEASURES.values():
        if not isinstance(measure.formula, Additive | Percentile):
            continue
        parts = measure.formula.parts().items() if isinstance(measure.formula, Additive) else ()
        text = [
            (role, part.over(measure.facts).compile(compile_kwargs={"literal_binds": True})) for role, part in parts
        ]
        if isinstance(measure.formula, Percentile):
            text = [("value", f"{measure.formula.fraction} {measure.formula.value}")]
        formula = [(role, str(sql)) for role, sql in text]
        key = f"{type(measure.formula).__name__} {measure.facts.name} {measure.date} {formula}"
        if isinstance(measure.formula, Spread):
            key += str(measure.formula.relative)
        assert seen.setdefault(key, measure.name) == measure.name
