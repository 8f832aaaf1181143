"""Check the keys of a feed that combine, fill, withdraw or match records, or change the text of its keys."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import String

from ingest.mapping.nearest import nearest
from metrics.schema import FEEDS

if TYPE_CHECKING:
    from ingest.mapping.mapping_file import FeedMap


def problems_of_records(name: str, feed: "FeedMap") -> Iterator[str]:
    """Yield the problems of a feed's factor, `fill_down`, `full`, `match` and changed texts."""
    if feed.match and name != "invoice_lines":
        yield f"{name}.match: only invoice_lines takes it; remove it"
    for column, one in feed.columns.items():
        if not one.changes_text or column not in FEEDS[name].table.c:
            continue
        if not isinstance(FEEDS[name].table.c[column].type, String):
            yield f"{name}.columns.{column}: upper, strip_zeros and pad are for texts; remove them"
        if one.codes is not None:
            yield f"{name}.columns.{column}: write the codes as the source does; remove upper, strip_zeros, pad"
    if name == "unit_factors" and not feed.select and not {"factor", "numerator"} & {*feed.columns}:
        yield f"{name}.columns.factor: must be mapped; add factor, or numerator and denominator"
    names = [*feed.columns, *(one.column for one in feed.columns.values() if one.column)]
    for column in feed.fill_down:
        if column == "deleted":
            yield f"{name}.fill_down: an empty 'deleted' means false; remove it"
        elif column not in names:
            yield f"{name}.fill_down: {column!r} is not a mapped column{nearest(column, names)}"
    if feed.full and feed.cursor:
        yield f"{name}.full: a pull by cursor is no full extract; remove full, or cursor and cursor_start"
    if feed.full == "per_order" and (name == "orders" or "order_id" not in FEEDS[name].table.c):
        yield f"{name}.full: its records belong to no order; write full = true"
