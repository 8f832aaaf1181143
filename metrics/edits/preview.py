"""Preview an edit before it is saved. Runs the normal queries against temporary tables that replace the stored ones.

A temporary table hides the stored table of the same name. `preview_connection` creates temporary feeds with all saved
edits and the previewed one, and refills the fact tables that depend on them. Measures and targets read over that
connection equal those after the next run. Nothing is written, and runs are not blocked.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from sqlalchemy import Connection, Table, insert, select

from metrics import warehouse
from metrics.edits.edits import SOURCE, TABLES, Edit, merged, pending, rows_of, saved_entries, value_columns
from metrics.facts.edited_feeds import DEPENDENT_TABLES
from metrics.facts.fact_table import BuildContext, FactTable
from metrics.facts.fill import fill
from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import facts_state
from metrics.measures.catalog import MEASURES
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.schema import FEEDS, Row, mapped_columns
from metrics.sql.temporary_tables import temporary_table
from metrics.store.connection import open_store
from metrics.targets.in_view import targets_in_view
from metrics.targets.targets import State, Target, state_of, target_for
from metrics.warehouse import Location

Where = tuple[tuple[str, tuple[str, ...]], ...]
_Number = tuple[str, tuple[tuple[str, str | None], ...]]

BY_ZONE = ("zone", "zone_sales", "zone_cost")
"""Measures that a zone cut moves between zones while their total stays the same."""


@dataclass(frozen=True)
class Change:
    """One number before and after an edit, with its targets. It covers the whole selection, or one segment or zone
    (`of`).
    """

    measure: str
    of: Mapping[str, str | None]
    now: Answer | None
    then: Answer | None
    target_now: Target | None
    target_then: Target | None

    @property
    def states(self) -> tuple[State, State]:
        """Status against the target, before and after."""
        measure = MEASURES[self.measure]
        return state_of(self.now, measure, self.target_now), state_of(self.then, measure, self.target_then)

    @property
    def moves(self) -> bool:
        """True if the value, its missing reason or its target changes."""
        return _value_or_reason(self.now) != _value_or_reason(self.then) or self.target_now != self.target_then


@dataclass(frozen=True)
class Preview:
    """The changes an edit would make to a view.

    asked: how many numbers were compared; others: pending edits that are included in the preview.
    """

    moved: list[Change]
    asked: int
    others: int


def affected_measures(edit: Edit) -> tuple[str, ...]:
    """Return the measures that may depend on the edited row."""
    if edit.feed == "targets":
        return (edit.key[0],)
    if edit.feed == "service_packages":
        return tuple(name for name, measure in MEASURES.items() if edit.feed in measure.feeds)
    return tuple(name for name, measure in MEASURES.items() if edit.key[0] in measure.assumptions)


def preview(
    location: Location,
    edit: Edit,
    *,
    start: date,
    end: date,
    where: Where = (),
    on: date | None = None,
    generation: int | None = None,
) -> Preview:
    """Return every number that the edit changes in a period and selection.

    An edit for one segment or customer is previewed for that segment or customer. on: the day whose targets apply
    (default: `end`).
    """
    kind, _, name = edit.key[-1].partition(":")
    if kind in ("segment", "customer") and name:
        where = (*(condition for condition in where if condition[0] != kind), (kind, (name,)))
    views = _views(edit, Question(affected_measures(edit), start=start, end=end, where=where))
    with open_store(location, write=False) as store:
        saved = {feed: saved_entries(store, feed) for feed in TABLES}
    with warehouse.reading(location, generation) as connection:
        now, targets_now = (
            _answers(connection, views),
            targets_in_view(connection, start=start, end=on or end, where=where),
        )
        waiting = sum(len(pending(feed, rows_of(connection, feed), saved[feed])) for feed in TABLES)
    with preview_connection(location, saved, edit, generation) as connection:
        then, targets_then = (
            _answers(connection, views),
            targets_in_view(connection, start=start, end=on or end, where=where),
        )
    compared = []
    for key in {**now, **then}:
        measure, of = key[0], dict(key[1])
        here: Where = (*where, *((by, (value,)) for by, value in of.items() if value is not None))
        compared.append(
            Change(
                measure,
                of,
                now.get(key),
                then.get(key),
                target_for(targets_now, measure, here),
                target_for(targets_then, measure, here),
            )
        )
    return Preview([change for change in compared if change.moves], len(compared), waiting)


def _views(edit: Edit, whole: Question) -> list[Question]:
    """The questions to compare: the whole selection, and its segments or zones if the edit affects them separately."""
    if edit.feed == "targets":
        fixed = {name for name, _ in whole.where}
        return [whole] if fixed & {"segment", "customer"} else [whole, replace(whole, by=("segment",))]
    return [whole, replace(whole, measures=BY_ZONE, by=("zone",))] if edit.key[0].startswith("zone_") else [whole]


def _answers(connection: Connection, views: Sequence[Question]) -> dict[_Number, Answer]:
    return {
        (result.measure, tuple(result.dimensions.items())): result
        for view in views
        for result in answer(connection, view)
    }


@contextmanager
def preview_connection(
    location: Location, saved: dict[str, list[Row]], edit: Edit | None = None, generation: int | None = None
) -> Iterator[Connection]:
    """Open a connection that reads the data as they will be after the next run, with saved edits and this edit."""
    with warehouse.preview(location, generation) as connection:
        fact_tables: list[FactTable] = []
        for feed in TABLES:
            new = saved[feed]
            if edit is not None and edit.feed == feed:
                new = [
                    *new,
                    {**edit.row, "deleted": edit.deleted, "changed_at": datetime.now(UTC).replace(tzinfo=None)},
                ]
            rows = rows_of(connection, feed)
            after = merged(feed, rows, new)
            if after != rows:
                _shadow_table(connection, FEEDS[feed].table, after)
                fact_tables += DEPENDENT_TABLES[feed]
        _mark_as_mapped(
            connection, [feed for feed in TABLES if saved[feed] or (edit is not None and edit.feed == feed)]
        )
        if fact_tables:
            as_of = connection.execute(select(facts_state.c.as_of)).scalar_one()
            for table in fact_tables:
                _shadow_table(connection, table.table, ())
                fill(connection, table, BuildContext(as_of, mapped(connection)))
        yield connection


def _mark_as_mapped(connection: Connection, feeds: Sequence[str]) -> None:
    """Mark the columns of saved edits as mapped."""
    rows = [
        dict(row)
        for row in connection.execute(select(mapped_columns).where(mapped_columns.c.source != SOURCE)).mappings()
    ]
    of_edits = [
        dict(row)
        for row in connection.execute(select(mapped_columns).where(mapped_columns.c.source == SOURCE)).mappings()
    ]
    of_edits = [row for row in of_edits if row["feed"] not in feeds]
    for feed in feeds:
        names = (*FEEDS[feed].key, *value_columns(feed))
        of_edits += [{"source": SOURCE, "feed": feed, "column_name": name, "stands_in_for": None} for name in names]
    _shadow_table(connection, mapped_columns, [*rows, *of_edits])


def _shadow_table(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Create a temporary table of the same name and columns, with these rows."""
    temporary_table(table.name, {column.name: column.type for column in table.columns}).create(
        connection, checkfirst=False
    )
    if rows:
        connection.execute(insert(table), list(rows))


def _value_or_reason(result: Answer | None) -> tuple[object, ...] | None:
    return None if result is None else (result.value, result.no_data)
