"""Table cells of answers: the value with its state against the target, and links to the rows behind it."""

from collections.abc import Mapping
from dataclasses import replace

from dashboard.components import cards, formatting
from dashboard.components.reasons import in_plain_words
from dashboard.components.tables import Cell
from dashboard.frame import links
from metrics.lists.drill_down_parts import is_test
from metrics.lists.rows import Row
from metrics.model.measure import Measure, Ratio, Unit
from metrics.model.question import Answer
from metrics.targets.targets import Target

WHOLE = "All in view"
VERDICT_WORDS = {True: "good", False: "failed", None: "unknown"}
"""Verdicts of an order in both scorecards."""


NAMES = {"counted": "Counted", "out_of": "Out of", "rest": "Not counted", "unknown": "Unknown"}
PASS_NAMES = NAMES | {"counted": "Passed", "rest": "Failed"}
"""Names of the parts of measures that count passed tests."""


def part_name(part: str, measure: Measure) -> str:
    """Return the name of a part of a number: "Passed" of a share of tests, "Sum of days" of a mean."""
    if part == "counted" and isinstance(measure.formula, Ratio) and measure.unit is not Unit.SHARE:
        return f"Sum of {measure.unit}" if measure.unit in (Unit.DAYS, Unit.HOURS) else "Sum"
    return (PASS_NAMES if is_test(measure) else NAMES)[part]


def value_cell(answer: Answer | None, measure: Measure, target: Target | None = None) -> Cell:
    """Return the value with its state, or its known part, or a dash that shows the reason on hover."""
    shown = formatting.DASH if answer is None else cards.value(answer, measure)
    if answer is None or shown == formatting.DASH:
        why = formatting.html(cards.why_missing(answer))
        if answer is not None and (part := cards.known_part(answer, measure)):
            return Cell(part[0], markup=f'<span title="{why}">{part[0]}</span>', small=part[1])
        return Cell(
            formatting.DASH,
            markup=(
                f'<span class="bv-muted" title="{why}">{formatting.DASH}<span class="bv-said">, {why}</span></span>'
            ),
        )
    state = cards.state(cards.status_of(answer, measure, target), shown)
    remark = in_plain_words(answer.remark or "")
    notes = "; ".join(note for note in (remark, cards.provisional_text(answer, measure)) if note)
    return Cell(shown, markup=f'<span title="{formatting.html(notes)}">{state}</span>' if notes else state)


def linked(cell: Cell, url: str) -> Cell:
    """Return a cell whose markup links to the rows behind it."""
    return replace(cell, markup=f'<a href="{formatting.html(url)}" target="_self">{cell.markup}</a>')


def link_cell(text: str, url: str) -> Cell:
    """Return a cell whose text links to the rows behind it; an empty cell for an empty text."""
    return linked(Cell(text, markup=formatting.html(text)), url) if text else Cell()


def named_customer(customer_id: str, name: str | None) -> str:
    """Return a customer as "name (number)", or its number if it has no name."""
    return f"{name} ({customer_id})" if name else customer_id


def order_cell(row: Row, names: Mapping[str, str]) -> Cell:
    """Return an order number with a link to its timeline, above its customer and segment.

    names: the names of customers by number. Files have the customer's number, name and segment as columns.
    """
    cell = link_cell(row["order_id"], links.order_story_url(row["order_id"]))
    number, segment = row["customer_id"], row["segment"]
    fields = (("customer_id", number), ("customer_name", names.get(number, "")), ("segment", segment))
    return replace(cell, small=f"{named_customer(number, names.get(number))}, segment {segment}", fields=fields)


def customer_cell(customer_id: str, segment: str, names: Mapping[str, str]) -> Cell:
    """Return a customer's name with a link to its page, above its number and segment.

    names: the names of customers by number. A customer without a name shows its number in place of it. Files
    have the number and the segment as columns.
    """
    name = names.get(customer_id)
    cell = link_cell(name or customer_id, links.customer_url(customer_id))
    small = f"{customer_id}, segment {segment}" if name else f"segment {segment}"
    return replace(cell, small=small, fields=(("customer_id", customer_id), ("segment", segment)))


def denominator_cell(answer: Answer | None, url: str) -> Cell:
    """Return the denominator with a link to its rows, and how many more are unknown."""
    if answer is None or answer.denominator is None or (answer.value is None and not answer.judged):
        return Cell()
    unknown = f"{formatting.number(answer.unknown)} unknown" if answer.unknown else ""
    return replace(link_cell(formatting.number(answer.denominator), url), small=unknown)


def dimension_text(value: str | None) -> str:
    """Return a value of a dimension, or "(none)"."""
    return "(none)" if value is None else value


def halves(one: Answer, measure: Measure) -> str:
    """Return numerator and denominator of a share, such as "15 of 16"; empty for other units."""
    if measure.unit is not Unit.SHARE or one.numerator is None or one.denominator is None:
        return ""
    return f"{formatting.number(one.numerator)} of {formatting.number(one.denominator)}"
