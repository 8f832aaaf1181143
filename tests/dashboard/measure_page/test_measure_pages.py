"""Measure pages show the answers of the query, and advice where there is no answer."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from dashboard import queries
from dashboard.components import chart_types, formatting
from dashboard.components.chart_types import LETTER, Bar
from dashboard.sections import what_changed
from metrics import warehouse
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Unit
from metrics.queries.explain import explain
from metrics.warehouse import Location
from tests.dashboard.conftest import Open, markup
from tests.dashboard.small_warehouse import publish


@pytest.fixture
def page_of_sample(sample: Location, at_home: Callable[[Path], None], open_page: Open) -> Open:
    """Open a page over the sample of every feed."""
    assert sample.folder is not None
    at_home(sample.folder)
    return open_page


@pytest.mark.every_run("recovery", "influence")
@pytest.mark.parametrize("page", ["order_to_cash", "communications", "recovery", "influence", "two_books"])
def test_page_names_the_missing_feeds_to_add(page: str, page_of_small: Open) -> None:
    at = page_of_small(page)
    assert not at.exception
    assert "Add the feed" in markup(at)


@pytest.mark.every_run("recovery-texts2", "order_to_cash-texts0", "definition_ladder-texts5")
@pytest.mark.parametrize(
    ("page", "texts"),
    [
        ("order_to_cash", ("from order to cash", "order-story?")),
        ("communications", ("late buyers were warned before the deadline", "Convenience")),
        ("recovery", ("failures were resolved within 10 days", "Complaint")),
        ("influence", ("inquiries became an order", "buy, make, sell")),
        ("two_books", ("verdict and ours agree on", "Ours: failed", "order-story?")),
        ("definition_ladder", ("the strictest", "order-story?")),
    ],
)
def test_measure_page_shows_its_headline_and_its_details(
    page: str, texts: tuple[str, ...], page_of_sample: Open
) -> None:
    at = page_of_sample(page, period="52W")
    assert not at.exception
    for words in texts:
        assert words in markup(at)


@pytest.mark.every_run("recovery")
@pytest.mark.parametrize("page", ["communications", "recovery", "influence", "two_books", "definition_ladder"])
def test_measure_page_without_data_in_the_period_names_the_nearest_day(page: str, page_of_sample: Open) -> None:
    at = page_of_sample(page, period="Dates", dates=["2020-01-01", "2020-01-31"])
    assert not at.exception
    assert "nearest day" in markup(at)


# the warehouse that is read
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("by", ["segment", "reason"])
def test_waterfall_bars_add_up_from_the_earlier_to_the_current_value(by: str) -> None:
    with warehouse.reading(warehouse.locate()) as connection:
        found = explain(
            connection,
            "otif",
            by=by,
            before=(date(2025, 7, 1), date(2025, 12, 31)),
            after=(date(2026, 1, 1), date(2026, 6, 30)),
        )
    bars = what_changed._steps(found, MEASURES["otif"])
    assert (bars[0].total, bars[-1].total) == (True, True)
    moved = sum((one.end - one.start) * (1 if one.label.startswith("+") else -1) for one in bars if not one.total)
    assert bars[0].end + moved == pytest.approx(bars[-1].end)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("earlier", "may_be_chance"), [(90, True), (50, False)])
def test_what_changed_says_that_a_small_change_may_be_chance(earlier: int, may_be_chance: bool) -> None:
    """92 of 100 orders are no significant change from 90 of 100, and one from 50 of 100."""
    days = (date(2025, 7, 1), date(2025, 12, 31)), (date(2026, 1, 1), date(2026, 6, 30))
    with warehouse.reading(warehouse.locate()) as connection:
        found = explain(connection, "otif", by="segment", before=days[0], after=days[1])
    before, after = (
        replace(found.after, value=n / 100, numerator=n, denominator=100, low=0.0, high=1.0, coverage=1.0, unknown=0)
        for n in (earlier, 92)
    )
    changed = replace(found, before=before, after=after, change=Fraction(92 - earlier, 100), why_not=None)
    text = what_changed.sentence(changed, MEASURES["otif"], *days)
    assert ("The change is not significant" in text) is may_be_chance
    assert ('class="bv-better"' in text) is not may_be_chance


def test_what_changed_lists_the_reasons_of_failure_by_their_names(page_of_small: Open) -> None:
    dates = {"period": "Dates", "dates": ["2026-01-01", "2026-06-30"], "before": "2025-07-01..2025-12-31"}
    at = page_of_small("what_changed", measure="otif", by="reason", against="days", **dates)
    assert not at.exception
    assert re.search(r"<th[^>]*>Late<", markup(at)), re.findall(r"<tbody.*?</tbody>", markup(at))
    assert any("Each failed order counts once" in caption.value for caption in at.caption)


def test_what_changed_opens_on_the_measure_of_the_scorecards_headline(page_of_small: Open) -> None:
    assert page_of_small("what_changed").selectbox(key="pick_measure").value == "perfect_order"
    assert "perfect orders" in markup(page_of_small()).partition("bv-tiles")[0]


def test_what_changed_between_custom_dates_equals_the_explain_query(page_of_sample: Open) -> None:
    of_filters = {"period": "Dates", "dates": ["2026-05-01", "2026-05-31"]}
    at = page_of_sample(
        "what_changed", measure="on_time", against="days", before="2026-02-01..2026-02-28", **of_filters
    )
    assert not at.exception
    with warehouse.reading(warehouse.locate()) as connection:
        before, after = (date(2026, 2, 1), date(2026, 2, 28)), (date(2026, 5, 1), date(2026, 5, 31))
        found = explain(connection, "on_time", by="segment", before=before, after=after)
    headline_html = markup(at).split("bv-headline")[1].split("</div>")[0]
    assert f"<strong>{formatting.number(found.before.value, Unit.SHARE)}</strong>" in headline_html
    assert f"<strong>{formatting.number(found.after.value, Unit.SHARE)}</strong>" in headline_html
    at.date_input(key="pick_before").set_value((date(2026, 3, 1), date(2026, 3, 31))).run()
    assert at.query_params["before"] == "2026-03-01..2026-03-31"
    at.selectbox(key="pick_against").set_value("before").run()
    assert "before" not in at.query_params


@pytest.mark.parametrize("before", ["0001-01-01..0001-01-02", "1970-01-01..2026-02-01", "9999-01-01..9999-12-31"])
def test_invalid_comparison_dates_are_replaced_by_the_nearest_valid_dates(page_of_small: Open, before: str) -> None:
    at = page_of_small("what_changed", against="days", before=before)
    assert not at.exception
    assert at.query_params["before"] != before


def test_period_before_the_first_data_can_be_compared_without_an_exception(page_of_small: Open) -> None:
    at = page_of_small("what_changed", against="days", period="Dates", dates=["1990-01-01", "1990-02-01"])
    assert not at.exception


@pytest.mark.long
def test_what_changed_between_two_publishes(tmp_path: Path, at_home: Callable[[Path], None], open_page: Open) -> None:
    home = tmp_path / "home"
    publish(home, count=30, seed=2)
    at_home(home)
    assert "No older data version" in markup(open_page("what_changed", between="publishes"))
    publish(home, count=30, seed=5)
    at = open_page("what_changed", between="publishes", period="52W")
    assert not at.exception
    assert queries.generations() == [2, 1]
    assert "differ from data version 1" in markup(at)
    assert "better<" in markup(at) or "worse<" in markup(at)


def test_definition_has_its_own_url_and_links_to_the_page_of_the_measure(page_of_small: Open) -> None:
    first, rest = markup(page_of_small("definitions", measure="otif")).split("</details></details>", 1)
    assert '<details class="bv-def" id="otif" open>' in first
    assert "buyers-view?measure=otif" in first
    assert 'id="otif"' not in rest


def test_data_quality_lists_the_measures_affected_by_a_failed_check(page_of_small: Open) -> None:
    html = markup(page_of_small("data_quality"))
    table = html.split('aria-label="Failed checks and affected measures">')[-1].split("</table>")[0]
    assert "order_lines" in table
    assert "definitions?measure=otif" in table
    assert "All rows reconciled" in html


def test_data_quality_lists_the_warnings_of_loaded_records(page_of_small: Open) -> None:
    html = markup(page_of_small("data_quality"))
    table = html.split('aria-label="Warnings about loaded records">')[-1].split("</table>")[0]
    assert "2 keys occur more than once" in table
    assert "orders.csv" in table
    assert "2 measures" in table
    assert "definitions?measure=on_time" in table


def test_bar_chart_keeps_the_given_order_and_draws_totals_as_marks() -> None:
    spec = chart_types.bar_chart(
        [Bar("b", 3, "three"), Bar("a", 5, "five", start=2, tone="bad-strong"), Bar("c", 4, "four", total=True)],
        is_dark=False,
    )
    assert [row["name"] for row in spec["datasets"]["rows"]] == ["b", "a", "c"]
    assert [row["name"] for row in spec["datasets"]["bars"]] == ["b", "a"]
    assert [row["name"] for row in spec["datasets"]["totals"]] == ["c"]
    assert {one["name"]: one["value"] for one in spec["params"]} == {
        "low": 0,
        "high": 5,
        "figure": pytest.approx(5 * LETTER + 14),
        "shade": 0,
    }
    noted = chart_types.bar_chart([Bar("L1", 3, "three", note="what it adds"), Bar("L2", 1, "one")], is_dark=False)
    assert [row["note"] for row in noted["datasets"]["rows"]] == ["what it adds", ""]
    assert noted["height"] > 2 * chart_types.ROW
