"""Temporary tables of a run.

The same name and columns return the same table object. SQLAlchemy then compiles its statements once per process.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, MetaData, Table

from metrics.sql.dialects import SqlType


def temporary_table(name: str, columns: Mapping[str, SqlType], **options: Any) -> Table:  # Any: as in Table
    """Return a temporary table with these columns. options: as for `Table`.

    The caller creates it, and drops it before a table of the same name is created.
    """
    key = (name, *((column, repr(kind)) for column, kind in columns.items()), *options.items())
    if key not in _TABLES:
        own = [Column(column, kind) for column, kind in columns.items()]
        _TABLES[key] = Table(name, MetaData(), *own, prefixes=["TEMPORARY"], **options)
    return _TABLES[key]


_TABLES: dict[tuple[object, ...], Table] = {}
