"""Pure parts of the dashboard: periods, formats, statuses and exports."""

import csv
import io
import json
import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import openpyxl
import pyarrow.parquet as pq
import pytest

from dashboard.components import cards, changes, formatting
from dashboard.components.cards import worst_segment
from dashboard.components.charts import trend
from dashboard.components.sparkline import sparkline
from dashboard.components.status import Status, better_or_worse, status
from dashboard.exports import write
from dashboard.frame import period
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Direction, Unit
from metrics.model.question import Answer
from metrics.queries.answer_table import AnswerTable
from metrics.targets.targets import Target

TUESDAY = date(2026, 6, 30)


# --- periods
def test_preset_ends_with_the_last_whole_week() -> None:
    chosen = period.choose("4W", as_of=TUESDAY, first=date(2020, 1, 1))
    assert (chosen.start, chosen.end) == (date(2026, 6, 1), date(2026, 6, 28))  # a Monday and a Sunday
    assert not chosen.provisional


def test_period_includes_the_week_that_ends_on_the_watermark() -> None:
    assert period.choose("4W", as_of=date(2026, 6, 28), first=TUESDAY).end == date(2026, 6, 28)


def test_previous_period_has_the_same_number_of_days_if_the_period_is_provisional() -> None:
    running = period.choose("Dates", as_of=TUESDAY, first=TUESDAY, days=(date(2026, 6, 21), date(2026, 7, 20)))
    assert running.provisional
    assert running.days == 10
    assert running.previous == (date(2026, 6, 11), date(2026, 6, 20))


def test_incomplete_week_is_partial_and_complete_week_is_not() -> None:
    chosen = period.choose("Dates", as_of=TUESDAY, first=TUESDAY, days=(date(2026, 6, 10), date(2026, 6, 30)))
    weeks = period.periods(chosen.start, chosen.elapsed, "week")
    assert [chosen.partial(week, "week") for week in weeks] == [True, False, False, True]


@pytest.mark.parametrize("grain", ["day", "week", "month", "quarter"])
def test_periods_are_contiguous_across_leap_day_and_year_end(grain: str) -> None:
    found = period.periods(date(2023, 12, 20), date(2024, 3, 5), grain)
    assert all(period.next_start(one, grain) == other for one, other in pairwise(found))
    assert all(period.period_starts(one + timedelta(days=0), grain) == one for one in found)


# --- formats
@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.938, Unit.SHARE, "93.8%"),
        (1.0, Unit.SHARE, "100.0%"),
        (0.99997, Unit.SHARE, ">99.9%"),
        (None, Unit.SHARE, "–"),
        (float("nan"), Unit.SHARE, "–"),
        (7.24, Unit.DAYS, "7.2 days"),
        (999.4, Unit.HOURS, "999.4 h"),
        (1236, Unit.HOURS, "51.5 days"),
        (12480, Unit.COUNT, "12.5k"),
        (999, Unit.COUNT, "999"),
        (-3, Unit.COUNT, "−3"),
        (Decimal("1400000.5"), Unit.MONEY, "1.4M"),
    ],
)
def test_number_is_formatted_with_its_unit(value: float | None, unit: Unit, text: str) -> None:
    assert formatting.number(value, unit) == text


def test_quantity_and_price_keep_significant_digits() -> None:
    assert formatting.quantity(Decimal("0.9996")) == "0.9996"
    assert formatting.quantity(Decimal("12.0000")) == "12"
    assert formatting.price(Decimal("10.5")) == "10.50"
    assert formatting.price(Decimal("0.1234")) == "0.1234"


def test_html_and_markdown_in_data_are_escaped() -> None:
    assert formatting.html("<b>&\"'") == "&lt;b&gt;&amp;&quot;&#x27;"
    assert "](" not in formatting.markdown("![x](http://evil.example)").replace("\\]\\(", "")
    # Markdown finds addresses after it has removed the escapes, so their beginnings are taken apart.
    for address in ("http://evil.example", "HTTPS://evil.example", "www.evil.example", "a@evil.example"):
        assert not re.search(r"(?i)https?://|www(?=\.)|@(?=\w)", formatting.markdown(address).replace("\\", ""))
    assert formatting.markdown("O-17") == r"O\-17"


# --- statuses
@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.95, Status.ON), (0.949, Status.WATCH), (0.93, Status.WATCH), (0.929, Status.OFF), (None, Status.NO_DATA)],
)
def test_status_against_a_target_if_higher_is_better(value: float | None, expected: Status) -> None:
    assert status(value, Target(0.95, 0.02), Direction.HIGHER) is expected


def test_status_if_lower_is_better_or_coverage_is_low() -> None:
    assert status(7.0, Target(7.2), Direction.LOWER) is Status.ON
    assert status(7.3, Target(7.2), Direction.LOWER) is Status.OFF
    assert status(0.99, Target(0.95), Direction.HIGHER, coverage=0.89) is Status.INCONCLUSIVE
    assert better_or_worse(-0.5, Direction.LOWER) == "better"
    assert better_or_worse(1, Direction.NEITHER) is None


@pytest.mark.parametrize(("value", "words"), [(1, "order is"), (1.0, "order is"), (0, "orders are"), (2, "orders are")])
def test_words_agree_with_the_number_before_them(value: float, words: str) -> None:
    assert formatting.agreeing(value, "order is", "orders are") == words


def test_sparkline_has_a_gap_for_missing_values_and_a_text_description() -> None:
    drawn = sparkline(
        "OTIF", [0.9, None, 0.8, 0.85, 0.7], Unit.SHARE, target=Target(0.95), line="#123456", rule="#654321"
    )
    assert drawn.count("%23123456") == 2
    assert "from 90.0% to 70.0%, lowest 70.0%" in drawn
    dots = [0.9, None, 0.8, None, 0.7]
    assert sparkline("OTIF", dots, Unit.SHARE, target=None, line="#123456", rule="#654321") == ""


def test_trend_does_not_change_its_template() -> None:
    spec = trend([], MEASURES["otif"], target=None, grain="week", is_dark=False)
    assert spec["datasets"]["main"] == []
    assert json.dumps(spec) == json.dumps(trend([], MEASURES["otif"], target=None, grain="week", is_dark=False))


# --- exports
def answers(*, value: float = 2 / 3, **text: str) -> AnswerTable:
    row = {
        "customer": text.get("customer", "C1"),
        "period": date(2026, 6, 1),
        "measure": "otif",
        "value": value,
        "numerator": 2,
        "denominator": 3,
    }
    known = {**row, "coverage": 1.0, "worst": 2 / 3, "best": 2 / 3}
    unknown = {**dict.fromkeys(known), **row, "customer": None, "value": None}
    return AnswerTable(tuple(known), [tuple(known.values()), tuple(unknown.values())])


def test_every_format_holds_the_same_numbers() -> None:
    table = answers()
    from_csv = list(csv.DictReader(io.StringIO(write.as_bytes(table, "csv", {}).decode())))
    from_json = json.loads(write.as_bytes(table, "json", {}))
    from_parquet = pq.read_table(io.BytesIO(write.as_bytes(table, "parquet", {"generation": 7})))
    sheet = openpyxl.load_workbook(io.BytesIO(write.as_bytes(table, "xlsx", {})))["Answers"]
    assert float(from_csv[0]["value"]) == from_json[0]["value"] == from_parquet["value"][0].as_py() == 2 / 3
    assert sheet["D2"].value == pytest.approx(2 / 3, abs=1e-15)
    assert from_csv[1]["value"] == ""
    assert from_json[1]["value"] is from_parquet["value"][1].as_py() is sheet["D3"].value is None
    assert (from_csv[0]["numerator"], from_json[0]["numerator"]) == ("2", 2)
    assert from_parquet["period"][0].as_py() == date(2026, 6, 1)
    assert b'"generation": 7' in from_parquet.schema.metadata[b"buyerview"]


@pytest.mark.parametrize("fmt_name", list(write.FORMATS))
def test_the_same_answers_give_the_same_bytes(fmt_name: str) -> None:
    assert write.as_bytes(answers(), fmt_name, {"a": 1}) == write.as_bytes(answers(), fmt_name, {"a": 1})


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@x",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "＝1+1",
        '=HYPERLINK("http://evil.example")',
        "=cmd|' /C calc'!A0",
    ],
)
def test_export_escapes_formulas(text: str) -> None:
    row = next(
        iter(csv.DictReader(io.StringIO(write.as_bytes(answers(customer=text), "csv", {}).decode(), newline="")))
    )
    assert row["customer"].startswith("'")
    cell = openpyxl.load_workbook(io.BytesIO(write.as_bytes(answers(customer=text), "xlsx", {})))["Answers"]["A2"]
    assert cell.data_type != "f"
    assert cell.hyperlink is None


def test_negative_numbers_stay_numbers() -> None:
    assert b",-5," in write.as_bytes(answers(value=-5), "csv", {})


def test_unknown_format_error_lists_the_known_formats() -> None:
    with pytest.raises(ValueError, match="csv, xlsx, parquet, json"):
        write.as_bytes(answers(), "pdf", {})


def test_half_cents_are_rounded_up_in_lists_and_pages() -> None:
    """The list once showed 3,828.43 (rounded by the browser) and the order page 3,828.42 (rounded by Python) for
    3,828.425.
    """
    assert formatting.money(Decimal("3828.4250"), "EUR") == "3,828.43 EUR"
    assert float(formatting.cents(Decimal("3828.4250"))) == 3828.43


def segment(
    name: str, value: float, *, target: float | None = None, orders: int = 50
) -> tuple[str, Answer, Target | None]:
    return (
        name,
        Answer({"segment": name}, None, "otif", value, denominator=orders, coverage=1.0),
        target and Target(target, 0.02),
    )


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        # Each segment against its own target: C is lowest but on target, B is higher but 3 points short.
        ([segment("A", 0.95, target=0.95), segment("B", 0.87, target=0.90), segment("C", 0.76, target=0.75)], "B"),
        # Without targets: the lowest segment, which is below the whole.
        ([segment("A", 0.95), segment("B", 0.87), segment("C", 0.76)], "C"),
        # All are on target, so none is worst, although they differ.
        ([segment("A", 0.95, target=0.95), segment("C", 0.76, target=0.75)], None),
        # Too few orders to compare, and a segment on its own is the whole.
        ([segment("A", 0.95), segment("C", 0.10, orders=4)], None),
        ([segment("B", 0.87, target=0.90)], None),
    ],
)
def test_worst_segment_has_the_largest_gap_to_its_own_target(segments: list, expected: str | None) -> None:
    whole = Answer({}, None, "otif", 0.90, denominator=150, coverage=1.0)
    found = worst_segment(MEASURES["otif"], whole, segments)
    assert (found and found[0]) == expected


def test_worst_segment_has_the_highest_value_if_lower_is_better() -> None:
    whole = Answer({}, None, "stockout_rate", 0.05, denominator=150)
    segments = [segment("A", 0.02), segment("B", 0.09), segment("C", 0.08)]
    found = worst_segment(MEASURES["stockout_rate"], whole, segments)
    assert found is not None
    assert found[0] == "B"


def test_insignificant_change_of_a_share_is_shown_without_direction() -> None:
    """90 of 100 to 85 of 100 is -5 pp with a standard error of 4.7 pp; 900 of 1,000 to 850 of 1,000 has 1.5 pp."""
    perfect = MEASURES["perfect_order"]

    def share(good: int, of: int) -> Answer:
        return Answer({}, None, "perfect_order", good / of, numerator=good, denominator=of, low=0.1, high=0.9)

    assert changes.change_text(share(85, 100), share(90, 100), perfect) == "→ No significant change vs prior period"
    assert changes.change_text(share(850, 1000), share(900, 1000), perfect) == "↓ 5.0 pp worse vs prior period"
    # A single row can be 100 pp away from many others, and 19 rows are below the minimum of 20.
    assert changes.change_text(share(0, 1), share(900, 1000), perfect) == "→ No significant change vs prior period"
    assert changes.change_text(share(0, 19), share(900, 1000), perfect) == "→ No significant change vs prior period"


def test_median_of_few_values_claims_no_change() -> None:
    def median(hours: float, of: int) -> Answer:
        return Answer({}, None, "quote_hours_p50", hours, denominator=of)

    measure = MEASURES["quote_hours_p50"]
    assert changes.change_text(median(19.2, 2), median(2.4, 400), measure) == "→ No significant change vs prior period"
    assert "worse" in changes.change_text(median(19.2, 20), median(2.4, 400), measure)
    assert changes.may_be_chance(median(19.2, 2), median(2.4, 400), measure)
    assert not changes.is_significant(median(19.2, 2), median(2.4, 400), measure)
    assert changes.is_significant(median(19.2, 20), median(2.4, 400), measure)


def test_withheld_cost_shows_its_known_part_and_extent() -> None:
    # 100.00 for 2 of 3 stockouts: the total is the sum, the cost of a stockout their mean.
    unit, total = MEASURES["stockout_unit_cost"], MEASURES["stockout_total_cost"]
    known = Answer({}, None, unit.name, None, numerator=100.0, denominator=2, judged=3, unknown=1, no_data="-")
    assert cards.known_part(known, unit) == ("50", "2 of 3 stockouts")
    assert cards.known_part(replace(known, measure=total.name, denominator=None), total) == ("100", "2 of 3 stockouts")
    assert cards.known_part(replace(known, value=50.0), unit) is None
    shown = cards.tiles([cards.Tile(unit, known, None, None, [])], is_dark=False)
    assert ">50</a>" in shown
    assert "Known part: 2 of 3 stockouts." in shown


@pytest.mark.parametrize(
    ("measure", "rows", "text"),
    [
        ("otif", 1, "Only 1 order ("),
        ("terms_kept_by_buyer", 8, "Only 8 invoices ("),
        ("quote_conversion", 1, "Only 1 inquiry ("),
        ("package_attainment", 17, "Only 17 judged ("),
    ],
)
def test_likely_range_names_the_rows_of_the_share(measure: str, rows: int, text: str) -> None:
    one = Answer({}, None, measure, 1.0, numerator=rows, denominator=rows, low=0.5, high=1.0)
    assert cards.too_few_text(one, MEASURES[measure]).startswith(text)
