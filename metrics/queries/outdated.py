"""Refuse a generation whose tables lack a column of this version of Buyerview."""

from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from metrics.errors import GenerationOutdated
from metrics.facts.orders import facts_metadata
from metrics.queries.rollups import rollup_metadata
from metrics.schema import metadata
from metrics.warehouse.missing_columns import stored_columns

DECLARED = {one.name: one for tables in (metadata, facts_metadata, rollup_metadata) for one in tables.sorted_tables}
"""All tables that a reader may ask, by name."""
_checked: WeakKeyDictionary[Engine, int] = WeakKeyDictionary()
"""The generation of each engine whose columns were checked."""


def refuse_outdated(connection: Connection, where: str) -> None:
    """Raise GenerationOutdated if another version of Buyerview has published the generation of a reading connection.

    where: the warehouse, for the message.
    """
    generation: int | None = connection.info.get("generation")
    if generation is not None and _checked.get(connection.engine) == generation:
        return
    if missing := missing_column(connection):
        raise GenerationOutdated(where, generation, missing)
    if generation is not None:
        _checked[connection.engine] = generation


def missing_column(connection: Connection) -> str | None:
    """Return the first "table.column" of this version that is not stored; None if all of them are."""
    stored = stored_columns(connection)
    lacking = (
        f"{name}.{column.name}"
        for name, declared in DECLARED.items()
        for column in declared.c
        if column.name not in stored.get(name, ())
    )
    return next(lacking, None)
