"""Edit forms, and the state of a form: rows in effect, pending and rejected edits, history."""

from dataclasses import dataclass

from dashboard import queries
from dashboard.editing import tables
from dashboard.frame import page
from metrics import warehouse
from metrics.edits import edits
from metrics.facts.assumptions import ASSUMPTIONS
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Direction
from metrics.schema import Row
from metrics.store.connection import open_store
from metrics.warehouse import locate

ZONE_PREFIXES = ("zone_", "danger_")
"""First letters of the assumptions in the form "zones"."""


@dataclass(frozen=True)
class EditForm:
    """One edit form: the rows of a feed whose first key is in `names` (key to title)."""

    feed: str
    title: str
    hint: str
    names: dict[str, str]


def _assumptions(*, zones: bool) -> dict[str, str]:
    return {
        name: assumption.title for name, assumption in ASSUMPTIONS.items() if name.startswith(ZONE_PREFIXES) == zones
    }


FORMS = {
    "assumptions": EditForm(
        "assumptions", "Assumptions", "Used if the data has no observed value.", _assumptions(zones=False)
    ),
    "zones": EditForm(
        "assumptions",
        "Zone thresholds and assumptions",
        "A threshold of 0 means the median.",
        _assumptions(zones=True),
    ),
    "packages": EditForm("service_packages", "Service packages", "An order keeps the package of its order day.", {}),
    "targets": EditForm(
        "targets",
        "Targets",
        "A number within the tolerance of its target is on watch, beyond it off target.",
        {name: measure.title for name, measure in MEASURES.items() if measure.direction is not Direction.NEITHER},
    ),
}


@dataclass(frozen=True)
class EditState:
    """State of an edit form.

    merged: rows with defaults and saved edits. pending: saved edits that are not in the numbers yet. refused: reason
    why the last run failed. rejected: reasons by key of edits that broke a rule. changes: history. newest: newest
    generation. latest: number of the last change of any form.
    """

    merged: list[Row]
    pending: list[Row]
    refused: str | None
    rejected: dict[str, str]
    changes: list[Row]
    newest: int | None
    latest: int


def load_state(form: EditForm) -> EditState:
    """Return the state of a form from the current generation and the store. Raises StoreUnusable."""
    current = queries.current()
    with open_store(locate(), write=False) as store:
        saved = edits.saved_entries(store, form.feed)
        changes, latest = edits.changes(store, form.feed), edits.latest_entry(store)
    with warehouse.reading(locate(), page.generation()) as connection:
        rows = edits.rows_of(connection, form.feed)
        pending = edits.pending(form.feed, rows, saved)
        if form.feed == "assumptions":
            pending, changes = ([row for row in rows if _name(row) in form.names] for rows in (pending, changes))
        rejected = edits.rejected(connection, form.feed, pending)
    with open_store(locate(), write=False) as store:
        refused = edits.failure(store, max(row["changed_at"] for row in pending)) if pending else None
    merged = [*tables.defaults(form.feed), *edits.merged(form.feed, rows, saved)]
    if form.feed == "assumptions":
        merged = [row for row in merged if _name(row) in form.names]
    return EditState(merged, pending, refused, rejected, changes, current.number if current else None, latest)


def _name(row: Row) -> str:
    return str(row["assumption"] if "assumption" in row else row["after"]["assumption"])
