"""Every measure by name. A module of measures joins the product by one line here."""

from itertools import chain

from metrics import availability, buyer_view, cycle_time, volumes
from metrics.errors import UnknownName
from metrics.measure import Measure

DIMENSIONS: dict[str, str] = {
    "segment": "segment",
    "region": "region",
    "channel": "channel",
    "fulfilment_model": "fulfilment_model",
    "customer": "customer_id",
    "product_category": "product_category",
    "carrier": "carrier",
    "currency": "currency",
}
"""Every dimension and the column of both fact tables that holds it."""

GRAINS = ("day", "week", "month", "quarter")
"""Periods a number can be broken down by; a week starts on Monday."""


def _by_name() -> dict[str, Measure]:
    found: dict[str, Measure] = {}
    for measure in chain(buyer_view.MEASURES, availability.MEASURES, cycle_time.MEASURES, volumes.MEASURES):
        if measure.name in found:
            raise ValueError(f"two measures are called {measure.name}; rename one")
        found[measure.name] = measure
    return found


MEASURES: dict[str, Measure] = _by_name()


def find(name: str) -> Measure:
    """The measure of that name. Raises UnknownName with the nearest."""
    if name not in MEASURES:
        raise UnknownName("measure", name, tuple(MEASURES))
    return MEASURES[name]


def dimension_column(name: str) -> str:
    """The fact column of a dimension. Raises UnknownName with the nearest."""
    if name not in DIMENSIONS:
        raise UnknownName("dimension", name, tuple(DIMENSIONS))
    return DIMENSIONS[name]
