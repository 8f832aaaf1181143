"""AtliQ Mart, a published order set with known answers, through its mapping file. Every figure is exact.

The data has no licence and is never shipped. The tests read it if a developer has it next to the project.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from ingest.pipeline import run
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.model.statistics import wilson
from metrics.policy import Policy
from metrics.queries.answer import Answer, Question, answer
from metrics.queries.definition_ladder import definition_ladder
from metrics.queries.policy_diff import policy_diff
from metrics.schema import targets
from metrics.warehouse import Location, reading

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data" / "atliq"
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not DATA.is_dir(),
        reason="AtliQ has no licence and is not shipped; put its files beside the project to run this",
    ),
]


@pytest.fixture(scope="module")
def atliq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    place = Location(folder=tmp_path_factory.mktemp("atliq"))
    run(ROOT / "docs" / "examples" / "atliq.toml", data_dir=DATA, location=place)
    with reading(place) as connection:
        yield connection


def ask(connection: Connection, *measures: str, policy: Policy | None = None, **rest: object) -> list[Answer]:
    return answer(connection, Question(measures, **rest), **({"policy": policy} if policy else {}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("measure", "numerator", "denominator"),
    [
        ("line_fill_final", 37_661, 57_096),
        ("unit_fill_final", 12_969_157, 13_426_936),
        ("on_time", 18_730, 31_729),
        ("complete", 16_747, 31_729),
        ("otif", 9_208, 31_729),
        ("otif_line", 27_380, 57_096),
        ("beyond_promise", 12_999, 31_729),
        ("order_fill_final", 16_747, 31_729),
    ],
)
def test_published_ratios_are_reproduced_exactly(
    atliq: Connection, measure: str, numerator: int, denominator: int
) -> None:
    (one,) = ask(atliq, measure)
    assert (one.numerator, one.denominator, one.coverage) == (numerator, denominator, 1.0)
    assert one.value == numerator / denominator


def test_volumes_equal_the_published_figures(atliq: Connection) -> None:
    values = {
        one.measure: one.value
        for one in ask(atliq, "orders", "order_lines", "ordered_units", "received_units", "judged_orders")
    }
    assert values == {
        "orders": 31_729,
        "order_lines": 57_096,
        "ordered_units": 13_426_936,
        "received_units": 12_969_157,
        "judged_orders": 31_729,
    }


def test_cycle_time_measures_equal_the_expected_figures(atliq: Connection) -> None:
    names = ("cycle_days", "cycle_sd", "cycle_cv", "cycle_p50", "cycle_p90", "cycle_p95", "days_late")
    values = {one.measure: round(float(one.value or 0), 4) for one in ask(atliq, *names)}
    assert values == {
        "cycle_days": 2.5937,
        "cycle_sd": 1.3640,
        "cycle_cv": 0.5259,
        "cycle_p50": 3,
        "cycle_p90": 4,
        "cycle_p95": 5,
        "days_late": 1.7093,
    }


def test_the_wilson_interval_of_otif(atliq: Connection) -> None:
    (otif,) = ask(atliq, "otif")
    assert (round(100 * (otif.low or 0), 4), round(100 * (otif.high or 0), 4)) == (28.5239, 29.5227)
    assert wilson(9_208, 31_729) == (otif.low, otif.high)


@pytest.mark.parametrize(
    ("city", "on_time", "complete", "otif", "orders"),
    [
        ("Ahmedabad", 6_433, 5_995, 3_244, 11_061),
        ("Surat", 5_935, 5_095, 2_916, 9_696),
        ("Vadodara", 6_362, 5_657, 3_048, 10_972),
    ],
)
def test_service_of_every_city_equals_the_published_counts(
    atliq: Connection, city: str, on_time: int, complete: int, otif: int, orders: int
) -> None:
    answers = ask(atliq, "on_time", "complete", "otif", where=(("region", (city,)),))
    assert [(one.numerator, one.denominator) for one in answers] == [
        (on_time, orders),
        (complete, orders),
        (otif, orders),
    ]


def test_months_are_counted_by_the_due_day(atliq: Connection) -> None:
    months = [
        (one.period, one.numerator, one.denominator)
        for one in ask(atliq, "otif", grain="month")
        if one.period and one.period.month < 9
    ]
    counts = [(1_456, 5_066), (1_506, 5_239), (1_595, 5_422), (1_492, 5_232), (1_571, 5_333), (1_588, 5_437)]
    assert months == [(date(2022, month, 1), *count) for month, count in enumerate(counts, start=3)]


@pytest.mark.parametrize(("days", "otif"), [(1, 12_982), (2, 15_208), (3, 16_747)])
def test_otif_with_a_late_tolerance_in_days(atliq: Connection, days: int, otif: int) -> None:
    (one,) = ask(atliq, "otif", policy=Policy(late_tolerance_days=days))
    assert (one.numerator, one.denominator) == (otif, 31_729)


@pytest.mark.parametrize(("days", "flips"), [(1, 3_774), (2, 6_000), (3, 7_539)])
def test_late_tolerance_flips_the_expected_number_of_orders(atliq: Connection, days: int, flips: int) -> None:
    found = policy_diff(atliq, Policy(late_tolerance_days=days))
    assert (found.judged, len(found.flips)) == (31_729, flips)
    assert {(one.before, one.after, one.rule) for one in found.flips} == {(False, True, "late_tolerance_days")}
    assert found.numerators[1] - found.numerators[0] == flips


def test_window_timing_fails_exactly_the_early_orders(atliq: Connection) -> None:
    found = policy_diff(atliq, Policy(timing="WINDOW"))  # type: ignore[arg-type]  # a settings file's plain text
    assert {(one.before, one.after, one.reason_after) for one in found.flips} == {(True, False, "too_early")}
    assert len(found.flips) == 2_127
    early = policy_diff(atliq, Policy(timing="WINDOW"), verdict="on_time")  # type: ignore[arg-type]
    assert early.numerators == (18_730, 15_406)


def test_definition_ladder_without_requested_dates_damage_and_invoices(atliq: Connection) -> None:
    """Everything arrived and nothing was cancelled, so each rung counts all orders. +3 days without completeness fails
    31,729 orders fewer.
    """
    steps = {step.rung.name: step for step in definition_ladder(atliq).steps}
    assert [name for name, step in steps.items() if step.skipped] == ["L5", "L8", "L9"]
    assert {step.denominator for step in steps.values() if not step.skipped} == {31_729}
    assert steps["L2"].numerator == steps["L3"].numerator == steps["L4"].numerator == 18_730
    assert steps["L1"].numerator == 31_729
    # Without a requested date, completeness joins by the promise: the published OTIF (N22).
    assert steps["L6"].numerator == steps["L7"].numerator == steps["L10"].numerator == 9_208


def test_months_by_order_or_arrival_day_equal_the_published_counts(atliq: Connection) -> None:
    """By order date and by actual date. By actual date, only late orders fall in September, which is an artefact."""
    o = order_facts_table.c
    by_order: dict[int, list[int]] = {}
    by_arrival: dict[int, list[int]] = {}
    for ordered, arrived, otif in atliq.execute(select(o.ordered_day, o.arrived_day, o.otif)):
        for months, day in ((by_order, ordered), (by_arrival, arrived)):
            count = months.setdefault(day.month, [0, 0])
            count[0] += otif
            count[1] += 1
    ordered_months = [[1_561, 5_407], [1_506, 5_253], [1_578, 5_417], [1_497, 5_213], [1_567, 5_339], [1_499, 5_100]]
    arrived_months = [
        [1_474, 4_961],
        [1_501, 5_231],
        [1_590, 5_432],
        [1_495, 5_216],
        [1_573, 5_348],
        [1_575, 5_414],
        [0, 127],
    ]
    assert [by_order[month] for month in sorted(by_order)] == ordered_months
    assert [by_arrival[month] for month in sorted(by_arrival)] == arrived_months


def test_published_wrong_formulas_give_other_results(atliq: Connection) -> None:
    """The mean of line ratios (96.5886), ordered over delivered (103.53 %), OT × IF (31.1575 %), and the estimate
    LFR^(lines per order) (47.29 %).
    """
    line = order_line_facts_table.c
    ratios = [float(filled / owed) for filled, owed in atliq.execute(select(line.filled_qty, line.owed_qty))]
    unit, lines, on_time, complete = ask(atliq, "unit_fill_final", "line_fill_final", "on_time", "complete")
    assert round(100 * sum(ratios) / len(ratios), 4) == 96.5886
    assert round(100 * float(unit.value or 0), 4) == 96.5906
    assert round(100 / float(unit.value or 0), 2) == 103.53
    assert round(100 * float(on_time.value or 0) * float(complete.value or 0), 4) == 31.1575
    assert round(100 * float(lines.value or 0) ** (57_096 / 31_729), 2) == 47.29
    assert round(100 * float(complete.value or 0), 2) == 52.78


def test_counts_of_early_and_late_lines(atliq: Connection) -> None:
    line = order_line_facts_table.c
    off = [(settled - due).days for settled, due in atliq.execute(select(line.settled_day, line.due_day))]
    assert sum(days == -1 for days in off) == 3_607
    assert sum(days > 0 for days in off) == 16_491
    assert round(sum(days for days in off if days > 0) / 16_491, 4) == 1.6874
    assert round(sum(off) / len(off), 4) == 0.4242  # signed, so not a measure: early lines would offset late ones


def test_on_time_and_otif_if_early_orders_fail(atliq: Connection) -> None:
    # a settings file's plain text
    on_time, otif = ask(atliq, "on_time", "otif", policy=Policy(timing="WINDOW"))  # type: ignore[arg-type]
    assert (on_time.numerator, otif.numerator) == (15_406, 7_081)


def test_otif_is_not_the_mean_of_the_customer_rates(atliq: Connection) -> None:
    """The mean of 35 percentages, 30.3845 %, is a published wrong way; the ratio of sums is 29.0208 %."""
    customers = ask(atliq, "otif", by=("customer",))
    assert len(customers) == 35
    assert round(100 * sum(float(one.value or 0) for one in customers) / 35, 4) == 30.3845
    assert sum(one.numerator or 0 for one in customers) == 9_208


@pytest.mark.parametrize(
    ("measure", "reason"),
    [
        ("damage_free", "no feed: "),
        ("billed_accurately", "no feed: "),
        ("perfect_order", "no feed: "),
        ("billed_value", "no feed: "),
        ("value_fill_final", "no data: unit_price_amount"),  # the feed is there, without the column
        ("ordered_value", "no data: unit_price_amount"),
    ],
)
def test_measure_without_its_feed_or_column_gives_the_reason(atliq: Connection, measure: str, reason: str) -> None:
    (one,) = ask(atliq, measure)
    assert one.value is None
    assert (one.no_data or "").startswith(reason)


def test_first_pass_fill_needs_the_shipping_date(atliq: Connection) -> None:
    (one,) = ask(atliq, "unit_fill_first_pass")
    assert one.value is None
    assert (one.no_data or "").startswith("no data: shipped_at")


@pytest.mark.parametrize(
    ("measure", "simple", "weighted"),
    [("on_time", 86.0857, 85.2429), ("complete", 76.5143, 76.3120), ("otif", 65.9143, 65.1020)],
)
def test_targets_as_published_and_weighted_by_orders(
    atliq: Connection, measure: str, simple: float, weighted: float
) -> None:
    """The published targets are simple means of 35 customers. Group targets are weighted by judged orders (R31)."""
    found = atliq.execute(select(targets.c.scope, targets.c.target_value).where(targets.c.measure == measure))
    by_customer = {scope.removeprefix("customer:"): value for scope, value in found}
    judged = {one.dimensions["customer"]: one.judged for one in ask(atliq, measure, by=("customer",))}
    assert len(by_customer) == 35
    assert round(float(100 * sum(by_customer.values()) / 35), 4) == simple
    assert (
        round(float(100 * sum(by_customer[name or ""] * int(n or 0) for name, n in judged.items()) / 31_729), 4)
        == weighted
    )
