"""Fact tables of contacts: keys, totals by dimension, and equal answers on PostgreSQL."""

from datetime import datetime

import pytest
from sqlalchemy import Connection

from metrics.facts.messages import message_facts_table
from metrics.facts.quotes import quote_facts_table, quote_option_facts_table
from metrics.facts.recoveries import recovery_facts_table
from metrics.facts.recovery_costs import recovery_cost_facts_table
from metrics.facts.returns import return_facts_table
from metrics.facts.service_cases import case_facts_table
from metrics.facts.shipments import shipment_facts_table
from metrics.facts.two_books import two_books_facts_table
from metrics.measures import communications, influence, post_sale_support, recovery, responsiveness, two_books
from metrics.model.dimensions import DIMENSIONS
from metrics.model.measure import Total
from metrics.model.question import Question
from metrics.queries.answer import answer
from tests.metrics.facts.contacts.counts import RECORDS
from tests.support.ask_measures import built, fact_rows, one

MEASURES = tuple(
    measure
    for module in (communications, responsiveness, post_sale_support, recovery, influence, two_books)
    for measure in module.MEASURES
)

TABLE_KEYS = {
    message_facts_table: ("message_id",),
    case_facts_table: ("case_id",),
    return_facts_table: ("return_id", "return_line_no"),
    shipment_facts_table: ("shipment_id",),
    quote_facts_table: ("quote_id",),
    quote_option_facts_table: ("quote_id", "option_no"),
    recovery_facts_table: ("order_id",),
    recovery_cost_facts_table: ("order_id", "activity", "cost_day", "amount"),
    two_books_facts_table: ("order_id", "customer_id"),
}


def test_keys_are_unique_and_every_table_has_rows(connection: Connection) -> None:
    for table, key in TABLE_KEYS.items():
        rows = connection.execute(table.select()).all()
        assert len(rows) > 10, table.name
        if table is not recovery_cost_facts_table:
            assert len(fact_rows(connection, table, *key)) == len(rows), table.name


def test_the_parts_of_every_total_add_up(connection: Connection) -> None:
    totals = [measure for measure in MEASURES if isinstance(measure.formula, Total)]
    own = {"cause", "recovery", "activity", "return_reason", "lead_time_class"}
    for measure in totals:
        whole = one(connection, measure.name).value
        assert whole, measure.name
        for dimension in (*DIMENSIONS, *[name for name in own if name in measure.facts.columns]):
            parts = [part.value for part in answer(connection, Question((measure.name,), by=(dimension,)))]
            assert None not in parts, (measure.name, dimension)
            assert sum(part for part in parts if part is not None) == whole, (measure.name, dimension)


def test_shares_of_a_mix_add_up_to_one(connection: Connection) -> None:
    for segment in ("A", "B"):
        shares = answer(
            connection, Question(("lead_option_mix",), by=("lead_time_class",), where=(("segment", (segment,)),))
        )
        assert sum(share.value for share in shares if share.value) == pytest.approx(1)


@pytest.mark.long
@pytest.mark.postgres
def test_postgresql_gives_the_same_rows_and_answers(connection: Connection, postgres_database: str) -> None:
    names = tuple(measure.name for measure in MEASURES)
    with built(url=postgres_database, **RECORDS) as server:
        for table in TABLE_KEYS:
            rows = [sorted(map(repr, engine.execute(table.select()).all())) for engine in (connection, server)]
            assert rows[0] == rows[1], table.name
        for dimensions in ((), ("segment",), ("channel",)):
            for grain in (None, "month"):
                question = Question(names, by=dimensions, grain=grain, end=datetime(2026, 12, 31).date())
                answers = [answer(engine, question) for engine in (connection, server)]
                assert answers[0] == answers[1]
