"""The day nearest to a period without rows on which a measure has some."""

from datetime import date

from sqlalchemy import Connection, func, select

from metrics.measures.catalog import find
from metrics.model.question import Question
from metrics.queries.answer import in_view


def nearest_day(connection: Connection, measure: str, day: date, *, where: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> date | None:
    """The last day on or before a day on which a measure has rows, else the first after it; None if it has none. Raises UnknownName."""
    found = find(measure)
    dated = found.facts.c[found.date]
    view = in_view(found.facts, dated, Question((measure,), where=where))
    before: date | None = connection.execute(select(func.max(dated)).where(*view, dated <= day)).scalar()
    return before if before is not None else connection.execute(select(func.min(dated)).where(*view)).scalar()
