"""Verify an export: against its hash, its own generation and the newest generation. List the records that changed.

Three questions have separate answers. Do the rows match their hash? Does the generation they name still give them? Does
the newest generation give them? If the newest gives other numbers, the order rows behind each number are compared
between the two generations, and the changed records of those orders are listed. Without the older generation, the
changed records of the orders behind the current number are listed.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, DateTime, literal, literal_column, select

from metrics.errors import GenerationGone, GenerationOutdated
from metrics.facts.orders import facts_state, order_facts_table
from metrics.measures.catalog import date_column, dimension_column, find
from metrics.model.measure import Additive, Derived, Measure, Percentile, Survival
from metrics.model.question import Question
from metrics.policy import STRICT
from metrics.provenance.changed_records import (
    RecordChange,
    affects_all_orders,
    batched,
    changes_since,
    not_of_an_order,
    of_orders,
    orders_changed,
)
from metrics.provenance.fingerprint import RULE_BOOK, canonical_text
from metrics.provenance.provenance import NUMBERS, recorded_question, recorded_scope, rows_hash, same_value
from metrics.provenance.provenance import provenance as said_by
from metrics.queries.answer_table import COLUMNS, SCHEMAS, answer_table
from metrics.queries.scope import reading
from metrics.queries.statements import view_conditions
from metrics.schema import Row
from metrics.sql.dialects import Expression, period_start
from metrics.warehouse import Location

Key = tuple[str | None, ...]
"""Key of a row of an export: dimension values, the period if there is one, and the measure."""
Recorded = dict[Key, dict[str, str | None]]
ChangedOrders = dict[Key, dict[str, list[str]]]
"""By dimension values and period, then by order: the values that the formula reads."""


@dataclass(frozen=True)
class Difference:
    """One row of an export whose values differ. orders: the changed orders behind it, each with its changed records."""

    row: dict[str, str | None]
    columns: dict[str, tuple[str | None, str | None]]
    """Values before and after of each column that differs; all columns if only one side has the row."""
    orders: dict[str, list[RecordChange]] = field(default_factory=dict)
    """An order without a changed record became due, or one of its windows closed, as time passed."""


@dataclass(frozen=True)
class Verified:
    """Result of verifying. own: differences to the file's own generation; None if it cannot be read (see
    `why_not_own`).
    """

    generation: int
    newest: int
    rows: int
    altered: bool
    own: list[Difference] | None
    why_not_own: str | None
    now: list[Difference]
    rules: list[str]
    """Definitions, policy and rule book that have changed."""
    elsewhere: dict[str, list[RecordChange]]
    """Changed records without an order (rates, assumptions, targets …), by feed; only if numbers differ."""

    @property
    def is_genuine(self) -> bool:
        """True if there is no sign that the file's numbers were altered."""
        return not self.altered and not self.own


def verify(location: Location, columns: Sequence[str], rows: Sequence[Sequence[Any]], recorded: Row) -> Verified:
    """Verify the rows of an export by its provenance.

    Raises the errors of its question, and NothingPublished.
    """
    question, generation = recorded_question(recorded), int(recorded["generation"])
    filed = _by_key(columns, rows, question)
    with ExitStack() as opened:
        newest = opened.enter_context(reading(location, recorded_scope(recorded)))
        then, why_not = _then(opened, location, question, recorded)
        schema = int(recorded.get("schema", 1))
        of_then = _answers(then, question, schema) if then is not None else None
        own = None if of_then is None else _differences(question, of_then, filed)
        now = _differences(question, of_then if of_then is not None else filed, _answers(newest, question, schema))
        elsewhere: dict[str, list[RecordChange]] = {}
        if now:
            now, elsewhere = _explained(question, now, newest, then, int(recorded["run"]["run_id"]))
        altered = rows_hash(columns, rows) != recorded["rows_sha256"]
        return Verified(
            generation,
            newest.info["generation"],
            len(rows),
            altered,
            own,
            why_not,
            now,
            _rules(question, recorded),
            elsewhere,
        )


def _then(
    opened: ExitStack, location: Location, question: Question, recorded: Row
) -> tuple[Connection | None, str | None]:
    """A connection to the file's own generation, or the reason why there is none."""
    try:
        connection = opened.enter_context(reading(location, recorded_scope(recorded), int(recorded["generation"])))
    except GenerationGone as gone:
        return None, f"generation {gone.number} is not kept any more (kept: {', '.join(map(str, gone.kept))})"
    except GenerationOutdated as outdated:
        return None, f"another version of Buyerview published it, and it has no {outdated.missing}"
    here = said_by(connection, question)
    if (here["run"], here["data_as_of"]) != (recorded["run"], recorded["data_as_of"]):
        return None, "the generation of that number is of another run here: the file was made from another warehouse"
    return connection, None


def _answers(connection: Connection, question: Question, schema: int) -> Recorded:
    """The answers in the columns of a version of the export."""
    table = answer_table(connection, question)
    later = {name for name in COLUMNS if name not in SCHEMAS.get(schema, COLUMNS)}
    kept = [at for at, name in enumerate(table.columns) if name not in later]
    return _by_key([table.columns[at] for at in kept], [[row[at] for at in kept] for row in table.rows], question)


def _names(question: Question) -> tuple[str, ...]:
    return (*question.by, *(("period",) if question.grain else ()), "measure")


def _by_key(columns: Sequence[str], rows: Sequence[Sequence[Any]], question: Question) -> Recorded:
    names = _names(question)
    listed = (
        {name: same_value(value, is_number=name in NUMBERS) for name, value in zip(columns, row, strict=True)}
        for row in rows
    )
    return {tuple(row.get(name) for name in names): row for row in listed}


def _differences(question: Question, before: Recorded, after: Recorded) -> list[Difference]:
    found = []
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key, {}), after.get(key, {})
        names = [
            name
            for name in dict.fromkeys((*old, *new))
            if name not in _names(question) and old.get(name) != new.get(name)
        ]
        if names or not (old and new):
            pairs = {name: (old.get(name), new.get(name)) for name in names}
            found.append(Difference(dict(zip(_names(question), key, strict=True)), pairs))
    return found


def _explained(
    question: Question, moved: list[Difference], newest: Connection, then: Connection | None, run_id: int
) -> tuple[list[Difference], dict[str, list[RecordChange]]]:
    """The differences with the orders behind each, and the changed records without an order."""
    found = changes_since(newest, run_id, then)
    ids = orders_changed(found) | (_came_due(then, newest) if then is not None else set())
    among = None if then is not None and affects_all_orders(found) else sorted(ids)
    behind: dict[str, dict[Key, set[str]]] = {}
    for name in {str(item.row["measure"]) for item in moved}:
        sides = [_behind(connection, name, question, among) for connection in (newest, then) if connection is not None]
        behind[name] = _differing(sides)
    keys = [tuple(value for name, value in item.row.items() if name != "measure") for item in moved]
    orders = [behind[str(one.row["measure"])].get(key, set()) for one, key in zip(moved, keys, strict=True)]
    records = of_orders(found, set().union(*orders))
    explained = [
        replace(one, orders={order: records.get(order, []) for order in sorted(ids)})
        for one, ids in zip(moved, orders, strict=True)
    ]
    return explained, not_of_an_order(found)


def _came_due(then: Connection, newest: Connection) -> set[str]:
    """Orders that were due to be judged again because time passed."""
    as_of = newest.execute(select(facts_state.c.as_of)).scalar_one()
    c = order_facts_table.c
    return set(then.scalars(select(c.order_id).where(c.next_change_at <= literal(as_of, DateTime))))


def _behind(connection: Connection, name: str, question: Question, among: Sequence[str] | None) -> ChangedOrders:
    """The values that a measure's formulas read from these orders (None: from all)."""
    seen: ChangedOrders = defaultdict(lambda: defaultdict(list))
    for measure in _with_rows(find(name)):
        c = measure.facts.c
        day = c[date_column(measure, question.date) or measure.date]
        keys: list[Expression] = [c[dimension_column(one, measure)] for one in question.by]
        if question.grain is not None:
            keys.append(period_start(literal_column(f"'{question.grain}'"), day))
        values = [expression.label(f"value_{at}") for at, expression in enumerate(_expressions(measure))]
        listed = select(c.order_id, *keys, *values).where(*view_conditions(measure.facts, day, question))
        for some in [None] if among is None else batched(among):
            for row in connection.execute(listed if some is None else listed.where(c.order_id.in_(some))):
                key = tuple(same_value(value, is_number=False) for value in row[1 : 1 + len(keys)])
                seen[key][row[0]].append(str(row[1 + len(keys) :]))
    return seen


def _differing(sides: Sequence[ChangedOrders]) -> dict[Key, set[str]]:
    """The orders whose rows differ between both sides; all orders if there is one side only."""
    new, old = (*sides, {})[:2]
    found: dict[Key, set[str]] = {}
    for key in {*new, *old}:
        mine, theirs = new.get(key, {}), old.get(key, {})
        found[key] = {
            order for order in {*mine, *theirs} if sorted(mine.get(order, [])) != sorted(theirs.get(order, []))
        }
    return found


def _with_rows(measure: Measure) -> Iterator[Measure]:
    """The measure, or its input measures, as far as they have rows of orders."""
    if isinstance(measure.formula, Derived):
        for name in measure.formula.inputs:
            yield from _with_rows(find(name))
    elif isinstance(measure.formula, Additive | Percentile | Survival) and "order_id" in measure.facts.c:
        yield measure


def _expressions(measure: Measure) -> list[Expression]:
    """All expressions that decide a row's contribution to a measure."""
    formula = measure.formula
    if isinstance(formula, Additive):
        return [one for part in formula.parts().values() for one in (part.condition, part.amount) if one is not None]
    if isinstance(formula, Survival):
        return [formula.duration, formula.happened, formula.among]
    return [formula.value] if isinstance(formula, Percentile) else []


def _rules(question: Question, recorded: Row) -> list[str]:
    """Rules that this version of Buyerview judges differently from the version that wrote the file."""
    found = [f"rule book {recorded['rule_book']}, now {RULE_BOOK}"] if str(recorded["rule_book"]) != RULE_BOOK else []
    then, policy = recorded["policy"], json.loads(canonical_text(asdict(STRICT)))
    changed = [name for name in dict.fromkeys((*then, *policy)) if then.get(name) != policy.get(name)]
    found += [
        f"the strict policy's {name}: {then.get(name, 'none')}, now {policy.get(name, 'none')}" for name in changed
    ]
    for name in question.measures:
        written, now = recorded["definitions"][name]["version"], find(name).version
        found += [f"definition of {name}: version {written}, now {now}"] if written != now else []
    return found
