"""What an edit would change, before it is saved: the same questions put to the same code, over tables that stand in for
the generation's own.

A temporary table hides the stored one of its name. So `tried` lays the feeds as they would be (what else was saved and
is not in the numbers yet included) over the generation and fills the ledgers that stand on them anew; every measure and
target asked of that connection is the one there will be. Nothing is written, and no run is held up.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from sqlalchemy import Connection, Table, insert, select

from metrics import warehouse
from metrics.edits.edits import SOURCE, TABLES, Edit, Row, merged, pending, rows_of, saved_entries, value_columns
from metrics.facts import cycle_times, order_intervals, stockouts
from metrics.facts.fact_table import BuildContext, FactTable
from metrics.facts.fill import fill
from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import facts_state
from metrics.measures.catalog import BY_MODULE, MEASURES
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.schema import FEEDS, mapped_columns
from metrics.sql.temporary_tables import temporary_table
from metrics.store.connection import open_store
from metrics.targets.in_view import targets_in_view
from metrics.targets.targets import State, Target, state_of, target_for
from metrics.warehouse import Location

Where = tuple[tuple[str, tuple[str, ...]], ...]
_Number = tuple[str, tuple[tuple[str, str | None], ...]]

DEPENDENT_TABLES: dict[str, tuple[FactTable, ...]] = {
    "assumptions": (*order_intervals.FACT_TABLES, *stockouts.FACT_TABLES),
    "service_packages": cycle_times.FACT_TABLES,
    "targets": (),
}
"""The ledgers that keep what a feed says in their rows, and what these read that a generation of an earlier version may
lack; all other numbers read the feed when they are asked for.
"""

_OF_ASSUMPTIONS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("lost_k", "wait_cost", "customer_years", "stockout_"): ("stockouts", "fill_rate"),
    ("fill_",): ("fill_rate",),
    ("fine_rate",): ("two_books",),
    ("carrying_rate", "z"): ("safety_stock",),
    ("zone_", "danger_"): ("zones", "danger_zone", "packages"),
    ("package_share",): ("packages",),
}
"""The modules of the measures that stand on assumptions, by name, or by the word it begins with; a test holds it
against the whole catalogue.
"""


BY_ZONE = ("zone", "zone_sales", "zone_cost")
"""What a cut moves between zones, while the whole stays the same."""


@dataclass(frozen=True)
class Change:
    """One number an edit touches, of everything in view or (`of`) one segment or zone: as it is, and as it would be,
    each against its target.
    """

    measure: str
    of: Mapping[str, str | None]
    now: Answer | None
    then: Answer | None
    target_now: Target | None
    target_then: Target | None

    @property
    def states(self) -> tuple[State, State]:
        """How it stands against its target now and then."""
        measure = MEASURES[self.measure]
        return state_of(self.now, measure, self.target_now), state_of(self.then, measure, self.target_then)

    @property
    def moves(self) -> bool:
        """Whether anything of it would be another."""
        return _told(self.now) != _told(self.then) or self.target_now != self.target_then


@dataclass(frozen=True)
class Preview:
    """What an edit would change in a view; `asked`: how many numbers were compared; `others`: edits saved before that
    come with it.
    """

    moved: list[Change]
    asked: int
    others: int


def affected_measures(edit: Edit) -> tuple[str, ...]:
    """The measures that may stand on what is edited."""
    if edit.feed == "targets":
        return (edit.key[0],)
    if edit.feed == "service_packages":
        return tuple(name for name, measure in MEASURES.items() if edit.feed in measure.feeds)
    name = edit.key[0]
    family = name.partition("_")[0] + "_"
    of = next(modules for names, modules in _OF_ASSUMPTIONS.items() if name in names or family in names)
    return tuple(measure.name for module in of for measure in BY_MODULE[module])


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
    """Every number the edit touches that would be another, in a period and selection; an edit of one scope is looked at
    there.

    on: the day whose targets apply (default: the last).
    """
    kind, _, name = edit.key[-1].partition(":")
    if kind in ("segment", "customer") and name:
        where = (*(one for one in where if one[0] != kind), (kind, (name,)))
    views = _views(edit, Question(affected_measures(edit), start=start, end=end, where=where))
    with open_store(location, write=False) as store:
        wrote = {feed: saved_entries(store, feed) for feed in TABLES}
    with warehouse.reading(location, generation) as connection:
        now, targets_now = (
            _asked(connection, views),
            targets_in_view(connection, start=start, end=on or end, where=where),
        )
        waiting = sum(len(pending(feed, rows_of(connection, feed), wrote[feed])) for feed in TABLES)
    with preview_connection(location, wrote, edit, generation) as connection:
        then, targets_then = (
            _asked(connection, views),
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
    return Preview([one for one in compared if one.moves], len(compared), waiting)


def _views(edit: Edit, whole: Question) -> list[Question]:
    """What is asked: everything in view together, and where the edit works on parts of it, each part."""
    if edit.feed == "targets":
        fixed = {name for name, _ in whole.where}
        return [whole] if fixed & {"segment", "customer"} else [whole, replace(whole, by=("segment",))]
    return [whole, replace(whole, measures=BY_ZONE, by=("zone",))] if edit.key[0].startswith("zone_") else [whole]


def _asked(connection: Connection, views: Sequence[Question]) -> dict[_Number, Answer]:
    return {(one.measure, tuple(one.dimensions.items())): one for view in views for one in answer(connection, view)}


@contextmanager
def preview_connection(
    location: Location, wrote: dict[str, list[Row]], edit: Edit | None = None, generation: int | None = None
) -> Iterator[Connection]:
    """A connection on which everything is as it will be once what was written, and the edit with it, is in the numbers."""
    with warehouse.preview(location, generation) as connection:
        ledgers: list[FactTable] = []
        for feed in TABLES:
            new = wrote[feed]
            if edit is not None and edit.feed == feed:
                new = [
                    *new,
                    {**edit.row, "deleted": edit.deleted, "changed_at": datetime.now(UTC).replace(tzinfo=None)},
                ]
            rows = rows_of(connection, feed)
            after = merged(feed, rows, new)
            if after != rows:
                _hide(connection, FEEDS[feed].table, after)
                ledgers += DEPENDENT_TABLES[feed]
        _map(connection, [feed for feed in TABLES if wrote[feed] or (edit is not None and edit.feed == feed)])
        if ledgers:
            as_of = connection.execute(select(facts_state.c.as_of)).scalar_one()
            for ledger in ledgers:
                _hide(connection, ledger.table, ())
                fill(connection, ledger, BuildContext(as_of, mapped(connection)))
        yield connection


def _map(connection: Connection, feeds: Sequence[str]) -> None:
    """Have the columns people write count as mapped."""
    rows = [
        dict(row)
        for row in connection.execute(select(mapped_columns).where(mapped_columns.c.source != SOURCE)).mappings()
    ]
    ours = [
        dict(row)
        for row in connection.execute(select(mapped_columns).where(mapped_columns.c.source == SOURCE)).mappings()
    ]
    ours = [row for row in ours if row["feed"] not in feeds]
    for feed in feeds:
        names = (*FEEDS[feed].key, *value_columns(feed))
        ours += [{"source": SOURCE, "feed": feed, "column_name": name, "stands_in_for": None} for name in names]
    _hide(connection, mapped_columns, [*rows, *ours])


def _hide(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """A temporary table of the same name and columns, with these rows."""
    temporary_table(table.name, {column.name: column.type for column in table.columns}).create(
        connection, checkfirst=False
    )
    if rows:
        connection.execute(insert(table), list(rows))


def _told(one: Answer | None) -> tuple[object, ...] | None:
    return None if one is None else (one.value, one.no_data)
