"""The list of fact tables that depend on user edits is complete, so a run of edits can leave all others as they are."""

import re
from collections.abc import Callable, Iterable

import pytest
from sqlalchemy import Connection, event

from metrics.edits.edits import TABLES
from metrics.facts.edited_feeds import DEPENDENT_TABLES
from metrics.facts.fact_table import BuildContext, FactTable
from metrics.facts.orders import order_line_facts
from metrics.facts.registry import FACT_TABLES
from metrics.policy import STRICT
from metrics.sql.dialects import Rows
from tests.support.ask_measures import ALL, AS_OF, built

FEEDS = frozenset(DEPENDENT_TABLES)
Build = Callable[[Connection, BuildContext], Iterable[Rows]]


def statements(connection: Connection, build: Build, mapped: frozenset[str]) -> list[str]:
    """Return the SQL that fills a table, and the SQL that is executed to write it."""
    texts: list[str] = []

    def note(*call: object) -> None:
        texts.append(str(call[2]))

    event.listen(connection, "before_cursor_execute", note)
    texts += [str(rows.compile(connection)) for rows in build(connection, BuildContext(AS_OF, mapped))]
    event.remove(connection, "before_cursor_execute", note)
    return texts


def tables_read(texts: list[str]) -> set[str]:
    return {name for text in texts for name in re.findall(r"(?:FROM|JOIN)\s+\(*(\w+)", text)}


def without(feeds: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in ALL if name.partition(".")[0] not in feeds)


def dependent_on(feeds: Iterable[str]) -> set[FactTable]:
    return {fact_table for feed in feeds for fact_table in DEPENDENT_TABLES[feed]}


def judged_lines(_: Connection, context: BuildContext) -> tuple[Rows]:
    return (order_line_facts(STRICT, context.as_of, context.mapped),)


def builds() -> Iterable[tuple[str, Build, frozenset[str]]]:
    """Yield the name of each fact table, its SELECTs, and the feeds of edits that it does not depend on."""
    yield "order_line_facts", judged_lines, FEEDS
    for one in FACT_TABLES:
        yield (
            one.table.name,
            one.select_rows,
            frozenset(f for f, tables in DEPENDENT_TABLES.items() if one not in tables),
        )


def test_every_feed_of_edits_is_listed() -> None:
    assert {*TABLES, "service_cases"} == FEEDS


def test_other_fact_tables_read_no_edits() -> None:
    """A table reads neither another feed of edits nor a fact table that depends on such a feed alone."""
    with built() as connection:
        for name, build, others in builds():
            read = tables_read(statements(connection, build, ALL))
            assert read, name
            of_others = {one.table.name for one in dependent_on(others) - dependent_on(FEEDS - others)}
            assert read & (others | of_others) == set(), name


@pytest.mark.long
def test_mapping_edits_does_not_change_other_fact_tables() -> None:
    with built() as connection:
        for name, build, others in builds():
            if others:
                assert statements(connection, build, ALL) == statements(connection, build, without(others)), name
