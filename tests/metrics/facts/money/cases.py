"""Records and questions for the worked cases of money."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from metrics.facts.money.table import money_facts_table
from metrics.queries.answer import Answer, Question, answer
from tests.support import all_builders, builders

APRIL_END = datetime(2026, 4, 30, 23, 59, 59, 999999)

EVERYTHING = builders.everything(*all_builders.MAKERS)

WITHOUT_RATES = EVERYTHING - builders.everything("fx_rates")


def sold(**feeds: Any) -> builders.Records:
    """Return order O: 100 P at 5.00 (cost 3.00) for customer C, with the given feeds.

    A given feed replaces the default feed.
    """
    given = {
        "orders": [builders.order()],
        "order_lines": [builders.order_line()],
        "customers": [builders.customer()],
        "products": [builders.product(unit_cost_amount=3)],
    }
    return builders.records(**(given | feeds))


def value(
    connection: Connection, measure: str, *, start: date | None = None, end: date | None = None, **where: str
) -> Any:
    return one(connection, measure, start=start, end=end, **where).value


def one(
    connection: Connection, measure: str, *, start: date | None = None, end: date | None = None, **where: str
) -> Answer:
    (found,) = answer(
        connection,
        Question((measure,), start=start, end=end, where=tuple((name, (text,)) for name, text in where.items())),
    )
    return found


def by(connection: Connection, measure: str, dimension: str) -> dict[str | None, Any]:
    return {
        found.dimensions[dimension]: found.value for found in answer(connection, Question((measure,), by=(dimension,)))
    }


def by_month(connection: Connection, measure: str) -> dict[date | None, Any]:
    return {found.period: found.value for found in answer(connection, Question((measure,), grain="month"))}


def rows(connection: Connection, kind: str) -> list[dict[str, Any]]:
    m = money_facts_table.c
    found = connection.execute(
        select(money_facts_table).where(m.kind == kind).order_by(m.document_id, m.order_id, m.line_no)
    ).mappings()
    return [dict(row) for row in found]
