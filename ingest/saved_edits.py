"""Ingest saved edits like any other source. A built-in mapping reads the store; the usual rules and ledger apply.

Each entry of EDITED_FEEDS is a feed, and the SELECT over the store that returns its rows under canonical column names.
`:as_of` is the watermark of the data. The run does not move it. Edits dated after it wait in the store, for example a
resolution of today while the data end yesterday.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, DateTime, Select, bindparam, case, func, literal, select

from ingest.mapping.mapping_file import ColumnMap, FeedMap, Mapping, in_feed_order
from ingest.pipeline import Progress, run_mapping
from ingest.runs.report import RunReport
from metrics.edits.edits import SOURCE, TABLES, value_columns
from metrics.errors import NothingPublished
from metrics.facts.service_cases import EDIT_SOURCE
from metrics.schema import FEEDS, runs
from metrics.sql.dialects import Expression
from metrics.store.connection import open_store, store_url
from metrics.store.tables import work_items
from metrics.warehouse import Location, locate

NAME = SOURCE
AS_OF = bindparam("as_of", None, DateTime)


@dataclass(frozen=True)
class EditedFeed:
    """A feed of user edits."""

    feed: str
    rows: Callable[[], Select[tuple[object, ...]]]


def select_cases() -> Select[tuple[object, ...]]:
    """Select resolutions as cases, opened when the failure was detected. A reopened resolution is an open case.

    The cases have no kind, because the buyer asked for nothing. Orders with only an assignment or a comment are left
    out, so that working on a settled order does not reopen it.
    """
    w = work_items.c

    def by_then(moment: Expression) -> Expression:
        return case((moment <= AS_OF, moment))

    return select(
        literal(EDIT_SOURCE, literal_execute=True).concat(w.order_id).label("case_id"),
        w.order_id,
        w.detected_at.label("opened_at"),
        by_then(w.acknowledged_at).label("acknowledged_at"),
        by_then(w.resolved_at).label("resolved_at"),
        w.changed_at.label("source_updated_at"),
    ).where(w.detected_at <= AS_OF, w.acknowledged_at.is_not(None))


def select_edits(feed: str) -> Select[tuple[object, ...]]:
    """Select the current edits of a feed whose rows are valid from a day on."""
    table = TABLES[feed].c
    names = (*FEEDS[feed].key, *value_columns(feed), "deleted")
    return select(*[table[name] for name in names], table.changed_at.label("source_updated_at"))


EDITED_FEEDS = (
    EditedFeed("service_cases", select_cases),
    *(EditedFeed(feed, partial(select_edits, feed)) for feed in TABLES),
)


def ingest_saved_edits(*, location: Location | None = None, progress: Progress | None = None) -> RunReport | None:
    """Ingest saved edits into the next generation. Returns None if there are no edits.

    Raises NothingPublished if there is no published data, and the errors of any run.
    """
    place = location or locate()
    with open_store(place, write=False) as store:
        feeds = [
            one
            for one in EDITED_FEEDS
            if store.scalar(select(func.count()).select_from(one.rows().subquery()), {"as_of": datetime.max})
        ]
    if not feeds:
        return None
    return run_mapping(
        NAME, lambda connection: build_mapping(connection, place, feeds), location=place, progress=progress
    )


def build_mapping(connection: Connection, place: Location, feeds: list[EditedFeed]) -> Mapping:
    """Return the built-in mapping of these feeds, at the watermark of the generation that the run starts from."""
    as_of = connection.scalar(select(runs.c.data_as_of).order_by(runs.c.run_id.desc()).limit(1))
    if as_of is None:
        raise NothingPublished(str(place))
    return Mapping(
        path=Path(NAME),
        name=NAME,
        time_zone="UTC",
        data_as_of=as_of,
        feeds=in_feed_order({one.feed: _feed_map(one) for one in feeds}),
        staged={},
        store=store_url(place),
    )


def _feed_map(one: EditedFeed) -> FeedMap:
    rows = one.rows()
    query = str(rows.compile(compile_kwargs={"render_postcompile": True}))
    return FeedMap(
        connection="store",
        query=query,
        columns={column.name: ColumnMap.model_validate({"from": column.name}) for column in rows.selected_columns},
    )
