"""Temporary tables of a run. Asked for again, a table is the same object, so that the statements over it are compiled once a process."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.types import TypeEngine


def temporary(name: str, columns: Mapping[str, TypeEngine[Any]]) -> Table:
    """A temporary table with these columns; whoever creates it drops it before another of its name is created."""
    return _named(name, tuple(columns.items()))


@cache
def _named(name: str, columns: tuple[tuple[str, TypeEngine[Any]], ...]) -> Table:
    return Table(name, MetaData(), *[Column(column, kind) for column, kind in columns], prefixes=["TEMPORARY"])
