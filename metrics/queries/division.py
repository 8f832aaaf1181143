"""Turn the sums of a row into an answer: the only place that divides.

Source: P1 (ratio of sums), P7 (point, coverage and range), P8 (small numbers).
"""

from dataclasses import replace
from datetime import date

from sqlalchemy import RowMapping

from metrics.model.measure import Measure, Percentile, Ratio, Spread, Total, Unit
from metrics.model.point import share_answer
from metrics.model.question import NO_ROWS, Answer
from metrics.model.statistics import Number, divide, spread
from metrics.queries.rollups import rollup_column
from metrics.schema import Row


def missing_feed(measure: Measure, known: frozenset[str]) -> str | None:
    """Return the text of the first need of a measure that no source maps, or None."""
    return next((need.words for need in measure.needs if not set(need.any_of) & known), None)


def answer_of_row(
    measure: Measure, row: RowMapping, dimensions: dict[str, str | None], period: date | None, known: frozenset[str]
) -> Answer:
    """Return the answer of one measure from one row of a SELECT."""
    part: Row = {
        role: row.get(rollup_column(measure, role))
        for role in (
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
    }
    blank = Answer(dimensions, period, measure.name, None)
    lacking = missing_feed(measure, known)
    mixed = measure.in_money and "fx_rates.rate" not in known and row["currency_first"] != row["currency_last"]
    if mixed:
        return replace(blank, no_data="no data: more than one currency and no fx_rates feed; filter by currency")
    formula = measure.formula
    if isinstance(formula, Total):
        result = replace(blank, value=part["numerator"], numerator=part["numerator"])
        if measure.unit is Unit.MONEY:
            result = replace(result, judged=part["judged"])
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
        return replace(result, value=None, coverage=result.coverage if result.judged else None, no_data=lacking)
    return result if result.value is not None else replace(result, no_data=result.no_data or NO_ROWS)


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
    remark = f"{unmeasured:,} {lines} no readable quantity or amount, so the range is 0 % to 100 %."
    return replace(result, coverage=known / (measured + unmeasured), worst=0.0, best=1.0, remark=remark)
