"""Parts of a number that have rows of their own, and the part that a list opens with."""

from metrics.measures.catalog import BY_MODULE
from metrics.model.measure import Derived, Direction, Measure, Ratio, Study, Total, Unit

COUNTED, OUT_OF, REST, UNKNOWN = "counted", "out_of", "rest", "unknown"
PARTS = (COUNTED, OUT_OF, REST, UNKNOWN)


def drillable_parts(measure: Measure) -> tuple[str, ...]:
    """Return the parts of a measure that have rows, in the order of PARTS; none for a measure of other measures."""
    formula = measure.formula
    if isinstance(formula, Derived | Study):
        return ()
    if isinstance(formula, Total):
        return (COUNTED,)
    if not isinstance(formula, Ratio):
        return (COUNTED, OUT_OF)
    return (
        COUNTED,
        OUT_OF,
        *((REST,) if measure.unit is Unit.SHARE else ()),
        *((UNKNOWN,) if formula.unknown is not None else ()),
    )


def is_test(measure: Measure) -> bool:
    """Return True if a measure is the share of orders or lines that pass a test of the buyer's view."""
    is_share = REST in drillable_parts(measure) and measure.direction is Direction.HIGHER
    return is_share and measure.name in {one.name for one in BY_MODULE["buyers_view"]}


def first_part(measure: Measure) -> str:
    """Return the part that a list opens with: the failed rows of a test, else the counted rows."""
    return REST if is_test(measure) else COUNTED
