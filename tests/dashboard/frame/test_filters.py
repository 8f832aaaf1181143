"""The filter bar: meaning of each choice, comparison, address, and removal of filters."""

from datetime import date

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.frame import period
from dashboard.frame.period import BEFORE, LAST_YEAR, same_weekdays
from metrics import warehouse
from metrics.model.dimensions import DIMENSIONS
from metrics.model.question import Question
from metrics.queries import answer
from tests.dashboard.conftest import Open, markup

THURSDAY = date(2026, 5, 28)


def choose(choice: str, *days: date, grain: str | None = None) -> period.Period:
    return period.choose(choice, as_of=THURSDAY, first=date(2024, 1, 1), days=days, grain=grain)


# --- comparisons of like with like
@pytest.mark.parametrize(
    ("choice", "days", "start", "end", "before", "last_year"),
    [
        ("4W", (), "2026-04-27", "2026-05-24", ("2026-03-30", "2026-04-26"), ("2025-04-28", "2025-05-25")),
        ("52W", (), "2025-05-26", "2026-05-24", ("2024-05-27", "2025-05-25"), None),
        ("Quarter", (), "2026-04-01", "2026-05-28", ("2026-01-01", "2026-02-27"), ("2025-04-01", "2025-05-28")),
        ("Year", (), "2026-01-01", "2026-05-28", ("2025-01-01", "2025-05-28"), None),
        ("All", (), "2024-01-01", "2026-05-28", None, None),
        (
            "Dates",
            ("2026-05-20", "2026-06-20"),
            "2026-05-20",
            "2026-06-20",
            ("2026-05-11", "2026-05-19"),
            ("2025-05-20", "2025-05-28"),
        ),
        ("Dates", ("2026-06-20", "2026-06-30"), "2026-06-20", "2026-06-30", None, None),
        (
            "Dates",
            ("2024-02-29", "2024-02-29"),
            "2024-02-29",
            "2024-02-29",
            ("2024-02-28", "2024-02-28"),
            ("2023-02-28", "2023-02-28"),
        ),
    ],
)
def test_period_is_compared_with_periods_of_equal_length(
    choice: str,
    days: tuple[str, ...],
    start: str,
    end: str,
    before: tuple[str, str] | None,
    last_year: tuple[str, str] | None,
) -> None:
    found = choose(choice, *map(date.fromisoformat, days))
    assert (str(found.start), str(found.end)) == (start, end)
    for name, expected in ((BEFORE, before), (LAST_YEAR, last_year)):
        compared = found.compared(name)
        assert (compared and tuple(map(str, compared))) == expected
        if compared:
            assert (compared[1] - compared[0]).days + 1 == found.days


def test_partial_month_is_compared_only_with_an_equal_part_of_a_month() -> None:
    may, april = date(2026, 5, 1), date(2026, 4, 1)
    whole = (date(2026, 1, 1), date(2026, 12, 31))
    assert same_weekdays("month", may, whole, april, whole)  # 31 and 30 days, both whole
    assert not same_weekdays("month", may, (may, THURSDAY), april, whole)
    assert same_weekdays("month", may, (may, THURSDAY), april, (april, date(2026, 4, 28)))
    assert not same_weekdays("month", may, (may, THURSDAY), april, (april, date(2026, 4, 27)))


def test_requested_grain_is_used_unless_it_is_invalid_or_gives_too_many_points() -> None:
    assert choose("13W").grain == "week"
    assert choose("13W", grain="day").grain == "day"
    assert choose("All", grain="day").grain == "month"  # 879 points
    assert choose("13W", grain="fortnight").grain == "week"


# --- the address
def test_tile_comparison_equals_the_difference_of_two_queries(page_of_small: Open) -> None:
    html = markup(page_of_small(period="Dates", dates=["2026-06-01", "2026-06-28"]))
    with warehouse.reading(warehouse.locate()) as connection:
        now, then = (
            answer.answer(connection, Question(("cycle_days",), start=date(year, 6, 1), end=date(year, 6, 28)))[0]
            for year in (2026, 2025)
        )
    moved = now.value - then.value
    tile = html.split('data-measure="cycle_days"')[1].split("</li>")[0]
    assert f"{'↑' if moved > 0 else '↓'} {abs(moved):.1f} days" in tile
    assert "vs last year" in tile


def test_comparisons_can_be_removed(page_of_small: Open) -> None:
    html = markup(page_of_small(compare=["last year"]))
    assert "vs prior" not in html
    assert "vs last year" in html


def test_every_dimension_can_be_filtered_by(page_of_small: Open) -> None:
    from dashboard.frame import filters

    assert {"segment", *filters.MORE} == set(DIMENSIONS)
    assert page_of_small(carrier="Blitz").session_state["_filters"].where == (("carrier", ("Blitz",)),)


def test_chips_list_the_active_filters_and_remove_one_or_all_of_them(page_of_small: Open) -> None:
    at = page_of_small(segment=["A", "B"], period="4W", grain="day")
    chips = {button.key: button for button in at.button if button.key and button.key.startswith("chip_")}
    assert set(chips) == {"chip_period", "chip_segment_A", "chip_segment_B", "chip_grain", "chip_all"}
    chips["chip_segment_A"].click().run()
    assert at.session_state["_filters"].where == (("segment", ("B",)),)
    chips["chip_grain"].click().run()
    assert at.session_state["_filters"].period.grain == "week"
    next(button for button in at.button if button.key == "chip_all").click().run()
    assert at.session_state["_filters"].where == ()
    assert at.session_state["_filters"].period.choice == period.DEFAULT
    assert not [button for button in at.button if button.key and button.key.startswith("chip_")]


def test_number_links_to_its_rows_and_keeps_the_filters(page_of_small: Open) -> None:
    html = markup(page_of_small(segment="C", period="26W"))
    assert 'href="behind?period=26W&amp;segment=C&amp;measure=otif&amp;part=rest"' in html
    assert 'href="what-changed?period=26W&amp;segment=C&amp;measure=otif"' in html


def test_copied_link_contains_the_data_version(page_of_small: Open) -> None:
    at = page_of_small(segment="C")
    assert '?segment=C&amp;v=1"' in markup(at)


def test_filter_value_without_orders_is_reported_as_ignored(page_of_small: Open) -> None:
    shown = markup(page_of_small(carrier=["Nobody", "Blitz"], period="77W"))
    assert "no order has carrier Nobody" in shown
    assert "there is no period 77W" in shown
    assert "Filters ignored" not in markup(page_of_small(carrier="Blitz", segment="A"))


def _turned() -> None:
    import streamlit as st

    from dashboard.frame import page

    options = ["b", "a"] if st.checkbox("turn") else ["a", "b"]
    st.caption(page.select("Measure", options, {"a": "A", "b": "B"}, key="measure"))


def test_url_has_no_parameter_if_only_the_default_choice_changes() -> None:
    at = AppTest.from_function(_turned).run()
    for turned in (True, False, True):
        at.checkbox[0].set_value(turned).run()
        assert at.caption[0].value == ("b" if turned else "a")
        assert "measure" not in at.query_params
    at.selectbox[0].set_value("a").run()
    assert at.query_params["measure"] in ("a", ["a"])


def test_dropped_filters_can_be_set_although_a_control_has_bound_them() -> None:
    """The server binds a parameter while it draws. A click before the browser has the control drops it all the same."""

    def script() -> None:
        import streamlit as st

        from dashboard.frame import address

        if "_path" not in st.session_state:
            st.session_state["_path"], st.session_state["_address"] = "failed-orders", {"segment": ["B"]}
            st.text_input("Segment", key="segment", bind="query-params")
        else:
            whole = address.dropped_values("order-story")
            st.query_params.from_dict(whole)
            st.write(st.query_params.get_all("segment"))

    page = AppTest.from_function(script).run().run()
    assert not page.exception
    assert page.json[0].value == '["B"]'
