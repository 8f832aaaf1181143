"""What can be edited in place, and what there is of it: rows in force, what was written and waits, what was refused and
why, who changed what.
"""

from dataclasses import dataclass

from dashboard import queries
from dashboard.editing import tables
from dashboard.frame import page
from metrics import warehouse
from metrics.edits import edits
from metrics.edits.edits import Row
from metrics.facts.assumptions import ASSUMPTIONS
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Direction
from metrics.store.connection import open_store
from metrics.warehouse import locate

OF_ZONES = ("zone_", "danger_")


@dataclass(frozen=True)
class EditForm:
    """What can be edited in one place: rows of a feed whose first key is one of `names` (with their titles)."""

    feed: str
    title: str
    hint: str
    names: dict[str, str]


def _assumptions(*, zones: bool) -> dict[str, str]:
    return {name: one.title for name, one in ASSUMPTIONS.items() if name.startswith(OF_ZONES) == zones}


FORMS = {
    "assumptions": EditForm(
        "assumptions", "Assumptions", "Used where nothing was observed.", _assumptions(zones=False)
    ),
    "zones": EditForm(
        "assumptions",
        "Where zones part, and what the options assume",
        "A cut of 0 is the median.",
        _assumptions(zones=True),
    ),
    "packages": EditForm(
        "service_packages", "Change a package", "Orders keep the package of the day they were placed.", {}
    ),
    "targets": EditForm(
        "targets",
        "Targets",
        "Shares as 0 to 1. Within the tolerance of its target a number is on watch, beyond it off target.",
        {name: one.title for name, one in MEASURES.items() if one.direction is not Direction.NEITHER},
    ),
}


@dataclass(frozen=True)
class EditState:
    """What there is of a kind: its rows with what was written and the defaults, what is pending and why, what of it
    broke a rule, the changes, the newest generation.

    latest: the number of the last change anybody made of anything.
    """

    merged: list[Row]
    pending: list[Row]
    refused: str | None
    rejected: dict[str, str]
    changes: list[Row]
    newest: int | None
    latest: int


def load_state(one: EditForm) -> EditState:
    """What there is of a kind in the generation shown and in the store. Raises StoreUnusable."""
    current = queries.current()
    with open_store(locate(), write=False) as store:
        wrote, changes, latest = (
            edits.saved_entries(store, one.feed),
            edits.changes(store, one.feed),
            edits.latest_entry(store),
        )
    with warehouse.reading(locate(), page.generation()) as connection:
        rows = edits.rows_of(connection, one.feed)
        pending = edits.pending(one.feed, rows, wrote)
        if one.feed == "assumptions":
            pending, changes = ([row for row in found if _name(row) in one.names] for found in (pending, changes))
        rejected = edits.rejected(connection, one.feed, pending)
    with open_store(locate(), write=False) as store:
        refused = edits.failure(store, max(row["changed_at"] for row in pending)) if pending else None
    merged = [*tables.defaults(one.feed), *edits.merged(one.feed, rows, wrote)]
    if one.feed == "assumptions":
        merged = [row for row in merged if _name(row) in one.names]
    return EditState(merged, pending, refused, rejected, changes, current.number if current else None, latest)


def _name(row: Row) -> str:
    return str(row["assumption"] if "assumption" in row else row["after"]["assumption"])
