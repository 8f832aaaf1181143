"""Turn the sums of a row into an answer: the only place that divides.

Source: P1 (ratio of sums), P7 (point, coverage and range), P8 (small numbers).
"""

from dataclasses import replace
from datetime import date
from functools import cache

from metrics.facts.money.table import money_facts_table
from metrics.measures.catalog import find
from metrics.model.measure import Measure, Percentile, Ratio, Spread, Total, Unit
from metrics.model.point import INCONCLUSIVE, share_answer
from metrics.model.question import (
    ALL_QUARANTINED,
    NO_RATES,
    NO_ROWS,
    NOTHING_KNOWN,
    SEVERAL_CURRENCIES,
    SEVERAL_UNITS,
    Answer,
)
from metrics.model.reasons import unmapped
from metrics.model.statistics import Number, divide, spread
from metrics.queries.rollups import rollup_column
from metrics.schema import Row, RowValues

ROLES = (
    "numerator",
    "denominator",
    "unknown",
    "judged",
    "total",
    "squares",
    "value",
    "unmeasured",
    "measured",
)
"""Roles of the sums of all formulas."""


def answer_of_row(
    measure: Measure,
    row: RowValues,
    dimensions: dict[str, str | None],
    period: date | None,
    known: frozenset[str],
    lacking: str | None,
) -> Answer:
    """Return the answer of one measure from one row of a SELECT.

    known: "feed.column" of every column that some source maps. lacking: the need of the measure that they do not meet.
    """
    part: Row = {role: row.get(column) for role, column in _columns_by_role(measure.name)}
    blank = Answer(dimensions, period, measure.name, None)
    if not lacking and (mixed := _mixed(measure, row, known)):
        return replace(blank, no_data=mixed)
    formula = measure.formula
    if isinstance(formula, Total):
        result = _total(measure, part, blank)
    elif isinstance(formula, Spread):
        result = replace(
            blank,
            denominator=part["denominator"],
            value=spread(part["denominator"], part["total"], part["squares"], relative=formula.relative),
        )
    elif isinstance(formula, Percentile):
        result = replace(blank, value=in_unit(part["value"], formula.ticks), denominator=part["denominator"])
    else:
        assert isinstance(formula, Ratio)
        result = _ratio(measure, formula, part, blank)
    if lacking:
        coverage = result.coverage if result.judged else None
        withheld = replace(result, value=None, numerator=None, denominator=None, low=None, high=None)
        return replace(withheld, coverage=coverage, no_data=lacking)
    if result.value is None and (result.no_data or "").startswith(INCONCLUSIVE):
        return replace(result, no_data=f"{result.no_data}{unmapped(measure, known)}")
    return result if result.value is not None else replace(result, no_data=result.no_data or NO_ROWS)


@cache
def _columns_by_role(name: str) -> tuple[tuple[str, str], ...]:
    """Return the roles of sums that an answer is made from, each with its column of a SELECT."""
    measure = find(name)
    return tuple((role, rollup_column(measure, role)) for role in ROLES)


def _mixed(measure: Measure, row: RowValues, known: frozenset[str]) -> str | None:
    """Return the reason if the rows have amounts of several currencies, or quantities of several base units."""
    if measure.in_money and "fx_rates.rate" not in known and row["currency_first"] != row["currency_last"]:
        return SEVERAL_CURRENCIES
    if not measure.in_base_units:
        return None
    first, last = (row.get(rollup_column(measure, role)) for role in ("unit_first", "unit_last"))
    return SEVERAL_UNITS if first != last else None


def _total(measure: Measure, part: Row, blank: Answer) -> Answer:
    """Return a total, or the reason if it cannot be known of any of its judged rows."""
    result = replace(blank, value=part["numerator"], numerator=part["numerator"])
    judged, unknown = part["judged"], part["unknown"]
    if unknown is None:  # money counts its rows, for its coverage
        return replace(result, judged=judged) if measure.unit is Unit.MONEY else result
    result = replace(result, judged=judged, unknown=unknown, coverage=divide(judged - unknown, judged))
    if judged and judged == unknown:
        why = NOTHING_KNOWN if measure.unit is Unit.COUNT else ALL_QUARANTINED
        return replace(
            result, value=None, numerator=None, no_data=NO_RATES if measure.facts is money_facts_table else why
        )
    if unknown and measure.facts is money_facts_table:
        amounts = "1 amount" if unknown == 1 else f"{unknown:,} amounts"
        return replace(result, remark=f"Leaves out {amounts} without an exchange rate.")
    return result


def in_unit(ticks: Number | None, per_unit: int) -> Number | None:
    """Convert a value in whole ticks to the measure's unit."""
    return ticks if per_unit == 1 else divide(ticks, per_unit)


def _ratio(measure: Measure, formula: Ratio, part: Row, blank: Answer) -> Answer:
    numerator, denominator = in_unit(part["numerator"], formula.ticks), part["denominator"]
    if measure.unit is not Unit.SHARE:
        return replace(blank, value=divide(numerator, denominator), numerator=numerator, denominator=denominator)
    unknown = part["unknown"] if formula.unknown is not None else 0
    result = share_answer(blank, numerator or 0, denominator or 0, unknown, combined=formula.combined)
    return _with_unmeasured(result, part["unmeasured"], part["measured"]) if part["unmeasured"] else result


def _with_unmeasured(result: Answer, unmeasured: int, measured: int) -> Answer:
    """Return the share of units or amounts with lines in quarantine whose quantity or amount cannot be read.

    Such a line weighs as much as the mean line in the coverage. Nobody knows its weight, so the range says nothing.
    Source: R34 (impossible dates).
    """
    known = measured * float(result.coverage or 0)
    lines = "line in quarantine has" if unmeasured == 1 else "lines in quarantine have"
    remark = f"{unmeasured:,} {lines} no readable quantity or amount, so the range is 0–100%."
    return replace(result, coverage=known / (measured + unmeasured), worst=0.0, best=1.0, remark=remark)
