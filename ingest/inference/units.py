"""Columns of units without factors to convert them: left out where a product has one unit, else a question."""

from ingest.inference.assignment import Answers, Question
from ingest.inference.evidence import agreeing_share
from ingest.inference.tables import Found
from ingest.storage.scratch_database import Connection

MAP_IT = "map it: records with a unit wait for unit_factors"
LEAVE_OUT = "leave it out: all quantities are in base units"
REASON = "named like unit, but no table has factors to convert units (unit_factors)"


def unit_problem(
    connection: Connection, table: Found, unit: str, product: str | None, answers: Answers
) -> tuple[str, Question | None]:
    """Return why a column of units is left out, or an empty text if it is mapped, and the question that is open.

    Quantities of a product that has one unit everywhere can be compared as they are. If units differ within a product,
    records with a unit must wait for factors, unless the answer says otherwise.
    """
    single = table.columns[unit].distinct == 1 and table.columns[unit].filled == table.rows
    if single or (
        product is not None and agreeing_share(connection, table.relation, [product], unit, with_empty=True) == 1
    ):
        return f"{REASON}; each product has one unit, so quantities are compared as they are", None
    text = f"{table.name}: {unit!r} has several units of one product, and no table has factors to convert them."
    question = Question("units", text, (MAP_IT, LEAVE_OUT), MAP_IT)
    if question.key not in answers:
        return REASON, question
    return "" if answers[question.key] == MAP_IT else f"{REASON}; left out as answered", None
