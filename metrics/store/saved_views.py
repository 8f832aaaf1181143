"""Saved views: a page with its filters. A relative period stays relative: next week the view shows next week."""

from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from metrics.schema import Row
from metrics.store import audit
from metrics.store.tables import saved_views

view_columns = saved_views.c


def views(connection: Connection, who: str) -> list[Row]:
    """Return the views a user sees, by name: their own and the shared ones."""
    listed = (
        select(saved_views)
        .where(or_(view_columns.owner == who, view_columns.shared))
        .order_by(view_columns.name, view_columns.view_id)
    )
    return [dict(row) for row in connection.execute(listed).mappings()]


def save(connection: Connection, who: str, name: str, page: str, query: str, *, shared: bool, at: datetime) -> int:
    """Save a view and return its number. It replaces the owner's view of the same name."""
    existing = (
        connection.execute(select(saved_views).where(view_columns.owner == who, view_columns.name == name))
        .mappings()
        .first()
    )
    values = {"name": name, "owner": who, "page": page, "query": query, "shared": shared, "changed_at": at}
    if existing is not None:
        connection.execute(
            update(saved_views)
            .where(view_columns.view_id == existing["view_id"])
            .values(version=view_columns.version + 1, **values)
        )
        audit.record(
            connection,
            who,
            "view replaced",
            f"view {existing['view_id']}",
            {"page": existing["page"], "query": existing["query"]},
            values,
        )
        return int(existing["view_id"])
    number = int(connection.scalar(select(func.coalesce(func.max(view_columns.view_id), 0))) or 0) + 1
    connection.execute(insert(saved_views).values(view_id=number, version=1, **values))
    audit.record(connection, who, "view saved", f"view {number}", None, values)
    return number


def rename(connection: Connection, who: str, view_id: int, name: str, *, shared: bool, at: datetime) -> None:
    """Rename a view and set whether other users see it."""
    connection.execute(
        update(saved_views)
        .where(view_columns.view_id == view_id)
        .values(name=name, shared=shared, changed_at=at, version=view_columns.version + 1)
    )
    audit.record(connection, who, "view renamed", f"view {view_id}", None, {"name": name, "shared": shared})


def remove(connection: Connection, who: str, view_id: int) -> None:
    """Delete a view."""
    existing = connection.execute(select(saved_views).where(view_columns.view_id == view_id)).mappings().first()
    connection.execute(delete(saved_views).where(view_columns.view_id == view_id))
    audit.record(connection, who, "view deleted", f"view {view_id}", dict(existing) if existing else None, None)
