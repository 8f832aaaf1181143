"""Provisional answers: the last day up to which evidence is complete, the answer up to it, and the answer after it.

A measure names its windows (`Measure.windows`): claims, invoice, loss or recovery. A row is open while it is inside a
window at `as_of`. An answer with open rows is provisional: it can change without new records. Pages and commands name a
provisional period before they compare it, and compare its complete part only (`comparable` in metrics/model/point.py).

Source: P7 (point, coverage and range).
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Context, Decimal
from functools import reduce

from sqlalchemy import Connection, FromClause, func, select

from metrics.measures.catalog import dimension_column, find
from metrics.model.measure import Measure, Study, on_table
from metrics.model.question import Answer, Provisional, Question
from metrics.model.reasons import missing
from metrics.queries.division import answer_of_row
from metrics.queries.rollups import rollup_column
from metrics.queries.scope import scope_columns
from metrics.queries.statements import (
    PIECE,
    Batch,
    batch_select,
    conditions_and_keys,
    key_of,
    split_select,
    unlabelled,
)
from metrics.schema import Row, RowValues
from metrics.sql.dialects import Rows
from metrics.warehouse.query_cache import cached_per_generation

Key = tuple[object, ...]
"""Dimension values, period and measure of an answer."""
EXACTLY = Context(prec=76)


@cached_per_generation
def complete_through(connection: Connection, name: str, column: str | None = None) -> date | None:
    """Return the last day up to which the evidence of a measure is complete, over all its rows.

    None: no row is open. The day is the same for every period and filter, so that answers can be compared.
    column: the column that dates the rows; None: the measure's own.
    """
    measure = find(name)
    return _complete_through(connection, measure, measure.facts, column or measure.date)


def answers_of_batch(
    connection: Connection, batch: Batch, question: Question, facts: FromClause | None, known: frozenset[str]
) -> list[Answer]:
    """Return the answers of a batch. Provisional answers have their complete and their later part.

    facts: rejudged facts to read instead of the stored tables.
    """
    if facts is None and (whole := _answers_of_pieces(connection, batch, question, known)) is not None:
        return whole
    answers, by_day = [], dict[date, list[Measure]]()
    first_open: dict[date, date] = {}
    for measure, row, found in list(_rows(connection, batch, question, facts, known)):
        if (window := _window(measure, row)) is None or missing(measure, known):
            answers.append(found)
            continue
        through = (
            complete_through(connection, measure.name, batch.date)
            if facts is None
            else _complete_through(connection, measure, facts, batch.date)
        )
        assert through is not None, "a row is open"
        answers.append(replace(found, provisional=Provisional(window, row[rollup_column(measure, "open")], through)))
        if measure not in by_day.setdefault(through, []):
            by_day[through].append(measure)
        if found.period is not None:
            first_open[through] = min(found.period, first_open.get(through, found.period))
    complete: dict[Key, Answer] = {}
    later: dict[Key, Answer] = {}
    for day, measures in by_day.items():
        part, after = replace(batch, measures=measures), day + timedelta(days=1)
        start = max(filter(None, (question.start, first_open.get(day))), default=None)  # only periods with open rows
        if start is None or start <= day:
            first = replace(question, start=start, end=day if question.end is None else min(day, question.end))
            complete |= _by_key(_rows(connection, part, first, facts, known))
        second = replace(question, start=after if start is None else max(after, start))
        later |= _by_key(_rows(connection, part, second, facts, known))
    return [_with_parts(found, complete, later) for found in answers]


def _answers_of_pieces(
    connection: Connection, batch: Batch, question: Question, known: frozenset[str]
) -> list[Answer] | None:
    """Return the answers of a batch, with both parts of the provisional ones, from one statement.

    None: no rollup by day has the answers, all evidence is complete, or the only key has no rows.
    """
    lacking = {measure.name: missing(measure, known) for measure in batch.measures}
    through = {
        measure.name: complete_through(connection, measure.name, batch.date)
        for measure in batch.measures
        if measure.windows and not lacking[measure.name]
    }
    days = tuple(sorted({day for day in through.values() if day is not None}))
    statement = split_select(batch, question, days, scope=scope_columns(connection)) if days else None
    keys = [] if statement is None else _pieces_by_key(connection, statement, question)
    if statement is None or not (keys or question.by or question.grain):
        return None  # a question without dimensions and grain has an answer even without rows

    def answer_of(measure: Measure, row: Row) -> Answer:
        return answer_of_row(measure, row, *key_of(row, question), known, lacking[measure.name])

    answers = []
    for pieces in keys:
        whole = _added([*pieces.values()], question)
        for measure in batch.measures:
            found = answer_of(measure, whole)
            window = None if lacking[measure.name] else _window(measure, whole)
            if window is not None:
                day = through[measure.name]
                assert day is not None, "a row is open"
                place = days.index(day)
                complete = [row for piece, row in pieces.items() if piece <= place]
                later = [row for piece, row in pieces.items() if piece > place]
                parts = [answer_of(measure, _added(part, question)) if part else None for part in (complete, later)]
                opened = whole[rollup_column(measure, "open")]
                found = replace(found, provisional=Provisional(window, opened, day, *parts))
            answers.append(found)
    return answers


def _pieces_by_key(connection: Connection, statement: Rows, question: Question) -> list[dict[int, Row]]:
    """Return the rows of a statement of `split_select` by piece, for each combination of dimensions and period."""
    found = connection.execute(statement)
    names, pieces = tuple(found.keys()), dict[Key, dict[int, Row]]()
    for values in found.all():
        row: Row = dict(zip(names, values, strict=True))
        key = (*[row[name] for name in question.by], row.get("period"))
        pieces.setdefault(key, {})[row[PIECE]] = row
    return list(pieces.values())


def _added(rows: list[Row], question: Question) -> Row:
    """Return one row with the sums of rows of the same key, and with the first and last of their currencies and units.

    Decimals are added exactly: their sums have up to 38 digits.
    """
    first, *others = rows
    if not others:
        return first
    added = dict(first)
    for name in first.keys() - {PIECE, "period", *question.by}:
        values = [row[name] for row in rows]
        if name.endswith(("_first", "_last")):
            known = [value for value in values if value is not None]
            added[name] = (min if name.endswith("_first") else max)(known, default=None)
        elif isinstance(values[0], Decimal):
            added[name] = reduce(EXACTLY.add, values)
        else:
            added[name] = sum(values)
    return added


def _complete_through(connection: Connection, measure: Measure, facts: FromClause, column: str) -> date | None:
    if not measure.windows:
        return None
    is_open = on_table(measure.parts["open"].condition, facts)
    first: date | None = connection.execute(
        select(func.min(facts.c[column])).select_from(facts).where(is_open)
    ).scalar()
    return None if first is None else first - timedelta(days=1)


def _rows(
    connection: Connection, batch: Batch, question: Question, facts: FromClause | None, known: frozenset[str]
) -> Iterable[tuple[Measure, RowValues, Answer]]:
    found = connection.execute(batch_select(batch, question, facts, scope=scope_columns(connection)))
    names, lacking = tuple(found.keys()), {measure.name: missing(measure, known) for measure in batch.measures}
    for values in found.all():
        row: RowValues = dict(zip(names, values, strict=True))  # a mapping of SQLAlchemy is slow for absent columns
        dimensions, period = key_of(row, question)
        for measure in batch.measures:
            yield measure, row, answer_of_row(measure, row, dimensions, period, known, lacking[measure.name])


def _window(measure: Measure, row: RowValues) -> str | None:
    """Return the name of the longest window with open rows; None if no row is open."""
    return next((window.name for window in measure.windows if row.get(rollup_column(measure, window.role))), None)


def _key(found: Answer) -> Key:
    return (*found.dimensions.values(), found.period, found.measure)


def _by_key(rows: Iterable[tuple[Measure, RowValues, Answer]]) -> dict[Key, Answer]:
    return {_key(found): found for _, _, found in rows}


def _with_parts(found: Answer, complete: dict[Key, Answer], later: dict[Key, Answer]) -> Answer:
    if found.provisional is None:
        return found
    parts = replace(found.provisional, complete=complete.get(_key(found)), later=later.get(_key(found)))
    return replace(found, provisional=parts)


def _has_keys(measure: Measure, question: Question) -> bool:
    asked = (*question.by, *[name for name, _ in question.where])
    return all(dimension_column(name, measure) in measure.facts.c for name in asked)


def with_open_rows(connection: Connection, measure: Measure, question: Question, answers: list[Answer]) -> list[Answer]:
    """Mark the answers of a study that rest on open rows of its fact table. They have no parts."""
    source = measure.facts
    columns = [part.over(source).label(role) for role, part in measure.parts.items()]
    if not measure.windows or not isinstance(measure.formula, Study) or not _has_keys(measure, question):
        return answers
    conditions, keys = conditions_and_keys(source, source.c[measure.date], question)
    grouped = [unlabelled(key) for key in keys]
    statement = select(*keys, *columns).select_from(source).where(*conditions).group_by(*grouped)
    opened: dict[Key, Provisional] = {}
    for row in connection.execute(statement).mappings():
        dimensions, period = key_of(row, question)
        name = next((window.name for window in measure.windows if row[window.role]), None)
        through = complete_through(connection, measure.name)
        if name is not None and through is not None:
            opened[(*dimensions.values(), period, measure.name)] = Provisional(name, row["open"], through)
    return [replace(found, provisional=opened.get(_key(found))) for found in answers]
