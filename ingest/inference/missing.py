"""Questions about columns that an extract needs and no name points to: people choose from the columns that fit."""

from collections.abc import Collection, Sequence

from ingest.inference.assignment import NOTHING, Question, decided, meaning
from ingest.inference.evidence import equal_share
from ingest.inference.flat_sql import Extract
from ingest.inference.matching import Candidate, fits

ORDERS = ("order_id", "customer_id", "orders.ordered_at", "order_lines.ordered_qty")
ORDERED, SHIPPED = "order_lines.ordered_qty", "shipment_lines.shipped_qty"
EITHER = (
    ("order_lines.promised_by", "order_lines.requested_by"),
    ("shipments.received_at", "shipments.shipped_at"),
    ("shipments.shipped_at", "shipments.received_at"),
)
"""Dates that are asked for if neither of the two is known."""
EQUAL = 0.5
"""Share of records in which a column must equal the ordered quantity to be offered as the shipped quantity."""


def ask_for_missing(extract: Extract, wanted: Sequence[str]) -> None:
    """Ask for each needed column without a candidate. The columns that are free and fit are the choices.

    An extract beside a table of orders is not asked about: it may lack them for a good reason.
    """
    if "orders" in wanted:
        known = {target for pair in EITHER for target in pair if _is_known(extract, target)}
        for target in ORDERS:
            _ask(extract, target, _fitting(extract, target))
        for target, other in EITHER:
            if not known & {target, other}:
                _ask(extract, target, _fitting(extract, target))
    if ORDERED in extract.chosen and "shipment_lines" in wanted:
        ordered, relation = extract.chosen[ORDERED].column, extract.table.relation
        equal = [
            one
            for one in _fitting(extract, SHIPPED)
            if equal_share(extract.connection, relation, one.column, ordered) >= EQUAL
        ]
        _ask(extract, SHIPPED, equal)


def why_missing(extract: Extract, found: Collection[str]) -> dict[str, str]:
    """Return why an extract does not give needed feeds: the columns that it lacks. Nothing while questions are open."""
    if extract.questions:
        return {}
    needed = {
        "orders": [[one] for one in ORDERS[:3]],
        "order_lines": [["order_id"], [ORDERED]],
        "shipments": [["order_id"], list(EITHER[1])],
        "shipment_lines": [["order_id"], list(EITHER[1]), [SHIPPED, ORDERED]],
    }
    lacking = {
        feed: [" or ".join(map(meaning, either)) for either in columns if not extract.chosen.keys() & set(either)]
        for feed, columns in needed.items()
        if feed not in found
    }
    return {feed: f"no column has {', nor '.join(columns)}" for feed, columns in lacking.items() if columns}


def _is_known(extract: Extract, target: str) -> bool:
    return target in extract.chosen or extract.is_open(target)


def _ask(extract: Extract, target: str, found: Sequence[Candidate]) -> None:
    """Ask for one column, and take the answer."""
    if _is_known(extract, target) or not found:
        return
    table = extract.table
    samples = {one.column: "; ".join(value[:24] for value, _ in table.columns[one.column].values[:3]) for one in found}
    listed = ", ".join(f"{name!r} ({values})" for name, values in samples.items())
    text = f"{table.name}: no name points to {meaning(target)}. Which column has it: {listed}?"
    question = Question(f"extract.{target}", text, (*samples, NOTHING), NOTHING, samples=tuple(samples.values()))
    answer = extract.ask(question)
    for one in found:
        if one.column == answer:
            chosen = decided(table.name, "extract", target, one, extract.answers, extract.questions, samples)
            if chosen.column:
                extract.chosen[target] = chosen


def _fitting(extract: Extract, target: str) -> list[Candidate]:
    """Return the free columns whose values fit a column of a feed."""
    feed, _, column = target.rpartition(".")
    taken = {one.column for one in extract.chosen.values()}
    asked = {choice for one in extract.questions if one.best != NOTHING for choice in one.choices}
    asked |= {one.key.removeprefix("extract: ") for one in extract.questions}
    found = [
        (name, fits(feed or "orders", column, profile))
        for name, profile in extract.table.columns.items()
        if name not in taken | asked and profile.distinct > 1
    ]
    return [Candidate(name, 1.0, fit.settings, fit.evidence, fit.doubt, fit.other) for name, fit in found if fit.fits]
