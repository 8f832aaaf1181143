"""Properties of the whole catalogue on the sample: parts add up; a feed left out is named and never read as 0."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, select

from metrics.facts.orders import facts_state
from metrics.measures.catalog import MEASURES, has_dimension
from metrics.model.dimensions import DIMENSIONS, OWN_DIMENSIONS
from metrics.model.measure import Additive, Derived, Study, Total, Unit
from metrics.model.question import NO_ROWS, Answer, Question
from metrics.queries.answer import answer
from metrics.queries.explain import explain
from metrics.rebuild.rebuild import rebuild
from metrics.schema import FEEDS, mapped_columns
from metrics.warehouse import Location, reading
from tests.support import engines

OF_A_WHOLE = {"missed_at_step": "step", "lead_option_mix": "lead_time_class", "fulfilment_mix": "fulfilment_model"}
"""Shares of one whole: each part has the whole's denominator."""
OF_DAYS = ("under_served_protect", "over_served_danger")
"""Their denominator is the days of the period."""


@pytest.mark.every_run("segment", "carrier", "step", "zone")
@pytest.mark.parametrize("dimension", [*DIMENSIONS, *OWN_DIMENSIONS])
def test_parts_add_up_to_the_total(dimension: str, sample: Location) -> None:
    """N19: numerators and denominators of the parts are those of the whole, rounding apart.

    A record in quarantine counts as unknown in every part that it may belong to, so unknown rows need not add up.
    """
    names = tuple(
        name
        for name, measure in MEASURES.items()
        if has_dimension(measure, dimension)
        and isinstance(measure.formula, Additive | Derived | Study)
        and not measure.no_sum(dimension)
    )
    with reading(sample) as connection:
        wholes = {found.measure: found for found in answer(connection, Question(names))} if names else {}
        parts = answer(connection, Question(names, by=(dimension,))) if names else []
    for name, whole in wholes.items():
        if whole.value is None or MEASURES[name].refusal((dimension,)):
            continue
        for role in ("numerator", "denominator"):
            if role == "denominator" and (OF_A_WHOLE.get(name) == dimension or name in OF_DAYS):
                continue
            whole_value = getattr(whole, role)
            found = [getattr(part, role) for part in parts if part.measure == name]
            if whole_value is not None:
                total = sum((Fraction(number) for number in found if number is not None), Fraction(0))
                assert abs(total - Fraction(whole_value)) <= abs(Fraction(whole_value)) / 10**9, (
                    name,
                    role,
                    float(total),
                    whole_value,
                )


@pytest.mark.parametrize(
    ("by", "grain"), [((), "week"), (("customer",), "month"), (("segment", "channel", "currency"), None)]
)
def test_n24_sums_of_money_over_any_partition_equal_the_total_to_the_cent(
    by: tuple[str, ...], grain: str | None, sample: Location
) -> None:
    names = tuple(
        name
        for name, measure in MEASURES.items()
        if measure.unit is Unit.MONEY
        and isinstance(measure.formula, Total)
        and all(has_dimension(measure, one) and not measure.no_sum(one) for one in by)
        and not measure.refusal(by)
    )
    assert {"net_sales_value", "ordered_value", "billed_value", "received_value"} <= set(names)
    with reading(sample) as connection:
        wholes = {found.measure: found.value for found in answer(connection, Question(names))}
        parts = answer(connection, Question(names, by=by, grain=grain))
    for name in names:
        whole = wholes[name]
        if whole is not None:
            total = sum((Fraction(part.value or 0) for part in parts if part.measure == name), Fraction(0))
            assert abs(total - Fraction(whole)) < Fraction(1, 200), (name, float(total), whole)


@contextmanager
def without(sample: Location, feed: str) -> Iterator[Connection]:
    """Yield the sample's warehouse, built again as if no source had the feed."""
    (stored,) = sample.folder.glob("gen-*.duckdb")
    copy = Path(shutil.copy(stored, sample.folder.parent / f"without_{feed}.duckdb"))
    engine = engines.of_file(str(copy))
    with engine.connect() as connection:
        as_of = connection.execute(select(facts_state.c.as_of)).scalar_one()
        connection.execute(delete(mapped_columns).where(mapped_columns.c.feed == feed))
        connection.execute(delete(FEEDS[feed].table))
        rebuild(connection, as_of=as_of, touched=None)
        yield connection
    engine.dispose()
    copy.unlink()


@pytest.fixture(scope="module")
def before(sample: Location) -> dict[str, Answer]:
    """Return the answers of the whole sample."""
    with reading(sample) as connection:
        return {found.measure: found for found in answer(connection, Question(tuple(MEASURES)))}


@pytest.mark.long  # test_left_out_columns.py leaves out each column
@pytest.mark.parametrize(
    "feed",
    [feed for feed in FEEDS if feed not in ("targets", "assumptions")],
)
def test_n14_measure_without_a_feed_names_the_feed_or_uses_other_feeds(
    feed: str, before: dict[str, Answer], sample: Location
) -> None:
    """N14: what had a value has one, or names the feed. What was more than 0 is not 0 for want of the feed."""
    with without(sample, feed) as connection:
        after = {found.measure: found for found in answer(connection, Question(tuple(MEASURES)))}
    unnamed = {
        name: found.no_data
        for name, found in after.items()
        if before[name].value is not None
        and found.value is None
        and not (feed in str(found.no_data) or _said(found) or name.startswith("stockout_cost_"))
    }
    assert unnamed == {}
    zeros = {
        name
        for name, found in after.items()
        if before[name].value and found.value == 0 and feed in MEASURES[name].feeds
    }
    assert zeros <= {"documents_without_rate", *LEGITIMATE.get(feed, ())}


def _said(found: Answer) -> bool:
    """Return True for a reason that the remaining records give."""
    return str(found.no_data) != NO_ROWS and not str(found.no_data).startswith("inconclusive")


DEMAND = ("stockouts_provisional", "outcome_share_buyer_lost")
LEGITIMATE: dict[str, tuple[str, ...]] = {
    "orders": (*DEMAND, "substitution_share"),
    "order_lines": DEMAND,
    "shipments": (*DEMAND, "substitution_share", "loss_making_customers"),
    "shipment_lines": DEMAND,
    "service_cases": ("acknowledge_hours_p50", "acknowledge_hours_p90"),
    "service_costs": ("loss_making_customers", "over_served_danger", "danger_interaction_moved"),
    "invoices": ("amount_without_rate",),
    "invoice_lines": ("amount_without_rate",),
}
"""Numbers that the other feeds of the sample leave at 0. Demand before an order still counts as a stockout. Without
cases, our own notice acknowledges a failure at once. Without costs, no customer is in the danger zone. Costs of
stockouts may have no rows left. Lines without their consignments show failures only.
"""


@pytest.mark.parametrize(
    "name", ["customer_profit", "cost_to_serve_order", "cycle_hours", "net_sales_value", "otif", "stockout_rate"]
)
def test_n19_effects_add_up_to_the_change_exactly(name: str, sample: Location) -> None:
    """N19: also of measures of other measures, and of hours, whose sums are whole seconds."""
    halves = ((date(2025, 7, 1), date(2025, 12, 31)), (date(2026, 1, 1), date(2026, 6, 30)))
    with reading(sample) as connection:
        found = explain(connection, name, by="region", before=halves[0], after=halves[1])
    assert (found.adds_up, found.why_not) == (True, None)
    assert found.change is not None
    assert sum((part.effect or Fraction(0) for part in found.parts), Fraction(0)) == found.change
    assert found.before.value is not None
    assert found.after.value is not None
    shown = Fraction(found.after.value) - Fraction(found.before.value)
    assert abs(found.change - shown) <= max(abs(shown), 1) / 10**9
