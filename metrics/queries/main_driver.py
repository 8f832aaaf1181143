"""Find the part of the orders, or the reason of failure, that explains most of a share's change.

For each value of each dimension, the rest of the orders shows how the share would have changed without anything special
about the value. The excess is what the value adds to that: its mean weight times the difference of two changes, that of
its rate and that of the rest. The main driver has the largest excess in the direction of the change. The difference
must be over three standard errors, because dozens of values are compared.

A value that holds all orders has no rest, and explains nothing.

A reason has no rate of its own, because all its orders failed. Its excess is its contribution: the change of the share
of orders that failed for it, which must be over three standard errors too. If all orders failed for one reason, it
explains nothing: "late" is no explanation of late orders.

Source: the parts of `explain`.
"""

from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy import Connection

from metrics.measures.catalog import dimensions_of, find
from metrics.model.measure import Ratio
from metrics.model.question import Answer
from metrics.model.statistics import standard_error
from metrics.queries.explain import Contribution, Explanation, Period, explain
from metrics.queries.failure_reasons import REASON, has_reasons

DRIVERS = ("carrier", "product_category", "customer", "segment", "region", "channel", "fulfilment_model")
"""The dimensions that are compared."""
ERRORS = 3
"""A difference of so many standard errors is not chance."""


@dataclass(frozen=True)
class Driver:
    """The value of a dimension, or the reason of failure, that explains most of a change.

    before, after: the answers of the value; of a reason, the shares of orders that failed for it. excess: what it adds
    to the change, in the measure's unit.
    """

    dimension: str
    value: str
    before: Answer
    after: Answer
    excess: Fraction


def main_driver(
    connection: Connection,
    measure: str,
    *,
    before: Period,
    after: Period,
    where: tuple[tuple[str, tuple[str, ...]], ...] = (),
) -> Driver | None:
    """Return the main driver of the change of a share of orders between two periods; None if nothing stands out.

    Shares of units or amounts have none, because the units of one order are not independent. Values such as (none) and
    (several) name nobody, so they are never the driver. Raises UnknownName.
    """
    definition = find(measure)
    if not isinstance(definition.formula, Ratio):
        return None
    fixed = {name for name, values in where if len(values) == 1}
    compared = [name for name in DRIVERS if name not in fixed and name in dimensions_of(definition)]
    compared += [REASON] if has_reasons(definition) else []
    found: list[Driver] = []
    for dimension in compared:
        explanation = explain(connection, measure, by=dimension, before=before, after=after, where=where)
        if not explanation.change or explanation.after.low is None:
            return None
        found += (
            Driver(dimension, part.value, part.before, part.after, excess)
            for part in explanation.parts
            if part.before is not None
            and part.after is not None
            and part.value is not None
            and not part.value.startswith("(")
            and (excess := _excess(explanation, part)) is not None
            and (excess > 0) == (explanation.change > 0)
        )
    return max(found, key=lambda driver: (abs(driver.excess), -compared.index(driver.dimension)), default=None)


def _excess(explanation: Explanation, part: Contribution) -> Fraction | None:
    """Return what a value adds to the change beyond the rest of the orders; None if it is chance, or has no rest."""
    if explanation.by == REASON:
        return _contribution(explanation, part)
    of_value = [_counts(part.before), _counts(part.after)]
    whole = [_counts(explanation.before), _counts(explanation.after)]
    rest = [(n - n_value, d - d_value) for (n, d), (n_value, d_value) in zip(whole, of_value, strict=True)]
    if any(count <= 0 for _, count in (*of_value, *rest)):
        return None
    weight = sum((d_value / d for (_, d_value), (_, d) in zip(of_value, whole, strict=True)), Fraction(0)) / 2
    beyond = _change(of_value) - _change(rest)
    return weight * beyond if abs(float(beyond)) > ERRORS * standard_error((*of_value, *rest)) else None


def _contribution(explanation: Explanation, part: Contribution) -> Fraction | None:
    """Return what a reason adds to the change; None if it is chance, or the only reason."""
    if len(explanation.parts) < 2:
        return None
    change = _change(shares := [_counts(part.before), _counts(part.after)])
    return -change if abs(float(change)) > ERRORS * standard_error(shares) else None


def _counts(answer: Answer | None) -> tuple[Fraction, Fraction]:
    assert answer is not None
    return Fraction(answer.numerator or 0), Fraction(answer.denominator or 0)


def _change(pairs: list[tuple[Fraction, Fraction]]) -> Fraction:
    (before, of_before), (after, of_after) = pairs
    return after / of_after - before / of_before
