"""N14 on the sample: a column left out is named and never read as 0. Each column is left out in turn."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, select, update

from ingest.mapping.mapping_file import mappable
from metrics.facts.orders import facts_state
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Measure
from metrics.model.question import NO_ROWS, Answer, Question
from metrics.model.reasons import columns_of
from metrics.queries.answer import answer
from metrics.rebuild.rebuild import rebuild
from metrics.schema import FEEDS, mapped_columns
from metrics.warehouse import Location, reading
from tests.support import engines
from tests.support.every_case import EVERY_CASE

COLUMNS = [
    f"{feed}.{column}"
    for feed, about in FEEDS.items()
    if feed not in ("targets", "assumptions")
    for column in mappable(about)
    if about.table.c[column].nullable
]
"""Columns that a mapping may leave out."""
LEGITIMATE = {
    "invoice_lines.order_id": {"amount_without_rate", "documents_without_rate"},
    "invoice_lines.line_no": {"amount_without_rate", "documents_without_rate"},
    "shipments.shipped_at": {"stockouts_provisional"},
    "service_cases.order_id": {"acknowledge_hours_p50", "acknowledge_hours_p90"},
}
"""Numbers that the other columns leave at 0.

Bills of no order have no rate. Stockouts by receipt have outcomes. Our own notice acknowledges a failure at once.
"""


@contextmanager
def without(sample: Location, column: str) -> Iterator[Connection]:
    """Yield the sample's warehouse, built again as if no source mapped the column."""
    feed, _, name = column.partition(".")
    (stored,) = sample.folder.glob("gen-*.duckdb")
    copy = Path(shutil.copy(stored, sample.folder.parent / f"without_{column}.duckdb"))
    engine = engines.of_file(str(copy))
    table = FEEDS[feed].table
    with engine.connect() as connection:
        as_of = connection.execute(select(facts_state.c.as_of)).scalar_one()
        connection.execute(
            delete(mapped_columns).where(mapped_columns.c.feed == feed, mapped_columns.c.column_name == name)
        )
        empty = [one for one in (name, f"{name}_is_date") if one in table.c]
        connection.execute(update(table).values(dict.fromkeys(empty)))
        rebuild(connection, as_of=as_of, touched=None)
        yield connection
    engine.dispose()
    copy.unlink()


@pytest.fixture(scope="module")
def whole(sample: Location) -> tuple[set[str], dict[str, Answer]]:
    """Return the mapped columns of the sample, and the answers with all of them."""
    with reading(sample) as connection:
        known = {f"{row.feed}.{row.column_name}" for row in connection.execute(select(mapped_columns))}
        return known, {found.measure: found for found in answer(connection, Question(tuple(MEASURES)))}


@pytest.mark.long
@pytest.mark.parametrize("column", COLUMNS if EVERY_CASE else COLUMNS[::16])
def test_n14_without_a_column_a_number_is_named_or_stands_on_other_columns(
    column: str, sample: Location, whole: tuple[set[str], dict[str, Answer]]
) -> None:
    known, before = whole
    if column not in known:
        pytest.skip("the sample does not map it")
    with without(sample, column) as connection:
        after = {found.measure: found for found in answer(connection, Question(tuple(MEASURES)))}
    asked = {name: found for name, found in after.items() if not _replaced(MEASURES[name], column, known)}
    unnamed = {
        name: found.no_data
        for name, found in asked.items()
        if before[name].value is not None
        and found.value is None
        and not (column in str(found.no_data) or _said(found) or name.startswith("stockout_cost_"))
    }
    assert unnamed == {}
    feed = column.partition(".")[0]
    zeros = {
        name
        for name, found in asked.items()
        if before[name].value and found.value == 0 and feed in MEASURES[name].feeds
    }
    assert zeros - LEGITIMATE.get(column, set()) == set()


def _replaced(measure: Measure, column: str, known: set[str]) -> bool:
    """Return whether the measure needs the column or another one, which is mapped."""
    return any(
        column in columns_of(one) and any(known.issuperset(columns_of(other)) for other in need.any_of if other != one)
        for need in measure.needs
        for one in need.any_of
    )


def _said(found: Answer) -> bool:
    """Return True for a reason that the remaining records give."""
    return str(found.no_data) != NO_ROWS and not str(found.no_data).startswith("inconclusive")
