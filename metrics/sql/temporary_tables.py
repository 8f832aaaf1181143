"""Temporary tables of a run. Asked for again, a table is the same object, so that the statements over it are compiled
once a process.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.types import TypeEngine


def temporary_table(name: str, columns: Mapping[str, TypeEngine[Any]], **options: Any) -> Table:
    """A temporary table with these columns; whoever creates it drops it before another of its name is created."""
    key = (name, *((column, repr(kind)) for column, kind in columns.items()), *options.items())
    if key not in _TABLES:
        made = [Column(column, kind) for column, kind in columns.items()]
        _TABLES[key] = Table(name, MetaData(), *made, prefixes=["TEMPORARY"], **options)
    return _TABLES[key]


_TABLES: dict[tuple[Any, ...], Table] = {}
