"""Properties of every share of the catalogue, over the sample: rows add up, and the point lies inside its range."""

from datetime import timedelta

import pytest

from metrics.lists.data_status import data_status
from metrics.measures.catalog import MEASURES, has_dimension
from metrics.model.measure import Ratio, Survival, Unit
from metrics.model.point import INCONCLUSIVE, range_of
from metrics.model.question import Answer, Question
from metrics.policy import MIN_COVERAGE
from metrics.queries.answer import answer
from metrics.queries.provisional import complete_through
from metrics.warehouse import Location, reading

SHARES = tuple(
    name
    for name, measure in MEASURES.items()
    if measure.unit is Unit.SHARE and not isinstance(measure.formula, Survival)
)


def _views() -> list[dict[str, object]]:
    return [{}, {"grain": "month"}, {"by": ("segment",)}, {"grain": "week", "by": ("region",)}]


@pytest.mark.parametrize("view", _views(), ids=str)
def test_passed_failed_and_unknown_add_up_and_the_point_is_inside_its_range(
    sample: Location, view: dict[str, object]
) -> None:
    checked = 0
    by = view.get("by", ())
    names = tuple(name for name in SHARES if all(has_dimension(MEASURES[name], one) for one in by))  # type: ignore[attr-defined]
    with reading(sample) as connection:
        for found in answer(connection, Question(names, **view)):  # type: ignore[arg-type]
            if found.judged is None or (found.no_data or "").startswith(("no feed", "no data")):
                continue
            checked += 1
            _check(found)
    assert checked > len(names) / 2


def _check(found: Answer) -> None:
    where = (found.measure, found.dimensions, found.period)
    assert found.numerator is not None, where
    assert found.denominator is not None, where
    failed = float(found.denominator) - float(found.numerator)
    assert failed >= 0, where
    assert float(found.numerator) + failed + float(found.unknown or 0) == pytest.approx(float(found.judged or 0)), where
    if not found.judged:
        return
    assert found.worst is not None, where
    assert found.best is not None, where
    assert found.coverage is not None, where
    if found.value is not None:
        assert found.worst <= float(found.value) <= found.best, where
        return
    assert found.worst < found.best, where
    assert range_of(found) == (found.worst, found.best), where
    assert found.coverage < MIN_COVERAGE, where
    assert (found.no_data or "").startswith(INCONCLUSIVE), where


def test_open_rows_are_unknown_rows_after_the_last_complete_day(sample: Location) -> None:
    """Both parts of a provisional answer add up to it, and every period up to the last complete day is complete."""
    seen = set()
    with reading(sample) as connection:
        as_of = data_status(connection).data_as_of
        assert as_of is not None
        for found in answer(connection, Question(SHARES, grain="week")):
            measure, provisional = MEASURES[found.measure], found.provisional
            through = complete_through(connection, found.measure)
            if provisional is None:
                continue
            seen.add(found.measure)
            assert found.period is not None
            assert through == provisional.through, found
            assert found.period + timedelta(days=6) > provisional.through, found
            assert provisional.through >= as_of.date() - timedelta(days=40), found
            parts = [part for part in (provisional.complete, provisional.later) if part is not None]
            for figure in ("numerator", "denominator", "unknown", "judged"):
                assert sum(getattr(part, figure) or 0 for part in parts) == getattr(found, figure), (found, figure)
            assert isinstance(measure.formula, Ratio)
            if measure.formula.unknown is not None:
                assert 0 < provisional.open <= (found.unknown or 0), found
    assert {"perfect_order", "damage_free"} <= seen


def test_all_measures_count_the_same_failed_orders(sample: Location) -> None:
    """N10: the measure, the perfect order's failures and the recovery facts count the same orders."""
    with reading(sample) as connection:
        failed, perfect = answer(connection, Question(("failed_orders", "perfect_order")))
        assert perfect.denominator is not None
        assert failed.value == perfect.denominator - (perfect.numerator or 0)  # type: ignore[operator]
