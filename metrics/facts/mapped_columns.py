"""Feed columns that a source maps."""

from sqlalchemy import Connection, select

from metrics.schema import mapped_columns


def mapped(connection: Connection) -> frozenset[str]:
    """Return every "feed.column" that some source maps."""
    return frozenset(
        f"{feed}.{column}"
        for feed, column in connection.execute(select(mapped_columns.c.feed, mapped_columns.c.column_name))
    )
