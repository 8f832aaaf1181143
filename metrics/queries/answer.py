"""Answer questions over the catalogue. Pages, exports, the command line and alerts all call `answer`.

`statements.py` builds the SELECTs, `division.py` divides their sums, `provisional.py` splits answers with open rows.
`survival.py` answers measures of waiting times. An answer has its numerator and denominator, coverage, range and
interval, or the reason why there is no number.

Source: P1 (ratio of sums), P3 (three values), P6 (empty is null), P7 (point, coverage and range), P8 (small numbers),
P9 (traceable numbers), P13 (consistency checks).
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import Connection, FromClause, select

from metrics.errors import UnknownName
from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import facts_state, order_facts, order_facts_table, order_line_facts, order_line_facts_table
from metrics.measures.catalog import ALIASES, canonical, date_column, dimension_column, find
from metrics.model.dimensions import DATES, GRAINS
from metrics.model.measure import (
    Additive,
    Derived,
    Measure,
    Percentile,
    Study,
    Survival,
    Total,
)
from metrics.model.question import NO_ROWS, Answer, Ask, Provisional, Question
from metrics.model.reasons import missing
from metrics.policy import STRICT, Policy
from metrics.queries.left_out import with_left_out
from metrics.queries.provisional import answers_of_batch, with_open_rows
from metrics.queries.statements import batches
from metrics.queries.survival import survival_answers
from metrics.queries.undated import without_undated

Key = tuple[tuple[str | None, ...], date | None]
"""Values of the question's dimensions, and the period."""


def answer(connection: Connection, question: Question, *, policy: Policy = STRICT) -> list[Answer]:
    """Return one answer per key and measure: keys in order, then measures in the order of the question.

    A key is a combination of dimension values and period. A question without dimensions and grain has exactly one key.
    Under a policy other than the strict one, every order is judged again from its records. Measures of other fact
    tables depend on the strict verdicts and have no answer then. Raises UnknownName for an unknown measure, dimension
    or grain.
    """
    _check(question)
    if any(name in ALIASES for name in question.measures):
        return _of_aliases(connection, question, policy)
    answers: dict[Key, dict[str, Answer]] = {}
    for result in _answers(connection, question, policy):
        key = (tuple(result.dimensions[name] for name in question.by), result.period)
        answers.setdefault(key, {})[result.measure] = result
    refused = any(find(name).refusal(_named(question)) for name in question.measures)
    if question.grain is None and (not question.by or (refused and not answers)):
        answers.setdefault(((None,) * len(question.by), None), {})
    known = mapped(connection)
    complete = []
    for values, period in sorted(answers, key=lambda key: [(part is None, str(part)) for part in (*key[0], key[1])]):
        dimensions = dict(zip(question.by, values, strict=True))
        for name in question.measures:
            measure = find(name)
            complete.append(
                _whole(
                    answers[values, period].get(name)
                    or _without_rows(measure, dimensions, period, _unanswerable(measure, question, known, policy))
                )
            )
    return [without_undated(connection, one) for one in with_left_out(connection, question, complete)]


def _whole(result: Answer) -> Answer:
    """Withhold a value with its counts if a feed, a column or a condition for it is missing.

    Counts next to "no feed" would read as a value. The proven range stays (R36). An answer without rows, or without
    proof, keeps its counts too.
    """
    reason = result.no_data or ""
    if result.value is not None or reason == NO_ROWS or not reason.startswith(("no feed", "no data")):
        return result
    return Answer(
        result.dimensions,
        result.period,
        result.measure,
        None,
        worst=result.worst,
        best=result.best,
        no_data=reason,
        remark=result.remark,
    )


def _of_aliases(connection: Connection, question: Question, policy: Policy) -> list[Answer]:
    """Return the answers of a question that names aliases, each under the name it asked for, with a remark."""
    names = tuple(dict.fromkeys(map(canonical, question.measures)))
    found = answer(connection, replace(question, measures=names), policy=policy)
    renamed = []
    for start in range(0, len(found), len(names)):
        of_key = {result.measure: result for result in found[start : start + len(names)]}
        for name in question.measures:
            result = of_key[canonical(name)]
            if name in ALIASES:
                same = f"{name} is another name of {ALIASES[name]}"
                result = replace(result, measure=name, remark="; ".join(filter(None, (result.remark, same))))
            renamed.append(result)
    return renamed


def _answers(connection: Connection, question: Question, policy: Policy) -> Iterator[Answer]:
    """Yield the answers of every measure of the question, in no order."""
    known = mapped(connection)
    what_if = {} if policy == STRICT else _rejudged_facts(connection, policy)
    asked = dict.fromkeys(question.measures)
    for batch in batches(question):
        rejudged = what_if.get(batch.facts.name)
        if what_if and rejudged is None:
            continue  # answer() adds the reason
        able = {
            measure.name
            for measure in batch.measures
            if not measure.refusal(_named(question)) and not pooled(measure, question)
        }
        for result in answers_of_batch(connection, batch, question, rejudged, known):
            if result.measure in able:
                yield result

    def ask(other: Question) -> list[Answer]:
        return answer(connection, other, policy=policy)

    for measure in map(find, asked):
        formula = measure.formula
        if isinstance(formula, Additive | Percentile) or _unanswerable(measure, question, known, policy):
            continue
        if isinstance(formula, Survival):
            yield from survival_answers(connection, measure, formula, question)
        elif isinstance(formula, Derived):
            yield from _derived(measure, formula, question, ask)
        else:
            found = formula.work(connection, replace(question, measures=(measure.name,)), ask)
            yield from with_open_rows(connection, measure, question, found)


def _unanswerable(measure: Measure, question: Question, known: frozenset[str], policy: Policy) -> str | None:
    """Return the reason why a measure cannot answer a question: a missing feed, breakdown or policy."""
    if lacking := missing(measure, known):
        return lacking
    if refusal := measure.refusal(_named(question)):
        return refusal
    if pooled(measure, question):
        return f"no data: break down by {measure.only_by}, or filter by one {measure.only_by}"
    formula = measure.formula
    if not isinstance(formula, Derived) and date_column(measure, question.date) is None:
        able = ", ".join(name for name in DATES if date_column(measure, name) is not None) or "its own date"
        return f"no data: {measure.name} cannot be dated by {question.date}, only by {able}"
    judged = measure.facts in (order_facts_table, order_line_facts_table) and not isinstance(formula, Survival | Study)
    if policy != STRICT and not judged and not isinstance(formula, Derived):
        return "no data: judged under the strict policy only"
    if isinstance(formula, Study) and (
        not set(_named(question)) <= set(formula.dimensions) or (question.grain and not formula.periods)
    ):
        able = ", ".join((*formula.dimensions, *(["a grain"] if formula.periods else []))) or "anything"
        return f"no data: {measure.name} cannot be broken down by this, only by {able}"
    return None


def _named(question: Question) -> tuple[str, ...]:
    """Return the dimensions that a question names, in breakdown and filters."""
    return (*question.by, *[name for name, _ in question.where])


def pooled(measure: Measure, question: Question) -> bool:
    """Return True if a question would mix the values of a dimension that the measure needs."""
    one_value = any(name == measure.only_by and len(values) == 1 for name, values in question.where)
    return bool(measure.only_by) and measure.only_by not in question.by and not one_value


def _derived(measure: Measure, formula: Derived, question: Question, ask: Ask) -> Iterator[Answer]:
    """Yield the answers of a derived measure: for each group, its function of the answers of other measures."""
    groups: dict[Key, list[Answer]] = {}
    for input_answer in ask(replace(question, measures=formula.inputs)):
        groups.setdefault((tuple(input_answer.dimensions.values()), input_answer.period), []).append(input_answer)
    for members in groups.values():
        result = formula.finish({input_answer.measure: input_answer for input_answer in members})
        first = members[0]
        yield Answer(
            first.dimensions,
            first.period,
            measure.name,
            result.value,
            numerator=result.numerator,
            denominator=result.denominator,
            no_data=result.no_data or (_first_reason(members) if result.value is None else None),
            remark=result.remark,
            provisional=_provisional_input(members),
        )


def _provisional_input(answers: list[Answer]) -> Provisional | None:
    """Return the provisional part of the inputs whose evidence ends first, without answers of its own."""
    inputs = [input_answer.provisional for input_answer in answers if input_answer.provisional is not None]
    first = min(inputs, key=lambda one: one.through, default=None)
    return None if first is None else replace(first, complete=None, later=None)


def _first_reason(answers: list[Answer]) -> str:
    return next((found.no_data for found in answers if found.no_data), NO_ROWS)


def _rejudged_facts(connection: Connection, policy: Policy) -> dict[str, FromClause]:
    """Return the fact tables as judged under a policy, at the instant of the stored facts."""
    as_of: datetime = connection.execute(select(facts_state.c.as_of)).scalar_one()
    known = mapped(connection)
    return {
        order_line_facts_table.name: order_line_facts(policy, as_of, known).subquery("what_if_lines"),
        order_facts_table.name: order_facts(policy, as_of, known).subquery("what_if_orders"),
    }


def _without_rows(
    measure: Measure, dimensions: dict[str, str | None], period: date | None, unable: str | None
) -> Answer:
    """Return the answer for a key without rows: 0 for a total, otherwise no data with the reason."""
    if unable is None and isinstance(measure.formula, Total):
        return Answer(dimensions, period, measure.name, 0, numerator=0)
    return Answer(dimensions, period, measure.name, None, no_data=unable or NO_ROWS)


def _check(question: Question) -> None:
    for name in question.measures:
        find(name)
    for name in _named(question):
        for measure in question.measures:
            dimension_column(name, find(measure))
    if question.grain is not None and question.grain not in GRAINS:
        raise UnknownName("grain", question.grain, GRAINS)
    if question.date is not None and question.date not in DATES:
        raise UnknownName("date", question.date, tuple(DATES))
