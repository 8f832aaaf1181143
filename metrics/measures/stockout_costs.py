"""Rate, expected cost and total cost of stockouts, observed and assumed. stockouts.py declares the measures.

Source: docs/rules.md, stockouts.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from sqlalchemy import Connection

from metrics.errors import SettingRefused
from metrics.facts.assumptions import assumed, assumption_scope
from metrics.facts.mapped_columns import mapped
from metrics.facts.stockout_events import OUTCOMES
from metrics.measures.needs import NEEDS_SHIPPED
from metrics.model.point import share_answer
from metrics.model.question import NO_ROWS, Answer, Ask, Question
from metrics.model.reasons import is_met

SMALL = 20
"""The number of events with an outcome below which a group's shares are drawn towards the overall shares: (count + 20 ×
overall share) / (n + 20).
"""

TITLES = {
    "waited": "the buyer waited",
    "back_ordered": "the goods were back-ordered",
    "sale_lost": "the sale was lost",
    "buyer_lost": "the buyer was lost",
}


NO_COST = "a price, cost or rate is missing"

Amount = TypeVar("Amount", Decimal, float)


def expected_cost(shares: Mapping[str, Amount], costs: Mapping[str, Amount]) -> Amount | int:
    """Return p_wait·c_wait + p_bo·c_bo + p_sale·m + p_buyer·(m + M), by outcome.

    Raises SettingRefused unless the shares add up to 1. Source: docs/rules.md, stockouts.
    """
    given = [Decimal(str(share)) for share in shares.values()]
    total = sum(given, Decimal(0))
    if abs(total - 1) > Decimal("0.000000001") or min(given) < 0:
        listed = ", ".join(f"{name} {share}" for name, share in shares.items())
        raise SettingRefused(
            "stockout shares", f"{listed} add up to {total}, not 1; give four shares from 0 to 1 that add up to 1"
        )
    return sum(share * costs[name] for name, share in shares.items() if share)


def assumed_unit_cost(connection: Connection, *, scope: str = "all") -> Decimal:
    """Return the assumed expected cost of a stockout: 2,132.50 unless the feed `assumptions` sets another.

    Raises SettingRefused if the shares do not add up to 1.
    """
    shares = {outcome: assumed(connection, f"stockout_{outcome}_share", scope=scope) for outcome in OUTCOMES}
    costs = {outcome: assumed(connection, _COST_NAMES[outcome], scope=scope) for outcome in OUTCOMES}
    return Decimal(expected_cost(shares, costs))


_COST_NAMES = {outcome: f"stockout_{outcome}_cost" for outcome in OUTCOMES} | {"waited": "wait_cost"}

_SHARES = tuple(f"outcome_share_{outcome}" for outcome in OUTCOMES)

_OBSERVED = tuple(f"stockout_cost_{outcome}" for outcome in OUTCOMES)

Group = dict[str, Answer]
"""The answers of one group, by measure."""


def _groups(question: Question, ask: Ask, *measures: str) -> list[Group]:
    """Return the answers to other measures for each group of the question."""
    groups: dict[tuple[object, ...], Group] = {}
    for answer in ask(replace(question, measures=measures)):
        groups.setdefault((*answer.dimensions.values(), answer.period), {})[answer.measure] = answer
    return list(groups.values())


def answer_rate(connection: Connection, question: Question, ask: Ask) -> list[Answer]:
    """Return stockout_rate: line stockouts / judged goods lines whose first-pass fill is known.

    If no source maps shipped_at, completeness replaces first-pass fill.
    """
    answers = []
    by_receipt = not is_met(NEEDS_SHIPPED, mapped(connection))
    for group in _groups(question, ask, "stockouts_of_lines", "line_fill_first_pass", "line_fill_final"):
        events, first_pass = group["stockouts_of_lines"], group["line_fill_first_pass"]
        lines = group["line_fill_final"] if by_receipt else first_pass
        blank = Answer(events.dimensions, events.period, question.measures[0], None)
        if not lines.judged:
            answers.append(replace(blank, no_data=lines.no_data or NO_ROWS))
            continue
        blank = replace(blank, remark="based on receipts, because no source maps shipped_at" if by_receipt else None)
        answers.append(share_answer(blank, events.numerator or 0, lines.denominator or 0, lines.unknown or 0))
    return answers


def answer_unit_cost(connection: Connection, question: Question, ask: Ask) -> list[Answer]:
    """Return stockout_unit_cost: outcome shares times the observed cost of each outcome.

    Small groups borrow shares and costs from all stockouts of the period. Without the cost of an outcome there is no
    value; the answer then has the known part.
    """
    whole = not question.by and not question.where and question.grain is None
    overall = (
        None
        if whole
        else _groups(Question(question.measures, start=question.start, end=question.end), ask, *_SHARES, *_OBSERVED)[0]
    )
    return [
        _expected(connection, question, group, overall)
        for group in _groups(question, ask, "stockouts_provisional", *_SHARES, *_OBSERVED)
    ]


def _expected(connection: Connection, question: Question, group: Group, overall: Group | None) -> Answer:
    first = group[_SHARES[0]]
    blank = Answer(first.dimensions, first.period, question.measures[0], None)
    events = int(first.denominator or 0)
    if not events:
        return replace(blank, no_data=first.no_data or NO_ROWS)
    counts = {outcome: int(group[name].numerator or 0) for outcome, name in zip(OUTCOMES, _SHARES, strict=True)}
    small = overall is not None and events < SMALL
    borrowed = {
        outcome: float(overall[f"outcome_share_{outcome}"].value or 0) if small and overall else 0.0
        for outcome in OUTCOMES
    }
    shares = group_costs(counts, borrowed if small else None)
    known: dict[str, float] = {}
    lacking = None
    for outcome, share in shares.items():
        own = group[f"stockout_cost_{outcome}"]
        cost = own.value if own.value is not None or overall is None else overall[f"stockout_cost_{outcome}"].value
        if cost is not None:
            known[outcome] = float(cost)
        elif share and lacking is None:
            why = own.no_data if own.no_data and own.no_data != NO_ROWS else f"no data: {NO_COST}"
            lacking = f"{why} (cost where {TITLES[outcome]})"
    if lacking is not None:
        blank = replace(blank, denominator=events, no_data=lacking)
        return _known_part(blank, counts, known, shares_of_all=small) if NO_COST in lacking else blank
    costs = {outcome: known.get(outcome, 0.0) for outcome in shares}
    value = float(expected_cost(shares, costs))
    provisional = group["stockouts_provisional"].value
    instead, refused = _assumed_or_why(connection, assumption_scope(blank.dimensions, question.where))
    remarks = [refused or f"with assumed shares and costs: {instead:,.2f}"]
    remarks += [f"{provisional} of {events} provisional"] if provisional else []
    remarks += [f"only {events} stockouts: shares drawn towards the overall shares"] if small else []
    return replace(blank, value=value, numerator=value * events, denominator=events, remark="; ".join(remarks))


def _known_part(blank: Answer, counts: Mapping[str, int], costs: Mapping[str, float], *, shares_of_all: bool) -> Answer:
    """Return a withheld cost with its known part: the stockouts of the outcomes whose cost is known.

    The numerator is their cost and the denominator their number. The other stockouts are unknown. shares_of_all: the
    value would use shares of all stockouts too; the known part does not.
    """
    events = sum(counts.values())
    known = sum(counts[outcome] for outcome in costs)
    if not known:
        return blank
    amount = sum(counts[outcome] * cost for outcome, cost in costs.items())
    remark = f"known part: {amount:,.2f} for {known} of {events} stockouts with an outcome"
    return replace(
        blank,
        no_data=(blank.no_data or "").replace("no data", "inconclusive", 1),  # "no data" has no counts next to it
        numerator=amount,
        denominator=known,
        coverage=known / events,
        judged=events,
        unknown=events - known,
        remark=f"{remark}, without the overall shares" if shares_of_all else remark,
    )


def group_costs(counts: Mapping[str, int], overall: Mapping[str, float] | None) -> dict[str, float]:
    """Return the shares of the outcomes; with overall shares given, (count + 20 × overall share) / (n + 20).

    Source: docs/rules.md, stockouts.
    """
    events = sum(counts.values())
    if overall is None:
        return {outcome: count / events for outcome, count in counts.items()}
    return {outcome: (count + SMALL * overall[outcome]) / (events + SMALL) for outcome, count in counts.items()}


def answer_assumed_unit_cost(connection: Connection, question: Question, ask: Ask) -> list[Answer]:
    """Return stockout_unit_cost_assumed of every group with a stockout."""
    answers = []
    for group in _groups(question, ask, "stockout_events"):
        events = group["stockout_events"]
        cost, refused = _assumed_or_why(connection, assumption_scope(events.dimensions, question.where))
        no_data = refused and f"no data: {refused}"
        answers.append(
            Answer(
                events.dimensions,
                events.period,
                question.measures[0],
                cost,
                numerator=cost,
                no_data=no_data,
                remark="assumed",
            )
        )
    return answers


def _assumed_or_why(connection: Connection, scope: str) -> tuple[Decimal | None, str | None]:
    """Return the assumed cost of a stockout, or the reason why the assumptions are refused.

    A page shows its other numbers next to the reason.
    """
    try:
        return assumed_unit_cost(connection, scope=scope), None
    except SettingRefused as refused:
        return None, str(refused)


def total_cost(unit_cost: str) -> Callable[[Connection, Question, Ask], list[Answer]]:
    """Return stockout_events times a unit cost."""

    def work(_: Connection, question: Question, ask: Ask) -> list[Answer]:
        answers = []
        for group in _groups(question, ask, "stockout_events", unit_cost):
            events, unit = group["stockout_events"], group[unit_cost]
            blank = Answer(
                events.dimensions,
                events.period,
                question.measures[0],
                None,
                denominator=events.value,
                remark=unit.remark,
            )
            if events.value == 0:
                answers.append(replace(blank, value=Decimal(0), numerator=Decimal(0)))
            elif unit.value is None and unit.judged:  # the known part is a sum, so it has no denominator
                answers.append(replace(unit, measure=blank.measure, denominator=None))
            elif unit.value is None or events.value is None:
                answers.append(replace(blank, no_data=unit.no_data or NO_ROWS))
            else:
                total = int(events.value) * unit.value
                answers.append(replace(blank, value=total, numerator=total))
        return answers

    return work
