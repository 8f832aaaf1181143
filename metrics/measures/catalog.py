"""Every measure by name. To add a module of measures, add it to MODULES."""

from dataclasses import replace
from itertools import chain

from metrics.errors import UnknownName
from metrics.measures import (
    alternative_standards,
    availability,
    buyers_view,
    communications,
    cycle_time,
    danger_zone,
    fill_rate,
    influence,
    order_to_cash,
    ordering_behaviour,
    packages,
    post_sale_support,
    profitability,
    promises,
    recovery,
    responsiveness,
    safety_stock,
    stockouts,
    two_books,
    volumes,
    zones,
)
from metrics.measures.needs import ALSO_BY_RECEIPT, COLLECTION
from metrics.model.dimensions import ABOUT, DATES, DIMENSIONS, OWN_DIMENSIONS
from metrics.model.measure import SNAPSHOT, Measure, Study
from metrics.model.reasons import columns_of

MODULES = (
    buyers_view,
    alternative_standards,
    availability,
    stockouts,
    fill_rate,
    cycle_time,
    promises,
    order_to_cash,
    safety_stock,
    profitability,
    zones,
    danger_zone,
    ordering_behaviour,
    packages,
    communications,
    responsiveness,
    post_sale_support,
    recovery,
    influence,
    two_books,
    volumes,
)
"""One module per business question, in the order of the pages."""


def rests_on_receipt(measure: Measure) -> bool:
    """Return whether a receipt decides the measure: its definition says then that collection counts."""
    columns = (column for need in measure.needs for one in need.any_of for column in columns_of(one))
    needed = "shipments.received_at" in columns
    return needed or measure.name in ALSO_BY_RECEIPT


def _with_collection(measure: Measure) -> Measure:
    if not rests_on_receipt(measure):
        return measure
    return replace(measure, definition=f"{measure.definition} {COLLECTION}")


def _with_estimate(measure: Measure) -> Measure:
    if (why := measure.no_sum(measure.estimate_by)) is None:
        return measure
    return replace(measure, definition=f"{measure.definition} {why[0].upper()}{why[1:]}.")


BY_MODULE: dict[str, tuple[Measure, ...]] = {
    module.__name__.rpartition(".")[2]: tuple(_with_estimate(_with_collection(one)) for one in module.MEASURES)
    for module in MODULES
}
"""The measures of each module, by module name."""


PRODUCT_ROWS: dict[int, str] = {
    1: "the buyer's five tests and the perfect order",
    2: "product availability",
    3: "expected cost of stockouts",
    4: "order cycle time and its dependability",
    5: "order to cash in 13 steps",
    6: "influencing the order, and order execution",
    7: "the promise: available to promise, available to deliver",
    8: "customer relationship management in four steps",
    9: "profitability zones",
    10: "what drives cost: how, how much, what and when customers order",
    11: "service packages",
    12: "time, dependability, communications, convenience",
    13: "the five influences of order management",
    14: "service recovery",
    15: "buy-make-sell and sell-make-buy; price and lead time",
    16: "customer service as philosophy, performance and activity",
    17: "ingest and validation",
    18: "pages by customer segment",
}
"""The product requirements that measures serve, by number."""


def _by_name() -> dict[str, Measure]:
    by_name: dict[str, Measure] = {}
    for measure in chain.from_iterable(BY_MODULE.values()):
        if measure.name in by_name:
            raise ValueError(f"two measures are called {measure.name}; rename one of them")
        by_name[measure.name] = measure
    return by_name


MEASURES: dict[str, Measure] = _by_name()


ALIASES: dict[str, str] = {
    "got_when_wanted": "on_time_requested",
    "got_quantity_wanted": "complete",
    "order_fill_final": "complete",
    "promise_kept": "on_time",
    "perfect_order_scor4": "perfect_order",
}
"""Other names of a measure, and the measure. Commands, exports, targets and alert rules accept them."""


def find(name: str) -> Measure:
    """Return the measure with a name or an alias. Raises UnknownName with the nearest name."""
    known = canonical(name)
    if known not in MEASURES:
        raise UnknownName("measure", name, (*MEASURES, *ALIASES))
    return MEASURES[known]


def canonical(name: str) -> str:
    """Return the measure of an alias; every other name unchanged."""
    return ALIASES.get(name, name)


def has_dimension(measure: Measure, dimension: str) -> bool:
    """Return True if the measure can be broken down by a dimension."""
    if isinstance(measure.formula, Study):
        return dimension in measure.formula.dimensions
    return (DIMENSIONS | OWN_DIMENSIONS)[dimension] in measure.facts.columns


def accepted_dimensions(measure: Measure | None = None) -> dict[str, str]:
    """Return the dimensions that a question may name, and their fact columns.

    A study accepts every column of its facts, so that one question can name measures of the same facts. It answers
    "no data" for a dimension it does not have (`has_dimension`).
    """
    own = {
        name: column
        for name, column in OWN_DIMENSIONS.items()
        if measure is None or has_dimension(measure, name) or column in measure.facts.columns
    }
    return DIMENSIONS | own


def dimension_column(name: str, measure: Measure | None = None) -> str:
    """Return the fact column of a dimension. Raises UnknownName with the nearest name that the measure accepts."""
    accepted = accepted_dimensions(measure)
    if name not in accepted:
        raise UnknownName("dimension" if measure is None else f"dimension of {measure.name}", name, tuple(accepted))
    return accepted[name]


def date_column(measure: Measure, date: str | None = None) -> str | None:
    """Return the fact column that dates the rows of a measure: its own, or the column of one of DATES.

    None: the measure's facts do not have that day, or the measure describes the status at `as_of`.
    """
    if date is None:
        return measure.date
    if measure.date == SNAPSHOT or isinstance(measure.formula, Study):
        return None
    return next((column for column in DATES[date] if column in measure.facts.columns), None)


def dimensions_of(measure: Measure) -> tuple[str, ...]:
    """Return the dimensions that a measure can be broken down and filtered by."""
    return tuple(name for name in (*DIMENSIONS, *OWN_DIMENSIONS) if has_dimension(measure, name))


def default_dimension(measure: Measure) -> str:
    """Return the default dimension of a measure's breakdown: its own subject if it has one, else the segment."""
    return next((name for name, measures in ABOUT.items() if measure.name in measures), "segment")
