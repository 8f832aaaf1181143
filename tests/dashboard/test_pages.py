"""Each page runs without an exception and shows a number."""

import json
import re
from collections.abc import Callable
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components import cards, formatting
from dashboard.components.reasons import in_plain_words
from dashboard.components.tables import SEARCHED_ROWS
from dashboard.frame import menu, menu_entries
from dashboard.frame.period import choose
from dashboard.measure_page.view import measures_of
from metrics import warehouse
from metrics.measures import volumes
from metrics.measures.catalog import MEASURES
from metrics.queries import answer
from metrics.queries.answer import Question
from tests.dashboard.conftest import Open, markup
from tests.dashboard.small_warehouse import AS_OF, EVIL, publish
from tests.support.tries import Tries

PAGES = tuple(entry.file.removesuffix(".py") for entry in menu_entries.ENTRIES)
WEEKS = choose("13W", as_of=AS_OF.date(), first=AS_OF.date())


def asked(measure: str, **more: object) -> answer.Answer:
    with warehouse.reading(warehouse.locate()) as connection:
        return answer.answer(connection, Question((measure,), **{"start": WEEKS.start, "end": WEEKS.end, **more}))[0]  # type: ignore[arg-type]


def shown(at: AppTest, measure: str) -> str:
    return markup(at).split(f'data-measure="{measure}">')[1].split("<")[0]


@pytest.mark.parametrize("page", PAGES)
def test_page_shows_its_title_and_the_data_of_every_table(page: str, page_of_small: Open) -> None:
    at = page_of_small(None if page == "scorecard" else page)
    assert not at.exception
    assert at.title[0].value == next(entry.title for entry in menu_entries.ENTRIES if entry.file == f"{page}.py")
    pieces = markup(at).split('<table class="bv-table')
    has_list_file = any(one.proto.label.startswith("Download all") for one in at.get("download_button"))
    for before, table in pairwise(pieces):
        tools = before[before.rindex('<div class="bv bv-data" data-table="') :]
        data = json.loads(unescape(tools.split('data-table="')[1].split('"')[0]))
        drawn = table.split("</table>")[0]
        heads, rows = drawn.count('<th scope="col"'), drawn.count("<tr") - 1
        assert len(set(data["columns"])) == len(data["columns"]) >= heads
        assert len(data["rows"]) >= rows
        assert {len(row) for row in data["rows"]} <= {len(data["columns"])}
        assert 'class="bv-csv"' in tools or has_list_file, "a part of a list has a file of the whole list"
        assert ('class="bv-find"' in tools) == (len(data["rows"]) >= SEARCHED_ROWS)
        assert ('class="bv-sort"' in drawn) == (rows - drawn.count("bv-total") > 1)


def test_menu_has_every_page_file() -> None:
    assert {entry.file for entry in menu_entries.ENTRIES} == {
        file.name for file in menu.FOLDER.glob("*.py") if file.name != "__init__.py"
    }


def test_scorecard_shows_the_query_results(page_of_small: Open) -> None:
    at = page_of_small()
    for name in ("perfect_order", "otif", "billed_accurately", "cycle_days"):
        assert shown(at, name) == formatting.number(asked(name).value, MEASURES[name].unit)


def test_a_segment_in_the_address_changes_the_number(page_of_small: Open) -> None:
    at = page_of_small(segment="C")
    assert shown(at, "otif") == formatting.number(
        asked("otif", where=(("segment", ("C",)),)).value, MEASURES["otif"].unit
    )
    assert shown(at, "otif") != shown(page_of_small(), "otif")


def test_dates_in_the_url_set_the_period(page_of_small: Open) -> None:
    at = page_of_small(period="Dates", dates=["2026-06-01", "2026-06-14"])
    assert not at.exception
    assert "1 Jun" in at.caption[0].value
    assert "14 Jun 2026" in at.caption[0].value


def test_incomplete_date_range_causes_no_exception(page_of_small: Open) -> None:
    at = page_of_small(period="Dates")
    at.session_state["dates"] = (AS_OF.date(),)
    at.run()
    assert not at.exception


@pytest.mark.every_run("nonsense0", "nonsense4")
@pytest.mark.parametrize(
    "nonsense",
    [{"period": "99W"}, {"segment": "nobody"}, {"measure": "x"}, {"order": "' or 1=1 --"}, {"region": "x" * 3000}],
)
def test_invalid_url_parameters_cause_no_exception(nonsense: dict[str, str], page_of_small: Open) -> None:
    for page in (None, "failed_orders"):
        assert not page_of_small(page, **nonsense).exception


def test_failed_orders_list_has_as_many_orders_as_the_measure(page_of_small: Open) -> None:
    at = page_of_small("failed_orders")
    assert f"<b>{int(asked('failed_orders').value or 0):,}</b>" in markup(at)


@pytest.mark.parametrize(
    ("order_id", "verdict", "words"),
    [
        ("HAND-LATE", "on_time", "due 10 Jun 2026, last required goods received 13 Jun 2026, 3 days late"),
        ("HAND-SHORT", "complete", "60 of 100 received, 40 missing"),
        ("HAND-PRICE", "billed_accurately", "bills 10.50 a unit, 10.00 EUR was agreed"),
        ("HAND-WRONG", "filled_accurately", "contained Valve (P2) instead of Pump (P1)"),
        ("HAND-DAMAGED", "damage_free", "3 of 10 damaged in shipment S-HAND-DAMAGED"),
    ],
)
def test_order_story_shows_the_failed_test_and_its_evidence(
    order_id: str, verdict: str, words: str, page_of_small: Open
) -> None:
    at = page_of_small("failed_orders", order=order_id)
    assert not at.exception
    html = markup(at).split(f'data-verdict="{verdict}"')[1].split("</ul>")[0]
    assert "failed" in html
    assert words in html


def test_order_story_of_an_unknown_order_shows_a_message(page_of_small: Open) -> None:
    assert "No such order" in markup(page_of_small("failed_orders", order="NOPE"))


def test_markup_in_data_is_escaped(page_of_small: Open) -> None:
    for page, address in ((None, {}), ("failed_orders", {"order": "HAND-LATE"}), ("data_quality", {})):
        at = page_of_small(page, **address)
        assert "<img src=x" not in markup(at)
        for part in (*at.markdown, *at.caption, *at.header, *at.title):
            assert EVIL not in part.value


@pytest.mark.long
def test_charts_have_fields_of_their_own_and_names_of_the_data_only_as_values(
    page_of_small: Open, tries: Tries
) -> None:
    """C3: a name with brackets, dots or an address is no field and no expression of a chart."""
    for page in (None, "cycle_time", "profitability", "availability", "recovery", "influence", "order_to_cash"):
        for chart in page_of_small(page).get("vega_lite_chart"):
            spec = json.loads(chart.proto.spec)
            spec.pop("datasets", None)
            text = json.dumps(spec)
            assert "evil.example" not in text
            assert all(re.fullmatch(r"[A-Za-z0-9_]+", name) for name in re.findall(r'"field": "([^"]*)"', text))
            tries.add()
    assert tries.made, "no page has a chart"


def test_export_shows_the_answers(page_of_small: Open) -> None:
    html = markup(page_of_small("export"))
    for name in ("otif", "on_time", "complete"):
        assert f">{formatting.number(asked(name).value, MEASURES[name].unit)}" in html


def test_data_quality_shows_the_original_record_and_the_broken_rule(page_of_small: Open) -> None:
    html = markup(page_of_small("data_quality"))
    assert "write 2" in html
    assert "X-0" in html


def test_definitions_search_shows_only_matching_measures(page_of_small: Open) -> None:
    html = markup(page_of_small("definitions", q="after the promise"))
    assert 'id="beyond_promise"' in html
    assert 'id="orders"' not in html


def test_every_measure_is_defined(page_of_small: Open) -> None:
    html = markup(page_of_small("definitions"))
    assert all(f'id="{name}"' in html for name in MEASURES)


@pytest.mark.every_run("scorecard", "buyers_view", "failed_orders", "drill_down", "export", "definitions", "bring_data")
@pytest.mark.parametrize("page", PAGES)
def test_page_without_published_data_shows_the_command_to_run(
    page: str, tmp_path: Path, at_home: Callable[[Path], None], open_page: Open
) -> None:
    at_home(tmp_path / "empty")
    at = open_page(None if page == "scorecard" else page)
    assert not at.exception
    if page in ("definitions", "access"):  # they need no data
        assert "No data yet" not in markup(at)
    else:
        assert "buyerview demo" in markup(at)


def test_a_period_without_orders_names_the_nearest_day_with_data(page_of_small: Open) -> None:
    at = page_of_small(period="Dates", dates=["2024-01-01", "2024-01-31"])
    assert not at.exception
    assert "No orders in this period" in markup(at)
    assert "nearest day with data" in markup(at)


@pytest.mark.parametrize("pages", [PAGES[:3], pytest.param(PAGES[3:], marks=pytest.mark.long)], ids=["few", "others"])
def test_without_invoices_the_tile_shows_no_feed_and_every_page_shows_the_stand_in(
    pages: tuple[str, ...], tmp_path: Path, at_home: Callable[[Path], None], open_page: Open
) -> None:
    publish(tmp_path / "home", count=60, billing=False, stand_in="ship date")
    at_home(tmp_path / "home")
    at = open_page()
    assert "No feed: invoices" in markup(at)
    largest = markup(at).split('bv-tile-main">')[1].split("</li>")[0]
    assert 'data-measure="otif"' in largest, "the headline's measure, because perfect orders need invoices"
    assert shown(at, "billed_accurately") == formatting.DASH
    for page in pages:
        assert "shipments.received_at is ship date (small)" in markup(open_page(None if page == "scorecard" else page))


def test_page_run_opens_one_connection(page_of_small: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard import queries

    read: list[int | None] = []
    real = queries.scope.reading
    monkeypatch.setattr(
        queries.scope,
        "reading",
        lambda place, rows, generation=None: read.append(generation) or real(place, rows, generation),
    )
    page_of_small()
    assert len(read) == 1, "one connection serves the whole page"


def test_link_with_a_data_version_shows_the_numbers_of_that_version(
    tmp_path: Path, at_home: Callable[[Path], None], open_page: Open
) -> None:
    home = tmp_path / "home"
    publish(home, count=60, seed=2)
    at_home(home)
    then = shown(open_page(), "perfect_order")
    publish(home, count=60, seed=5)
    assert shown(open_page(), "perfect_order") != then
    at = open_page(v="1")
    assert shown(at, "perfect_order") == then
    assert "You see data version 1." in markup(at)
    gone = open_page(v="99")
    assert not gone.exception
    assert "has been deleted" in markup(gone)
    assert gone.title[0].value == "Scorecard"
    assert "Version 99 is not kept. Available: " in markup(gone)
    assert str(home) not in markup(gone)
    ignored = open_page(v="abc")
    assert "abc is not a number. You see the newest data." in markup(ignored)
    assert shown(ignored, "perfect_order") == shown(open_page(), "perfect_order")


@pytest.mark.every_run("buyers_view", "packages", "recovery", "stockouts")
@pytest.mark.parametrize("page", [entry.file.removesuffix(".py") for entry in menu_entries.ENTRIES if entry.measures])
def test_measure_page_shows_the_query_results(page: str, page_of_small: Open) -> None:
    html = markup(page_of_small(page))
    for name in measures_of(menu.entry_of_file(page)):
        measure, one = MEASURES[name], asked(name)
        cell = html.split(f'data-measure="{measure.name}">')[-1].split("</td>")[0]
        if (value := cards.value(one, measure)) == formatting.DASH:
            assert formatting.html(in_plain_words(one.no_data)) in cell
        else:
            assert value in cell


def test_measure_page_folds_all_measures_and_has_their_names_only_as_tooltips(page_of_small: Open) -> None:
    at = page_of_small("buyers_view")
    (folded,) = [part for part in at.expander if part.label == "All measures"]
    assert not folded.proto.expanded
    html = markup(at)
    assert "Name in files: otif" in html
    assert ">otif<" not in html


def test_pages_with_amounts_name_their_currency(page_of_small: Open) -> None:
    for page, has_amounts in (("profitability", True), ("stockouts", True), ("buyers_view", False)):
        subtitle = page_of_small(page).caption[0].value
        assert subtitle.endswith("· amounts in EUR") == has_amounts, subtitle


def test_every_measure_except_volumes_is_shown_on_a_page() -> None:
    """Volumes equal the denominators of the scorecard and the breakdown."""
    shown = {name for entry in menu_entries.ENTRIES for name in measures_of(entry)}
    assert set(MEASURES) - shown == {measure.name for measure in volumes.MEASURES}


def test_what_changed_page_shows_the_total_change(page_of_small: Open) -> None:
    at = page_of_small("what_changed", measure="complete")
    html = markup(at)
    assert "Total change" in html or "No change to explain" in html


def test_definition_ladder_page_shows_every_rung(page_of_small: Open) -> None:
    html = markup(page_of_small("definition_ladder"))
    assert all(f">{name}<" in html for name in ("L1", "L4", "L10"))


def test_definitions_can_be_read_before_the_first_data(
    tmp_path: Path, at_home: Callable[[Path], None], open_page: Open
) -> None:
    at_home(tmp_path)
    at = open_page("definitions", measure="otif")
    assert "On time in full" in markup(at)
    assert "no feed" not in markup(at)
    assert not at.exception
